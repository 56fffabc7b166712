"""NUTS on the PyMC graph: PyMC's, nutpie's, numpyro's or blackjax's, for checking one sampler against another.

nutpie samples the graph's compiled function through the linear map of a penalised fit; the others sample it as it is.
"""

from __future__ import annotations

import importlib.util
import time
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from bayesglmm.bayes.preconditioner.affine import affine_density, affine_draws
from bayesglmm.bayes.preconditioner.arrow import ArrowMap
from bayesglmm.bayes.preconditioner.fit import precondition
from bayesglmm.bayes.preconditioner.graph import graph_order, in_layout_order, in_pieces
from bayesglmm.bayes.raw import RawDraws, kept_chains, standard_statistics
from bayesglmm.bayes.settings import SampleSettings
from bayesglmm.bayes.start import overdispersed
from bayesglmm.bayes.target import WARM_UP, Target
from bayesglmm.bayes.through_nutpie import sample_with_nutpie
from bayesglmm.bayes.versions import installed_version
from bayesglmm.density import JointDensity
from bayesglmm.design import Design
from bayesglmm.errors import NotAvailableError, SamplingError
from bayesglmm.naming import Names
from bayesglmm.residual import COR_VARIABLE

__all__ = ["sample_graph", "sample_mapped_graph", "stored_variables"]

_MAPPED = "those of the PyMC graph, through the linear map of a penalised fit"

#: What each sampler calls the largest tree depth.
_DEPTH_OPTION = {
    "pymc": "max_treedepth",
    "nutpie": "max_treedepth",
    "numpyro": "max_tree_depth",
    "blackjax": "max_num_doublings",
}
#: Samplers that come with an extra of this package.
_EXTRAS = ("numpyro", "blackjax")


def sample_graph(model: Any, design: Design, settings: SampleSettings) -> RawDraws:
    """Sample a `pm.Model` through `pm.sample`.

    Raises
    ------
    NotAvailableError
        The sampler needs a package that is not installed.
    SamplingError
        The sampler could not start, or the run was interrupted before the first draw.
    """
    own = settings.sampler
    if own in _EXTRAS and importlib.util.find_spec(own) is None:
        raise NotAvailableError(
            f'sampler="{own}" needs {own}, which is not installed: pip install "bayesglmm[{own}]", or use '
            'sampler="nutpie".'
        )
    assert settings.tune is not None  # SampleSettings.checked knows what each of these samplers needs
    started = time.perf_counter()
    tree = _sample(model, settings)
    statistics = tree["sample_stats"].to_dataset()
    # A chain that was cut short is filled up with nan.
    chains, kept = kept_chains(np.isfinite(statistics["energy"].values).sum(axis=1).tolist())
    if kept < 1:
        raise SamplingError(_INTERRUPTED)
    of_chains = {"chain": chains, "draw": slice(0, kept)}
    recorded = {str(k): v.values for k, v in statistics.isel(of_chains).items() if v.dims == ("chain", "draw")}
    return RawDraws(
        values=_values(tree["posterior"].to_dataset().isel(of_chains), design),
        statistics=standard_statistics(recorded, settings.max_depth),
        sampler=_called(settings.sampler),
        seconds=time.perf_counter() - started,
        tune=settings.tune,
        interrupted=len(chains) < settings.chains or kept < settings.draws,
    )


_INTERRUPTED = (
    "interrupted before the first draw: nothing was kept. Start again, with a smaller tune= if time is short."
)


def sample_mapped_graph(model: Any, density: JointDensity, settings: SampleSettings) -> RawDraws:
    """Sample a `pm.Model` with nutpie in coordinates v, x = x^ + A v; as it is, with the reason, where there is no map.

    Parameters
    ----------
    model : pm.Model
        A graph with the free variables and transforms of ``density``'s own; its density may be another one.
    density : JointDensity
        The compiled density that the map is made from, in non-centred coordinates.
    settings : SampleSettings
        Checked settings.

    Raises
    ------
    SamplingError
        The sampler could not start, or the run was interrupted before the first draw.
    """
    found = precondition(density, affine=True)
    if found.arrow is None:
        return replace(sample_graph(model, density.design, settings), fallback=found.reason)
    started = time.perf_counter()
    target = _mapped_target(model, density, found.arrow, found.reason)
    return replace(
        sample_with_nutpie(target, settings), sampler=_called("nutpie"), seconds=time.perf_counter() - started
    )


def _mapped_target(model: Any, density: JointDensity, arrow: ArrowMap, reason: str) -> Target:
    import nutpie

    wanted = stored_variables(density.design)
    order = graph_order(model, density)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled = nutpie.compile_pymc_model(model, var_names=wanted)
    except KeyboardInterrupt as stop:
        raise SamplingError(_INTERRUPTED) from stop
    mapped = affine_density(arrow, in_layout_order(compiled, order))

    # This closure keeps the graph's machine code alive for as long as the target is.
    def finish(v: np.ndarray, _seed: int) -> dict[str, np.ndarray]:
        pieces = in_pieces(compiled, affine_draws(arrow, v), order)
        return {name: pieces[name] for name in wanted}

    return Target(
        native=mapped,
        start=overdispersed(mapped, len(arrow.root)),
        finish=finish,
        coordinates=_MAPPED,
        reason=reason,
        tune=WARM_UP,
    )


def _called(sampler: str) -> str:
    return f"{sampler} on the PyMC graph (pymc {installed_version('pymc')})"


def _sample(model: Any, settings: SampleSettings) -> xr.DataTree:
    import pymc as pm

    try:
        with model, warnings.catch_warnings():
            # PyMC's own convergence warnings repeat what check() says, its future warnings are not the user's.
            warnings.simplefilter("ignore")
            return pm.sample(**_arguments(settings))
    except KeyboardInterrupt as stop:
        raise SamplingError(_INTERRUPTED) from stop
    except pm.exceptions.SamplingError as error:
        raise SamplingError(
            f"PyMC could not start: {error}. Look at the scale of the columns and at the priors."
        ) from error
    except ValueError as error:
        # PyMC's words when it was interrupted in warm-up; it keeps the KeyboardInterrupt to itself.
        if "Not enough samples" not in str(error):
            raise
        raise SamplingError(_INTERRUPTED) from error


class _OneInterruptEndsAll:
    """Callback of PyMC's sampler: Ctrl-C ends one of its chains, and without this it would begin the next."""

    def __init__(self, iterations: int) -> None:
        self._last = iterations - 1
        self._chain, self._iteration = 0, self._last

    def __call__(self, trace: Any, draw: Any) -> None:  # noqa: ARG002
        """Stop a chain that follows one which did not come to its end."""
        follows_a_stopped_one = draw.chain != self._chain and self._iteration < self._last
        self._chain, self._iteration = draw.chain, draw.draw_idx
        if follows_a_stopped_one:
            raise KeyboardInterrupt


def _arguments(settings: SampleSettings) -> dict[str, Any]:
    iterations = (settings.tune or 0) + settings.draws
    own = {"callback": _OneInterruptEndsAll(iterations)} if settings.sampler == "pymc" else {}
    return {
        **own,
        "draws": settings.draws,
        "tune": settings.tune,
        "chains": settings.chains,
        # PyMC's own sampler runs chains in processes of their own: started afresh they import the caller's script
        # again, forked they may hang on a lock of a thread that is not there. One chain after another does neither.
        "cores": 1 if settings.sampler == "pymc" else settings.cores,
        "random_seed": settings.seed,
        "nuts_sampler": settings.sampler,
        "nuts": {"target_accept": settings.target_accept, _DEPTH_OPTION[settings.sampler]: settings.max_depth},
        "progressbar": settings.progress,
        "quiet": not settings.progress,
        "compute_convergence_checks": False,
    }


def stored_variables(design: Design) -> list[str]:
    """Return the graph's variables that a posterior holds."""
    names = Names.of(design)
    wanted = ["beta"] if design.coefficients else []
    for group, called in zip(design.groups, names.groups, strict=True):
        wanted += [called.sd, *([called.cor] if group.structure.correlated else []), called.u]
    wanted += [part.name for part in design.family_parts]
    return wanted if design.residual is None else [*wanted, COR_VARIABLE]


def _values(posterior: xr.Dataset, design: Design) -> dict[str, np.ndarray]:
    return {name: np.asarray(posterior[name].values, dtype=np.float64) for name in stored_variables(design)}
