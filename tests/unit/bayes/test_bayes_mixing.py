"""R-hat, effective sample sizes and Monte Carlo errors against ArviZ, for well and badly mixing chains."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest

from bayesglmm.bayes.diagnostics import diagnose
from bayesglmm.bayes.labels import Labelled


def autoregressive(k: int, chains: int, draws: int, phi: float) -> np.ndarray:
    rng = np.random.default_rng(chains * 1000 + draws)
    x = rng.normal(size=(k, chains, draws))
    for t in range(1, draws):
        x[..., t] = phi * x[..., t - 1] + np.sqrt(1.0 - phi**2) * x[..., t]
    return x


def arviz_figures(draws: np.ndarray) -> dict[str, np.ndarray]:
    from arviz_stats.base import array_stats

    axes = {"chain_axis": -2, "draw_axis": -1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return {
            "r_hat": array_stats.rhat(draws, method="rank", **axes),
            "ess_bulk": array_stats.ess(draws, method="bulk", **axes),
            "ess_tail": array_stats.ess(draws, method="tail", prob=(0.05, 0.95), **axes),
            "mcse_mean": array_stats.mcse(draws, method="mean", **axes),
        }


def labelled(draws: np.ndarray) -> list[Labelled]:
    return [Labelled("fixed", f"b{k}", d) for k, d in enumerate(draws)]


@pytest.mark.parametrize("phi", [-0.9, 0.0, 0.5, 0.95, 0.999])
@pytest.mark.parametrize(("chains", "draws"), [(1, 50), (2, 4), (2, 5), (3, 6), (4, 7), (4, 101), (4, 1000)])
def test_figures_are_arvizs(chains, draws, phi):
    x = autoregressive(12, chains, draws, phi)
    x[:4] = np.round(x[:4], 1) + 0.001 * np.arange(chains)[:, None]  # ties
    x[4:6, 0] += 3.0  # a chain elsewhere
    found = diagnose(labelled(x))
    for name, expected in arviz_figures(x).items():
        np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-9, err_msg=name)


def test_more_scalars_than_are_taken_at_a_time():
    x = autoregressive(150, 2, 20, 0.3)
    found = diagnose(labelled(x))
    np.testing.assert_allclose(found.ess_bulk, arviz_figures(x)["ess_bulk"], rtol=1e-9)
    assert found.names[149] == "b149"


def test_chains_that_stand_still_at_different_places_disagree_without_bound():
    x = np.zeros((1, 2, 20))
    x[0, 1] = 1.0
    assert diagnose(labelled(x)).r_hat[0] == np.inf


def test_what_does_not_move_or_is_not_finite_has_no_figures():
    x = autoregressive(3, 4, 100, 0.0)
    x[0] = 2.5
    x[1, 0, 3] = np.nan
    found = diagnose(labelled(x))
    for name in ("r_hat", "ess_bulk", "ess_tail", "mcse_mean"):
        np.testing.assert_array_equal(np.isnan(getattr(found, name)), [True, True, False])


@pytest.mark.parametrize("draws", [1, 2, 3])
def test_too_few_draws_have_no_figures(draws):
    assert np.isnan(diagnose(labelled(autoregressive(2, 4, draws, 0.0))).ess_bulk).all()


def test_nothing_to_diagnose():
    assert diagnose([]).r_hat.shape == (0,)


def test_the_salamanders_wait_for_their_draws_and_not_for_the_verdict():
    x = labelled(autoregressive(126, 4, 1000, 0.5))
    started = time.perf_counter()
    diagnose(x)
    assert time.perf_counter() - started < 0.8  # 0.1 s on a quiet machine; one scalar after another takes 0.4 s
