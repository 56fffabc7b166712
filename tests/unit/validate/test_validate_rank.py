import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesglmm.validate.moments import moments_of
from bayesglmm.validate.rank import dependences


def found(X, intercept=False):
    return dependences(X, moments_of(X), intercept)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.booleans(), st.sampled_from([0.0, 5.0, 2000.0, 1e7]))
def test_a_combination_is_found_with_its_factors(seed, p, intercept, distance):
    rng = np.random.default_rng(seed)
    # Without an intercept, columns that vary by a ten-millionth of their size are one column.
    X = rng.normal(size=(40, p)) * 10.0 ** rng.integers(-1, 3, p) + (distance if intercept else min(distance, 5.0))
    if intercept:
        X[:, 0] = 1.0
    assert found(X, intercept) == ()
    factors = rng.choice([-2.0, 1.0, 3.0], size=p)
    (dependence,) = found(np.column_stack([X, X @ factors]), intercept)
    assert dependence.column == p
    others = dict(dependence.others)
    for k in range(int(intercept), p):
        assert others[k] == pytest.approx(factors[k], rel=1e-5)


def test_of_two_equal_columns_the_later_is_named():
    x = np.linspace(0.0, 1.0, 9)
    (dependence,) = found(np.column_stack([x, x**2, x]))
    assert (dependence.column, dependence.others) == (2, ((0, pytest.approx(1.0)),))


def test_a_column_of_zeros_follows_from_none():
    X = np.column_stack([np.ones(9), np.zeros(9), np.arange(9.0)])
    for intercept in (False, True):
        (dependence,) = found(X, intercept)
        assert (dependence.column, dependence.others) == (1, ())


def test_a_constant_is_a_multiple_of_the_intercept():
    X = np.column_stack([np.ones(9), np.arange(9.0), np.full(9, 3.7)])
    (dependence,) = found(X, intercept=True)
    assert (dependence.column, dependence.others) == (2, ((0, pytest.approx(3.7)),))


@pytest.mark.parametrize("share", [1e-3, 1e-5])
def test_a_column_that_is_nearly_another_is_independent(share):
    rng = np.random.default_rng(4)
    x, e = rng.normal(size=(2, 200))
    assert found(np.column_stack([np.ones(200), x, x + share * e]), intercept=True) == ()


def test_moments_go_over_blocks():
    rng = np.random.default_rng(2)
    X = rng.normal(loc=[1e6, 0.0, -5.0], size=(20_000, 3))
    moments = moments_of(X)
    np.testing.assert_allclose(moments.mean, X.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.scatter, np.cov(X.T, bias=True) * len(X), rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(moments.sd, X.std(axis=0), rtol=1e-9)
    np.testing.assert_allclose(moments.gram, X.T @ X, rtol=1e-12)
