"""Tables of a classical comparison: one a problem, and one of ratios over all."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from entries import Entry
from problems import Problem
from python_fits import OURS

__all__ = ["NOTES", "summary", "table"]

#: Log-likelihoods that differ by less are the same.
SAME = 1e-6
HEADS = (
    "package",
    "from data frame, ms (range; fits)",
    "fit alone",
    "CPU",
    "first fit",
    "ratio",
    "CPU ratio",
    "log-likelihood",
    "below best",
    "remarks",
)
NOTES = """\
Times are milliseconds, medians over fits after one to warm up, all packages in turn. *From data frame* holds
everything from the data frame to the fit; *fit alone* leaves out our model's construction (for glmm, what its Python
part does before its compiled call, which parses the formula itself). *First fit* is the one to warm up: compiled code
loaded (or, with cold caches, compiled) for the first time. *Ratio*: time from the data frame over ours; above 1 we are
faster; on a busy machine the *CPU ratio* is the steadier. *Below best*: log-likelihood short of the best of the table
(differences under 1e-6 are shown as 0). lme4's log-likelihood under quadrature is taken about modes that its default
tolPwrss leaves unfinished: on toenail -625.4157828, which at the same parameters with tolPwrss = 1e-12 is -625.4158937.

What each computes: bayesglmm, glmm and glmmTMB end with standard errors of coefficients and, for generalized models, of
standard deviations from the joint Hessian (for REML, bayesglmm and glmmTMB alone give the latter). bayesglmm adds
prediction error sds of all conditional modes. glmm adds Satterthwaite df (gaussian) and likelihood-ratio tables
(poisson) unless told not to, and is told not to in its first line. lme4 stops by the tolerances of its default
optimisers, differences its criterion after (calc.derivs), and gives no standard errors of standard deviations.

Where bayesglmm is behind glmm, and why. *Small problems* (cbpp, sleepstudy, salamander): half of the time is building
the model from the data frame (coding by formulae, and the checks of validate: separation by linear programming, ranks,
levels), some 12 ms whatever the data; the rest is an evaluation of a third of a millisecond in Python around compiled
calls, 17 to 27 times. *InstEval by REML*: glmm takes 38 values of the criterion, bayesglmm 10 with an exact gradient,
which need the inverse of the 1128 x 1128 tail as well (two thirds of the cost), two of them for the standard errors of
the standard deviations, which glmm does not give. *Verbal aggression, grouse ticks*: the fits alone take as long as
glmm's (139 against 136 ms, 37 against 39 ms); what is behind is building the model. *Toenail with 25 nodes*: 134
against 102 ms, 20 evaluations against 24, each with the derivatives of the moving nodes; not profiled further."""


def seconds(value: float | None) -> str:
    """Return a time in milliseconds with three figures."""
    return "-" if value is None else f"{float(f'{1e3 * value:.3g}'):,.12g}"


def spread(entry: Entry) -> str:
    """Return the median with the smallest and largest, ms."""
    values = [run.whole for run in entry.runs]
    if entry.runs[0] is entry.first:
        return f"{seconds(values[0])} (the first fit alone: beyond the budget)"
    return f"{seconds(median(values))} ({seconds(min(values))} to {seconds(max(values))}; {len(values)})"


def ratio(entry: Entry, ours: Entry, what: str = "whole") -> str:
    """Return how many times as long as ours an entry took."""
    theirs, mine = entry.middle(what), ours.middle(what)
    return "-" if theirs is None or mine is None else f"{theirs / mine:.3g}"


def below(entry: Entry, best: float) -> str:
    """Return by how much the log-likelihood falls short of the best of the table."""
    short = best - entry.runs[-1].loglik
    return "0" if short < SAME else f"{short:.1e}"


def line(entry: Entry, ours: Entry, best: float) -> str:
    """Return one line of a problem's table."""
    if not entry.runs:
        return f"| {entry.label} | {entry.failure} |{' |' * (len(HEADS) - 2)}"
    cells = [
        entry.label,
        spread(entry),
        seconds(entry.middle("fit")),
        seconds(entry.middle("cpu")),
        seconds(entry.first.whole),
        ratio(entry, ours),
        ratio(entry, ours, "cpu"),
        f"{entry.runs[-1].loglik:.7f}",
        below(entry, best),
        entry.runs[-1].remark.replace("|", "\\|"),
    ]
    return f"| {' | '.join(cells)} |"


def table(problem: Problem, entries: Sequence[Entry]) -> str:
    """Return the table of one problem."""
    best = max((e.runs[-1].loglik for e in entries if e.runs), default=float("nan"))
    lines = [f"## {problem.title}", "", f"`{problem.formula}`, `{problem.key}`", "", f"| {' | '.join(HEADS)} |"]
    lines += ["|---" * len(HEADS) + "|", *(line(entry, entries[0], best) for entry in entries)]
    return "\n".join(lines)


def summary(results: dict[str, list[Entry]]) -> str:
    """Return the table of ratios to ours, one line a problem."""
    labels = ("glmm", "lme4", "lme4, calc.derivs = FALSE", "glmmTMB")
    lines = [f"| problem | bayesglmm, ms | {' | '.join(labels)} |", "|---" * (2 + len(labels)) + "|"]
    for key, entries in results.items():
        found = {entry.label: entry for entry in entries}
        ours = found[OURS]
        ratios = [ratio(found[label], ours) if label in found else "-" for label in labels]
        lines.append(f"| {key} | {seconds(ours.middle('whole')) if ours.runs else 'none'} | {' | '.join(ratios)} |")
    return "\n".join(lines)
