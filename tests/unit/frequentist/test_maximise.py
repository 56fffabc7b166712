"""The search for a maximum where gradients mislead, at saddles and on the boundary."""

from __future__ import annotations

import numpy as np
import pytest

from bayesglmm.frequentist.search.maximise import maximise
from bayesglmm.frequentist.search.objective import Objective
from bayesglmm.frequentist.search.optimum import OptimumStatus


def objective(evaluate: object, nonnegative: tuple[bool, ...]) -> Objective:
    k = len(nonnegative)
    columns = tuple(np.array([i]) for i in range(k) if nonnegative[i])

    def absorb(x: np.ndarray, column: np.ndarray) -> np.ndarray:
        x = x.copy()
        x[column] = 0.0
        return x

    return Objective(evaluate, np.eye(k), np.array(nonnegative), np.eye(k), columns, absorb)  # type: ignore[arg-type]


def test_a_saddle_is_left() -> None:
    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        a, b = x
        return float(-(a**2) - (b**2 - 1.0) ** 2), np.array([-2.0 * a, -4.0 * b * (b**2 - 1.0)])

    found = maximise(objective(evaluate, (False, False)), np.array([0.5, 0.0]))
    assert found.status is OptimumStatus.CONVERGED
    assert abs(found.x[1]) == pytest.approx(1.0, abs=1e-8)


def test_gradients_of_the_wrong_sign_end_in_the_maximum_or_are_said() -> None:
    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        wrong = 1.0 if np.abs(x - 2.0).max() > 1e-3 else -1.0  # right only next to the maximum
        return float(-((x - 2.0) ** 2).sum()), wrong * 2.0 * (x - 2.0)

    found = maximise(objective(evaluate, (False, False)), np.array([5.0, -3.0]))
    np.testing.assert_allclose(found.x, 2.0, atol=1e-5)
    assert found.value == pytest.approx(0.0, abs=1e-9)


def test_an_even_function_that_rises_from_zero_is_climbed() -> None:
    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        s = x[0]
        return float(s**2 - s**4), np.array([2.0 * s - 4.0 * s**3])

    found = maximise(objective(evaluate, (True,)), np.array([0.0]))
    assert found.x[0] == pytest.approx(np.sqrt(0.5), abs=1e-8)


def test_zero_is_pinned_where_it_is_best() -> None:
    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        s = x[0]
        return float(-(s**2)), np.array([-2.0 * s])

    found = maximise(objective(evaluate, (True,)), np.array([0.7]))
    assert found.status is OptimumStatus.BOUNDARY
    assert found.x[0] == 0.0
    assert found.pinned.all()
