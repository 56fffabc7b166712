"""Compiled log densities: against mpmath with 50 digits, against scipy, and at the ends of their supports."""

from __future__ import annotations

import math

import mpmath as mp
import pytest
from scipy import stats

from bayesglmm.priors import DISTRIBUTIONS, log_density

REAL = (-1e6, -37.5, -2.0, -0.3, -1e-9, 0.0, 1e-9, 0.7, 1.0, 3.3, 40.0, 1e6)
POSITIVE = (1e-12, 1e-4, 0.03, 0.5, 1.0, 2.7, 19.0, 400.0, 1e5)


def normal(x, mu, sigma):
    return -(((x - mu) / sigma) ** 2) / 2 - mp.log(sigma) - mp.log(2 * mp.pi) / 2


def student_t(x, nu, mu, sigma):
    z = (x - mu) / sigma
    constant = mp.loggamma((nu + 1) / 2) - mp.loggamma(nu / 2) - mp.log(nu * mp.pi) / 2 - mp.log(sigma)
    return constant - (nu + 1) / 2 * mp.log1p(z * z / nu)


def gamma(x, alpha, beta):
    return alpha * mp.log(beta) - mp.loggamma(alpha) + (alpha - 1) * mp.log(x) - beta * x


def inverse_gamma(x, alpha, beta):
    return alpha * mp.log(beta) - mp.loggamma(alpha) - (alpha + 1) * mp.log(x) - beta / x


def cauchy(x, alpha, beta):
    return -mp.log(mp.pi * beta) - mp.log1p(((x - alpha) / beta) ** 2)


#: Name -> log density in mpmath, scipy's distribution of the same parameters, parameters, points.
EXACT = {
    "Flat": (lambda x: mp.mpf(0), None, [()], REAL),
    "HalfFlat": (lambda x: mp.mpf(0), None, [()], POSITIVE),
    "Normal": (normal, stats.norm, [(0.0, 1.0), (-3.5, 0.02), (1e4, 250.0)], REAL),
    "StudentT": (
        student_t,
        stats.t,
        [(4.0, 0.0, 1.0), (0.3, 2.0, 5.0), (39.9, -1.0, 0.1), (40.1, -1.0, 0.1), (1e8, 0.0, 2.0), (1e14, 0.0, 2.0)],
        REAL,
    ),
    "Cauchy": (cauchy, stats.cauchy, [(0.0, 1.0), (-2.0, 0.05), (10.0, 300.0)], REAL),
    "HalfNormal": (lambda x, s: mp.log(2) + normal(x, 0, s), stats.halfnorm, [(1.0,), (0.01,), (2474.0,)], POSITIVE),
    "HalfStudentT": (
        lambda x, nu, s: mp.log(2) + student_t(x, nu, 0, s),
        None,
        [(4.0, 1.0), (1.0, 25.0), (3e7, 0.5)],
        POSITIVE,
    ),
    "HalfCauchy": (lambda x, b: mp.log(2) + cauchy(x, 0, b), stats.halfcauchy, [(1.0,), (0.02,), (90.0,)], POSITIVE),
    "Exponential": (lambda x, lam: mp.log(lam) - lam * x, stats.expon, [(1.0,), (0.003,), (70.0,)], POSITIVE),
    "Gamma": (gamma, stats.gamma, [(1.0, 0.622), (2.0, 0.1), (0.001, 0.001), (30.0, 12.0)], POSITIVE),
    "InverseGamma": (inverse_gamma, stats.invgamma, [(1.0, 1.0), (0.001, 0.001), (25.0, 40.0)], POSITIVE),
    "Uniform": (lambda x, lo, up: -mp.log(up - lo), stats.uniform, [(-2e6, 3e6), (-1e6, 1e6)], REAL),
}
CASES = [(name, parameters) for name, (_, _, sets, _) in EXACT.items() for parameters in sets]


def evaluate(name: str, x: float, parameters: tuple[float, ...]) -> tuple[float, float]:
    return log_density(DISTRIBUTIONS[name].code, x, *(*parameters, math.nan, math.nan, math.nan)[:3])


def close(found: float, exact: mp.mpf, tolerance: float = 1e-12) -> bool:
    return abs(mp.mpf(found) - exact) <= tolerance * max(mp.mpf(1), abs(exact))


def frozen(name: str, parameters: tuple[float, ...]):
    """Return scipy's distribution; it parameterises some by scale = 1 / rate."""
    scipy = EXACT[name][1]
    match name, parameters:
        case ("Normal" | "Cauchy", (location, scale)):
            return scipy(location, scale)
        case "StudentT", (nu, mu, sigma):
            return scipy(nu, mu, sigma)
        case ("HalfNormal" | "HalfCauchy", (scale,)):
            return scipy(scale=scale)
        case "Exponential", (lam,):
            return scipy(scale=1 / lam)
        case "Gamma", (alpha, beta):
            return scipy(alpha, scale=1 / beta)
        case "InverseGamma", (alpha, beta):
            return scipy(alpha, scale=beta)
        case "Uniform", (lower, upper):
            return scipy(lower, upper - lower)
    raise AssertionError(name)


def test_every_scalar_distribution_is_compared_here() -> None:
    scalar = {name for name, d in DISTRIBUTIONS.items() if d.support != "correlation"}
    assert scalar == EXACT.keys()


@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_value_and_derivative_to_fifty_digits(name: str, parameters: tuple[float, ...]) -> None:
    exact, _, _, points = EXACT[name]
    with mp.workdps(50):
        big = [mp.mpf(p) for p in parameters]
        for x in points:
            value, derivative = evaluate(name, x, parameters)
            assert close(value, exact(mp.mpf(x), *big)), x
            slope = mp.diff(lambda t, big=big: exact(t, *big), mp.mpf(x), h=mp.mpf(abs(x) or 1) * mp.mpf("1e-20"))
            assert close(derivative, slope), x


# scipy takes the difference of two lgamma for Student's t, and loses its digits where nu is large.
IN_SCIPY = [c for c in CASES if EXACT[c[0]][1] is not None and not (c[0] == "StudentT" and c[1][0] > 1e10)]


@pytest.mark.parametrize(("name", "parameters"), IN_SCIPY)
def test_value_as_scipy_has_it(name: str, parameters: tuple[float, ...]) -> None:
    for x in EXACT[name][3]:
        assert evaluate(name, x, parameters)[0] == pytest.approx(frozen(name, parameters).logpdf(x), rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("name", [name for name, d in DISTRIBUTIONS.items() if d.support == "positive"])
def test_below_zero_there_is_nothing(name: str) -> None:
    parameters = EXACT[name][2][0]
    for x in (-1e-300, -0.5, -1e6, -math.inf):
        assert evaluate(name, x, parameters) == (-math.inf, 0.0)


def test_a_uniform_ends_at_its_bounds() -> None:
    inside = (-math.log(2.5), 0.0)
    assert [evaluate("Uniform", x, (0.5, 3.0)) for x in (0.5, 1.0, 3.0)] == [inside] * 3
    for x in (math.nextafter(0.5, 0), math.nextafter(3, 4), -math.inf, math.inf):
        assert evaluate("Uniform", x, (0.5, 3.0)) == (-math.inf, 0.0)


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("HalfNormal", (2.0,), (math.log(2) - math.log(2) - 0.5 * math.log(2 * math.pi), 0.0)),
        ("HalfStudentT", (3.0, 1.0), (float(mp.log(2) + student_t(0, 3, 0, 1)), 0.0)),
        ("HalfCauchy", (1.0,), (math.log(2 / math.pi), 0.0)),
        ("HalfFlat", (), (0.0, 0.0)),
        ("Exponential", (0.5,), (math.log(0.5), -0.5)),
        ("Gamma", (1.0, 0.5), (math.log(0.5), -0.5)),
        ("Gamma", (2.0, 0.5), (-math.inf, 0.0)),
        ("InverseGamma", (2.0, 0.5), (-math.inf, 0.0)),
    ],
)
def test_at_zero(name: str, parameters: tuple[float, ...], expected: tuple[float, float]) -> None:
    assert evaluate(name, 0.0, parameters) == pytest.approx(expected, abs=1e-15)
    assert evaluate(name, -0.0, parameters) == pytest.approx(expected, abs=1e-15)


def test_a_gamma_of_shape_below_one_is_unbounded_at_zero() -> None:
    assert evaluate("Gamma", 0.0, (0.5, 1.0)) == (math.inf, -math.inf)


@pytest.mark.parametrize("name", [name for name, d in DISTRIBUTIONS.items() if d.is_proper and name != "LKJ"])
def test_proper_densities_vanish_at_infinity(name: str) -> None:
    for parameters in EXACT[name][2]:
        assert evaluate(name, math.inf, parameters) == (-math.inf, 0.0)


@pytest.mark.parametrize("name", ["StudentT", "Cauchy", "HalfStudentT", "HalfCauchy"])
def test_heavy_tails_stay_finite_where_squares_overflow(name: str) -> None:
    exact, _, (parameters, *_), _ = EXACT[name]
    with mp.workdps(50):
        value, derivative = evaluate(name, 1e200, parameters)
        assert close(value, exact(mp.mpf(10) ** 200, *map(mp.mpf, parameters)))
    nu = {"StudentT": 4.0, "HalfStudentT": 4.0}.get(name, 1.0)
    assert derivative == pytest.approx(-(nu + 1) * 1e-200, rel=1e-12)


@pytest.mark.parametrize("nu", [0.3, 1.0, 4.0, 38.0, 39.999, 40.0, 41.0, 1e3, 1e6, 1e12])
def test_normalising_constant_of_student_t_keeps_its_digits(nu: float) -> None:
    with mp.workdps(50):
        exact = float(student_t(mp.mpf(0), mp.mpf(nu), 0, 1))
    assert evaluate("StudentT", 0.0, (nu, 0.0, 1.0))[0] == pytest.approx(exact, rel=2e-14)


def test_what_needs_numba_is_found_when_it_is_asked_for() -> None:
    from bayesglmm import priors

    assert {name for name in priors.__all__ if getattr(priors, name) is not None} == set(priors.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'log_densty'"):
        priors.log_densty  # noqa: B018


def test_codes_are_different() -> None:
    assert len({d.code for d in DISTRIBUTIONS.values()}) == len(DISTRIBUTIONS)


def test_an_unknown_code_is_not_a_number() -> None:
    assert all(math.isnan(v) for v in log_density(DISTRIBUTIONS["LKJ"].code, 0.5, 1.0, 0.0, 0.0))
    assert math.isnan(log_density(DISTRIBUTIONS["Normal"].code, math.nan, 0.0, 1.0, 0.0)[0])
