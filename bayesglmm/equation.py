"""The model in LaTeX, as the lectures write it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bayesglmm.design import Design
from bayesglmm.formula import Call, Name, Node, node_text
from bayesglmm.grouping import INTERCEPT, GroupEffects
from bayesglmm.residual import structure_of

__all__ = ["equation"]

_ESCAPES = str.maketrans(
    {c: "\\" + c for c in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)


def equation(design: Design) -> str:
    r"""Return the model as an ``aligned`` LaTeX block: response, linear predictor, group effects.

    Every coefficient appears with its name; ``\beta_0`` is the intercept.
    """
    link = design.family_link.link.latex % r"\mu_i"
    lines = [
        rf"{_text(design.response_name)}_i &\sim {_distribution(design)}",
        rf"{link} &= {' + '.join(_predictor(design))}",
        *_correlations(design),
        *(_effects(group, t) for t, group in enumerate(design.groups)),
        *_auxiliary(design),
        *_remarks(design),
    ]
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def _text(name: str) -> str:
    # A name is one line of text without the backticks of the formula; LaTeX takes no blank line in \text.
    written = " ".join(name.replace("`", "").split())
    return rf"\text{{{written.translate(_ESCAPES)}}}"


def _distribution(design: Design) -> str:
    se = design.spec.formula.response.se
    if design.spec.dispersion is not None:
        return re.sub(r"\\(sigma|phi)\b", r"\\\1_i", design.family.latex)
    return design.family.latex if se is None else design.family.latex_se % f"{_text(se.name)}_i"


def _correlations(design: Design) -> Iterator[str]:
    """Yield how two rows of one residual group correlate, given their means."""
    rows, y = design.residual, _text(design.response_name)
    if rows is not None:
        group = _text(":".join(rows.term.factor.columns))
        words = rf"\text{{ for rows of one }} {group}"
        yield rf"\operatorname{{Cor}}({y}_i, {y}_k \mid \mu) &= {structure_of(rows).latex} {words}"


def _auxiliary(design: Design) -> Iterator[str]:
    """Yield the predictors of a dispersion and of a zero part that have a formula."""
    symbols = {"sigma": r"\log(\sigma_i)", "phi": r"\log(\phi_i)", "zero": r"\operatorname{logit}(\pi_i)"}
    for name, common in design.spec.auxiliary_formulas.items():
        part = next(p for p in design.family_parts if p.name in (name, f"log_{name}"))
        terms = [
            r"\gamma_0" if label == INTERCEPT else rf"\gamma_{{{k}}}\,{_text(label)}_i"
            for k, label in enumerate(part.labels or (), 0 if (part.labels or ("",))[0] == INTERCEPT else 1)
        ]
        yield rf"{symbols[name]} &= {' + '.join([*terms, *map(_offset, common.offsets)])}"


def _remarks(design: Design) -> Iterator[str]:
    """Yield what multiplies the rows' log-likelihoods: no part of a distribution, so said in words."""
    written = design.spec.formula.response.weights
    weights = written.name if written is not None else design.spec.weights
    if weights is not None:
        yield rf"&\text{{rows weighted by }} {_text(weights)}_i"


def _offset(node: Node) -> str:
    match node:
        case Name(name=name):
            return f"{_text(name)}_i"
        case Call(function="log", arguments=(Name(name=name),)):
            return rf"\log({_text(name)}_i)"
        case _:
            return _text(f"(offset: {node_text(node)})") + "_i"


def _predictor(design: Design) -> list[str]:
    terms = []
    for k, name in enumerate(design.coefficients):
        number = k if design.has_intercept else k + 1
        intercept = design.has_intercept and k == 0
        terms.append(r"\beta_0" if intercept else rf"\beta_{{{number}}}\,{_text(name)}_i")
    for t, group in enumerate(design.groups):
        u = _symbol(t)
        if group.cells[2] < group.n_effects:  # one effect of its level a row
            terms.append(rf"{u}_{{{_text(group.name)}[i], {_text(group.coding.terms[0])}[i]}}")
            continue
        for k, effect in enumerate(group.effects):
            subscript = rf"{_text(group.name)}[i]"
            subscript = subscript if group.n_effects == 1 else rf"{subscript}, {k}"
            share = rf"{u}_{{{subscript}}}"
            terms.append(share if k == 0 and group.has_intercept else rf"{share}\,{_text(effect)}_i")
    terms += [_offset(node) for node in design.spec.formula.common.offsets]
    return terms or ["0"]


def _symbol(t: int) -> str:
    """Return the letter of a group term's effects: u, v, w, then u with a number."""
    return "uvw"[t] if t < 3 else f"u^{{({t + 1})}}"


def _effects(group: GroupEffects, t: int) -> str:
    u, q = _symbol(t), group.n_effects
    levels = rf"\quad j = 1, \dots, {group.n_levels}"
    shown = (None,) if group.structure.common else group.effects
    variances = [rf"\sigma_{{{_subscript(group, effect)}}}^2" for effect in shown]
    if group.structure.relationship is not None:
        return rf"{u} &\sim \mathcal{{N}}_{{{group.n_levels}}}(0, {variances[0]}\, A)"
    if group.structure.lower is not None:
        rho = rf"\rho_{{{_subscript(group, None)}}}"
        power = "|s - t|" if group.structure.keyword == "ar1" else r"[s \neq t]"
        matrix = rf"{variances[0]}\, R), \quad R_{{st}} = {rho}^{{{power}}}"
        return rf"{u}_j &\sim \mathcal{{N}}_{{{q}}}(0, {matrix}, {levels}"
    if q == 1:
        return rf"{u}_j &\sim \mathcal{{N}}(0, {variances[0]}), {levels}"
    # A second term of the same factor has a label with its effects in it, and a matrix of its own.
    whole = group.label == group.name
    subscript = _text(group.name) if whole else ", ".join(map(_text, (group.name, *group.effects)))
    full, diagonal = rf"\Sigma_{{{subscript}}}", rf"\operatorname{{diag}}({', '.join(variances)})"
    matrix = full if group.structure.correlated else diagonal
    return rf"{u}_j &\sim \mathcal{{N}}_{{{q}}}(0, {matrix}), {levels}"


def _subscript(group: GroupEffects, effect: str | None) -> str:
    """Return what tells one standard deviation from another: the group alone where it has an intercept alone."""
    alone = effect is None or group.effects == (INTERCEPT,)
    words = (group.name, *(() if alone else (str(effect),)), *((group.qualifier,) if group.qualifier else ()))
    return ", ".join(map(_text, words))
