from __future__ import annotations

import subprocess
import sys

import pytest

from bayesglmm.errors import SpecificationError
from bayesglmm.families import FAMILIES, get_family, get_link


def test_the_registry():
    links = {name: tuple(family.links) for name, family in FAMILIES.items()}
    assert links == {
        "gaussian": ("identity", "log"),
        "bernoulli": ("logit", "probit", "cloglog", "cauchit"),
        "binomial": ("logit", "probit", "cloglog", "cauchit"),
        "poisson": ("log", "sqrt"),
        "negative_binomial": ("log",),
        "gamma": ("log", "inverse"),
        "beta": ("logit", "probit", "cloglog"),
        "beta_binomial": ("logit",),
        "student_t": ("identity",),
        "cumulative": ("logit", "probit", "cloglog"),
        "zero_inflated_poisson": ("log",),
        "zero_inflated_negative_binomial": ("log",),
        "hurdle_poisson": ("log",),
    }
    assert {name: family.dispersion for name, family in FAMILIES.items() if family.dispersion} == {
        "gaussian": "sigma",
        "student_t": "sigma",
        **dict.fromkeys(("negative_binomial", "gamma", "beta", "beta_binomial"), "phi"),
        "zero_inflated_negative_binomial": "phi",
    }


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_records_are_whole(family):
    assert get_family(family.name) is family
    assert get_link(family) is family.links[family.default_link]
    assert all(name == record.link.name for name, record in family.links.items())
    assert family.remedy.endswith(".")
    assert not family.needs.endswith(".")
    assert (family.phi is None) == (family.dispersion is None)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("negativebinomial", "negative_binomial"),  # Bambi
        ("negbinomial", "negative_binomial"),  # brms
        ("nbinom2", "negative_binomial"),  # glmmTMB
        ("nbinom", "negative_binomial"),
        ("Gamma", "gamma"),
        ("beta_family", "beta"),
        ("betabinomial", "beta_binomial"),
        ("Beta_Binomial", "beta_binomial"),
    ],
)
def test_names_of_other_packages_lead_here(theirs, ours):
    with pytest.raises(SpecificationError, match=f"Did you mean '{ours}'"):
        get_family(theirs)


def test_unknown_family_names_the_nearest():
    with pytest.raises(SpecificationError) as error:
        get_family("poison")
    assert str(error.value) == (
        "family: unknown family 'poison'; allowed: gaussian, bernoulli, binomial, poisson, negative_binomial, gamma, "
        "beta, beta_binomial, student_t, cumulative, zero_inflated_poisson, zero_inflated_negative_binomial, "
        "hurdle_poisson. Did you mean 'poisson'?"
    )


def test_unknown_link_names_those_of_the_family():
    with pytest.raises(SpecificationError) as error:
        get_link(FAMILIES["bernoulli"], "logitt")
    assert str(error.value) == (
        "link: unknown link 'logitt' for bernoulli; allowed: logit, probit, cloglog, cauchit. Did you mean 'logit'?"
    )


def test_a_link_of_another_family_is_refused():
    with pytest.raises(SpecificationError, match="unknown link 'sqrt' for gaussian; allowed: identity, log"):
        get_link(FAMILIES["gaussian"], "sqrt")


def test_families_import_neither_pymc_nor_scipy_stats():
    program = "import sys, bayesglmm.families; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(result.stdout.split())
    assert "bayesglmm.families.poisson" in loaded
    assert not loaded & {"pymc", "pytensor", "scipy.stats", "matplotlib", "nutpie"}
