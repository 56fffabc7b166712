"""What was understood: response, terms, levels and every prior, on the data's scale and on the standardised one."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from bayesglmm.counting import count
from bayesglmm.design import Design
from bayesglmm.formula import one_sided_text
from bayesglmm.left_out import rows_words
from bayesglmm.parameters import Parameters
from bayesglmm.priors.prior import Prior
from bayesglmm.residual import RESIDUAL, structure_of

__all__ = ["describe", "prior_rows"]


def describe(design: Design, parameters: Parameters) -> str:
    """Return the print-out of a model."""
    spec = design.spec
    lines = [f"{spec.formula}", f"family {spec.family}, link {spec.link}; {rows_words(design.n_rows, design.dropped)}"]
    lines.append(f"  response {_response(design)}")
    lines += [f"  {line}" for line in _terms(design)]
    rows = list(prior_rows(design, parameters))
    lines.append("priors (given ones marked *):")
    widths = [max(len(row[k]) for row in rows) for k in range(2)] if rows else [0, 0]
    lines += [f"  {name:<{widths[0]}}  {prior:<{widths[1]}}  {words}".rstrip() for name, prior, words in rows]
    return "\n".join(lines)


def _response(design: Design) -> str:
    name, y = design.response_name, design.y
    if design.response_labels and design.auxiliary is not None:
        counts = np.bincount(y.astype(np.int64), minlength=len(design.response_labels))
        shown = ", ".join(f"{label!r} ({n})" for label, n in zip(design.response_labels, counts, strict=True))
        return f"{name}, categories in order: {shown}"
    if design.response_labels:
        failure, success = design.response_labels
        return f"{name}: {success!r} is a success ({count(round(y.sum()), 'row')}), {failure!r} a failure"
    if design.family.size == "trials":
        return f"{name}: {_successes(round(y.sum()))} in {count(round(design.size.sum()), 'trial')}"
    return f"{name}: {y.min():.4g} to {y.max():.4g}, mean {y.mean():.4g}"


def _successes(number: int) -> str:
    return f"{number} success" if number == 1 else f"{number} successes"


def _terms(design: Design) -> Iterator[str]:
    yield f"common part: {', '.join(design.coefficients) or 'nothing'}"
    if design.offset.any():
        yield "offset: " + " + ".join(str(o) for o in _offsets(design))
    if design.spec.weights is not None:
        yield f"weights: {design.spec.weights}"
    for name, common in design.spec.auxiliary_formulas.items():
        yield f"{'logit' if name == 'zero' else 'log'} of {name}: {one_sided_text(common)}"
    for group in design.groups:
        levels = group.factor.levels
        shown = ", ".join(levels[:3]) + (", ..." if len(levels) > 3 else "")
        kind = "" if group.kind is None else f", {group.kind.name}"
        factor = f"by {group.name}{kind} ({count(len(levels), 'level')}: {shown})"
        yield f"{factor}: {_effects(group.effects)}, {group.structure.name}"
    rows = design.residual
    if rows is not None:
        words = f"{count(len(rows.factor.levels), 'group')} of at most {rows.largest} rows"
        yield f"residuals {rows.term}: {structure_of(rows).words}; {words}"


def _effects(names: tuple[str, ...]) -> str:
    """Return the effects of a term; of many, the first and the last."""
    return ", ".join(names) if len(names) <= 8 else f"{', '.join(names[:3])}, ..., {names[-1]}"


def _offsets(design: Design) -> list[str]:
    from bayesglmm.formula import node_text

    return [node_text(o) for o in design.spec.formula.common.offsets]


def prior_rows(design: Design, parameters: Parameters) -> Iterator[tuple[str, str, str]]:
    """Yield (parameter, prior as it is sampled, the same on the other scale) for every parameter."""
    for k, (name, prior) in enumerate(zip(design.coefficients, parameters.coefficients, strict=True)):
        star = "*" if name in parameters.given else ""
        if k == 0 and parameters.centered:
            yield name + star, f"{prior}", f"at the columns' means; raw intercept: {_raw_intercept(parameters)}"
        else:
            varies = not parameters.scales.levels[k]
            yield name + star, f"{prior}", _per_sd(prior, float(parameters.scales.columns[k])) if varies else ""
    for t, group in enumerate(design.groups):
        for name, prior, spread in zip(group.sd_names(), parameters.sds[t], parameters.scales.effects[t], strict=True):
            yield name + ("*" if name in parameters.given else ""), f"{prior}", _per_sd(prior, float(spread))
        cor = parameters.cors[t]
        if cor is not None:
            name = group.cor_name
            yield name + ("*" if name in parameters.given else ""), f"{cor}", ""
    for part, priors in zip(design.family_parts, parameters.family, strict=True):
        for name, prior in zip(part.names, priors, strict=True):
            yield name + ("*" if name in parameters.given else ""), f"{prior}", ""
    if design.residual is not None:
        name, rows = f"cor({RESIDUAL})", design.residual
        lower = structure_of(rows).lower(rows)
        words = "" if rows.patterned else f"between {lower:.4g} and 1: Beta(eta, eta) stretched over this range"
        yield name + ("*" if name in parameters.given else ""), f"{parameters.residual}", words


def _raw_intercept(parameters: Parameters) -> str:
    """Return the prior that the raw intercept has by implication, where everything is normal."""
    priors = parameters.coefficients
    if any(p.dist != "Normal" for p in priors):
        return "that less the columns' means times the slopes"
    mean = priors[0].params["mu"] - sum(
        c * p.params["mu"] for c, p in zip(parameters.center[1:], priors[1:], strict=True)
    )
    variance = priors[0].params["sigma"] ** 2 + sum(
        (c * p.params["sigma"]) ** 2 for c, p in zip(parameters.center[1:], priors[1:], strict=True)
    )
    return f"Normal(mu={mean:.4g}, sigma={math.sqrt(variance):.4g})"


def _per_sd(prior: Prior, spread: float) -> str:
    """Return the prior of an effect per standard deviation of its column, where the distribution says it simply."""
    if spread == 1.0 or prior.on != "sd" or not set(prior.params) <= {"nu", "mu", "sigma"}:
        return ""
    values = ", ".join(f"{p}={v if p == 'nu' else v * spread:.4g}" for p, v in prior.params.items())
    return f"per sd of the column: {prior.dist}({values})" if values else ""
