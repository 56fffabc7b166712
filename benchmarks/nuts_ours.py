"""bayesglmm samples one problem in this process and prints one line of JSON; started by nuts.py.

    python benchmarks/nuts_ours.py salamander --draws 1000 --seed 1 --began 1770000000.0

What is timed. *Whole*: from the start of the process to the posterior, imports and data included. *Call*: from the data
frame to the posterior (model and all), the first of this process, compiled code loaded from the cache on disk.
*Sampling*: all of `sample()`, from the search for the coordinates to the labelled tree (PyMC's time of nutpie, the
best competitor mostly, holds its labels too), of a model built anew: the second run of this process with the same seed,
so that loading compiled code is not in it.
"""

from __future__ import annotations

import argparse
import importlib
import json
import time
import warnings
from typing import Any

import numpy as np
from memory import forget_peak, import_ours, resident
from nuts_figures import canonical, figures
from nuts_problems import sampling

CHAINS = CORES = 2


def import_everything() -> None:
    """Import bayesglmm as sampling uses it, and what it samples with."""
    import_ours()
    for name in ("bayesglmm.bayes.sample", "nutpie", "nutpie.compile_pymc", "pyarrow", "xarray"):
        importlib.import_module(name)


def draws_of(model: Any, tree: Any) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return scalars by canonical name, each (chains, draws), and all group effects (chains, draws, k)."""
    from bayesglmm.naming import Names

    posterior, design = tree["posterior"], model.design
    values = {name: np.asarray(posterior[name].values) for name in posterior.data_vars}
    scalars = {canonical(n): values["beta"][..., k] for k, n in enumerate(design.coefficients)}
    effects = []
    for group, called in zip(design.groups, Names.of(design).groups, strict=True):
        sd = values[called.sd].reshape(*values[called.sd].shape[:2], -1)
        scalars |= {f"sd({group.name}, {e})": sd[..., k] for k, e in enumerate(group.effects)}
        if group.structure.correlated:
            scalars |= {f"cor({group.name}, {k})": values[called.cor][..., k] for k in range(group.n_correlations)}
        effects.append(values[called.u].reshape(*values[called.u].shape[:2], -1))
    if design.dispersion is not None:
        scalars[str(design.dispersion)] = values[str(design.dispersion)]
    return scalars, np.concatenate(effects, axis=-1)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Sample twice; return times, memory and figures of the first run."""
    import_everything()
    base = resident("VmRSS")
    forget_peak()
    problem = sampling(arguments.problem)
    frame = problem.frame()
    options: dict[str, Any] = {"chains": CHAINS, "cores": CORES, "seed": arguments.seed, "progress": False}
    if arguments.sampler:
        options["sampler"] = arguments.sampler
    if arguments.warm:
        options |= {"tune": 20, "max_depth": 1}
    names = problem.model(frame)  # learns the coefficients' names, which the priors need
    began = time.perf_counter()
    model = type(names).from_spec(names.spec, frame)
    posterior = model.sample(arguments.draws, **options)
    call, whole = time.perf_counter() - began, time.time() - arguments.began
    memory = resident("VmHWM") - base
    if arguments.warm:
        return {"warm": True}
    again = type(names).from_spec(names.spec, frame)
    began = time.perf_counter()
    second = again.sample(arguments.draws, **options)
    seconds = time.perf_counter() - began
    scalars, group = draws_of(model, posterior.tree)
    same = np.array_equal(posterior.tree["posterior"]["beta"].values, second.tree["posterior"]["beta"].values)
    return {
        "whole_s": whole,
        "call_s": call,
        "sampling_s": seconds,
        "memory_mb": memory,
        "draws": arguments.draws,
        "tune": int(posterior.tree.attrs["tune"]),
        "remark": "" if same else "the second run of the same seed drew differently",
        **figures(scalars, group, posterior.tree["sample_stats"]["diverging"].values),
    }


def main() -> None:
    """Read the arguments, sample, print one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problem")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sampler", default="", help="another sampler of ours than the default")
    parser.add_argument("--warm", action="store_true", help="a short run that fills the caches on disk")
    parser.add_argument("--began", type=float, default=time.time(), help="when the process was started")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print(json.dumps(run(arguments)))


if __name__ == "__main__":
    main()
