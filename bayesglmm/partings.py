"""Where a posterior and a classical fit of the same model part, by how much, and why: in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

__all__ = ["partings"]

#: A gap below this many posterior standard deviations is no parting.
_CLOSE = 0.1


def partings(results: Sequence[Any], frames: Sequence[pd.DataFrame]) -> Iterator[str]:
    """Yield a sentence or two for every fit that stands beside a posterior.

    Parameters
    ----------
    results : sequence of Result
        What is compared.
    frames : sequence of DataFrame
        The tidy frame of each.
    """
    posterior = next((f for r, f in zip(results, frames, strict=True) if r.method == "nuts"), None)
    for result, frame in zip(results, frames, strict=True):
        if posterior is None or result.reference or result.method == "nuts":
            continue
        if result.estimand != "conditional":
            yield (
                f"{result.method} estimates population averages; the other columns hold given the group effects and "
                "are larger in size wherever the link is not the identity."
            )
            continue
        both = posterior.merge(frame, on=["term", "name"], suffixes=("", "_fit")).dropna(subset=["estimate_fit"])
        yield from _spreads(result, both[both["term"] == "sd"])
        yield from _coefficients(result, both[both["term"] == "fixed"])


def _most_apart(rows: pd.DataFrame) -> tuple[str, float, float, float]:
    """Return name, posterior mean, estimate and gap (in posterior sds) of the row that parts most."""
    gaps = ((rows["estimate"] - rows["estimate_fit"]).abs() / rows["std_error"]).to_numpy()
    k = int(gaps.argmax())
    row = rows.iloc[k]
    return str(row["name"]), float(row["estimate"]), float(row["estimate_fit"]), float(gaps[k])


def _spreads(result: Any, rows: pd.DataFrame) -> Iterator[str]:
    if rows.empty:
        return
    name, mean, estimate, gap = _most_apart(rows)
    if gap < _CLOSE:
        yield f"Standard deviations: {result.method} and the posterior agree within {gap:.2f} posterior sd."
        return
    words = f"{name} parts most: posterior mean {mean:.3f}, {result.method} {estimate:.3f} ({gap:.1f} posterior sd)."
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
    name, _, _, gap = _most_apart(rows)
    yield f"Coefficients: {result.method} and the posterior agree within {gap:.2f} posterior sd (most apart: {name})."
