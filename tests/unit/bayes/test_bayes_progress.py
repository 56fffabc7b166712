"""The progress bar: drawn where somebody watches, silent elsewhere."""

from __future__ import annotations

import contextlib
import io
import sys
from types import SimpleNamespace

import pytest

from bayesglmm.bayes.progress import ChainProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def state(done: int, divergences: int = 0) -> SimpleNamespace:
    return SimpleNamespace(finished_draws=done, divergences=divergences)


def test_chains_add_up(capsys):
    with contextlib.redirect_stderr(Terminal()) as terminal, ChainProgress(100, 2, visible=True) as progress:
        progress.refresh()
        progress.report([state(30), state(40, 3)])
        progress.refresh()
        (task,) = progress._bar.tasks
        assert (task.completed, task.total) == (70, 200)
        assert task.fields["words"] == "3 divergences"
        progress.report([state(30), state(50)])
        progress.refresh()
        assert task.completed == 80
        assert task.fields["words"] == ""
    assert "sampling" in terminal.getvalue()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("stream", "visible"), [(Terminal, False), (io.StringIO, True)])
def test_nothing_is_drawn_where_nobody_watches(stream, visible, monkeypatch):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    with contextlib.redirect_stderr(stream()) as terminal, ChainProgress(100, 2, visible=visible) as progress:
        progress.report([state(30)])
        progress.refresh()
    assert terminal.getvalue() == ""


def test_the_bar_ends_with_an_error():
    with contextlib.redirect_stderr(Terminal()):
        progress = ChainProgress(100, 1, visible=True)
        with pytest.raises(ValueError, match="stop"), progress:
            raise ValueError("stop")
    assert not progress._bar.live.is_started
