"""Results side by side: the table, numbered references, and the sentences on where they part."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.published import Published
from bayesglmm.schema import TIDY_COLUMNS, tidy_frame


class Result:
    """A result with figures given by hand."""

    def __init__(
        self, method: str, rows: dict[str, tuple[float, float]], estimand: str = "conditional", caveat: str = ""
    ):
        self.method, self.rows, self.estimand, self.caveat = method, rows, estimand, caveat
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
