"""The models that the benchmarks fit, each in the notation of every package, on data that come with bayesglmm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

import bayesglmm as bg

#: Our families as glmm and R call them.
THEIR_FAMILY = {"gaussian": "gaussian", "bernoulli": "binomial", "binomial": "binomial", "poisson": "poisson"}


def as_it_is(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame unchanged."""
    return frame


@dataclass(frozen=True)
class Problem:
    """One model of one data set.

    Attributes
    ----------
    key, title : str
        Name on the command line, heading of its table.
    dataset : str
        As `bg.load_dataset` takes it.
    formula, family, method, options
        As bayesglmm takes them.
    theirs : str
        The formula as glmm, lme4 and glmmTMB take it, where it differs.
    prepare : callable
        Adds the columns that one or the other needs.
    """

    key: str
    title: str
    dataset: str
    formula: str
    family: str = "gaussian"
    method: str = "laplace"
    options: Mapping[str, Any] = field(default_factory=dict)
    theirs: str = ""
    prepare: Callable[[pd.DataFrame], pd.DataFrame] = as_it_is

    @property
    def lme4_formula(self) -> str:
        """The formula in lme4's notation."""
        return self.theirs or self.formula

    @property
    def their_family(self) -> str:
        """The family as glmm and R call it."""
        return THEIR_FAMILY[self.family]

    def frame(self) -> pd.DataFrame:
        """Load the data; every package is given these same columns."""
        return self.prepare(bg.load_dataset(self.dataset))

    def model(self, frame: pd.DataFrame) -> bg.GLMM:
        """Return our model of the data."""
        return bg.GLMM(self.formula, frame, family=self.family)


def with_good(frame: pd.DataFrame) -> pd.DataFrame:
    """InstEval: whether the mark is 4 or 5."""
    return frame.assign(good=(frame["y"] >= 4).astype("int64"))


def with_yes(frame: pd.DataFrame) -> pd.DataFrame:
    """Verbal aggression: the two-valued response as 0 and 1 (glmm takes numbers)."""
    return frame.assign(yes=(frame["r2"] == "Y").astype("int64"))


def with_z(frame: pd.DataFrame) -> pd.DataFrame:
    """Grouse ticks: standardised height (glmm has no scale())."""
    return frame.assign(z=(frame["height"] - frame["height"].mean()) / frame["height"].std())


def with_healthy(frame: pd.DataFrame) -> pd.DataFrame:
    """CBPP: animals that did not fall ill, for cbind()."""
    return frame.assign(healthy=frame["size"] - frame["incidence"])


PROBLEMS = (
    Problem("insteval-reml", "InstEval, REML", "insteval", "y ~ service + (1 | s) + (1 | d)", method="reml"),
    Problem(
        "insteval-bernoulli",
        "InstEval, mark of 4 or 5, Bernoulli, Laplace",
        "insteval",
        "good ~ service + (1 | s) + (1 | d)",
        "bernoulli",
        prepare=with_good,
    ),
    Problem(
        "verbagg",
        "Verbal aggression, Bernoulli, Laplace",
        "verbagg",
        "yes ~ anger + gender + btype + situ + (1 | id) + (1 | item)",
        "bernoulli",
        prepare=with_yes,
    ),
    Problem(
        "grouseticks",
        "Grouse ticks, Poisson, Laplace",
        "grouseticks",
        "ticks ~ year + z + (1 | brood) + (1 | index) + (1 | location)",
        "poisson",
        prepare=with_z,
    ),
    Problem(
        "salamander",
        "Salamanders, Bernoulli, Laplace",
        "salamander",
        "mated ~ 0 + cross + (1 | female) + (1 | male)",
        "bernoulli",
    ),
    Problem(
        "cbpp",
        "CBPP, binomial, Laplace",
        "cbpp",
        "p(incidence, size) ~ period + (1 | herd)",
        "binomial",
        theirs="cbind(incidence, healthy) ~ period + (1 | herd)",
        prepare=with_healthy,
    ),
    Problem(
        "toenail",
        "Toenail, Bernoulli, adaptive quadrature with 25 nodes",
        "toenail",
        "outcome ~ treatment * time + (1 | patient_id)",
        "bernoulli",
        method="agq",
        options={"points": 25},
    ),
    Problem("sleepstudy", "Sleep study, REML", "sleepstudy", "reaction ~ days + (days | subject)", method="reml"),
)


def problem(key: str) -> Problem:
    """Return the problem of this name."""
    return next(p for p in PROBLEMS if p.key == key)
