"""Print then parse is the identity, no text raises anything but FormulaError, terms and numbers keep their meaning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from formulae.environment import Environment
from formulae.matrices import design_matrices
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from bayesglmm.errors import FormulaError
from bayesglmm.formula import (
    ALLOWED_FUNCTIONS,
    Binary,
    Call,
    Common,
    Contrast,
    Factor,
    Formula,
    GroupTerm,
    Name,
    Node,
    Number,
    Response,
    Sum,
    Unary,
    columns,
    common_text,
    component_names,
    expand,
    expression_text,
    parse,
    parse_residual,
)
from bayesglmm.formula.arithmetic import check_arithmetic

# A busy machine is no fault of the generators.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
quick = settings(patient, max_examples=200)

column_names = st.one_of(st.sampled_from(["x", "z", "a", "sigma", "p", "log"]), st.text(max_size=6))
names = column_names.map(Name)


def plain(number: float) -> int | float:
    """A float that is whole is read back as a whole number."""
    return int(number) if abs(number) <= 2**53 and number == int(number) else number


numbers = st.one_of(st.integers(0, 2**53), st.floats(0, 1e300, allow_nan=False)).map(plain).map(Number)
words = st.text(max_size=5).filter(lambda w: '"' not in w and "'" not in w)
levels = st.one_of(st.none(), words, st.integers(-(2**53), 2**53), st.floats(-1e9, 1e9).map(plain))


def accepted(argument: Node) -> bool:
    with suppress(FormulaError):
        check_arithmetic(argument, "I")
        return True
    return False


def arithmetic(leaves: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    def larger(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        return st.one_of(
            st.builds(Binary, st.sampled_from(["-", "*", "/", "**"]), inner, inner),
            st.builds(Sum, st.lists(inner, min_size=2, max_size=3).map(tuple)),
            st.builds(Unary, st.just("-"), inner),
            st.builds(Call, st.sampled_from(["log", "I", "scale"]), inner.filter(accepted).map(lambda n: (n,))),
        )

    return st.recursive(leaves, larger, max_leaves=6)


arguments = arithmetic(st.one_of(names, numbers)).filter(accepted).map(lambda n: (n,))


def options(**declared: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[tuple[str, Any], ...]]:
    return st.fixed_dictionaries({}, optional=declared).map(
        lambda given: tuple((name, given[name]) for name in declared if name in given)
    )


calls = st.one_of(
    st.builds(Call, st.sampled_from(["log", "log1p", "exp", "sqrt", "abs", "I", "scale", "center"]), arguments),
    st.builds(Call, st.just("poly"), arguments, options(degree=st.integers(1, 20), raw=st.booleans())),
    st.builds(
        Call,
        st.just("bs"),
        arguments,
        st.tuples(
            st.integers(6, 100).map(lambda df: (("df", df),)),
            options(
                degree=st.integers(0, 5),
                intercept=st.booleans(),
                lower_bound=st.floats(-1e9, -1).map(plain),
                upper_bound=st.floats(0, 1e9).map(plain),
            ),
        ).map(lambda parts: parts[0] + parts[1]),
    ),
    st.builds(
        Call,
        st.just("C"),
        names.map(lambda n: (n,)),
        options(contrast=st.builds(Contrast, st.sampled_from(["Treatment", "Sum"]), levels)),
    ),
)


def expands(node: Node) -> bool:
    with suppress(FormulaError):
        expand(node)
        return True
    return False


def term_trees(leaves: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    def larger(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        crossed = st.builds(Binary, st.sampled_from([":", "*", "/"]), inner, inner)
        return st.one_of(
            crossed,
            st.builds(Sum, st.lists(inner, min_size=2, max_size=3).map(tuple)),
            st.builds(Binary, st.just("**"), inner, st.integers(1, 3).map(Number)),
            inner.map(lambda n: Binary("-", Sum((n, Binary(":", n, Name("x")))), n)),
            st.builds(lambda a, b: Binary("-", Binary("*", a, b), b), inner, inner),
        )

    return st.recursive(leaves, larger, max_leaves=8).filter(expands)


def keeps_all(node: Node) -> bool:
    """Whether every component is still in a term: the parser drops one that is taken away altogether."""

    def components(part: Node) -> set[Node]:
        match part:
            case Sum(terms=parts):
                return set().union(*map(components, parts))
            case Binary(op="**", left=left):
                return components(left)
            case Binary(left=left, right=right):
                return components(left) | components(right)
            case _:
                return {part}

    return components(node) == {component for term in expand(node) for component in term}


@st.composite
def commons(draw: st.DrawFn, *, offsets: bool = True) -> Common:
    parts = draw(st.lists(term_trees(st.one_of(names, calls)).filter(lambda n: not isinstance(n, Sum)), max_size=3))
    terms: Node | None = None
    for part in parts:
        terms = part if terms is None else Sum((terms, part))
    if terms is not None and draw(st.booleans()):
        terms = Binary("-", Sum((terms, Binary(":", parts[0], Name("z")))), parts[0])
        assume(expands(terms))
    assume(terms is None or keeps_all(terms))
    added = draw(st.lists(arguments, max_size=2)) if offsets else []
    return Common(terms, draw(st.booleans()), tuple(argument for (argument,) in added))


@st.composite
def group_terms(draw: st.DrawFn) -> GroupTerm:
    effects = draw(commons(offsets=False))
    assume(effects.intercept or effects.terms is not None)
    factor = Factor(tuple(draw(st.lists(column_names, min_size=1, max_size=3, unique=True))))
    structure = draw(st.sampled_from([None, None, None, "ar1", "cs", "known"]))
    if structure is not None:
        given_options = (("covariance", draw(words)),) if structure == "known" else ()
        return GroupTerm(effects, factor, structure=structure, options=given_options)
    return GroupTerm(effects, factor, correlated=effects == Common() or draw(st.booleans()))


responses = st.one_of(
    st.builds(
        Response,
        st.one_of(names, st.builds(Call, st.sampled_from(["log", "sqrt", "I"]), arguments)),
        se=st.one_of(st.none(), names),
        weights=st.one_of(st.none(), names),
    ),
    st.builds(Response, names, st.one_of(names, st.integers(1, 99).map(Number)), weights=st.one_of(st.none(), names)),
)
formulas = st.builds(
    Formula,
    responses,
    commons(),
    st.lists(group_terms(), max_size=2, unique_by=lambda g: frozenset(g.factor.columns)).map(tuple),
)


@settings(patient, max_examples=100)
@given(formulas)
def test_print_then_parse_is_the_identity(formula: Formula) -> None:
    text = str(formula)
    again = parse(text)
    assert again == formula
    assert hash(again) == hash(formula)
    assert str(again) == text


SOUP = [
    *["y", "x", "g", "a b", "`a b`", "`", "1", "0", "2", "0.5", "1e999", "9" * 400, "+", "-", ":", "*", "/", "**", "^"],
    *["(", ")", "|", "||", "~", ",", "=", ".", "_", "__class__", "'u'", '"', "[", "]", "{", ";", "\n", "\x00", " "],
    *["log(", "poly(x, 2)", "bs(", "df=4", "C(", "Treatment", "Sum(", "I(", "offset(", "p(", "trials(n)", "weights(w)"],
    *["(1 | g)", "(x || g)", "ar1(", "known(", "us(", "True", "lambda", "import", "np.save", "os.system(", "é", "−"],
]
soups = st.one_of(
    st.lists(st.sampled_from(SOUP), max_size=12).map(" ".join),
    st.lists(st.sampled_from(SOUP), max_size=12).map("".join),
    st.lists(st.sampled_from(SOUP), max_size=10).map(lambda parts: "y ~ x" + " ".join(parts)),
)
raw = st.one_of(
    st.text(),
    st.binary().map(lambda b: b.decode("latin-1")),
    st.binary().map(lambda b: b.decode("utf-8", "surrogateescape")),
    st.binary().map(lambda b: "y ~ " + b.decode("utf-8", "surrogatepass" if b.isascii() else "replace")),
    st.text(st.sampled_from("xyg01 ()|~+-*/:^`'\".,=_\\\n")),
)


def read_or_refuse(text: str) -> Formula | None:
    """Parse; anything but FormulaError fails the test, and so does an accepted formula that does not come back."""
    try:
        formula = parse(text)
    except FormulaError as error:
        assert "\n" not in error.problem  # noqa: PT017
        assert 0 <= error.position <= len(error.text)  # noqa: PT017
        return None
    assert parse(str(formula)) == formula
    return formula


@settings(patient, max_examples=500)
@given(raw)
@example("\ud800")
@example("y ~ `\ud800\x00`")
@example("")
def test_no_text_raises_anything_but_formula_error(text: str) -> None:
    read_or_refuse(text)


KNOWN = {*ALLOWED_FUNCTIONS, "Treatment", "Sum", "True", "False", "df", "degree", "intercept", "raw"}
KNOWN |= {"lower_bound", "upper_bound"}


@settings(patient, max_examples=500)
@given(soups)
@example("y ~ log(x) + os.system('u')")
@example("y ~ C(x, Treatment('__class__')) + poly(x, 2)")
def test_text_for_formulae_holds_columns_and_declared_words_only(text: str) -> None:
    formula = read_or_refuse(text)
    if formula is None:
        return
    places = {name: f"v{k}q" for k, name in enumerate(columns(formula))}
    for part in (formula.common, *(group.effects for group in formula.groups)):
        sent = re.sub(r'"[^"]*"', "", common_text(part, places.__getitem__))
        assert set(re.findall(r"[^\W\d][\w.]*", sent)) <= KNOWN | set(places.values())
        assert not set(sent) & set("[]{}`'~|!<>%@;")


def terms_by_definition(node: Node) -> set[frozenset[Node]]:
    """Wilkinson and Rogers' definitions on sets of sets; a power is repeated crossing."""
    match node:
        case Sum(terms=parts):
            return set().union(*map(terms_by_definition, parts))
        case Binary(op="**", left=left, right=Number(value=int(power))):
            base = terms_by_definition(left)
            result = base
            for _ in range(power - 1):
                result = result | {a | b for a, b in product(result, base)}
            return result
        case Binary(op=op, left=left, right=right):
            a, b = terms_by_definition(left), terms_by_definition(right)
            crossed = {s | t for s, t in product([frozenset().union(*a)] if op == "/" else a, b)}
            return {"-": a - b, ":": crossed, "*": a | b | crossed, "/": a | crossed}[op]
        case _:
            return {frozenset([node])}


@quick
@given(term_trees(st.sampled_from("abcdx").map(Name)))
def test_terms_are_those_of_the_definitions(node: Node) -> None:
    found = expand(node)
    assert {frozenset(term) for term in found} == terms_by_definition(node)
    assert len({frozenset(term) for term in found}) == len(found)


DATA = pd.DataFrame({"x": [1, 2, 3, 5], "z": [0.5, 1.5, 2.0, 0.25]})


def value(node: Node) -> np.ndarray:
    match node:
        case Name(name=name):
            return DATA[name].to_numpy(float)
        case Number(value=number):
            return np.full(len(DATA), float(number))
        case Unary(operand=operand):
            return -value(operand)
        case Sum(terms=(first, *rest)):
            total = value(first)
            for term in rest:
                total = total + value(term)
            return total
        case Binary(op=op, left=left, right=right):
            a, b = value(left), value(right)
            return {"-": np.subtract, "*": np.multiply, "/": np.divide, "**": np.power}[op](a, b)
        case Call(function=function, arguments=(argument,)):
            inner = value(argument)
            return inner if function == "I" else np.log(inner)
    raise AssertionError(node)


def nodes(node: Node) -> Iterator[Node]:
    yield node
    match node:
        case Call(arguments=parts) | Sum(terms=parts):
            for part in parts:
                yield from nodes(part)
        case Binary(left=left, right=right):
            yield from nodes(left)
            yield from nodes(right)
        case Unary(operand=operand):
            yield from nodes(operand)


@quick
@given(arithmetic(st.one_of(st.sampled_from("xz").map(Name), st.sampled_from([0, 1, 2, 3, 0.5, 1e-7]).map(Number))))
def test_arithmetic_means_the_same_in_formulae(node: Node) -> None:
    assume(accepted(node))
    assume(not any(isinstance(n, Call) and n.function == "scale" for n in nodes(node)))
    with np.errstate(all="ignore"):
        expected = value(node)
        assume(np.isfinite(expected).all())
        text = "0 + " + expression_text(node, str)
        got = design_matrices(text, DATA, env=Environment([{}]), extra_namespace={"log": np.log}).common
    np.testing.assert_allclose(np.asarray(got.design_matrix, float)[:, 0], expected, rtol=1e-9, atol=1e-300)
    part = Common(Call("I", (node,)))
    again = design_matrices(common_text(part, str), DATA, env=Environment([{}]), extra_namespace={"log": np.log}).common
    assert {c.name for t in again.terms.values() for c in getattr(t, "components", [])} == set(
        component_names(part, str)
    )


residual_soups = st.lists(
    st.sampled_from(["ar1", "us", "(", ")", "|", "||", "1", ":", "/", "week", "`a|b`", "iid", ",", "log(", " ", "~"]),
    max_size=10,
).map("".join)


@given(st.one_of(raw, residual_soups))
@quick
def test_a_residual_structure_is_read_back_or_refused_as_text_is(text: str) -> None:
    with suppress(FormulaError):
        term = parse_residual(text)
        assert term is None or parse_residual(str(term)) == term
