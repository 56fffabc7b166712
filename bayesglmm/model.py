"""A model: one specification with its data, two verbs. Nothing on it changes after it is made."""

from __future__ import annotations

import functools
import html
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from bayesglmm.build import build_design
from bayesglmm.covariance import read_relationships
from bayesglmm.design import Design
from bayesglmm.parameters import Parameters, build_parameters
from bayesglmm.spec import ModelSpec

if TYPE_CHECKING:
    import xarray as xr

    from bayesglmm.bayes.posterior import Posterior
    from bayesglmm.frequentist.fit import Fit

__all__ = ["GLMM", "read_model"]


class GLMM:
    """A generalized linear mixed model of a data frame.

    Parameters
    ----------
    formula : str
        ``"mated ~ 0 + cross + (1 | female) + (1 | male)"``; lme4's and Bambi's notation, never evaluated.
    data : DataFrame
        One row an observation. It is neither changed nor kept.
    family : str
        ``"gaussian"``, ``"bernoulli"``, ``"binomial"``, ``"poisson"``, ``"negative_binomial"``, ``"gamma"``,
        ``"beta"``, ``"beta_binomial"``, ``"student_t"``, ``"cumulative"`` (ordered categories),
        ``"zero_inflated_poisson"``, ``"zero_inflated_negative_binomial"`` or ``"hurdle_poisson"``.
    link : str, optional
        The family's default link if left out.
    priors : mapping, optional
        Priors by parameter: ``{"beta": ("Normal", {"mu": 0, "sigma": 2.5}), "sd(female)": ...}``; the most specific key
        wins, the rest have defaults scaled to the data.
    dispersion : str, optional
        Formula of the logarithm of the dispersion parameter: ``"~ 0 + sex"`` gives each sex a sigma of its own. Beside
        ``residual`` these are the standard deviations of the residuals that correlate.
    zero : str, optional
        Formula of the logit of the zero part's probability, for zero-inflated and hurdle families; ``"~ 1"`` if left
        out.
    residual : str, optional
        How residuals of one group correlate, for gaussian responses: ``"ar1(week | patient)"`` (rho to the power of the
        time between two rows, whole-number times or ordered categories, or ``1`` for the order of the rows),
        ``"car1(time | patient)"`` (real times), ``"cs(1 | patient)"`` (one correlation), ``"us(visit | patient)"`` (a
        correlation for every two visits; with ``dispersion="~ 0 + C(visit)"`` any covariance of them); independent if
        left out, or ``"iid"``. Classical methods: ml and reml.
    known_covariances : mapping, optional
        Covariances of levels that the formula names, ``known(1 | animal, "A")``: a DataFrame with the levels in rows
        and columns, or a pair (matrix, names) of a NumPy array or scipy.sparse matrix. Levels of the data must be
        among the names; names without rows are predicted too.
    weights : str, optional
        Column of positive numbers that multiply the rows' log-likelihoods.
    missing : {"raise", "drop"}
        What to do with rows that have a missing value in a column of the model.

    Raises
    ------
    FormulaError, SpecificationError, DataError
        Everything that is wrong with the formula, the specification or the data.

    Examples
    --------
    >>> import bayesglmm as bg
    >>> model = bg.GLMM("y ~ x + (1 | g)", data)  # doctest: +SKIP
    >>> posterior = model.sample(seed=1)  # doctest: +SKIP
    >>> bg.compare(posterior, model.fit("laplace"))  # doctest: +SKIP
    """

    def __init__(
        self,
        formula: str,
        data: pd.DataFrame,
        *,
        family: str = "gaussian",
        link: str | None = None,
        priors: Mapping[str, Any] | None = None,
        residual: str | None = None,
        dispersion: str | None = None,
        zero: str | None = None,
        weights: str | None = None,
        missing: str = "raise",
        known_covariances: Mapping[str, Any] | None = None,
    ) -> None:
        given = {
            "formula": formula,
            "family": family,
            "link": link,
            "priors": {} if priors is None else priors,
            "residual": residual,
            "dispersion": dispersion,
            "zero": zero,
            "weights": weights,
            "missing": missing,
        }
        left_out = {"link", "residual", "dispersion", "zero", "weights"}
        spec = ModelSpec(**{k: v for k, v in given.items() if v is not None or k not in left_out})
        self._hold(spec, data, {}, known_covariances)

    @classmethod
    def from_spec(
        cls,
        spec: ModelSpec,
        data: pd.DataFrame,
        sample: Mapping[str, Any] | None = None,
        known_covariances: Mapping[str, Any] | None = None,
    ) -> GLMM:
        """Make a model from a checked specification and its data; ``sample`` holds defaults for `GLMM.sample`."""
        model = cls.__new__(cls)
        model._hold(spec, data, sample or {}, known_covariances)
        return model

    def _hold(
        self, spec: ModelSpec, data: pd.DataFrame, sample: Mapping[str, Any], known: Mapping[str, Any] | None
    ) -> None:
        self._design = build_design(spec, data, read_relationships(spec.formula, known))
        self._parameters = build_parameters(self._design)
        self._sample = {name: value for name, value in sample.items() if value is not None}

    @property
    def spec(self) -> ModelSpec:
        """The specification."""
        return self._design.spec

    @property
    def design(self) -> Design:
        """The specification met with its data."""
        return self._design

    @property
    def parameters(self) -> Parameters:
        """Every parameter's prior."""
        return self._parameters

    @property
    def pymc(self) -> Any:
        """The model as a `pm.Model`, built when first asked for."""
        return self._graph

    @functools.cached_property
    def _graph(self) -> Any:
        from bayesglmm.pymc_model import build_pymc_model

        return build_pymc_model(self._design, self._parameters)

    def sample(
        self,
        draws: int | None = None,
        *,
        chains: int | None = None,
        tune: int | None = None,
        seed: int | None = None,
        sampler: str | None = None,
        cores: int | None = None,
        target_accept: float | None = None,
        max_depth: int | None = None,
        progress: bool = True,
        graph: Any = None,
    ) -> Posterior:
        """Sample the posterior with NUTS; no approximation enters.

        What is left out has the value that the specification file gives under ``[sample]``, else the default below.

        Parameters
        ----------
        draws, chains : int, optional
            Draws kept of each chain (1000); chains (4).
        tune : int, optional
            Warm-up iterations of each chain. Left out, ``"auto"`` takes 200 in coordinates from a penalised fit and
            1000 where it has to find a metric; the others have their own defaults.
        seed : int, optional
            The same seed gives the same draws on the same machine; a fresh one is drawn and recorded if left out.
        sampler : {"auto", "pymc", "nutpie", "numpyro", "blackjax"}, optional
            ``"auto"`` (the default) samples the compiled density; the others sample the PyMC graph, to check one
            against another. ``"nutpie"`` moves through the linear map of a penalised fit, as ``"auto"`` does (without a
            fit, in the graph's own coordinates; ``posterior.tree["sample_stats"].attrs`` says which), the others in
            the graph's own.
        cores : int, optional
            Chains that run at a time, as many as there are processors if left out; ``"pymc"`` runs them one by one.
        target_accept : float, optional
            Acceptance rate of NUTS (0.8; 0.9 up to 100 coordinates; swings are refused half as often).
        max_depth : int, optional
            A trajectory has at most ``2**max_depth - 1`` steps (10).
        progress : bool
            Whether a progress bar is shown.
        graph : pm.Model, optional
            A graph to sample in place of the model's own, by one of PyMC's samplers: `pymc` or `to_pymc_code` with
            another prior or likelihood and the same free variables. What the posterior says of priors and family
            afterwards (``with_log_likelihood``, ...) is the unchanged model's.

        Raises
        ------
        SpecificationError
            Settings out of range; a graph whose free variables are not the model's, with those that differ.
        SamplingError
            The sampler could not start, or was interrupted before the first draw.
        """
        from bayesglmm.bayes.sample import sample_posterior
        from bayesglmm.bayes.settings import SampleSettings

        said: dict[str, Any] = {"draws": draws, "chains": chains, "tune": tune, "seed": seed}
        said |= {"sampler": sampler, "cores": cores, "target_accept": target_accept, "max_depth": max_depth}
        given = {name: value for name, value in said.items() if value is not None}
        settings = SampleSettings.checked(**{**self._sample, **given, "progress": progress})
        return sample_posterior(self._design, self._parameters, settings, lambda: self.pymc, graph)

    def fit(self, method: str = "laplace", **options: Any) -> Fit:
        """Fit by a classical method; priors play no part.

        Parameters
        ----------
        method : str
            For gaussian responses with the identity link: ``"ml"``, ``"reml"``. For every family: ``"laplace"``
            (crossed and nested effects), ``"agq"`` (adaptive Gauss-Hermite quadrature; one factor, or nested ones),
            ``"gauss_hermite"`` (the same without adaptation, to compare), ``"mcml"`` (simulated maximum likelihood),
            ``"pql"`` and ``"mql"`` (penalised and marginal quasi-likelihood), ``"gee"`` (population averages) and
            ``"fixed"`` (groups as fixed effects).
        **options
            ``laplace``: ``information`` ("observed", "expected"). ``agq``, ``gauss_hermite``: ``points``. ``mcml``:
            ``draws``, ``tolerance``, ``seed``, ``proposal`` ("mode", "prior"), ``df``, ``max_draws``. ``pql``, ``mql``:
            ``variance`` ("reml", "ml"), ``dispersion``. ``gee``: ``correlation`` ("exchangeable", "independence",
            "ar1", "unstructured"), ``covariance`` ("sandwich", "model"), ``time``.

        Raises
        ------
        SpecificationError
            An unknown method or option, or a method that does not apply to this model.
        FitError
            The fit has no answer.
        """
        from bayesglmm.frequentist.registry import make_estimator, require_residuals

        estimator = make_estimator(method, options)
        require_residuals(method, self._design)
        return estimator.prepare(self._design).fit()

    def prior_predictive(self, draws: int = 500, seed: int | None = None) -> xr.DataTree:
        """Simulate parameters and responses from the prior.

        Parameters
        ----------
        draws : int
            Number of draws.
        seed : int, optional
            Seed of the draws.

        Returns
        -------
        DataTree
            Groups ``prior``, ``prior_predictive`` and ``observed_data``.

        Raises
        ------
        NotAvailableError
            A parameter has a flat prior, from which nothing can be drawn; it is named.
        SpecificationError
            A number of draws or a seed out of range.
        """
        from bayesglmm.bayes.prior import simulate_prior

        return simulate_prior(self._design, self._parameters, draws, seed)

    def equation(self) -> str:
        """Return the model in LaTeX."""
        from bayesglmm.equation import equation

        return equation(self._design)

    def to_pymc_code(self) -> str:
        """Return Python source that, executed alone, builds the same PyMC model."""
        from bayesglmm.pymc_source import pymc_source

        return pymc_source(self._design, self._parameters)

    def to_toml(self) -> str:
        """Return the specification as the ``[model]`` and ``[priors]`` tables of a specification file."""
        return self.spec.to_toml()

    def __repr__(self) -> str:
        from bayesglmm.describe import describe

        return describe(self._design, self._parameters)

    def _repr_html_(self) -> str:
        return f"<p>$$ {html.escape(self.equation())} $$</p><pre>{html.escape(repr(self))}</pre>"


def read_model(path: str | Path) -> GLMM:
    """Read a specification file and its data.

    Parameters
    ----------
    path : str or Path
        A TOML file (DESIGN section 3); ``data.path`` in it is relative to its folder and stays below it.

    Raises
    ------
    SpecificationError
        Everything that is wrong with the file, with line and key.
    DataError
        Everything that is wrong with the data.
    """
    from bayesglmm.specfile import load_data, load_known_covariances, read_specification

    file = read_specification(path)
    return GLMM.from_spec(file.spec, load_data(file), file.sample.arguments(), load_known_covariances(file))
