# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Do salamanders prefer their own population?
#
# Mountain dusky salamanders (*Desmognathus ochrophaeus*) of two populations, Rough Butt Bald (R) and
# Whiteside Mountain (W), live apart. In 1986 females and males of both were brought together in pairs,
# and it was noted whether a pair mated (McCullagh & Nelder 1989; Arnold, Verrell & Tilley 1996). If the
# two populations are on their way to becoming two species, pairs from different populations should mate
# less often than pairs from the same one.
#
# Every animal was paired several times. Some mate with nearly anybody, some with nearly nobody, so
# trials that share a female or a male are alike. And females and males are **crossed**: no female
# belongs to one male and no male to one female, so that the likelihood does not fall apart into small
# independent pieces. That is why these data became a touchstone of generalized linear mixed models.
#
# What you will see, in this order: the data, a model, what its priors believe, its posterior, what the
# posterior says about the question, and how far the usual approximations fall short of it.

# %%
import os
from pathlib import Path

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit, logit
from scipy.stats import halfnorm, norm

import bayesglmm as bg
from bayesglmm.published import Published
from bayesglmm.specfile import read_specification

# %% [markdown]
# Every number in the text below is checked by `says`, in the cell after the text. A number that comes
# from random draws may differ from the printed one by half a unit of its last digit and by four of its
# Monte Carlo standard errors: so far, but no further, another seed or another machine can move it.

# %%
HERE = Path(__file__).resolve().parent if "__file__" in globals() else Path.cwd()  # a notebook has no __file__
MODEL = next(p for p in (d / "models" / "salamander.toml" for d in (HERE, *HERE.parents)) if p.is_file())
SAVE_FIGURES = bool(os.environ.get("SAVE_FIGURES"))  # a plain run leaves no files behind
CHECKED = []


def says(text, found, error=0.0):
    """Stop unless ``found``, known up to a Monte Carlo standard error ``error``, is the number printed as ``text``."""
    unit = 0.01 if text.endswith("%") else 1.0
    number = text.rstrip("%")
    half_a_digit = 0.5 * 10.0 ** -len(number.partition(".")[2])
    gap = abs(float(found) / unit - float(number))
    assert gap <= half_a_digit + 4 * error / unit + 1e-9, f"the text says {text}, found {float(found) / unit:.5g}"
    CHECKED.append(text)


def below(values, text):
    """Stop unless all of ``values`` are below the number printed as ``text``."""
    assert np.max(values) < float(text), f"the text says below {text}, found {np.max(values):.5g}"
    CHECKED.append(text)


def above(values, text):
    """Stop unless all of ``values`` are above the number printed as ``text``."""
    assert np.min(values) > float(text), f"the text says above {text}, found {np.min(values):.5g}"
    CHECKED.append(text)


def mean(draws):
    """Return the mean of draws, shape (chain, draw), and its Monte Carlo standard error."""
    values = np.asarray(draws, dtype=float)
    return values.mean(), az.mcse(values)


def quantile(draws, probability):
    """Return a quantile of draws, shape (chain, draw), and its Monte Carlo standard error."""
    values = np.asarray(draws, dtype=float)
    return np.quantile(values, probability), az.mcse(values, method="quantile", prob=probability)


def keep(figure, name):
    """Write a figure to case_studies/figures if SAVE_FIGURES=1 is set."""
    if SAVE_FIGURES:
        folder = MODEL.parent.parent / "case_studies" / "figures"
        folder.mkdir(exist_ok=True)
        figure.savefig(folder / f"{name}.png", dpi=120)


# %% [markdown]
# ## The design: six closed blocks

# %%
data = bg.load_dataset("salamander")
print(data.attrs["source"])
data.head()

# %%
CROSSES = ["RR", "RW", "WR", "WW"]  # population of the female, then of the male
COLOUR = {"R": "#b3541e", "W": "#1f5f8b"}

blocks = list(data.groupby(["experiment", "block"], observed=True))
figure, axes = plt.subplots(2, 3, figsize=(9, 6.4), layout="constrained")
for axis, ((experiment, block), rows) in zip(axes.T.flat, blocks, strict=True):
    females, males = (sorted(rows[sex].unique()) for sex in ("female", "male"))
    for row in rows.itertuples():
        corner = (males.index(row.male) - 0.45, females.index(row.female) - 0.45)
        fill = COLOUR[row.cross[0]] if row.mated else "white"
        axis.add_patch(plt.Rectangle(corner, 0.9, 0.9, facecolor=fill, edgecolor=COLOUR[row.cross[0]], linewidth=1))
    axis.axhline(4.5, color="0.3", linewidth=0.8)
    axis.axvline(4.5, color="0.3", linewidth=0.8)
    axis.set(xlim=(-0.6, 9.6), ylim=(9.6, -0.6), aspect="equal", title=f"experiment {experiment}, block {block}")
    axis.set_xticks([2, 7], ["R males", "W males"])
    axis.set_yticks([2, 7], ["R females", "W females"], rotation=90, va="center")
    axis.tick_params(length=0)
figure.suptitle("Who met whom: filled cells mated, hollow cells did not, empty cells never met")
keep(figure, "design")

# %% [markdown]
# There were 3 experiments of 2 blocks each, and a block has 10 females and 10 males, half of each
# population. Within its block a female met 3 males of her own population and 3 of the other; outside its
# block nobody met anybody. So there are 60 females, 60 males and 360 trials, 90 for each of the four
# crosses. We name a cross by the female first: WR is a Whiteside female with a Rough Butt male. Look at
# the lower left quarter of each block, which is WR: in 5 of the 6 blocks it is the emptiest.
#
# One warning about this count. Experiment 2 used the animals of experiment 1 again, a season later. The
# classical analysis, which we follow, treats them as new animals; `models/salamander_linked.toml` does
# not.

# %%
says("3", data["experiment"].nunique())
says("2", data.groupby("experiment", observed=True)["block"].nunique().unique().item())
for sex, place in (("female", 0), ("male", 1)):
    members = data.drop_duplicates(sex)
    counts = members.groupby(["block", members["cross"].str[place]], observed=True).size()
    assert counts.eq(5).all()
    says("10", 2 * counts.iloc[0])
    says("60", data[sex].nunique())
    met = data.groupby([sex, "cross"], observed=True).size()
    says("3", met.iloc[0])
    assert met.eq(3).all()
    assert len(met) == 2 * data[sex].nunique()
says("360", len(data))
assert data["cross"].value_counts().eq(90).all()
says("90", data["cross"].value_counts().iloc[0])
counts = data.groupby(["block", "cross"], observed=True)["mated"].sum().unstack()
says("5", counts.idxmin(axis="columns").eq("WR").sum())
says("6", len(counts))
linked = data.groupby("experiment", observed=True)["female_linked"].agg(set)
assert linked.equals(data.groupby("experiment", observed=True)["male_linked"].agg(set))
says("1", next(e for e in linked.index if linked[e] == linked[2]))

# %% [markdown]
# ## Raw proportions

# %%
trials = data.groupby("cross", observed=True)["mated"].agg(["sum", "size", "mean"]).loc[CROSSES]
by_experiment = data.groupby(["experiment", "cross"], observed=True)["mated"].mean().unstack()[CROSSES]
print(trials)

figure, axis = plt.subplots(figsize=(7, 3.6), layout="constrained")
for k, cross in enumerate(CROSSES):
    own = cross[0] == cross[1]
    axis.bar(k, trials["mean"][cross], width=0.6, color=COLOUR[cross[0]], alpha=0.85 if own else 0.4)
    axis.scatter(k + np.array([-0.15, 0, 0.15]), by_experiment[cross], color="black", s=18, zorder=3)
labels = ["RR\nown", "RW\nforeign", "WR\nforeign", "WW\nown"]
axis.set_xticks(range(4), labels)
axis.set(ylim=(0, 1), ylabel="proportion mated", title="All trials (bars) and the three experiments (dots)")
axis.spines[["top", "right"]].set_visible(False)
keep(figure, "proportions")

# How much more do animals differ than they would if all trials of a cross were alike and independent?
expected = data["cross"].astype(object).map(trials["mean"]).astype(float)
spread = {}
for sex in ("female", "male"):
    gap = (data["mated"] - expected).groupby(data[sex], observed=True).sum()
    variance = (expected * (1 - expected)).groupby(data[sex], observed=True).sum()
    spread[sex] = (gap**2 / variance).mean()
raw = logit(trials["mean"])

# %% [markdown]
# Both kinds of pairs within a population mated in 67% of the trials, Rough Butt females with Whiteside
# males in 56%, and Whiteside females with Rough Butt males in only 21%. So the answer looks lopsided:
# Whiteside females are choosy about populations, Rough Butt females hardly. As differences of log-odds
# the own population is ahead by 0.47 with Rough Butt females and by 2.01 with Whiteside females.
#
# How sure are we? If the trials were independent, a proportion of 67% from 90 trials would have a
# standard error of 0.050. They are not. The sum of squared deviations of the animals' totals, each over
# its variance under independence, should be about one per animal; it is 1.79 for females and 1.75 for
# males. Animals differ, and the model must say so.

# %%
says("67%", trials["mean"]["RR"])
says("67%", trials["mean"]["WW"])
says("56%", trials["mean"]["RW"])
says("21%", trials["mean"]["WR"])
says("0.47", raw["RR"] - raw["RW"])
says("2.01", raw["WW"] - raw["WR"])
says("0.050", np.sqrt(trials["mean"]["RR"] * (1 - trials["mean"]["RR"]) / trials["size"]["RR"]))
says("90", trials["size"]["RR"])
says("1.79", spread["female"])
says("1.75", spread["male"])
assert min(spread.values()) > 1 + 4 * np.sqrt(2 / 60)  # 1, up to chi-squared noise, is what independence gives

# %% [markdown]
# ## The model
#
# A trial $i$ of female $f$ with male $m$ succeeds with probability $\mu_i$. On the logit scale each
# cross has its level $\beta$, each female adds her $u_f$ and each male his $v_m$:
#
# $$\operatorname{logit}(\mu_i) = \beta_{\text{cross}[i]} + u_{f[i]} + v_{m[i]}, \qquad
#   u_f \sim \mathcal N(0, \sigma_{\text{female}}^2), \quad v_m \sim \mathcal N(0, \sigma_{\text{male}}^2).$$
#
# The animals of a sex are drawn from one population of effects, with a spread that the data are asked
# for. Written down, it is a file of a few lines, `models/salamander.toml`; read, it tells what was
# understood, priors included, and `equation()` gives it in LaTeX for your own text.

# %%
model = bg.read_model(MODEL)
print(model.equation())
print(model)
model

# %% [markdown]
# ## What the priors believe
#
# Every $\beta$ has a Normal prior with mean 0 and standard deviation 2.5, every $\sigma$ a half-normal
# one of scale 2.5. Is that weak? Look at it on the scale on which we think, as the probability that a
# typical pair mates. And let the model play the whole experiment before it has seen any data.

# %%
priors = model.spec.priors
says("0", priors["beta"].params["mu"])
for name in ("beta", "sd(female)", "sd(male)"):
    says("2.5", priors[name].params["sigma"])

prior = model.prior_predictive(draws=4000, seed=1986)
played = prior["prior_predictive"]["mated"].to_numpy()[0]
prior_count = played[:, (data["cross"] == "RR").to_numpy()].sum(axis=1)  # of 90; the four crosses have the same prior

EDGE, WIDE, FEW, MANY = 0.01, 10.0, 10, 80
beyond = {scale: 2 * norm.cdf(logit(EDGE), scale=scale) for scale in (2.5, WIDE)}
extreme = (prior_count < FEW) | (prior_count > MANY)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
mu = np.linspace(0.001, 0.999, 999)
for scale, style in zip(beyond, ("-", "--"), strict=True):
    density = norm.pdf(logit(mu), scale=scale) / (mu * (1 - mu))
    left.plot(mu, density, style, color="black", label=rf"$\beta \sim$ Normal(0, {scale:g})")
left.set(ylim=(0, 4), xlabel="probability of a typical pair", yticks=[], title="Prior of one probability")
left.legend(frameon=False)
right.hist(prior_count, bins=np.arange(0, 92, 3) - 0.5, density=True, color="0.8")
for cross, words in {"WR": "WR", "RW": "RW", "RR": "RR, WW"}.items():
    right.axvline(trials["sum"][cross], color="black")
    right.text(trials["sum"][cross] + 1, 0.0195, words)
right.set(ylim=(0, 0.021), xlabel="matings in the 90 trials of a cross", yticks=[])
right.set_title("Prior predictive (grey), and what was seen")
keep(figure, "prior")

# %% [markdown]
# With scale 2.5 a typical pair has a probability below 1% or above 99% in 6.6% of the prior draws; with
# scale 10, which looks more modest still, in 65% of them. A very wide prior on the logit scale is a
# strong opinion: that nearly every pair does the same thing. Ours leaves every number of matings open:
# fewer than 10 or more than 80 of the 90 trials of a cross succeed in 14% of the simulated experiments,
# and the four numbers that were seen lie where the prior is unsurprised.
#
# For the animals, the prior median of a standard deviation is 1.69, so an animal one standard deviation
# above the average multiplies the odds by 5.4. The data may well say that it is less.

# %%
says("2.5", priors["beta"].params["sigma"])
says("1%", EDGE)
says("99%", 1 - EDGE)
says("6.6%", beyond[2.5])
says("10", WIDE)
says("65%", beyond[WIDE])
says("10", FEW)
says("80", MANY)
says("90", played.shape[1] / len(CROSSES))
says("14%", *mean(extreme[None]))
assert trials["sum"].between(*np.quantile(prior_count, [0.1, 0.9])).all()
says("1.69", halfnorm.median(scale=2.5))
says("5.4", np.exp(halfnorm.median(scale=2.5)))

# %% [markdown]
# ## The posterior, and whether to believe it
#
# NUTS draws from the exact posterior of all parameters, the 120 animals included. Read the verdict
# before the figures: the package puts it above every summary.

# %%
says("120", sum(group.n_levels for group in model.design.groups))
posterior = model.sample(draws=1000, chains=4, seed=1986, progress=False)
verdict = posterior.check()
print(verdict)
print(posterior.summary().round(3).to_string())

# %%
draws = posterior.tree["posterior"]
beta = {cross: draws["beta"].sel(coefficient=f"cross[{cross}]").to_numpy() for cross in CROSSES}  # (chain, draw)
sd = {"female": draws["sd_female"].to_numpy(), "male": draws["sd_male"].to_numpy()}

figure, axes = plt.subplots(2, 3, figsize=(9, 4.6), layout="constrained")
panels = [(f"cross[{c}]", beta[c], norm(0, 2.5), COLOUR[c[0]]) for c in CROSSES]
panels += [(f"sd({sex})", sd[sex], halfnorm(scale=2.5), "0.35") for sex in ("female", "male")]
for axis, (name, values, prior_density, colour) in zip(axes.flat, panels, strict=True):
    grid = np.linspace(0, 4, 200) if name.startswith("sd") else np.linspace(-5, 5, 200)
    axis.hist(values.ravel(), bins=40, density=True, color=colour, alpha=0.7)
    axis.plot(grid, prior_density.pdf(grid), color="black", linewidth=1)
    axis.set(title=name, yticks=[], xlim=(grid[0], grid[-1]))
figure.suptitle("Posterior (histogram) and prior (line)")
keep(figure, "posterior")

# %% [markdown]
# It converged: four chains of 1000 draws agree (no R-hat reaches 1.01), nothing diverged, and every
# effective sample size is beyond the 400 that intervals need. The posterior is much narrower than the
# prior in every panel, so it is the data that speak. The standard deviations are skewed to the right:
# zero, all animals of a sex alike, is ruled out, while large values fade slowly.

# %%
assert verdict.converged
says("1000", draws.sizes["draw"])
assert draws.sizes["chain"] == 4
diagnosed = posterior.tidy(group=True)
below(diagnosed["r_hat"], "1.01")
above(diagnosed[["ess_bulk", "ess_tail"]], "400")
assert not posterior.tree["sample_stats"]["diverging"].any()
assert all(b.std() < 2.5 / 4 for b in beta.values())
assert all(((s - s.mean()) ** 3).mean() > 0 for s in sd.values())
assert all(np.quantile(s, 0.001) > 0.2 for s in sd.values())

# %% [markdown]
# ## The question: contrasts on the logit scale

# %%
contrast = {
    "RR - RW": beta["RR"] - beta["RW"],
    "WW - WR": beta["WW"] - beta["WR"],
    "interaction": beta["RR"] - beta["RW"] + beta["WW"] - beta["WR"],
    "difference": (beta["WW"] - beta["WR"]) - (beta["RR"] - beta["RW"]),
}
for name, values in contrast.items():
    low, high = np.quantile(values, [0.025, 0.975])
    print(f"{name:12s} {values.mean():5.2f}  [{low:5.2f}, {high:5.2f}]  P(> 0) = {(values > 0).mean():.3f}")

# %% [markdown]
# - **Rough Butt females** (RR - RW): their own males are ahead by 0.74 on the logit scale, 95% interval
#   -0.23 to 1.75. The probability that they prefer their own at all is 93%: likely, not certain, and
#   perhaps small.
# - **Whiteside females** (WW - WR): ahead by 3.0, interval 1.91 to 4.25. There is no doubt.
# - **The sum of the two**, the interaction of the population of the female with that of the male, is
#   3.76, from 2.51 to 5.10: zero would mean that the populations do not tell each other apart. They do.
# - The preference of Whiteside females is the stronger one with a probability of 99.6%. The isolation
#   has a direction.

# %%
says("0.74", *mean(contrast["RR - RW"]))
says("-0.23", *quantile(contrast["RR - RW"], 0.025))
says("1.75", *quantile(contrast["RR - RW"], 0.975))
says("93%", *mean(contrast["RR - RW"] > 0))
says("3.0", *mean(contrast["WW - WR"]))
says("1.91", *quantile(contrast["WW - WR"], 0.025))
says("4.25", *quantile(contrast["WW - WR"], 0.975))
assert (contrast["WW - WR"] > 0).all()
says("3.76", *mean(contrast["interaction"]))
says("2.51", *quantile(contrast["interaction"], 0.025))
says("5.10", *quantile(contrast["interaction"], 0.975))
says("99.6%", *mean(contrast["difference"] > 0))

# %% [markdown]
# ## Two probabilities for one cross
#
# What is "the" probability of a cross? The model has two answers, and they are answers to two questions.
#
# A **typical pair** has $u_f = v_m = 0$, hence probability $\operatorname{logit}^{-1}(\beta)$. Since the
# inverse logit is monotone, this is the median over pairs. The **average over animals** is what you
# would count in many new pairs,
#
# $$\bar\mu = \int \operatorname{logit}^{-1}(\beta + x)\,
#   \mathcal N(x;\, 0,\, \sigma_{\text{female}}^2 + \sigma_{\text{male}}^2)\, dx,$$
#
# for each draw of the posterior one integral, by Gauss-Hermite quadrature. The inverse logit is curved,
# so that a wide spread of animals pulls the average towards one half.

# %%
nodes, weights = np.polynomial.hermite_e.hermegauss(40)
total = np.sqrt(sd["female"] ** 2 + sd["male"] ** 2)
typical = {c: expit(beta[c]) for c in CROSSES}
average = {c: expit(beta[c][..., None] + total[..., None] * nodes) @ (weights / weights.sum()) for c in CROSSES}
MIDDLE = 0.8
reach = {c: [expit(beta[c] + z * total) for z in norm.interval(MIDDLE)] for c in CROSSES}

figure, axis = plt.subplots(figsize=(7.5, 4.0), layout="constrained")
for k, cross in enumerate(CROSSES[::-1]):
    colour = COLOUR[cross[0]]
    low, high = (np.median(end) for end in reach[cross])
    axis.barh(k, high - low, 0.6, low, color=colour, alpha=0.18)
    for chance, shift, face in ((typical[cross], 0.13, colour), (average[cross], -0.13, "white")):
        axis.plot(np.quantile(chance, [0.025, 0.975]), [k + shift] * 2, color=colour, linewidth=1.5)
        axis.plot(chance.mean(), k + shift, "o", color=colour, markerfacecolor=face, markersize=7)
    axis.plot(trials["mean"][cross], k - 0.13, "x", color="black", markersize=7)
axis.plot([], [], "o", color="0.3", label="typical pair (95%)")
axis.plot([], [], "o", color="0.3", markerfacecolor="white", label="average over animals (95%)")
axis.plot([], [], "x", color="black", label="raw proportion")
axis.plot([], [], color="0.3", alpha=0.25, linewidth=10, label="middle 80% of pairs")
axis.set_yticks(range(4), CROSSES[::-1])
axis.set(xlim=(0, 1), xlabel="probability of mating")
axis.spines[["top", "right"]].set_visible(False)
figure.legend(loc="outside lower center", ncols=2, frameon=False)
keep(figure, "probabilities")

averaged = {c: logit(average[c]) for c in CROSSES}

# %% [markdown]
# | cross | typical pair | average over animals | raw proportion |
# |---|---|---|---|
# | RR | 0.73 | 0.66 | 0.67 |
# | RW | 0.57 | 0.55 | 0.56 |
# | WR | 0.13 | 0.22 | 0.21 |
# | WW | 0.73 | 0.66 | 0.67 |
#
# The averages are where the raw proportions are, the typical pairs lie further from one half. Neither is
# wrong. "How often will a Whiteside female and a Rough Butt male mate?" is the average, 22%. "How do the
# odds of this female change if her partner comes from the other population and is otherwise the same?"
# is a contrast of the section before, which holds given the animals. Averaged first, the interaction
# shrinks from 3.76 to 2.46, and the raw one is 2.48: a raw log-odds ratio estimates the averaged one.
#
# The averages are also less certain than independent trials would have it: for RR the posterior standard
# deviation is 0.062, where the raw standard error was 0.050.
#
# Do not read 0.73 as the fate of every RR pair. The middle 80% of RR pairs have chances from 0.23 to
# 0.96. Who you are matters about as much as where you come from.

# %%
printed = {
    "RR": ("0.73", "0.66", "0.67"),
    "RW": ("0.57", "0.55", "0.56"),
    "WR": ("0.13", "0.22", "0.21"),
    "WW": ("0.73", "0.66", "0.67"),
}
for cross, (of_typical, of_average, of_trials) in printed.items():
    says(of_typical, *mean(typical[cross]))
    says(of_average, *mean(average[cross]))
    says(of_trials, trials["mean"][cross])
says("22%", *mean(average["WR"]))
says("3.76", *mean(contrast["interaction"]))
says("2.46", *mean(averaged["RR"] - averaged["RW"] + averaged["WW"] - averaged["WR"]))
says("2.48", raw["RR"] - raw["RW"] + raw["WW"] - raw["WR"])
says("0.062", average["RR"].std(), az.mcse(average["RR"], method="sd"))
says("0.050", np.sqrt(trials["mean"]["RR"] * (1 - trials["mean"]["RR"]) / 90))
says("80%", MIDDLE)
says("0.23", *quantile(reach["RR"][0], 0.5))
says("0.96", *quantile(reach["RR"][1], 0.5))

# %% [markdown]
# ## Female and male variation

# %%
population = {sex: data.drop_duplicates(sex).set_index(sex)["cross"].str[k] for k, sex in enumerate(("female", "male"))}
figure, axes = plt.subplots(1, 2, figsize=(9, 7), sharex=True, layout="constrained")
outside = {}
for axis, sex in zip(axes, ("female", "male"), strict=True):
    effects = draws[f"u_{sex}"].stack(sample=("chain", "draw"))
    low, high = effects.quantile([0.025, 0.975], dim="sample").to_numpy()
    centre = effects.mean("sample").to_numpy()
    outside[sex] = int(((low > 0) | (high < 0)).sum())
    colours = [COLOUR[population[sex][int(level)]] for level in effects[sex].to_numpy()]
    for height, k in enumerate(np.argsort(centre)):
        axis.plot([low[k], high[k]], [height, height], color=colours[k], linewidth=1.2, alpha=0.7)
        axis.plot(centre[k], height, "o", color=colours[k], markersize=3.5)
    axis.axvline(0, color="0.3", linewidth=0.8)
    axis.set(title=f"{sex}s, sd {sd[sex].mean():.2f}", yticks=[], xlabel="effect on the logit scale")
    axis.spines[["top", "right", "left"]].set_visible(False)
for name, letter in (("Rough Butt", "R"), ("Whiteside", "W")):
    axes[0].plot([], [], "o-", color=COLOUR[letter], label=name)
axes[0].legend(frameon=False, loc="upper left")
figure.suptitle("The animals: posterior mean and 95% interval, in order")
keep(figure, "animals")

odds = np.exp(sd["female"])

# %% [markdown]
# The standard deviation between females is 1.29, 95% interval 0.77 to 1.91, between males 1.23, 0.71 to
# 1.82. One standard deviation in a female multiplies the odds by 3.6 (posterior median). Which sex
# varies more, the data do not say: females do with a probability of 58%.
#
# So animals differ for certain. Yet of the 120 intervals in the figure fewer than 10 leave zero out: six
# zeros and ones say little about one animal. The model knows that animals differ without knowing how any
# one of them does, and it shrinks each towards the others. Picking out the eager and the reluctant ones
# from such a figure would be reading tea leaves.

# %%
says("1.29", *mean(sd["female"]))
says("0.77", *quantile(sd["female"], 0.025))
says("1.91", *quantile(sd["female"], 0.975))
says("1.23", *mean(sd["male"]))
says("0.71", *quantile(sd["male"], 0.025))
says("1.82", *quantile(sd["male"], 0.975))
says("3.6", *quantile(odds, 0.5))
says("58%", *mean(sd["female"] > sd["male"]))
says("120", sum(draws[f"u_{sex}"].sizes[sex] for sex in outside))
below(sum(outside.values()), "10")
assert data.groupby("female", observed=True).size().eq(6).all()

# %% [markdown]
# ## Laplace, the posterior, and what others have printed
#
# The likelihood of this model is an integral over 120 dimensions. Before sampling was affordable it had
# to be approximated: by penalised quasi-likelihood (PQL), or by Laplace's method, which puts a Gaussian
# in place of the integrand, and which is still what `glmer`, `glmmTMB` and `model.fit("laplace")` do.

# %%
says("120", len(posterior.tidy(group=True).query("term == 'group'")))
laplace = model.fit("laplace")
published = [Published(p.method, p.reference, p.estimates) for p in read_specification(MODEL).published]
print(bg.compare(posterior, laplace, *published))

# %%
names = [f"cross[{c}]" for c in CROSSES] + ["sd(female)", "sd(male)"]
tables = {name: result.tidy().set_index("name") for name, result in (("posterior", posterior), ("Laplace", laplace))}
gibbs, pql, mcem, exact = (p.estimates for p in published)
figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
parts = {"cross effects": names[:4], "standard deviations": names[4:]}
for axis, (title, shown) in zip(axes, parts.items(), strict=True):
    places = np.arange(len(shown))[::-1]
    for (method, table), shift, colour in zip(tables.items(), (0.22, 0.0), ("#333333", "#c44e52"), strict=True):
        rows = table.loc[shown]
        axis.hlines(places + shift, rows["lower"], rows["upper"], color=colour, linewidth=2)
        axis.plot(rows["estimate"], places + shift, "o", color=colour, label=f"{method} (95%)")
    for label, estimates, marker in (("Gibbs 1992", gibbs, "s"), ("PQL 1993", pql, "D"), ("exact ML", exact, "x")):
        axis.plot([estimates[n] for n in shown], places - 0.22, marker, color="0.4", fillstyle="none", label=label)
    axis.set_yticks(places, shown)
    axis.set(ylim=(-0.6, len(shown) - 0.4), title=title, xlabel="logit scale")
    axis.spines[["top", "right"]].set_visible(False)
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
keep(figure, "comparison")

# %% [markdown]
# In the cross effects Laplace and the posterior agree within 0.3 posterior standard deviations. In the
# standard deviations they do not: for females Laplace says 1.08 where the posterior mean is 1.29. Two
# things lie between the two.
#
# 1. **The approximation.** Exact maximum likelihood, from the same model by importance sampling, is
#    1.18: Laplace is 8% too low. With six trials an animal, all zeros and ones, the integrand is far
#    from Gaussian. PQL, which approximates more coarsely, is at 0.85, 28% too low, and drags the cross
#    effects along: WR is -1.50 instead of -1.94.
# 2. **Mean against maximum.** From 1.18 to 1.29 nothing is an error. A maximum is the top of the
#    likelihood; a posterior mean weighs everything that the data allow, and for a standard deviation
#    more is allowed above than below.
#
# The oldest sampler agrees: Karim & Zeger's Gibbs medians of 1992 are 1.22 and 1.17, ours are 1.28 and
# 1.21 under priors that are not the same. The Monte Carlo EM of Booth & Hobert has 1.18 and 1.12, as the
# exact likelihood should. Approximations to the likelihood err towards zero here; samplers of the
# posterior do not.

# %%
gaps = (tables["posterior"]["estimate"] - tables["Laplace"]["estimate"]).abs() / tables["posterior"]["std_error"]
below(gaps[names[:4]], "0.3")
assert gaps[names[4:]].min() > 0.5
says("1.08", tables["Laplace"]["estimate"]["sd(female)"])
says("1.29", *mean(sd["female"]))
says("1.18", exact["sd(female)"])
says("8%", 1 - tables["Laplace"]["estimate"]["sd(female)"] / exact["sd(female)"])
says("0.85", pql["sd(female)"])
says("28%", 1 - pql["sd(female)"] / exact["sd(female)"])
says("-1.50", pql["cross[WR]"])
says("-1.94", exact["cross[WR]"])
says("1.22", gibbs["sd(female)"])
says("1.17", gibbs["sd(male)"])
says("1.28", *quantile(sd["female"], 0.5))
says("1.21", *quantile(sd["male"], 0.5))
says("1.18", mcem["sd(female)"])
says("1.12", mcem["sd(male)"])

# %% [markdown]
# ## What to take away
#
# - **The question.** Yes, but one-sidedly. Whiteside females accept a Rough Butt male in about 22% of
#   meetings and a male of their own in 66%. Rough Butt females prefer their own with a probability of
#   93%, by an amount that may be small.
# - **Crossed animals belong in the model.** Without them the proportions are right, but their
#   uncertainty is too small, and the contrasts between crosses are those of an average, not those that
#   an animal would meet.
# - **Say which probability you mean.** A typical pair and the average over pairs differ: 0.13 against
#   0.22 for WR.
# - **Check priors on the scale of the data.** Wide on the logit scale is not vague on the scale of
#   probabilities.
# - **Laplace is quick, and good for fixed effects here.** Do not trust it for variances when an animal
#   contributes a few zeros and ones: it is 8% too low, PQL 28%, against exact maximum likelihood.
# - **Next**: are the animals of experiment 2 really new ones? They are not:
#   `models/salamander_linked.toml`.

# %%
says("2", next(e for e in linked.index if e > 1 and linked[e] == linked[1]))
says("22%", *mean(average["WR"]))
says("66%", *mean(average["WW"]))
says("93%", *mean(contrast["RR - RW"] > 0))
says("0.13", *mean(typical["WR"]))
says("0.22", *mean(average["WR"]))
says("8%", 1 - tables["Laplace"]["estimate"]["sd(female)"] / exact["sd(female)"])
says("28%", 1 - pql["sd(female)"] / exact["sd(female)"])
print(f"{len(CHECKED)} numbers of the text were checked")
