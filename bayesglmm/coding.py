"""How columns of a data frame become columns of a design matrix: `formulae`'s coding, learned and kept.

`formulae` supplies the coding, the names and the stateful transforms that Bambi's users know. It sees only
text that was printed afresh from our own typed tree, with every column renamed to a placeholder, so that a
column may have any name and nothing in a formula can reach anything but columns and the fixed list of
functions.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.errors import DataError, Problem
from bayesglmm.formula import columns, common_text, component_names, expression_text
from bayesglmm.formula.tree import Binary, Call, Common, Name, Node, Number, Sum, Unary

__all__ = ["INTERCEPT", "Coding", "evaluate", "learn_coding", "level_columns"]

#: Name of the column of ones.
INTERCEPT = "Intercept"

_FUNCTIONS = {"log": np.log, "log1p": np.log1p, "exp": np.exp, "sqrt": np.sqrt, "abs": np.abs}


@dataclass(frozen=True)
class Coding:
    """A learned coding of a sum of terms.

    Attributes
    ----------
    names : tuple of str
        Names of the p columns: ``Intercept``, ``cross[RR]``, ``scale(height)``, ``wsf:wsm``.
    columns : tuple of str
        Columns of the data frame that the terms use.
    terms : tuple of str
        The term to which each column belongs, shape (p,).
    categorical : tuple of bool
        Whether each column is an indicator (or product of indicators), shape (p,).
    """

    names: tuple[str, ...]
    columns: tuple[str, ...]
    terms: tuple[str, ...]
    categorical: tuple[bool, ...]
    _learned: Any = field(repr=False, compare=False)
    _factors: frozenset[str] = frozenset()
    _intercept_left_out: bool = False

    def without_intercept(self) -> Coding:
        """Return the same coding without its first column, the intercept."""
        rest = (self.names[1:], self.columns, self.terms[1:], self.categorical[1:])
        return Coding(*rest, self._learned, self._factors, True)

    def matrix(self, data: pd.DataFrame) -> np.ndarray:
        """Return the (n, p) matrix of ``data`` in the learned coding, its levels, means and knots.

        Raises
        ------
        DataError
            A categorical column holds a value that was not learned.
        """
        if self._learned is None:
            return np.ones((len(data), len(self.names)))  # nothing, or an intercept alone
        with _said_of(self.columns, "these rows cannot be coded as those that the model learned from"):
            matrix = self._learned.evaluate_new_data(_renamed(data, self.columns, self._factors)).design_matrix
            whole = np.ascontiguousarray(matrix, dtype=np.float64).reshape(len(data), -1)
            return np.ascontiguousarray(whole[:, 1:]) if self._intercept_left_out else whole


def level_columns(coding: Coding, X: np.ndarray) -> tuple[bool, ...]:
    """Tell levels of a linear predictor from differences: the intercept, or the cells of the first full factor."""
    if coding.names[:1] == (INTERCEPT,):
        return tuple(name == INTERCEPT for name in coding.names)
    for term in dict.fromkeys(coding.terms):
        cells = [t == term and c for t, c in zip(coding.terms, coding.categorical, strict=True)]
        if any(cells) and np.array_equal(X[:, cells].sum(axis=1), np.ones(len(X))):
            return tuple(cells)
    return tuple(False for _ in coding.names)


@contextlib.contextmanager
def _said_of(names: tuple[str, ...], what: str) -> Iterator[None]:
    """Turn an error of `formulae` or pandas into a DataError that names columns, not placeholders."""
    try:
        yield
    except (TypeError, ValueError) as error:
        message = str(error)
        for place, name in _places(names).items():
            message = message.replace(place, name)
        raise DataError([Problem(", ".join(names), f"{what}. {message}", "coding")]) from error


def _places(names: tuple[str, ...]) -> dict[str, str]:
    """Return placeholder -> column."""
    return {f"colz{k}q": name for k, name in enumerate(names)}


def _renamed(data: pd.DataFrame, names: tuple[str, ...], factors: frozenset[str]) -> pd.DataFrame:
    """Return the named columns under placeholder names, unused categories dropped.

    Whole numbers become floats, unless they are levels (``factors``): a product of small integers overflows in silence.
    """
    renamed = {}
    for place, name in _places(names).items():
        column = data[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = column.cat.remove_unused_categories()
        elif pd.api.types.is_integer_dtype(column.dtype):
            column = column.astype(np.int64 if name in factors else np.float64)
        renamed[place] = column
    return pd.DataFrame(renamed, index=data.index)


def _factors(node: Node) -> Iterator[str]:
    """Yield the columns inside ``C(...)``, whose values are levels."""
    match node:
        case Call(function="C"):
            yield from columns(node)
        case Call(arguments=parts) | Sum(terms=parts):
            for part in parts:
                yield from _factors(part)
        case Binary(left=left, right=right):
            yield from _factors(left)
            yield from _factors(right)
        case Unary(operand=operand):
            yield from _factors(operand)


def learn_coding(common: Common, data: pd.DataFrame) -> tuple[Coding, np.ndarray]:
    """Learn the coding of ``common`` from ``data``.

    Parameters
    ----------
    common : Common
        Sum of terms with its intercept marker; offsets are left aside.
    data : DataFrame
        n rows without missing values in the columns used.

    Returns
    -------
    Coding
        With p column names.
    ndarray, shape (n, p)
        The design matrix, C order.
    """
    if common.terms is None:
        names = (INTERCEPT,) if common.intercept else ()
        return Coding(names, (), names, tuple(False for _ in names), None), np.ones((len(data), len(names)))
    used = columns(common.terms)
    factors = frozenset(_factors(common.terms))
    place_of = {name: place for place, name in _places(used).items()}
    text = common_text(common, place_of.__getitem__)
    # A column alone is called as it is; anything else as the formula writes it.
    written = {**component_names(common, place_of.__getitem__), **_places(used)}
    with _said_of(used, "these columns cannot be coded"):
        learned = _design_matrices(text, _renamed(data, used, factors)).common
    labelled: list[str] = []
    terms: list[str] = []
    categorical: list[bool] = []
    for term in learned.terms.values():
        name, labels = _labels(term, written)
        labelled += labels
        terms += [name] * len(labels)
        indicators = term.kind == "categoric" or (term.kind == "interaction" and _is_binary(term.data))
        categorical += [indicators] * len(labels)
    matrix = np.ascontiguousarray(learned.design_matrix, dtype=np.float64).reshape(len(data), -1)
    _forget_rows(learned)
    return Coding(tuple(labelled), used, tuple(terms), tuple(categorical), learned, factors), matrix


def _labels(term: Any, written: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return the name of a term and of each of its columns, with components called as in ``written``."""
    if term.kind == "intercept":
        return term.name, list(term.labels)
    parts = [(written[c.name], [label.removeprefix(c.name) for label in c.labels]) for c in term.components]
    each = [[name + suffix for suffix in suffixes] for name, suffixes in parts]
    return ":".join(name for name, _ in parts), [":".join(label) for label in itertools.product(*each)]


def _forget_rows(learned: Any) -> None:
    """Let go of the copies of the data that `formulae` keeps beside what it learned."""
    learned.data = learned.design_matrix = None
    for term in learned.terms.values():
        term.data = None
        for component in getattr(term, "components", ()):
            component.value = component._intermediate_data = None


def _is_binary(matrix: np.ndarray) -> bool:
    return bool(np.isin(np.unique(np.asarray(matrix, dtype=float)), (0.0, 1.0)).all())


def evaluate(expression: Node, data: pd.DataFrame) -> np.ndarray:
    """Return the (n,) values of one numeric expression such as ``log(exposure)``."""
    if isinstance(expression, Number):
        return np.full(len(data), float(expression.value))
    used = columns(expression)
    with _said_of(used, "numbers are needed here"):
        if isinstance(expression, Name):
            return data[expression.name].to_numpy(dtype=np.float64)
        place_of = {name: place for place, name in _places(used).items()}
        text = "0 + " + expression_text(expression, place_of.__getitem__)
        matrix = _design_matrices(text, _renamed(data, used, frozenset())).common.design_matrix
        return np.ascontiguousarray(matrix, dtype=np.float64).reshape(len(data))


@contextlib.contextmanager
def _without_messages() -> Iterator[None]:
    """Keep formulae from logging how many rows with missing values it keeps; its level is as before afterwards."""
    logger = logging.getLogger("formulae")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _design_matrices(text: str, data: pd.DataFrame) -> Any:
    from formulae.environment import Environment
    from formulae.matrices import design_matrices

    # log(0) and missing values are reported by the validation, with their rows.
    with np.errstate(all="ignore"), _without_messages():
        return design_matrices(text, data, na_action="pass", env=Environment([{}]), extra_namespace=dict(_FUNCTIONS))
