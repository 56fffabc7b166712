"""Statistics of different samplers under one set of names, and what an interrupted run keeps."""

from __future__ import annotations

import numpy as np
import pytest

from bayesglmm.bayes.raw import kept_chains, standard_statistics


def test_names_of_nutpie_become_arvizs():
    shape = (2, 3)
    found = {
        "depth": np.full(shape, 3, dtype=np.uint64),
        "maxdepth_reached": np.zeros(shape, dtype=bool),
        "logp": np.full(shape, -2.5),
        "mean_tree_accept": np.full(shape, 0.8),
        "fisher_distance": np.ones(shape),
    }
    statistics = standard_statistics(found, 10)
    assert set(statistics) == {"tree_depth", "reached_max_treedepth", "lp", "acceptance_rate"}
    assert statistics["tree_depth"].dtype == np.int64
    assert statistics["lp"][0, 0] == -2.5


def test_a_sampler_that_does_not_say_so_has_reached_the_limit_at_the_limit():
    statistics = standard_statistics({"tree_depth": np.array([[3, 7, 8]])}, 7)
    np.testing.assert_array_equal(statistics["reached_max_treedepth"], [[False, True, True]])


@pytest.mark.parametrize(
    ("lengths", "chains", "length"),
    [
        ([100, 100, 100, 100], [0, 1, 2, 3], 100),
        ([100, 90, 0, 0], [0, 1], 90),
        ([500, 480, 30, 20], [0, 1], 480),
        ([100, 80, 70, 60], [0, 1, 2, 3], 60),
        ([0, 5, 0], [1], 5),
        ([0, 0], [], 0),
        ([], [], 0),
    ],
)
def test_an_interrupted_run_keeps_as_many_draws_as_possible(lengths, chains, length):
    assert kept_chains(lengths) == (chains, length)
