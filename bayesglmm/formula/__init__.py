"""Formulas: text -> typed tree -> canonical text, and text for formulae. Nothing is ever evaluated.

>>> formula = parse("mated ~ 0+cross + (1|female) + (1|male)")
>>> str(formula)
'mated ~ 0 + cross + (1 | female) + (1 | male)'
>>> columns(formula)
('mated', 'cross', 'female', 'male')
"""

from __future__ import annotations

from bayesglmm.errors import FormulaError
from bayesglmm.formula.columns import columns
from bayesglmm.formula.formulae_text import common_text, component_names, expression_text
from bayesglmm.formula.functions import ALLOWED_FUNCTIONS, ELEMENTWISE
from bayesglmm.formula.one_sided import one_sided_text, parse_one_sided
from bayesglmm.formula.parser import parse
from bayesglmm.formula.printer import name_text, node_text
from bayesglmm.formula.residual import ResidualTerm, parse_residual, read_residual
from bayesglmm.formula.terms import expand
from bayesglmm.formula.tree import (
    Binary,
    Call,
    Common,
    Contrast,
    Factor,
    Formula,
    GroupTerm,
    Name,
    Node,
    Number,
    Response,
    Sum,
    Unary,
)

__all__ = [
    "ALLOWED_FUNCTIONS",
    "ELEMENTWISE",
    "Binary",
    "Call",
    "Common",
    "Contrast",
    "Factor",
    "Formula",
    "FormulaError",
    "GroupTerm",
    "Name",
    "Node",
    "Number",
    "ResidualTerm",
    "Response",
    "Sum",
    "Unary",
    "columns",
    "common_text",
    "component_names",
    "expand",
    "expression_text",
    "name_text",
    "node_text",
    "one_sided_text",
    "parse",
    "parse_one_sided",
    "parse_residual",
    "read_residual",
]
