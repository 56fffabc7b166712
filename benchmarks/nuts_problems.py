"""The models whose posteriors are sampled side by side: one formula a package, one set of priors, data of bayesglmm.

Priors are the same for all: Normal(0, width) for coefficients, HalfNormal(sd_width) for standard deviations,
HalfNormal(residual_width) for sigma, LKJ(1) for correlations. The intercept's prior holds at the columns' means in all
three packages (the default of each), with location and scale of bayesglmm's default (`Sampling.intercept`).

Bambi 0.21 has no correlations between group effects: it reads ``(x | g)`` as ``(x || g)``. So every model with slopes
is here twice, with independent effects for everybody and with correlated ones for those who have them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from problems import with_good, with_healthy, with_yes, with_z

import bayesglmm as bg

__all__ = ["PROBLEMS", "Sampling", "sampling"]

#: Mean of HalfNormal(1): an exponential prior (what rstanarm's decov(shape = 1) is) with this mean is the nearest.
HALF_NORMAL_MEAN = math.sqrt(2.0 / math.pi)


def as_it_is(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame unchanged."""
    return frame


def with_logs(frame: pd.DataFrame) -> pd.DataFrame:
    """Epilepsy: logarithms of a quarter of the baseline count and of age, and a factor with one level a row."""
    rows = pd.Categorical(np.arange(1, len(frame) + 1))
    return frame.assign(lbase=np.log(frame["base"] / 4), lage=np.log(frame["age"]), observation=rows)


@dataclass(frozen=True)
class Sampling:
    """One model of one data set, to be sampled by everybody.

    Attributes
    ----------
    key, title : str
        Name on the command line, heading of its table.
    dataset, formula, family : str
        As bayesglmm takes them.
    width, sd_width, residual_width : float
        Scales of the priors of coefficients, of group effects' standard deviations and of sigma.
    residual : float
        Where sigma lies, roughly: rstanarm's prior of standard deviations is in units of sigma.
    bambi, r : str
        The formula as Bambi and rstanarm take it, where it differs.
    absent : str
        Why Bambi cannot take part; empty if it can.
    prepare : callable
        Adds the columns that one or the other needs.
    """

    key: str
    title: str
    dataset: str
    formula: str
    family: str = "gaussian"
    width: float = 2.5
    sd_width: float = 2.5
    residual_width: float = 0.0
    residual: float = 1.0
    bambi: str = ""
    r: str = ""
    absent: str = ""
    prepare: Callable[[pd.DataFrame], pd.DataFrame] = as_it_is

    @property
    def bambi_formula(self) -> str:
        """The formula in Bambi's notation."""
        return self.bambi or self.formula

    @property
    def r_formula(self) -> str:
        """The formula in rstanarm's notation."""
        return self.r or self.formula

    @property
    def decov_scale(self) -> float:
        """Scale of decov(shape = 1) with which an sd has the mean that HalfNormal(sd_width) gives it."""
        return HALF_NORMAL_MEAN * self.sd_width / self.residual

    def frame(self) -> pd.DataFrame:
        """Load the data; every package is given these same columns."""
        return self.prepare(bg.load_dataset(self.dataset))

    def model(self, frame: pd.DataFrame) -> bg.GLMM:
        """Return our model of the data."""
        sd = ("HalfNormal", {"sigma": self.sd_width})
        priors = {"sd": sd} if "|" in self.formula else {}
        if self.family == "gaussian":
            priors["sigma"] = ("HalfNormal", {"sigma": self.residual_width})
        # Coefficients by name, for a prior of beta would be the intercept's too and end its centring.
        names = bg.GLMM(self.formula, frame, family=self.family).design.coefficients
        slopes = {f"beta[{n}]": ("Normal", {"mu": 0.0, "sigma": self.width}) for n in names if n != "Intercept"}
        return bg.GLMM(self.formula, frame, family=self.family, priors=priors | slopes)

    def intercept(self) -> tuple[float, float]:
        """Return location and scale of the intercept's normal prior at the columns' means (nan without one)."""
        parameters = self.model(self.frame()).parameters
        if not parameters.centered:
            return math.nan, math.nan
        return float(parameters.coefficients[0].params["mu"]), float(parameters.coefficients[0].params["sigma"])


NO_CORRELATIONS = "Bambi 0.21 has no correlations between group effects"

PROBLEMS = (
    Sampling(
        "salamander",
        "Salamanders, Bernoulli, crossed",
        "salamander",
        "mated ~ 0 + cross + (1 | female) + (1 | male)",
        "bernoulli",
    ),
    Sampling(
        "cbpp",
        "CBPP, binomial",
        "cbpp",
        "p(incidence, size) ~ period + (1 | herd)",
        "binomial",
        r="cbind(incidence, healthy) ~ period + (1 | herd)",
        prepare=with_healthy,
    ),
    Sampling(
        "wheeze",
        "Wheeze, Bernoulli",
        "wheeze",
        "resp ~ age * smoke + (1 | id)",
        "bernoulli",
    ),
    Sampling(
        "toenail",
        "Toenail, Bernoulli",
        "toenail",
        "outcome ~ treatment * time + (1 | patient_id)",
        "bernoulli",
        sd_width=5.0,
    ),
    Sampling(
        "epilepsy",
        "Epilepsy, Poisson, a level a row",
        "epilepsy",
        "y ~ lbase * trt + lage + v4 + (1 | subject) + (1 | observation)",
        "poisson",
        sd_width=1.0,
        prepare=with_logs,
    ),
    Sampling(
        "grouseticks",
        "Grouse ticks, Poisson, three nested factors",
        "grouseticks",
        "ticks ~ year + z + (1 | brood) + (1 | index) + (1 | location)",
        "poisson",
        sd_width=1.0,
        prepare=with_z,
    ),
    Sampling(
        "verbagg",
        "Verbal aggression, Bernoulli, crossed",
        "verbagg",
        "yes ~ anger + gender + btype + situ + (1 | id) + (1 | item)",
        "bernoulli",
        prepare=with_yes,
    ),
    Sampling(
        "sleepstudy",
        "Sleep study, independent slopes",
        "sleepstudy",
        "reaction ~ days + (days || subject)",
        width=50.0,
        sd_width=50.0,
        residual_width=50.0,
        residual=25.0,
        bambi="reaction ~ days + (days | subject)",
    ),
    Sampling(
        "sleepstudy-correlated",
        "Sleep study, correlated slopes",
        "sleepstudy",
        "reaction ~ days + (days | subject)",
        width=50.0,
        sd_width=50.0,
        residual_width=50.0,
        residual=25.0,
        absent=NO_CORRELATIONS,
    ),
    Sampling(
        "highschool",
        "High school, independent slopes",
        "highschool",
        "math ~ meanses * cses + sector * cses + (cses || school)",
        width=10.0,
        sd_width=5.0,
        residual_width=10.0,
        residual=6.0,
        bambi="math ~ meanses * cses + sector * cses + (cses | school)",
    ),
    Sampling(
        "highschool-correlated",
        "High school, correlated slopes",
        "highschool",
        "math ~ meanses * cses + sector * cses + (cses | school)",
        width=10.0,
        sd_width=5.0,
        residual_width=10.0,
        residual=6.0,
        absent=NO_CORRELATIONS,
    ),
    Sampling(
        "egsingle",
        "Growth in mathematics, children in schools, independent slopes",
        "egsingle",
        "math ~ year + (year || schoolid) + (1 | childid)",
        residual_width=2.5,
        residual=0.6,
        bambi="math ~ year + (year | schoolid) + (1 | childid)",
    ),
    Sampling(
        "egsingle-correlated",
        "Growth in mathematics, children in schools, correlated slopes",
        "egsingle",
        "math ~ year + (year | schoolid) + (1 | childid)",
        residual_width=2.5,
        residual=0.6,
        absent=NO_CORRELATIONS,
    ),
    Sampling(
        "insteval",
        "InstEval, mark of 4 or 5, Bernoulli, crossed",
        "insteval",
        "good ~ service + (1 | s) + (1 | d)",
        "bernoulli",
        prepare=with_good,
    ),
)


def sampling(key: str) -> Sampling:
    """Return the problem of this name."""
    return next(p for p in PROBLEMS if p.key == key)
