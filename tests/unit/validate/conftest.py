"""A clean frame of 60 rows, and what is said about a model of it: errors, or warnings."""

import warnings

import numpy as np
import pandas as pd
import pytest

from bayesglmm.build import build_design
from bayesglmm.errors import DataError, DataWarning
from bayesglmm.spec import ModelSpec


@pytest.fixture
def clean():
    rng = np.random.default_rng(1986)
    n = 60
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(size=n),
            "z": rng.normal(size=n),
            "dose": rng.uniform(1.0, 5.0, n),
            "f": list("abc") * 20,
            "g": [f"g{k % 12}" for k in range(n)],
            "deaths": rng.poisson(3.0, n),
            "b": rng.integers(0, 2, n),
            "trials": np.full(n, 20),
        },
        index=range(1, n + 1),
    )


@pytest.fixture
def errors():
    """Text of every problem that building the design raises."""

    def said(formula, data, **spec):
        with pytest.raises(DataError) as caught:
            build_design(ModelSpec(formula=formula, **spec), data)
        return [str(problem) for problem in caught.value.problems]

    return said


@pytest.fixture
def cautions():
    """Text of every warning of a design that can be built."""

    def said(formula, data, **spec):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            build_design(ModelSpec(formula=formula, **spec), data)
        assert all(issubclass(w.category, DataWarning) for w in caught)
        return [str(w.message) for w in caught]

    return said


@pytest.fixture
def design():
    """A design, whatever it warns of."""

    def built(formula, data, **spec):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            return build_design(ModelSpec(formula=formula, **spec), data)

    return built
