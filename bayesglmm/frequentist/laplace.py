"""Maximum likelihood by the Laplace approximation, for every family, link and structure, crossed effects included."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from bayesglmm.design import Design
from bayesglmm.engine.elimination import Elimination
from bayesglmm.engine.factor import RelativeFactor
from bayesglmm.engine.marginal import Evaluation, LaplaceMarginal
from bayesglmm.engine.threads import blas_threads
from bayesglmm.errors import FitError
from bayesglmm.frequentist.components import Estimate, variance_components
from bayesglmm.frequentist.fit import Fit
from bayesglmm.frequentist.maximise import Objective, climb, maximise
from bayesglmm.frequentist.optimum import Optimum, OptimumStatus
from bayesglmm.frequentist.working import Working

__all__ = ["MAX_TAIL", "fit_laplace"]

#: All group terms but the largest share a dense matrix: beyond this side a fit would take minutes and gigabytes.
MAX_TAIL = 5000
#: A dispersion that is exp(16), ten million, times smaller than the response's spread is on its way to 0.
_VANISHED = 16.0
_DESCRIPTION = "maximum likelihood by the Laplace approximation (observed information at the conditional modes)"


def fit_laplace(design: Design) -> Fit:
    """Fit by maximum likelihood, the group effects integrated out by Laplace's method.

    For Gaussian responses with the identity link the integral, and so the fit, is exact.

    Parameters
    ----------
    design : Design
        Any family, link and structure.

    Raises
    ------
    FitError
        More than `MAX_TAIL` group effects beside the largest term, or a log-likelihood that is finite nowhere near.

    Notes
    -----
    The curvature at the mode is that of the log density itself (as in TMB), not its expectation (as in lme4): on
    non-canonical links the two differ slightly.
    """
    tail = design.n_effects - max((g.size for g in design.groups), default=0)
    if tail > MAX_TAIL:
        raise FitError(
            f"beside the largest group term there are {tail} group effects, more than the {MAX_TAIL} that this version "
            "keeps in a dense matrix; sample the posterior instead (model.sample()), or leave out a group term."
        )
    with blas_threads(tail):
        return _fit(design)


def _fit(design: Design) -> Fit:
    marginal, working = LaplaceMarginal.of(design), Working.of(design)
    evaluate = _warm(marginal, working)
    objective = Objective(
        evaluate=lambda x: _value_gradient(evaluate(x)),
        units=working.units(),
        nonnegative=working.nonnegative(),
        columns=working.columns(),
        absorb=working.absorb,
    )
    optimum = maximise(objective, _start(objective, working))
    _refuse_without_maximum(working, optimum)
    return _assemble(design, working, optimum, evaluate(optimum.x))


def _refuse_without_maximum(working: Working, optimum: Optimum) -> None:
    """Raise FitError where the likelihood has no maximum, or was finite nowhere that the search came."""
    if working.design.dispersion is not None:
        _, _, log_phi = working.split(optimum.x)
        if log_phi < np.log(working.scales.scale) - _VANISHED:
            raise FitError(
                f"{working.design.dispersion} goes to 0: the model reproduces the response exactly, and the likelihood "
                "grows without bound. Look for a constant response, a predictor that determines it, or as many "
                "effects as rows."
            )
    if not np.isfinite(optimum.value):
        raise FitError(
            "the log-likelihood is not finite where the search ended; look at the scale of the columns and of the "
            "offset, and rescale what is above 1e6 or below 1e-6."
        )


def _warm(marginal: LaplaceMarginal, working: Working) -> Callable[[np.ndarray], Evaluation]:
    """Return x -> Evaluation, each search for the modes starting where the last good one ended."""
    last = [np.zeros(marginal.rows.effects.size)]

    def evaluate(x: np.ndarray) -> Evaluation:
        evaluation = marginal.evaluate(*working.split(x), last[0])
        if np.isfinite(evaluation.value):
            last[0] = evaluation.mode.z
        return evaluation

    return evaluate


def _value_gradient(evaluation: Evaluation) -> tuple[float, np.ndarray]:
    return evaluation.value, evaluation.gradient


def _start(objective: Objective, working: Working) -> np.ndarray:
    """Return the fit without group effects, then the best of two spreads of them."""
    held = np.zeros(working.size, dtype=bool)
    held[working.theta] = True
    plain = climb(objective, working.start(), held)
    candidates = [working.with_spread(plain, fraction) for fraction in (0.5, 0.15, 1.5)]
    values = [objective.evaluate(c)[0] for c in candidates]
    return candidates[int(np.argmax(np.where(np.isfinite(values), values, -np.inf)))]


def _assemble(design: Design, working: Working, optimum: Optimum, at: Evaluation) -> Fit:
    p = working.n_beta
    covariance = optimum.covariance()
    std_errors = np.sqrt(np.diagonal(covariance)[:p])
    fixed = [
        Estimate("fixed", name, float(b), float(se))
        for name, b, se in zip(design.coefficients, optimum.x[:p], std_errors, strict=True)
    ]
    components = variance_components(working, optimum.x, covariance)
    return Fit(
        design=design,
        method="laplace",
        description=_DESCRIPTION,
        estimand="conditional",
        estimates=(*fixed, *components),
        covariance=covariance[:p, :p],
        modes=_modes(design, at),
        loglik=optimum.value,
        optimum=optimum,
        notes=_notes(working, optimum, components),
        caveat=design.family.laplace_caveat,
    )


def _notes(working: Working, optimum: Optimum, components: tuple[Estimate, ...]) -> tuple[str, ...]:
    """Say by name what lies on the boundary, or which parameters the data do not tell apart."""
    if optimum.status is OptimumStatus.FLAT:
        return (f"The data hardly tell these apart: {', '.join(_flat_directions(working, optimum))}.",)
    if optimum.status is not OptimumStatus.BOUNDARY:
        return ()
    zero = [c.name for c in components if c.term == "sd" and c.estimate == 0.0]
    perfect = [(c.name, round(c.estimate)) for c in components if c.term == "cor" and abs(c.estimate) > 1.0 - 1e-8]
    notes = [f"{name} is estimated as 0: nothing is left for it to explain beyond chance." for name in zero]
    notes += [f"{name} is estimated as {at}: the data tell one combination of the effects." for name, at in perfect]
    for group, part in zip(working.design.groups, working.layout.slices, strict=True):
        where = slice(working.n_beta + part.start, working.n_beta + part.stop)
        if group.n_effects > 2 and optimum.pinned[where].any():
            notes.append(
                f"The {group.n_effects} effects of {group.name} vary in fewer directions than {group.n_effects}."
            )
    notes.append("Standard errors hold what lies on the boundary at its value.")
    return tuple(notes)


def _flat_directions(working: Working, optimum: Optimum) -> list[str]:
    """Return the parameters with a share of a tenth or more in the flattest direction, in natural units."""
    names = [*working.design.coefficients]
    for group, part in zip(working.design.groups, working.layout.slices, strict=True):
        names += [f"the (co)variances of {group.name}"] * (part.stop - part.start)
    names += [working.design.dispersion] if working.design.dispersion else []
    free = np.flatnonzero(~optimum.pinned)
    units = np.linalg.norm(working.units(), axis=1)[free]
    scaled = -optimum.hessian[np.ix_(free, free)] * np.outer(units, units)
    flattest = np.abs(np.linalg.eigh(scaled)[1][:, 0])
    return list(dict.fromkeys(names[k] for k in free[flattest >= 0.1 * flattest.max()]))


def _modes(design: Design, at: Evaluation) -> pd.DataFrame:
    """Return conditional modes and prediction error sds from the joint curvature of (beta, z) (Henderson 1975)."""
    mode, factor = at.mode, at.factor
    assert mode.elimination is not None
    u = factor.effects(mode.z)
    variance = _conditional_variances(design, factor, mode.elimination)
    if design.X.shape[1] and len(u):
        WX = design.X * -mode.rows[2][:, None]
        AWX = np.column_stack([mode.A.transposed_times(np.ascontiguousarray(column)) for column in WX.T])
        solved = mode.elimination.solve(AWX)
        S = design.X.T @ WX - AWX.T @ solved
        moved = factor.effects(solved)
        variance = variance + np.einsum("ij,ij->i", moved @ np.linalg.pinv(S), moved)
    names, factors, levels, words = [], [], [], []
    for group in design.groups:
        for level in group.factor.levels:
            for effect in group.effects:
                factors.append(group.name)
                levels.append(level)
                words.append(effect)
                names.append(group.effect_name(level, effect))
    columns = {"name": names, "factor": factors, "level": levels, "effect": words}
    return pd.DataFrame({**columns, "mode": u, "std_error": np.sqrt(np.maximum(variance, 0.0))})


def _conditional_variances(design: Design, factor: RelativeFactor, elimination: Elimination) -> np.ndarray:
    """Return the diagonal of Lambda H^-1 Lambda', shape (Q,)."""
    pattern = elimination.pattern
    parts = []
    for group, block, part in zip(design.groups, factor.natural_blocks, factor.layout.effect_slices, strict=True):
        q = group.n_effects
        if part == pattern.head:
            inverse = elimination.head_inverse
        else:
            first = part.start - (pattern.q * pattern.n_levels if part.start >= pattern.head.stop else 0)
            index = first + np.arange(group.size).reshape(group.n_levels, q)
            inverse = elimination.tail_inverse[index[:, :, None], index[:, None, :]]
        parts.append(np.einsum("ik,jkl,il->ji", block, inverse, block).ravel())
    return np.concatenate(parts) if parts else np.zeros(0)
