"""Natural values of draws: the short way of spherical effects is the way of all others."""

from __future__ import annotations

import numpy as np
import pytest
from support.models import make_density, make_frame, make_relationship

from bayesglmm.density import Centring

FORMULAS = {
    "one effect": "normal ~ x0 + (1 | a)",
    "correlated": "normal ~ x0 + (1 + x0 + x1 | a)",
    "independent": "normal ~ x0 + (1 + x0 || a) + (1 | c)",
    "nested": "normal ~ x0 + (1 | a/b)",
    "one correlation": "normal ~ x0 + cs(1 + x0 + x1 | a)",
    "by kind": "normal ~ x0 + (1 | a, by=cell)",
    "known": 'normal ~ x0 + known(1 | a, "A")',
}


@pytest.mark.parametrize("name", FORMULAS)
def test_effects_that_are_not_centred(name, monkeypatch):
    options = {"known": {"A": make_relationship(4)}} if name == "known" else {}
    data = make_frame().assign(cell=lambda d: np.where(d["a"] < 2, "low", "high"))  # constant within levels of a
    density = make_density(FORMULAS[name], data, **options)
    x = 0.5 * np.random.default_rng(1).normal(size=(2, 5, density.size))
    assert density.centring.absent
    short = density.natural(x)
    monkeypatch.setattr(Centring, "absent", False)
    long = density.natural(x)
    for a, b in zip(short.u, long.u, strict=True):
        assert a.std() > 0.01
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-14)


def test_serial_effects_take_the_long_way():
    density = make_density("normal ~ x0 + ar1(0 + b | a)")
    x = 0.5 * np.random.default_rng(1).normal(size=(3, density.size))
    assert density.centring.absent
    natural = density.natural(x)
    layout = density.layout
    rho = natural.cor[0]
    z = x[:, layout.z(0)].reshape(3, 4, -1)
    u = np.empty_like(z)
    for k in range(z.shape[-1]):
        before = rho[:, None] * u[..., k - 1] if k else 0.0
        u[..., k] = before + (np.sqrt(1 - rho[:, None] ** 2) if k else 1.0) * z[..., k]
    np.testing.assert_allclose(natural.u[0], natural.sd[0].reshape(3, 1, 1) * u, rtol=1e-12)
