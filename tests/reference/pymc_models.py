"""Every specification file sampled by PyMC's own NUTS on the graph: what `bayesglmm` is held against.

    python tests/reference/pymc_models.py [--only NAME ...] [--draws 1500] [--tune 1000] [--target 0.9]

Writes `pymc_models/<file>.csv` beside this script, one line a parameter (group effects too): mean and standard
deviation with their Monte Carlo errors, R-hat and bulk ESS. The first lines say what was run, with which versions, and
the fingerprint of the specification: a test fails where a file's model has changed since. What is there is kept.
"""

from __future__ import annotations

import argparse
import sys
import time
from importlib.metadata import version
from pathlib import Path

import arviz as az
import numpy as np

import bayesglmm as bg

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from support.model_files import fingerprint  # noqa: E402  what the tests know a model by

MODELS = HERE.parents[1] / "models"
COLUMNS = ("name", "mean", "sd", "mean_error", "sd_error", "r_hat", "ess_bulk")


def sampled(path: Path, options: argparse.Namespace) -> str:
    """Return the text of the file for one model."""
    model = bg.read_model(path)
    started = time.perf_counter()
    settings = {"draws": options.draws, "tune": options.tune, "target_accept": options.target, "chains": 2, "seed": 11}
    posterior = model.sample(sampler="pymc", progress=False, **settings)
    seconds = time.perf_counter() - started
    lines, worst = [",".join(COLUMNS)], (0.0, np.inf)
    for item in posterior._labelled:
        x = item.draws
        mean, sd = float(x.mean()), float(x.std())
        errors = float(az.mcse(x, method="mean")), float(az.mcse((x - mean) ** 2, method="mean")) / (2.0 * sd)
        r_hat, ess = float(az.rhat(x)), float(az.ess(x))
        worst = max(worst[0], r_hat), min(worst[1], ess)
        name = item.name.replace('"', "'")
        numbers = ",".join(f"{v:.5g}" for v in (mean, sd, *errors, r_hat, ess))
        lines.append(f'"{name}",{numbers}')
    divergences = int(posterior.tree["sample_stats"]["diverging"].sum())
    said = (
        f"# pymc {version('pymc')}, pytensor {version('pytensor')}; {settings}\n"
        f"# {seconds:.0f} s, {divergences} divergences, worst R-hat {worst[0]:.3f}, smallest ESS {worst[1]:.0f}\n"
        f"# fingerprint {fingerprint(model)}\n"
    )
    return said + "\n".join(lines) + "\n"


def main() -> None:
    """Sample the models that have no file yet, or those asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--draws", type=int, default=1500)
    parser.add_argument("--tune", type=int, default=1000)
    parser.add_argument("--target", type=float, default=0.9)
    options = parser.parse_args()
    folder = HERE / "pymc_models"
    folder.mkdir(exist_ok=True)
    for path in sorted(MODELS.glob("*.toml")):
        target = folder / f"{path.stem}.csv"
        if path.stem not in options.only if options.only else target.exists():
            continue
        text = sampled(path, options)
        partial = target.with_suffix(".part")
        partial.write_text(text)
        partial.replace(target)
        print(path.stem, text.splitlines()[1], flush=True)


if __name__ == "__main__":
    main()
