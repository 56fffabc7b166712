"""Missing values from end to end, through Python, files and the command line: raised by default, or dropped and listed.

The data are glucose_weekly: unequal numbers of visits, times of their own, a covariate that changes between visits.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import bayesglmm as bg
from bayesglmm.cli import main
from bayesglmm.left_out import rows_words

MODEL = Path(__file__).parents[2] / "models" / "glucose_weekly.toml"
FORMULA = "glucose ~ week + exercise + (week | patient)"
SHORT = ("--set", "sample.draws=200", "--set", "sample.chains=2")


@pytest.fixture(scope="module")
def data():
    return bg.load_dataset("glucose_weekly")


@pytest.fixture(scope="module")
def incomplete(data) -> list[int]:
    return data.index[data[["glucose", "exercise"]].isna().any(axis=1)].tolist()


@pytest.fixture(scope="module")
def model(data) -> bg.GLMM:
    return bg.GLMM(FORMULA, data, missing="drop")


@pytest.fixture(scope="module")
def posterior(model) -> bg.Posterior:
    return model.sample(draws=200, chains=2, seed=1, progress=False)


def status(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(a) for a in arguments])
    return int(stopped.value.code or 0)


def test_the_default_names_columns_and_rows_and_what_to_do(data) -> None:
    with pytest.raises(bg.DataError) as raised:
        bg.GLMM(FORMULA, data)
    where = {problem.where: problem.message for problem in raised.value.problems}
    assert set(where) == {"glucose", "exercise"}
    for column, message in where.items():
        first = data.index[data[column].isna()][0]
        assert message.startswith(f"20 of 486 values missing (rows {first}, ")
        assert 'leave these rows out with missing="drop"' in message


def test_dropping_leaves_out_those_rows_and_no_patient(model, data, incomplete) -> None:
    assert model.design.dropped.tolist() == incomplete
    assert model.design.n_rows == 446
    assert model.design.groups[0].n_levels == 50
    shown = ", ".join(map(str, incomplete[:5]))
    assert f"446 rows (40 left out for missing values: {shown}, ...)" in repr(model)


@pytest.mark.parametrize("method", ["ml", "reml", "laplace", "pql", "gee"])
def test_fits_are_those_of_the_complete_rows(model, data, incomplete, method: str) -> None:
    complete = bg.GLMM(FORMULA, data.drop(index=incomplete))
    ours, theirs = model.fit(method), complete.fit(method)
    np.testing.assert_array_equal(ours.tidy()["estimate"], theirs.tidy()["estimate"])
    assert "446 rows (40 left out for missing values: " in repr(ours)
    assert "446 rows" in repr(theirs)
    assert "left out" not in repr(theirs)


def test_a_posterior_lists_them_and_a_saved_one_too(posterior, incomplete, tmp_path) -> None:
    labels = tuple(map(str, incomplete))
    assert posterior.left_out == labels
    loaded = bg.load_posterior(posterior.save(tmp_path / "p.nc"))
    assert loaded.left_out == labels
    for shown in (repr(posterior), repr(loaded), loaded._repr_html_()):
        assert f", 446 rows (40 left out for missing values: {', '.join(labels[:5])}, ...)" in shown
    used = loaded.tree["constant_data"]["row_label"].values.tolist()
    assert len(used) == 446
    assert not set(used) & set(labels)
    assert len(loaded.with_log_likelihood().tree["log_likelihood"]["glucose"]["row"]) == 446


def test_a_posterior_is_that_of_the_complete_rows(posterior, data, incomplete) -> None:
    complete = bg.GLMM(FORMULA, data.drop(index=incomplete)).sample(draws=200, chains=2, seed=1, progress=False)
    np.testing.assert_array_equal(complete.tidy()["estimate"], posterior.tidy()["estimate"])
    assert complete.left_out == ()
    assert "left out" not in repr(complete)
    assert "left_out" not in complete.tree["constant_data"]


def test_the_command_line_lists_them(incomplete, tmp_path, capsys) -> None:
    status("fit", MODEL, "--quiet", "--out", tmp_path / "out", *SHORT)
    shown = ", ".join(map(str, incomplete[:5]))
    assert f"446 rows (40 left out for missing values: {shown}, ...)" in capsys.readouterr().out
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["rows"] == 446
    assert record["rows_left_out"] == [str(label) for label in incomplete]
    assert bg.load_posterior(tmp_path / "out" / "posterior.nc").left_out == tuple(map(str, incomplete))


def test_check_lists_them_and_json_has_them_all(incomplete, capsys) -> None:
    assert status("check", MODEL) == 0
    assert "(40 left out for missing values: " in capsys.readouterr().out
    status("fit", MODEL, "--json", *SHORT)
    document = json.loads(capsys.readouterr().out)
    assert document["run"]["rows_left_out"] == [str(label) for label in incomplete]


def test_a_file_may_ask_for_an_error_instead(capsys) -> None:
    assert status("check", MODEL, "--set", "model.missing=raise") == 2
    said = capsys.readouterr().err
    assert "glucose: 20 of 486 values missing" in said
    assert "exercise: 20 of 486 values missing" in said


def test_words_for_rows() -> None:
    assert rows_words(3, []) == "3 rows"
    assert rows_words(3, ["a"]) == "3 rows (1 left out for missing values: a)"
    assert rows_words(3, range(6)) == "3 rows (6 left out for missing values: 0, 1, 2, 3, 4, ...)"


def test_a_patient_without_a_complete_visit_is_no_level(data) -> None:
    without = data.assign(glucose=data["glucose"].where(data["patient"] != 7))
    with pytest.warns(bg.DataWarning, match="7") as caught:
        model = bg.GLMM(FORMULA, without, missing="drop")
    assert any("patient" in str(w.message) for w in caught)
    assert model.design.groups[0].n_levels == 49
    assert model.fit("reml").converged
