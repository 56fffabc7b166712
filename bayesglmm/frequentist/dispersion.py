"""A dispersion parameter on its way to an end of its range: what that means is the family's to say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayesglmm.families.record import Dispersion
from bayesglmm.frequentist.search.optimum import Optimum, OptimumStatus
from bayesglmm.frequentist.working import Working

__all__ = ["left_without_bound", "limit_note", "reproduces_exactly"]

#: A residual standard deviation exp(16), ten million, times smaller than where it was sought is on its way to 0.
_VANISHED = 16.0
#: From this multiple of where it was sought on, phi may be on its way to infinity ...
_FAR = 20.0
#: ... and is, where its logarithm has a standard error above this one: half of phi or twice it are as likely.
_VAGUE = 1.5


def reproduces_exactly(rule: Dispersion | None, log_phi: float, scale: float) -> bool:
    """Return whether phi has gone to where rows have no variance left, for a linear predictor varying by ``scale``."""
    if rule is None or np.isnan(rule.exact_at):
        return False
    # phi is a standard deviation, or a variance or one over it, which goes twice as far.
    reach = _VANISHED if rule.residual_sd else 2.0 * _VANISHED
    away = log_phi - float(np.log(rule.start(scale)))
    return away < -reach if rule.exact_at == 0.0 else away > reach


def left_without_bound(working: Working, optimum: Optimum) -> Optimum:
    """Return the optimum with phi pinned where it was left, if the log-likelihood rises to a limit as phi grows."""
    rule = working.design.family.phi
    if working.design.dispersion is None or rule is None or not rule.limit or not np.isfinite(optimum.value):
        return optimum
    away = optimum.x[-1] - float(np.log(rule.start(working.scales.scale)))
    if away < np.log(_FAR) or -optimum.hessian[-1, -1] > _VAGUE**-2.0:
        return optimum
    pinned, hessian = optimum.pinned.copy(), optimum.hessian.copy()
    pinned[-1] = True
    hessian[-1, :] = hessian[:, -1] = np.nan
    free = np.flatnonzero(~pinned)
    known = not len(free) or bool(np.linalg.eigvalsh(hessian[np.ix_(free, free)])[-1] < 0.0)
    flat = optimum.status in (OptimumStatus.FLAT, OptimumStatus.CONVERGED) and known
    status = OptimumStatus.BOUNDARY if flat else optimum.status
    return replace(optimum, pinned=pinned, hessian=hessian, status=status)


def limit_note(working: Working, optimum: Optimum) -> tuple[str, ...]:
    """Say what a phi without bound means; nothing where it has one."""
    rule = working.design.family.phi
    if working.design.dispersion is None or rule is None or not rule.limit or not optimum.pinned[-1]:
        return ()
    name, value = working.design.dispersion, float(np.exp(optimum.x[-1]))
    return (f"{name} grows without bound (the search left it at {value:.3g}): {rule.limit}.",)
