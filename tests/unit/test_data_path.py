"""Data of a specification: files below its folder and nothing else, read without guessing."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pandas as pd
import pytest

from bayesglmm.build import build_design
from bayesglmm.data_path import path_complaint, read_data
from bayesglmm.errors import DataError, SpecificationError
from bayesglmm.model import read_model
from bayesglmm.spec import ModelSpec
from bayesglmm.specfile import load_data, loads, read_specification

ROWS = "y,x\n1,2\n3,4\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with data, beside another one that is out of bounds."""
    inside, outside = tmp_path / "in", tmp_path / "out"
    (inside / "sub").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.csv").write_text(ROWS)
    (inside / "rows.csv").write_text(ROWS)
    (inside / "sub" / "rows.csv").write_text(ROWS)
    (inside / "notes.txt").write_text(ROWS)
    return inside


@pytest.mark.parametrize("given", ["rows.csv", "./rows.csv", "sub/rows.csv", "sub//rows.csv"])
def test_files_below_the_folder(folder: Path, given: str) -> None:
    assert path_complaint(given, folder) is None
    frame = read_data(given, folder)
    assert frame.to_dict("list") == {"y": [1, 3], "x": [2, 4]}
    assert frame.attrs == {"source": given}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("/etc/passwd", "is absolute; a path is relative to the specification's folder."),
        ("~/rows.csv", "is absolute"),
        ("~root/rows.csv", "is absolute"),
        ("C:\\rows.csv", "is absolute"),
        ("c:rows.csv", "is absolute"),
        ("../in/rows.csv", "leads out of the specification's folder."),
        ("sub/../rows.csv", "leads out of the specification's folder."),
        ("sub\\..\\rows.csv", "leads out of the specification's folder."),
        ("..", "leads out"),
        ("http://example.org/rows.csv", "is an address; data are read from files only. Download it first."),
        ("file:///etc/x.csv", "is an address"),
        ("s3://bucket/rows.parquet", "is an address"),
        ("\\\\server\\rows.csv", "is an address"),
        ("notes.txt", "is neither CSV nor Parquet (.csv, .csv.gz, .parquet)."),
        ("rows.csv/", "is neither CSV nor Parquet"),
        ("rows.csv.zip", "is neither CSV nor Parquet"),
        ("rows.pkl", "is neither CSV nor Parquet"),
        ("", "is neither CSV nor Parquet"),
        (".", "is neither CSV nor Parquet"),
        ("row.csv", "does not exist below the specification's folder. Did you mean 'rows.csv'?"),
        ("sub/row.csv", "does not exist below the specification's folder. Did you mean 'sub/rows.csv'?"),
        ("sub\\rows.csv", "does not exist below the specification's folder. Folders are separated by /."),
        ("nowhere/rows.csv", "does not exist below the specification's folder."),
        ("a\0.csv", "does not exist below the specification's folder."),
        ("x" * 5000 + ".csv", "does not exist below the specification's folder."),
    ],
)
def test_paths_that_are_refused(folder: Path, given: str, words: str) -> None:
    complaint = path_complaint(given, folder)
    assert words in complaint
    assert complaint.endswith("Give the name of a .csv or .parquet file in the specification's folder or below it.")
    assert len(complaint) < 300
    with pytest.raises(SpecificationError):
        read_data(given, folder)


def test_links_that_lead_out(folder: Path) -> None:
    (folder / "file.csv").symlink_to(folder.parent / "out" / "secret.csv")
    (folder / "dir").symlink_to(folder.parent / "out")
    (folder / "up.csv").symlink_to("../out/secret.csv")
    for given in ("file.csv", "dir/secret.csv", "up.csv"):
        assert "is a link that leads out of the specification's folder. Copy the file there." in path_complaint(
            given, folder
        )
        with pytest.raises(SpecificationError, match="leads out"):
            read_data(given, folder)
    # Nor does the nearest name tell what lies there.
    assert "secret" not in path_complaint("dir/secre.csv", folder).replace("dir/secre.csv", "")


def test_links_that_stay(folder: Path) -> None:
    (folder / "file.csv").symlink_to("rows.csv")
    (folder / "dir").symlink_to("sub")
    assert len(read_data("file.csv", folder)) == len(read_data("dir/rows.csv", folder)) == 2


def test_a_folder_that_is_a_link_itself(folder: Path) -> None:
    (folder.parent / "link").symlink_to(folder)
    assert len(read_data("sub/rows.csv", folder.parent / "link")) == 2


def test_what_is_no_file(folder: Path) -> None:
    (folder / "dir.csv").mkdir()
    os.mkfifo(folder / "pipe.csv")
    (folder / "ring.csv").symlink_to("ring.csv")
    assert "'dir.csv' is not a file." in path_complaint("dir.csv", folder)
    assert "'pipe.csv' is not a file." in path_complaint("pipe.csv", folder)
    assert "does not exist" in path_complaint("ring.csv", folder)


def test_without_a_folder_only_the_words_are_looked_at() -> None:
    assert path_complaint("nowhere.csv", None) is None
    assert "leads out" in path_complaint("../x.csv", None)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "a.csv",
            b"",
            "a.csv cannot be read: the file is empty; its first line has to name the columns (No columns to parse from "
            "file).",
        ),
        ("a.csv", b"\n\n", "a.csv cannot be read: the file is empty; its first line has to name the columns ("),
        (
            "a.csv",
            b"y;x\n1,5;2\n",
            "a.csv cannot be read: it has one column, 'y;x'; separated by ';'? This reads comma-separated files.",
        ),
        ("a.csv", b"y\tx\n1\t2\n", "separated by tabs? This reads comma-separated files."),
        (
            "a.csv",
            b"y,x,y\n1,2,3\n",
            "a.csv cannot be read: several columns are called 'y'; give each a name of its own.",
        ),
        ("a.csv", b"y,x\n1,2,3\n2,3,4\n", "2 columns are named and a row has 3 values; name every column."),
        ("a.csv", b"y,x\n1,2\n1,2,3\n", "Expected 2 fields in line 3, saw 3)."),
        ("a.csv", b"y,x\n1,2\n1,2,3\n", "a.csv cannot be read: a row does not fit the 2 columns of the first line; "),
        ("a.csv", b'y,x\n1,"2\n', "a.csv cannot be read: "),
        ("a.csv", "y,x\n1,é\n".encode("latin-1"), "a.csv is not UTF-8 text; save it as UTF-8."),
        ("a.csv.gz", ROWS.encode(), "a.csv.gz cannot be read: Not a gzipped file"),
        ("a.csv.gz", gzip.compress(ROWS.encode() * 100)[:-20], "a.csv.gz cannot be read: "),
        ("a.parquet", ROWS.encode(), "a.parquet cannot be read: "),
        ("a.parquet", b"", "a.parquet cannot be read: "),
    ],
)
def test_files_that_are_not_what_their_name_says(folder: Path, name: str, content: bytes, words: str) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(SpecificationError) as caught:
        read_data(name, folder, "m.toml, line 2, key data.path")
    assert words in str(caught.value)
    assert str(caught.value).startswith("m.toml, line 2, key data.path: ")
    assert "\n" not in str(caught.value)


def test_forms_that_are_read(folder: Path) -> None:
    (folder / "BOM.CSV").write_text("\ufeff" + ROWS, encoding="utf-8")
    (folder / "z.csv.gz").write_bytes(gzip.compress(ROWS.encode()))
    (folder / "blank.csv").write_text("\n\n" + ROWS)
    pd.read_csv(folder / "rows.csv").to_parquet(folder / "P.PARQUET")
    for name in ("BOM.CSV", "z.csv.gz", "blank.csv", "P.PARQUET"):
        assert read_data(name, folder).to_dict("list") == {"y": [1, 3], "x": [2, 4]}, name


def test_a_long_column_has_one_type(folder: Path) -> None:
    (folder / "long.csv").write_text("y\n" + "1\n" * 300_000 + "text\n")
    assert read_data("long.csv", folder)["y"].map(type).nunique() == 1


def test_long_identifiers_with_a_gap_stay_apart(folder: Path) -> None:
    (folder / "ids.csv").write_text("id,y\n12345678901234560,1\n,2\n12345678901234561,3\n")
    ids = read_data("ids.csv", folder)["id"]
    assert ids.dtype == "Int64"
    assert ids.dropna().tolist() == [12345678901234560, 12345678901234561]


def test_columns_have_the_plain_dtypes_where_these_hold_their_values(folder: Path) -> None:
    content = "whole,real,truth,text,gap,nothing,hole,both\n1,1.5,True,a,1.5,,x,True\n2,2,False,b,,,,\n"
    (folder / "kinds.csv").write_text(content)
    data = read_data("kinds.csv", folder)
    simple = pd.read_csv(folder / "kinds.csv")
    same = ["whole", "real", "truth", "text", "gap", "nothing", "hole"]
    pd.testing.assert_frame_equal(data[same], simple[same])
    assert data["both"].dtype == "boolean"
    assert list(data.columns) == list(simple.columns)


def test_a_file_with_gaps_is_modelled_without_those_rows(folder: Path) -> None:
    rows = "".join(f"{k % 7 + k % 3},{k},{k % 2 == 0},{12345678901234560 + k % 6}\n" for k in range(60))
    (folder / "gaps.csv").write_text(
        "y,x,b,g\n" + rows + "1,,True,12345678901234560\n2,3,,12345678901234560\n3,1,True,\n"
    )
    data = read_data("gaps.csv", folder)
    design = build_design(ModelSpec(formula="y ~ x + b + (1 | g)", missing="drop"), data)
    assert (design.n_rows, list(design.dropped)) == (60, [60, 61, 62])
    assert design.groups[0].factor.levels == tuple(str(12345678901234560 + k) for k in range(6))
    assert list(design.new_rows(data.iloc[:8]).codes[0]) == [0, 1, 2, 3, 4, 5, 0, 1]


def specification(folder: Path, path: str) -> Path:
    (folder / "m.toml").write_text(f'[data]\npath = "{path}"\n[model]\nformula = "y ~ x"\n')
    return folder / "m.toml"


def test_a_refused_path_has_its_line(folder: Path) -> None:
    with pytest.raises(SpecificationError, match=r"m\.toml, line 2, key data\.path: '\.\./rows\.csv' leads out"):
        read_specification(specification(folder, "../rows.csv"))


def test_a_path_is_looked_at_again_when_it_is_read(folder: Path) -> None:
    file = read_specification(specification(folder, "rows.csv"))
    assert len(load_data(file)) == 2
    (folder / "rows.csv").unlink()
    (folder / "rows.csv").symlink_to(folder.parent / "out" / "secret.csv")
    with pytest.raises(SpecificationError, match=r"line 2, key data\.path: 'rows\.csv' is a link that leads out"):
        load_data(file)


def test_a_file_without_rows_is_refused_with_the_model(folder: Path) -> None:
    (folder / "empty.csv").write_text("y,x\n")
    with pytest.raises(DataError, match="no rows"):
        read_model(specification(folder, "empty.csv"))


def test_text_without_a_folder_reads_from_where_one_stands(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert len(load_data(loads('[data]\npath = "rows.csv"\n[model]\nformula = "y ~ x"\n'))) == 2
