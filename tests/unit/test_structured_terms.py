"""Group terms with a structure met with data: places, kinds of levels, known covariances; names and labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support.models import make_design, make_frame, make_relationship

from bayesglmm.errors import DataError, SpecificationError
from bayesglmm.formula import columns, parse
from bayesglmm.parameters import build_parameters
from bayesglmm.priors import Prior
from bayesglmm.spec import ModelSpec


def frame() -> pd.DataFrame:
    data = make_frame(48)
    data["visit"] = np.arange(48) % 4
    data["subject"] = np.arange(48) // 4
    data["trt"] = np.where(data["subject"] < 5, "drug", "placebo")
    return data


def group_of(term: str, data: pd.DataFrame | None = None, **options: object):
    return make_design(f"normal ~ x1 + {term}", frame() if data is None else data, **options).groups[0]


def test_whole_numbers_are_places_with_gaps():
    data = frame()
    data["visit"] = np.array([10, -2, 3, 4])[data["visit"]]
    group = group_of("ar1(0 + visit | subject)", data)
    assert group.structure.gaps == (5, 1, 6)
    assert group.effects == ("visit[-2]", "visit[3]", "visit[4]", "visit[10]")
    assert group.sd_names() == ("sd(subject)",)
    assert group.cor_names() == ("cor(subject)",)
    codes, rows, touched = group.cells
    assert (touched, rows.shape) == (1, (0, 48))
    places = np.searchsorted([-2, 3, 4, 10], data["visit"])
    np.testing.assert_array_equal(codes, 4 * data["subject"] + places)


def test_levels_are_places_in_their_order_and_an_empty_one_is_a_gap():
    data = frame()
    words = np.array(["late", "early", "middle", "early"])[data["visit"]]
    data["visit"] = pd.Categorical(words, ["early", "never", "middle", "late"])
    group = group_of("ar1(0 + visit | subject)", data)
    assert group.effects == ("visit[early]", "visit[middle]", "visit[late]")
    assert group.structure.gaps == (2, 1)
    data["visit"] = words
    assert group_of("ar1(0 + C(visit) | subject)", data).structure.gaps == (1, 1)


def test_new_rows_have_places_and_kinds():
    data = frame()
    design = make_design("normal ~ ar1(0 + visit | subject) + (1 | subject, by=trt)", data)
    fresh = data.iloc[[3, 40]].assign(subject=[0, 99])
    found = design.new_rows(fresh)
    np.testing.assert_array_equal(found.columns[0], np.eye(4)[:, fresh["visit"]])
    assert found.codes[0].tolist() == [0, -1]
    # One term a kind: rows of another kind have a column of 0, an unknown level counts where its kind is.
    assert [c.tolist() for c in found.columns[1:]] == [[[1.0, 0.0]], [[0.0, 1.0]]]
    assert [c.tolist() for c in found.codes[1:]] == [[0, 0], [0, -1]]
    with pytest.raises(DataError, match=r"'7' \(row 3\) is no place that the model learned from"):
        design.new_rows(fresh.assign(visit=7))


@pytest.mark.parametrize(
    ("term", "change", "words"),
    [
        ("ar1(1 + visit | subject)", {}, "needs the places of one column before the bar, without an intercept"),
        ("ar1(0 + visit + x1 | subject)", {}, "needs the places of one column"),
        ("ar1(0 + x1 | subject)", {}, "ar1.. takes places in whole numbers, and row 0 has"),
        ("ar1(0 + visit | subject)", {"visit": 1}, "1 places for ar1"),
        ("cs(1 | subject)", {}, "one effect, which is correlated with nothing"),
        ("(1 | subject, by=cell)", {}, "every level of subject belongs to one level of cell, and '0' is in"),
        ("(1 | subject, by=trt)", {"trt": "drug"}, "by=trt has one level"),
        ("(1 | subject) + (1 + x1 | subject, by=trt)", {}, "the effect 'Intercept' of subject is in two group terms"),
    ],
)
def test_what_cannot_be_is_said(term, change, words):
    with pytest.raises(DataError, match=words):
        group_of(term, frame().assign(**change))


def test_kinds_have_parameters_of_their_own():
    design = make_design("normal ~ (1 | a) + (1 + x1 | subject, by=trt)", frame())
    drug, placebo = design.groups[1:]
    assert [g.n_levels for g in (drug, placebo)] == [5, 7]
    assert drug.sd_names() == ("sd(subject, Intercept, trt[drug])", "sd(subject, x1, trt[drug])")
    assert placebo.cor_names() == ("cor(subject, Intercept, x1, trt[placebo])",)
    assert [g.label for g in design.groups] == ["a", "subject.drug", "subject.placebo"]
    inside = (frame()["trt"] == "drug").to_numpy()
    np.testing.assert_array_equal(drug.columns()[0], inside)
    np.testing.assert_array_equal(drug.columns()[1], np.where(inside, frame()["x1"], 0.0))
    assert columns(parse("y ~ (1 | g, by=trt)")) == ("y", "g", "trt")
    scales = build_parameters(design).scales.effects[1]
    np.testing.assert_allclose(scales, [1.0, frame()["x1"][inside].std(ddof=0)])


def test_the_response_cannot_tell_the_kinds():
    with pytest.raises(SpecificationError, match="would explain itself"):
        ModelSpec(formula="y ~ (1 | g, by=y)")


def test_priors_reach_one_kind_or_all():
    formula = "normal ~ (1 | subject, by=trt)"
    given = {"sd(subject)": Prior("HalfNormal", sigma=2.0), "sd(subject,trt[drug])": Prior("Exponential", lam=3.0)}
    parameters = build_parameters(make_design(formula, frame(), priors=given))
    assert [term[0].dist for term in parameters.sds] == ["Exponential", "HalfNormal"]


def test_terms_of_one_factor_have_names_that_differ():
    terms = "ar1(0 + visit | subject) + (1 | subject) + cs(0 + C(visit) | subject)"
    serial, plain, compound = make_design(f"normal ~ {terms}", frame()).groups
    assert [g.label for g in (serial, plain, compound)] == ["subject.ar1", "subject", "subject.cs"]
    assert [g.sd_names() for g in (serial, plain)] == [("sd(subject, ar1)",), ("sd(subject)",)]
    assert compound.cor_names() == ("cor(subject, cs)",)
    given = {"sd(subject)": Prior("HalfNormal", sigma=7.0), "cor(subject, ar1)": Prior("LKJ", eta=4.0)}
    parameters = build_parameters(make_design(f"normal ~ {terms}", frame(), priors=given))
    assert [str(term[0].dist) == "HalfNormal" and term[0].params["sigma"] == 7.0 for term in parameters.sds] == [
        False,
        True,
        False,
    ]
    assert parameters.lkj.tolist() == [4.0, 1.0, 1.0]


def test_levels_of_a_known_covariance_are_its_names():
    A, names = make_relationship(14)
    group = group_of('known(1 | subject, "A")', known={"A": (A, names)})
    assert group.factor.levels == tuple(names)
    assert group.n_levels == 14
    np.testing.assert_array_equal(group.codes, frame()["subject"])
    design = make_design('normal ~ known(1 | subject, "A")', frame(), known={"A": (A, names)})
    other = make_design('normal ~ known(1 | subject, "A")', frame(), known={"A": (2 * A, names)})
    assert design.fingerprint != other.fingerprint
    assert design.new_rows(frame().iloc[:2].assign(subject=[13, 77])).codes[0].tolist() == [13, -1]


@pytest.mark.parametrize(
    ("term", "words"),
    [
        ('known(1 | subject, "A")', "4 of 12 levels have no row in the known covariance 'A': '10', '11', '8', '9'"),
        ('known(1 | subject, "B")', "no known covariance is called 'B'.*Given: 'A'"),
        ('known(1 + x1 | subject, "A")', "needs one effect and no by="),
        ('known(1 | subject, "A", by=trt)', "needs one effect and no by="),
    ],
)
def test_known_covariances_that_do_not_fit_are_said(term, words):
    from bayesglmm.build import build_design
    from bayesglmm.covariance import read_relationship

    relationships = {"A": read_relationship("A", make_relationship(8))}
    with pytest.raises(DataError, match=words):
        build_design(ModelSpec(formula=f"normal ~ x1 + {term}"), frame(), relationships)


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ 1 + ar1(0 + visit | subject) + cs(1 + x | g)",
        'y ~ 1 + known(1 | animal, "A") + (1 | animal)',
        "y ~ 1 + (1 + x | g, by=`two words`) + (0 + z || g, by=trt)",
    ],
)
def test_formulas_and_specifications_come_back(formula):
    spec = ModelSpec(formula=formula)
    assert str(spec.formula) == formula
    assert ModelSpec.from_dict(spec.to_dict()) == spec
    assert ModelSpec.model_validate_json(spec.model_dump_json()) == spec
