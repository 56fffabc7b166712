"""The model in LaTeX: braces that close, characters that are escaped, every part of the model in its place."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from support.models import RESPONSES
from support.posteriors import quiet_model

from bayesglmm.families import FAMILIES

ODD = ["50% & more", "$x_1$", "#1", "a{b}c}", r"back\slash", "til~de", "ca^ret", "größe 雪", "two\n\nlines", "tab\tbed"]


def assert_balanced(latex: str) -> None:
    """Braces close in order once escaped ones and commands for single characters are out of the way."""
    depth = 0
    for brace in re.findall(r"[{}]", re.sub(r"\\[{}\\]", "", latex)):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    assert latex.count(r"\begin{aligned}") == latex.count(r"\end{aligned}") == 1


def lines_of(latex: str) -> list[str]:
    assert_balanced(latex)
    return latex.removeprefix("\\begin{aligned}\n").removesuffix("\n\\end{aligned}").split(" \\\\\n")


def test_correlated_slopes(sleepstudy_model):
    assert lines_of(sleepstudy_model.equation()) == [
        r"\text{reaction}_i &\sim \mathcal{N}(\mu_i, \sigma^2)",
        r"\mu_i &= \beta_0 + \beta_{1}\,\text{days}_i"
        r" + u_{\text{subject}[i], 0} + u_{\text{subject}[i], 1}\,\text{days}_i",
        r"u_j &\sim \mathcal{N}_{2}(0, \Sigma_{\text{subject}}), \quad j = 1, \dots, 18",
    ]


def test_crossed_animals(salamander_model):
    first, second, female, male = lines_of(salamander_model.equation())
    assert first == r"\text{mated}_i &\sim \mathrm{Bernoulli}(\mu_i)"
    assert second.startswith(r"\operatorname{logit}(\mu_i) &= \beta_{1}\,\text{cross[RR]}_i + \beta_{2}\,")
    assert second.endswith(r"+ u_{\text{female}[i]} + v_{\text{male}[i]}")
    assert female == r"u_j &\sim \mathcal{N}(0, \sigma_{\text{female}}^2), \quad j = 1, \dots, 60"
    assert male.startswith(r"v_j &\sim")


def test_independent_slopes_offset_and_a_fourth_term():
    formula = "count ~ x0 + offset(log(exposure)) + (1 + x1 || a) + (1 | b) + (0 + x2 | c) + (1 | d:e)"
    lines = lines_of(quiet_model(formula, family="poisson").equation())
    assert lines[1].endswith(r"w_{\text{c}[i]}\,\text{x2}_i + u^{(4)}_{\text{d:e}[i]} + \log(\text{exposure}_i)")
    assert r"\operatorname{diag}(\sigma_{\text{a}, \text{Intercept}}^2, \sigma_{\text{a}, \text{x1}}^2)" in lines[2]
    assert r"\mathcal{N}(0, \sigma_{\text{c}, \text{x2}}^2)" in lines[4]
    assert lines[5].startswith(r"u^{(4)}_j &\sim \mathcal{N}(0, \sigma_{\text{d:e}}^2)")


def test_a_model_with_nothing_but_zero():
    assert lines_of(quiet_model("normal ~ 0 + (1 | a)").equation())[1] == r"\mu_i &= u_{\text{a}[i]}"


@pytest.mark.parametrize(("family", "link"), [(f, link) for f, r in FAMILIES.items() for link in r.links])
def test_every_family_and_link(family, link):
    lines = lines_of(quiet_model(f"{RESPONSES[family]} ~ x0 + (1 | a)", family=family, link=link).equation())
    assert len(lines) == 3
    assert all(line.count("&") == 1 for line in lines)


@pytest.mark.parametrize("name", ODD)
def test_any_column_name(name):
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"y": rng.normal(size=30), name: rng.normal(size=30), "g": np.arange(30) % 6})
    try:
        model = quiet_model(f"y ~ `{name}` + (1 + `{name}` | g)", data)
    except ValueError:
        pytest.skip("the formula's grammar has no such name")
    lines = lines_of(model.equation())
    assert all(len(re.findall(r"(?<!\\)&", line)) == 1 for line in lines)
    text = model.equation().replace(r"\begin{aligned}", "").replace(r"\end{aligned}", "")
    for character in "%$#":
        assert not re.search(rf"(?<!\\){re.escape(character)}", text)
    assert "`" not in text
    assert "\n\n" not in text


def made_frame() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    columns = {name: rng.normal(size=60) for name in ("y", "x", "z", "v")}
    positive = {name: rng.uniform(0.5, 1.0, 60) for name in ("s_e", "w")}
    return pd.DataFrame({**columns, **positive, "g": np.arange(60) % 10})


def equation_of(formula: str, **options: object) -> list[str]:
    return lines_of(quiet_model(formula, made_frame(), **options).equation())


def test_known_standard_errors_stand_in_the_distribution():
    first = equation_of("y | se(s_e) ~ x + (1 | g)")[0]
    assert first == r"\text{y}_i &\sim \mathcal{N}(\mu_i, \text{s\_e}_i^2)"


def test_two_terms_of_one_factor_have_standard_deviations_of_their_own():
    intercepts, slopes = equation_of("y ~ x + (1 | g) + (0 + x | g)")[2:]
    assert intercepts.startswith(r"u_j &\sim \mathcal{N}(0, \sigma_{\text{g}}^2)")
    assert slopes.startswith(r"v_j &\sim \mathcal{N}(0, \sigma_{\text{g}, \text{x}}^2)")


def test_two_correlated_terms_of_one_factor_have_matrices_of_their_own():
    first, second = equation_of("y ~ x + (1 + x | g) + (0 + z + v | g)")[2:]
    assert r"\Sigma_{\text{g}})" in first
    assert r"\Sigma_{\text{g}, \text{z}, \text{v}})" in second


@pytest.mark.parametrize(("formula", "options"), [("y | weights(w) ~ x", {}), ("y ~ x", {"weights": "w"})])
def test_weights_are_said(formula, options):
    lines = equation_of(f"{formula} + (1 | g)", **options)
    assert lines[-1] == r"&\text{rows weighted by } \text{w}_i"
    assert len(lines) == 4
    assert len(equation_of("y ~ x + (1 | g)")) == 3


@pytest.mark.parametrize(
    ("offsets", "words"),
    [
        ("offset(z)", r"\text{z}_i"),
        ("offset(log(w))", r"\log(\text{w}_i)"),
        ("offset(log(w)) + offset(v)", r"\log(\text{w}_i) + \text{v}_i"),
        ("offset(log(w + 1))", r"\text{(offset: log(w + 1))}_i"),
        ("offset(sqrt(s_e))", r"\text{(offset: sqrt(s\_e))}_i"),
    ],
)
def test_every_offset_is_named(offsets, words):
    assert equation_of(f"y ~ x + {offsets} + (1 | g)")[1].endswith(f"u_{{\\text{{g}}[i]}} + {words}")
