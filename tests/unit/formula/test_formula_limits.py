"""What is read at the limits is also printed and read back, on a short stack and in bounded time."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from bayesglmm.errors import FormulaError
from bayesglmm.formula import columns, common_text, component_names, expand, parse
from bayesglmm.formula.limits import MAX_CHARACTERS, MAX_DEPTH, MAX_SUMMANDS, MAX_TERMS

DEEP = MAX_DEPTH - 1
MANY = [f"x{k}" for k in range(MAX_TERMS)]
AT_THE_LIMIT = {
    "functions": "y ~ " + "log(" * DEEP + "x" + ")" * DEEP,
    "functions by group": "y ~ (" + "log(" * DEEP + "x" + ")" * DEEP + " | g)",
    "functions after a term": "y ~ a + " + "log(" * (DEEP - 1) + "x" + ")" * (DEEP - 1),
    "functions of the response": "log(" * DEEP + "y" + ")" * DEEP + " ~ x",
    "an offset": "y ~ offset(" + "log(" * (DEEP - 1) + "x" + ")" * DEEP,
    "brackets": "y ~ " + "(" * MAX_DEPTH + "x" + ")" * MAX_DEPTH,
    "nested products": "y ~ " + "(a * " * (DEEP - 4) + "x" + ")" * (DEEP - 4),
    "nested powers": "y ~ I(" + "a ** (x * " * (DEEP // 2 - 1) + "x" + ")" * (DEEP // 2),
    "nested signs": "y ~ I(" + "-(a - " * (DEEP // 2 - 1) + "x" + ")" * (DEEP // 2),
    "a long interaction": "y ~ " + ":".join(MANY[:MAX_DEPTH]),
    "differences": "y ~ " + "*".join(MANY[:6]) + " - x0:x1" + "".join(f" - x{k}" for k in range(2, 6)),
    "terms and the intercept's marker": "y ~ 0 + " + " + ".join(MANY),
    "terms in a bracket": "y ~ (0 + " + " + ".join(MANY[1:-1]) + ") + x + z",
    "terms by group": "y ~ (" + " + ".join(MANY) + " | g)",
    "offsets": "y ~ 0 + " + " + ".join(f"offset({x})" for x in MANY),
    "group terms": "y ~ " + " + ".join(f"(1 | {x})" for x in MANY),
    "nested factors": "y ~ (1 + x | " + " / ".join(MANY[:MAX_DEPTH]) + ")",
    "summands": "y ~ I(" + " + ".join(["x"] * MAX_SUMMANDS) + ")",
    "written-out terms": "y ~ " + " * ".join(MANY[:9]),
    "characters": "y ~ `" + " " * (MAX_CHARACTERS - 6) + "`",
}


def stack_of(frames: int, action: Callable[[], None]) -> None:
    """Run with that many more frames of stack than are in use here."""
    used, frame = 0, sys._getframe()
    while frame is not None:
        used, frame = used + 1, frame.f_back  # type: ignore[assignment]
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(used + frames)
    try:
        action()
    finally:
        sys.setrecursionlimit(before)


@pytest.fixture(autouse=True)
def _no_collection() -> Iterator[None]:
    """Time the parser, not a garbage collection that other tests' objects make long."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("text", AT_THE_LIMIT.values(), ids=AT_THE_LIMIT)
def test_what_is_read_comes_back(text: str) -> None:
    def there_and_back() -> None:
        formula = parse(text)
        assert parse(str(formula)) == formula
        assert hash(formula) == hash(parse(text))
        assert columns(formula)[-1]
        assert common_text(formula.common, lambda _: "v")
        assert component_names(formula.common, lambda _: "v") is not None

    start = time.thread_time()
    stack_of(400, there_and_back)
    assert time.thread_time() - start < 2


BEYOND = {
    "one term more, after a bracket": ("y ~ (" + " + ".join(MANY) + ") + z", "at most 1000 terms"),
    "one term more": ("y ~ 0 + z + " + " + ".join(MANY), "at most 1000 terms"),
    "one term more, in brackets": ("y ~ (a + b) + (" + " + ".join(MANY[:-1]) + ")", "more than 1000 terms"),
    "one group term more": ("y ~ (1 | g) + " + " + ".join(f"(1 | {x})" for x in MANY), "at most 1000 group terms"),
    "one function more": ("y ~ " + "log(" * MAX_DEPTH + "x" + ")" * MAX_DEPTH, "nested more than 50"),
    "terms put in and taken out": ("y ~ a" + "".join(f" + {x} - {x}" for x in MANY[:60]), "a - b is a level"),
    "spaces that the canonical text adds": (
        "y ~ I("
        + "+".join(["log(" + "+".join(["x*z"] * 70) + ")"] * 95)
        + ") + I("
        + "x*" * 40
        + "x)"
        + "+`"
        + "a" * 70_000
        + "`",
        "Written out, this formula has more than 100000 characters",
    ),
    "effects times nested factors": (
        "y ~ (" + "+".join(MANY[:500]) + "|" + "/".join(f"g{k}" for k in range(40)) + ")",
        "more than 100000 characters",
    ),
    "a long component in many terms": (
        "y ~ log(" + " + ".join(f"{'column' * 9}{k}" for k in range(80)) + ") * " + " * ".join("abcdefgh"),
        "more than 200000 characters",
    ),
}


@pytest.mark.parametrize(("text", "words"), BEYOND.values(), ids=BEYOND)
def test_beyond_the_limit(text: str, words: str) -> None:
    with pytest.raises(FormulaError, match=words):
        parse(text)


def test_equal_components_are_one_object() -> None:
    # The text for formulae is made of thousands of them; none is compared or printed twice.
    terms = expand(parse("y ~ (poly(x, 2) + z):(a + b) + poly(x, 2)").common.terms)
    polys = [component for term in terms for component in term if component.depth > 1]
    assert len(polys) == 3
    assert all(component is polys[0] for component in polys)


def test_messages_stay_short_and_on_their_lines() -> None:
    name = "`" + "\n\x1b" * 10_000 + "`"
    for text in (f"y ~ (1 | {name}) + (1 | {name})", f"y ~ {name} + (0 | {name})", f"y ~ {name}(x)"):
        with pytest.raises(FormulaError) as caught:
            parse(text)
        assert len(str(caught.value)) < 500
        assert all(line.isprintable() for line in str(caught.value).split("\n"))
