"""Too many crossed effects for a dense tail are refused by every method that would make one."""

from __future__ import annotations

import pytest

import bayesglmm as bg
from bayesglmm.frequentist import width


@pytest.mark.parametrize("method", ["laplace", "pql", "mql", "mcml"])
def test_a_tail_too_wide_is_refused_by_name_and_number(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(width, "MAX_TAIL", 50)
    model = bg.GLMM("mated ~ 0 + cross + (1 | female) + (1 | male)", bg.load_dataset("salamander"), family="bernoulli")
    words = r"60 group effects are crossed with the largest term \(.*male.* \(60\)\), more than the 50"
    with pytest.raises(bg.FitError, match=words):
        model.fit(method)


@pytest.mark.parametrize("method", ["ml", "reml", "laplace"])
def test_so_is_that_of_a_linear_model(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(width, "MAX_TAIL", 5)
    model = bg.GLMM("diameter ~ 1 + (1 | plate) + (1 | sample)", bg.load_dataset("penicillin"))
    with pytest.raises(bg.FitError, match="6 group effects are crossed with the largest term"):
        model.fit(method)


def test_nested_terms_are_no_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(width, "MAX_TAIL", 0)
    fit = bg.GLMM("strength ~ 1 + (1 | batch/cask)", bg.load_dataset("pastes")).fit("reml")
    assert fit.loglik == pytest.approx(-123.495373, abs=1e-5)  # lme4
