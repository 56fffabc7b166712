"""The model in LaTeX, as the lectures write it."""

from __future__ import annotations

from bayesglmm.design import Design
from bayesglmm.grouping import GroupEffects

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
        rf"{_text(design.response_name)}_i &\sim {design.family.latex}",
        rf"{link} &= {' + '.join(_predictor(design))}",
        *(_effects(group, t) for t, group in enumerate(design.groups)),
    ]
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def _text(name: str) -> str:
    # A name is one line of text without the backticks of the formula; LaTeX takes no blank line in \text.
    written = " ".join(name.replace("`", "").split())
    return rf"\text{{{written.translate(_ESCAPES)}}}"


def _predictor(design: Design) -> list[str]:
    terms = []
    for k, name in enumerate(design.coefficients):
        number = k if design.has_intercept else k + 1
        intercept = design.has_intercept and k == 0
        terms.append(r"\beta_0" if intercept else rf"\beta_{{{number}}}\,{_text(name)}_i")
    for t, group in enumerate(design.groups):
        u = _symbol(t)
        for k, effect in enumerate(group.effects):
            subscript = rf"{_text(group.name)}[i]"
            subscript = subscript if group.n_effects == 1 else rf"{subscript}, {k}"
            share = rf"{u}_{{{subscript}}}"
            terms.append(share if k == 0 and group.has_intercept else rf"{share}\,{_text(effect)}_i")
    if design.spec.formula.common.offsets:
        terms.append(r"\text{offset}_i")
    return terms or ["0"]


def _symbol(t: int) -> str:
    """Return the letter of a group term's effects: u, v, w, then u with a number."""
    return "uvw"[t] if t < 3 else f"u^{{({t + 1})}}"


def _effects(group: GroupEffects, t: int) -> str:
    u, name = _symbol(t), _text(group.name)
    if group.n_effects == 1:
        return rf"{u}_j &\sim \mathcal{{N}}(0, \sigma_{{{name}}}^2), \quad j = 1, \dots, {group.n_levels}"
    q = group.n_effects
    matrix = rf"\Sigma_{{{name}}}" if group.structure.correlated else rf"\operatorname{{diag}}(\sigma_{{{name}}}^2)"
    return rf"{u}_j &\sim \mathcal{{N}}_{{{q}}}(0, {matrix}), \quad j = 1, \dots, {group.n_levels}"
