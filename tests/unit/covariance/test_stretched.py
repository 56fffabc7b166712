"""One stretched correlation against SciPy's Beta distribution and differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from bayesglmm.covariance.stretched import stretched_constant, stretched_correlation


@pytest.mark.parametrize("lower", [-1.0, -0.5, 0.0])
@pytest.mark.parametrize("eta", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("x", [-30.0, -1.3, 0.0, 0.4, 30.0])
def test_density_and_derivatives(x: float, eta: float, lower: float) -> None:
    rho, slope, rest, log_density, gradient = stretched_correlation(x, eta, lower)
    t = special.expit(x)
    assert rho == pytest.approx(lower + (1.0 - lower) * t, rel=1e-14, abs=1e-14)
    assert rest == pytest.approx((1.0 - lower) * special.expit(-x), rel=1e-14)
    expected = stats.beta(eta, eta).logpdf(t) + special.log_expit(x) + special.log_expit(-x)
    # SciPy works with t alone, whose distance from 1 has lost digits at x = 30.
    assert log_density + stretched_constant(eta) == pytest.approx(expected, rel=1e-3 if x == 30.0 else 1e-12)
    h = 1e-6
    up, down = stretched_correlation(x + h, eta, lower), stretched_correlation(x - h, eta, lower)
    assert slope == pytest.approx((up[0] - down[0]) / (2 * h), rel=1e-4, abs=1e-9)
    assert gradient == pytest.approx((up[3] - down[3]) / (2 * h), rel=1e-6, abs=1e-7)


def test_far_from_the_middle_nothing_overflows() -> None:
    for x in (-800.0, 800.0):
        assert np.isfinite(stretched_correlation(x, 1.0, -1.0)).all()
