from __future__ import annotations

import pytest

from bayesglmm.errors import FormulaError
from bayesglmm.formula.limits import MAX_CHARACTERS
from bayesglmm.formula.tokens import is_bare, tokenize


def kinds(text: str) -> list[tuple[str, object]]:
    return [(t.kind, t.value) for t in tokenize(text)[:-1]]


def test_every_sign_and_both_ways_to_write_a_power() -> None:
    assert [k for k, _ in kinds("+ - : * / ** ^ ( ) | || ~ , =")] == [
        *["+", "-", ":", "*", "/", "**", "**", "(", ")", "|", "||", "~", ",", "="]
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("12", 12), ("0.5", 0.5), ("2.0", 2), ("1e3", 1000), ("1.5e-07", 1.5e-07), ("1e22", 1e22)],
)
def test_numbers(text: str, value: float) -> None:
    [(kind, read)] = kinds(text)
    assert (kind, read, type(read)) == ("number", value, type(value))


@pytest.mark.parametrize("name", ["x", "_x", "x_1", "größe", "年齢", "हिंदी", "class", "yield", "sigma", "x1"])
def test_bare_names(name: str) -> None:
    assert is_bare(name)
    assert kinds(name) == [("name", name)]


@pytest.mark.parametrize(
    "name", ["", "a b", "a.b", "1st", "a`b", "``", "x\ny", "x²", "lambda", "True", "p(s, n)", "a\x00b"]
)
def test_other_names_need_backticks(name: str) -> None:
    assert not is_bare(name)
    token, _ = tokenize("`" + name.replace("`", "``") + "`")
    assert (token.kind, token.value, token.quoted) == ("name", name, True)


def test_text_in_either_quotes() -> None:
    assert kinds("'a b' \"c\"") == [("text", "a b"), ("text", "c")]


def test_positions_count_characters() -> None:
    assert [t.position for t in tokenize("é + `a b`\n~ x")] == [0, 2, 4, 10, 12, 13]


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("x + `a", 4, "never closed"),
        ("x + 'a", 4, "never closed"),
        ("'a\"b'", 0, "rename it in the data"),
        ("x + 12x", 4, "backticks"),
        ("0x10", 0, "'0x10' is no number"),
        ("1e999", 0, "finite"),
        ("9" * 5000, 0, "finite"),
        ("9007199254740993", 0, r"2\*\*53"),
        (".", 0, "does not stand for all other columns"),
        ("x + .", 4, "write the columns out"),
        (".5", 0, "write 0.5 for"),
        ("1.5.2", 3, "one dot"),
        ("x + .5e3", 4, "backticks"),
        ("2.", 1, "write 2.0 or 2"),
        (".x", 0, "Is '.x' a column"),
        ("a.b + c", 1, "'a.b' a column"),
        ("np.log(x)", 2, r"write log\(\.\.\.\)"),
        ("np.save(x)", 2, "'np.save' cannot be called"),
        ("x == 1", 2, "compute the column in the data"),
        ("x < 1", 2, "compute the column in the data"),
        ("x != 1", 2, "compute the column in the data"),
        ("x[1]", 1, "indexed"),
        ("{x}", 0, r"I\(\.\.\.\)"),
        ("a %in% b", 2, "a:b"),
        ("x; y", 1, "no second statement"),
        ("d$x", 1, "without their table"),
        ("x − 1", 2, r"\(U\+2212\).*stands for -,"),
        ("x － 1", 2, r"\(U\+FF0D\).*stands for -,"),
        ("x ∼ y", 2, r"\(U\+223C\).*stands for ~,"),
        ("“a”", 0, "straight quotation mark"),
        ("x․y", 1, r"\(U\+2024\)"),
        ("x\x00", 1, r"\(U\+0000\)"),
        ("\ud800", 0, r"\(U\+D800\)"),
        ("x + 😀", 4, r"\(U\+1F600\)"),
    ],
)
def test_what_cannot_be_a_token(text: str, position: int, words: str) -> None:
    with pytest.raises(FormulaError, match=words) as caught:
        tokenize(text)
    at = caught.value
    assert at.text[at.position] == text[position] if text[position].isprintable() else at.text[at.position] == "?"
    assert at.position == position


def test_length_is_limited() -> None:
    assert len(tokenize("x" * MAX_CHARACTERS)) == 2
    with pytest.raises(FormulaError, match=f"{MAX_CHARACTERS + 1} characters"):
        tokenize("x" * (MAX_CHARACTERS + 1))
