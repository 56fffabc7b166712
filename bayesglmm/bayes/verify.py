"""The compiled density against the PyMC graph, at the draws of a posterior where they are most likely to part."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesglmm.bayes.labels import labelled_draws
from bayesglmm.bayes.preconditioner.graph import graph_positions
from bayesglmm.bayes.record import ModelRecord
from bayesglmm.bayes.recovered import recovered_points
from bayesglmm.density import JointDensity
from bayesglmm.design import Design
from bayesglmm.errors import BayesGLMMError, SpecificationError
from bayesglmm.parameters import Parameters

if TYPE_CHECKING:
    from bayesglmm.bayes.posterior import Posterior

__all__ = ["Agreement", "verify_draws"]

MOST_DRAWS = 50
#: Both sum the same terms in another order, and PyMC holds the constants of some priors to 2e-9.
RELATIVE = 1e-8
#: Of a million rows that would be more than another prior changes: rounding is below a thousandth, until the log
#: density is so large that its own last digits are.
ABSOLUTE, LAST_DIGITS = 1e-3, 1e-12


@dataclass(frozen=True)
class Agreement:
    """What a comparison of both log densities found.

    Attributes
    ----------
    draws : int
        Draws at which both were evaluated.
    left_out : int
        Corner draws whose unconstrained coordinates cannot be had back from the stored parameters.
    difference : float
        Largest relative difference, |a - b| / max(1, |a|, |b|); infinite where either is not finite.
    agrees : bool
        Whether the differences are those of rounding; False if no draw could be compared.
    where : str
        At which corner they are farthest apart.
    compiled, graph : float
        Log densities there.
    """

    draws: int
    left_out: int
    difference: float
    agrees: bool
    where: str
    compiled: float
    graph: float

    def checked(self) -> Agreement:
        """Return this, or raise BayesGLMMError with its words if the densities do not agree."""
        if not self.agrees:
            raise BayesGLMMError(str(self))
        return self

    def document(self) -> dict[str, Any]:
        """Return it as a JSON-ready document."""
        return {
            "agrees": self.agrees,
            "draws": self.draws,
            "left_out": self.left_out,
            "relative_difference": self.difference,
            "message": str(self),
        }

    def __str__(self) -> str:
        left_out = ""
        if self.left_out:
            left_out = (
                f" ({self.left_out} more left out: a standard deviation too near 0, or a correlation too near 1, to "
                "have their coordinates back)"
            )
        if self.draws == 0:
            return f"compiled density and PyMC graph were compared at no draw{left_out}."
        at = f"{self.draws} corner draw{'s' if self.draws > 1 else ''}"
        if self.agrees:
            found = f"largest difference {self.difference:.0e} (relative)"
            return f"compiled density and PyMC graph agree at {at}: {found}{left_out}"
        return (
            f"compiled density and PyMC graph differ at {at}{left_out}: where {self.where} the log densities are "
            f"{self.compiled:.10g} and {self.graph:.10g} (relative difference {self.difference:.1e}, more than "
            "rounding). One of them is wrong: look at what was changed in model.pymc; if nothing was, please report it "
            "with the model."
        )


def verify_draws(posterior: Posterior, design: Design, parameters: Parameters, graph: Callable[[], Any]) -> Agreement:
    """Compare both log densities at corner draws.

    Parameters
    ----------
    posterior : Posterior
        Draws of this model.
    design, parameters : Design, Parameters
        The model.
    graph : callable
        Builds (or returns) its `pm.Model`.

    Raises
    ------
    SpecificationError
        The posterior is of another model or of other data, or of a graph that was given.
    """
    _check_same(posterior, design, parameters)
    corners = dict(_corners(posterior))
    density = JointDensity.of(design, parameters)
    sampled = posterior.tree["posterior"].to_dataset()
    draws = {str(n): v.values.reshape(-1, *v.shape[2:])[list(corners)] for n, v in sampled.data_vars.items()}
    x, usable = recovered_points(density, draws)
    places = [place for place, kept in zip(corners.values(), usable, strict=True) if kept]
    left_out = int(len(usable) - usable.sum())
    if not places:
        return Agreement(0, left_out, math.inf, False, "", math.nan, math.nan)
    ours = np.array([density(point) for point in x[usable]])
    evaluate = _graph_evaluator(graph(), density)
    theirs = np.array([evaluate(point) for point in x[usable]])
    return _agreement(ours, theirs, places, left_out)


def _agreement(ours: np.ndarray, theirs: np.ndarray, places: list[str], left_out: int) -> Agreement:
    finite = np.isfinite(ours) & np.isfinite(theirs)
    a, b = np.where(finite, ours, 0.0), np.where(finite, theirs, 0.0)
    scale = np.maximum(1.0, np.maximum(np.abs(a), np.abs(b)))
    # A draw of a posterior has a finite density: where either is not, they differ.
    apart = np.where(finite, np.abs(a - b), np.inf)
    excess = apart / np.minimum(RELATIVE * scale, np.maximum(ABSOLUTE, LAST_DIGITS * scale))
    worst = int(np.argmax(excess))
    return Agreement(
        draws=len(ours),
        left_out=left_out,
        difference=float((apart / scale).max()),
        agrees=bool(excess[worst] <= 1.0),
        where=places[worst],
        compiled=float(ours[worst]),
        graph=float(theirs[worst]),
    )


def _check_same(posterior: Posterior, design: Design, parameters: Parameters) -> None:
    if posterior.tree.attrs.get("graph") == "given":
        raise SpecificationError(
            "this posterior was sampled from a graph that was given (graph=): there is no compiled density of that "
            "graph to compare it with."
        )
    # As text: the record of a saved posterior went through JSON.
    if posterior.tree.attrs["model"] != ModelRecord.of(design, parameters).model_dump_json():
        raise SpecificationError(
            "this posterior is of another model: verify it with the model that it was sampled from."
        )
    if posterior.fingerprint != design.fingerprint:
        raise SpecificationError("this posterior is of other data: verify it with the data that it was sampled from.")


def _corners(posterior: Posterior) -> Iterator[tuple[int, str]]:
    """Yield the flattened draws where a parameter is smallest or largest, each once, at most `MOST_DRAWS`.

    Standard deviations come first, then correlations and dispersion: densities part there sooner than in coefficients.
    """
    items = list(labelled_draws(posterior.record, posterior.tree["posterior"].to_dataset()))
    items.sort(key=lambda item: ("sd", "cor", "family", "fixed").index(item.term))
    found: dict[int, str] = {}
    for item in items:
        flat = item.draws.ravel()
        found.setdefault(int(flat.argmin()), f"{item.name} is smallest")
        found.setdefault(int(flat.argmax()), f"{item.name} is largest")
    yield from list(found.items())[:MOST_DRAWS]


def _graph_evaluator(model: Any, density: JointDensity) -> Callable[[np.ndarray], float]:
    """Return x -> log density of the graph, rewritten as a sampler's would be and evaluated operation by operation.

    Machine code of the graph would take half a minute to make; fifty evaluations without it take less than one.
    """
    import pytensor
    from pytensor.compile.mode import Mode

    positions = graph_positions(model, density)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        terms = [term.sum() for term in model.logp(sum=False)]
        # Without fusion, since a loop of NumPy's takes no more than 32 arrays; added up in Python for the same reason.
        mode = Mode(linker="py", optimizer="fast_run").excluding("fusion")
        function = pytensor.function(model.value_vars, terms, mode=mode, on_unused_input="ignore")

    def evaluate(x: np.ndarray) -> float:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(sum(function(*(x[positions[v.name]] for v in model.value_vars))))

    return evaluate
