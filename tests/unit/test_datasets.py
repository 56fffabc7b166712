"""The data sets are the published ones, coded as the catalogue says; model files and references fit them."""

from __future__ import annotations

import csv
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from bayesglmm.datasets import list_datasets, load_dataset
from bayesglmm.datasets.catalogue import read_catalogue
from bayesglmm.errors import SpecificationError

ROOT = Path(__file__).parents[2]
MODELS = sorted((ROOT / "models").glob("*.toml"))
REFERENCE = ROOT / "tests" / "reference"
NAMES = tuple(read_catalogue())
ROWS = {
    "salamander": 360,
    "salamander_summer": 120,
    "multicenter": 16,
    "cbpp": 56,
    "sleepstudy": 180,
    "grouseticks": 403,
    "verbagg": 7584,
    "insteval": 73421,
}
LEVELS = {
    ("salamander", "female"): 60,
    ("salamander", "male"): 60,
    ("salamander", "female_linked"): 40,
    ("salamander", "male_linked"): 40,
    ("salamander_summer", "female"): 20,
    ("salamander_summer", "male"): 20,
    ("salamander_summer", "experiment"): 1,
    ("salamander_summer", "season"): 1,
    ("multicenter", "clinic"): 8,
    ("cbpp", "herd"): 15,
    ("sleepstudy", "subject"): 18,
    ("grouseticks", "brood"): 118,
    ("grouseticks", "location"): 63,
    ("verbagg", "id"): 316,
    ("verbagg", "item"): 24,
    ("insteval", "s"): 2972,
    ("insteval", "d"): 1128,
    ("insteval", "dept"): 14,
}


@pytest.fixture(scope="module")
def frames() -> dict[str, pd.DataFrame]:
    return {name: load_dataset(name) for name in NAMES}


def test_every_data_set_of_the_catalogue_is_known_here():
    assert set(NAMES) == set(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_rows_and_completeness(frames, name):
    assert len(frames[name]) == ROWS[name] == read_catalogue()[name].rows
    assert not frames[name].isna().any(axis=None)
    assert frames[name].index.equals(pd.RangeIndex(ROWS[name]))


@pytest.mark.parametrize(("name", "column"), LEVELS)
def test_levels_of_the_grouping_columns(frames, name, column):
    values = frames[name][column]
    assert len(values.cat.categories) == LEVELS[name, column]
    assert values.nunique() == LEVELS[name, column]


@pytest.mark.parametrize("name", ROWS)
def test_dtype_follows_the_kind(frames, name):
    expected = {"identifier": "category", "factor": "category", "integer": "int64", "real": "float64"}
    columns = read_catalogue()[name].columns
    assert list(frames[name].columns) == list(columns)
    for column, described in columns.items():
        assert frames[name][column].dtype == expected[described.kind], column


def test_identifiers_are_in_numeric_order(frames):
    assert frames["cbpp"]["herd"].cat.categories.tolist() == list(range(1, 16))
    assert not frames["cbpp"]["herd"].cat.ordered


@pytest.mark.parametrize(
    ("name", "column", "levels"),
    [
        ("salamander", "cross", ["RR", "RW", "WR", "WW"]),
        ("salamander", "season", ["summer", "fall"]),
        ("multicenter", "treatment", ["control", "drug"]),
        ("cbpp", "period", [1, 2, 3, 4]),
        ("grouseticks", "year", [95, 96, 97]),
        ("verbagg", "resp", ["no", "perhaps", "yes"]),
        ("verbagg", "mode", ["want", "do"]),
    ],
)
def test_factors_have_the_order_of_the_model(frames, name, column, levels):
    assert frames[name][column].cat.categories.tolist() == levels
    assert frames[name][column].cat.ordered


def test_salamander_successes_of_thirty_a_cross(frames):
    counts = frames["salamander"].groupby(["experiment", "cross"], observed=True)["mated"]
    assert (counts.size() == 30).all()
    assert counts.sum().unstack().to_numpy().tolist() == [[22, 20, 7, 21], [18, 14, 7, 20], [20, 16, 5, 19]]


def test_salamander_indicators_say_the_same_as_the_factors(frames):
    d = frames["salamander"]
    female, male = d["cross"].astype(str).str[0], d["cross"].astype(str).str[1]
    assert (d["wsf"] == (female == "W")).all()
    assert (d["wsm"] == (male == "W")).all()
    assert (d["fall"] == (d["season"] == "fall")).all()


def test_salamander_blocks_are_closed_and_linked_labels_repeat_the_first_experiment(frames):
    d = frames["salamander"]
    blocks = d.groupby("block", observed=True)[["female", "male"]].nunique()
    assert (blocks == 10).all(axis=None)
    assert (d.groupby("female", observed=True)["block"].nunique() == 1).all()
    linked = {e: set(part["female_linked"]) for e, part in d.groupby("experiment", observed=True)}
    assert linked[1] == linked[2]
    assert not linked[1] & linked[3]


def test_a_part_holds_only_its_rows_and_its_levels(frames):
    whole, part = frames["salamander"], frames["salamander_summer"]
    expected = whole[whole["experiment"] == 1].reset_index(drop=True)
    assert part.astype(str).equals(expected.astype(str))
    assert part["female"].cat.categories.tolist() == list(range(1, 21))
    assert part.attrs["source"] == whole.attrs["source"]
    assert part.attrs["title"] != whole.attrs["title"]


@pytest.mark.parametrize(
    ("name", "column", "total"),
    [
        ("multicenter", "favorable", 102),
        ("multicenter", "n", 273),
        ("cbpp", "incidence", 99),
        ("cbpp", "size", 842),
        ("grouseticks", "ticks", 2567),
        ("sleepstudy", "reaction", 53731.42054),
        ("insteval", "y", 235369),
    ],
)
def test_totals_are_those_of_the_published_data(frames, name, column, total):
    assert frames[name][column].sum() == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize("name", ROWS)
def test_attrs_say_what_the_data_are_and_survive_a_copy(frames, name):
    attrs = frames[name].copy().attrs
    assert set(attrs) == {"name", "title", "source", "licence", "units"}
    assert attrs["name"] == name
    assert attrs["licence"].startswith("published facts; carrier: ")
    assert list(attrs["units"]) == list(frames[name].columns)
    assert all(attrs["units"].values())


def test_a_frame_can_be_changed_without_changing_the_next_one():
    first = load_dataset("cbpp")
    first.loc[0, "incidence"] = 99
    first.attrs["units"]["incidence"] = "changed"
    second = load_dataset("cbpp")
    assert second.loc[0, "incidence"] == 2
    assert second.attrs["units"]["incidence"].startswith("new serological cases")


def test_list_datasets_has_one_row_a_data_set(frames):
    table = list_datasets()
    assert table.columns.tolist() == ["name", "title", "rows", "columns", "source"]
    assert dict(zip(table["name"], table["rows"], strict=True)) == ROWS
    for name, columns in zip(table["name"], table["columns"], strict=True):
        assert columns.split(", ") == frames[name].columns.tolist()


def test_unknown_name_says_what_there_is_and_what_to_do():
    with pytest.raises(SpecificationError) as raised:
        load_dataset("salamnder")
    message = str(raised.value)
    assert "there is no data set 'salamnder'. Did you mean 'salamander'?" in message
    assert all(name in message for name in NAMES)
    assert "DataFrame" in message
    assert raised.value.problems[0].where == "dataset"


def test_the_models_of_the_lectures_are_there():
    expected = {"salamander", "salamander_linked", "salamander_summer", "multicenter", "cbpp", "sleepstudy"}
    assert expected | {"grouseticks"} <= {path.stem for path in MODELS}


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_model_file_has_the_known_keys_and_an_existing_data_set(path):
    model = tomllib.loads(path.read_text(encoding="utf-8"))
    keys = {"schema", "title", "reference", "data", "model", "priors", "sample", "compare", "published"}
    assert set(model) <= keys
    assert model["schema"] == 1
    assert {"draws", "chains", "seed"} <= set(model["sample"]) <= {"draws", "chains", "seed", "target_accept"}
    assert model["data"]["dataset"] in NAMES
    assert model["published"]
    for block in model["published"]:
        assert set(block) == {"method", "reference", "estimates"}
        assert block["estimates"]


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_published_parameters_are_those_of_the_reference_fit(path):
    model = tomllib.loads(path.read_text(encoding="utf-8"))
    with (REFERENCE / "laplace.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["problem"] == path.stem]
    fit = {row["parameter"]: row for row in rows if row["method"] == "laplace"}
    assert {row["formula"] for row in rows} == {model["model"]["formula"]}
    for block in model["published"]:
        assert set(block["estimates"]) <= set(fit)
        # Methods differ by about a standard error; a wrong sign or a swapped column is farther away.
        for name, value in block["estimates"].items():
            allowed = 1.25 * float(fit[name]["std_error"] or 0.1)
            assert abs(value - float(fit[name]["estimate"])) < allowed, (block["method"], name)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_figures_of_this_projects_reference_are_copied_right(path):
    model = tomllib.loads(path.read_text(encoding="utf-8"))
    methods = {"Laplace": "laplace", "ML": "laplace", "REML": "reml", "ML (25-node quadrature)": "agq25"}
    with (REFERENCE / "laplace.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["problem"] == path.stem]
    for block in model["published"]:
        if "lme4 1.1-31" not in block["reference"]:
            continue
        stored = {r["parameter"]: float(r["estimate"]) for r in rows if r["method"] == methods[block["method"]]}
        assert block["estimates"] == pytest.approx(stored, abs=5.1e-4)
