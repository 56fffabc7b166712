"""Posteriors that others have printed: BUGS (Seeds, Epil) and a long Gibbs run (salamanders).

A mean may lie 4 Monte Carlo standard errors of our own from what is printed, or a twentieth of a posterior standard
deviation if that is more (the other program has a Monte Carlo error too), plus half a unit of its last digit. What is
printed of a standard deviation comes out of some thousand correlated draws: 5 % of it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg

pytestmark = pytest.mark.mcmc

REFERENCE = Path(__file__).parents[2] / "reference" / "salamander_gibbs.csv"
#: The vague prior of a precision in the examples of BUGS.
VAGUE = {"dist": "Gamma", "alpha": 0.001, "beta": 0.001, "on": "precision"}
HALF_UNIT = 0.0005


def assert_printed(posterior: bg.Posterior, printed: dict[str, tuple[float, float]], sd_tolerance: float) -> None:
    assert posterior.check().converged, posterior.check()
    found = posterior.summary().loc[list(printed)]
    mean, sd = np.array(list(printed.values())).T
    allowed = np.maximum(4 * found["mcse_mean"], 0.05 * sd) + HALF_UNIT
    off = (found["mean"] - mean).abs()
    assert (off < allowed).all(), pd.DataFrame({"found": found["mean"], "printed": mean, "allowed": allowed})
    off = (found["sd"] - sd).abs()
    assert (off < sd_tolerance * sd + HALF_UNIT).all(), pd.DataFrame({"found": found["sd"], "printed": sd})


@pytest.mark.parametrize(
    ("prior", "printed"),
    [
        (
            {"dist": "Uniform", "lower": 0, "upper": 10},
            {
                "Intercept": (-0.548, 0.214),
                "seed[O73]": (0.060, 0.348),
                "extract[cucumber]": (1.360, 0.308),
                "seed[O73]:extract[cucumber]": (-0.834, 0.485),
                "sd(plate)": (0.354, 0.149),
            },
        ),
        (
            VAGUE,
            {
                "Intercept": (-0.552, 0.193),
                "seed[O73]": (0.078, 0.315),
                "extract[cucumber]": (1.354, 0.275),
                "seed[O73]:extract[cucumber]": (-0.820, 0.437),
            },
        ),
    ],
    ids=["uniform sd", "gamma precision"],
)
def test_seeds_of_bugs(prior, printed):
    """Spiegelhalter et al. (1996), Examples Volume 1: a binomial model with an effect of each of 21 plates."""
    model = bg.GLMM(
        "y | trials(n) ~ seed * extract + (1 | plate)",
        bg.load_dataset("seeds"),
        family="binomial",
        priors={"beta": ("Normal", {"mu": 0, "sigma": 1000}), "sd": prior},
    )
    # Draws enough for the data, and for a divergence in the far tail of such priors not to decide the test.
    assert_printed(model.sample(draws=2500, target_accept=0.9, seed=1, progress=False), printed, 0.05)


def centred_epilepsy() -> pd.DataFrame:
    """Return the columns of BUGS: logarithms, treatment, visit 4 and the interaction, each less its mean."""
    data = bg.load_dataset("epilepsy")
    base, treated = np.log(data["base"] / 4), (data["trt"] == "progabide").astype(float)
    columns = {"Base": base, "Trt": treated, "BT": base * treated, "Age": np.log(data["age"]), "V4": data["v4"]}
    centred = {name: column - column.mean() for name, column in columns.items()}
    return pd.DataFrame(
        {**centred, "y": data["y"], "subject": data["subject"], "row": np.arange(len(data)).astype(str)}
    )


def test_epilepsy_of_bugs():
    """Spiegelhalter et al. (1996), Examples Volume 1, Breslow & Clayton's model III: subjects, single counts."""
    model = bg.GLMM(
        "y ~ Base + Trt + BT + Age + V4 + (1 | subject) + (1 | row)",
        centred_epilepsy(),
        family="poisson",
        priors={"beta": ("Normal", {"mu": 0, "sigma": 100}), "sd": VAGUE},
    )
    printed = {
        "Base": (0.873, 0.133),
        "Trt": (-0.947, 0.435),
        "sd(subject)": (0.500, 0.071),
        "sd(row)": (0.363, 0.044),
    }
    # The first mean is 0.8797 (0.0001) and its sd 0.1388 (0.0001), by 24 runs of 80,000 draws: the mean lies near where
    # a twentieth of an sd ends (0.0067 of 0.0072), and the printed sd is 4 % smaller (we allow 7 %). Draws enough to
    # know both, so that the seed does not decide.
    assert_printed(model.sample(draws=60_000, seed=2, progress=False), printed, 0.07)


def test_salamanders_by_gibbs_sampling_at_the_default_settings(salamander_model):
    """JAGS, 80,000 draws: see tests/reference/README.md."""
    reference = pd.read_csv(REFERENCE, index_col="parameter")
    found = salamander_model.sample(draws=4000, tune=200, chains=4, target_accept=0.8, seed=3, progress=False)
    assert found.check().converged, found.check()
    ours = found.summary().loc[reference.index]
    allowed = np.maximum(4 * np.hypot(ours["mcse_mean"], reference["mcse_mean"]), 0.05 * reference["sd"])
    assert ((ours["mean"] - reference["mean"]).abs() < allowed).all()
    # Some 8,000 effective draws of ours know an sd to 1 %.
    np.testing.assert_allclose(ours["sd"], reference["sd"], rtol=0.05)
