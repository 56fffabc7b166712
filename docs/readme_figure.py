"""Draw docs/salamander.png, the figure of the README: posterior, Laplace and published estimates of one model.

Run from anywhere: ``python docs/readme_figure.py``. It samples models/salamander.toml with the seed of that file, and
takes the published estimates from there too.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import gaussian_kde

import bayesglmm as bg
from bayesglmm.specfile import read_specification

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent / "models" / "salamander.toml"
POSTERIOR, LAPLACE = "#2f6690", "#c8553d"
#: Method in the file, label, marker, colour; importance sampling would lie on top of Monte Carlo EM.
PUBLISHED = (
    ("Gibbs sampling (medians)", "Gibbs 1992", "s", "#4a4a4a"),
    ("ML (Monte Carlo EM)", "Monte Carlo EM 1999", "^", "#4a4a4a"),
    ("PQL (REML)", "PQL 1993", "D", "#d69c2f"),
)


def draw_parameter(axis: Axes, place: float, draws: np.ndarray, laplace: dict[str, float]) -> None:
    """Draw one row: density, mean and 95% interval of the posterior; estimate and 95% interval by Laplace below."""
    low, high = np.quantile(draws, [0.025, 0.975])
    grid = np.linspace(*np.quantile(draws, [0.001, 0.999]), 200)
    density = gaussian_kde(draws, bw_method=0.25)(grid)
    axis.fill_between(grid, place, place + 0.55 * density / density.max(), color=POSTERIOR, alpha=0.3, linewidth=0)
    axis.plot([low, high], [place, place], color=POSTERIOR, linewidth=2.2)
    axis.plot(draws.mean(), place, "o", color=POSTERIOR, markersize=6)
    axis.plot([laplace["lower"], laplace["upper"]], [place - 0.15] * 2, color=LAPLACE, linewidth=2.2)
    axis.plot(laplace["estimate"], place - 0.15, "o", color=LAPLACE, markersize=6)


def main() -> None:
    """Sample, fit, draw, write."""
    file, model = read_specification(MODEL), bg.read_model(MODEL)
    posterior = model.sample(**file.sample.arguments(), progress=False).tree["posterior"]
    beta = posterior["beta"]
    draws = {str(name): beta.sel(coefficient=name).values.ravel() for name in beta["coefficient"].values}
    draws |= {"sd(female)": posterior["sd_female"].values.ravel(), "sd(male)": posterior["sd_male"].values.ravel()}
    laplace = model.fit("laplace").tidy().set_index("name")
    published = {p.method: p.estimates for p in file.published}

    mpl.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    panels = {"Does the pair mate? (female, male)": list(draws)[:4], "How much do animals differ?": list(draws)[4:]}
    cross, animals = figure.subplots(1, 2, width_ratios=[1.25, 1])
    cross.axvline(0, color="0.85", linewidth=1, zorder=0)
    for axis, (title, names) in zip((cross, animals), panels.items(), strict=True):
        for place, name in zip(range(len(names))[::-1], names, strict=True):
            draw_parameter(axis, place, draws[name], laplace.loc[name, ["estimate", "lower", "upper"]].to_dict())
            for method, _, marker, colour in PUBLISHED:
                axis.plot(published[method][name], place - 0.29, marker, color=colour, fillstyle="none", markersize=6)
        axis.set_yticks(range(len(names))[::-1], names)
        axis.set(ylim=(-0.45, len(names) - 0.3), xlabel="logit scale")
        axis.set_title(title, fontsize=11, loc="left")
        axis.tick_params(axis="y", length=0)
    handles = [
        axis.plot([], [], "o-", color=POSTERIOR, linewidth=2.2, label="posterior (mean, 95%)")[0],
        axis.plot([], [], "o-", color=LAPLACE, linewidth=2.2, label="Laplace (95%)")[0],
        *(axis.plot([], [], m, color=c, fillstyle="none", label=label)[0] for _, label, m, c in PUBLISHED),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False, fontsize=9, columnspacing=1.4)
    figure.savefig(HERE / "salamander.png", dpi=160, metadata={"Software": None})


if __name__ == "__main__":
    main()
