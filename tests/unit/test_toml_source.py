"""Reading TOML: files that are none, slips of syntax with what to write instead, texts made to hurt."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bayesglmm.errors import SpecificationError
from bayesglmm.specfile import read_specification
from bayesglmm.toml_source import TomlSource, parse_source

GOOD = '[data]\ndataset = "cbpp"\n[model]\nformula = "y ~ x"\n'


def refusal(text: str) -> str:
    with pytest.raises(SpecificationError) as caught:
        parse_source(text, "m.toml", None)
    (problem,) = caught.value.problems
    return str(problem)


def file_refusal(path: Path | str) -> str:
    with pytest.raises(SpecificationError) as caught:
        read_specification(path)
    (problem,) = caught.value.problems
    return str(problem)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = 1\nsd(female) = {x = 1}\n", "m.toml, line 2: 'sd(female) = {x = 1}' is not valid TOML: Expected '='"),
        ("a = 1\nsd(female) = {x = 1}\n", 'stands in quotes: "sd(female)" = ...'),
        (
            "formula = y ~ x\n",
            "m.toml, line 1: 'formula = y ~ x' is not valid TOML: Invalid value (column 11). Text stands",
        ),
        ("a = True", "truth values are true and false"),
        ("a = {b = 1,\n c = 2}", "A table in braces {...} stays on one line, with no comma before its end."),
        ("a = 1\na = 2\nb = 3", "m.toml, line 2: 'a = 2' is not valid TOML: Cannot overwrite a value"),
        (
            "a = 1\na = 2",
            "m.toml: is not valid TOML: Cannot overwrite a value, at the end of the text. Write every key",
        ),
        ("[a]\n[b]\n[a]\n", "m.toml, line 3: '[a]' is not valid TOML"),
        ("[a]\n[b]\n[a]\n", "Write every key and every table once."),
        ('a = "x\nb = 1', "Close the quotes that were opened"),
        ('a = """x', "m.toml: is not valid TOML: Unterminated string, at the end of the text. Close the quotes"),
        ('a = "C:\\data"', "Write a backslash twice"),
        ("a = [1, 2", "Unclosed array, at the end of the text. Close the bracket"),
        ("= 1", "A line is [table], key = value, or a comment"),
        ("\x00", "m.toml, line 1: '\\x00' is not valid TOML"),
        ("x\n" * 3, "m.toml, line 1: 'x' is not valid TOML: Expected '='"),
        (f"a = 1\n\nb = {'1' * 5000}", "m.toml, line 3: has a number of more than 4300 digits."),
        ("a = " + "[" * 100_000, "m.toml: is nested too deeply"),
        ("a = " + "{a = " * 100_000, "m.toml: is nested too deeply"),
    ],
)
def test_slips_of_syntax(text: str, message: str) -> None:
    found = refusal(text)
    assert message in found
    assert len(found) < 400


@pytest.mark.parametrize(
    "text", ["a." * 300_000 + "a = 1", "x = {" + "a." * 300_000 + "a = 1}", "[" + "a." * 300_000 + "a]"]
)
def test_a_key_of_many_parts_is_refused_before_it_costs_hours(text: str) -> None:
    began = time.perf_counter()
    assert refusal("ok = 1\n" + text).startswith("m.toml, line 2: has over 100 dots")
    assert time.perf_counter() - began < 2.0


def test_dots_in_comments_and_numbers_are_no_keys() -> None:
    text = "# " + "." * 200 + "\nestimates = {" + ", ".join(f"a{k} = 0.5" for k in range(200)) + "}\n"
    assert len(parse_source(text, "m.toml", None).tables["estimates"]) == 200


def test_a_megabyte_is_read_in_a_second_or_two() -> None:
    text = "".join(f'"sd(g{k})" = {{dist = "Normal", mu = 0, sigma = 2.5}}\n' for k in range(10_000))
    began = time.perf_counter()
    source = parse_source(text, "m.toml", None)
    assert source.line(("sd(g9999)", "sigma")) == 10_000
    assert time.perf_counter() - began < 5.0


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "model.toml").write_text(GOOD)
    assert file_refusal(tmp_path / "modle.toml").endswith(
        "there is no such file. Did you mean 'model.toml'? Give the path of a specification (.toml)."
    )
    assert "is a folder; give the path of a specification (.toml) in it." in file_refusal(tmp_path)
    assert "there is no such file." in file_refusal(tmp_path / "nowhere" / "model.toml")
    assert "there is no such file." in file_refusal("a\0b.toml")
    assert "cannot be read (File name too long)." in file_refusal("x" * 5000)
    os.mkfifo(tmp_path / "pipe.toml")
    assert "there is no such file." in file_refusal(tmp_path / "pipe.toml")


def test_contents_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_bytes(b"#" * 2_000_000)
    assert file_refusal(path).startswith("m.toml: is larger than 1 MB; a specification is a few dozen lines.")
    path.write_bytes(b"a = 1\nb = '\xe9'\n")
    assert file_refusal(path) == "m.toml, line 2: is not UTF-8 text; save the file as UTF-8."
    path.write_bytes(GOOD.encode("utf-16"))
    assert "is not UTF-8 text" in file_refusal(path)
    path.write_bytes(bytes(range(256)))
    assert file_refusal(path).startswith("m.toml, line ")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.toml").write_text(GOOD)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert file_refusal(tmp_path / "m.toml").endswith("m.toml: cannot be read (Permission denied).")


@pytest.mark.parametrize("content", [("\ufeff" + GOOD).encode(), GOOD.replace("\n", "\r\n").encode()])
def test_what_windows_editors_write(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.toml").write_bytes(content)
    assert read_specification(str(tmp_path / "m.toml")).data.dataset == "cbpp"


def test_places() -> None:
    source = parse_source("[a]\nb = 1\n", "m.toml", None)
    assert source.where(("a", "b")) == "m.toml, line 2, key a.b"
    assert source.where(("a", "x y", 0)) == 'm.toml, line 1, key a."x y"[0]'
    assert source.where(("z",)) == "m.toml, key z"
    assert source.where(()) == "m.toml"
    assert source == TomlSource()
