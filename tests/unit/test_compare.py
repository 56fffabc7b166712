"""Results side by side: the table, numbered references, and the sentences on where they part."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support.posteriors import made_posterior, quiet_model

import bayesglmm as bg
from bayesglmm.published import Published
from bayesglmm.schema import TIDY_COLUMNS, tidy_frame


class Result:
    """A result with figures given by hand."""

    def __init__(
        self,
        method: str,
        rows: dict[str, tuple[float, float]],
        estimand: str = "conditional",
        caveat: str = "",
        formula: str = "y ~ x + (1 | g)",
        family: str = "gaussian",
        fingerprint: str = "a",
    ):
        self.method, self.rows, self.estimand, self.caveat = method, rows, estimand, caveat
        self.formula, self.family, self.fingerprint = formula, family, fingerprint
        self.beside = {}
        self.heading, self.reference = f"{method} (se)", ""

    def tidy(self, level: float = 0.95, group: bool = False) -> pd.DataFrame:
        values = list(self.rows.values())
        return tidy_frame(
            terms=["sd" if n.startswith("sd(") else "fixed" for n in self.rows],
            names=list(self.rows),
            estimates=[e for e, _ in values],
            std_errors=[s for _, s in values],
            lower=[e - 2 * s for e, s in values],
            upper=[e + 2 * s for e, s in values],
            level=level,
            method=self.method,
            estimand=self.estimand,
        )


POSTERIOR = Result("nuts", {"Intercept": (1.0, 0.2), "x": (0.5, 0.1), "sd(g)": (1.3, 0.3)})


def test_table_has_a_row_a_parameter_and_a_column_a_result() -> None:
    fit = Result("laplace", {"Intercept": (0.98, 0.2), "x": (0.5, 0.1), "sd(g)": (1.0, 0.25)})
    table = bg.compare(POSTERIOR, fit).table()
    assert list(table.index) == ["Intercept", "x", "sd(g)"]
    assert list(table.columns) == ["nuts (se)", "laplace (se)"]
    assert table.loc["x", "laplace (se)"] == "0.500 (0.100) [0.30, 0.70]"


def test_published_columns_are_numbered_and_their_references_follow() -> None:
    gibbs = Published("Gibbs sampling (medians)", "Karim & Zeger (1992)", {"x": 0.55, "sd(g)": 1.22})
    moments = Published("Moments", "McCullagh & Nelder (1989)", {"sd(g)": 0.95})
    comparison = bg.compare(POSTERIOR, gibbs, moments)
    assert comparison.columns[1:] == ("[1] Gibbs sampling", "[2] Moments")
    assert comparison.references[0] == "[1] Gibbs sampling (medians): Karim & Zeger (1992)"
    table = comparison.table()
    assert table.loc["sd(g)", "[2] Moments"] == "0.950"
    assert table.loc["Intercept", "[1] Gibbs sampling"] == ""
    assert set(TIDY_COLUMNS) <= set(comparison.frame.columns)


def test_where_standard_deviations_part_is_said_with_the_reason() -> None:
    fit = Result("laplace", {"x": (0.5, 0.1), "sd(g)": (1.0, 0.25)}, caveat="Laplace understates.")
    notes = bg.compare(POSTERIOR, fit).notes
    assert notes[0].startswith("sd(g) parts most: posterior mean 1.300, laplace 1.000 (1.0 posterior sd).")
    assert "beyond its mode" in notes[0]
    assert notes[0].endswith("Laplace understates.")
    assert notes[1] == "Coefficients: laplace and the posterior agree within 0.00 posterior sd (most apart: x)."


@pytest.mark.parametrize(
    ("estimate", "words"),
    [
        (0.0, "The likelihood is highest at 0"),
        (1.6, "The prior holds the standard deviation down"),
        (1.29, "agree within 0.03"),
    ],
)
def test_each_way_of_parting_has_its_words(estimate: float, words: str) -> None:
    notes = bg.compare(POSTERIOR, Result("laplace", {"sd(g)": (estimate, 0.2)})).notes
    assert words in notes[0]


def test_a_marginal_estimand_is_named() -> None:
    comparison = bg.compare(POSTERIOR, Result("gee", {"x": (0.4, 0.1)}, estimand="marginal"))
    assert comparison.columns[1] == "gee (se), marginal"
    assert "population averages" in comparison.notes[0]


def test_two_results_of_one_method_keep_their_columns_apart() -> None:
    assert bg.compare(POSTERIOR, POSTERIOR).columns == ("nuts (se)", "nuts (se) #2")


def test_nothing_and_nothing_in_common_are_refused() -> None:
    with pytest.raises(bg.SpecificationError, match="at least one result"):
        bg.compare()
    with pytest.raises(bg.SpecificationError, match="no parameter in common"):
        bg.compare(POSTERIOR, Result("laplace", {"z": (0.0, 1.0)}))


def test_missing_figures_leave_gaps_not_nan() -> None:
    fit = Result("laplace", {"x": (0.5, np.nan), "sd(g)": (np.nan, np.nan)})
    comparison = bg.compare(POSTERIOR, fit)
    assert comparison.table().loc["x", "laplace (se)"] == "0.500"
    assert comparison.table().loc["sd(g)", "laplace (se)"] == ""
    assert "nan" not in repr(comparison)
    assert "nan" not in comparison._repr_html_()


@pytest.mark.parametrize("given", [None, "a", 3.0, {"x": 1.0}, object(), Result, pd.DataFrame({"name": ["x"]})])
def test_what_is_no_result_is_named_with_what_to_pass(given: object) -> None:
    with pytest.raises(bg.SpecificationError, match=r"argument 2 of compare\(\) is .* no result; pass what model"):
        bg.compare(POSTERIOR, given)


def test_a_list_of_results_and_a_model_are_no_results(sleepstudy_model) -> None:
    with pytest.raises(bg.SpecificationError, match=r"is a list; .* compare\(\*results\)"):
        bg.compare([POSTERIOR])
    with pytest.raises(bg.SpecificationError, match="is a GLMM, which is no result"):
        bg.compare(sleepstudy_model)


def test_results_of_another_response_or_family_are_refused_with_both_named() -> None:
    fit = Result("laplace", {"x": (0.5, 0.1)}, formula="z ~ x + (1 | g)")
    with pytest.raises(bg.SpecificationError, match=r"'nuts \(se\)' of y \(gaussian\), 'laplace \(se\)' of z"):
        bg.compare(POSTERIOR, fit)
    with pytest.raises(bg.SpecificationError, match=r"of y \(gaussian\), .* of y \(poisson\)"):
        bg.compare(POSTERIOR, Result("laplace", {"x": (0.5, 0.1)}, family="poisson"))


def test_fits_of_different_models_are_shown_and_said_first_without_reasons() -> None:
    fit = Result("laplace", {"x": (0.9, 0.1)}, formula="y ~ x", fingerprint="b")
    comparison = bg.compare(POSTERIOR, fit)
    models = "nuts (se): y ~ x + (1 | g); laplace (se): y ~ x"
    # The two use different columns, so that their fingerprints say nothing.
    assert comparison.notes == (f"These are fits of different models: {models}.",)
    assert comparison.table().loc["x", "laplace (se)"].startswith("0.900")


def test_fits_of_different_data_are_shown_and_said_first() -> None:
    alike = Result("laplace", {"x": (0.5, 0.1)})
    other = Result("laplace", {"x": (0.9, 0.1)}, fingerprint="b")
    notes = bg.compare(POSTERIOR, alike, other).notes
    sets = "data set 1: nuts (se), laplace (se); data set 2: laplace (se) #2"
    assert notes[0] == f"These are fits of different data: {sets}."
    assert len(notes) == 2
    assert notes[1].startswith("Coefficients: laplace and the posterior agree")


def test_published_columns_need_nothing_in_common() -> None:
    comparison = bg.compare(POSTERIOR, Published("A", "a", {"x": 0.5}), Published("B", "b", {"sd(g)": 1.0}))
    assert comparison.notes == ()
    assert list(comparison.table().index) == ["Intercept", "x", "sd(g)"]


@pytest.mark.parametrize(("estimate", "agree"), [(0.549, True), (0.551, False), (0.2, False), (5.0, False)])
def test_coefficients_agree_up_to_half_a_posterior_sd_only(estimate: float, agree: bool) -> None:
    (note,) = bg.compare(POSTERIOR, Result("laplace", {"x": (estimate, 0.1)})).notes
    assert ("agree within" in note) is agree
    if not agree:
        gap = abs(estimate - 0.5) / 0.1
        words = f"x parts most: posterior mean 0.500, laplace {estimate:.3f} ({gap:.1f} posterior sd)."
        assert note == f"Coefficients: {words}"


def test_a_posterior_without_spread_parts_from_nothing() -> None:
    single = Result("nuts", {"x": (0.5, np.nan), "sd(g)": (1.0, 0.0)})
    assert bg.compare(single, Result("laplace", {"x": (0.9, 0.1), "sd(g)": (2.0, 0.1)})).notes == ()


def test_tiny_and_huge_figures_are_not_printed_as_zero() -> None:
    fit = Result("laplace", {"x": (4.25e-7, 1e-8), "Intercept": (3.2e9, 1.5)})
    table = bg.compare(fit).table()
    assert table.loc["x", "laplace (se)"] == "4.25e-07 (1e-08) [4.05e-07, 4.45e-07]"
    assert table.loc["Intercept", "laplace (se)"].startswith("3.2e+09 (1.500)")


def test_posterior_and_fit_say_of_what_they_are() -> None:
    model = quiet_model("count ~ x0 + (1 | a)", family="poisson")
    posterior, fit = made_posterior(model), model.fit("laplace")
    for name in ("formula", "family", "fingerprint"):
        assert getattr(posterior, name) == getattr(fit, name) != ""
    assert (fit.formula, fit.family) == ("count ~ x0 + (1 | a)", "poisson")
    assert not [note for note in bg.compare(posterior, fit).notes if note.startswith("These are fits of")]


def test_a_fit_in_other_units_prints_its_figures() -> None:
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"y": 1e-6 * rng.normal(size=60), "x": 1e9 * rng.normal(size=60), "g": np.arange(60) % 10})
    fit = quiet_model("y ~ x + (1 | g)", data).fit("laplace")
    shown = f"{fit.coefficients.loc['x', 'std_error']:.4g}"
    assert "e-" in shown
    assert shown in repr(fit)
    assert shown in fit._repr_html_()


def test_a_column_called_sigma_has_a_row_of_its_own() -> None:
    data = bg.load_dataset("sleepstudy").rename(columns={"days": "sigma"})
    fit = bg.GLMM("reaction ~ sigma + (sigma | subject)", data).fit("ml")
    published = Published("Book", "A. Book (2000)", {"sigma": 25.6})
    table = bg.compare(fit, published).table()
    assert table.index.is_unique
    assert table.iloc[:, 0]["sigma (coefficient)"].startswith("10.467 ")
    assert table.iloc[:, 0]["sigma"].startswith("25.592 ")
    assert list(table.iloc[:, 1][["sigma (coefficient)", "sigma"]]) == ["", "25.600"]


def test_a_published_figure_stands_beside_the_computed_one_of_its_name() -> None:
    fit = Result("laplace", {"Intercept": (1.0, 0.2), "sigma": (0.5, 0.1)})  # a coefficient here, and nothing else
    table = bg.compare(fit, Published("Book", "A. Book (2000)", {"sigma": 0.4})).table()
    assert list(table.index) == ["Intercept", "sigma"]
    assert table.iloc[1, 1] == "0.400"


def test_a_level_that_is_none_is_refused() -> None:
    with pytest.raises(bg.SpecificationError, match="level='a' is not a number between 0 and 1"):
        bg.compare(POSTERIOR, level="a")  # type: ignore[arg-type]
