"""Covariance structures: correlation factors, the LKJ density on them, adjoints, theta."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from bayesglmm.covariance import (
    AUTOREGRESSIVE,
    COMPOUND_SYMMETRY,
    INDEPENDENT,
    KNOWN,
    SCALAR,
    STRUCTURES,
    UNSTRUCTURED,
    Structure,
    autoregressive,
    structure_for,
)
from bayesglmm.covariance.correlation import correlation_adjoint, correlation_factor, factor_of

SIZES = (2, 3, 4, 5)
#: Distances for structures that have none of their own.
ONES = np.ones(9, dtype=np.int64)
#: Numbers of effects with which each structure is tried.
TRIED = {s: (1,) if s in (SCALAR, KNOWN) else (1, 3) if s is INDEPENDENT else SIZES for s in STRUCTURES.values()}
CASES = [pytest.param(s, q, id=f"{s.name}-{q}") for s, sizes in TRIED.items() for q in sizes]
CASES += [pytest.param(autoregressive((2, 1, 7)), 4, id="autoregressive-gaps")]
CORRELATED = [case for case in CASES if case.values[0].correlated]


def gaps_of(structure: Structure) -> np.ndarray:
    return np.array(structure.gaps, dtype=np.int64) if structure.gaps else ONES


def coordinates(structure: Structure, q: int, seed: int = 0, spread: float = 1.0) -> np.ndarray:
    return spread * np.random.default_rng(seed).normal(size=structure.coordinates(q))


def expected_correlations(structure: Structure, rho: float, q: int) -> np.ndarray:
    """Return the correlation matrix of a structure with one correlation, written out."""
    if structure.keyword == "cs":
        return np.where(np.eye(q) > 0, 1.0, rho)
    places = np.concatenate([[0], np.cumsum(gaps_of(structure)[: q - 1])])
    return rho ** np.abs(np.subtract.outer(places, places))


def random_x(q: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=q * (q - 1) // 2)


def log_density(x: np.ndarray, eta: float, q: int) -> float:
    """Return the log density of the unconstrained coordinates, constant included."""
    value = correlation_factor(UNSTRUCTURED.code, np.ascontiguousarray(x), eta, ONES, np.zeros((q, q)))
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
    assert len({s.keyword for s in STRUCTURES.values() if s.keyword}) == 3
    assert [s.correlated for s in (SCALAR, INDEPENDENT, UNSTRUCTURED)] == [False, False, True]


@pytest.mark.parametrize(("structure", "q"), CASES)
def test_factor_is_the_cholesky_factor_of_a_correlation_matrix(structure, q):
    for seed in range(5):
        L = factor_of(structure, coordinates(structure, q, seed, 3.0), q)
        R = L @ L.T
        np.testing.assert_allclose(np.diag(R), 1.0, rtol=1e-14)
        assert np.linalg.eigvalsh(R).min() > 0
        np.testing.assert_allclose(L, np.linalg.cholesky(R), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(("structure", "q"), [c for c in CASES if c.values[0].lower is not None])
def test_one_correlation_makes_the_matrix_that_it_should(structure, q):
    lower = structure.lower(q)
    for x in (-6.0, -0.4, 0.0, 2.5, 9.0):
        rho = lower + (1 - lower) / (1 + math.exp(-x))
        L = factor_of(structure, np.array([x]), q)
        np.testing.assert_allclose(L @ L.T, expected_correlations(structure, rho, q), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("structure", "q"), [c for c in CASES if c.values[0].lower is not None])
@pytest.mark.parametrize("x", [-30.0, 30.0])
def test_near_a_bound_no_digits_are_lost(structure, q, x):
    """At 1 less 1e-13 the last pivot against mpmath's with 60 digits."""
    with mpmath.workdps(60):
        lower = mpmath.mpf(-1) / (q - 1) if structure.keyword == "cs" else mpmath.mpf(-1)
        rho = lower + (1 - lower) / (1 + mpmath.e ** (-mpmath.mpf(x)))
        if structure.keyword == "cs":
            pivot = (1 - rho) * (1 + (q - 1) * rho) / (1 + (q - 2) * rho)
        else:
            pivot = 1 - rho ** (2 * int(gaps_of(structure)[q - 2]))
        expected = float(mpmath.sqrt(pivot))
    assert factor_of(structure, np.array([x]), q)[-1, -1] == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("q", SIZES)
def test_every_correlation_matrix_has_coordinates(q):
    """x_i = L_i / L_ii is the inverse map, so that the coordinates cover all correlation matrices once."""
    x = random_x(q)
    L = factor_of(UNSTRUCTURED, x, q)
    back = np.concatenate([L[i, :i] / L[i, i] for i in range(1, q)])
    np.testing.assert_allclose(back, x, rtol=1e-14)
    np.testing.assert_array_equal(factor_of(UNSTRUCTURED, np.zeros_like(x), q), np.eye(q))


@pytest.mark.parametrize("eta", [0.5, 1.0, 2.5, 20.0])
@pytest.mark.parametrize("structure", [UNSTRUCTURED, COMPOUND_SYMMETRY, AUTOREGRESSIVE], ids=lambda s: s.name)
def test_normaliser_of_two_effects_by_quadrature(structure, eta):
    def density(x):
        value = correlation_factor(structure.code, np.array([float(x)]), eta, ONES, np.zeros((2, 2)))
        return mpmath.e ** (value + structure.log_constant(2, eta))

    # Densities in x fall off as exp(-eta |x|), or as a power of x.
    line = [-mpmath.inf, 0, mpmath.inf] if structure is UNSTRUCTURED else [-200, -20, 0, 20, 200]
    with mpmath.workdps(20):
        total = mpmath.quad(density, line)
    assert float(total) == pytest.approx(1.0, rel=1e-10)


@pytest.mark.parametrize("eta", [0.5, 1.0, 3.0])
def test_one_correlation_of_two_effects_has_the_same_prior_in_every_structure(eta):
    """At equal rho: the densities of x differ by d rho / dx alone, which a common scale takes out."""
    x = 0.7  # of LKJ's plane: rho = x / sqrt(1 + x^2)
    rho = x / math.sqrt(1 + x * x)
    of_rho = log_density(np.array([x]), eta, 2) + 1.5 * math.log1p(x * x)
    logit = math.log((1 + rho) / (1 - rho))
    for structure in (COMPOUND_SYMMETRY, AUTOREGRESSIVE):
        value = correlation_factor(structure.code, np.array([logit]), eta, ONES, np.zeros((2, 2)))
        value += structure.log_constant(2, eta) - math.log(2 * (1 + rho) / 2 * (1 - rho) / 2)
        assert value == pytest.approx(of_rho, abs=1e-12)


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
@pytest.mark.parametrize(("structure", "q"), CORRELATED)
def test_adjoint_against_differences(structure, q, eta):
    G, gaps = np.random.default_rng(8).normal(size=(q, q)), gaps_of(structure)

    def objective(at: np.ndarray) -> np.ndarray:
        L = np.zeros((q, q))
        return np.array([correlation_factor(structure.code, at, eta, gaps, L) + (G * L).sum()])

    for seed in (7, 9, 11):
        x = coordinates(structure, q, seed, 2.0)
        found = np.full(len(x), np.nan)
        correlation_adjoint(structure.code, x, eta, gaps, factor_of(structure, x, q), G, found)
        np.testing.assert_allclose(found, jacobian(objective, x)[0], rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("structure", [SCALAR, INDEPENDENT, KNOWN], ids=lambda s: s.name)
def test_diagonal_structures_have_no_correlations(structure):
    for q in (1, 3):
        assert structure.coordinates(q) == 0
        assert structure.log_constant(q, 2.0) == 0.0
        np.testing.assert_array_equal(factor_of(structure, np.empty(0), q), np.eye(q))
        gradient = np.array([5.0])
        correlation_adjoint(structure.code, np.empty(0), 1.0, ONES, np.eye(q), np.ones((q, q)), gradient)
        assert gradient == [5.0]
        assert structure.graph(None, None, "g", ("e", "e_bis"), q, 1.0) is None
        assert structure.code_lines("L", "g", ("e", "e_bis"), q, 1.0) == []


@pytest.mark.parametrize("q", [1, *SIZES])
def test_coordinates_are_as_many_as_correlations(q):
    assert UNSTRUCTURED.coordinates(q) == q * (q - 1) // 2
    assert UNSTRUCTURED.log_constant(1, 2.0) == 0.0


def test_unknown_structure_is_an_error():
    with pytest.raises(ValueError, match="unknown covariance structure"):
        correlation_factor(99, np.empty(0), 1.0, ONES, np.zeros((2, 2)))


def theta_at(structure: Structure, q: int, seed: int = 3) -> np.ndarray:
    """Return a theta inside its bounds."""
    own = structure.theta
    theta = np.random.default_rng(seed).normal(size=own.size(q))
    return np.where(own.diagonal(q), np.abs(theta), theta)


@pytest.mark.parametrize(("structure", "q"), CASES)
def test_theta_reaches_factors_of_the_structure_and_no_others(structure, q):
    own = structure.theta
    Lambda = own.factor(theta_at(structure, q), q)
    assert own.size(q) == structure.n_sds(q) + structure.coordinates(q)
    np.testing.assert_array_equal(Lambda, np.tril(Lambda))
    sd = np.sqrt((Lambda**2).sum(axis=1))
    if structure.common:
        np.testing.assert_allclose(sd, sd[0], rtol=1e-13)
    R = Lambda @ Lambda.T / np.outer(sd, sd)
    if structure.lower is not None:
        rho = (R[1, 0] if structure.keyword == "cs" else None) or math.sin(theta_at(structure, q)[1])
        np.testing.assert_allclose(R, expected_correlations(structure, rho, q), atol=1e-12)
    elif not structure.correlated:
        np.testing.assert_allclose(R, np.eye(q), atol=1e-15)


@pytest.mark.parametrize(("structure", "q"), CASES)
def test_theta_pulls_gradients_back(structure, q):
    G, own = np.random.default_rng(1).normal(size=(q, q)), structure.theta
    for seed in range(3):
        theta = theta_at(structure, q, seed)
        slopes = jacobian(lambda at: np.array([(G * own.factor(at, q)).sum()]), theta)[0]
        np.testing.assert_allclose(own.pull_back(theta, G), slopes, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("structure", "q"), [c for c in CASES if c.values[0].lower is not None])
@pytest.mark.parametrize("t", [-math.pi / 2, math.pi / 2])
def test_theta_is_smooth_across_the_bounds_of_a_correlation(structure, q, t):
    """Lambda Lambda' is even about the bound, and the derivative of Lambda there is that from either side."""
    own, G = structure.theta, np.random.default_rng(2).normal(size=(q, q))

    def covariance(angle):
        Lambda = own.factor(np.array([1.3, angle]), q)
        return Lambda @ Lambda.T

    np.testing.assert_allclose(covariance(t - 0.2), covariance(t + 0.2), atol=1e-13)
    slopes = jacobian(lambda at: np.array([(G * own.factor(at, q)).sum()]), np.array([1.3, t]))[0]
    np.testing.assert_allclose(own.pull_back(np.array([1.3, t]), G), slopes, atol=1e-8)
    assert np.linalg.eigvalsh(covariance(t))[0] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("structure", "q"), CASES)
def test_components_are_those_of_the_covariance(structure, q):
    own, origin = structure.theta, np.eye(q)
    theta = theta_at(structure, q)
    sds, cors = own.components(theta, origin)
    Lambda = own.factor(theta, q)
    sd = np.sqrt((Lambda**2).sum(axis=1))
    np.testing.assert_allclose([value for value, _ in sds], sd[: structure.n_sds(q)], rtol=1e-13)
    R = Lambda @ Lambda.T / np.outer(sd, sd)
    expected = [math.sin(theta[1])] if structure.keyword == "ar1" else R[np.tril_indices(q, -1)][: len(cors)]
    assert len(cors) == structure.coordinates(q)
    np.testing.assert_allclose([value for value, _ in cors], expected, atol=1e-12)
    values = [*sds, *cors]
    flat = jacobian(lambda at: np.array([v for part in own.components(at, origin) for v, _ in part]), theta)
    np.testing.assert_allclose([gradient for _, gradient in values], flat, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(("structure", "q"), CASES)
def test_theta_answers_what_searches_ask(structure, q):
    own, theta = structure.theta, theta_at(structure, q)
    size, diagonal = own.size(q), own.diagonal(q)
    assert diagonal.sum() == structure.n_sds(q)
    members = np.concatenate(own.columns(q))
    assert sorted(members) == list(range(size))
    assert all(diagonal[column[0]] and not diagonal[column[1:]].any() for column in own.columns(q))
    scaled = np.where(own.scales(q), 2.5 * theta, theta)
    np.testing.assert_allclose(own.factor(scaled, q), 2.5 * own.factor(theta, q), rtol=1e-14)
    np.testing.assert_allclose(own.rescaled(theta, np.full(q, 2.5)), scaled, rtol=1e-14)
    assert (own.natural(np.full(structure.n_sds(q), 2.0), q)[diagonal] == 2.0).all()
    zero = own.without(theta, own.columns(q)[0], q)
    assert (zero[own.columns(q)[0]] == 0.0).all()
    lifted = own.lifted(zero, np.full(size, 0.3), q)
    assert (lifted[diagonal] >= 0.3).all()
    assert (own.widths(own.factor(theta, q), np.eye(q) + 1.0) > 0.0).all()


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
