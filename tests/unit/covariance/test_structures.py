"""Covariance structures: correlation factors, the LKJ density on them, adjoints, theta."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from bayesglmm.covariance import INDEPENDENT, SCALAR, STRUCTURES, UNSTRUCTURED, structure_for
from bayesglmm.covariance.correlation import correlation_adjoint, correlation_factor, factor_of

SIZES = (2, 3, 4, 5)


def random_x(q: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=q * (q - 1) // 2)


def log_density(x: np.ndarray, eta: float, q: int) -> float:
    """Return the log density of the unconstrained coordinates, constant included."""
    value = correlation_factor(UNSTRUCTURED.code, np.ascontiguousarray(x), eta, np.zeros((q, q)))
    return value + UNSTRUCTURED.log_constant(q, eta)


def correlations(x: np.ndarray, q: int) -> np.ndarray:
    """Return the strict lower triangle of R, row by row."""
    L = factor_of(UNSTRUCTURED, x, q)
    return (L @ L.T)[np.tril_indices(q, -1)]


def jacobian(f, x: np.ndarray, h: float = 1e-5) -> np.ndarray:
    moves = h * np.eye(len(x))
    return np.column_stack([(f(x + move) - f(x - move)) / (2 * h) for move in moves])


def test_structure_for():
    assert structure_for(1, True) is SCALAR
    assert structure_for(1, False) is SCALAR
    assert structure_for(2, True) is UNSTRUCTURED
    assert structure_for(3, False) is INDEPENDENT
    assert {s.name: s for s in STRUCTURES.values()} == STRUCTURES
    assert [s.correlated for s in (SCALAR, INDEPENDENT, UNSTRUCTURED)] == [False, False, True]


@pytest.mark.parametrize("q", SIZES)
def test_factor_is_the_cholesky_factor_of_a_correlation_matrix(q):
    for seed in range(5):
        x = 3 * random_x(q, seed)
        L = factor_of(UNSTRUCTURED, x, q)
        R = L @ L.T
        np.testing.assert_allclose(np.diag(R), 1.0, rtol=1e-14)
        assert np.linalg.eigvalsh(R).min() > 0
        np.testing.assert_allclose(L, np.linalg.cholesky(R), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("q", SIZES)
def test_every_correlation_matrix_has_coordinates(q):
    """x_i = L_i / L_ii is the inverse map, so that the coordinates cover all correlation matrices once."""
    x = random_x(q)
    L = factor_of(UNSTRUCTURED, x, q)
    back = np.concatenate([L[i, :i] / L[i, i] for i in range(1, q)])
    np.testing.assert_allclose(back, x, rtol=1e-14)
    np.testing.assert_array_equal(factor_of(UNSTRUCTURED, np.zeros_like(x), q), np.eye(q))


@pytest.mark.parametrize("eta", [0.5, 1.0, 2.5, 20.0])
def test_normaliser_of_two_effects_by_quadrature(eta):
    line = [-mpmath.inf, 0, mpmath.inf]
    with mpmath.workdps(20):
        total = mpmath.quad(lambda x: mpmath.e ** log_density(np.array([float(x)]), eta, 2), line)
    assert float(total) == pytest.approx(1.0, rel=1e-10)


@pytest.mark.parametrize("eta", [1.0, 2.5, 6.0])
def test_normaliser_of_three_effects_by_quadrature(eta):
    # x = tan(t) on the line; polar coordinates with radius tan(t) in the plane of the third row.
    nodes, weights = np.polynomial.legendre.leggauss(60)
    line, line_weights = 0.5 * np.pi * nodes, 0.5 * np.pi * weights
    radius, radius_weights = 0.25 * np.pi * (nodes + 1), 0.25 * np.pi * weights
    angles = 2 * np.pi * np.arange(8) / 8
    total = 0.0
    for t, w in zip(line, line_weights, strict=True):
        for s, v in zip(radius, radius_weights, strict=True):
            volume = w / np.cos(t) ** 2 * v * np.tan(s) / np.cos(s) ** 2 * 2 * np.pi / 8
            points = [np.array([np.tan(t), np.tan(s) * np.cos(a), np.tan(s) * np.sin(a)]) for a in angles]
            total += volume * sum(math.exp(log_density(x, eta, 3)) for x in points)
    assert total == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize(("q", "volume"), [(2, 2.0), (3, np.pi**2 / 2), (4, 32 * np.pi**2 / 27)])
def test_lkj_1_is_uniform_over_correlation_matrices(q, volume):
    """Volumes: Rousseeuw & Molenberghs (1994) The American Statistician 48, 276-279."""
    for seed in range(3):
        x = random_x(q, seed)
        _, log_jacobian = np.linalg.slogdet(jacobian(lambda at: correlations(at, q), x))
        assert log_density(x, 1.0, q) - log_jacobian == pytest.approx(-math.log(volume), abs=1e-7)


@pytest.mark.parametrize("eta", [0.5, 2.5])
@pytest.mark.parametrize("q", SIZES)
def test_density_is_a_power_of_the_determinant(q, eta):
    """p(R) = c det(R)^(eta - 1), so that the density in x without Jacobian and power is one constant."""
    constants = []
    for seed in range(4):
        x = random_x(q, seed)
        _, log_jacobian = np.linalg.slogdet(jacobian(lambda at: correlations(at, q), x))
        L = factor_of(UNSTRUCTURED, x, q)
        _, log_determinant = np.linalg.slogdet(L @ L.T)
        constants.append(log_density(x, eta, q) - log_jacobian - (eta - 1) * log_determinant)
    np.testing.assert_allclose(constants, constants[0], atol=1e-7)


@pytest.mark.parametrize("q", SIZES)
def test_marginals_are_beta(q):
    """Each correlation of LKJ(eta) is 2 Beta(a, a) - 1 with a = eta + q/2 - 1: here, its second moment 1 / (2a + 1)."""
    eta, n = 1.5, 20_000
    rng = np.random.default_rng(q)
    # Rows of x are independent multivariate t: draw them, and compare densities too.
    power = 2 * eta + q - 1
    x = np.empty((n, q * (q - 1) // 2))
    log_t = np.zeros(n)
    at = 0
    for d in range(1, q):
        # (1 + |x|^2)^(-power / 2) in d dimensions is a t with power - d degrees of freedom.
        nu = power - d
        row = rng.normal(size=(n, d)) / np.sqrt(rng.chisquare(nu, n))[:, None]
        log_t += -0.5 * power * np.log1p((row**2).sum(axis=1))
        log_t += math.lgamma(power / 2) - math.lgamma(nu / 2) - 0.5 * d * math.log(math.pi)
        x[:, at : at + d] = row
        at += d
    values = np.array([log_density(row, eta, q) for row in x])
    np.testing.assert_allclose(values, log_t, rtol=1e-10, atol=1e-10)
    r = np.array([correlations(row, q) for row in x])
    a = eta + q / 2 - 1
    expected = 1 / (2 * a + 1)
    np.testing.assert_allclose((r**2).mean(axis=0), expected, atol=5 * (r**2).std() / math.sqrt(n))


@pytest.mark.parametrize("eta", [0.5, 1.0, 3.5])
@pytest.mark.parametrize("q", SIZES)
def test_adjoint_against_differences(q, eta):
    x = random_x(q, 7)
    G = np.random.default_rng(8).normal(size=(q, q))

    def objective(at: np.ndarray) -> np.ndarray:
        L = np.zeros((q, q))
        return np.array([correlation_factor(UNSTRUCTURED.code, at, eta, L) + (G * L).sum()])

    L = factor_of(UNSTRUCTURED, x, q)
    found = np.full(len(x), np.nan)
    correlation_adjoint(UNSTRUCTURED.code, x, eta, L, G, found)
    np.testing.assert_allclose(found, jacobian(objective, x)[0], rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("structure", [SCALAR, INDEPENDENT], ids=lambda s: s.name)
def test_diagonal_structures_have_no_correlations(structure):
    for q in (1, 3):
        assert structure.coordinates(q) == 0
        assert structure.log_constant(q, 2.0) == 0.0
        np.testing.assert_array_equal(factor_of(structure, np.empty(0), q), np.eye(q))
        gradient = np.array([5.0])
        correlation_adjoint(structure.code, np.empty(0), 1.0, np.eye(q), np.ones((q, q)), gradient)
        assert gradient == [5.0]
        assert structure.graph(None, None, "g", ("e", "e_bis"), q, 1.0) is None
        assert structure.code_lines("L", "g", ("e", "e_bis"), q, 1.0) == []


@pytest.mark.parametrize("q", [1, *SIZES])
def test_coordinates_are_as_many_as_correlations(q):
    assert UNSTRUCTURED.coordinates(q) == q * (q - 1) // 2
    assert UNSTRUCTURED.log_constant(1, 2.0) == 0.0


def test_unknown_structure_is_an_error():
    with pytest.raises(ValueError, match="unknown covariance structure"):
        correlation_factor(99, np.empty(0), 1.0, np.zeros((2, 2)))


@pytest.mark.parametrize("structure", STRUCTURES.values(), ids=lambda s: s.name)
def test_theta_reaches_every_factor_of_the_structure(structure):
    q = 1 if structure is SCALAR else 3
    sd = np.array([0.5, 2.0, 3.0])[:q]
    Lambda = sd[:, None] * factor_of(structure, random_x(q)[: structure.coordinates(q)], q)
    theta = structure.theta
    free = Lambda[theta.positions(q)]
    assert len(free) == theta.size(q) == q + structure.coordinates(q)
    np.testing.assert_array_equal(theta.factor(free, q), Lambda)
    np.testing.assert_array_equal(theta.factor(free, q)[theta.positions(q)][theta.diagonal(q)], np.diag(Lambda))


@pytest.mark.parametrize("structure", STRUCTURES.values(), ids=lambda s: s.name)
def test_theta_pulls_gradients_back(structure):
    q = 1 if structure is SCALAR else 4
    rng = np.random.default_rng(1)
    G, theta = rng.normal(size=(q, q)), rng.normal(size=structure.theta.size(q))
    assert structure.theta.pull_back(G) @ theta == pytest.approx((G * structure.theta.factor(theta, q)).sum())


def test_code_names_text_only_in_quotes():
    label = "it's \"\n\\"
    lines = UNSTRUCTURED.code_lines("L_g0", label, ("a'b", "c\nd"), 3, 2.5)
    assert all("\n" not in line for line in lines)
    names = {"pm": Recorder(), "pt": Recorder()}
    exec("\n".join(lines), names)
    assert names["pm"].calls == [
        ("LKJCorr", f"cor_{label}_cholesky", {"n": 3, "eta": ("constant", 2.5, {"dtype": "float64"})}),
        ("Deterministic", f"cor_{label}", {"dims": ("a'b", "c\nd")}),
    ]


class Recorder:
    """Stands for the modules that the source calls."""

    def __init__(self):
        self.calls = []

    def constant(self, value, **options):
        return ("constant", value, options)

    def LKJCorr(self, name, **options):
        self.calls.append(("LKJCorr", name, options))
        return np.eye(3)

    def Deterministic(self, name, _value, **options):
        self.calls.append(("Deterministic", name, options))
