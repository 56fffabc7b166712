"""Which prior every parameter has: defaults on centred columns, what was given, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from support.models import make_density, make_design, make_frame

from bayesglmm.density import JointDensity
from bayesglmm.errors import SpecificationError
from bayesglmm.parameters import Parameters, build_parameters
from bayesglmm.priors import Prior


def parameters_of(formula: str, data=None, **options) -> Parameters:
    return build_parameters(make_design(formula, data, **options))


@pytest.fixture
def far():
    """Return data whose covariate lies around 1000 with standard deviation 1."""
    data = make_frame()
    x = data["x0"] - data["x0"].mean()
    return data.assign(x=1000 + x / x.std(ddof=0))


def test_defaults_of_a_covariate_far_from_zero(far):
    found = parameters_of("normal ~ x + (1 + x | a)", far)
    scale = far["normal"].std()
    intercept, slope = found.coefficients
    assert (intercept.dist, slope.dist) == ("Normal", "Normal")
    assert dict(intercept.params) == pytest.approx({"mu": far["normal"].mean(), "sigma": 2.5 * scale})
    assert dict(slope.params) == pytest.approx({"mu": 0.0, "sigma": 2.5 * scale})
    assert [p.dist for p in found.sds[0]] == ["HalfNormal", "HalfNormal"]
    # An uncentred column would give the slope's sd a scale of 2.5 scale / 1000, or 1000 times too much.
    assert [p.params["sigma"] for p in found.sds[0]] == pytest.approx([2.5 * scale, 2.5 * scale])
    assert found.centered
    np.testing.assert_allclose(found.center, [0.0, 1000.0], rtol=1e-12)
    assert found.cors == (Prior("LKJ", eta=1.0),)
    assert found.family == ((Prior("HalfStudentT", nu=4.0, sigma=scale),),)
    assert found.given == frozenset()


def test_defaults_follow_the_units_of_a_covariate(far):
    found = parameters_of("normal ~ x + (0 + x | a)", far.assign(x=far["x"] * 1e3))
    assert found.coefficients[1].params["sigma"] == pytest.approx(2.5e-3 * far["normal"].std())
    assert found.sds[0][0].params["sigma"] == pytest.approx(2.5e-3 * far["normal"].std())


def test_default_model_does_not_depend_on_the_origin_of_covariates(far):
    near = far.assign(x=far["x"] - 1000)
    one, other = (make_density("normal ~ x + cell + (1 | a)", data) for data in (near, far))
    x = 0.3 * np.random.default_rng(2).normal(size=one.size)
    assert other(x) == pytest.approx(one(x), rel=1e-10)
    np.testing.assert_allclose(other.natural(x).beta[1:], one.natural(x).beta[1:], rtol=1e-12)
    assert other.natural(x).beta[0] == pytest.approx(one.natural(x).beta[0] - 1000 * one.natural(x).beta[1])


def test_cell_means_are_levels(far):
    found = parameters_of("normal ~ 0 + cell + x", far)
    *cells, slope = found.coefficients
    level = {"mu": far["normal"].mean(), "sigma": 2.5 * far["normal"].std()}
    assert len(cells) == 3
    assert all(dict(cell.params) == pytest.approx(level) for cell in cells)
    assert slope.params["mu"] == 0.0
    assert not found.centered
    np.testing.assert_array_equal(found.center, np.zeros(4))
    assert found.scales.levels == (True, True, True, False)


def test_differences_between_cells_are_no_levels():
    found = parameters_of("normal ~ cell")
    assert found.scales.levels == (True, False, False)
    assert [p.params["mu"] for p in found.coefficients[1:]] == [0.0, 0.0]


def test_slopes_without_intercept_are_no_levels(far):
    found = parameters_of("normal ~ 0 + x + x1", far)
    assert found.scales.levels == (False, False)
    assert [p.params["mu"] for p in found.coefficients] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("family", "link", "scale"),
    [
        ("bernoulli", "logit", 1.0),
        ("bernoulli", "probit", 1 / 1.6),
        ("binomial", "cloglog", 1.0),
        ("poisson", "log", 1.0),
    ],
)
def test_defaults_are_on_the_scale_of_the_link(family, link, scale):
    left = {"bernoulli": "success", "binomial": "successes | trials(trials)", "poisson": "count"}[family]
    found = parameters_of(f"{left} ~ 1 + (1 | a)", family=family, link=link)
    assert found.coefficients[0].params["sigma"] == pytest.approx(2.5 * scale)
    assert found.sds[0][0].params["sigma"] == pytest.approx(2.5 * scale)
    assert found.family == ()
    location = np.log(make_frame()["count"].mean()) if family == "poisson" else 0.0
    assert found.coefficients[0].params["mu"] == pytest.approx(location)


@pytest.mark.parametrize("key", ["Intercept", "beta", "beta[Intercept]"])
def test_a_given_prior_is_for_the_raw_intercept(far, key):
    prior = Prior("Normal", mu=3.0, sigma=2.0)
    found = parameters_of("normal ~ x", far, priors={key: prior})
    assert found.coefficients[0] == prior
    assert not found.centered
    np.testing.assert_array_equal(found.center, [0.0, 0.0])
    assert "Intercept" in found.given


def test_a_given_slope_leaves_the_intercept_centred(far):
    prior = Prior("StudentT", nu=3, sigma=1.0)
    found = parameters_of("normal ~ x", far, priors={"x": prior})
    assert found.centered
    assert found.coefficients[1] == prior
    assert found.given == {"x"}


def test_raw_intercept_is_the_first_coordinate():
    density = make_density("normal ~ x0", priors={"Intercept": Prior("Flat")})
    centred = make_density("normal ~ x0")
    x = np.array([0.7, -0.2, 0.1])
    assert density.natural(x).beta[0] == 0.7
    assert centred.natural(x).beta[0] == pytest.approx(0.7 + 0.2 * make_frame()["x0"].mean())


def test_the_most_specific_key_wins():
    one, two, three, four = (Prior("HalfNormal", sigma=s) for s in (1.0, 2.0, 3.0, 4.0))
    priors = {"sd": one, "sd(a)": two, "sd(a, x0)": three, "sd(b)": four, "beta": Prior("Normal", sigma=9), "x1": one}
    found = parameters_of("normal ~ x0 + x1 + (1 + x0 | a) + (1 | b) + (1 | c:d)", priors=priors)
    assert found.sds == ((two, three), (four,), (one,))
    assert found.coefficients[2] == one
    assert found.coefficients[0] == found.coefficients[1] == Prior("Normal", sigma=9)
    assert found.given == {"Intercept", "x0", "x1", "sd(a, Intercept)", "sd(a, x0)", "sd(b)", "sd(c:d)"}


def test_a_parameters_own_name_is_for_it_alone():
    mine = Prior("HalfNormal", sigma=7.0)
    found = parameters_of("normal ~ x0 + (1 | a) + (0 + x0 | a)", priors={"sd(a)": mine})
    assert found.sds[0] == (mine,)
    assert found.sds[1] != (mine,)


def test_correlation_priors():
    strong = Prior("LKJ", eta=5.0)
    formula = "normal ~ x0 + (1 + x0 | a) + (1 | b) + (1 + x0 || c) + (1 + x0 | d)"
    found = parameters_of(formula, priors={"cor(d)": strong})
    assert found.cors == (Prior("LKJ", eta=1.0), None, None, strong)
    np.testing.assert_array_equal(found.lkj, [1.0, 1.0, 1.0, 5.0])
    assert parameters_of(formula, priors={"cor": strong}).cors == (strong, None, None, strong)


def test_everything_wrong_is_said_at_once():
    priors = {"sd(q)": Prior("HalfNormal", sigma=1), "x9": Prior("Normal", sigma=1), "cor(a)": Prior("LKJ", eta=2)}
    design = make_design("normal ~ x0 + (1 | a)", priors=priors)
    with pytest.raises(SpecificationError) as caught:
        build_parameters(design)
    assert {p.where for p in caught.value.problems} == {f"priors, key {key}" for key in priors}
    assert "Did you mean 'sd(a)'" in str(caught.value)
    assert "Keys that do: Intercept, beta, x0, sd(a), sd(a, Intercept), sd, sigma." in str(caught.value)


@pytest.mark.parametrize(
    ("prior", "levels", "fine"),
    [
        (Prior("HalfFlat"), 2, False),
        (Prior("HalfFlat"), 3, True),
        (Prior("Flat"), 2, False),
        (Prior("Flat", on="variance"), 3, False),
        (Prior("Flat", on="variance"), 4, True),
        (Prior("HalfCauchy", beta=1.0), 2, True),
    ],
)
def test_flat_priors_need_levels_for_a_proper_posterior(prior, levels, fine):
    data = make_frame().assign(g=np.arange(40) % levels)
    design = make_design("normal ~ 1 + (1 | g)", data, priors={"sd(g)": prior})
    if fine:
        assert build_parameters(design).sds == ((prior,),)
        return
    with pytest.raises(SpecificationError, match=rf"sd\(g\).*needs \d levels of g.*there are {levels}.*HalfNormal"):
        build_parameters(design)


def test_known_errors_leave_no_dispersion():
    assert parameters_of("normal | se(positive) ~ 1 + (1 | a)").family == ()
    design = make_design("normal | se(positive) ~ 1 + (1 | a)", priors={"sigma": Prior("HalfNormal", sigma=1)})
    with pytest.raises(SpecificationError, match="'sigma' speaks of no parameter"):
        build_parameters(design)


def test_table_has_one_row_a_scalar_in_the_order_of_x():
    priors = {"sd(a, x0)": Prior("Gamma", alpha=2, beta=3, on="precision"), "x0": Prior("Uniform", lower=-1, upper=4)}
    design = make_design("normal ~ x0 + (1 + x0 | a) + (1 | b)", priors=priors)
    found = build_parameters(design)
    density = JointDensity.of(design, found)
    assert found.table.shape == (density.layout.n_scalars, 8)
    natural = density.natural(np.zeros(density.size))
    assert natural.beta[1] == 1.5
    np.testing.assert_array_equal(natural.sd[0], [1.0, 1.0])
    assert found.table[1, 6:].tolist() == [-1.0, 4.0]
    assert found.table[3, 2:5].tolist() == [2.0, 2.0, 3.0]


def test_constant_responses_and_columns_have_finite_defaults():
    data = make_frame().assign(same=3.0, always=2.0)
    found = parameters_of("same ~ x0 + (0 + always | a)", data)
    sigmas = [p.params["sigma"] for p in (*found.coefficients, found.sds[0][0], found.family[0][0])]
    assert np.isfinite(sigmas).all()
    assert min(sigmas) > 0
    assert found.sds[0][0].params["sigma"] == 2.5
