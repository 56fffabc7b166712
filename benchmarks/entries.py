"""Who takes part in a classical comparison, and what each fit took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

__all__ = ["AbsentError", "Entry", "Run"]


class AbsentError(Exception):
    """A package, method or dataset is not there."""


@dataclass(frozen=True)
class Run:
    """One fit: seconds from the data frame on, of the fit alone and of CPU; what it reached and said."""

    whole: float
    fit: float | None
    cpu: float | None
    loglik: float
    remark: str


@dataclass
class Entry:
    """One package's way to fit one problem, with what it took so far."""

    label: str
    once: Callable[[], Run]
    first: Run | None = None
    runs: list[Run] = field(default_factory=list)
    failure: str = ""

    def attempt(self) -> Run | None:
        """Fit once; a failure is kept in words, for a broken package must not stop the others."""
        try:
            return self.once()
        except AbsentError as reason:
            self.failure = f"not available: {reason}"
        except Exception as error:
            self.failure = f"failed: {type(error).__name__}: {str(error)[:160]}"
        return None

    def warm_up(self) -> None:
        """Fit for the first time."""
        self.first = self.attempt()

    def repeat(self, budget: float) -> None:
        """Fit again, unless that would take the entry beyond ``budget`` seconds; a long first fit stands for itself."""
        if self.first is None or self.failure:
            return
        expected = (self.runs[-1] if self.runs else self.first).whole
        if sum(run.whole for run in self.runs) + expected > budget:
            self.runs = self.runs or [self.first]
        elif (run := self.attempt()) is not None:
            self.runs.append(run)

    def middle(self, what: str) -> float | None:
        """Return the median of one of the figures."""
        values = [getattr(run, what) for run in self.runs]
        return None if not values or values[0] is None else median(values)
