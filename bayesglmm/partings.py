"""Where a posterior and a classical fit of the same model part, by how much, and why: in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.schema import number

__all__ = ["partings"]

#: Gaps in posterior sds: below the first, standard deviations agree; up to the second, coefficients do.
_CLOSE, _APART = 0.1, 0.5


def partings(results: Sequence[Any], frames: Sequence[pd.DataFrame]) -> Iterator[str]:
    """Yield a sentence or two for every fit that stands beside a posterior of the same model and data.

    Parameters
    ----------
    results : sequence of Result
        What is compared.
    frames : sequence of DataFrame
        The tidy frame of each.
    """
    posteriors = [(r, f) for r, f in zip(results, frames, strict=True) if r.method == "nuts"]
    for result, frame in zip(results, frames, strict=True):
        posterior = next((f for r, f in posteriors if _same_model(r, result)), None)
        if posterior is None or result.reference or result.method == "nuts":
            continue
        if result.estimand != "conditional":
            yield (
                f"{result.method} estimates population averages; the other columns hold given the group effects and "
                "answer another question wherever the link is not the identity (bg.attenuation relates the two)."
            )
            continue
        both = posterior.merge(frame, on=["term", "name"], suffixes=("", "_fit")).dropna(subset=["estimate_fit"])
        # A single draw has no standard deviation, and draws that never moved one of 0.
        both = both[np.isfinite(both["std_error"]) & (both["std_error"] > 0.0)]
        yield from _spreads(result, both[both["term"] == "sd"])
        yield from _coefficients(result, both[both["term"] == "fixed"])


def _same_model(one: Any, other: Any) -> bool:
    same = one.formula == other.formula and dict(one.beside) == dict(other.beside)
    return bool(same and one.fingerprint == other.fingerprint)


def _most_apart(rows: pd.DataFrame) -> tuple[str, float, float, float]:
    """Return name, posterior mean, estimate and gap (in posterior sds) of the row that parts most."""
    gaps = ((rows["estimate"] - rows["estimate_fit"]).abs() / rows["std_error"]).to_numpy()
    k = int(gaps.argmax())
    row = rows.iloc[k]
    return str(row["name"]), float(row["estimate"]), float(row["estimate_fit"]), float(gaps[k])


def _parts_most(result: Any, name: str, mean: float, estimate: float, gap: float) -> str:
    means = f"posterior mean {number(mean, 3)}, {result.method} {number(estimate, 3)}"
    return f"{name} parts most: {means} ({number(gap, 1)} posterior sd)."


def _spreads(result: Any, rows: pd.DataFrame) -> Iterator[str]:
    if rows.empty:
        return
    name, mean, estimate, gap = _most_apart(rows)
    if gap < _CLOSE:
        yield f"Standard deviations: {result.method} and the posterior agree within {gap:.2f} posterior sd."
        return
    words = _parts_most(result, name, mean, estimate, gap)
    if estimate == 0.0:
        words += " The likelihood is highest at 0, and the posterior averages over the values that the data allow."
    elif mean > estimate:
        words += " The posterior of a standard deviation is skewed to the right: its mean lies beyond its mode."
        words += f" {result.caveat}" if result.caveat else ""
    else:
        words += " The prior holds the standard deviation down."
    yield words


def _coefficients(result: Any, rows: pd.DataFrame) -> Iterator[str]:
    if rows.empty:
        return
    name, mean, estimate, gap = _most_apart(rows)
    if gap > _APART:
        yield f"Coefficients: {_parts_most(result, name, mean, estimate, gap)}"
        return
    yield f"Coefficients: {result.method} and the posterior agree within {gap:.2f} posterior sd (most apart: {name})."
