"""What can be written, and what it means."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from bayesglmm.formula import (
    Binary,
    Call,
    Common,
    Contrast,
    Factor,
    Formula,
    GroupTerm,
    Name,
    Number,
    Response,
    Sum,
    Unary,
    columns,
    parse,
)

X, Z, A, B = Name("x"), Name("z"), Name("a"), Name("b")


def common(right: str) -> Common:
    return parse(f"y ~ {right}").common


def group(term: str) -> GroupTerm:
    [found] = parse(f"y ~ {term}").groups
    return found


def test_a_whole_formula() -> None:
    assert parse("mated ~ 0 + cross + (1 | female) + (1 | male)") == Formula(
        Response(Name("mated")),
        Common(Name("cross"), intercept=False),
        (GroupTerm(Common(), Factor(("female",))), GroupTerm(Common(), Factor(("male",)))),
    )


# What is written, and its canonical text.
TEXTS = [
    ("y~x", "y ~ x"),
    ("y ~ 1", "y ~ 1"),
    ("y ~ 1 + 1 + x", "y ~ x"),
    ("y ~ x + 0", "y ~ 0 + x"),
    ("y ~ x - 1", "y ~ 0 + x"),
    ("y ~ -1 + x", "y ~ 0 + x"),
    ("y ~ + -1 + x", "y ~ 0 + x"),
    ("y ~ - -1 + x", "y ~ x"),
    ("y ~ x - 0", "y ~ x"),
    ("y ~ (0 + x)", "y ~ 0 + x"),
    ("y ~ 0", "y ~ 0"),
    ("y ~ a + (b + c)", "y ~ a + (b + c)"),
    ("y ~ (a + b) + c", "y ~ a + b + c"),
    ("y ~ ((a + 0) + b * c) - b:c + offset(t)", "y ~ 0 + a + b * c - b:c + offset(t)"),
    ("y ~ a + (b * c - b:c)", "y ~ a + (b * c - b:c)"),
    ("y ~ (b * c - b) + a", "y ~ b * c - b + a"),
    ("y ~ a * b + (b * c - b:c) - a", "y ~ a * b + (b * c - b:c) - a"),
    # What is taken away altogether is not kept: its column need not be there.
    ("y ~ a + (b * c - b:c) - a", "y ~ b + c"),
    ("y ~ a * b - b - a:b", "y ~ a"),
    ("y ~ 0 + a * log(b) * c - log(b) - a:log(b) - log(b):c - a:log(b):c", "y ~ 0 + a + c + a:c"),
    ("y ~ a - a", "y ~ 1"),
    ("y ~ 0 + a - a + offset(t)", "y ~ 0 + offset(t)"),
    ("y ~ x + (a - a | g)", "y ~ x + (1 | g)"),
    ("y ~ a*b - a - b", "y ~ a * b - a - b"),
    ("y ~ a * b - (a + b)", "y ~ a * b - (a + b)"),
    ("y ~ (a * (b / c)) : d", "y ~ (a * (b / c)):d"),
    ("y ~ a / b / c + a:b:d", "y ~ a / b / c + a:b:d"),
    ("y ~ a:(b:c)", "y ~ a:(b:c)"),
    ("y ~ (a + b) ^ 2", "y ~ (a + b) ** 2"),
    ("y ~ ((a))", "y ~ a"),
    ("y ~ x + offset(log(t)) + z", "y ~ x + z + offset(log(t))"),
    ("y ~ offset(t)", "y ~ offset(t)"),
    ("y ~ 0 + offset(t) + offset(t / 2)", "y ~ 0 + offset(t) + offset(t / 2)"),
    ("y ~ (1|g)", "y ~ 1 + (1 | g)"),
    ("y ~ (1||g)", "y ~ 1 + (1 | g)"),
    ("y ~ (x|g) + z", "y ~ z + (1 + x | g)"),
    ("y ~ (x - 1 || g)", "y ~ 1 + (0 + x || g)"),
    ("y ~ 0 + (x*z - x:z | g)", "y ~ 0 + (1 + x * z - x:z | g)"),
    ("y ~ (1 | a:b)", "y ~ 1 + (1 | a:b)"),
    ("y ~ (1 | (a:b):c)", "y ~ 1 + (1 | a:b:c)"),
    ("y ~ (x || a/b/c)", "y ~ 1 + (1 + x || a) + (1 + x || a:b) + (1 + x || a:b:c)"),
    ("y ~ (1 | a/(b/c))", "y ~ 1 + (1 | a) + (1 | a:b) + (1 | a:b:c)"),
    ("y ~ (1 | a:b/c)", "y ~ 1 + (1 | a:b) + (1 | a:b:c)"),
    ("y ~ us(x | g)", "y ~ 1 + (1 + x | g)"),
    ("y ~ diag(x | g)", "y ~ 1 + (1 + x || g)"),
    ("y ~ (1|g,by=trt)", "y ~ 1 + (1 | g, by=trt)"),
    ("y ~ diag(x | g, by = `a b`)", "y ~ 1 + (1 + x || g, by=`a b`)"),
    ("y ~ ar1(0 + t | g, by=trt)", "y ~ 1 + ar1(0 + t | g, by=trt)"),
    ('y ~ known(1 | g, by=trt, "A")', 'y ~ 1 + known(1 | g, "A", by=trt)'),
    ("y ~ (1 | a/b, by=c)", "y ~ 1 + (1 | a, by=c) + (1 | a:b, by=c)"),
    ("y ~ ar1(0 + week | g)", "y ~ 1 + ar1(0 + week | g)"),
    ("y ~ cs(x | a/b)", "y ~ 1 + cs(1 + x | a) + cs(1 + x | a:b)"),
    ("y ~ known(1 | animal, covariance='A')", 'y ~ 1 + known(1 | animal, "A")'),
    ("log(y) ~ x", "log(y) ~ x"),
    ("I(y/z) ~ x", "I(y / z) ~ x"),
    ("p(s, n) ~ x", "s | trials(n) ~ x"),
    ("p(s, 10) | weights(w) ~ x", "s | trials(10) + weights(w) ~ x"),
    ("y | weights(w) + se(e) ~ x", "y | se(e) + weights(w) ~ x"),
    ("y ~ poly(x, degree=2) + poly(x, 3, True)", "y ~ poly(x, 2) + poly(x, 3, raw=True)"),
    ("y ~ bs(x, 5, lower_bound=-1.5)", "y ~ bs(x, df=5, lower_bound=-1.5)"),
    ("y ~ factor(k) + C(k, contrast=Sum('a'))", 'y ~ C(k) + C(k, Sum("a"))'),
    ("y ~ C(k, Treatment()) + C(j, Treatment(-2))", "y ~ C(k, Treatment) + C(j, Treatment(-2))"),
    ("y ~ I(-x**2) + I((-x)**2) + I(2**-x**2)", "y ~ I(-x ** 2) + I((-x) ** 2) + I(2 ** -x ** 2)"),
    ("y ~ I((x**2)**3) + I(x**(2**3))", "y ~ I((x ** 2) ** 3) + I(x ** 2 ** 3)"),
    ("y ~ I(x-(z-1)-+2) + I(x/(z*2))", "y ~ I(x - (z - 1) - 2) + I(x / (z * 2))"),
    ("y ~ I(x + (z + 1))", "y ~ I(x + (z + 1))"),
    ("y ~ I(--x) + I(x - -z)", "y ~ I(--x) + I(x - -z)"),
    ("`a b` ~ `lambda` + `x``y` + `x`", "`a b` ~ `lambda` + `x``y` + x"),
    ("p ~ log + trials + us + offset", "p ~ log + trials + us + offset"),
    ("y ~ x\n  + (1\t| g)\r\n", "y ~ x + (1 | g)"),
    ("y\u00a0~\u00a0x", "y ~ x"),
]


@pytest.mark.parametrize(("written", "canonical"), TEXTS)
def test_canonical_text(written: str, canonical: str) -> None:
    formula = parse(written)
    assert str(formula) == canonical
    assert parse(canonical) == formula


def test_precedence_from_loose_to_tight() -> None:
    assert common("a + b * x:z").terms == Sum((A, Binary("*", B, Binary(":", X, Z))))
    assert common("a / b * x").terms == Binary("*", Binary("/", A, B), X)
    [call] = [common("I(-x ** z ** 2)").terms]
    assert call == Call("I", (Unary("-", Binary("**", X, Binary("**", Z, Number(2)))),))


def test_options_are_kept_by_name_in_declared_order() -> None:
    assert common("bs(x, intercept=True, df=4)").terms == Call("bs", (X,), (("df", 4), ("intercept", True)))
    assert common('C(a, Treatment("u"))').terms == Call("C", (A,), (("contrast", Contrast("Treatment", "u")),))


def test_both_ways_to_give_trials_are_one() -> None:
    assert parse("p(s, n) ~ x").response == Response(Name("s"), trials=Name("n"))
    assert parse("p(s, n) ~ x") == parse("s | trials(n) ~ x")


def test_structures_with_a_meaning_of_their_own_are_kept() -> None:
    assert group('known(1 | animal, "A")') == GroupTerm(
        Common(), Factor(("animal",)), structure="known", options=(("covariance", "A"),)
    )
    assert group("ar1(0 + t | g)").structure == "ar1"
    assert group("us(x | g)") == group("(x | g)")
    assert group("diag(x | g)") == group("(x || g)")


def test_positions_point_into_the_text_and_are_not_compared() -> None:
    wide, narrow = parse("y  ~  x"), parse("y~x")
    assert wide == narrow
    assert hash(wide) == hash(narrow)
    assert (wide.common.terms.position, narrow.common.terms.position) == (6, 2)  # type: ignore[union-attr]


def test_columns_in_order_of_first_appearance() -> None:
    formula = parse("log(s) | weights(w) ~ poly(x, 2) * z - z + offset(t) + x:k + (0 + v | h/g) + (1 | g)")
    assert columns(formula) == ("s", "w", "x", "z", "k", "t", "v", "h", "g")
    assert columns(formula.common) == ("x", "z", "k", "t")
    assert columns(formula.groups[1]) == ("v", "h", "g")
    assert columns(parse("p(s, 3) ~ 1")) == ("s",)


def test_a_sum_may_be_long() -> None:
    names = [f"x{k}" for k in range(1000)]
    formula = parse("y ~ " + " + ".join(names))
    assert columns(formula.common) == tuple(names)
    assert parse(str(formula)) == formula


def test_reading_takes_less_than_a_millisecond() -> None:
    text = "s | trials(n) ~ treatment * poly(dose, 2) + offset(log(t)) + (1 + dose || site / plot)"
    seconds = []
    for _ in range(50):
        start = time.perf_counter()
        parse(text)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 1e-3


def test_the_package_needs_no_numpy() -> None:
    code = "import sys, bayesglmm.formula; print(*sorted({'numpy', 'pandas', 'formulae'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
