"""A model in one line: its formula, and what was specified beside it."""

from __future__ import annotations

from collections.abc import Mapping

from bayesglmm.formula import columns, parse, parse_one_sided, parse_residual

__all__ = ["columns_used", "model_title"]


def model_title(formula: str, beside: Mapping[str, str]) -> str:
    """Return ``"y ~ x, residuals ar1(week | patient), dispersion ~ 0 + sex"``.

    Parameters
    ----------
    formula : str
        The model's formula.
    beside : mapping of str to str
        As `ModelSpec.beside` has it.
    """
    return ", ".join([formula, *(f"{what} {text}" for what, text in beside.items())])


def columns_used(formula: str, beside: Mapping[str, str]) -> frozenset[str]:
    """Return the columns that a model with these texts is of."""
    used = {*columns(parse(formula))}
    for what, text in beside.items():
        term = parse_residual(text) if what == "residuals" else None
        if what == "residuals":
            used |= set() if term is None else set(term.columns)
            continue
        used |= set(columns(parse_one_sided(text)))
    return frozenset(used)
