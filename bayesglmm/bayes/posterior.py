"""The result of sampling: a labelled tree, its verdict, summaries in one schema, saved and loaded without pickle."""

from __future__ import annotations

import functools
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
import xarray as xr

from bayesglmm.bayes.diagnostics import Diagnostics, diagnose
from bayesglmm.bayes.labels import Labelled, labelled_draws
from bayesglmm.bayes.record import ModelRecord
from bayesglmm.bayes.settings import checked_seed
from bayesglmm.bayes.verdict import Verdict, judge
from bayesglmm.left_out import rows_words
from bayesglmm.schema import TIDY_DIAGNOSTICS, number, tail_probabilities, tidy_frame

if TYPE_CHECKING:
    from bayesglmm.bayes.verify import Agreement
    from bayesglmm.model import GLMM

__all__ = ["Posterior"]


@dataclass(frozen=True, eq=False)
class Posterior:
    """Draws from the posterior distribution of a model.

    Attributes
    ----------
    tree : DataTree
        ArviZ's schema: ``posterior`` (``beta``, ``sd_*``, ``cor_*``, ``u_*``, the dispersion), ``sample_stats``,
        ``observed_data``, ``constant_data``; everything in ArviZ works on it. Its attributes hold the specification,
        the priors, versions, seed and times, so that a saved posterior needs nothing beside it.

    Notes
    -----
    Group effects are many, and the summaries here leave them out unless asked (``group=True``). ArviZ shows every
    variable; it leaves them out when told so: ``arviz.summary(posterior.tree, var_names="~^u_", filter_vars="regex")``,
    and the same two arguments in its plots.
    """

    tree: xr.DataTree

    method: ClassVar[str] = "nuts"
    estimand: ClassVar[str] = "conditional"
    heading: ClassVar[str] = "posterior mean (sd)"
    reference: ClassVar[str] = ""

    @functools.cached_property
    def record(self) -> ModelRecord:
        """The model: names, family, link, priors."""
        return ModelRecord.from_json(self.tree.attrs["model"])

    @property
    def formula(self) -> str:
        """The model's formula."""
        return self.record.formula

    @property
    def residual(self) -> str:
        """The residual structure; empty where residuals are independent."""
        return "" if self.record.residual is None else self.record.residual.text

    @property
    def beside(self) -> Mapping[str, str]:
        """What was specified beside the formula: texts of ``residuals``, ``dispersion`` and ``zero``, where given."""
        return self.record.beside

    @property
    def family(self) -> str:
        """The response's family."""
        return self.record.family

    @property
    def fingerprint(self) -> str:
        """What tells one data set from another: SHA-256 of the values that the model uses."""
        return str(self.tree.attrs.get("data_fingerprint", ""))

    @property
    def left_out(self) -> tuple[str, ...]:
        """Labels of the rows that were left out for missing values, as text."""
        constants = self.tree["constant_data"].to_dataset()
        return tuple(constants["left_out"].values.tolist()) if "left_out" in constants else ()

    @functools.cached_property
    def _labelled(self) -> tuple[Labelled, ...]:
        return tuple(labelled_draws(self.record, self.tree["posterior"].to_dataset(), group=True))

    @functools.cached_property
    def diagnostics(self) -> Diagnostics:
        """R-hat, effective sample sizes and Monte Carlo errors of every scalar, group effects included."""
        return diagnose(self._labelled)

    @functools.cached_property
    def _verdict(self) -> Verdict:
        notes = tuple(json.loads(self.tree.attrs.get("notes", "[]")))
        if self.tree.attrs.get("interrupted"):
            notes += (_kept_words(self.tree),)
        fallback = str(self.tree["sample_stats"].attrs.get("sampler_fallback", ""))
        return judge(self.diagnostics, self.tree["sample_stats"].to_dataset(), notes, fallback)

    def check(self) -> Verdict:
        """Return the verdict: converged, doubtful or failed, with the worst coordinates and what to do about each."""
        return self._verdict

    def verify(self, model: GLMM) -> Agreement:
        """Compare the compiled density with the PyMC graph at the draws where each parameter is smallest and largest.

        At most 50 draws; their parameters are mapped back to the unconstrained coordinates of both. Draws whose
        coordinates cannot be had back (a standard deviation all but 0) are left out and counted.

        Parameters
        ----------
        model : GLMM
            The model that the posterior was sampled from; a loaded posterior needs it made again from the same data.

        Returns
        -------
        Agreement
            Number of draws and largest difference; printed, it says so in a line.

        Raises
        ------
        BayesGLMMError
            The densities differ by more than rounding, or no draw could be compared.
        SpecificationError
            The posterior is of another model or other data, or was sampled from a graph that was given.
        """
        from bayesglmm.bayes.verify import verify_draws

        return verify_draws(self, model.design, model.parameters, lambda: model.pymc).checked()

    def tidy(self, level: float = 0.95, group: bool = False) -> pd.DataFrame:
        """Return one row a parameter in the schema that every result shares.

        Parameters
        ----------
        level : float
            Probability of the equal-tailed interval ``lower``, ``upper``.
        group : bool
            Whether group effects are listed too.

        Raises
        ------
        SpecificationError
            A level outside 0 to 1.

        Returns
        -------
        DataFrame
            term, name, estimate (posterior mean), std_error (posterior sd), lower, upper, level, method, estimand,
            r_hat, ess_bulk, ess_tail, mcse_mean.
        """
        tails = tail_probabilities(level)
        rows = [k for k, item in enumerate(self._labelled) if group or item.term != "group"]
        draws = [self._labelled[k].draws for k in rows]
        bounds = [np.quantile(d, tails) for d in draws]
        frame = tidy_frame(
            terms=[self._labelled[k].term for k in rows],
            names=[self._labelled[k].name for k in rows],
            estimates=[float(d.mean()) for d in draws],
            std_errors=[float(d.std(ddof=1)) if d.size > 1 else np.nan for d in draws],
            lower=[float(b[0]) for b in bounds],
            upper=[float(b[1]) for b in bounds],
            level=level,
            method=self.method,
            estimand=self.estimand,
        )
        for name in TIDY_DIAGNOSTICS:
            frame[name] = getattr(self.diagnostics, name)[rows]
        return frame

    def summary(self, level: float = 0.95, group: bool = False) -> pd.DataFrame:
        """Return mean, sd, interval and convergence figures by name; ``attrs["verdict"]`` holds the verdict."""
        tidy = self.tidy(level, group).set_index("name")
        percent = f"{100 * level:g}%"
        renamed = {"estimate": "mean", "std_error": "sd", "lower": f"lower {percent}", "upper": f"upper {percent}"}
        columns = ["estimate", "std_error", "lower", "upper", *TIDY_DIAGNOSTICS]
        frame = tidy[columns].rename(columns=renamed)
        frame.attrs["verdict"] = str(self.check())
        return frame

    def with_log_likelihood(self, memory: float = 1e9) -> Posterior:
        """Return this posterior with a ``log_likelihood`` group (what `arviz.loo` needs).

        Where residuals correlate, a row's is that given the rows before it in its residual group: they add up to the
        log-likelihood of all rows, and leaving one out of them is no leave-one-out prediction.

        Parameters
        ----------
        memory : float
            Bytes that the group may take; chains x draws x rows x 8.

        Raises
        ------
        SamplingError
            The group would be larger; the message says how large.
        """
        from bayesglmm.bayes.pointwise import log_likelihood_group

        return self._with_group("log_likelihood", log_likelihood_group(self, memory))

    def with_log_prior(self) -> Posterior:
        """Return this posterior with a ``log_prior`` group (`arviz.psense_summary` needs it and the likelihood)."""
        from bayesglmm.bayes.pointwise import log_prior_group

        return self._with_group("log_prior", log_prior_group(self))

    def with_posterior_predictive(self, seed: int | None = None, memory: float = 1e9) -> Posterior:
        """Return this posterior with a ``posterior_predictive`` group: one replicated data set a draw.

        Parameters
        ----------
        seed : int, optional
            Seed of the replications; the run's own seed if left out.
        memory : float
            Bytes that the group may take.

        Raises
        ------
        SamplingError
            The group would be larger; the message says how large.
        SpecificationError
            A seed out of range.
        """
        from bayesglmm.bayes.predictive import posterior_predictive_group

        chosen = int(self.tree.attrs["seed"]) if seed is None else checked_seed(seed)
        return self._with_group("posterior_predictive", posterior_predictive_group(self, chosen, memory))

    def _with_group(self, name: str, dataset: xr.Dataset) -> Posterior:
        groups = {child: node.to_dataset() for child, node in self.tree.children.items()}
        tree = xr.DataTree.from_dict({**groups, name: dataset})
        tree.attrs = dict(self.tree.attrs)
        return Posterior(tree)

    def save(self, path: str | Path) -> Path:
        """Write the tree to a netCDF file (HDF5, no pickle); an old file is replaced whole."""
        from bayesglmm.bayes.store import save_posterior

        return save_posterior(self, Path(path))

    def __repr__(self) -> str:
        text = self.summary().to_string(float_format=lambda v: number(v, 3))
        return f"Posterior of {self.record.title}{self._rows()}\n{self.check()}\n\n{text}"

    def _rows(self) -> str:
        """Say how many rows were left out, if any were."""
        used = self.tree["observed_data"].sizes["row"]
        return f", {rows_words(used, self.left_out)}" if self.left_out else ""

    def _repr_html_(self) -> str:
        table = self.summary().to_html(float_format=lambda v: number(v, 3), border=0)
        head = f"<p><code>{html.escape(self.record.title)}</code>{html.escape(self._rows())}</p>"
        return f"{head}<pre>{html.escape(str(self.check()))}</pre>{table}"


def _kept_words(tree: xr.DataTree) -> str:
    """Say what an interrupted run kept."""
    chains, draws = tree["sample_stats"].sizes["chain"], tree["sample_stats"].sizes["draw"]
    return (
        f"the run was interrupted: kept {chains} of {tree.attrs['chains']} chains, "
        f"{draws} of {tree.attrs['draws']} draws of each."
    )
