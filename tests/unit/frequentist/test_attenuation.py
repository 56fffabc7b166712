"""Marginal coefficients implied by conditional ones: closed forms, quadrature, estimating equations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

import bayesglmm as bg
from bayesglmm.families import FAMILIES
from bayesglmm.frequentist.reading.attenuation import LOGISTIC, _marginal_means

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "cauchit"])
@pytest.mark.parametrize("sd", [0.3, 2.0, 10.0])
def test_means_against_adaptive_quadrature(link: str, sd: float) -> None:
    inverse = FAMILIES["bernoulli"].links[link].link
    eta = np.array([-6.0, -1.0, 0.0, 2.5])
    found = _marginal_means(inverse, eta, np.full(4, sd**2))
    for e, mean in zip(eta, found, strict=True):

        def integrand(z: float, e: float = e) -> float:
            return float(inverse.inverse(np.array(e + sd * z))) * stats.norm.pdf(z)

        exact = integrate.quad(integrand, -9, 9, points=[-e / sd], limit=500, epsabs=1e-13, epsrel=1e-12)[0]
        assert mean == pytest.approx(exact, abs=2e-10)


def test_identity_changes_nothing() -> None:
    fit = bg.GLMM("reaction ~ days + (days | subject)", bg.load_dataset("sleepstudy")).fit()
    result = bg.attenuation(fit)
    assert result.frame["marginal"].to_numpy() == pytest.approx(fit.coefficients["estimate"].to_numpy(), rel=1e-10)
    assert any("are exact" in note for note in result.notes)
    assert result.frame["approximation"].isna().all()


def test_log_moves_the_intercept_alone() -> None:
    fit = bg.GLMM("y ~ trt + period + (1 | subject)", bg.load_dataset("epilepsy"), family="poisson").fit()
    result = bg.attenuation(fit)
    s = fit.variance_components["estimate"].iloc[0]
    moved = (result.frame["marginal"] - result.frame["conditional"]).to_numpy()
    assert moved == pytest.approx([s**2 / 2.0, 0.0, 0.0], abs=1e-9)
    assert any("are exact" in note for note in result.notes)


def test_probit_is_divided() -> None:
    data = bg.load_dataset("wheeze")
    fit = bg.GLMM("resp ~ age * smoke + (1 | id)", data, family="bernoulli", link="probit").fit()
    s = fit.variance_components["estimate"].iloc[0]
    result = bg.attenuation(fit)
    assert result.frame["ratio"].to_numpy() == pytest.approx(np.full(4, (1.0 + s**2) ** -0.5), rel=1e-8)
    assert any("are exact" in note for note in result.notes)


def test_random_slopes_take_each_rows_variance() -> None:
    data = bg.load_dataset("epilepsy").assign(visit=lambda d: (d["period"] - 2.5) / 5.0)
    fit = bg.GLMM("y ~ visit + (visit | subject)", data, family="poisson").fit()
    table = fit.variance_components["estimate"]
    s0, s1 = table.loc["sd(subject, Intercept)"], table.loc["sd(subject, visit)"]
    c = table.loc["cor(subject, Intercept, visit)"] * s0 * s1
    x = data["visit"].to_numpy()
    b0, b1 = fit.coefficients["estimate"]
    means = np.exp(b0 + b1 * x + 0.5 * (s0**2 + 2.0 * c * x + s1**2 * x**2))
    X = np.column_stack([np.ones(len(x)), x])
    found = bg.attenuation(fit)
    fitted = np.exp(X @ found.frame["marginal"].to_numpy())
    assert X.T @ (means - fitted) == pytest.approx([0.0, 0.0], abs=1e-8)
    assert not any("are exact" in note for note in found.notes)
    assert any("by row" in note for note in found.notes)


def test_logit_solves_the_equations_of_independence() -> None:
    data = bg.load_dataset("multicenter")
    fit = bg.GLMM("favorable | trials(n) ~ treatment + (1 | clinic)", data, family="binomial").fit()
    frame = bg.attenuation(fit).frame
    s = fit.variance_components["estimate"].iloc[0]
    X = np.column_stack([np.ones(16), data["treatment"] == "drug"])
    z, w = np.polynomial.hermite_e.hermegauss(100)
    means = special.expit((X @ fit.coefficients["estimate"].to_numpy())[:, None] + s * z) @ (w / w.sum())
    # Saturated: the nearest logistic model goes through the two means.
    control, drug = means[data["treatment"] == "control"][0], means[data["treatment"] == "drug"][0]
    expected = [special.logit(control), special.logit(drug) - special.logit(control)]
    assert frame["marginal"].to_numpy() == pytest.approx(expected, abs=1e-9)
    near = frame["conditional"] / np.sqrt(1.0 + LOGISTIC * s**2)
    assert frame["approximation"].to_numpy() == pytest.approx(near.to_numpy())
    assert pytest.approx(0.346, abs=5e-4) == LOGISTIC


@pytest.mark.parametrize("dataset", ["wheeze", "toenail"])
def test_estimating_equations_say_nearly_the_same(dataset: str) -> None:
    """The model's marginal coefficients lie within half a standard error of those of the equations.

    Measured with adaptive quadrature: at most 0.07 standard errors off for wheeze and 0.42 for toenail, where patients
    miss visits and the equations weigh them otherwise.
    """
    formula = {
        "wheeze": "resp ~ age * smoke + (1 | id)",
        "toenail": "outcome ~ treatment * time + (1 | patient_id)",
    }[dataset]
    model = bg.GLMM(formula, bg.load_dataset(dataset), family="bernoulli")
    implied = bg.attenuation(model.fit("agq", points=25)).frame
    equations = model.fit("gee", correlation="independence").coefficients
    off = (implied["marginal"] - equations["estimate"]).abs() / equations["std_error"]
    assert (off < 0.5).all()
    conditional = (implied["conditional"] - equations["estimate"]).abs() / equations["std_error"]
    assert conditional.max() > 5.0


def test_other_links_and_an_offset_run() -> None:
    data = bg.load_dataset("multicenter")
    for link in ("cloglog", "cauchit"):
        fit = bg.GLMM("favorable | trials(n) ~ treatment + (1 | clinic)", data, family="binomial", link=link).fit()
        frame = bg.attenuation(fit).frame
        s = fit.variance_components["estimate"].iloc[0]
        X = np.column_stack([np.ones(16), data["treatment"] == "drug"])
        record = fit.design.family_link.link
        nodes = np.linspace(-9, 9, 200001)
        weights = stats.norm.pdf(nodes) / stats.norm.pdf(nodes).sum()
        for row in (0, 1):
            eta = float(X[row] @ fit.coefficients["estimate"].to_numpy())
            mean = record.inverse(eta + s * nodes) @ weights
            assert float(record.inverse(X[row] @ frame["marginal"].to_numpy())) == pytest.approx(mean, abs=1e-8)
    counts = data.assign(exposure=lambda d: d["n"] / 10.0)
    offset = bg.GLMM("favorable ~ treatment + offset(log(exposure)) + (1 | clinic)", counts, family="poisson").fit()
    s = offset.variance_components["estimate"].iloc[0]
    frame = bg.attenuation(offset).frame
    assert (frame["marginal"] - frame["conditional"]).to_numpy() == pytest.approx([s**2 / 2.0, 0.0], abs=1e-9)


def test_no_variance_is_no_attenuation() -> None:
    data = pd.DataFrame({"x": np.tile([0.0, 1.0], 40), "g": np.repeat(np.arange(10), 8).astype(str)})
    data["y"] = np.tile([0, 1, 1, 0, 0, 1, 0, 1], 10)
    fit = bg.GLMM("y ~ x + (1 | g)", data, family="bernoulli").fit()
    assert fit.variance_components["estimate"].iloc[0] == 0.0
    result = bg.attenuation(fit)
    assert result.frame["ratio"].to_numpy() == pytest.approx(np.ones(2))
    assert "ratio" in repr(result)
    assert f"\n  - {result.notes[0]}" in repr(result)
    assert "<table" in result._repr_html_()


def test_what_it_refuses() -> None:
    model = bg.GLMM("resp ~ age + (1 | id)", bg.load_dataset("wheeze"), family="bernoulli")
    with pytest.raises(bg.SpecificationError, match="method 'gee' of resp ~ age"):
        bg.attenuation(model.fit("gee"))
    with pytest.raises(bg.SpecificationError, match="takes a classical fit"):
        bg.attenuation("laplace")
    with pytest.raises(bg.SpecificationError, match="compares coefficients"):
        bg.attenuation(bg.GLMM("diameter ~ 0 + (1 | plate)", bg.load_dataset("penicillin")).fit())
