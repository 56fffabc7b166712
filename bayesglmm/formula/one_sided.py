"""Formulas without a response, ``"~ 0 + sex"``: of a dispersion, of the zero part of a count."""

from __future__ import annotations

from bayesglmm.errors import FormulaError
from bayesglmm.formula.parser import parse
from bayesglmm.formula.tree import Common, Formula, Name, Response

__all__ = ["one_sided_text", "parse_one_sided"]

#: Stands for the response while the text is read; its own positions in messages are those of the text.
_RESPONSE = "y"


def parse_one_sided(text: str) -> Common:
    """Read a formula such as ``"~ 0 + sex"``: common terms and offsets, no response and no group terms.

    Raises
    ------
    FormulaError
        For every other text.
    """
    if not isinstance(text, str) or not text.lstrip().startswith("~"):
        raise FormulaError(f'a formula without a response is needed, such as "~ x" or "~ 0 + sex", not {text!r}.')
    formula = parse(f"{_RESPONSE} {text.strip()}")
    if formula.groups:
        raise FormulaError(f"group terms such as {formula.groups[0]} are not available here; give common terms alone.")
    return formula.common


def one_sided_text(common: Common) -> str:
    """Return the canonical text, which `parse_one_sided` reads back to an equal tree."""
    return str(Formula(Response(Name(_RESPONSE)), common)).removeprefix(f"{_RESPONSE} ")
