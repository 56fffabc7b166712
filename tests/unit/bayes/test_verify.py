"""Compiled density against PyMC graph at corner draws: points are had back, wrong graphs are found, words say how."""

from __future__ import annotations

import dataclasses

import numpy as np
import pymc as pm
import pytest
from support.models import make_density, make_frame
from support.posteriors import made_posterior, quiet_model, scattered_values

import bayesglmm as bg
from bayesglmm.bayes.named import named_values
from bayesglmm.bayes.recovered import recovered_points
from bayesglmm.bayes.tree import stored_values
from bayesglmm.bayes.verify import MOST_DRAWS, _agreement, _corners, verify_draws
from bayesglmm.naming import Names
from bayesglmm.pymc_model import build_pymc_model

UNIFORM = ("Uniform", {"lower": 0.0, "upper": 3.0})
VARIANCE = {"dist": "InverseGamma", "alpha": 2.0, "beta": 1.0, "on": "variance"}
PRECISION = {"dist": "Gamma", "alpha": 2.0, "beta": 1.0, "on": "precision"}
FORMULA = "normal ~ x0 + x1 + (1 + x1 + x2 | a) + (1 | b) + (1 + x3 || c)"
PRIORS = {
    "x0": ("Uniform", {"lower": -4.0, "upper": 2.0}),
    "x1": ("Exponential", {"lam": 1.0}),
    "sd(b)": VARIANCE,
    "sd(c, x3)": UNIFORM,
    "sigma": PRECISION,
}


def every_transform() -> bg.GLMM:
    return quiet_model(FORMULA, priors=PRIORS)


def test_points_are_had_back_from_natural_parameters():
    model = every_transform()
    density = make_density(FORMULA, priors=model.spec.priors)
    assert {(p.transform, p.on) for p in density.parameters.scalars} >= {(0, 0), (1, 0), (1, 1), (1, 2), (2, 0)}
    assert density.parameters.centered
    x = np.random.default_rng(3).normal(size=(1, 60, density.size))
    stored = stored_values(density.design, Names.of(density.design), named_values(density, x))
    found, usable = recovered_points(density, {name: v[0] for name, v in stored.items()})
    assert usable.all()
    # A row of L is known to eps / L_ii^2, and at these draws L_ii is above 0.01.
    np.testing.assert_allclose(found, x[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("formula", "options"),
    [
        (FORMULA, {"priors": PRIORS}),
        ("success ~ 0 + cell + (1 | a) + (1 + x1 || b)", {"family": "bernoulli"}),
        ("count ~ 1 + offset(log(exposure)) + (1 + x1 + x2 | a)", {"family": "poisson", "weights": "positive"}),
        ("normal ~ x0", {}),
    ],
    ids=["every transform", "bernoulli", "poisson", "no groups"],
)
def test_both_agree_at_corner_draws(formula, options):
    model = quiet_model(formula, **options)
    agreement = made_posterior(model, draws=50).verify(model)
    assert agreement.agrees
    assert agreement.left_out == 0
    assert agreement.difference < 1e-9  # HalfStudentT's constant is off by 2e-9, the log density by hundreds
    words = f"agree at {agreement.draws} corner draws: largest difference {agreement.difference:.0e} (relative)"
    assert str(agreement) == f"compiled density and PyMC graph {words}"


def simple(**priors: object) -> bg.GLMM:
    return quiet_model("normal ~ x0 + (1 | a)", priors={"sd(a)": ("HalfNormal", {"sigma": 2.5}), **priors})


def changed(model: bg.GLMM, how: str) -> object:
    """Return a graph that is not quite the model's."""
    if how == "prior":
        return simple(**{"sd(a)": ("HalfNormal", {"sigma": 2.5001})}).pymc
    if how == "data":
        data = make_frame()
        data.loc[3, "normal"] += 1e-4
        return build_pymc_model(quiet_model("normal ~ x0 + (1 | a)", data).design, model.parameters)
    graph = build_pymc_model(model.design, model.parameters)
    with graph:
        pm.Potential("extra", graph["sd_a"] * (-np.inf if how == "no density" else 1e-5))
    return graph


@pytest.mark.parametrize("how", ["prior", "data", "potential", "no density"])
def test_a_wrong_graph_is_an_error_in_words(how):
    model = simple()
    agreement = verify_draws(
        made_posterior(model, draws=50), model.design, model.parameters, lambda: changed(model, how)
    )
    assert not agreement.agrees
    with pytest.raises(bg.BayesGLMMError, match=r"differ at \d+ corner draws: where .* is (smallest|largest) the log"):
        agreement.checked()
    assert agreement.document()["agrees"] is False


def test_a_graph_changed_in_place_is_found():
    model = simple()
    posterior = made_posterior(model, draws=50)
    assert posterior.verify(model).agrees
    with model.pymc:
        pm.Potential("extra", 1e-3 * model.pymc["sd_a"])
    with pytest.raises(bg.BayesGLMMError, match=r"look at what was changed in model\.pymc"):
        posterior.verify(model)


def test_what_counts_as_rounding():
    def agrees(a: float, b: float) -> bool:
        return _agreement(np.array([1.0, a]), np.array([1.0, b]), ["first", "second"], 0).agrees

    assert agrees(-300.0, -300.0 - 2e-6)
    assert not agrees(-300.0, -300.0 - 4e-6)
    assert agrees(1e-3, 1e-3 + 5e-9)  # near 0 the difference itself counts
    assert not agrees(-1e7, -1e7 - 0.01)  # 1e-9 of it, and yet another prior
    assert agrees(-1e12, -1e12 + 0.01)
    for wrong in (np.nan, np.inf, -np.inf):
        assert not agrees(wrong, 1.0)
        assert not agrees(1.0, wrong)
        assert not agrees(wrong, wrong)
    assert _agreement(np.zeros(2), np.array([0.0, 1.0]), ["first", "second"], 0).where == "second"


def test_draws_without_coordinates_are_left_out_and_counted():
    model = quiet_model("normal ~ x0 + (1 + x1 | a)")
    values = scattered_values(model, 4, 50)
    values["sd_a"][2, 7, 0] = 0.0
    values["u_a"][2, 7, :, 0] = 0.0
    values["cor_a"][1, 3] = 1.0
    agreement = made_posterior(model, values, draws=50).verify(model)
    assert agreement.left_out == 2
    reason = "a standard deviation too near 0, or a correlation too near 1, to have their coordinates back"
    assert str(agreement).endswith(f"(2 more left out: {reason})")
    values["sd_a"][:] = 0.0
    with pytest.raises(bg.BayesGLMMError, match="were compared at no draw"):
        made_posterior(model, values, draws=50).verify(model)


def test_corners_are_the_extremes_scales_first_and_not_more_than_fifty():
    model = quiet_model(f"normal ~ {' + '.join(f'x{k}' for k in range(30))} + (1 | a)", make_frame(n=60, covariates=30))
    posterior = made_posterior(model, chains=4, draws=100)
    corners = dict(_corners(posterior))
    assert len(corners) == MOST_DRAWS
    sd = posterior.tree["posterior"]["sd_a"].values.ravel()
    first, second = list(corners.items())[:2]
    assert first == (int(sd.argmin()), "sd(a) is smallest")
    assert second == (int(sd.argmax()), "sd(a) is largest")


def test_a_posterior_of_something_else_is_refused():
    model = simple()
    posterior = made_posterior(model, draws=10)
    with pytest.raises(bg.SpecificationError, match="of another model"):
        posterior.verify(simple(x0=("Normal", {"mu": 0.0, "sigma": 1.0})))
    tree = posterior.tree.copy()
    tree.attrs["data_fingerprint"] = "of another frame"
    with pytest.raises(bg.SpecificationError, match="of other data"):
        dataclasses.replace(posterior, tree=tree).verify(model)
    tree = posterior.tree.copy()
    tree.attrs["graph"] = "given"
    with pytest.raises(bg.SpecificationError, match="sampled from a graph that was given"):
        dataclasses.replace(posterior, tree=tree).verify(model)


def test_a_saved_posterior_can_be_verified(tmp_path):
    model = every_transform()
    posterior = made_posterior(model, draws=20)
    loaded = bg.load_posterior(posterior.save(tmp_path / "posterior.nc"))
    assert loaded.verify(model) == posterior.verify(model)
