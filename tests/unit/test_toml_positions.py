"""Lines of keys: every way in which TOML lets one write them."""

from __future__ import annotations

import tomllib

import pytest

from bayesglmm.toml_positions import key_lines, line_of


def lines(text: str) -> dict:
    tomllib.loads(text)  # the scanner trusts its syntax
    return key_lines(text)


def test_tables_keys_and_comments() -> None:
    text = '# [no]\na = 1 # b = 2\n\n[t]  # [u]\nx = "# no = 1"\n[t.u]\ny = 3\n'
    assert lines(text) == {("a",): 2, ("t",): 4, ("t", "x"): 5, ("t", "u"): 6, ("t", "u", "y"): 7}


def test_dotted_and_quoted_keys() -> None:
    text = 'a.b.c = 1\n"sd(female)".sigma = 2\n\'x.y\' . z = 3\n"\\u00e9\\n" = 4\n'
    assert lines(text) == {
        ("a",): 1,
        ("a", "b"): 1,
        ("a", "b", "c"): 1,
        ("sd(female)",): 2,
        ("sd(female)", "sigma"): 2,
        ("x.y",): 3,
        ("x.y", "z"): 3,
        ("é\n",): 4,
    }


def test_inline_tables_and_arrays_of_them() -> None:
    text = 'p = {dist = "N", "sd(a, b)" = {x = 1, y.z = [1, 2]}}\nq = [\n  {a = 1},\n  {a = 2, b = [\n 3]},\n]\nr = 1\n'
    found = lines(text)
    assert {path: line for path, line in found.items() if path[0] == "p"} == {
        ("p",): 1,
        ("p", "dist"): 1,
        ("p", "sd(a, b)"): 1,
        ("p", "sd(a, b)", "x"): 1,
        ("p", "sd(a, b)", "y"): 1,
        ("p", "sd(a, b)", "y", "z"): 1,
        ("p", "sd(a, b)", "y", "z", 0): 1,
        ("p", "sd(a, b)", "y", "z", 1): 1,
    }
    assert (found["q", 0], found["q", 0, "a"]) == (3, 3)
    assert (found["q", 1, "b"], found["q", 1, "b", 0], found[("r",)]) == (4, 5, 7)


def test_arrays_of_tables_are_numbered() -> None:
    text = "[[p]]\na = 1\n[p.e]\nx = 1\n[[p]]\n[p.e]\ny = 2\n[[p.f]]\nz = 1\n[[p.f]]\nz = 2\n"
    found = lines(text)
    assert (found[("p",)], found["p", 0], found["p", 0, "a"], found["p", 0, "e", "x"]) == (1, 1, 2, 4)
    assert (found["p", 1], found["p", 1, "e"], found["p", 1, "e", "y"]) == (5, 6, 7)
    assert (found["p", 1, "f", 0, "z"], found["p", 1, "f", 1, "z"]) == (9, 11)


@pytest.mark.parametrize(
    "value",
    [
        '"""\n[no]\nno = 1\n"""',
        '"""a ""b"" \\""" \n c"""""',
        "'''\n'no' = \"\"\"\n'''''",
        '"""\\\\"""\nx = 1',
        '"= [ { } ] \\" #"',
        "'= [ \" #'",
        '""',
        "''",
        '""""""',
        "1979-05-27 07:32:00",
        "[\n# one ]\n1,\n\n2, # two\n]",
        "-0.5e-3",
        "{}",
        "[]",
        "[[], [[1]], {a = []}]",
        "{a = 1979-05-27 07:32:00, last = 1}",
    ],
)
def test_after_any_value_the_count_goes_on(value: str) -> None:
    text = f"first = 1\nvalue = {value}\nafter = 2\n[last]\nkey = 3"
    found = lines(text)
    at = text.split("\n").index("after = 2") + 1
    assert (found[("value",)], found[("after",)], found["last", "key"]) == (2, at, at + 2)
    assert not any("no" in path for path in found)


def test_a_date_with_a_time_in_an_inline_table_hides_no_key() -> None:
    assert ("a", "last") in lines("a = {when = 1979-05-27 07:32:00, last = 1}")


def test_windows_line_ends() -> None:
    assert lines("a = 1\r\n[t]\r\nb = 2\r\n") == {("a",): 1, ("t",): 2, ("t", "b"): 3}


def test_the_nearest_table_stands_for_a_key_that_is_missing() -> None:
    found = lines("[a]\nb = 1\n[a.c]")
    assert line_of(("a", "c", "d", 0), found) == 3
    assert line_of(("a", "z"), found) == 1
    assert line_of(("z",), found) is None
    assert line_of((), found) is None
