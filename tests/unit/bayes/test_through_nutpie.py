"""Waiting for nutpie's chains: Ctrl-C keeps what there is, and no thread is left behind."""

from __future__ import annotations

import numpy as np
import pytest
from support.models import make_density

import bayesglmm as bg
from bayesglmm.bayes.choice import choose_target
from bayesglmm.bayes.progress import ChainProgress
from bayesglmm.bayes.settings import SampleSettings
from bayesglmm.bayes.through_nutpie import _wait, sample_with_nutpie


def test_a_density_that_is_nowhere_finite():
    density = make_density("normal ~ x0 + (1 | a)")
    density.design.rows[0, :] = np.nan  # cannot come from checked data
    with pytest.raises(bg.SamplingError) as caught:
        sample_with_nutpie(choose_target(density), SampleSettings.checked(draws=10, tune=10, chains=2, progress=False))
    message = str(caught.value)
    assert message.startswith("the sampler stopped: All initialization points failed")
    assert "look at the scale of the columns and at the priors" in message
    assert "backtrace" not in message
    assert "\n" not in message


class Running:
    """A sampler in the background: what its wait() does, one call after another."""

    def __init__(self, *outcomes: object) -> None:
        self.outcomes, self.cancelled = list(outcomes), False

    def wait(self, timeout: float) -> object:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def abort(self) -> str:
        return "what there was"

    def cancel(self) -> None:
        self.cancelled = True


def test_waiting_ends_with_the_trace_or_with_what_there_was_of_it():
    quiet = ChainProgress(10, 1, visible=False)
    assert _wait(Running(TimeoutError(), TimeoutError(), "all"), quiet) == ("all", False)
    assert _wait(Running(TimeoutError(), KeyboardInterrupt()), quiet) == ("what there was", True)


def test_no_thread_is_left_running_by_another_error():
    running = Running(TimeoutError(), OSError("gone"))
    with pytest.raises(OSError, match="gone"):
        _wait(running, ChainProgress(10, 1, visible=False))
    assert running.cancelled
