"""The verdict on runs made by hand: what is found, how serious it is, who is named, what is to be done."""

from __future__ import annotations

import numpy as np
import pytest
from support.posteriors import made_posterior, quiet_model, scattered_values

import bayesglmm as bg
from bayesglmm.bayes.settings import SampleSettings
from bayesglmm.bayes.verdict import Verdict, VerdictStatus

CHAINS, DRAWS = 4, 400


@pytest.fixture(scope="module")
def model() -> bg.GLMM:
    return quiet_model("normal ~ x0 + x1 + x2 + x3 + (1 + x4 | a)")


def sluggish(ess: float, rng: np.random.Generator, draws: int = DRAWS) -> np.ndarray:
    """Return chains with about this effective sample size in all."""
    phi = (1 - ess / (CHAINS * draws)) / (1 + ess / (CHAINS * draws))
    x = rng.normal(size=(CHAINS, draws))
    for t in range(1, draws):
        x[:, t] = phi * x[:, t - 1] + np.sqrt(1 - phi**2) * x[:, t]
    return x


def only(verdict: Verdict, check: str):
    """Return the one finding of this kind, the most serious there is."""
    (finding,) = [f for f in verdict.findings if f.check == check]
    assert finding.message in str(verdict)
    return finding


def test_a_good_run_has_converged(model):
    verdict = made_posterior(model).check()
    assert verdict.status is VerdictStatus.CONVERGED
    assert verdict.converged
    assert verdict.findings == ()
    assert str(verdict).startswith("converged: 4 chains x 400 draws, largest R-hat 1.0")
    assert str(verdict).endswith("(tail), 0 divergences")
    assert "every check passed" in verdict.status.meaning


@pytest.mark.parametrize(("shift", "status"), [(0.45, VerdictStatus.DOUBTFUL), (3.0, VerdictStatus.FAILED)])
def test_chains_that_disagree(model, shift, status):
    values = scattered_values(model, CHAINS, DRAWS)
    values["beta"][0, :, 2] += shift * values["beta"][..., 2].std()
    verdict = made_posterior(model, values).check()
    finding = only(verdict, "r_hat")
    assert finding.status is verdict.status is status
    assert finding.message.startswith("R-hat above 1.01 for x1 (1.")
    assert "sample longer (draws=800, twice the tune), and look at a trace plot of these." in finding.message
    assert not verdict.converged


def test_the_worst_three_are_named_and_the_others_counted(model):
    values = scattered_values(model, CHAINS, DRAWS)
    for k, shift in enumerate([2.0, 5.0, 3.0, 4.0, 1.0]):
        values["beta"][0, :, k] += shift * values["beta"][..., k].std()
    message = only(made_posterior(model, values).check(), "r_hat").message
    named = message.removeprefix("R-hat above 1.01 for ").split(". Chains disagree")[0]
    first, second, third = (part.split(" (")[0] for part in named.split(", "))
    assert (first, second, third) == ("x0", "x2", "x1")
    assert named.endswith("and 2 more")


def test_too_few_effective_draws(model):
    values = scattered_values(model, CHAINS, DRAWS)
    values["sigma"] = np.exp(0.1 * sluggish(200, np.random.default_rng(0)))
    verdict = made_posterior(model, values).check()
    finding = only(verdict, "ess_bulk")
    assert finding.status is VerdictStatus.DOUBTFUL
    assert finding.message.startswith("bulk ESS below 400 for sigma (")
    factor = int(finding.message.split("Sample about ")[1].split()[0])
    assert 2 <= factor <= 4
    assert f"(draws={factor * DRAWS})" in finding.message
    assert "tighter prior" in finding.message


def test_hardly_any_effective_draws(model):
    values = scattered_values(model, CHAINS, DRAWS)
    values["beta"][..., 1] = sluggish(5, np.random.default_rng(1))
    verdict = made_posterior(model, values).check()
    finding = only(verdict, "ess_bulk")
    assert finding.status is verdict.status is VerdictStatus.FAILED
    assert "x0 (" in finding.message
    assert "The chains hardly move: rescale columns" in finding.message


def test_group_effects_count_too(model):
    values = scattered_values(model, CHAINS, DRAWS)
    values["u_a"][0, :, 2, 1] += 5 * values["u_a"][..., 2, 1].std()
    assert "a[2, x4] (" in only(made_posterior(model, values).check(), "r_hat").message


@pytest.mark.parametrize(("count", "status"), [(3, VerdictStatus.DOUBTFUL), (40, VerdictStatus.FAILED)])
def test_divergences(model, count, status):
    diverging = np.zeros((CHAINS, DRAWS), dtype=bool)
    diverging.flat[:count] = True
    verdict = made_posterior(model, statistics={"diverging": diverging}).check()
    finding = only(verdict, "divergences")
    assert finding.status is verdict.status is status
    assert finding.message.startswith(f"{count} of 1600 draws ended in a divergence")
    assert "Raise target_accept to 0.95" in finding.message
    assert f"{count} divergences" in verdict.headline


def test_one_divergence_is_no_plural(model):
    diverging = np.zeros((CHAINS, DRAWS), dtype=bool)
    diverging[1, 7] = True
    verdict = made_posterior(model, statistics={"diverging": diverging}).check()
    assert verdict.headline.endswith(", 1 divergence")


def test_tree_depth(model):
    deep = np.zeros((CHAINS, DRAWS), dtype=bool)
    deep[0, :16] = True
    assert made_posterior(model, statistics={"reached_max_treedepth": deep}).check().converged
    deep[0, :17] = True
    verdict = made_posterior(model, statistics={"reached_max_treedepth": deep}).check()
    finding = only(verdict, "tree_depth")
    assert verdict.status is VerdictStatus.DOUBTFUL
    assert finding.message.startswith(
        "17 of 1600 draws used the longest trajectory allowed: sampling is slow, not wrong"
    )
    assert "raise max_depth" in finding.message


def test_energy(model):
    energy = np.random.default_rng(0).normal(size=(CHAINS, DRAWS))
    energy[2] = sluggish(40, np.random.default_rng(2))[2]
    verdict = made_posterior(model, statistics={"energy": energy}).check()
    finding = only(verdict, "energy")
    assert verdict.status is VerdictStatus.DOUBTFUL
    assert "energy: BFMI 0." in finding.message
    assert "in chain 2 (below 0.3)" in finding.message


@pytest.mark.parametrize("energy", [np.zeros((CHAINS, DRAWS)), np.full((CHAINS, DRAWS), np.nan)])
def test_energy_that_says_nothing(model, energy):
    assert made_posterior(model, statistics={"energy": energy}).check().converged


def test_one_chain_is_not_enough(model):
    verdict = made_posterior(model, chains=1).check()
    assert verdict.status is VerdictStatus.DOUBTFUL
    assert only(verdict, "chains").message == "one chain cannot show that it forgot its start: sample with chains=4."
    assert verdict.headline.startswith("1 chain x 400 draws, smallest ESS ")


def test_a_parameter_that_does_not_move(model):
    values = scattered_values(model, CHAINS, DRAWS)
    values["sigma"][:] = 2.0
    values["beta"][..., 0] = np.nan
    verdict = made_posterior(model, values).check()
    finding = only(verdict, "variation")
    assert finding.status is verdict.status is VerdictStatus.FAILED
    assert finding.message.startswith("draws that do not move or are not finite: Intercept, sigma. Check the priors")


def test_no_finite_draw_at_all():
    model = quiet_model("normal ~ 1")
    values = {name: np.full_like(v, np.nan) for name, v in scattered_values(model, 2, 50).items()}
    verdict = made_posterior(model, values, chains=2, draws=50).check()
    assert verdict.status is VerdictStatus.FAILED
    assert verdict.headline == "2 chains x 50 draws, 0 divergences"


@pytest.mark.parametrize(("draws", "said"), [(1, "1 draw a chain is"), (3, "3 draws a chain are")])
def test_too_few_draws_to_judge(model, draws, said):
    verdict = made_posterior(model, draws=draws).check()
    assert verdict.status is VerdictStatus.FAILED
    assert only(verdict, "draws").message == f"{said} too few to judge: sample with draws=1000."
    assert {f.check for f in verdict.findings} == {"draws"}


def test_an_interrupted_run_says_what_was_kept(model):
    posterior = made_posterior(model, chains=2, draws=400, interrupted=True, asked=SampleSettings(draws=1000, chains=4))
    verdict = posterior.check()
    assert verdict.status is VerdictStatus.DOUBTFUL
    message = "the run was interrupted: kept 2 of 4 chains, 400 of 1000 draws of each."
    assert only(verdict, "note").message == message


def test_notes_of_the_sampler_are_passed_on(model):
    verdict = made_posterior(model, notes=("the metric was not tuned.",)).check()
    assert verdict.status is VerdictStatus.DOUBTFUL
    assert only(verdict, "note").message == "the metric was not tuned."


def test_the_most_serious_finding_comes_first_and_gives_the_status(model):
    diverging = np.zeros((CHAINS, DRAWS), dtype=bool)
    diverging[0, :100] = True
    verdict = made_posterior(model, statistics={"diverging": diverging}, notes=("a note.",)).check()
    assert [f.status for f in verdict.findings] == [VerdictStatus.FAILED, VerdictStatus.DOUBTFUL]
    assert verdict.status is VerdictStatus.FAILED
    lines = str(verdict).splitlines()
    assert lines[0].startswith("failed: ")
    assert lines[2] == "  - a note."
