import pytest

ONE_LEVEL = "this grouping factor has one level, which says nothing about how levels vary."


def test_one_level(errors, clean):
    assert errors("y ~ x + (1 | h)", clean.assign(h="only")) == [
        f"h: {ONE_LEVEL} Leave its group term out, such as (1 | h)."
    ]


def test_as_many_levels_as_rows_where_sigma_is_estimated(errors, clean):
    assert errors("y ~ x + (1 | h)", clean.assign(h=range(60))) == [
        "h: as many levels as rows (60), so sd(h) and sigma cannot be told apart. Leave (1 | h) out, "
        "group by "
        "something that repeats, or give known standard errors: y | se(s)."
    ]


@pytest.mark.parametrize("factor", ["f:k", "`my id`"])
def test_as_many_combinations_as_rows(errors, clean, factor):
    data = clean.assign(k=[k // 3 for k in range(60)], **{"my id": range(60)})
    (said,) = errors(f"y ~ x + (1 | {factor})", data)
    assert f"Leave (1 | {factor}) out" in said


@pytest.mark.parametrize(
    ("formula", "family"),
    [
        ("y | se(dose) ~ x + (1 | h)", "gaussian"),
        ("deaths ~ x + (1 | h)", "poisson"),
        ("p(deaths, trials) ~ x + (1 | h)", "binomial"),
    ],
)
def test_an_effect_for_every_row_where_there_is_no_sigma(cautions, clean, formula, family):
    assert cautions(formula, clean.assign(h=range(60)), family=family) == []


def test_as_many_effects_as_rows(cautions, clean):
    (said,) = cautions("y ~ x + (x + z | h)", clean.assign(h=[k // 3 for k in range(60)]))
    assert said == (
        "h: 60 effects for 60 rows; their standard deviations and sigma are hard to tell apart. "
        "Consider fewer effects than Intercept, x, z."
    )


def test_few_levels(cautions, clean):
    (said,) = cautions("y ~ x + (1 | h) + (0 + x | h)", clean.assign(h=[k % 4 for k in range(60)]))
    assert said == (
        "h: 4 levels; a standard deviation learned from fewer than 5 rests on its prior and is very "
        "uncertain "
        "without one. Consider h among the common terms."
    )


def test_five_levels_are_not_few(cautions, clean):
    assert cautions("y ~ x + (1 | h)", clean.assign(h=[k % 5 for k in range(60)])) == []


def test_singletons(cautions, clean):
    labels = [f"g{k % 8}" for k in range(60)]
    labels[3], labels[9] = "G3", "g 1"
    (said,) = cautions("y ~ x + (1 | h)", clean.assign(h=labels))
    assert said == (
        "h: 2 of 10 levels with a single row ('G3', 'g 1'): they say little about sd(h). "
        "Check that no label is misspelt."
    )


def test_names_of_two_group_terms_that_would_be_one(errors, clean):
    data = clean.assign(**{"f:g": [k % 6 for k in range(60)]})
    (said,) = errors("y ~ x + (1 | `f:g`) + (1 | f:g)", data)
    assert said == "f:g: two group terms would have this name; rename a column."
