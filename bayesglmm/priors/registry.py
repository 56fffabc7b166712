"""The distributions that a prior can have: one record each, in PyMC's names and parameterisation.

Nothing here needs numpy, numba or PyMC: modules and random generators are passed in. The compiled log
densities are in `densities.py`, found by `Distribution.code`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from bayesglmm.errors import NotAvailableError
from bayesglmm.priors.correlation import draw_lkj

__all__ = ["DISTRIBUTIONS", "Distribution", "Support"]

Support = Literal["real", "positive", "interval", "correlation"]


@dataclass(frozen=True)
class Distribution:
    """A family of prior distributions.

    Attributes
    ----------
    name : str
        PyMC's name of it.
    code : int
        Word by which compiled code calls it.
    parameters : tuple of str
        PyMC's names of its parameters, at most three, in the order in which compiled code takes them.
    support : {"real", "positive", "interval", "correlation"}
        Where its density is positive.
    positive : tuple of str
        The parameters that must be above 0.
    draw : callable
        (rng, params, size) -> ndarray of shape ``size`` of independent draws; a correlation matrix takes the
        last two entries of ``size``.
    defaults : mapping of str to float
        Values of parameters that need not be said.
    ordered : tuple of (str, str) or None
        Two parameters of which the first must be below the second.
    half_line : str or None
        Name of the distribution that stands for this one when it is the prior of a scale.
    """

    name: str
    code: int
    parameters: tuple[str, ...]
    support: Support
    positive: tuple[str, ...]
    draw: Callable[..., Any] = field(repr=False)
    defaults: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    ordered: tuple[str, str] | None = None
    half_line: str | None = None

    @property
    def is_proper(self) -> bool:
        """Whether it integrates to one."""
        return self.draw is not _no_draws

    def violations(self, params: Mapping[str, float]) -> Iterable[tuple[str, str]]:
        """Yield (parameter, sentence) for each value outside the parameter's range."""
        for name in self.positive:
            if not params[name] > 0:
                yield name, f"{name} = {params[name]:g} is given; {self.name} needs {name} > 0."
        if self.ordered is not None:
            low, high = self.ordered
            if not params[low] < params[high]:
                given = f"{low} = {params[low]:g} and {high} = {params[high]:g} are given"
                yield high, f"{given}; {self.name} needs {low} < {high}."

    def graph(self, pm: Any, pt: Any, name: str, params: Mapping[str, Any], dims: Any = None, **options: Any) -> Any:
        """Return the PyMC random variable ``name``; parameters may be arrays along ``dims``.

        The modules are passed in (this package does not import PyMC). Correlation matrices are built by their
        covariance structure.
        """
        # A Python float that float32 can hold exactly becomes float32 in PyTensor, and so does its logarithm: log(2.5)
        # would be off by 3e-8. Typed constants stay float64.
        typed = {key: pt.constant(value, dtype="float64") for key, value in params.items()}
        return getattr(pm, self.name)(name, dims=dims, **typed, **options)

    def source(self, name: str, params: Mapping[str, Any], dims: str | None = None) -> str:
        """Return Python source of the expression that `graph` evaluates, numbers written in full."""
        given = [repr(name), *(f"{key}=pt.constant({value!r}, dtype='float64')" for key, value in params.items())]
        return f"pm.{self.name}({', '.join(given if dims is None else [*given, f'dims={dims!r}'])})"


def _no_draws(_rng: Any, _params: Mapping[str, float], _size: Any) -> Any:
    raise NotAvailableError(
        "nothing can be drawn from a flat prior: it is not a probability distribution. "
        "To simulate, give the parameter a proper prior, for instance "
        '{dist = "Normal", mu = 0, sigma = 2.5}.'
    )


_RECORDS = (
    Distribution("Flat", 0, (), "real", (), _no_draws, half_line="HalfFlat"),
    Distribution("HalfFlat", 1, (), "positive", (), _no_draws),
    Distribution(
        name="Normal",
        code=2,
        parameters=("mu", "sigma"),
        support="real",
        positive=("sigma",),
        draw=lambda rng, p, size: rng.normal(p["mu"], p["sigma"], size),
        defaults=MappingProxyType({"mu": 0.0}),
    ),
    Distribution(
        name="StudentT",
        code=3,
        parameters=("nu", "mu", "sigma"),
        support="real",
        positive=("nu", "sigma"),
        draw=lambda rng, p, size: p["mu"] + p["sigma"] * rng.standard_t(p["nu"], size),
        defaults=MappingProxyType({"mu": 0.0}),
    ),
    Distribution(
        name="Cauchy",
        code=4,
        parameters=("alpha", "beta"),
        support="real",
        positive=("beta",),
        draw=lambda rng, p, size: p["alpha"] + p["beta"] * rng.standard_cauchy(size),
    ),
    Distribution(
        name="HalfNormal",
        code=5,
        parameters=("sigma",),
        support="positive",
        positive=("sigma",),
        draw=lambda rng, p, size: abs(rng.normal(0.0, p["sigma"], size)),
    ),
    Distribution(
        name="HalfStudentT",
        code=6,
        parameters=("nu", "sigma"),
        support="positive",
        positive=("nu", "sigma"),
        draw=lambda rng, p, size: p["sigma"] * abs(rng.standard_t(p["nu"], size)),
    ),
    Distribution(
        name="HalfCauchy",
        code=7,
        parameters=("beta",),
        support="positive",
        positive=("beta",),
        draw=lambda rng, p, size: p["beta"] * abs(rng.standard_cauchy(size)),
    ),
    Distribution(
        name="Exponential",
        code=8,
        parameters=("lam",),
        support="positive",
        positive=("lam",),
        draw=lambda rng, p, size: rng.exponential(1.0 / p["lam"], size),
    ),
    Distribution(
        name="Gamma",
        code=9,
        parameters=("alpha", "beta"),
        support="positive",
        positive=("alpha", "beta"),
        draw=lambda rng, p, size: rng.gamma(p["alpha"], 1.0 / p["beta"], size),
    ),
    Distribution(
        name="InverseGamma",
        code=10,
        parameters=("alpha", "beta"),
        support="positive",
        positive=("alpha", "beta"),
        draw=lambda rng, p, size: p["beta"] / rng.gamma(p["alpha"], 1.0, size),
    ),
    Distribution(
        name="Uniform",
        code=11,
        parameters=("lower", "upper"),
        support="interval",
        positive=(),
        draw=lambda rng, p, size: rng.uniform(p["lower"], p["upper"], size),
        ordered=("lower", "upper"),
    ),
    Distribution(
        name="LKJ",
        code=12,
        parameters=("eta",),
        support="correlation",
        positive=("eta",),
        draw=lambda rng, p, size: draw_lkj(rng, p["eta"], size),
    ),
)

#: Every distribution by its name.
DISTRIBUTIONS: Mapping[str, Distribution] = MappingProxyType({d.name: d for d in _RECORDS})
