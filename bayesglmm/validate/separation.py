"""Complete and quasi-complete separation of the fixed-effects part, by linear programming.

Where some combination d of the columns of X points, for every row, the way in which the row's likelihood
rises, the likelihood has no maximum: it keeps rising along d (Albert & Anderson 1984, Biometrika 71:1-10).
Whether there is such a d is a linear program (Konis 2007, DPhil thesis, Oxford): maximise the sum of the
rows' gains s_i x_i'd with none of them negative and d in a box.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bayesglmm.design import Design
from bayesglmm.errors import Problem
from bayesglmm.validate.limits import directions
from bayesglmm.validate.words import first_of

__all__ = ["Separation", "find_ordered_separation", "find_separation", "separation_warnings"]

#: Beyond this many coefficients the linear programs take seconds.
_MOST_COEFFICIENTS: Final = 100
#: Beyond this many entries the copy of X is large.
_MOST_ENTRIES: Final = 10_000_000
#: A program's constraints hold to 1e-7; a gain is one when it is well above that.
_GAIN: Final = 1e-6
_ROUNDS: Final = 100


@dataclass(frozen=True, eq=False)
class Separation:
    """A direction along which the likelihood keeps rising.

    Attributes
    ----------
    direction : ndarray, shape (p,)
        d, for the columns of X as they are.
    gaining : ndarray of bool, shape (n,)
        Rows whose own likelihood rises along d; that of the others stays as it is.
    complete : bool
        Whether there is a direction along which the likelihood of every row rises.
    """

    direction: np.ndarray
    gaining: np.ndarray
    complete: bool


def separation_warnings(design: Design) -> list[Problem]:
    """Return that the fixed-effects part separates the response, if it does, or that this was not checked."""
    p = len(design.coefficients)
    cutpoints = sum(part.size for part in design.family_parts if part.kind == "ordered")
    pull = directions(design)
    if not p or not (cutpoints or (pull.any() and not _all_one_way(pull))):
        return []
    if p > _MOST_COEFFICIENTS or design.X.size > _MOST_ENTRIES:
        message = (
            f"not checked for separation: X is {design.n_rows} x {p}, and the check takes at most "
            f"{_MOST_COEFFICIENTS} columns and {_MOST_ENTRIES} entries. Coefficients that grow without bound "
            "in a classical fit are its sign."
        )
        return [Problem("common part", message, "separation not checked")]
    if cutpoints:
        found = find_ordered_separation(design.X, design.y, cutpoints)
    else:
        found = find_separation(design.X, pull, design.has_intercept)
    return [] if found is None else [_sentence(design, found)]


def _all_one_way(pull: np.ndarray) -> bool:
    """Whether the response is constant at an end of its range, which is a warning of its own."""
    return bool((pull == pull[0]).all())


def _sentence(design: Design, found: Separation) -> Problem:
    names = [design.coefficients[j] for j in np.flatnonzero(found.direction)]
    extent = "complete" if found.complete else "quasi-complete"
    rows = f"all {design.n_rows}" if found.complete else f"{found.gaining.sum()} of {design.n_rows}"
    what, grow = ("this column of X predicts", "its coefficient grows")
    if len(names) > 1:
        what, grow = ("a combination of these columns of X predicts", "their coefficients grow")
    message = (
        f"{extent} separation: {what} the response of {rows} rows without error, so without a prior the "
        f"likelihood has no maximum ({grow} without bound). Give beta a proper prior and use sample(), merge "
        "levels, or leave a term out."
    )
    return Problem(first_of(names), message, "separation")


def find_separation(X: np.ndarray, pull: np.ndarray, intercept: bool = False) -> Separation | None:
    """Return the direction of separation with the largest total gain, or None if there is none.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        Of full rank.
    pull : ndarray of int8, shape (n,)
        1 where a row's likelihood rises with its linear predictor, -1 where it falls, 0 where it has a
        maximum (such a row allows no change).
    intercept : bool
        Whether the first column of X is the intercept. The others are then centred: of a column far from 0,
        such as a year, the box would leave little but its mean.
    """
    mean = X.mean(axis=0) if intercept else np.zeros(X.shape[1])
    mean[:1] = 0.0
    X = X - mean
    lengths = np.abs(X).max(axis=0)
    X /= lengths
    found = _best(X, pull, pull @ X)
    if found is None:
        return None
    direction, gain = found
    complete = False
    if pull.all():
        # The largest total leaves some row without a gain. Whether every row can gain is a question of its
        # own: that for the largest t with s_i x_i'd >= t.
        widened = np.column_stack([pull[:, None] * X, -np.ones(len(X))])
        least = np.zeros(widened.shape[1])
        least[-1] = 1.0
        complete = _best(widened, np.ones_like(pull), least) is not None
    direction = np.where(np.abs(direction) > _GAIN, direction, 0.0)
    size = float(np.abs(direction).max())
    direction /= lengths
    if intercept:
        constant = direction[0] - direction @ mean
        direction[0] = constant if abs(constant) > _GAIN * size else 0.0
    return Separation(direction, gain > _GAIN, complete)


def find_ordered_separation(X: np.ndarray, y: np.ndarray, cutpoints: int) -> Separation | None:
    """Return the same for ordered categories, or None if there is none.

    A row in category k gains where c_k - x'd rises and c_(k-1) - x'd falls; where both went one way its probability
    would end at 0. So each row stands for two rows of a binary response, at most, with the cutpoints as columns.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        Without an intercept; of full rank with one.
    y : ndarray, shape (n,)
        Categories 0, ..., cutpoints, each of them seen.
    cutpoints : int
        Their number.
    """
    category = y.astype(np.intp)
    below, above = np.flatnonzero(category < cutpoints), np.flatnonzero(category > 0)
    owner = np.concatenate([below, above])
    pull = np.repeat(np.array([1, -1], dtype=np.int8), [len(below), len(above)])
    columns = np.eye(cutpoints)[np.concatenate([category[below], category[above] - 1])]
    found = find_separation(np.hstack([columns, X.mean(axis=0) - X[owner]]), pull)
    if found is None:
        return None
    gaining = np.bincount(owner, found.gaining, len(y)) > 0
    return Separation(found.direction[cutpoints:], gaining, found.complete)


def _best(X: np.ndarray, pull: np.ndarray, objective: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return d with the largest objective'd, |d_j| <= 1, at which no row loses, and the gains of the rows.

    None if that is d = 0. The program is solved for some of the rows, and rows that its solution breaks are
    added until none is left: the answer is exact, and most rows of a large data set never enter.
    """
    n, p = X.shape
    portion = 20 * p + 100
    chosen = np.unique(np.linspace(0, n - 1, min(n, portion)).astype(np.intp))
    for _ in range(_ROUNDS):
        direction = _solve(X[chosen], pull[chosen], objective)
        if direction is None:
            return None
        eta = X @ direction
        gain = np.where(pull == 0, -np.abs(eta), pull * eta)
        broken = np.flatnonzero(gain < -_GAIN)
        if not len(broken):
            return direction, gain
        worst = broken[np.argsort(gain[broken])[:portion]]
        chosen = np.union1d(chosen, worst)
    return None


def _solve(X: np.ndarray, pull: np.ndarray, objective: np.ndarray) -> np.ndarray | None:
    # Imported here: SciPy's optimisers take a while to import, and most models need no program.
    from scipy.optimize import linprog

    moving, fixed = pull[pull != 0, None] * X[pull != 0], X[pull == 0]
    solved = linprog(
        -objective,
        A_ub=-moving if len(moving) else None,
        b_ub=np.zeros(len(moving)) if len(moving) else None,
        A_eq=fixed if len(fixed) else None,
        b_eq=np.zeros(len(fixed)) if len(fixed) else None,
        bounds=(-1.0, 1.0),
        method="highs",
    )
    return np.asarray(solved.x) if solved.status == 0 and -solved.fun > _GAIN else None
