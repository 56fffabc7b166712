"""Row functions against mpmath at 50 digits, in both tails and for every pattern of y.

Tolerances are relative to the exact value. Where a quantity is a sum of terms of both signs, they are
relative to the sum of the terms' magnitudes, its scale, since the sum may vanish. Values below
1e-300 count as 0.
"""

from __future__ import annotations

import sys

import mpmath
import numpy as np
import pytest

from bayesglmm.families import FAMILIES, compile_rows, get_family
from bayesglmm.families.poisson import SATURATED

TOLERANCE = (1e-12, 1e-12, 1e-10, 1e-8)
_POSITIVE = [
    1e-8,
    1e-3,
    0.1,
    0.5,
    1,
    2,
    2.3,
    3.9,
    3.999,
    4,
    4.001,
    5,
    6.6,
    6.63,
    8,
    10,
    20,
    30,
    37,
    38,
    40,
    700,
]
ETA = np.array(sorted([-x for x in _POSITIVE] + [0.0] + _POSITIVE))


@pytest.fixture(autouse=True)
def fifty_digits():
    with mpmath.workdps(50):
        yield


def rows(family: str, link: str, y, size, eta, phi: float = 1.0) -> np.ndarray:
    """Return the seven row quantities, shape (7, n)."""
    y, size, eta = (np.ascontiguousarray(a, dtype=np.float64) for a in np.broadcast_arrays(y, size, eta))
    out = np.empty((7, eta.size))
    compile_rows(FAMILIES[family].links[link].row).derivatives(y, size, np.ones(eta.size), eta, phi, out)
    return out


def assert_close(got: float, terms: list, tolerance: float, where: str) -> None:
    exact = mpmath.fsum(terms)
    scale = mpmath.fsum(abs(term) for term in terms)
    if abs(exact) > sys.float_info.max:
        assert got == mpmath.sign(exact) * np.inf, where
        return
    error = abs(mpmath.mpf(float(got)) - exact)
    assert error <= tolerance * scale + mpmath.mpf("1e-300"), (
        f"{where}: {got!r}, exactly {mpmath.nstr(exact, 20)}, error {mpmath.nstr(error / (scale or 1), 3)}"
    )


def log_logistic(x):
    return -mpmath.log1p(mpmath.exp(-x))


def log_normal(x):
    if x > 0:
        return mpmath.log1p(-mpmath.erfc(x / mpmath.sqrt(2)) / 2)
    return mpmath.log(mpmath.erfc(-x / mpmath.sqrt(2)) / 2)


def log_cauchy(x):
    if x > 0:
        return mpmath.log1p(-mpmath.atan2(1, x) / mpmath.pi)
    return mpmath.log(mpmath.atan2(1, -x) / mpmath.pi)


def log_cloglog(x):
    w = mpmath.exp(x)
    return mpmath.log1p(-mpmath.exp(-w)) if w > 1 else mpmath.log(-mpmath.expm1(-w))


LOG_MU = {"logit": log_logistic, "probit": log_normal, "cloglog": log_cloglog, "cauchit": log_cauchy}


def log_one_minus_mu(link: str, x):
    return -mpmath.exp(x) if link == "cloglog" else LOG_MU[link](-x)


def jet(function, x, digits: int = 50) -> list:
    """Return the function and its first three derivatives at x.

    Differences leave some 1e-50 of an exact 0; near the middle, where none of them is tiny, that is cut off.
    """
    with mpmath.workdps(digits):
        coefficients = mpmath.taylor(function, mpmath.mpf(float(x)), 3, chop=abs(x) < 1)
        return [c * mpmath.factorial(k) for k, c in enumerate(coefficients)]


@pytest.fixture(scope="module", params=list(LOG_MU))
def binary(request):
    link = request.param
    tails = []
    for x in ETA:
        # The second derivative of a tail that is linear or exponential in eta is exp(-|eta|) of its value.
        digits = 50 + int(abs(x)) if link in ("logit", "cloglog") else 50
        success = jet(LOG_MU[link], x, digits)
        tails.append((success, jet(lambda t: log_one_minus_mu(link, t), x, digits)))
    return link, tails


@pytest.mark.parametrize(
    ("family", "y", "size"),
    [
        ("bernoulli", 0, 1),
        ("bernoulli", 1, 1),
        ("binomial", 0, 12),
        ("binomial", 5, 12),
        ("binomial", 12, 12),
        ("binomial", 1, 10**6),
        ("binomial", 10**6 - 1, 10**6),
    ],
)
def test_rows_of_trials(binary, family, y, size):
    link, tails = binary
    got = rows(family, link, y, size, ETA)
    for i, (success, failure) in enumerate(tails):
        for k in range(4):
            terms = [y * success[k]] * (y > 0) + [(size - y) * failure[k]] * (y < size)
            assert_close(got[k, i], terms, TOLERANCE[k], f"{link} d{k} at eta={ETA[i]}")
    assert np.all(got[4:] == 0.0)


def test_forty_against_y_is_exact_where_a_clamped_probability_is_not():
    got = rows("bernoulli", "logit", [1.0, 0.0], 1.0, [-40.0, 40.0])
    np.testing.assert_allclose(got[0], -40.0, rtol=1e-15)
    np.testing.assert_allclose(got[1], [1.0, -1.0], rtol=1e-15)


def test_logit_far_out_is_finite():
    got = rows("binomial", "logit", [0.0, 3.0, 7.0] * 2, 7.0, [-1e6] * 3 + [1e6] * 3)
    assert np.all(np.isfinite(got))


def test_cloglog_beyond_overflow_has_its_limits():
    got = rows("binomial", "cloglog", [0.0, 3.0, 7.0], 7.0, 710.0)[:4]
    assert np.all(got[:, :2] == -np.inf)
    assert np.all(got[:, 2] == 0.0)


POISSON_Y = [0, 1, 7, 1000, 10**6]


def saturated(y: int) -> list[mpmath.mpf]:
    """Return the terms that l of a large count is relative to."""
    return [-y * mpmath.log(y), mpmath.mpf(y)] if y > SATURATED else []


@pytest.mark.parametrize("y", POISSON_Y)
def test_poisson_log_rows(y):
    eta = np.append(ETA, np.log(max(y, 1)) + np.array([-1e-4, 0.0, 1e-4]))
    got = rows("poisson", "log", y, 1.0, eta)
    for i, x in enumerate(eta):
        mu = mpmath.exp(mpmath.mpf(float(x)))
        terms = ([y * mpmath.mpf(float(x)), -mu, *saturated(y)], [y, -mu], [-mu], [-mu])
        for k in range(4):
            assert_close(got[k, i], terms[k], TOLERANCE[k], f"d{k} at eta={x}")
    assert np.all(got[4:] == 0.0)


@pytest.mark.parametrize("y", POISSON_Y)
def test_poisson_sqrt_rows(y):
    eta = np.append(ETA[ETA != 0.0], np.sqrt(max(y, 1)) * np.array([-1.0, 1.0, 1.0001]))
    got = rows("poisson", "sqrt", y, 1.0, eta)
    for i, x in enumerate(eta):
        logarithm = jet(lambda t: 2 * y * mpmath.log(abs(t)), x)
        x = mpmath.mpf(float(x))
        square = [-x * x, -2 * x, mpmath.mpf(-2), mpmath.mpf(0)]
        for k in range(4):
            extra = saturated(y) if k == 0 else []
            assert_close(got[k, i], [logarithm[k], square[k], *extra], TOLERANCE[k], f"d{k} at eta={x}")


@pytest.mark.parametrize("link", ["log", "sqrt"])
def test_large_counts_keep_their_digits(link):
    y = 10**9
    for shift in (-5, 0, 3):  # standard deviations of the count
        mu = mpmath.mpf(y) + shift * mpmath.sqrt(y)
        eta = float(mpmath.log(mu) if link == "log" else mpmath.sqrt(mu))
        mu = mpmath.exp(mpmath.mpf(eta)) if link == "log" else mpmath.mpf(eta) ** 2
        exact = y * mpmath.log(mu) - mu - mpmath.loggamma(y + 1)
        family = get_family("poisson")
        constant = family.log_constant(np.array([float(y)]), np.array([1.0]))[0]
        assert float(rows("poisson", link, y, 1.0, eta)[0, 0] + constant - exact) == pytest.approx(0.0, abs=1e-9)


def test_poisson_sqrt_at_zero():
    got = rows("poisson", "sqrt", [0.0, 3.0], 1.0, 0.0)
    np.testing.assert_array_equal(got[:4, 0], [0.0, 0.0, -2.0, 0.0])
    assert got[0, 1] == -np.inf


GAUSSIAN_MU = {"identity": lambda eta: eta, "log": mpmath.exp}


def gaussian_log_density(link: str, y, size, eta, log_phi):
    sd = mpmath.exp(log_phi) * size
    z = (y - GAUSSIAN_MU[link](eta)) / sd
    return -mpmath.log(sd) - mpmath.log(2 * mpmath.pi) / 2 - z * z / 2


def gaussian_scales(link: str, y, size, eta, phi) -> list:
    """Return the magnitude of the terms of l, d1, d2, d3, lp, d1p, d2p before they cancel."""
    sd, mu = phi * size, GAUSSIAN_MU[link](eta)
    z = (y - mu) / sd
    l = abs(mpmath.log(sd)) + 1 + z * z
    if link == "identity":
        return [l, abs(z) / sd, 1 / sd**2, 0, z * z + 1, 2 * abs(z) / sd, 2 / sd**2]
    reach, v = (abs(y) + mu) / sd, mu / sd
    # z^2 inherits the relative error of mu / sd times z.
    return [
        l + abs(z) * reach,
        v * reach,
        v * (reach + v),
        v * (reach + 3 * v),
        z * z + 1 + abs(z) * reach,
        2 * v * reach,
        2 * v * (reach + v),
    ]


@pytest.mark.parametrize("link", ["identity", "log"])
@pytest.mark.parametrize(("size", "phi"), [(1.0, 0.75), (0.3, 1.0), (2.5, 40.0), (1.0, 1e-4)])
def test_gaussian_rows(link, size, phi):
    y = np.array([-1000.0, -0.2, 0.0, 1.3, 54.6, 1e6])
    eta = np.array([-40.0, -10.0, -1.0, -1e-8, 0.0, 0.5, 1.0, 4.0, 13.8, 40.0])
    grid = [(a, b) for a in y for b in eta]
    got = rows("gaussian", link, [a for a, _ in grid], size, [b for _, b in grid], phi)
    orders = [(0, 0), (1, 0), (2, 0), (3, 0), (0, 1), (1, 1), (2, 1)]
    tolerance = [*TOLERANCE, 1e-12, 1e-12, 1e-10]
    exact_phi, exact_size = mpmath.mpf(phi), mpmath.mpf(size)
    for i, (a, b) in enumerate(grid):
        point = (mpmath.mpf(float(b)), mpmath.log(exact_phi))
        scales = gaussian_scales(link, mpmath.mpf(float(a)), exact_size, point[0], exact_phi)
        for k, order in enumerate(orders):
            exact = mpmath.diff(
                lambda e, t, a=a: gaussian_log_density(link, mpmath.mpf(float(a)), exact_size, e, t),
                point,
                order,
            )
            error = abs(mpmath.mpf(float(got[k, i])) - exact)
            # What a numerical derivative of an exact 0 leaves is below 1e-40 of the density's own terms.
            assert error <= tolerance[k] * scales[k] + mpmath.mpf("1e-40") * scales[0], (
                f"{link} quantity {k} at y={a}, eta={b}"
            )


def test_gaussian_log_beyond_overflow_is_not_nan():
    got = rows("gaussian", "log", [3.0], 1.0, [710.0])
    assert not np.any(np.isnan(got))
    assert got[0, 0] == -np.inf
