"""The pass over the rows against matrices written out, and rows sorted and merged against rows as they came."""

from __future__ import annotations

import functools

import numba
import numpy as np
import pandas as pd
import pytest
from support.models import make_design

from bayesglmm.density.layout import Layout
from bayesglmm.density.row_data import RowData
from bayesglmm.density.row_pass import pass_rows
from bayesglmm.families import FAMILIES, compile_rows

# Sums of n rounded terms in another order: relative to the sum of the terms' sizes, n eps for the worst order.
TOLERANCE = 1e-13


@functools.cache
def compiled_pass(row):
    @numba.njit
    def run(rows, Xt, slopes, codes, terms, beta, u, phi, g_beta, gu):
        return pass_rows(row, rows, Xt, slopes, codes, terms, beta, u, phi, g_beta, gu)

    return run


def terms_of(*shapes: tuple[int, int, int]) -> np.ndarray:
    """Return the table of terms of the given (effects, levels, has intercept)."""
    terms, slope = np.zeros((len(shapes), 8), dtype=np.int64), 0
    for term, (q, levels, lead) in zip(terms, shapes, strict=True):
        term[:5] = 0, q, levels, lead, slope
        slope += q - lead
    return terms


def indicator(terms, slopes, codes) -> np.ndarray:
    """Return Z (n, effects), written out."""
    n = codes.shape[1]
    parts = []
    for term, level in zip(terms, codes, strict=True):
        q, levels, lead, slope = term[1:5]
        part = np.zeros((n, levels, q))
        for k in range(q):
            part[np.arange(n), level, k] = 1.0 if k < lead else slopes[slope + k - lead]
        parts.append(part.reshape(n, -1))
    return np.hstack([np.zeros((n, 0)), *parts])


def problem(n: int, p: int, terms: np.ndarray, family: str, order: str):
    rng = np.random.default_rng(n + p)
    codes = np.array([rng.integers(t[2], size=n) for t in terms], dtype=np.int32).reshape(len(terms), n)
    if order == "sorted" and len(terms):
        codes = np.ascontiguousarray(codes[:, np.argsort(codes[0], kind="stable")])
    y = rng.poisson(1.5, n) * 1.0 if family == "poisson" else (rng.random(n) < 0.5) * 1.0
    rows = np.array([y, np.ones(n), rng.uniform(0.5, 2.0, n), rng.normal(0.0, 0.3, n)])
    slopes = rng.normal(size=(int((terms[:, 1] - terms[:, 3]).sum()), n))
    effects = int((terms[:, 1] * terms[:, 2]).sum())
    return rows, rng.normal(size=(p, n)), slopes, codes, terms, rng.normal(size=p) * 0.3, rng.normal(size=effects)


SHAPES = {
    "no groups": (),
    "one factor": ((1, 40, 1),),
    "one level": ((1, 1, 1),),
    "crossed, slopes, no intercept": ((2, 30, 1), (1, 7, 1), (2, 5, 0)),
}


@pytest.mark.parametrize("order", ["sorted", "as drawn"])
@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(
    ("family", "link", "phi"),
    [("bernoulli", "logit", 1.0), ("poisson", "log", 1.0), ("gaussian", "identity", 0.7), ("bernoulli", "probit", 1.0)],
)
@pytest.mark.parametrize(("n", "p"), [(1, 1), (255, 0), (256, 3), (1793, 2)])
def test_against_matrices(family, link, phi, shapes, order, n, p) -> None:
    row = FAMILIES[family].links[link].row
    rows, Xt, slopes, codes, terms, beta, u = problem(n, p, terms_of(*shapes), family, order)
    given = [a.copy() for a in (rows, Xt, slopes, codes, terms, beta, u)]
    g_beta, gu = np.full(p, np.nan), np.full(len(u), np.nan)
    value, slope = compiled_pass(row)(rows, Xt, slopes, codes, terms, beta, u, phi, g_beta, gu)
    Z = indicator(terms, slopes, codes)
    out = np.empty((7, n))
    eta = np.ascontiguousarray(rows[3] + beta @ Xt + Z @ u)
    compile_rows(row).derivatives(*rows[:3], eta, phi, out)
    l, d1, _, _, lp, _, _ = out
    scale = 1.0 + np.abs(eta).max()
    assert value == pytest.approx(l.sum(), abs=TOLERANCE * scale * (np.abs(l) + np.abs(d1)).sum())
    assert slope == pytest.approx(lp.sum(), abs=TOLERANCE * scale * (np.abs(lp) + np.abs(d1)).sum())
    # A score moves by its derivative in eta, at most 1 for each unit of weight and of mu, times eta's rounding.
    reach = TOLERANCE * scale * (np.abs(d1) + np.abs(out[2]))
    assert np.all(np.abs(g_beta - Xt @ d1) <= np.abs(Xt) @ reach)
    assert np.all(np.abs(gu - Z.T @ d1) <= np.abs(Z).T @ reach)
    for now, before in zip((rows, Xt, slopes, codes, terms, beta, u), given, strict=True):
        np.testing.assert_array_equal(now, before)


def make_data(n: int, repeats: bool) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    x = rng.integers(3, size=n) * 1.0 if repeats else rng.normal(size=n)
    return pd.DataFrame(
        {
            "y": rng.integers(2, size=n),
            "x": x,
            "w": rng.integers(1, 4, size=n),
            "few": rng.integers(4, size=n),
            "many": rng.integers(11, size=n),
        }
    )


def design_of(frame: pd.DataFrame, formula: str = "y ~ x + (1 + x | few) + (1 | many)", **options):
    return make_design(formula, frame, family="bernoulli", **options)


def passed(design, data: RowData, seed: int = 0):
    """Return value, X' score and Z' score at a random point."""
    layout = Layout.of(design)
    rng = np.random.default_rng(seed)
    beta, u = rng.normal(size=len(design.coefficients)), rng.normal(size=layout.n_effects)
    g_beta, gu = np.empty_like(beta), np.empty_like(u)
    run = compiled_pass(design.family_link.row)
    value, _ = run(data.rows, data.Xt, data.slopes, data.codes, layout.terms, beta, u, 1.0, g_beta, gu)
    return np.concatenate([[value], g_beta, gu])


def as_given(design) -> RowData:
    slopes = np.vstack([np.empty((0, design.n_rows)), *(g.slopes for g in design.groups)])
    codes = np.array([g.codes for g in design.groups], dtype=np.int32).reshape(len(design.groups), design.n_rows)
    return RowData(design.rows, np.ascontiguousarray(design.X.T), slopes, codes, np.empty((0, design.n_rows)))


@pytest.mark.parametrize("repeats", [True, False])
@pytest.mark.parametrize("formula", ["y ~ x + (1 + x | few) + (1 | many)", "y ~ x"])
def test_sorted_and_merged_rows_have_the_same_sums(repeats, formula) -> None:
    design = design_of(make_data(700, repeats), formula, weights="w")
    given = design.rows.copy()
    data = RowData.of(design)
    # Sums of 700 numbers of order 10 in two orders.
    np.testing.assert_allclose(passed(design, data), passed(design, as_given(design)), rtol=1e-11, atol=1e-11)
    np.testing.assert_array_equal(design.rows, given)
    assert data.rows[2].sum() == design.weights.sum()
    assert (data.rows.shape[1] < 300) if repeats else (data.rows.shape[1] == 700)
    for array in (data.rows, data.Xt, data.slopes, data.codes):
        assert array.flags.c_contiguous
        assert array.shape[1] == data.rows.shape[1]
    assert data.codes.dtype == np.int32


def test_rows_are_sorted_by_most_levels_then_by_the_rest_then_as_they_came() -> None:
    design = design_of(make_data(500, repeats=False))
    data = RowData.of(design)
    few, many = (np.asarray(g.codes) for g in design.groups)
    order = sorted(range(500), key=lambda i: (many[i], few[i], i))
    np.testing.assert_array_equal(data.codes, np.array([few[order], many[order]]))
    np.testing.assert_array_equal(data.Xt, design.X.T[:, order])
    np.testing.assert_array_equal(data.rows, design.rows[:, order])


def test_few_equal_rows_are_left_alone() -> None:
    frame = make_data(100, repeats=False)
    nine = pd.concat([frame, frame.iloc[:9]], ignore_index=True)
    many = pd.concat([frame, frame.iloc[:30]], ignore_index=True)
    assert RowData.of(design_of(nine, "y ~ x")).rows.shape[1] == 109
    merged = RowData.of(design_of(many, "y ~ x"))
    assert merged.rows.shape[1] == 100
    np.testing.assert_array_equal(merged.rows[0], frame["y"])  # in the order of their first appearance
    np.testing.assert_array_equal(merged.rows[2], [2.0] * 30 + [1.0] * 70)


@pytest.mark.parametrize("column", ["y", "x", "few", "many", "offset"])
def test_rows_that_differ_in_one_column_are_two(column) -> None:
    rng = np.random.default_rng(5)
    cells = pd.DataFrame({name: rng.permutation(np.arange(12) % k) for name, k in (("x", 4), ("few", 3), ("many", 4))})
    frame = pd.concat([cells] * 6, ignore_index=True).assign(offset=0.0)
    frame["y"] = np.repeat([0, 0, 1, 0, 1, 1], 12)
    formula = "y ~ x + (1 | few) + (1 | many) + offset(offset)"
    others = {"y": 1 - frame.loc[0, "y"], "x": 7.0, "offset": 0.5}
    before = sorted(frame.value_counts())
    frame[column] = frame[column].astype(float)
    frame.loc[0, column] = others.get(column, (frame.loc[0, column] + 1) % 3)
    after = sorted(frame.value_counts())
    assert after != before
    np.testing.assert_array_equal(np.sort(RowData.of(design_of(frame, formula)).rows[2]), after)


def test_fingerprints_that_collide_merge_nothing(monkeypatch) -> None:
    monkeypatch.setattr(RowData, "_fingerprints", lambda self: np.zeros(self.rows.shape[1], dtype=np.uint64))
    assert RowData.of(design_of(make_data(50, repeats=False), "y ~ x")).rows.shape[1] == 50
