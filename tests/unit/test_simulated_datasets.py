"""Simulated data: the stored files are what their generators make, and fits find the values they were made with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.datasets.catalogue import read_catalogue
from bayesglmm.datasets.simulated import GENERATORS, TRUE_VALUES
from bayesglmm.datasets.simulated.__main__ import main
from bayesglmm.datasets.simulated.text import csv_bytes

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")

ROOT = Path(__file__).parents[2]
FILES = ROOT / "bayesglmm" / "datasets"
NAMES = sorted(GENERATORS)
#: A value that was simulated may lie as many standard errors from its estimate: once in 16,000 by chance.
MANY_ERRORS = 4.0


@pytest.mark.parametrize("name", NAMES)
def test_the_stored_file_is_what_the_generator_makes(name: str) -> None:
    assert csv_bytes(GENERATORS[name]()) == (FILES / f"{name}.csv").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_makes_other_data_and_the_same_one_the_same(name: str) -> None:
    first, second, again = (GENERATORS[name](seed=seed) for seed in (5, 6, 5))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(second)
    assert list(first.columns) == list(read_catalogue()[name].columns)


def test_catalogue_and_generators_have_the_same_true_values() -> None:
    told = {name: dict(entry.true_values) for name, entry in read_catalogue().items() if entry.true_values}
    assert told == {name: dict(values) for name, values in TRUE_VALUES.items()}
    assert set(told) == set(GENERATORS)


@pytest.mark.parametrize("name", NAMES)
def test_a_frame_carries_its_true_values(name: str) -> None:
    attrs = bg.load_dataset(name).attrs
    assert attrs["true_values"] == TRUE_VALUES[name]
    attrs["true_values"].clear()
    assert bg.load_dataset(name).attrs["true_values"] == TRUE_VALUES[name]


@pytest.mark.parametrize("name", NAMES)
def test_fits_find_the_true_values(name: str) -> None:
    model = bg.read_model(ROOT / "models" / f"{name}.toml")
    fit = model.fit("reml" if model.design.is_linear else "laplace")
    assert fit.converged
    table = fit.tidy().set_index("name")
    assert set(table.index) == set(TRUE_VALUES[name])
    assert np.isfinite(table["std_error"]).all()
    for parameter, value in TRUE_VALUES[name].items():
        apart = abs(table.loc[parameter, "estimate"] - value) / table.loc[parameter, "std_error"]
        assert apart < MANY_ERRORS, parameter


@pytest.mark.parametrize("name", NAMES)
def test_generators_are_not_off_on_average(name: str) -> None:
    """Mean of the estimates over 20 seeds: within four of its standard errors, for every coefficient and variance.

    REML estimates of variances are unbiased in balanced linear models, and nearly so here; standard deviations and the
    Laplace fits of counts are biased by a share of a standard error, for which the mean is given half an error more.
    """
    spec = bg.read_model(ROOT / "models" / f"{name}.toml").spec
    template = bg.load_dataset(name)
    found, errors = [], []
    for seed in range(20):
        data = GENERATORS[name](seed=seed)
        for column in template.columns[template.dtypes == "category"]:
            kinds = template[column].cat
            data[column] = data[column].astype(pd.CategoricalDtype(kinds.categories, ordered=kinds.ordered))
        model = bg.GLMM.from_spec(spec, data)
        table = model.fit("reml" if model.design.is_linear else "laplace").tidy().set_index("name")
        found.append(table["estimate"])
        errors.append(table["std_error"])
    estimates = pd.DataFrame(found)
    spread = estimates.std()
    apart = (estimates.mean() - pd.Series(TRUE_VALUES[name])).abs()
    assert (apart < (MANY_ERRORS / np.sqrt(20) + 0.5) * spread).all(), apart / spread
    # What is printed as a standard error is one: the spread of 20 estimates is known to a sixth.
    ratio = (pd.DataFrame(errors).mean() / spread).drop(columns_of_sds(estimates))
    assert ratio.between(0.5, 2.0).all(), ratio


def columns_of_sds(estimates: pd.DataFrame) -> list[str]:
    """Return standard deviations and correlations, whose errors vary much themselves."""
    return [name for name in estimates.columns if name.startswith(("sd(", "cor("))]


def test_glucose_weekly_is_unbalanced_as_patients_are() -> None:
    data = bg.load_dataset("glucose_weekly")
    visits = data.groupby("patient", observed=True)
    assert visits.size().min() == 6
    assert visits.size().max() == 12
    assert visits.size().nunique() > 4
    assert all((np.diff(week) > 0).all() for _, week in visits["week"])
    assert (visits["week"].first() == 0).all()
    # Times of their own: no two patients have the same plan.
    assert visits["week"].agg(tuple).nunique() == 50
    assert data["exercise"].groupby(data["patient"], observed=True).nunique().min() > 1
    incomplete = data[["exercise", "glucose"]].isna().any(axis=1)
    assert incomplete.sum() == 40


def test_range_counts_vary_by_more_than_poisson_allows() -> None:
    data = bg.load_dataset("range")
    cells = data.groupby(["block", "management", "fertilizer"], observed=True)["plants"]
    assert (cells.var() / cells.mean()).mean() > 2.0


def test_the_files_can_be_written_again(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.argv", ["simulated", str(tmp_path)])
    main()
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.csv" for name in NAMES}
    assert (tmp_path / "range.csv").read_bytes() == (FILES / "range.csv").read_bytes()
    assert "car_fuel.csv: 82 rows" in capsys.readouterr().out
