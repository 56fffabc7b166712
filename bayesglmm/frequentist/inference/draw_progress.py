"""A progress bar on standard error for draws that take over a second; no output where nobody watches."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

__all__ = ["DrawProgress"]

_PATIENCE = 1.0


class DrawProgress:
    """Context manager; ``advance`` counts a draw, and the bar appears once a second has passed."""

    def __init__(self, words: str, total: int, visible: bool) -> None:
        self._words = words
        self._total = total
        self._visible = visible and (sys.stderr.isatty() or "ipykernel" in sys.modules)
        self._done = 0
        self._failed = 0
        self._bar: Any = None
        self._task: Any = None
        self._began = time.monotonic()

    def __enter__(self) -> DrawProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, failed: bool = False) -> None:
        """Count one draw."""
        self._done += 1
        self._failed += failed
        if self._visible and self._bar is None and time.monotonic() - self._began > _PATIENCE:
            self._start()
        if self._bar is not None:
            words = f"{self._failed} failed" if self._failed else ""
            self._bar.update(self._task, completed=self._done, words=words)

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn(self._words),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TextColumn("{task.fields[words]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task(self._words, total=self._total, words="")
