"""The data sets are the published ones, coded as the catalogue says; model files and references fit them."""

from __future__ import annotations

import csv
import gzip
import hashlib
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayesglmm.datasets import list_datasets, load_dataset
from bayesglmm.datasets.catalogue import read_catalogue
from bayesglmm.errors import SpecificationError

ROOT = Path(__file__).parents[2]
MODELS = sorted((ROOT / "models").glob("*.toml"))
REFERENCE = ROOT / "tests" / "reference"
FILES = ROOT / "bayesglmm" / "datasets"
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
    "seeds": 21,
    "epilepsy": 236,
    "toenail": 1908,
    "wheeze": 2148,
    "respiratory": 444,
    "bacteria": 220,
    "dyestuff": 30,
    "rail": 18,
    "penicillin": 144,
    "pastes": 60,
    "orthodont": 108,
    "ovary": 308,
    "glucose": 196,
    "oats": 72,
    "mpg": 234,
    "baseball": 18,
    "highschool": 7185,
    "egsingle": 7230,
    "wine": 72,
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
    ("seeds", "plate"): 21,
    ("epilepsy", "subject"): 59,
    ("toenail", "patient_id"): 294,
    ("wheeze", "id"): 537,
    ("respiratory", "id"): 56,
    ("bacteria", "id"): 50,
    ("dyestuff", "batch"): 6,
    ("rail", "rail"): 6,
    ("penicillin", "plate"): 24,
    ("penicillin", "sample"): 6,
    ("pastes", "batch"): 10,
    ("pastes", "cask"): 3,
    ("pastes", "sample"): 30,
    ("orthodont", "subject"): 27,
    ("ovary", "mare"): 11,
    ("glucose", "subject"): 7,
    ("oats", "block"): 6,
    ("mpg", "manufacturer"): 15,
    ("mpg", "model"): 38,
    ("baseball", "name"): 18,
    ("baseball", "team"): 10,
    ("highschool", "school"): 160,
    ("egsingle", "schoolid"): 60,
    ("egsingle", "childid"): 1721,
    ("wine", "judge"): 9,
    ("wine", "bottle"): 8,
}
# Recorded on the day when every cell was compared with the carrier's: SHA-256 of the CSV text, its first 16 digits.
CHECKSUMS = {
    "seeds": "8c63762ca73b4faf",
    "epilepsy": "4cede6039565518d",
    "toenail": "f72a9fc23dbaaa9e",
    "wheeze": "d8a9f133d16a97db",
    "respiratory": "41a01a86e6d441ff",
    "bacteria": "e564b503e01dbebc",
    "dyestuff": "3846684fb36a1256",
    "rail": "82ea341e19190dfa",
    "penicillin": "9a26c574d34d1b6d",
    "pastes": "4b5e4554d6e3f1cb",
    "orthodont": "f138fb9d96d125fe",
    "ovary": "5050fb3ee7798f4c",
    "glucose": "6f270d30bf00c6a0",
    "oats": "3b28d595a8f1802f",
    "mpg": "994ac05e05259e69",
    "baseball": "781097e78add391b",
    "highschool": "543d1bc1b9b839df",
    "egsingle": "dca180c539dd03d6",
    "wine": "6d658583db475bbf",
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
        ("seeds", "seed", ["O75", "O73"]),
        ("seeds", "extract", ["bean", "cucumber"]),
        ("epilepsy", "trt", ["placebo", "progabide"]),
        ("toenail", "treatment", ["itraconazole", "terbinafine"]),
        ("respiratory", "center", [1, 2]),
        ("respiratory", "treat", ["A", "P"]),
        ("respiratory", "sex", ["F", "M"]),
        ("bacteria", "trt", ["placebo", "drug", "drug+"]),
        ("orthodont", "sex", ["Male", "Female"]),
        ("glucose", "date", [1, 2]),
        ("oats", "variety", ["Golden Rain", "Marvellous", "Victory"]),
        ("mpg", "drv", ["4", "f", "r"]),
        ("highschool", "sector", ["Public", "Catholic"]),
        ("highschool", "sex", ["Male", "Female"]),
        ("egsingle", "sex", ["Female", "Male"]),
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
        ("seeds", "y", 424),
        ("seeds", "n", 831),
        ("epilepsy", "y", 1948),
        ("epilepsy", "base", 4 * 1842),
        ("epilepsy", "age", 4 * 1672),
        ("toenail", "outcome", 408),
        ("toenail", "time", 8950.64278),
        ("toenail", "visit", 7434),
        ("wheeze", "resp", 326),
        ("wheeze", "smoke", 4 * 187),
        ("respiratory", "outcome", 248),
        ("respiratory", "baseline", 4 * 50),
        ("respiratory", "age", 14776),
        ("bacteria", "y", 177),
        ("bacteria", "week", 980),
        ("dyestuff", "yield", 45825),
        ("rail", "travel", 1197),
        ("penicillin", "diameter", 3308),
        ("pastes", "strength", 3603.2),
        ("orthodont", "distance", 2594.5),
        ("ovary", "follicles", 3707),
        ("ovary", "time", 154.0000052),
        ("glucose", "glucose", 852.3),
        ("glucose", "time", 2464),
        ("oats", "yield", 7486),
        ("oats", "nitro", 21.6),
        ("mpg", "displ", 812.4),
        ("mpg", "hwy", 5485),
        ("baseball", "r", 215),
        ("baseball", "p", 4.771),
        ("highschool", "math", 91593.321),
        ("highschool", "ses", 1.03),
        ("egsingle", "math", -3881.963),
        ("egsingle", "lowinc", 562447.1),
        ("wine", "rating", 210),
        ("wine", "response", 3400),
    ],
)
def test_totals_are_those_of_the_published_data(frames, name, column, total):
    assert frames[name][column].sum() == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize("name", CHECKSUMS)
def test_files_are_those_that_were_compared_with_the_carrier(name):
    file = FILES / read_catalogue()[name].file
    stored = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    text = b"\n".join(stored.splitlines())
    assert hashlib.sha256(text + b"\n").hexdigest()[:16] == CHECKSUMS[name]


@pytest.mark.parametrize("file", sorted(FILES.glob("*.gz")), ids=lambda file: file.name)
def test_compressed_files_can_be_made_again_byte_for_byte(file):
    header = file.read_bytes()[:10]
    assert header[3] == 0, "the header names the file"
    assert header[4:8] == bytes(4), "the header holds a time"


def test_every_file_belongs_to_a_data_set():
    stored = {file.name for file in FILES.iterdir() if file.name.endswith((".csv", ".csv.gz"))}
    assert stored == {entry.file for entry in read_catalogue().values()}


def test_seeds_have_the_published_four_groups(frames):
    groups = frames["seeds"].groupby(["seed", "extract"], observed=True)[["y", "n"]]
    assert groups.size().tolist() == [5, 6, 5, 5]
    assert groups.sum().to_numpy().tolist() == [[99, 272], [201, 295], [49, 123], [75, 141]]


def test_epilepsy_has_four_periods_a_patient_and_marks_the_last(frames):
    d = frames["epilepsy"]
    assert set(d.groupby("subject", observed=True)["period"].agg(tuple)) == {(1, 2, 3, 4)}
    assert (d["v4"] == (d["period"] == 4)).all()
    assert d.drop_duplicates("subject")["trt"].value_counts().to_dict() == {"placebo": 28, "progabide": 31}


def test_toenail_months_are_the_plan_of_the_visits(frames):
    d = frames["toenail"]
    plan = dict(zip(range(1, 8), (0, 1, 2, 3, 6, 9, 12), strict=True))
    assert (d["month"] == d["visit"].map(plan)).all()
    assert d.groupby("treatment", observed=True)["outcome"].agg(["sum", "size"]).to_numpy().tolist() == [
        [214, 937],
        [194, 971],
    ]
    assert d.groupby("treatment", observed=True)["patient_id"].nunique().tolist() == [146, 148]
    # The actual times follow the plan: a swapped column would not.
    assert (d["time"] - d["month"]).abs().median() < 0.2


def test_wheeze_and_respiratory_have_four_rows_a_person(frames):
    assert set(frames["wheeze"].groupby("id", observed=True)["age"].agg(tuple)) == {(-2, -1, 0, 1)}
    patients = frames["respiratory"].groupby(["center", "id"], observed=True)
    assert patients.ngroups == 111
    assert set(patients["visit"].agg(tuple)) == {(1, 2, 3, 4)}
    assert (patients[["treat", "sex", "age", "baseline"]].nunique() == 1).all(axis=None)


def test_bacteria_treatment_is_the_drug_and_the_encouragement_in_one(frames):
    d = frames["bacteria"]
    active = np.where(d["hilo"] == "hi", "drug+", "drug")
    assert (d["trt"].astype(str) == np.where(d["ap"] == "p", "placebo", active)).all()
    assert (d["late"] == (d["week"] > 2)).all()
    assert d["trt"].value_counts(sort=False).tolist() == [96, 62, 62]


def test_penicillin_is_crossed_and_pastes_and_oats_are_nested(frames):
    assert (pd.crosstab(frames["penicillin"]["plate"], frames["penicillin"]["sample"]) == 1).all(axis=None)
    pastes = frames["pastes"]
    assert (pastes.groupby(["batch", "cask"], observed=True).size() == 2).all()
    assert (pastes["sample"].astype(str) == pastes["batch"].astype(str) + ":" + pastes["cask"].astype(str)).all()
    plots = frames["oats"].groupby(["block", "variety"], observed=True)["nitro"].agg(tuple)
    assert len(plots) == 18
    assert set(plots) == {(0.0, 0.2, 0.4, 0.6)}


def test_orthodont_labels_begin_with_the_sex(frames):
    d = frames["orthodont"]
    assert (d["subject"].astype(str).str[0] == d["sex"].astype(str).str[0]).all()
    assert d["sex"].value_counts(sort=False).tolist() == [4 * 16, 4 * 11]
    assert set(d.groupby("subject", observed=True)["age"].agg(tuple)) == {(8, 10, 12, 14)}


def test_ovary_days_are_equal_steps_of_the_cycle_that_sine_and_cosine_follow(frames):
    d = frames["ovary"]
    for _, mare in d.groupby("mare", observed=True):
        assert mare["day"].tolist() == list(range(1, len(mare) + 1))
        assert np.ptp(np.diff(mare["time"])) < 2e-6
    np.testing.assert_allclose(d["sine"], np.sin(2 * np.pi * d["time"]), atol=1e-15)
    np.testing.assert_allclose(d["cosine"], np.cos(2 * np.pi * d["time"]), atol=1e-15)


def test_glucose_has_the_same_fourteen_times_on_each_occasion(frames):
    times = frames["glucose"].groupby(["subject", "date"], observed=True)["time"].agg(tuple)
    assert len(times) == 14
    assert set(times) == {(-1, 0, 2, 4, 6, 8, 10, 12, 15, 18, 21, 24, 27, 30)}


def test_baseball_averages_are_hits_out_of_45(frames):
    d = frames["baseball"]
    assert ((d["r"] / 45).round(3) == d["y"]).all()


def test_highschool_means_are_those_of_the_schools(frames):
    d = frames["highschool"]
    np.testing.assert_allclose(d["meanses"], d.groupby("school", observed=True)["ses"].transform("mean"), atol=1e-12)
    np.testing.assert_allclose(d["cses"], d["ses"] - d["meanses"], atol=1e-12)
    assert (d.groupby("school", observed=True)["sector"].nunique() == 1).all()


def test_egsingle_children_stay_in_a_school_whose_columns_are_constant(frames):
    d = frames["egsingle"]
    assert (d.groupby("childid", observed=True)["schoolid"].nunique() == 1).all()
    assert (d.groupby("schoolid", observed=True)[["size", "lowinc", "mobility"]].nunique() == 1).all(axis=None)
    assert not d.duplicated(["childid", "year"]).any()


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
