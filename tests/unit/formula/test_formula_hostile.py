"""No formula can import, call, read or write anything, and every one is read or refused within a second."""

from __future__ import annotations

import builtins
import gc
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import formulae.transforms
import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.errors import FormulaError, SpecificationError
from bayesglmm.formula import Formula, columns, common_text, expression_text, parse
from bayesglmm.formula.functions import FUNCTIONS

DEEP = 10_000
REFUSED = [
    # calls of anything but the declared functions
    "y ~ os.system('touch pwned')",
    "y ~ np.save('pwned', x)",
    "y ~ np.linalg.inv(x)",
    "y ~ pd.eval('1')",
    "y ~ pd.read_pickle('pwned')",
    "y ~ __import__('os').system('touch pwned')",
    "y ~ __import__(x)",
    "y ~ eval('1')",
    "y ~ eval(x)",
    "y ~ exec(x)",
    "y ~ open(x)",
    "y ~ open('pwned', 'w')",
    "y ~ compile('1', 'x', 'eval')",
    "y ~ getattr(x, '__class__')",
    "y ~ setattr(x, 'y', 1)",
    "y ~ globals()",
    "y ~ vars(x)",
    "y ~ breakpoint()",
    "y ~ input()",
    "y ~ print(x)",
    "y ~ type(x)",
    "y ~ `os.system`('touch pwned')",
    "y ~ `scale`(x)",
    "y ~ (scale)(x)",
    "y ~ I(I)(x)",
    "y ~ scale(x)(x)",
    # attributes, from columns and from declared functions
    "y ~ scale.__init__.__globals__.clear()",
    "y ~ scale.__init__.__globals__",
    "y ~ scale(x).__class__",
    "y ~ I.__call__(x)",
    "y ~ log.__self__",
    "y ~ x.__class__.__mro__",
    "y ~ x.to_csv('pwned')",
    "y ~ ().__class__.__bases__[0].__subclasses__()",
    "y ~ ''.__class__",
    "y ~ __builtins__.eval('1')",
    "y ~ __builtins__['eval']('1')",
    "y ~ x[x.__class__]",
    # code that is no formula
    "y ~ lambda: x",
    "y ~ (lambda: x)()",
    "y ~ f'{os.system(1)}'",
    "y ~ x if x else z",
    "y ~ [x for x in y]",
    "y ~ (x := 1)",
    "y ~ {__import__('os')}",
    "y ~ {x + 1}",
    "y ~ x; import os",
    "y ~ x\nimport os\nos.system('touch pwned')",
    "y ~ x # import os",
    "y ~ @x",
    "y ~ x \\\n + z",
    "import os",
    "y = x",
    # format strings
    "y ~ '{0.__class__}'.format(x)",
    "y ~ '%s' % x",
    "y ~ C(x, Treatment('{0}'.format(x)))",
    # inside options, group terms, offsets and the response
    "y ~ C(x, levels=__import__('os'))",
    "y ~ C(x, Treatment(os.system('touch pwned')))",
    "y ~ C(x, 'Treatment')",
    "y ~ C(x, __class__)",
    "y ~ poly(x, degree=1000000000)",
    "y ~ bs(x, df=1000000000)",
    "y ~ bs(x, df=4, knots=x)",
    "y ~ offset(open('pwned', 'w'))",
    "y ~ (os.system('touch pwned') | g)",
    "y ~ (1 | __import__('os'))",
    "y ~ known(1 | g, open('pwned'))",
    "os.system('touch pwned') ~ x",
    "p(eval(x), n) ~ x",
    "y | weights(eval(w)) ~ x",
    "y | trials(10 ** 10 ** 10) ~ x",
    # look-alikes of dots, signs and quotes, and signs that cannot be seen
    "y ~ os\u2024system(x)",
    "y ~ os\uff0esystem(x)",
    "y ~ os\u3002system(x)",
    "y ~ ｅｖａｌ(x)",
    "y ~ x\u200b",
    "y ~ \u202ex",
    "y ~ x\x00",
    "\x00",
    "y ~ \ud800",
    "y ~ ‘x’",
    # numbers that take for ever, or are none
    "y ~ I(10 ** 10 ** 10)",
    "y ~ I(x * 10 ** 10 ** 10)",
    "y ~ I(x ** 10 ** 10 ** 10)",
    "y ~ 10 ** 10 ** 10",
    "y ~ I(x * 1e999)",
    "y ~ I(x * " + "9" * 5_000 + ")",
    "y ~ (a + b) ** 1000000000",
    "y ~ (" + " + ".join(f"x{k}" for k in range(50)) + ") ** 20",
    "y ~ " + " * ".join(f"x{k}" for k in range(60)),
    # depth
    "y ~ " + "(" * DEEP + "x" + ")" * DEEP,
    "y ~ " + "log(" * DEEP + "x" + ")" * DEEP,
    "y ~ " + "(1 | " * DEEP + "g" + ")" * DEEP,
    "y ~ " + "(" * 90_000,
    "y ~ x" + ")" * 90_000,
    "y ~ I(x" + " ** x" * DEEP + ")",
    "y ~ I(x" + " ** 2" * DEEP + ")",
    "y ~ (a + b)" + " ** 2" * DEEP,
    "y ~ I(" + "-" * 50_000 + "x)",
    "y ~ " + "+" * 90_000 + "x",
    "y ~ x" + "".join(f" - x{k} + x{k}" for k in range(5_000)),
    "y ~ x" + "".join(f" + x{k} - x{k}" for k in range(400)),
    "y ~ x" + ":x" * 40_000,
    "y ~ (1 | g" + "/h" * 40_000 + ")",
    "y ~ C(x, " + "Sum(" * DEEP + ")" * DEEP + ")",
    # size
    "y ~ " + "x" * 1_000_000,
    "y ~ " + " + ".join(["x"] * 40_000),
    "x" * 1_000_000,
    " " * 1_000_000,
    "`" * 90_001,
    "y ~ x" + ".x" * 40_000,
    "y ~ " + "~" * 90_000,
    "y | " + "trials(n) + " * 8_000 + " ~ x",
    "y ~ C(x" + ", Sum" * 15_000 + ")",
    "y ~ I(" + " + ".join(["x"] * 30_000) + ")",
    "y ~ (" + "I(" + " + ".join(["log(" + " + ".join(["x"] * 90) + ")"] * 90) + ")" + "):(a*b*c*d*e*f*g*h*i)",
    "y ~ (" + " + ".join(f"column{k}" for k in range(900)) + " | " + " / ".join(f"g{k}" for k in range(45)) + ")",
]
#: Text that reads as columns and nothing else, with all that it reads as.
ONLY_COLUMNS = [
    ("y ~ eval + exec + open + __import__", ("y", "eval", "exec", "open", "__import__")),
    ("__builtins__ ~ __class__:__globals__", ("__builtins__", "__class__", "__globals__")),
    ("y ~ `__import__('os').system('touch pwned')`", ("y", "__import__('os').system('touch pwned')")),
    ("y ~ scale(`x.__class__`) + (1 | `lambda: 0`)", ("y", "x.__class__", "lambda: 0")),
    ("y ~ ｅｖａｌ + x＿y", ("y", "ｅｖａｌ", "x＿y")),
    ("y ~ `\x00` + `{0}` + `%s` + `a\nb`", ("y", "\x00", "{0}", "%s", "a\nb")),
    ("y ~ C(x, Treatment('__import__(os)'))", ("y", "x")),
    ("y ~ C(x, Sum('{0.__class__}')) + poly(x, 2, raw=True)", ("y", "x")),
    ("y ~ `" + "a" * 90_000 + "`", ("y", "a" * 90_000)),
    ("y ~ I(x * " + "0" * 5_000 + "1)", ("y", "x")),
]

DATA = pd.DataFrame(
    {
        "y": [0.3, 1.2, 2.9, 3.1, 4.8, 5.5, 5.9, 7.7],
        "x": [1.0, 2.0, 3.0, 4.5, 5.0, 6.0, 7.0, 8.5],
        "g": list("aabbccdd"),
        "w": [1.0] * 8,
        "n": [9] * 8,
    }
)

FORBIDDEN = {"open", "import", "exec", "compile", "os", "subprocess", "socket", "shutil", "ctypes", "code", "pickle"}
_seen: list[str] = []
_watching = False


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event.split(".")[0] in FORBIDDEN:
        _seen.append(f"{event} {arguments!r:.80}")


sys.addaudithook(_audit)


@contextmanager
def watched() -> Iterator[list[str]]:
    """Python itself tells of every file, process, import and evaluation in between."""
    global _watching
    _seen.clear()
    _watching = True
    try:
        yield _seen
    finally:
        _watching = False


def globals_now() -> list[dict[str, int]]:
    spaces: list[Mapping[str, Any]] = [vars(module) for module in (np, os, pd, builtins, formulae.transforms)]
    spaces += [formulae.transforms.TRANSFORMS, vars(formulae.transforms.Scale), FUNCTIONS]
    environment = {name: hash(value) for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    return [{name: id(value) for name, value in space.items()} for space in spaces] + [environment]


@pytest.fixture
def untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing may appear in the working folder, and no module or environment variable may change."""
    monkeypatch.chdir(tmp_path)
    # What is imported late is imported before anybody looks.
    bg.GLMM("y ~ log(x)", DATA)
    before = globals_now()
    yield
    assert globals_now() == before
    assert list(tmp_path.iterdir()) == []


def test_the_watch_sees_what_it_should(tmp_path: Path) -> None:
    with watched() as events:
        eval("1")
        (tmp_path / "a").write_text("")
        os.system("true")
    assert [event.split()[0] for event in events] == ["compile", "exec", "open", "os.system"]


@pytest.fixture(autouse=True)
def _no_collection() -> Iterator[None]:
    """Time the parser, not a garbage collection that other tests' objects make long."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("text", REFUSED, ids=[f"{k}-{text[:40]!a}" for k, text in enumerate(REFUSED)])
def test_refused(text: str, untouched: None) -> None:
    start = time.thread_time()
    with watched() as events, pytest.raises(FormulaError) as caught:
        parse(text)
    assert time.thread_time() - start < 1
    assert events == []
    assert len(str(caught.value)) < 1_000
    assert all(line.isprintable() for line in str(caught.value).split("\n"))


def parts_for_formulae(formula: Formula) -> list[str]:
    places = {name: f"v{k}q" for k, name in enumerate(columns(formula))}
    commons = [formula.common, *(group.effects for group in formula.groups)]
    return [common_text(part, places.__getitem__) for part in commons] + [
        expression_text(formula.response.expression, places.__getitem__)
    ]


@pytest.mark.parametrize(("text", "names"), ONLY_COLUMNS, ids=[text[:40] for text, _ in ONLY_COLUMNS])
def test_read_as_columns_alone(text: str, names: tuple[str, ...], untouched: None) -> None:
    start = time.thread_time()
    with watched() as events:
        formula = parse(text)
        sent = parts_for_formulae(formula)
        again = parse(str(formula))
    assert time.thread_time() - start < 1
    assert events == []
    assert columns(formula) == names
    assert again == formula
    # What goes on to formulae names columns by placeholders only.
    assert not any(name in part for name in names[1:] if not name.isalpha() for part in sent)


WHOLE_WAY = [
    "y ~ os.system('touch pwned')",
    "y ~ __import__('os').system('touch pwned')",
    "y ~ x.to_csv('pwned')",
    "y ~ scale.__init__.__globals__.clear()",
    "y ~ I(x).__class__",
    "y ~ __builtins__['eval']('1')",
    "y ~ {__import__('os').system('touch pwned')}",
    "y ~ (1 | open('pwned', 'w'))",
    "y ~ (np.save('pwned', x) | g)",
    "y ~ x + offset(np.save('pwned', x))",
    "np.save('pwned', y) ~ x",
    "y | weights(np.save('pwned', w)) ~ x",
    "y ~ C(g, Treatment(open('pwned', 'w')))",
    "y ~ I(10 ** 10 ** 10 * x)",
    "y ~ " + "(" * DEEP + "x" + ")" * DEEP,
    "y ~ " + "x" * 1_000_000,
    "y ~ x\x00",
]


@pytest.mark.parametrize("text", WHOLE_WAY, ids=[text[:40] for text in WHOLE_WAY])
def test_a_model_of_it_is_refused_in_words(text: str, untouched: None) -> None:
    with watched() as events, pytest.raises(SpecificationError) as caught:
        bg.GLMM(text, DATA)
    assert events == []
    assert caught.value.problems[0].where.startswith("formula")
    assert "^" in str(caught.value)


def test_columns_with_hostile_names_and_levels_are_columns(untouched: None) -> None:
    call, level = "os.system('touch pwned')", "__import__(os)"
    data = DATA.rename(columns={"x": call, "g": "lambda: 0"}).replace("a", level)
    with watched() as events:
        model = bg.GLMM(f"y ~ `{call}` + C(`lambda: 0`, Sum('{level}'))", data)
    coded = 'C(`lambda: 0`, Sum("__import__(os)"))'
    assert model.design.coefficients == ("Intercept", call, f"{coded}[b]", f"{coded}[c]", f"{coded}[d]")
    np.testing.assert_array_equal(model.design.X[:, 1], DATA["x"])
    assert not [event for event in events if event.startswith(("os", "subprocess", "socket", "shutil", "exec"))]


def test_no_name_of_a_module_is_within_reach_of_a_column_that_is_not_there(untouched: None) -> None:
    with pytest.raises(bg.DataError, match="np"):
        bg.GLMM("y ~ np + os", DATA)
