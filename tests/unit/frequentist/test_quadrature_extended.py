"""Quadrature for rows with auxiliary predictors, and for levels of several kinds.

Against integrals of the families' densities by scipy, Laplace's method, ordinal::clmm (tests/reference/agq_ordered.csv)
and differences.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.special import expit, roots_hermitenorm
from support.extended_models import (
    ALL,
    SINGLE,
    design,
    design_of,
    differences,
    inflated,
    ordered,
    point,
    quadrature,
    rows,
)

import bayesglmm as bg
from bayesglmm.design import Design
from bayesglmm.errors import SpecificationError
from bayesglmm.frequentist.laplace import LaplaceLikelihood
from bayesglmm.frequentist.quadrature.agq import AGQ
from bayesglmm.frequentist.quadrature.gauss_hermite import GaussHermite
from bayesglmm.frequentist.quadrature.nesting import nested_levels

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")

FOLDER = Path(__file__).parents[2] / "reference"
REFERENCE = pd.read_csv(FOLDER / "agq_ordered.csv")
WINE = "rating ~ temp + contact + (1 | judge)"


# ---- quadrature ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_one_point_is_laplace(name: str) -> None:
    x = point(design(name))
    value, gradient = quadrature(design(name), AGQ(points=1)).evaluator()(x)
    evaluate = LaplaceLikelihood.of(design(name)).evaluator()
    evaluate(x)
    laplace, its_gradient = evaluate(x)  # the search for the modes goes on where the first one stopped
    assert value == pytest.approx(laplace, abs=1e-9)
    assert gradient == pytest.approx(its_gradient, abs=1e-8)


@pytest.mark.parametrize("estimator", [AGQ(points=5), GaussHermite(points=4)], ids=["agq", "gauss_hermite"])
@pytest.mark.parametrize("name", ALL)
def test_gradient_is_that_of_the_value(name: str, estimator: AGQ | GaussHermite) -> None:
    evaluate, x = quadrature(design(name), estimator).evaluator(), point(design(name))
    value, gradient = evaluate(x)
    assert np.isfinite(value)
    assert gradient == pytest.approx(differences(evaluate, x), rel=1e-7, abs=1e-7)


def scalars(design: Design, x: np.ndarray) -> tuple[np.ndarray, float, dict[str, float]]:
    """Return beta, the standard deviation and the family scalars on their natural scale."""
    beta, theta, family = LaplaceLikelihood.of(design).working.split(x)
    assert design.auxiliary is not None
    natural = np.where(design.auxiliary.logged, np.exp(family), family)
    return beta, float(theta[0]), dict(zip(design.family_names, natural.tolist(), strict=True))


def integrated(name: str, x: np.ndarray) -> float:
    """Return the log-likelihood by adaptive quadrature of scipy, of the density by scipy."""
    beta, sd, named = scalars(design(name), x)
    beta = beta if len(beta) == 2 else np.array([0.0, *beta])
    total = 0.0
    for _, data in rows().groupby("g"):
        fixed, weights = beta[0] + beta[1] * data["x"].to_numpy(), data["weight"].to_numpy()

        def height(z: float, data: pd.DataFrame = data, f: np.ndarray = fixed, w: np.ndarray = weights) -> float:
            with np.errstate(divide="ignore"):  # far out some row is impossible to rounding
                return float(np.exp(w @ np.log(SINGLE[name][2](data, f + sd * z, named)) - 0.5 * z * z))

        around = np.linspace(-5.0, 5.0, 101)
        top = around[np.argmax([height(z) for z in around])]
        parts = [
            quad(height, a, b, epsabs=0.0, epsrel=1e-12, limit=200)[0] for a, b in ((top - 9, top), (top, top + 9))
        ]
        total += np.log(sum(parts) / np.sqrt(2.0 * np.pi))
    return float(total)


@pytest.mark.parametrize("name", SINGLE)
def test_more_points_come_to_the_integral(name: str) -> None:
    x = point(design(name))
    exact = integrated(name, x)
    error = {k: abs(quadrature(design(name), AGQ(points=k)).evaluator()(x)[0] - exact) for k in (1, 9, 100)}
    assert error[100] < 1e-8
    if name == "gaussian":  # a parabola: every number of points is exact
        assert error[1] < 1e-8
    else:
        assert error[100] < error[9] < 0.1 * error[1]
        assert error[1] > 1e-4


def test_nodes_that_are_not_adapted_are_the_textbook_rule() -> None:
    x = point(design("zip, formula"))
    beta, sd, named = scalars(design("zip, formula"), x)
    nodes, weights = roots_hermitenorm(6)
    total = 0.0
    for _, data in rows().groupby("g"):
        heights = [
            np.exp(data["weight"] @ np.log(inflated(data, beta[0] + beta[1] * data["x"].to_numpy() + sd * z, named)))
            for z in nodes
        ]
        total += np.log(weights @ np.array(heights) / np.sqrt(2.0 * np.pi))
    assert quadrature(design("zip, formula"), GaussHermite(points=6)).evaluator()(x)[0] == pytest.approx(
        total, abs=1e-10
    )


def test_nested_ordered_effects_against_integrals_within_integrals() -> None:
    likelihood = quadrature(design("nested"), AGQ(points=40))
    x = point(design("nested"))
    beta, theta, cutpoints = likelihood.working.split(x)
    named = {f"cutpoint[{k}|{k + 1}]": c for k, c in enumerate(cutpoints)}
    t = np.linspace(-9.0, 9.0, 121)  # the trapezoidal rule: exact to rounding for analytic functions
    w = stats.norm.pdf(t) * (t[1] - t[0])
    outer, inner = (0, 1) if design("nested").groups[0].n_levels == 10 else (1, 0)
    u = theta[outer] * t[:, None] + theta[inner] * t
    total = 0.0
    for _, group in rows().groupby("g"):
        product = np.ones(len(t))
        for _, room in group.groupby("room"):
            heights = np.ones_like(u)
            for k in range(len(room)):
                row = room.iloc[[k]]
                found = ordered(expit)(row, beta[0] * row["x"].to_numpy() + u.ravel(), named).reshape(u.shape)
                heights *= found ** row["weight"].iloc[0]
            product *= heights @ w
        total += np.log(product @ w)
    assert likelihood.evaluator()(x)[0] == pytest.approx(total, abs=1e-8)


def test_another_response_moves_the_cutpoints_that_rows_lie_between() -> None:
    for name in ("logit", "nested"):
        formula, options = ALL[name]
        y = (rows()["rating"].to_numpy() + 1) % 4
        there = design_of(formula, data=rows().assign(rating=y), **options)
        likelihood = quadrature(design(name), AGQ(points=7)).with_response(y.astype(float))
        x = point(design(name))
        value, gradient = likelihood.evaluator()(x)
        expected, its_gradient = quadrature(there, AGQ(points=7)).evaluator()(x)
        assert value == pytest.approx(expected, abs=1e-9)
        assert gradient == pytest.approx(its_gradient, abs=1e-8)


# ---- levels of several kinds -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [AGQ(points=9), GaussHermite(points=7)], ids=["agq", "gauss_hermite"])
@pytest.mark.parametrize(
    ("response", "family", "shared"), [("count", "poisson", [0.4, 0.2]), ("rating", "cumulative", [0.2])]
)
@pytest.mark.parametrize("term", ["(x || g, by=kind)", "(1 | g/room, by=kind)"])
def test_kinds_are_models_of_their_own_rows(
    term: str, response: str, family: str, shared: list[float], estimator: AGQ | GaussHermite
) -> None:
    """At the same coefficients the log-likelihood is the sum of those of each kind's rows, without by=."""
    whole = quadrature(design_of(f"{response} ~ x + {term}", family), estimator)
    scalars = [-1.0, 0.6, 1.7][: len(whole.working.design.family_names)]
    theta = np.random.default_rng(8).uniform(0.2, 0.9, whole.working.size - len(shared) - len(scalars))
    x = np.concatenate([shared, theta, scalars])
    value, total = whole.evaluator()(x)[0], 0.0
    groups, slices = whole.working.design.groups, whole.working.layout.slices
    for kind in ("a", "b"):
        data = rows()[rows()["kind"] == kind]
        plain = term.replace(", by=kind", "")
        alone = quadrature(design_of(f"{response} ~ x + {plain}", family, data=data), estimator)
        own = [theta[s] for g, s in zip(groups, slices, strict=True) if g.kind is not None and g.kind.label == kind]
        total += alone.evaluator()(np.concatenate([shared, *own, scalars]))[0]
    assert value == pytest.approx(total, abs=1e-9)


def test_kinds_of_two_terms_make_sections() -> None:
    (level,) = nested_levels(design("kinds twice"), "agq")
    assert [section.terms for section in level.sections] == [(0, 2), (0, 3), (1, 2), (1, 3)]
    assert [section.groups.stop - section.groups.start for section in level.sections] == [5, 5, 5, 5]
    assert level.n_effects == 2


def test_crossed_kinds_are_refused_by_name() -> None:
    crossed = rows().assign(h=np.arange(60) % 6, half=np.arange(60) % 2)
    model = bg.GLMM("count ~ x + (1 | g, by=kind) + (1 | h, by=half)", crossed, family="poisson")
    with pytest.raises(SpecificationError, match=r"h and g cross \(g '\d' is found in h '\d' and in '\d'\)"):
        model.fit("agq")


def test_a_fit_by_kind() -> None:
    epilepsy = bg.load_dataset("epilepsy").assign(lbase=lambda d: np.log(d["base"] / 4))
    model = bg.GLMM("y ~ trt * lbase + (1 | subject, by=trt)", epilepsy, family="poisson")
    laplace, one, many = model.fit("laplace"), model.fit("agq", points=1), model.fit("agq", points=15)
    assert one.loglik == pytest.approx(laplace.loglik, abs=1e-8)
    assert one.tidy()["estimate"].to_numpy() == pytest.approx(laplace.tidy()["estimate"].to_numpy(), abs=1e-5)
    assert many.converged
    assert 1e-3 < abs(many.loglik - laplace.loglik) < 0.5
    # With every coefficient of its own for each arm the arms are models of their own.
    arms = [epilepsy[epilepsy["trt"] == arm] for arm in ("placebo", "progabide")]
    parts = [bg.GLMM("y ~ lbase + (1 | subject)", arm, family="poisson").fit("agq", points=15) for arm in arms]
    assert many.loglik == pytest.approx(sum(part.loglik for part in parts), abs=1e-8)
    sds = [part.variance_components.loc["sd(subject)", "estimate"] for part in parts]
    assert many.variance_components["estimate"].to_numpy() == pytest.approx(sds, rel=1e-5)


# ---- fits ------------------------------------------------------------------------------------------------------------


@cache
def wine(link: str, method: str, **options: int) -> bg.Fit:
    return bg.GLMM(WINE, bg.load_dataset("wine"), family="cumulative", link=link).fit(method, **options)


@pytest.mark.parametrize("points", [10, 25])
@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_wine_is_what_clmm_says(link: str, points: int) -> None:
    theirs = REFERENCE[(REFERENCE["link"] == link) & (REFERENCE["points"] == points)].set_index("parameter")
    fit = wine(link, "agq", points=points)
    ours = fit.tidy().set_index("name")
    assert fit.converged
    # clmm stops at gradients of 1e-5 to 1e-4.
    assert fit.loglik == pytest.approx(theirs["loglik"].iloc[0], abs=1e-8)
    assert set(ours.index) == set(theirs.index)
    for name, row in theirs.iterrows():
        assert ours.loc[name, "estimate"] == pytest.approx(row["estimate"], abs=2e-5), name
        if np.isfinite(row["std_error"]):
            assert ours.loc[name, "std_error"] == pytest.approx(row["std_error"], rel=1e-4), name


@pytest.mark.parametrize("method", ["agq", "gauss_hermite", "mcml"])
def test_without_groups_every_method_is_the_exact_likelihood(method: str) -> None:
    model = bg.GLMM("rating ~ x", rows(), family="cumulative")
    fit, exact = model.fit(method), model.fit("laplace")
    assert fit.loglik == pytest.approx(exact.loglik, abs=1e-10)
    assert fit.tidy()["estimate"].to_numpy() == pytest.approx(exact.tidy()["estimate"].to_numpy(), abs=1e-7)


def test_profile_bootstrap_and_words_follow() -> None:
    data = pd.read_csv(FOLDER / "zero_parts_data.csv").astype({"g": str})
    fit = bg.GLMM("zip ~ x + (1 | g)", data, family="zero_inflated_poisson", zero="~ x").fit("agq")
    assert fit.converged
    assert fit.label == "AGQ 9"
    estimate = fit.tidy().set_index("name").loc["zero[Intercept]"]
    lower, upper = fit.profile(["zero[Intercept]"], level=0.8).interval(0.8).loc["zero[Intercept]", ["lower", "upper"]]
    assert lower < estimate["estimate"] < upper
    draws = wine("logit", "agq", points=10).bootstrap(3, seed=1, progress=False).draws
    assert np.isfinite(draws["cutpoint[1|2]"]).all()
    assert draws["cutpoint[1|2]"].nunique() == 3


# ---- methods that refuse ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["pql", "mql", "gee"])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("logit", r"ordered categories have no variance function v\(mu\), so there is no quasi-likelihood; use"),
        ("zip", r"that of zero_inflated_poisson rows depends on zero\[Intercept\] as well; use"),
        ("student_t", "that of student_t rows depends on sigma, nu as well; use"),
        ("gamma", r"the dispersion varies from row to row \(log_phi\[Intercept\], log_phi\[v\]\); use"),
    ],
)
def test_quasi_likelihoods_say_why_they_do_not_apply(method: str, name: str, reason: str) -> None:
    formula, options = ALL[name]
    with pytest.raises(SpecificationError, match=reason):
        bg.GLMM(formula, rows(), **options).fit(method)
