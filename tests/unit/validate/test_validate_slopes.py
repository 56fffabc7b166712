import pytest


@pytest.fixture
def days(clean):
    """Days counted from long before the first, as in no other column."""
    return clean.assign(days=[100 + k // 6 for k in range(60)], **{"my time": [200.0 + k // 6 for k in range(60)]})


def test_a_slope_far_from_its_origin(cautions, days):
    assert cautions("y ~ days + (days | g)", days) == [
        "days: as a slope by g its mean (104.5) is 36 times its sd (2.87): the intercepts by g are then far from the "
        "data and nearly determined by the slopes. Center it: (1 + center(days) | g)."
    ]


@pytest.mark.parametrize(
    ("given", "centred"),
    [
        ("(x + days || g:f)", "(1 + x + center(days) || g:f)"),
        ("(`my time` | g)", "(1 + center(`my time`) | g)"),
        ("(log(days) | g)", "(1 + center(log(days)) | g)"),
        ("(I(days + 1) + f | g)", "(1 + center(I(days + 1)) + f | g)"),
    ],
)
def test_the_remedy_can_be_typed_and_settles_it(cautions, days, given, centred):
    said = [line for line in cautions(f"y ~ {given}", days) if "as a slope by" in line]
    assert len(said) == 1
    assert said[0].endswith(f"Center it: {centred}.")
    assert not [line for line in cautions(f"y ~ {centred}", days) if "as a slope by" in line]


def test_two_slopes_have_one_remedy(cautions, days):
    data = days.assign(late=days["my time"] + days["x"])
    said = cautions("y ~ (days + late | g)", data)
    assert [line.split(":")[0] for line in said[-2:]] == ["days", "late"]
    assert all(line.endswith("Center it: (1 + center(days) + center(late) | g).") for line in said[-2:])


def test_a_product_is_centred_by_its_parts(cautions, days):
    said = cautions("y ~ (days:`my time` | g)", days)
    assert said[-1].startswith("days:my time: as a slope by g its mean")
    assert said[-1].endswith("Center the columns that it is made of.")


def test_a_constant_slope(cautions, days):
    said = cautions("y ~ x + (trials | g)", days)
    assert said == [
        "trials: as a slope by g it is constant (20) in every row, as the intercept is: the two cannot be told apart. "
        "Leave it out of the effects of g."
    ]


@pytest.mark.parametrize("formula", ["y ~ (0 + days | g)", "y ~ days + (1 | g)", "y ~ (x | g)", "y ~ (dose | g)"])
def test_slopes_without_an_intercept_or_near_their_origin(cautions, days, formula):
    assert cautions(formula, days) == []


def test_an_indicator_that_is_nearly_always_one_is_no_far_slope(cautions, clean):
    data = clean.iloc[:36].assign(f=["a"] * 1 + ["b"] * 35)
    assert not [line for line in cautions("y ~ (f | g)", data) if "as a slope by" in line]
