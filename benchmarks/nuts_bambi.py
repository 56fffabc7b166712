"""Bambi samples one problem in this process and prints one line of JSON; started by nuts.py.

    python benchmarks/nuts_bambi.py salamander --backend nutpie
    python benchmarks/nuts_bambi.py cbpp --mu 0 --sigma 2.5 --check

What is timed. *Whole* and *call* as in nuts_ours.py: from the start of the process, and from the data frame, to the
posterior; PyTensor's compiled code comes from its cache on disk where it keeps one. *Sampling*: what PyMC reports as
the posterior's ``sampling_time``, which starts after compilation for PyMC's own sampler and for nutpie. With numpyro it
holds JAX's compilation; the seconds that JAX itself reports for lowering and compiling while the chains run are taken
off it (tracing, some tenths of a second, is not: JAX reports nested traces twice).

With ``--check`` nothing is sampled: the log density of Bambi's graph is compared with ours at random points.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from memory import forget_peak, resident
from nuts_figures import canonical, figures
from nuts_problems import Sampling, sampling

CHAINS = CORES = 2
#: How each backend calls the limit of a trajectory's doublings.
DEPTH = {"pymc": "max_treedepth", "nutpie": "max_treedepth", "numpyro": "max_tree_depth"}
#: What JAX reports of making a program; traces within traces are in both, hence lowering and compiling alone.
JAX_STAGES = ("jaxpr_to_mlir_module_duration", "backend_compile_duration")


def build(problem: Sampling, frame: pd.DataFrame, mu: float, sigma: float) -> Any:
    """Return the Bambi model with the problem's priors."""
    import bambi as bmb

    def prior(name: str, **values: Any) -> Any:
        return bmb.Prior(name, auto_scale=False, **values)

    effects = prior("Normal", mu=0.0, sigma=prior("HalfNormal", sigma=problem.sd_width))
    priors = {"common": prior("Normal", mu=0.0, sigma=problem.width), "group_specific": effects}
    if not math.isnan(mu):
        priors["Intercept"] = prior("Normal", mu=mu, sigma=sigma)
    if problem.family == "gaussian":
        priors["sigma"] = prior("HalfNormal", sigma=problem.residual_width)
    return bmb.Model(problem.bambi_formula, frame, family=problem.family, priors=priors)


def common_part(model: Any) -> tuple[list[str], list[str]]:
    """Return the variables of the coefficients in the design's order, and the canonical names of all columns."""
    component = model.components[model.family.likelihood.parent]
    columns = [canonical(str(name)) for name in component.design.common.as_dataframe().columns]
    first = ["Intercept"] if component.intercept_term is not None else []
    return [*first, *component.common_terms], columns


def group_terms(model: Any) -> list[tuple[str, str, str]]:
    """Return variable, grouping factor and effect of every group term: ``1|g`` is the intercept of g."""
    component = model.components[model.family.likelihood.parent]
    parts = [(name, *name.split("|")) for name in component.group_specific_terms]
    return [(name, factor, "Intercept" if effect == "1" else canonical(effect)) for name, effect, factor in parts]


def draws_of(model: Any, tree: Any) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return scalars by canonical name, each (chains, draws), and all group effects (chains, draws, k)."""
    posterior = tree["posterior"]

    def flat(name: str) -> np.ndarray:
        values = np.asarray(posterior[name].values)
        return values.reshape(*values.shape[:2], -1)

    variables, columns = common_part(model)
    beta = np.concatenate([flat(name) for name in variables], axis=-1)
    scalars = {name: beta[..., k] for k, name in enumerate(columns)}
    terms = group_terms(model)
    scalars |= {f"sd({factor}, {effect})": flat(f"{name}_sigma")[..., 0] for name, factor, effect in terms}
    if "sigma" in posterior:
        scalars["sigma"] = flat("sigma")[..., 0]
    return scalars, np.concatenate([flat(name) for name, _, _ in terms], axis=-1)


class JaxCompilation:
    """Seconds that JAX reports of lowering and compiling while numpyro's chains run; 0 for other backends."""

    def __init__(self, backend: str) -> None:
        self.seconds = 0.0
        self.running = False
        if backend == "numpyro":
            import jax.monitoring
            import pymc.sampling.jax as pymc_jax

            jax.monitoring.register_event_duration_secs_listener(self._add)
            pymc_jax._sample_numpyro_nuts = self._watched(pymc_jax._sample_numpyro_nuts)

    def _add(self, event: str, seconds: float, **_: Any) -> None:
        if self.running and event.endswith(JAX_STAGES):
            self.seconds += seconds

    def _watched(self, sample: Callable[..., Any]) -> Callable[..., Any]:
        # Starting points and the natural scale are compiled too, before and after the time that PyMC reports.
        def watched(**settings: Any) -> Any:
            self.running = True
            try:
                return sample(**settings)
            finally:
                self.running = False

        return watched


def reported(tree: Any, compiling: JaxCompilation) -> dict[str, Any]:
    """Return what PyMC says of a run: seconds of sampling without JAX's compilation, that, and warm-up iterations."""
    attributes = tree["posterior"].attrs
    seconds = attributes["sampling_time"] - compiling.seconds
    return {"sampling_s": seconds, "compile_s": compiling.seconds, "tune": int(attributes["tuning_steps"])}


def import_everything(backend: str) -> None:
    """Import Bambi and the backend's packages."""
    import bambi  # noqa: F401

    if backend == "nutpie":
        import nutpie  # noqa: F401
    if backend == "numpyro":
        import numpyro
        import pymc.sampling.jax  # noqa: F401

        numpyro.set_host_device_count(CHAINS)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Sample; return times, memory and figures."""
    import_everything(arguments.backend)
    base = resident("VmRSS")
    forget_peak()
    problem = sampling(arguments.problem)
    frame = problem.frame()
    options: dict[str, Any] = {"draws": arguments.draws, "chains": CHAINS, "cores": CORES}
    if arguments.warm:
        options |= {"tune": 20, "nuts": {DEPTH[arguments.backend]: 1}}
    compiling = JaxCompilation(arguments.backend)
    began = time.perf_counter()
    model = build(problem, frame, arguments.mu, arguments.sigma)
    tree = model.fit(random_seed=arguments.seed, inference_method=arguments.backend, progressbar=False, **options)
    call, whole = time.perf_counter() - began, time.time() - arguments.began
    memory = resident("VmHWM") - base
    if arguments.warm:
        return {"warm": True}
    scalars, group = draws_of(model, tree)
    spent = {"whole_s": whole, "call_s": call, "memory_mb": memory, "draws": arguments.draws}
    return spent | reported(tree, compiling) | figures(scalars, group, tree["sample_stats"]["diverging"].values)


def their_point(model: Any, ours: Any, x: np.ndarray) -> dict[str, np.ndarray]:
    """Return our point x as the values that Bambi's graph takes: the same coordinates under other names."""
    layout, design = ours.layout, ours.design
    variables, _ = common_part(model)
    shapes = {v.name: np.shape(p) for v, p in zip(model.backend.model.value_vars, _initial(model), strict=True)}
    point, position = {}, 0
    for name in variables:
        size = int(np.prod(shapes[name]))
        point[name] = x[position : position + size].reshape(shapes[name])
        position += size
    if "sigma_log__" in shapes:
        point["sigma_log__"] = x[layout.n_scalars - 1]
    for t, group in enumerate(design.groups):
        z = x[layout.z(t)].reshape(group.n_levels, group.n_effects)
        for k, effect in enumerate(group.effects):
            name = next(n for n, factor, e in group_terms(model) if (factor, e) == (group.name, canonical(effect)))
            point[f"{name}_sigma_log__"] = x[layout.sds(t)][k]
            levels = [str(level) for level in model.backend.model.coords[f"{group.name}__factor_dim"]]
            place = {str(level): j for j, level in enumerate(group.factor.levels)}
            point[f"{name}_offset"] = z[[place[level] for level in levels], k]
    return point


def _initial(model: Any) -> list[np.ndarray]:
    graph = model.backend.model
    start: dict[str, np.ndarray] = graph.initial_point()
    return [start[v.name] for v in graph.value_vars]


def check(arguments: argparse.Namespace) -> dict[str, Any]:
    """Compare log densities at random points; the posteriors are the same if their difference does not vary."""
    from bayesglmm.density import JointDensity

    problem = sampling(arguments.problem)
    frame = problem.frame()
    ours = problem.model(frame)
    density = JointDensity.of(ours.design, ours.parameters)
    model = build(problem, frame, arguments.mu, arguments.sigma)
    model.build()
    theirs: Callable[[dict[str, np.ndarray]], Any] = model.backend.model.compile_logp()
    rng = np.random.default_rng(arguments.seed)
    points = 0.3 * rng.standard_normal((4, density.size))
    values = np.array([(density(x), float(theirs(their_point(model, density, x)))) for x in points])
    _, columns = common_part(model)
    apart = values[:, 0] - values[:, 1]
    return {
        "names": columns == [canonical(name) for name in ours.design.coefficients],
        "log_density": values[0].tolist(),
        "difference": float(apart[0]),
        "varies_by": float(np.ptp(apart)),
    }


def main() -> None:
    """Read the arguments, sample or check, print one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problem")
    parser.add_argument("--backend", choices=tuple(DEPTH), default="nutpie")
    parser.add_argument("--mu", type=float, default=math.nan, help="location of the intercept's prior")
    parser.add_argument("--sigma", type=float, default=math.nan, help="scale of the intercept's prior")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--warm", action="store_true", help="a short run that fills the caches on disk")
    parser.add_argument("--check", action="store_true", help="compare log densities instead of sampling")
    parser.add_argument("--began", type=float, default=time.time(), help="when the process was started")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    print(json.dumps(check(arguments) if arguments.check else run(arguments)))


if __name__ == "__main__":
    main()
