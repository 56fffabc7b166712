"""PyMC's samplers on our own `pm.Model` of one problem, as it is, in this process; prints one line of JSON.

    python benchmarks/nuts_graph.py sleepstudy-correlated --backend nutpie

Bambi has no correlations between group effects, so that its backends cannot be asked for such models. The graph that
`GLMM.pymc` shows (effects non-centred, LKJ prior) is what a user of PyMC would write instead; it is sampled in its own
coordinates with the defaults of `pm.sample`. What is timed is what nuts_bambi.py times.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import time
import warnings
from typing import Any

import numpy as np
from memory import forget_peak, import_ours, resident
from nuts_bambi import CHAINS, CORES, DEPTH, JaxCompilation, reported
from nuts_figures import figures
from nuts_ours import draws_of
from nuts_problems import sampling


def import_everything(backend: str) -> None:
    """Import what builds and samples a graph."""
    importlib.import_module("pymc")
    import_ours()
    if backend == "nutpie":
        import nutpie  # noqa: F401
    if backend == "numpyro":
        import numpyro
        import pymc.sampling.jax  # noqa: F401

        numpyro.set_host_device_count(CHAINS)


def stored(model: Any, tree: Any) -> Any:
    """Return the posterior's draws as our posteriors hold them: correlations without their matrices."""
    import xarray as xr

    from bayesglmm.bayes.graph import stored_variables
    from bayesglmm.bayes.tree import stored_values
    from bayesglmm.naming import Names

    values = {name: np.asarray(tree["posterior"][name].values) for name in stored_variables(model.design)}
    kept = stored_values(model.design, Names.of(model.design), values)
    named = {n: (("chain", "draw", *(f"{n}_{k}" for k in range(v.ndim - 2))), v) for n, v in kept.items()}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(named)})


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Sample; return times, memory and figures."""
    import pymc as pm

    import_everything(arguments.backend)
    base = resident("VmRSS")
    forget_peak()
    problem = sampling(arguments.problem)
    frame = problem.frame()
    options: dict[str, Any] = {"draws": arguments.draws, "chains": CHAINS, "cores": CORES}
    if arguments.warm:
        options |= {"tune": 20, "nuts": {DEPTH[arguments.backend]: 1}}
    names = problem.model(frame)  # learns the coefficients' names, which the priors need
    compiling = JaxCompilation(arguments.backend)
    began = time.perf_counter()
    model = type(names).from_spec(names.spec, frame)
    with model.pymc:
        tree = pm.sample(nuts_sampler=arguments.backend, random_seed=arguments.seed, progressbar=False, **options)
    call, whole = time.perf_counter() - began, time.time() - arguments.began
    memory = resident("VmHWM") - base
    if arguments.warm:
        return {"warm": True}
    scalars, group = draws_of(model, stored(model, tree))
    spent = {"whole_s": whole, "call_s": call, "memory_mb": memory, "draws": arguments.draws}
    return spent | reported(tree, compiling) | figures(scalars, group, tree["sample_stats"]["diverging"].values)


def main() -> None:
    """Read the arguments, sample, print one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problem")
    parser.add_argument("--backend", choices=tuple(DEPTH), default="nutpie")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--warm", action="store_true", help="a short run that fills the caches on disk")
    parser.add_argument("--began", type=float, default=time.time(), help="when the process was started")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    print(json.dumps(run(arguments)))


if __name__ == "__main__":
    main()
