"""Complete and quasi-complete separation of the fixed-effects part, by linear programming.

Where some combination d of the columns of X points, for every row, the way in which the row's likelihood rises, the
likelihood has no maximum: it keeps rising along d (Albert & Anderson 1984, Biometrika 71:1-10). Whether there is such a
d is a linear program (Konis 2007, DPhil thesis, Oxford): maximise the sum of the rows' gains s_i x_i'd with none of
them negative and d in a box.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bayesglmm.design import Design
from bayesglmm.errors import Problem
from bayesglmm.validate.limits import directions
from bayesglmm.validate.words import count, first_of

__all__ = ["Separation", "find_separation", "separation_warnings"]

#: Beyond this many coefficients the linear programs take seconds.
MAX_COEFFICIENTS: Final = 200
#: A program's constraints hold to 1e-7; a gain is one when it is well above that.
_GAIN: Final = 1e-6
_ROUNDS: Final = 50


@dataclass(frozen=True, eq=False)
class Separation:
    """A direction along which the likelihood keeps rising.

    Attributes
    ----------
    direction : ndarray, shape (p,)
        d, for the columns of X as they are.
    gaining : ndarray of bool, shape (n,)
        Rows whose own likelihood rises along d; that of the others stays as it is.
    """

    direction: np.ndarray
    gaining: np.ndarray


def separation_warnings(design: Design) -> list[Problem]:
    """Return that the fixed-effects part separates the response, if it does; or that it was not looked for."""
    pull = directions(design)
    p = len(design.coefficients)
    if not pull.any() or not p or _all_one_way(pull):
        return []
    if p > MAX_COEFFICIENTS:
        message = (
            f"not checked for separation: {p} coefficients, the check takes at most {MAX_COEFFICIENTS}. "
            "Coefficients that grow without bound in a classical fit are its sign."
        )
        return [Problem("common part", message, "separation not checked")]
    found = find_separation(design.X, pull)
    return [] if found is None else [_sentence(design, found)]


def _all_one_way(pull: np.ndarray) -> bool:
    """Whether the response is constant at an end of its range, which is a warning of its own."""
    return bool((pull == pull[0]).all())


def _sentence(design: Design, found: Separation) -> Problem:
    names = [design.coefficients[j] for j in np.flatnonzero(found.direction)]
    rows = int(found.gaining.sum())
    complete = rows == design.n_rows
    which = "all" if complete else f"{rows} of"
    message = (
        f"{'complete' if complete else 'quasi-complete'} separation: a combination of these columns predicts the "
        f"response of {which} {design.n_rows} rows without error, so without a prior the likelihood has no maximum "
        f"({'their coefficients grow' if len(names) > 1 else 'its coefficient grows'} without bound). "
        "Give beta a proper prior and use sample(), merge levels, or leave a term out."
    )
    return Problem(first_of(names), message, "separation")


def find_separation(X: np.ndarray, pull: np.ndarray) -> Separation | None:
    """Return a direction of separation with as many gaining rows as the program finds, or None.

    The program is solved for some of the rows, and rows that its solution breaks are added until none is left: the
    answer is exact, and most rows of a large data set never enter.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        Of full rank.
    pull : ndarray of int8, shape (n,)
        1 where a row's likelihood rises with its linear predictor, -1 where it falls, 0 where it has a maximum (such a
        row allows no change).
    """
    lengths = np.abs(X).max(axis=0)
    lengths = np.where(lengths > 0.0, lengths, 1.0)
    n, p = X.shape
    total = (pull @ X) / lengths
    chosen = np.unique(np.linspace(0, n - 1, min(n, 20 * p + 100)).astype(np.intp))
    for _ in range(_ROUNDS):
        direction = _steepest(X[chosen] / lengths, pull[chosen], total)
        if direction is None:
            return None
        eta = X @ (direction / lengths)
        gain = np.where(pull == 0, -np.abs(eta), pull * eta)
        broken = np.flatnonzero(gain < -_GAIN)
        if not len(broken):
            return Separation(np.where(np.abs(direction) > _GAIN, direction / lengths, 0.0), gain > _GAIN)
        worst = broken[np.argsort(gain[broken])[: 20 * p + 100]]
        chosen = np.union1d(chosen, worst)
    return None


def _steepest(X: np.ndarray, pull: np.ndarray, total: np.ndarray) -> np.ndarray | None:
    """Return d with the largest total gain, |d_j| <= 1, no row of X losing; None if there is no gain."""
    # Imported here: SciPy's optimisers take a quarter of a second, and most models need no program.
    from scipy.optimize import linprog

    moving, fixed = X[pull != 0] * pull[pull != 0, None], X[pull == 0]
    solved = linprog(
        -total,
        A_ub=-moving if len(moving) else None,
        b_ub=np.zeros(len(moving)) if len(moving) else None,
        A_eq=fixed if len(fixed) else None,
        b_eq=np.zeros(len(fixed)) if len(fixed) else None,
        bounds=(-1.0, 1.0),
        method="highs",
    )
    if solved.status != 0 or -solved.fun <= _GAIN:
        return None
    return np.asarray(solved.x)
