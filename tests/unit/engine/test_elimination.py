"""Blocked elimination against dense algebra: determinant, solutions, selected inverse, for every kind of design."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.engine.effects import EffectColumns
from bayesglmm.engine.elimination import Elimination, eliminate
from bayesglmm.engine.pattern import Pattern

FORMULAS = (
    "y ~ x + (1 | g)",
    "y ~ x + (1 + x + w | g)",
    "y ~ x + (1 | h) + (1 | g)",
    "y ~ x + (1 + x | h) + (1 | g) + (0 + w | k)",
    "y ~ x + (1 | g / h)",
    "y ~ x + (1 + x || h) + (1 | g:h) + (1 + w | g)",
    "y ~ x + (1 | district) + (1 + x | pupil) + (1 + w | class) + (1 + x | h) + (1 | k)",
    "y ~ x + (1 + x || pupil) + (0 + w | district) + (1 | g)",
    "y ~ x",
)


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    n = 90
    data = pd.DataFrame({name: rng.integers(0, k, n).astype(str) for name, k in (("g", 13), ("h", 5), ("k", 6))})
    pupil = rng.integers(0, 30, n)
    nested = {"pupil": pupil.astype(str), "class": (pupil // 3).astype(str), "district": (pupil // 9).astype(str)}
    return data.assign(y=rng.normal(size=n), x=rng.normal(size=n), w=rng.normal(size=n), **nested)


def built(formula: str, weights: np.ndarray | None = None) -> tuple[Elimination, np.ndarray, EffectColumns]:
    design = bg.GLMM(formula, frame()).design
    effects = EffectColumns.of(design)
    rng = np.random.default_rng(5)
    a = rng.normal(size=effects.value.shape)
    w = rng.uniform(0.1, 2.0, design.n_rows) if weights is None else weights
    found = eliminate(Pattern.of(design, effects), a, w)
    assert found is not None
    A = np.zeros((design.n_rows, effects.size))
    for index, value in zip(effects.index, a, strict=True):
        A[np.arange(design.n_rows), index] += value
    return found, np.eye(effects.size) + A.T @ (w[:, None] * A), effects


@pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")
@pytest.mark.parametrize("formula", FORMULAS)
def test_against_dense_algebra(formula: str) -> None:
    found, H, effects = built(formula)
    assert found.log_determinant == pytest.approx(np.linalg.slogdet(H)[1], rel=1e-12)
    inverse = np.linalg.inv(H)
    b = np.random.default_rng(2).normal(size=(effects.size, 3))
    given = b.copy()
    np.testing.assert_allclose(found.solve(b), inverse @ b, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.solve(b[:, 0]), inverse @ b[:, 0], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(b, given)  # a right-hand side is never written to
    A = np.zeros((effects.index.shape[1], effects.size))
    for index, value in zip(effects.index, found.a, strict=True):
        A[np.arange(len(A)), index] += value
    expected = A @ inverse
    rows = np.arange(len(A))
    for solution, index in zip(found.row_solutions(), effects.index, strict=True):
        np.testing.assert_allclose(solution, expected[rows, index], rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")
@pytest.mark.parametrize("formula", FORMULAS[:-1])
def test_blocks_are_those_of_the_inverse(formula: str) -> None:
    found, H, _ = built(formula)
    inverse, at = np.linalg.inv(H), 0
    for t, (J, q) in enumerate(found.pattern.shapes):
        for block in found.blocks(t):
            np.testing.assert_allclose(block, inverse[at : at + q, at : at + q], rtol=0, atol=1e-12)
            at += q
        assert len(found.blocks(t)) == J


@pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")
def test_not_positive_definite_is_none_in_head_and_tail() -> None:
    design = bg.GLMM("y ~ x + (1 | h) + (1 | g)", frame()).design
    effects = EffectColumns.of(design)
    pattern = Pattern.of(design, effects)
    assert eliminate(pattern, effects.value, np.full(design.n_rows, -1.0)) is None
    # Each head block alone is positive definite, the tail's Schur complement is not.
    assert eliminate(pattern, effects.value, np.full(design.n_rows, -0.06)) is None


@pytest.mark.parametrize(
    ("formula", "chain", "n_tail"),
    [
        ("y ~ x + (1 | h) + (1 | g)", (1,), 5),
        ("y ~ x + (1 | g) + (0 + x | g)", (0, 1), 0),
        ("y ~ x + (1 | g / h)", (1, 0), 0),
        ("y ~ x + (1 | district) + (1 | pupil) + (1 | class) + (1 | h)", (1, 2, 0), 5),
        ("y ~ x + (1 + w | class) + (1 | k) + (1 | pupil)", (2, 0), 6),
        ("y ~ x", (), 0),
    ],
)
@pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")
def test_terms_that_nest_form_the_chain(formula: str, chain: tuple[int, ...], n_tail: int) -> None:
    design = bg.GLMM(formula, frame()).design
    pattern = Pattern.of(design, EffectColumns.of(design))
    assert (pattern.chain, pattern.n_tail) == (chain, n_tail)
