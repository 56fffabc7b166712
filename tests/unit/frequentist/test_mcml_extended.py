"""Simulated likelihood of rows with auxiliary predictors, and of levels of several kinds: against quadrature."""

from __future__ import annotations

import numpy as np
import pytest
from support.extended_models import ALL, design, differences, point, quadrature

import bayesglmm as bg
from bayesglmm.design import Design
from bayesglmm.frequentist.laplace import LaplaceLikelihood
from bayesglmm.frequentist.quadrature.agq import AGQ
from bayesglmm.frequentist.simulation.importance import SimulatedLikelihood
from bayesglmm.frequentist.simulation.partition import Partition
from bayesglmm.frequentist.simulation.placement import AroundModes, FromPrior
from bayesglmm.frequentist.simulation.points import standard_draws

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")


def simulated(design: Design, prior: bool, df: float, each: int) -> SimulatedLikelihood:
    laplace = LaplaceLikelihood.of(design)
    partition = Partition.of(laplace.marginal.rows.effects, design.groups)
    rule = FromPrior if prior else AroundModes
    draws = standard_draws(partition, df, 16, each, seed=5)
    return SimulatedLikelihood(laplace, partition, rule(laplace.marginal, partition), draws)


@pytest.mark.parametrize("name", ALL)
def test_simulated_value_is_that_of_quadrature_within_its_error(name: str) -> None:
    x = point(design(name))
    likelihood = simulated(design(name), False, 8.0, 1024)
    value, found = likelihood.evaluator()(x)[0], likelihood.replicates(x)
    exact = quadrature(design(name), AGQ(points=25)).evaluator()(x)[0]
    assert found is not None
    error = np.sqrt((found.loglik**2).sum() / (16 * 15))
    assert error < 0.01  # what mcml asks of a log-likelihood by default
    # Beyond four errors lies a thousandth of Student's t with 15 degrees of freedom; the seed is fixed.
    assert abs(value - exact) < 4.0 * error


@pytest.mark.parametrize(
    ("name", "prior"), [*((name, False) for name in ALL), ("zip, formula", True), ("kinds of both", True)]
)
def test_simulated_gradient_is_that_of_the_value(name: str, prior: bool) -> None:
    likelihood, x = simulated(design(name), prior, np.inf if prior else 8.0, 32), point(design(name))
    evaluate = likelihood.evaluator()
    assert evaluate(x)[1] == pytest.approx(differences(evaluate, x), rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("name", ["kinds", "kinds, two effects", "kinds of both"])
def test_blocks_are_the_groups_whatever_their_kinds(name: str) -> None:
    assert len(simulated(design(name), False, 8.0, 32).partition.sizes) == 10


def test_wine_by_simulation() -> None:
    model = bg.GLMM("rating ~ temp + contact + (1 | judge)", bg.load_dataset("wine"), family="cumulative")
    fit, exact = model.fit("mcml", seed=1), model.fit("agq", points=25)
    assert fit.converged
    assert fit.simulation is not None
    assert abs(fit.loglik - exact.loglik) < 4.0 * fit.simulation.loglik_mc_se
    ours, theirs = (f.tidy().set_index("name")["estimate"] for f in (fit, exact))
    for name, error in fit.simulation.mc_std_errors.items():
        assert abs(ours[name] - theirs[name]) < 4.0 * error, name
