"""Starting points: finite for every prior, different for every seed, wide enough, and where the data are."""

from __future__ import annotations

import numpy as np
import pytest
from support.models import KEPT, RESPONSES, make_density, make_frame

from bayesglmm.bayes.start import start_box, start_points
from bayesglmm.families import FAMILIES
from bayesglmm.priors import DISTRIBUTIONS, Prior, refusal

VALUES = {"mu": 0.25, "sigma": 2.5, "nu": 3.5, "alpha": 2.5, "beta": 0.5, "lam": 1.5, "eta": 2.0}
VALUES |= {"lower": 0.0, "upper": 3.0}


def prior_of(name: str, on: str = "sd") -> Prior:
    return Prior(name, {p: VALUES[p] for p in DISTRIBUTIONS[name].parameters}, on=on)


SCALES = [
    prior
    for name in DISTRIBUTIONS
    for on in ("sd", "variance", "precision")
    if name != "LKJ" and refusal("sd", prior := prior_of(name, on)) is None
]
COEFFICIENTS = [prior for name in DISTRIBUTIONS if refusal("coefficient", prior := prior_of(name)) is None]


def assert_finite_from_all_sides(density) -> None:
    center, half_width = start_box(density)
    assert center.shape == half_width.shape == (density.size,)
    assert np.isfinite(center).all()
    assert (half_width > 0).all()
    evaluate = density.evaluator()
    for seed in range(20):
        x = start_points(density)(seed)
        assert (np.abs(x - center) <= half_width).all()
        value, gradient = evaluate(x)
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("prior", SCALES, ids=str)
def test_every_prior_of_a_scale(prior):
    density = make_density("normal ~ x0 + (1 + x1 | a) + (1 | d:e)", priors={"sd": prior, "sigma": prior})
    assert_finite_from_all_sides(density)


@pytest.mark.parametrize("prior", COEFFICIENTS, ids=str)
def test_every_prior_of_a_coefficient(prior):
    assert_finite_from_all_sides(make_density("normal ~ x0 + (1 | a)", priors={"beta": prior}))


@pytest.mark.parametrize(("family", "link"), [(f, link) for f, r in FAMILIES.items() for link in r.links])
def test_every_family_and_link(family, link):
    formula = f"{RESPONSES[family]} ~ x0 + cell + (1 + x1 | a){KEPT.get(link, '')}"
    assert_finite_from_all_sides(make_density(formula, family=family, link=link))


def test_seeds_scatter_and_repeat():
    start = start_points(make_density("normal ~ x0 + (1 | a)"))
    points = np.array([start(seed) for seed in range(200)])
    np.testing.assert_array_equal(start(7), points[7])
    assert len(np.unique(points[:, 0])) == 200
    _, half_width = start_box(make_density("normal ~ x0 + (1 | a)"))
    spread = points.std(axis=0) / half_width
    np.testing.assert_allclose(spread, np.sqrt(1 / 3), rtol=0.2)  # uniform over the box


def test_the_box_moves_and_stretches_with_the_data():
    data = make_frame()
    far = data.assign(normal=1000.0 + 50.0 * data["normal"], x0=100.0 * data["x0"] + 5000.0)
    near, away = (make_density("normal ~ x0 + (1 | a)", d) for d in (data, far))
    (_, width), (center, wide) = start_box(near), start_box(away)
    assert center[0] == pytest.approx(far["normal"].mean())
    assert wide[0] == pytest.approx(50 * width[0])
    assert wide[1] == pytest.approx(0.5 * width[1])  # y fifty, x a hundred times as wide
    scale = near.layout.sds(0).start
    assert center[scale] - start_box(near)[0][scale] == pytest.approx(np.log(50))
