import numpy as np
import pytest


def test_the_sentence_of_the_design(errors, clean):
    clean.loc[17, "deaths"] = -1
    assert errors("deaths ~ x", clean, family="poisson") == [
        "deaths: 1 of 60 values below 0 (row 17: -1); poisson needs counts >= 0. "
        'Recode them or choose family="gaussian".'
    ]


def test_counts_that_are_not_whole(errors, clean):
    clean["deaths"] = clean["deaths"].astype(float)
    clean.loc[[2, 3], "deaths"] = [0.5, 1.25]
    (said,) = errors("deaths ~ x", clean, family="poisson")
    assert said.startswith("deaths: 2 of 60 values not a whole number (rows 2: 0.5, 3: 1.25); poisson needs counts")


def test_neither_zero_nor_one(errors, clean):
    clean.loc[5, "b"] = 2
    (said,) = errors("b ~ x", clean, family="bernoulli")
    assert said.startswith("b: 1 of 60 values neither 0 nor 1 (row 5: 2); bernoulli needs 0 or 1")


def test_three_labels(errors, clean):
    (said,) = errors("f ~ x", clean, family="bernoulli")
    assert said.startswith("f: 3 labels ('a', 'b', 'c'); bernoulli needs 0 or 1")


def test_more_successes_than_trials(errors, clean):
    clean.loc[6, "deaths"] = 21
    for formula in ("p(deaths, trials) ~ x", "deaths | trials(20) ~ x"):
        (said,) = errors(formula, clean, family="binomial")
        assert said.startswith("deaths: 1 of 60 values with more successes than trials (row 6: 21 of 20); binomial")


def test_trials_that_do_not_count(errors, clean):
    clean["trials"] = clean["trials"].astype(float)
    clean.loc[[3, 4, 5], "trials"] = [0, -2, 12.5]
    assert errors("p(deaths, trials) ~ x", clean, family="binomial") == [
        "trials: 3 of 60 values not a whole number >= 1 (rows 3: 0, 4: -2, 5: 12.5). The trials of a "
        "row are its "
        "successes and failures together; leave out rows without trials."
    ]


def test_standard_errors_not_above_zero(errors, clean):
    clean.loc[[3, 8], "dose"] = [0.0, -1.0]
    (said,) = errors("y | se(dose) ~ x", clean)
    assert said.startswith("dose: 2 of 60 values not above 0 (rows 3: 0, 8: -1). A known standard error is positive")


@pytest.mark.parametrize(("formula", "weights"), [("y | weights(dose) ~ x", None), ("y ~ x", "dose")])
def test_weights_not_above_zero(errors, clean, formula, weights):
    clean.loc[[3, 8], "dose"] = [0.0, -1.0]
    (said,) = errors(formula, clean, weights=weights)
    assert said.startswith("dose: 2 of 60 values not above 0 (rows 3: 0, 8: -1). A weight multiplies")


def test_a_transformed_response_is_checked_by_its_values(errors, clean):
    clean["deaths"] += 1
    (said,) = errors("log(deaths) ~ x", clean, family="poisson")
    assert said.startswith("log(deaths): ")
    assert "values not a whole number" in said


def test_a_transformed_response_without_values(errors, clean):
    clean.loc[[7], "dose"] = 0.0
    (said,) = errors("log(dose) ~ x", clean)
    assert said.startswith("log(dose): 1 of 60 values not finite (row 7: dose = 0); log() needs numbers above 0.")


def test_missing_trials_say_nothing_about_the_successes(errors, clean):
    clean["trials"] = clean["trials"].astype(float)
    clean.loc[6, "trials"] = np.nan
    clean.loc[6, "deaths"] = 1000
    (said,) = errors("p(deaths, trials) ~ x", clean, family="binomial")
    assert said.startswith("trials: 1 of 60 values missing (row 6)")


def test_weights_given_twice(errors, clean):
    data = clean.assign(w=1.0)
    assert errors("y | weights(dose) ~ x", data, weights="w") == [
        "w: weights are given twice, as 'dose' and as 'w'. Keep one of them."
    ]


def test_a_response_of_truth_values_is_shown_as_numbers(errors, clean):
    data = clean.assign(b=clean["b"].astype(bool), trials=[0] + [1] * 59)
    (said,) = errors("p(b, trials) ~ x", data, family="binomial")
    assert said.startswith("trials: 1 of 60 values not a whole number >= 1 (row 1: 0)")
