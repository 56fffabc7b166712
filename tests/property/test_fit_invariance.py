"""What must not change a fit: names of groups, order of rows, splitting of trials, units and origins, the start."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

import bayesglmm as bg

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")

#: The same examples every time: a fit costs a tenth of a second, and a search for smaller failing ones many.
few = settings(deadline=None, max_examples=12, derandomize=True, database=None, phases=(Phase.explicit, Phase.generate))
fewer = settings(few, max_examples=6)

SEEDS = st.integers(0, 10_000)


@dataclass(frozen=True)
class Way:
    """A response and a method."""

    response: str
    family: str
    method: str
    points: int = 0

    @property
    def options(self) -> dict[str, Any]:
        return {"points": self.points} if self.points else {}

    def fit(self, data: pd.DataFrame, right: str = "x + (1 | g)") -> bg.Fit:
        model = bg.GLMM(f"{self.response} ~ {right}", data, family=self.family)
        return model.fit(self.method, **self.options)


ML, REML = Way("y", "gaussian", "ml"), Way("y", "gaussian", "reml")
LAPLACE = [Way("s", "bernoulli", "laplace"), Way("k | trials(m)", "binomial", "laplace")]
LAPLACE += [Way("n", "poisson", "laplace"), Way("y", "gaussian", "laplace")]
AGQ = [Way("s", "bernoulli", "agq", 7), Way("k | trials(m)", "binomial", "agq", 7), Way("n", "poisson", "agq", 7)]
EVERY = st.sampled_from([ML, REML, *LAPLACE, *AGQ])


def made(seed: int, groups: int = 9, size: int = 8) -> pd.DataFrame:
    """Return data with a Gaussian, a binary, a binomial and a count response to one covariate in groups."""
    rng = np.random.default_rng(seed)
    j = np.repeat(np.arange(groups), size)
    x = rng.normal(size=groups * size)
    eta = 0.2 + 0.6 * x + rng.normal(size=groups)[j] * 0.9
    share = 1.0 / (1.0 + np.exp(-eta))
    m = rng.integers(1, 6, size=len(x))
    columns = {"y": eta + rng.normal(size=len(x)), "s": rng.binomial(1, share), "k": rng.binomial(m, share), "m": m}
    counts = rng.poisson(np.exp(0.5 * eta + 0.5))
    return pd.DataFrame({**columns, "n": counts, "x": x, "o": rng.normal(size=len(x)) * 0.5, "g": [f"g{k}" for k in j]})


def assert_same(a: bg.Fit, b: bg.Fit, shift: float = 0.0) -> None:
    """Hold that two fits converged to one log-likelihood, but for a known shift."""
    assume(a.optimum.status.usable and not a.optimum.pinned.any())
    assert b.optimum.status is a.optimum.status
    assert b.loglik == pytest.approx(a.loglik + shift, abs=1e-8, rel=0)


@few
@given(EVERY, SEEDS, st.randoms(use_true_random=False))
def test_names_of_groups_and_order_of_rows(way: Way, seed: int, random: Any) -> None:
    data = made(seed)
    names = sorted(data["g"].unique())
    others = random.sample([f"{c}{k}" for c in "zaé " for k in range(len(names))], len(names))
    order = random.sample(range(len(data)), len(data))
    moved = data.assign(g=data["g"].map(dict(zip(names, others, strict=True)))).iloc[order]
    before, after = way.fit(data), way.fit(moved)
    assert_same(before, after)
    modes = [f.modes.set_index("level")["mode"] for f in (before, after)]
    for name, other in zip(names, others, strict=True):
        assert modes[1][other] == pytest.approx(modes[0][name], abs=1e-5)


@fewer
@given(
    st.sampled_from([ML, REML, LAPLACE[2]]),
    st.sampled_from(["x + (1 | g) + (1 | h)", "x + (1 | h) + (x || g)", "x + (1 | g / h)"]),
    SEEDS,
    st.randoms(use_true_random=False),
)
def test_names_and_order_of_crossed_and_nested_groups(way: Way, right: str, seed: int, random: Any) -> None:
    data = made(seed, groups=12, size=12)
    rng = np.random.default_rng(seed + 1)
    h = rng.integers(0, 6, size=len(data))
    within = rng.normal(size=(12, 6))[np.repeat(np.arange(12), 12), h] if "/" in right else rng.normal(size=6)[h]
    slopes = np.repeat(rng.normal(size=12), 12) * data["x"] if "||" in right else 0.0
    data["y"] += 1.5 * within + slopes
    data["n"] = rng.poisson(np.exp(0.5 + 0.5 * data["y"]))
    data["h"] = [f"h{k}" for k in h]
    other = dict(zip(sorted(data["h"].unique()), random.sample("uvwxyz", data["h"].nunique()), strict=True))
    moved = data.assign(h=data["h"].map(other)).iloc[random.sample(range(len(data)), len(data))]
    assert_same(way.fit(data, right), way.fit(moved, right))


@fewer
@given(st.sampled_from([(LAPLACE[0], LAPLACE[1]), (AGQ[0], AGQ[1])]), SEEDS)
def test_a_row_of_trials_is_as_many_rows_of_one(ways: tuple[Way, Way], seed: int) -> None:
    data = made(seed, size=5)
    split = data.loc[data.index.repeat(data["m"])].reset_index(drop=True)
    nth = data.index.repeat(data["m"]).to_series().groupby(level=0).cumcount().to_numpy()
    split["s"] = (nth < split["k"]).astype(int)
    bernoulli, binomial = ways
    coefficients = math.prod(math.comb(m, k) for m, k in zip(data["m"], data["k"], strict=True))
    assert_same(binomial.fit(data), bernoulli.fit(split), -math.log(coefficients))


@fewer
@given(st.sampled_from([LAPLACE[2], AGQ[2]]), SEEDS, st.floats(-3, 3))
def test_an_offset_is_the_logarithm_of_an_exposure(way: Way, seed: int, constant: float) -> None:
    data = made(seed)
    data["exposure"] = np.exp(data["o"] + constant)
    offset = way.fit(data, "x + offset(o) + (1 | g)")
    exposure = way.fit(data, "x + offset(log(exposure)) + (1 | g)")
    assert_same(offset, exposure)
    moved = exposure.coefficients["estimate"] - offset.coefficients["estimate"]
    assert moved.to_numpy() == pytest.approx([-constant, 0.0], abs=1e-5)


@few
@given(EVERY, SEEDS, st.floats(-0.7, 0.7), st.floats(0.3, 2.5))
def test_another_start_ends_at_the_same_place(way: Way, seed: int, step: float, factor: float) -> None:
    fit = way.fit(made(seed))
    x = fit.optimum.x.copy()
    x[:2] += step
    x[2:] *= factor
    assert_same(fit, fit.prepared.fit(x))


@few
@given(EVERY, SEEDS, st.floats(-50, 50), st.sampled_from([-3.0, 0.01, 0.5, 200.0]))
def test_origin_and_unit_of_a_covariate(way: Way, seed: int, origin: float, unit: float) -> None:
    data = made(seed)
    before, after = way.fit(data), way.fit(data.assign(x=(data["x"] - origin) / unit))
    # REML's likelihood is that of contrasts, in whose density the columns of X have a length: -log|X'V^-1X| / 2.
    assert_same(before, after, math.log(abs(unit)) if way.method == "reml" else 0.0)
    slopes = [f.coefficients.loc["x"] for f in (before, after)]
    assert slopes[1]["estimate"] == pytest.approx(slopes[0]["estimate"] * unit, rel=1e-4, abs=1e-6 * abs(unit))
    assert slopes[1]["std_error"] == pytest.approx(slopes[0]["std_error"] * abs(unit), rel=1e-4)


@fewer
@given(st.sampled_from([ML, REML, LAPLACE[2]]), SEEDS, st.floats(-20, 20), st.sampled_from([0.1, 30.0]))
def test_origin_and_unit_of_a_slope_that_varies(way: Way, seed: int, origin: float, unit: float) -> None:
    data = made(seed)
    rng = np.random.default_rng(seed)
    slopes = data["g"].map(dict(zip(data["g"].unique(), rng.normal(size=9), strict=True)))
    data["y"] += 0.8 * slopes * data["x"]
    data["n"] = rng.poisson(np.exp(0.5 + (0.3 + 0.4 * slopes) * data["x"] + 0.5 * slopes))
    before, after = (way.fit(d, "x + (x | g)") for d in (data, data.assign(x=(data["x"] - origin) / unit)))
    assert_same(before, after, math.log(unit) if way.method == "reml" else 0.0)
    sds = [f.variance_components.loc["sd(g, x)", "estimate"] for f in (before, after)]
    assert sds[1] == pytest.approx(sds[0] * unit, rel=1e-4)
