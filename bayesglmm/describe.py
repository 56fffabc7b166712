"""What was understood: response, terms, levels and every prior, on the data's scale and on the standardised one."""

from __future__ import annotations

import math
from collections.abc import Iterator

from bayesglmm.design import Design
from bayesglmm.parameters import Parameters
from bayesglmm.priors.prior import Prior

__all__ = ["describe", "prior_rows"]


def describe(design: Design, parameters: Parameters) -> str:
    """Return the print-out of a model."""
    spec = design.spec
    lines = [f"{spec.formula}", f"family {spec.family}, link {spec.link}; {_rows(design)}"]
    if design.response_labels:
        failure, success = design.response_labels
        lines.append(f"response {design.response_name}: {success!r} is a success, {failure!r} a failure")
    lines += [f"  {line}" for line in _terms(design)]
    rows = list(prior_rows(design, parameters))
    lines.append("priors (given ones marked *):")
    widths = [max(len(row[k]) for row in rows) for k in range(2)] if rows else [0, 0]
    lines += [f"  {name:<{widths[0]}}  {prior:<{widths[1]}}  {words}".rstrip() for name, prior, words in rows]
    return "\n".join(lines)


def _rows(design: Design) -> str:
    words = f"{design.n_rows} rows"
    if len(design.dropped):
        shown = ", ".join(str(label) for label in design.dropped[:5])
        more = ", ..." if len(design.dropped) > 5 else ""
        words += f" ({len(design.dropped)} left out for missing values: {shown}{more})"
    return words


def _terms(design: Design) -> Iterator[str]:
    yield f"common part: {', '.join(design.coefficients) or 'nothing'}"
    if design.offset.any():
        yield "offset: " + " + ".join(str(o) for o in _offsets(design))
    for group in design.groups:
        levels = group.factor.levels
        shown = ", ".join(levels[:3]) + (", ..." if len(levels) > 3 else "")
        yield f"by {group.name} ({len(levels)} levels: {shown}): {', '.join(group.effects)}, {group.structure.name}"


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
            yield name + star, f"{prior}", _per_sd(prior, parameters, k)
    for t, group in enumerate(design.groups):
        for effect, prior in zip(group.effects, parameters.sds[t], strict=True):
            name = group.sd_name(effect)
            yield name + ("*" if name in parameters.given else ""), f"{prior}", ""
        cor = parameters.cors[t]
        if cor is not None:
            name = f"cor({group.name})"
            yield name + ("*" if name in parameters.given else ""), f"{cor}", ""
    if design.dispersion is not None and parameters.dispersion is not None:
        star = "*" if design.dispersion in parameters.given else ""
        yield design.dispersion + star, f"{parameters.dispersion}", ""


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


def _per_sd(prior: Prior, parameters: Parameters, k: int) -> str:
    """Return the prior of a slope per standard deviation of its column."""
    spread = float(parameters.scales.columns[k])
    if parameters.scales.levels[k] or spread == 1.0 or prior.dist != "Normal":
        return ""
    mu, sigma = prior.params["mu"] * spread, prior.params["sigma"] * spread
    return f"per sd of the column: Normal(mu={mu:.4g}, sigma={sigma:.4g})"
