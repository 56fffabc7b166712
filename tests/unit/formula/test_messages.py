"""Every mistake gets a sentence that says what to write instead, and a caret under the place."""

from __future__ import annotations

import pytest

from bayesglmm.errors import FormulaError
from bayesglmm.formula import parse
from bayesglmm.formula.limits import MAX_DEPTH, MAX_SUMMANDS, MAX_TERMS

# (formula, where the caret points: "^" is put there and taken out before parsing, words of the message)
MISTAKES = [
    ("^", "is empty"),
    ("  ^", "is empty"),
    ("y x^", "There is no '~'"),
    ("y ^= x", "There is no '~'"),
    ("^~ x", "left side is empty"),
    ("y ~^", "right side is empty"),
    ("y ~ x ^~ z", "one '~'"),
    ("y ~ x ^| g", r"needs brackets around it: \(1 \| g\)"),
    ("y ~ x + z ^|| school", r"\(1 \| school\)"),
    ("y ~ x ^z", "sign such as .* missing before 'z'"),
    ("y ~ x ^2", "sign such as .* missing before '2'"),
    ("y ~ x +^", "ends too early"),
    ("y ~ x + ^* z", r"Before '\*'"),
    ("y ~ ^* z", r"Before '\*'"),
    ("y ~ ^(x", "never closed"),
    ("y ~ log^(x", "never closed"),
    ("y ~ x^)", "closes nothing"),
    ("y ~ (x + ^)", "missing before this '\\)'"),
    ("y ~ x^, z", "comma"),
    ("y ~ x ^= 3", "'=' only names an option"),
    ('y ~ ^"a"', "Text in quotes"),
    ("y ~ ^lambda", "put it in backticks: `lambda`"),
    ("y ~ ^True", "put it in backticks: `True`"),
    ("y ~ ^`x`(2)", "a column cannot be called"),
    # functions and their options
    ("y ~ ^sclae(x)", r"Did you mean 'scale'\? There are abs, bs, C, "),
    ("y ~ ^zzzzzz(x)", "no such function in formulas. If it is a column.* There are abs"),
    ("y ~ ^log10(x)", r"I\(log\(x\) / log\(10\)\)"),
    ("y ~ ^trials(n)", "belongs to the left side"),
    ("y ~ x:^ar1(1 | g)", r"a term of its own: ar1\(1 \+ x \| g\)"),
    ("y ~ log(^)", r"log\(\) needs a column"),
    ("y ~ log(^2)", "the same number for every row"),
    ("y ~ log(x, ^2)", r"log\(\) takes one argument and no options"),
    ("y ~ log(^poly(x, 2))", r"poly\(\) cannot stand inside"),
    ("y ~ I(a^:b)", "write \\* for a product"),
    ("y ~ I(x ^/ 0)", "divides by zero"),
    ("y ~ I(x * 10 ^** 10 ** 10)", "no finite real number"),
    ("y ~ I(x + (-8) ^** 0.5)", "no finite real number"),
    ("y ~ C(^x + 1)", "takes a column's name"),
    ("y ~ C(x, ^2)", "contrast of C"),
    ("y ~ C(x, ^Helmert)", r'Treatment\("level"\) or Sum\("level"\)'),
    ("y ~ C(x, Sum^(a))", r"Sum\(\) takes one level"),
    ("y ~ C(x, Sum(-^'a'))", "Text in quotes"),
    ("y ~ poly(x, ^0)", "whole number from 1 to 20"),
    ("y ~ poly(x, ^z)", "whole number from 1 to 20"),
    ("y ~ poly(x, ^1 + 1)", "whole number from 1 to 20"),
    ("y ~ C(x, Treatment, ^Sum)", "one argument and one option"),
    ("y ~ poly(x, 1, True, ^3)", "one argument and at most 2 options"),
    ("y ~ poly(x, ^degre=2)", r"Did you mean 'degree'\? Its options are degree, raw"),
    ("y ~ poly(x, 2, ^degree=2)", "given twice"),
    ("y ~ poly(x, 2, ^raw=1)", "True or False"),
    ("y ~ poly(x, 2,^", "ends too early"),
    ("y ~ log(x, ^base=2)", "It has none"),
    ("y ~ bs(x^)", r"bs\(\) needs df"),
    ("y ~ ^bs(x, df=2)", "needs df of 3 or more"),
    ("y ~ ^bs(x, df=3, intercept=True)", "needs df of 4 or more"),
    ("y ~ ^bs(x, df=3, lower_bound=2, upper_bound=1)", "below upper_bound"),
    # terms
    ("y ~ x ^** 2", r"I\(x \*\* 2\)"),
    ("y ~ x ^* x", r"I\(x \*\* 2\)"),
    ("y ~ a:b ^* b:a", "term itself"),
    ("y ~ a:b^:a", "term itself"),
    ("y ~ (a + b) ^** 1.5", "whole number"),
    ("y ~ (a + b) ^** z", "whole number"),
    ("y ~ (a + b) ^** 0", "whole number"),
    ("y ~ x - ^z", r"write I\(a - b\)"),
    ("y ~ ^2 * x", "A number is no term"),
    ("y ~ x + ^2", "0 takes the intercept out"),
    ("y ~ x * (^1 + z)", "outside brackets"),
    ("y ~ x + (^1 + z)", "outside brackets"),
    ("y ~ x + (z + ^offset(t))", "summand of its own"),
    ("y ~ -^x", "no term before this"),
    ("y ~ x:^-z", "inside I"),
    ("y ~ 1 + ^0 + x", "both put in and taken out"),
    ("y ~ x - ^offset(t)", r"offset\(-x\)"),
    ("y ~ x * ^offset(t)", "summand of its own"),
    # group terms
    ("y ~ x:^(1 | g)", "only added"),
    ("y ~ (^(1 | g))", "only added"),
    ("y ~ (1 | g)^:x", "only added"),
    ("y ~ x - ^(1 | g)", "cannot be taken away"),
    ("y ~ (^| g)", "write 1 for the intercept"),
    ("y ~ (x ^z | g)", "missing before 'z'"),
    ("y ~ (1 |^", "ends too early"),
    ("y ~ ^(1 | g", "never closed"),
    ("y ~ (^0 | g)", "Nothing varies"),
    ("y ~ (^0 + x - x | g)", "Nothing varies"),
    ("y ~ (offset(^x) | g)", "cannot vary by group"),
    ("y ~ (1 | a ^+ b)", r"\(1 \| a\) \+ \(1 \| b\)"),
    ("y ~ (1 | a ^* b)", "a:b"),
    ("y ~ (1 | (a / b)^:c)", "a:b"),
    ("y ~ (1 | ^C(a))", "a:b"),
    ("y ~ (1 | a^:a)", "names a column twice"),
    ("y ~ (1 | a ^| b)", "one bar"),
    ("y ~ (1 | a^, 2)", "bracket closes"),
    ("y ~ log(x ^| g)", "A bar only stands"),
    ("y ~ x + ^z (1 | g)", r"If it is a column, a \+ is missing"),
    ("y ~ ^knwn(1 | g)", "Did you mean 'known'\\? There are ar1, cs, diag, known, us"),
    ("y ~ ^z (a + b)", r"sign such as \* is missing"),
    ("y ~ (1 | g) + ^(1 | g)", r"\(1 \| g\) is there twice"),
    ("y ~ (x | a:b) + ^(1 + x | b:a)", "there twice"),
    ("y ~ (1 | a) + ^(1 | a / b)", "there twice"),
    ("y ~ ar1^(0 + t)", "needs a bar"),
    ("y ~ ar1(0 + t ^|| g)", "one bar"),
    ("y ~ ar1(0 + t | g, ^2)", "no options"),
    ("y ~ known(1 | a^)", "needs covariance"),
    ("y ~ known(1 | a, ^A)", "a name in quotes"),
    # responses
    ("^y + z ~ x", "one response"),
    ("^s / n ~ x", r"p\(successes, trials\)"),
    ("^2 ~ x", "one response"),
    ("^poly(y, 2) ~ x", "cannot be a response"),
    ("^cbind(s, f) ~ x", r"p\(successes, trials\)"),
    ("p(s^) ~ x", "takes two"),
    ("p(^2, n) ~ x", "A column is needed"),
    ("p(s, ^1.5) ~ x", "whole number >= 1"),
    ("y | ^foo(n) ~ x", r"trials\(n\), se\(s\) or weights\(w\)"),
    ("y | ^weight(n) ~ x", r"Did you mean 'weights'\?"),
    ("y | ^g ~ x", "belong to the right side"),
    ("y ^|| weights(w) ~ x", "one bar is enough"),
    ("y | se(log^(s)) ~ x", "missing before '\\('"),
    ("y | weights(w) + ^weights(v) ~ x", "given twice"),
    ("p(s, n) | ^trials(n) ~ x", "p\\(\\) gives the trials too"),
    ("^log(s) | trials(n) ~ x", "column of successes"),
    ("y ^z ~ x", "sign such as"),
    ("p(s, n ^* 2) ~ x", r"p\(\) takes columns as they are"),
    ("p(s, n^, m) ~ x", r"p\(\) takes two"),
    ("s | trials(n ^/ 2) ~ x", r"trials\(\) takes columns as they are"),
    ("s | trials(n^, m) ~ x", r"trials\(\) takes one column"),
    ("s | trials(n) ^* weights(w) ~ x", "stands \\+"),
    ("s | trials(n)^, weights(w) ~ x", "stands \\+"),
    ("^(y ~ x)", "not closed before '~'"),
    ("log^(y ~ x", "not closed before '~'"),
]


@pytest.mark.parametrize(("marked", "words"), MISTAKES, ids=[m[0] or "empty" for m in MISTAKES])
def test_message_and_caret(marked: str, words: str) -> None:
    position = marked.index("^")
    text = marked.replace("^", "")
    with pytest.raises(FormulaError, match=words) as caught:
        parse(text)
    assert caught.value.position == position
    if text:
        problem, shown, caret = str(caught.value).split("\n")
        assert shown.strip() == text.strip()
        assert len(caret) - 4 - 1 == position
        assert problem.rstrip().endswith((".", "?", ">= 1.")) or problem.endswith("...")


def test_text_is_needed() -> None:
    with pytest.raises(FormulaError, match="not int"):
        parse(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("y ~ " + "+".join(f"x{k}" for k in range(MAX_TERMS + 1)), "at most 1000 terms"),
        ("y ~ (" + "+".join(f"x{k}" for k in range(MAX_TERMS + 1)) + ")", "more than 1000 terms"),
        ("y ~ (" + "+".join(f"x{k}" for k in range(40)) + ") ** 20", "Written out"),
        ("y ~ " + "*".join(f"x{k}" for k in range(40)), "Written out"),
        ("y ~ " + ":".join(f"x{k}" for k in range(MAX_DEPTH + 1)), "nested more than 50"),
        ("y ~ I(" + "-" * 10_000 + "x)", "nested more than 50"),
        ("y ~ I(" + "x**" * 10_000 + "x)", "nested more than 50"),
        ("y ~ I(" + "+".join(["x"] * (MAX_SUMMANDS + 1)) + ")", "at most 100 terms"),
    ],
    ids=range(8),
)
def test_size_is_limited(text: str, words: str) -> None:
    with pytest.raises(FormulaError, match=words):
        parse(text)


def test_brackets_up_to_the_limit_are_read() -> None:
    assert str(parse("y ~ " + "(" * MAX_DEPTH + "x" + ")" * MAX_DEPTH)) == "y ~ x"
    with pytest.raises(FormulaError, match="nested more than 50"):
        parse("y ~ " + "(" * (MAX_DEPTH + 1) + "x" + ")" * (MAX_DEPTH + 1))
