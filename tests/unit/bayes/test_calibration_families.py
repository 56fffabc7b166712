"""Simulation-based calibration of every family and link, and of formulas for dispersion and zeros.

One design for all: eight groups of six rows, a covariate. 100 replications a family and link; p above 1e-4 and mean
ranks within 4.5 standard errors (some 100 parameters). A posterior off by half of its standard deviation, or narrower
by half, is found nine times out of ten.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.calibration import Study, drift, p_value, ranks
from support.models import RESPONSES

from bayesglmm.families import FAMILIES

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")

REPLICATIONS = 100
G, X = np.repeat(list("abcdefgh"), 6), np.tile(np.linspace(-1.0, 1.0, 6), 8).round(2)
TRIALS = 1 + np.arange(48) % 7
HALF = ("Normal", {"mu": 0, "sigma": 0.5})
POSITIVE = ("Gamma", {"alpha": 4, "beta": 2})
PLACEHOLDERS = {
    "normal": np.sin(np.arange(48.0)),
    "success": np.arange(48) % 2,
    "successes | trials(trials)": np.arange(48) % 2,
    "count": np.arange(48) % 4,
    "positive": 1.0 + np.arange(48) % 5,
    "share": (1.0 + np.arange(48) % 5) / 7.0,
    "grade": np.arange(48) % 3,
}
#: Links of which the predictor is kept away from 0: on the other side there is nothing, or the same once more.
ONE_SIGN = ("inverse", "sqrt")
#: Priors of what is not a coefficient or a standard deviation of groups.
OWN: dict[str, dict[str, Any]] = {
    "gaussian": {"sigma": ("HalfNormal", {"sigma": 1})},
    "student_t": {"sigma": ("HalfNormal", {"sigma": 1})},
    **{name: {"phi": POSITIVE} for name in ("negative_binomial", "gamma", "beta", "beta_binomial")},
    "zero_inflated_negative_binomial": {"phi": POSITIVE},
    "cumulative": {"cutpoint": ("Normal", {"mu": 0, "sigma": 1})},
}


def study(family: str, link: str, **options: Any) -> Study:
    """Return the design with a response of this family."""
    response = RESPONSES[family]
    columns = {"g": G, "x": X, "trials": TRIALS, "far": np.full(48, 8.0)}
    left = response.replace(response.split(" ")[0], "y", 1)
    formula = f"{left} ~ x + (1 | g)" + (" + offset(far)" if link in ONE_SIGN else "")
    priors = {"beta": HALF, "sd": ("HalfNormal", {"sigma": 0.5})} | OWN.get(family, {})
    return Study(formula, family, columns, PLACEHOLDERS[response], priors, {"link": link, **options})


def assert_calibrated(chosen: Study, seed: int) -> None:
    counted = ranks(chosen, seed, REPLICATIONS)
    assert len(counted) > 0.6 * REPLICATIONS, len(counted)
    found = {parameter: p_value(counted[parameter].to_numpy()) for parameter in counted}
    assert min(found.values()) > 1e-4, found
    drifts = {parameter: drift(counted[parameter].to_numpy()) for parameter in counted}
    assert max(map(abs, drifts.values())) < 4.5, drifts


@pytest.mark.mcmc
@pytest.mark.slow
@pytest.mark.parametrize(("family", "link"), [(f, link) for f, record in FAMILIES.items() for link in record.links])
def test_ranks_of_a_family_are_uniform(family, link):
    assert_calibrated(study(family, link), seed=31)


@pytest.mark.mcmc
@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("gaussian", {"dispersion": "~ x"}),
        ("negative_binomial", {"dispersion": "~ x"}),
        ("beta", {"dispersion": "~ x"}),
        ("zero_inflated_poisson", {"zero": "~ x"}),
        ("hurdle_poisson", {"zero": "~ x"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_ranks_of_a_second_formula_are_uniform(family, options):
    chosen = study(family, next(iter(FAMILIES[family].links)), **options)
    priors = {k: v for k, v in chosen.priors.items() if k not in ("phi", "sigma")}
    assert_calibrated(Study(chosen.formula, family, chosen.columns, chosen.placeholder, priors, chosen.options), 32)
