"""The verdict above every summary: converged, doubtful or failed; what is worst, by name, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np
import xarray as xr

from bayesglmm.bayes.diagnostics import Diagnostics

__all__ = ["Finding", "Verdict", "VerdictStatus", "judge"]


class VerdictStatus(Enum):
    """How far a posterior may be trusted; ``meaning`` says it in words."""

    CONVERGED = "converged"
    DOUBTFUL = "doubtful"
    FAILED = "failed"

    @property
    def meaning(self) -> str:
        """One sentence on what the status allows."""
        return {
            VerdictStatus.CONVERGED: "every check passed; the draws may be used.",
            VerdictStatus.DOUBTFUL: "a check is off; read the findings before using the figures.",
            VerdictStatus.FAILED: "the draws do not represent the posterior; do not use them.",
        }[self]


@dataclass(frozen=True)
class Finding:
    """One check that did not pass.

    Attributes
    ----------
    check : str
        ``r_hat``, ``ess_bulk``, ``ess_tail``, ``divergences``, ``tree_depth``, ``energy``, ``chains`` or ``note``.
    status : VerdictStatus
        How serious it is by itself.
    message : str
        The figure, the worst parameters by name, and what to do.
    """

    check: str
    status: VerdictStatus
    message: str


@dataclass(frozen=True)
class Verdict:
    """Outcome of all checks.

    Attributes
    ----------
    status : VerdictStatus
        The most serious finding's, or converged.
    findings : tuple of Finding
        What did not pass, most serious first.
    headline : str
        Figures of the run in one line.
    """

    status: VerdictStatus
    findings: tuple[Finding, ...]
    headline: str

    @property
    def converged(self) -> bool:
        """Whether every check passed."""
        return self.status is VerdictStatus.CONVERGED

    def __str__(self) -> str:
        lines = [f"{self.status.value}: {self.headline}"]
        return "\n".join(lines + [f"  - {f.message}" for f in self.findings])


def judge(diagnostics: Diagnostics, statistics: xr.Dataset, notes: tuple[str, ...] = ()) -> Verdict:
    """Judge a posterior by R-hat < 1.01, bulk and tail ESS >= 100 a chain, divergences, energy and tree depth.

    Parameters
    ----------
    diagnostics : Diagnostics
        Figures of every scalar, group effects included.
    statistics : Dataset
        ``sample_stats``.
    notes : tuple of str
        What the sampler wants known; each makes the verdict doubtful.
    """
    chains, draws = statistics.sizes["chain"], statistics.sizes["draw"]
    findings: list[Finding] = [Finding("note", VerdictStatus.DOUBTFUL, note) for note in notes]
    if chains < 2:
        message = "one chain cannot show that it forgot its start: sample with chains=4."
        findings.append(Finding("chains", VerdictStatus.DOUBTFUL, message))
    findings += _mixing(diagnostics, chains)
    findings += _trajectories(statistics, chains * draws)
    order = [VerdictStatus.FAILED, VerdictStatus.DOUBTFUL]
    findings.sort(key=lambda f: order.index(f.status))
    status = findings[0].status if findings else VerdictStatus.CONVERGED
    return Verdict(status, tuple(findings), _headline(diagnostics, statistics, chains, draws))


def _headline(diagnostics: Diagnostics, statistics: xr.Dataset, chains: int, draws: int) -> str:
    words = [f"{chains} chains x {draws} draws"]
    if diagnostics.names and np.isfinite(diagnostics.r_hat).any():
        words.append(f"largest R-hat {np.nanmax(diagnostics.r_hat):.3f}")
        words.append(f"smallest ESS {np.nanmin(diagnostics.ess_bulk):.0f} (bulk)")
        words.append(f"{np.nanmin(diagnostics.ess_tail):.0f} (tail)")
    if "diverging" in statistics:
        words.append(f"{int(statistics['diverging'].sum())} divergences")
    return ", ".join(words)


def _mixing(diagnostics: Diagnostics, chains: int) -> list[Finding]:
    if not diagnostics.names:
        return []
    findings = []
    unknown = ~np.isfinite(diagnostics.ess_bulk)
    if unknown.any():
        words = _worst(diagnostics, unknown.astype(float), lambda _: "no variation", 0.5)
        message = f"draws that do not move or are not finite: {words}. Check the priors and the scale of the columns."
        findings.append(Finding("ess_bulk", VerdictStatus.FAILED, message))
    r_hat = np.nan_to_num(diagnostics.r_hat, nan=1.0)
    if (r_hat >= 1.01).any():
        status = VerdictStatus.FAILED if r_hat.max() > 1.05 else VerdictStatus.DOUBTFUL
        words = _worst(diagnostics, r_hat, "{:.3f}".format, 1.01)
        remedy = "Chains disagree: sample longer (tune=2000, draws=2000), and look at a trace plot of these."
        findings.append(Finding("r_hat", status, f"R-hat above 1.01 for {words}. {remedy}"))
    for check, values in (("ess_bulk", diagnostics.ess_bulk), ("ess_tail", diagnostics.ess_tail)):
        a_chain = np.nan_to_num(values, nan=np.inf) / chains
        if (a_chain < 100).any():
            status = VerdictStatus.FAILED if a_chain.min() < 10 else VerdictStatus.DOUBTFUL
            words = _worst(diagnostics, -a_chain, lambda v: f"{-v * chains:.0f}", -100)
            factor = int(np.ceil(110 / max(a_chain.min(), 1.0)))
            remedy = f"Sample about {factor} times as many draws, or give weakly identified parameters a tighter prior."
            kind = check.removeprefix("ess_")
            findings.append(Finding(check, status, f"{kind} ESS below {100 * chains} for {words}. {remedy}"))
    return findings


def _worst(diagnostics: Diagnostics, badness: np.ndarray, show: Callable[[float], str], above: float) -> str:
    order = [int(k) for k in np.argsort(-badness, kind="stable") if badness[k] >= above]
    shown = ", ".join(f"{diagnostics.names[k]} ({show(float(badness[k]))})" for k in order[:3])
    more = len(order) - 3
    return f"{shown} and {more} more" if more > 0 else shown


def _trajectories(statistics: xr.Dataset, total: int) -> list[Finding]:
    findings = []
    if "diverging" in statistics and (count := int(statistics["diverging"].sum())):
        status = VerdictStatus.FAILED if count > 0.01 * total else VerdictStatus.DOUBTFUL
        message = (
            f"{count} of {total} draws ended in a divergence: the sampler met curvature that it cannot follow, and the "
            "posterior may be cut off there. Raise target_accept to 0.95; if they stay, give standard deviations a "
            "prior that keeps away from 0 or infinity."
        )
        findings.append(Finding("divergences", status, message))
    if "reached_max_treedepth" in statistics and (count := int(statistics["reached_max_treedepth"].sum())) > 0.01 * total:
        message = (
            f"{count} of {total} draws used the longest trajectory allowed: sampling is slow, not wrong. Rescale columns "
            "(scale(x)) or raise max_depth."
        )
        findings.append(Finding("tree_depth", VerdictStatus.DOUBTFUL, message))
    if "energy" in statistics and statistics.sizes["draw"] > 10:
        bfmi = _bfmi(statistics["energy"].values)
        if (bfmi < 0.3).any():
            message = (
                f"energy: BFMI {bfmi.min():.2f} in chain {int(bfmi.argmin())} (below 0.3): the tails are explored slowly. "
                "Sample longer with a longer warm-up, or tighten the priors of standard deviations."
            )
            findings.append(Finding("energy", VerdictStatus.DOUBTFUL, message))
    return findings


def _bfmi(energy: np.ndarray) -> np.ndarray:
    """Return the Bayesian fraction of missing information of each chain (Betancourt 2016), shape (chains,)."""
    return np.mean(np.diff(energy, axis=1) ** 2, axis=1) / np.var(energy, axis=1, ddof=1)
