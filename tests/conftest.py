"""Makes `support` importable; models and posteriors that several test files share, each sampled once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

import bayesglmm as bg

MODELS = Path(__file__).parent.parent / "models"


@pytest.fixture(scope="session")
def salamander_model() -> bg.GLMM:
    """Model A with the priors of its specification file."""
    return bg.read_model(MODELS / "salamander.toml")


@pytest.fixture(scope="session")
def salamander_posterior(salamander_model: bg.GLMM) -> bg.Posterior:
    """2000 draws of model A."""
    return salamander_model.sample(draws=500, tune=500, chains=4, seed=1986, progress=False)


@pytest.fixture(scope="session")
def sleepstudy_model() -> bg.GLMM:
    """Correlated intercepts and slopes, default priors."""
    return bg.GLMM("reaction ~ days + (1 + days | subject)", bg.load_dataset("sleepstudy"))


@pytest.fixture(scope="session")
def sleepstudy_posterior(sleepstudy_model: bg.GLMM) -> bg.Posterior:
    """2000 draws."""
    return sleepstudy_model.sample(draws=500, tune=500, chains=4, seed=7, progress=False)
