"""The search: maximise with fixed draws, and with more of them until their error is small (Booth & Hobert 1999)."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np

from bayesglmm.design import Design
from bayesglmm.engine.threads import blas_threads
from bayesglmm.errors import FitError
from bayesglmm.frequentist.boundary import boundary_notes, held_at_bounds
from bayesglmm.frequentist.fit import Fit
from bayesglmm.frequentist.laplace import LaplaceLikelihood
from bayesglmm.frequentist.likelihood import Evaluate, MaximumLikelihood, Words
from bayesglmm.frequentist.search.optimum import Optimum, OptimumStatus
from bayesglmm.frequentist.simulation.continuation import improve
from bayesglmm.frequentist.simulation.importance import SimulatedLikelihood
from bayesglmm.frequentist.simulation.monte_carlo import MonteCarlo
from bayesglmm.frequentist.simulation.partition import Partition
from bayesglmm.frequentist.simulation.placement import AroundModes, FromPrior
from bayesglmm.frequentist.simulation.points import standard_draws
from bayesglmm.frequentist.simulation.round import LogLikelihood, Round, replicates_at, spread
from bayesglmm.frequentist.simulation.weights import effective_sizes, pareto_shape

__all__ = ["WORDS", "SimulatedMaximum", "Simulation"]

_REPLICATES = 16
_LEAST = 256
_MEMORY = 200_000_000
#: A column of Lambda may as well be zero if that costs no more log-likelihood.
_VANISHING = 0.02
_FEWEST_POINTS = 8
#: Monte Carlo error of the log-likelihood over the tolerance of parameters: with the default a hundredth, as AIC needs.
_LOGLIK = 2.0
_INSPECTED = 20

WORDS = Words("mcml", "MCML", "maximum likelihood, the group effects integrated out by importance sampling")


@dataclass(frozen=True)
class Simulation:
    """What was asked for (see `MCML`); ``around_modes`` is False for draws from the prior, whose df is infinite."""

    draws: int
    tolerance: float
    seed: int | None
    around_modes: bool
    df: float
    max_draws: int

    @property
    def proposal(self) -> str:
        """Where the draws come from, in words."""
        if not self.around_modes:
            return "drawn from the prior N(0, G), not looking at the data"
        shape = "normal" if np.isinf(self.df) else f"t with {self.df:g} degrees of freedom"
        return f"{shape} around the conditional modes"


@dataclass(frozen=True, eq=False)
class SimulatedMaximum:
    """Simulated maximum likelihood laid out for one design; a `Prepared` estimator.

    Attributes
    ----------
    settings : Simulation
        What was asked for.
    laplace : LaplaceLikelihood
        Data, modes, and the fit that the search starts from.
    partition : Partition
        Blocks of connected group effects.
    """

    settings: Simulation
    laplace: LaplaceLikelihood
    partition: Partition

    @property
    def design(self) -> Design:
        """Data."""
        return self.laplace.working.design

    def with_response(self, y: np.ndarray) -> SimulatedMaximum:
        """Return the same for another response y (n,)."""
        return replace(self, laplace=self.laplace.with_response(y))

    def fit(self, start: np.ndarray | None = None) -> Fit:
        """Maximise from the Laplace fit, itself started at ``start`` (k,) if it is given; FitError if it has none."""
        begin = MaximumLikelihood(self.laplace, WORDS).fit(start)
        first = begin.optimum
        if first.status is OptimumStatus.FLAT:
            raise FitError(
                f"the likelihood has no maximum to simulate: {' '.join(begin.notes)} Look for separation, for a "
                "constant response or for collinear columns; or give the parameters priors and sample."
            )
        seed = self.settings.seed
        if seed is None:
            seed = int(np.random.SeedSequence().generate_state(1)[0])
        with blas_threads(int(self.partition.sizes.max())):
            last, limit = self._search(first, seed)
            loglik = self._loglik(last, seed)
            optimum = replace(last.optimum, start=first.x, value=loglik.value)
            return self._assemble(optimum, last, self._monte_carlo(last, loglik, limit, seed))

    @property
    def _most(self) -> int:
        """Draws beyond which the simulation does not go, a power of 2."""
        held = 8 * (len(self.partition.block) + 2 * self.partition.n_blocks)
        return max(_LEAST, _power_below(min(self.settings.max_draws, _MEMORY // held)))

    def _search(self, first: Optimum, seed: int) -> tuple[Round, str]:
        """Return the last maximum, and what kept the simulation from more draws."""
        tolerance, most = self.settings.tolerance, self._most
        draws = min(most, 2 * _power_below(self.settings.draws - 1))
        x, before, vanishing = first.x, None, self._vanishing(self.laplace.evaluator(), first.x)
        failed = False
        while True:
            found = self._round(x, before, vanishing, draws, seed)
            excess = found.ratio / tolerance
            usable = found.optimum.status.usable
            if usable:
                x, before = found.optimum.x, found.optimum
                mirrored, vanishing = vanishing, self._vanishing(found.simulated.evaluator(), x)
                if set(vanishing) - set(mirrored):  # near zero after all: let the log-likelihood be even there
                    before, vanishing = None, tuple(sorted({*vanishing, *mirrored}))
                    continue
            if usable and excess <= 1.0:
                return found, ""
            if draws == most:
                return found, self._limit
            if failed and not usable:
                return found, "no maximum was found with four times as few draws either"
            failed, draws = not usable, min(most, draws * (_growth(excess) if usable else 4))

    @property
    def _limit(self) -> str:
        """What keeps the simulation from more draws."""
        if self._most == _power_below(self.settings.max_draws):
            return f"max_draws is {self.settings.max_draws}"
        return f"more draws would take over {_MEMORY // 1_000_000} megabytes"

    def _loglik(self, last: Round, seed: int) -> LogLikelihood:
        """Return the log-likelihood at the last maximum, with more draws until its own error is small.

        One evaluation costs so little beside a search that it need not be as uncertain as the search left it.
        """
        x, simulated, draws = last.optimum.x, last.simulated, last.simulated.draws.t.shape[1]
        value, replicates = last.optimum.value, last.replicates
        while spread(replicates.loglik) > _LOGLIK * self.settings.tolerance and draws < self._most:
            draws *= 2
            simulated = self._simulated(draws, (), seed)
            value, replicates = simulated.evaluator()(x)[0], replicates_at(simulated, x)
        return LogLikelihood(value, draws, replicates)

    def _round(self, x: np.ndarray, before: Optimum | None, vanishing: tuple[int, ...], draws: int, seed: int) -> Round:
        """Maximise with ``draws`` from x (k,), mirrored in the ``vanishing`` columns of Lambda.

        The log-likelihood is even in each column of Lambda, and the search relies on it near zero. Draws that are
        mirrored in the effects that a column multiplies keep the simulated log-likelihood exactly even.
        """
        # Every mirror doubles the draws: those of a fifth vanishing column would leave no points to mirror.
        columns = vanishing[: (draws // _REPLICATES // _FEWEST_POINTS).bit_length() - 1]
        simulated = self._simulated(draws, columns, seed)
        return Round(simulated, improve(simulated, None if columns else before, x))

    def _simulated(self, draws: int, mirrored: tuple[int, ...], seed: int) -> SimulatedLikelihood:
        """Return the log-likelihood simulated with ``draws``, those that are ``mirrored`` counted twice."""
        df = self.settings.df if self.settings.around_modes else np.inf
        drawn = standard_draws(self.partition, df, _REPLICATES, (draws // _REPLICATES) >> len(mirrored), seed)
        for k in mirrored:
            drawn = drawn.mirrored(np.isin(self.partition.effects, self._column_effects[k]))
        rule = AroundModes if self.settings.around_modes else FromPrior
        return SimulatedLikelihood(self.laplace, self.partition, rule(self.laplace.marginal, self.partition), drawn)

    @functools.cached_property
    def _column_effects(self) -> tuple[np.ndarray, ...]:
        """Effects z that each column of Lambda multiplies, in the order of `Working.columns`."""
        layout = self.laplace.working.layout
        return tuple(
            np.arange(part.start + k, part.stop, group.n_effects if own.mixes else 1)
            for group, part, own in zip(layout.groups, layout.effect_slices, layout.maps, strict=True)
            for k in range(len(own.columns(group.n_effects)))
        )

    def _vanishing(self, evaluate: Evaluate, x: np.ndarray) -> tuple[int, ...]:
        """Return which columns of Lambda are zero at x, or might as well be."""
        working, value, found = self.laplace.working, evaluate(x)[0], []
        for k, column in enumerate(working.columns()):
            zero = working.absorb(x, column)
            if evaluate(zero)[0] >= value - _VANISHING:
                x = zero
                found.append(k)
        return tuple(found)

    def _assemble(self, optimum: Optimum, last: Round, simulation: MonteCarlo) -> Fit:
        p = self.laplace.working.n_beta
        optimum = held_at_bounds(self.laplace.working, optimum)
        sound = simulation.precise and not simulation.degenerate
        status = optimum.status if sound or not optimum.status.usable else OptimumStatus.UNCERTAIN
        return Fit(
            design=self.design,
            method=WORDS.method,
            label=WORDS.label,
            description=WORDS.description,
            estimand="conditional",
            estimates=last.estimates,
            covariance=optimum.covariance()[:p, :p],
            mode_source=functools.partial(self.laplace.modes, optimum.x),
            loglik=optimum.value,
            optimum=replace(optimum, status=status),
            notes=(*boundary_notes(self.laplace.working, optimum, last.estimates[p:]), *simulation.notes),
            prepared=self,
            simulation=simulation,
        )

    def _monte_carlo(self, last: Round, loglik: LogLikelihood, limit: str, seed: int) -> MonteCarlo:
        log_weights = loglik.replicates.log_weights
        sizes = effective_sizes(log_weights)
        names = [
            group.effect_name(level, effect)
            for group in self.design.groups
            for level in group.factor.levels
            for effect in group.effects
        ]
        return MonteCarlo(
            draws=last.simulated.draws.t.shape[1],
            replicates=_REPLICATES,
            seed=seed,
            proposal=self.settings.proposal,
            tolerance=self.settings.tolerance,
            mc_std_errors={e.name: e.std_error for e in last.mc_estimates},
            ratio=last.ratio,
            loglik_draws=loglik.draws,
            loglik_mc_se=spread(loglik.replicates.loglik),
            blocks=tuple(names[k] for k in np.unique(self.partition.block, return_index=True)[1]),
            sizes=self.partition.sizes,
            effective_sizes=sizes,
            worst_shape=max(pareto_shape(log_weights[b]) for b in np.argsort(sizes)[:_INSPECTED]),
            limit=limit,
        )


def _power_below(number: int) -> int:
    """Return the largest power of 2 that is not above ``number``."""
    return 1 << (number.bit_length() - 1)


def _growth(excess: float) -> int:
    """Return by which power of 2 to multiply the draws, given by how much the error is too large.

    The error of scrambled nets falls about as the power -2/3 of their size.
    """
    return 4 if np.isnan(excess) else int(2 ** np.clip(np.rint(1.5 * np.log2(max(excess, 1.0))), 1, 6))
