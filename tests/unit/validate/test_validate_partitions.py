import pytest


@pytest.fixture
def twins(clean):
    """A second name for the groups g, and a factor that cuts each of them in two."""
    number = clean["g"].str[1:].astype(int)
    return clean.assign(h=100 - number, half=[f"h{k // 30}" for k in range(60)], six=number % 6, k=list("abcde") * 12)


def test_the_same_groups_under_two_names(errors, twins):
    assert errors("y ~ x + (1 | g) + (1 | h)", twins) == [
        "h: the same groups under two names: g and h part the rows in the same way, so sd(g) and sd(h) cannot be told "
        "apart. Keep one of the two, for instance g."
    ]


@pytest.mark.parametrize("formula", ["y ~ (x | g) + (0 + x | h)", "y ~ (1 | g) + (1 | six:g)"])
def test_one_shared_effect_is_enough(errors, twins, formula):
    (said,) = errors(formula, twins)
    assert "the same groups under two names" in said


@pytest.mark.parametrize(
    "formula", ["y ~ (1 | g) + (0 + x | h)", "y ~ x + (1 | g) + (1 | six)", "y ~ (1 | six) + (1 | k)"]
)
def test_other_groups_or_other_effects(cautions, twins, formula):
    assert cautions(formula, twins) == []


def test_a_grouping_factor_among_the_common_terms(cautions, twins):
    assert cautions("y ~ g + (1 | g)", twins) == [
        "g: is the common term g as well, which leaves nothing for sd(g). Keep either g or (1 | g)."
    ]


@pytest.mark.parametrize("formula", ["y ~ C(h) + (1 | g)", "y ~ C(h) + (1 | six)", "y ~ x + g + (1 | six)"])
def test_a_grouping_factor_that_follows_from_a_common_term(cautions, twins, formula):
    (said,) = cautions(formula, twins)
    assert " follows from the common term " in said
    assert "leaves nothing for sd(" in said


def test_a_grouping_factor_that_follows_from_an_interaction(cautions, twins):
    data = twins.assign(cell=twins["f"] + twins["half"])
    (said,) = cautions("y ~ f * half + (1 | cell)", data)
    assert said.startswith("cell: follows from the common term f:half (each level of that lies in one of cell)")
    assert cautions("y ~ f + half + (1 | cell)", data) == []


@pytest.mark.parametrize("formula", ["y ~ h + (1 | g)", "y ~ f + (1 | g)", "y ~ g + (0 + x | g)"])
def test_common_terms_that_leave_something(cautions, twins, formula):
    assert cautions(formula, twins) == []
