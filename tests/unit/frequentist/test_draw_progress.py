"""The progress bar of simulations: silent where nobody watches or nothing takes long, else counting draws."""

from __future__ import annotations

import io

import pytest

from bayesglmm.frequentist.inference import draw_progress
from bayesglmm.frequentist.inference.draw_progress import DrawProgress


class Terminal(io.StringIO):
    """What somebody watches."""

    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, visible: bool, patience: float) -> str:
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr(draw_progress, "_PATIENCE", patience)
    with DrawProgress("bootstrap", 5, visible) as bar:
        for k in range(5):
            bar.advance(failed=k == 3)
    return stream.getvalue()


def test_draws_and_failures_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    text = shown(monkeypatch, Terminal(), visible=True, patience=-1.0)
    assert "bootstrap" in text
    assert "5/5" in text
    assert "1 failed" in text


@pytest.mark.parametrize(
    ("stream", "visible", "patience"),
    [(io.StringIO(), True, -1.0), (Terminal(), False, -1.0), (Terminal(), True, 60.0)],
    ids=["nobody watches", "not wanted", "done at once"],
)
def test_otherwise_it_is_silent(
    stream: io.StringIO, visible: bool, patience: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shown(monkeypatch, stream, visible, patience) == ""
