"""exp, log1p and log as polynomials without branches, so that a loop over rows becomes vector instructions.

The library's functions are called row by row, 5 to 20 ns each; these take about 1 in a loop of four or eight rows at a
time, and err by no more than 2 units in the last place (tests/unit/families/test_elementary.py, against mpmath).

The polynomials are minimax: Remez's exchange in 60 digits (mpmath) on the functions named beside them, weighted so
that the error is relative to the whole result. Terms are paired (Estrin's scheme): half of the operations of Horner's
chain need not wait for each other. Products and sums may be contracted to fused multiply-adds, which loses no digits
anywhere here; nothing may be reordered, since rounding by a large constant would vanish.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, register_jitable

__all__ = [
    "NEAR",
    "add_in_any_order",
    "exp_nonpositive",
    "exp_real",
    "exp_remainder",
    "inlined_scalar",
    "log1p_remainder",
    "log1p_unit",
    "log_positive",
    "widest_vectors",
]

#: Rows and what they call are put into the loop itself: a call would end vectorisation.
inlined_scalar = register_jitable(error_model="numpy", forceinline=True, fastmath={"contract"})

_INVERSE_LOG2 = 1.4426950408889634
# log(2) in two parts, so that whole multiples of the first are exact (Cody & Waite 1980).
_LOG2_HIGH, _LOG2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
#: Adding and subtracting it rounds to a whole number.
_ROUND = 6755399441055744.0
_SQRT2 = 1.4142135623730951
#: Half of log(2): the reach of the polynomial of exp.
NEAR = 0.34657359027997264


@intrinsic
def _times_power_of_two(typingctx: Any, p: Any, k: Any) -> Any:  # noqa: ARG001 (numba passes the typing context)
    """Return p 2^k for a whole float k between -1022 and 1023, by writing k into the exponent's bits."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        whole, real = ir.IntType(64), ir.DoubleType()
        biased = builder.fadd(args[1], ir.Constant(real, _ROUND + 1023.0))  # k + 1023 in the lowest bits
        bits = builder.shl(builder.bitcast(biased, whole), ir.Constant(whole, 52))
        return builder.fmul(args[0], builder.bitcast(bits, real))

    return types.float64(types.float64, types.float64), build


@intrinsic
def _significand(typingctx: Any, x: Any) -> Any:  # noqa: ARG001
    """Return x 2^-k in [1, 2) for a normal x > 0."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        whole, real = ir.IntType(64), ir.DoubleType()
        fraction = builder.and_(builder.bitcast(args[0], whole), ir.Constant(whole, (1 << 52) - 1))
        return builder.bitcast(builder.or_(fraction, ir.Constant(whole, 1023 << 52)), real)

    return types.float64(types.float64), build


@intrinsic
def _exponent(typingctx: Any, x: Any) -> Any:  # noqa: ARG001
    """Return k as a float, x 2^-k in [1, 2), for a normal x > 0."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        whole, real = ir.IntType(64), ir.DoubleType()
        biased = builder.lshr(builder.bitcast(args[0], whole), ir.Constant(whole, 52))
        # 2^52 + biased as a float has `biased` in its lowest bits; not every processor converts whole vectors.
        high = builder.bitcast(builder.or_(biased, ir.Constant(whole, 0x433 << 52)), real)
        return builder.fsub(high, ir.Constant(real, 2.0**52 + 1023.0))

    return types.float64(types.float64), build


@intrinsic
def add_in_any_order(typingctx: Any, total: Any, x: Any) -> Any:  # noqa: ARG001
    """Return total + x, as a sum that may be taken in any order: only so does a loop add eight rows at a time."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.fadd(*args, flags=("reassoc", "nsz", "contract"))

    return types.float64(types.float64, types.float64), build


@intrinsic
def widest_vectors(typingctx: Any) -> Any:  # noqa: ARG001
    """Let the calling function use the widest vectors there are, and keep it a function.

    LLVM holds itself to 256 bits where a processor has 512; rows take 0.7 of the time with all of them. The attribute
    belongs to a function and would be lost in a caller that takes it in. Without such registers it has no effect.
    """

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        attributes = builder.function.attributes
        attributes.add("noinline")
        set.add(attributes, '"prefer-vector-width"="512"')  # llvmlite's own `add` knows no attributes with a value
        return context.get_dummy_value()

    return types.void(), build


@inlined_scalar
def exp_remainder(r: float) -> float:
    """Return exp(r) - 1 - r for |r| <= `NEAR`, to 5e-15 of itself, near 0 too.

    r^2 P(r), P minimax for (exp(r) - 1 - r) / r^2 with errors relative to exp(r) (4e-18).
    """
    s = r * r
    f = s * s
    low = (0.5000000000000011 + r * 0.1666666666666641) + s * (0.04166666666652973 + r * 0.008333333333494976)
    high = (0.001388888894375881 + r * 0.0001984126950577247) + s * (
        2.4801492950670086e-05 + r * 2.7557586807501552e-06
    )
    high = high + f * (2.763030592049602e-07 + r * 2.500001710919498e-08)
    return s * (low + f * high)


@inlined_scalar
def _exp_reduced(r: float) -> float:
    """Return exp(r) for |r| <= log(2) / 2."""
    return 1.0 + (r + exp_remainder(r))


@inlined_scalar
def _twice_atanh_remainder(t: float) -> float:
    """Return 2 atanh(t) - 2 t for |t| <= 1/3: 2 t q G(q), q = t^2, G minimax for (atanh(t) / t - 1) / q (5e-17)."""
    q = t * t
    s = q * q
    low = (0.3333333333333893 + q * 0.19999999997999235) + s * (0.1428571453155571 + q * 0.11111096328961562)
    high = (0.0909141032779376 + q * 0.07682096595658952) + s * (0.06793618440212972 + q * 0.049491745621616054)
    g = low + (s * s) * (high + (s * s) * 0.08874385439399395)
    return (t + t) * (q * g)


@inlined_scalar
def _twice_atanh(t: float) -> float:
    """Return 2 atanh(t) for |t| <= 1/3."""
    return (t + t) + _twice_atanh_remainder(t)


@inlined_scalar
def exp_nonpositive(x: float) -> float:
    """Return exp(x) for x <= 0; below -708 it stays at exp(-708), 3e-308. Not a number stays what it is."""
    x = -708.0 if x < -708.0 else x
    k = (x * _INVERSE_LOG2 + _ROUND) - _ROUND
    r = (x - k * _LOG2_HIGH) - k * _LOG2_LOW
    value: float = _times_power_of_two(_exp_reduced(r), k)
    return value


@inlined_scalar
def exp_real(x: float) -> float:
    """Return exp(x) for any x: infinity from 709.79 on, 0 from -745.14 down, subnormal numbers in between."""
    x = -746.0 if x < -746.0 else x
    x = 710.0 if x > 710.0 else x
    k = (x * _INVERSE_LOG2 + _ROUND) - _ROUND
    r = (x - k * _LOG2_HIGH) - k * _LOG2_LOW
    # 2^k itself may be out of range where its product is not.
    half = (k * 0.5 + _ROUND) - _ROUND
    value: float = _times_power_of_two(_times_power_of_two(_exp_reduced(r), half), k - half)
    return value


@inlined_scalar
def log1p_unit(e: float) -> float:
    """Return log(1 + e) for 0 <= e <= 1: 2 atanh(e / (2 + e))."""
    return _twice_atanh(e / (2.0 + e))


@inlined_scalar
def log1p_remainder(x: float) -> float:
    """Return log(1 + x) - x for -1/2 <= x <= 1, to a few units in the last place, near 0 too: there it is -x^2 / 2.

    With t = x / (2 + x), log(1 + x) = 2 atanh(t) and 2 t - x = -t x.
    """
    t = x / (2.0 + x)
    return _twice_atanh_remainder(t) - t * x


@inlined_scalar
def log_positive(x: float) -> float:
    """Return log(x) for a normal x > 0: its exponent's share and 2 atanh((m - 1) / (m + 1)), m in [0.7, 1.42)."""
    m = _significand(x)
    k = _exponent(x)
    upper = m > _SQRT2
    m = 0.5 * m if upper else m
    k = k + 1.0 if upper else k
    return k * _LOG2_HIGH + (_twice_atanh((m - 1.0) / (m + 1.0)) + k * _LOG2_LOW)
