"""The verdict above every summary: converged, doubtful or failed; what is worst, by name, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np
import xarray as xr

from bayesglmm.bayes.diagnostics import FEWEST_DRAWS, Diagnostics
from bayesglmm.counting import count

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
        ``r_hat``, ``ess_bulk``, ``ess_tail``, ``variation``, ``divergences``, ``tree_depth``, ``energy``, ``chains``,
        ``draws``, ``note`` or ``coordinates``.
    status : VerdictStatus
        How serious it is by itself; a remark that changes nothing has the status converged.
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


def judge(diagnostics: Diagnostics, statistics: xr.Dataset, notes: tuple[str, ...] = (), fallback: str = "") -> Verdict:
    """Judge a posterior by R-hat < 1.01, bulk and tail ESS >= 100 a chain, divergences, energy and tree depth.

    Parameters
    ----------
    diagnostics : Diagnostics
        Figures of every scalar, group effects included.
    statistics : Dataset
        ``sample_stats``.
    notes : tuple of str
        What the sampler wants known; each makes the verdict doubtful.
    fallback : str
        Why the sampler did without its best coordinates: it says why a run was slow and leaves the verdict as it is.
    """
    chains, draws = statistics.sizes["chain"], statistics.sizes["draw"]
    findings: list[Finding] = [Finding("note", VerdictStatus.DOUBTFUL, note) for note in notes]
    if chains < 2:
        message = "one chain cannot show that it forgot its start: sample with chains=4."
        findings.append(Finding("chains", VerdictStatus.DOUBTFUL, message))
    if draws < FEWEST_DRAWS:
        message = (
            f"{count(draws, 'draw')} a chain {'is' if draws == 1 else 'are'} too few to judge: sample with draws=1000."
        )
        findings.append(Finding("draws", VerdictStatus.FAILED, message))
    else:
        findings += _mixing(diagnostics, chains, draws)
    findings += _trajectories(statistics, chains * draws)
    if fallback:
        findings.append(Finding("coordinates", VerdictStatus.CONVERGED, f"sampled in simpler coordinates: {fallback}."))
    order = [VerdictStatus.FAILED, VerdictStatus.DOUBTFUL, VerdictStatus.CONVERGED]
    findings.sort(key=lambda f: order.index(f.status))
    status = findings[0].status if findings else VerdictStatus.CONVERGED
    return Verdict(status, tuple(findings), _headline(diagnostics, statistics, chains, draws))


def _headline(diagnostics: Diagnostics, statistics: xr.Dataset, chains: int, draws: int) -> str:
    words = [f"{count(chains, 'chain')} x {count(draws, 'draw')}"]
    if np.isfinite(diagnostics.r_hat).any():
        words.append(f"largest R-hat {np.nanmax(diagnostics.r_hat):.3f}")
    if np.isfinite(diagnostics.ess_bulk).any():
        words.append(f"smallest ESS {np.nanmin(diagnostics.ess_bulk):.0f} (bulk)")
        words.append(f"{np.nanmin(diagnostics.ess_tail):.0f} (tail)")
    if "diverging" in statistics:
        words.append(count(int(statistics["diverging"].sum()), "divergence"))
    return ", ".join(words)


def _mixing(diagnostics: Diagnostics, chains: int, draws: int) -> list[Finding]:
    findings = []
    still = ~np.isfinite(diagnostics.ess_bulk)
    if still.any():
        words = _worst(diagnostics, still.astype(float), None, 0.5)
        message = f"draws that do not move or are not finite: {words}. Check the priors and the scale of the columns."
        findings.append(Finding("variation", VerdictStatus.FAILED, message))
    r_hat = np.nan_to_num(diagnostics.r_hat, nan=1.0, posinf=np.inf)
    if (r_hat >= 1.01).any():
        status = VerdictStatus.FAILED if r_hat.max() > 1.05 else VerdictStatus.DOUBTFUL
        words = _worst(diagnostics, r_hat, "{:.3f}".format, 1.01)
        remedy = (
            f"Chains disagree: sample longer (draws={2 * draws}, twice the tune), and look at a trace plot of these."
        )
        findings.append(Finding("r_hat", status, f"R-hat above 1.01 for {words}. {remedy}"))
    findings += _effective(diagnostics, "ess_bulk", chains, draws)
    findings += _effective(diagnostics, "ess_tail", chains, draws)
    return findings


def _effective(diagnostics: Diagnostics, check: str, chains: int, draws: int) -> list[Finding]:
    """Judge one kind of effective sample size, against 100 a chain."""
    ess = np.nan_to_num(getattr(diagnostics, check), nan=np.inf)
    wanted = 100 * chains
    if not (ess < wanted).any():
        return []
    smallest = float(ess.min())
    status = VerdictStatus.FAILED if smallest < 0.1 * wanted else VerdictStatus.DOUBTFUL
    words = _worst(diagnostics, -ess, lambda v: f"{-v:.0f}", -wanted)
    factor = int(np.ceil(1.1 * wanted / max(smallest, 1.0)))
    remedy = f"Sample about {factor} times as many draws (draws={factor * draws})"
    if factor > 20:
        remedy = "The chains hardly move: rescale columns (scale(x)), drop what the data do not identify"
    kind = check.removeprefix("ess_")
    message = f"{kind} ESS below {wanted} for {words}. {remedy}, or give weakly identified parameters a tighter prior."
    return [Finding(check, status, message)]


def _worst(diagnostics: Diagnostics, badness: np.ndarray, show: Callable[[float], str] | None, above: float) -> str:
    """Name the three worst parameters, each with its figure if ``show`` says how to print it."""
    order = [int(k) for k in np.argsort(-badness, kind="stable") if badness[k] >= above]
    figures = [f" ({show(float(badness[k]))})" if show else "" for k in order[:3]]
    shown = ", ".join(diagnostics.names[k] + figure for k, figure in zip(order[:3], figures, strict=True))
    more = len(order) - 3
    return f"{shown} and {more} more" if more > 0 else shown


def _trajectories(statistics: xr.Dataset, total: int) -> list[Finding]:
    findings = []
    if "diverging" in statistics and (divergent := int(statistics["diverging"].sum())):
        status = VerdictStatus.FAILED if divergent > 0.01 * total else VerdictStatus.DOUBTFUL
        message = (
            f"{divergent} of {total} draws ended in a divergence: the sampler met curvature that it cannot follow, and "
            "the posterior may be cut off there. Raise target_accept to 0.95; if they stay, give standard deviations a "
            "prior that keeps away from 0 or infinity."
        )
        findings.append(Finding("divergences", status, message))
    deep = int(statistics["reached_max_treedepth"].sum()) if "reached_max_treedepth" in statistics else 0
    if deep > 0.01 * total:
        message = (
            f"{deep} of {total} draws used the longest trajectory allowed: sampling is slow, not wrong. Rescale "
            "columns (scale(x)) or raise max_depth."
        )
        findings.append(Finding("tree_depth", VerdictStatus.DOUBTFUL, message))
    if "energy" in statistics and statistics.sizes["draw"] > 10:
        bfmi = _bfmi(statistics["energy"].values)
        if (bfmi < 0.3).any():
            message = (
                f"energy: BFMI {np.nanmin(bfmi):.2f} in chain {int(np.nanargmin(bfmi))} (below 0.3): the tails are "
                "explored slowly. Sample longer with a longer warm-up, or tighten the priors of standard deviations."
            )
            findings.append(Finding("energy", VerdictStatus.DOUBTFUL, message))
    return findings


def _bfmi(energy: np.ndarray) -> np.ndarray:
    """Return the Bayesian fraction of missing information of each chain (Betancourt 2016), shape (chains,).

    It is nan for a chain whose energy does not move or is not finite.
    """
    spread = np.var(energy, axis=1, ddof=1)
    moves = np.mean(np.diff(energy, axis=1) ** 2, axis=1)
    return np.divide(moves, spread, out=np.full(len(energy), np.nan), where=spread > 0.0)
