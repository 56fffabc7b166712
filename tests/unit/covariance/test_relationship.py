"""Known covariances of levels: what is read, what is refused, and the factors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from bayesglmm.covariance import known, read_relationship, read_relationships, relationship
from bayesglmm.errors import DataError
from bayesglmm.formula import parse

NAMES = ["sire", "dam", "calf", "other"]
#: A calf of two founders and an animal that is related to nobody (Henderson 1976, figure 1, in small).
A = np.array([[1.0, 0, 0.5, 0], [0, 1.0, 0.5, 0], [0.5, 0.5, 1.0, 0], [0, 0, 0, 1.0]])
#: Henderson's rules: 1 / d for the calf, d = 1 / 2, and -1 / (2 d), 1 / (4 d) for its parents.
INVERSE = np.array([[1.5, 0.5, -1, 0], [0.5, 1.5, -1, 0], [-1, -1, 2, 0], [0, 0, 0, 1]])
FORMS = {
    "frame": pd.DataFrame(A, NAMES, NAMES),
    "pair": (A, NAMES),
    "list": (A.tolist(), NAMES),
    "sparse": (sp.csc_matrix(A), NAMES),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_matrix_with_its_inverse_and_factor(form):
    found = read_relationship("A", FORMS[form])
    assert found.names == tuple(NAMES)
    np.testing.assert_array_equal(found.matrix.toarray(), A)
    np.testing.assert_allclose(found.precision.toarray(), INVERSE, atol=1e-14)
    L = found.factor.toarray()
    np.testing.assert_allclose(L @ L.T, A, atol=1e-15)
    assert found.log_determinant == pytest.approx(np.log(np.linalg.det(A)))
    assert known(found).log_constant(1, 1.0) == pytest.approx(-0.5 * np.log(np.linalg.det(A)))


def test_inverse_of_a_pedigree_is_sparse_and_families_are_factored_apart():
    found = read_relationship("A", FORMS["pair"])
    assert found.precision.nnz == np.count_nonzero(INVERSE)
    # Levels of one family need not stand side by side.
    order = [0, 3, 2, 1]
    mixed = read_relationship("A", (A[np.ix_(order, order)], [NAMES[k] for k in order]))
    np.testing.assert_allclose(mixed.precision.toarray(), INVERSE[np.ix_(order, order)], atol=1e-14)
    L = mixed.factor.toarray()
    np.testing.assert_allclose(L @ L.T, A[np.ix_(order, order)], atol=1e-15)
    assert mixed.fingerprint != found.fingerprint


def changed(i: int, k: int, value: float) -> np.ndarray:
    B = A.copy()
    B[i, k] = value
    return B


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (A, "a pair .matrix, names."),
        ((A, NAMES[:3]), "3 names are given for 4 rows"),
        ((A[:3], NAMES[:3]), r"shape \(3, 4\); a covariance matrix is square"),
        ((A, ["sire", "dam", "sire", "other"]), "the name 'sire' is given to two rows"),
        ((changed(0, 2, 0.4), NAMES), "not symmetric: .'sire', 'calf'. differs from its mirror image by 0.1"),
        ((changed(1, 1, np.nan), NAMES), "the row of 'dam' has missing or infinite entries"),
        ((changed(3, 3, -1.0), NAMES), "the variance of 'other' is -1; it must be above 0"),
        ((np.ones((4, 4)), NAMES), "not positive definite: among 'sire', 'dam', 'calf', ... its smallest eigenvalue"),
        ((A.astype(str).tolist(), NAMES), "does not hold numbers only|could not convert"),
        (pd.DataFrame(A, NAMES, [*NAMES[:3], "else"]), "'other' is in one of them only"),
        (pd.DataFrame(A, NAMES, NAMES[::-1]), "in another order"),
    ],
)
def test_what_is_no_covariance_is_refused_with_the_place(given, words):
    if isinstance(given, tuple) and isinstance(given[0], list):
        given = (np.array(given[0], dtype=object) + "x", given[1])
    with pytest.raises(DataError, match=words) as caught:
        read_relationship("A", given)
    assert 'known_covariances["A"]' in str(caught.value)


def test_a_family_that_is_too_large_is_said(monkeypatch):
    monkeypatch.setattr(relationship, "MAX_FAMILY", 2)
    with pytest.raises(DataError, match="3 levels are related to one another, more than the 2"):
        read_relationship("A", FORMS["pair"])


def test_names_that_the_formula_does_not_use_are_an_error():
    formula = parse('y ~ known(1 | animal, "A")')
    assert list(read_relationships(formula, {"A": FORMS["pair"]})) == ["A"]
    assert read_relationships(formula, None) == {}
    with pytest.raises(DataError, match=r'known_covariances."B".: no group term names it'):
        read_relationships(formula, {"A": FORMS["pair"], "B": FORMS["pair"]})
    with pytest.raises(DataError, match="give a mapping of names to matrices"):
        read_relationships(formula, FORMS["frame"])
