"""Settings: defaults, numbers of any integer type, and every refusal at once."""

from __future__ import annotations

import os

import numpy as np
import pytest

import bayesglmm as bg
from bayesglmm.bayes.settings import SAMPLERS, SampleSettings


def test_defaults():
    settings = SampleSettings.checked()
    assert (settings.draws, settings.chains, settings.sampler) == (1000, 4, "auto")
    assert settings.cores == min(4, os.cpu_count())
    assert settings.tune is None  # what the coordinates need
    assert 0 <= settings.seed < 2**31
    assert SampleSettings.checked().seed != SampleSettings.checked().seed


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_has_a_warm_up_of_its_own(sampler):
    assert sampler == "auto" or SampleSettings.checked(sampler=sampler).tune >= 100
    assert SampleSettings.checked(sampler=sampler, tune=7).tune == 7


def test_numpy_numbers_are_numbers():
    settings = SampleSettings.checked(
        draws=np.int64(10), chains=np.int32(2), seed=np.uint8(3), target_accept=np.float32(0.75), max_depth=np.int8(5)
    )
    assert (settings.draws, settings.chains, settings.seed, settings.max_depth) == (10, 2, 3, 5)
    assert settings.target_accept == 0.75
    assert all(type(v) in (int, float, str, bool, type(None)) for v in vars(settings).values())


def test_no_more_cores_than_chains():
    assert SampleSettings.checked(chains=2, cores=8).cores == 2
    assert SampleSettings.checked(chains=2, cores=1).cores == 1


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        *(
            ("draws", v, "is not a whole number of at least 1; give one.")
            for v in (0, -5, 10.0, "10", True, None, np.nan)
        ),
        *(("chains", v, "is not a whole number of at least 1; give one.") for v in (0, None)),
        *((name, v, "is not a whole number of at least 1; give one.") for name in ("tune", "cores") for v in (0, 1.5)),
        *(("max_depth", v, "is not a whole number from 1 to 20; 10 is the usual choice.") for v in (0, 21, 5.5, None)),
        *(("seed", v, "is not a whole number from 0 to 2**63 - 1") for v in (-1, 2**63, 1.0, "x", True)),
        *(
            ("target_accept", v, "is not a number from 0.5 to below 1; 0.8 is the usual choice.")
            for v in (0.4, 1.0, 95, "0.9", True, np.nan)
        ),
        *(("progress", v, "is neither True nor False") for v in ("no", 1, None)),
        *(("sampler", v, "is not one of auto, pymc, nutpie, numpyro, blackjax.") for v in ("stan", None, ["auto"], 3)),
    ],
)
def test_what_is_out_of_range_is_refused(setting, value, words):
    with pytest.raises(bg.SpecificationError) as caught:
        SampleSettings.checked(**{setting: value})
    (problem,) = caught.value.problems
    assert problem.where == setting
    assert words in problem.message
    assert repr(value) in problem.message


def test_the_nearest_sampler_is_offered():
    with pytest.raises(bg.SpecificationError, match=r"Did you mean 'numpyro'\?"):
        SampleSettings.checked(sampler="NumPyro2")


def test_everything_that_is_wrong_is_said_at_once(salamander_model):
    with pytest.raises(bg.SpecificationError) as caught:
        salamander_model.sample(draws=0, chains=-1, seed=1.5, target_accept=2, max_depth=99, sampler="nuts", cores=0)
    assert [p.where for p in caught.value.problems] == [
        *("draws", "chains", "cores", "max_depth", "seed", "target_accept", "sampler"),
    ]
    assert str(caught.value).startswith("7 problems:")


def test_what_nobody_gave_is_what_the_density_needs() -> None:
    settings = SampleSettings.checked(seed=1)
    assert settings.target_accept is None
    completed = settings.completed(200, 0.9)
    assert (completed.tune, completed.target_accept) == (200, 0.9)
    given = SampleSettings.checked(seed=1, tune=50, target_accept=0.7)
    assert given.completed(200, 0.9) == given
    assert SampleSettings.checked(seed=1, sampler="pymc").target_accept == 0.8
