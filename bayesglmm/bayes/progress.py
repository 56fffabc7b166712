"""A progress bar on standard error: one line for all chains, no output where nobody watches."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, NamedTuple

from bayesglmm.counting import count

__all__ = ["ChainProgress", "ChainState"]


class ChainState(NamedTuple):
    """How far a chain is: iterations done, warm-up included, and divergences among them."""

    finished_draws: int
    divergences: int


class ChainProgress:
    """Context manager around a rich progress bar; ``report`` takes a list of chain states (ours or nutpie's).

    ``report`` is called from a sampler's thread and only stores what it gets; ``refresh`` draws, in the main thread.
    """

    def __init__(self, total: int, chains: int, visible: bool) -> None:
        self._total = total * chains
        self._visible = visible and (sys.stderr.isatty() or _in_notebook())
        self._states: list[Any] = []
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> ChainProgress:
        if self._visible:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("sampling"),
                BarColumn(),
                TextColumn("{task.completed:.0f}/{task.total:.0f}"),
                TextColumn("{task.fields[words]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("sampling", total=self._total, words="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def report(self, states: list[Any]) -> None:
        """Keep the newest state of every chain."""
        self._states = list(states)

    def refresh(self) -> None:
        """Draw the newest state."""
        if self._bar is None or not self._states:
            return
        done = sum(s.finished_draws for s in self._states)
        divergences = sum(s.divergences for s in self._states)
        words = count(divergences, "divergence") if divergences else ""
        self._bar.update(self._task, completed=done, words=words)


def _in_notebook() -> bool:
    return "ipykernel" in sys.modules
