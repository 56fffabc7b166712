"""bayesglmm and glmm, fitted and timed in this process."""

from __future__ import annotations

import gc
import importlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd
from entries import AbsentError, Entry, Run
from problems import Problem

__all__ = ["OURS", "python_entries"]

OURS = "bayesglmm"
#: What glmm computes beside the fit and bayesglmm does not: degrees of freedom, refits for likelihood-ratio tables.
GLMM_PLAIN = {"satterthwaite": False, "anova_test": "Wald"}


@dataclass(frozen=True)
class Clock:
    """Wall and CPU time since it was made, garbage collected before."""

    wall: float
    cpu: float

    @classmethod
    def start(cls) -> Self:
        gc.collect()
        return cls(time.perf_counter(), time.process_time())

    def read(self) -> tuple[float, float]:
        return time.perf_counter() - self.wall, time.process_time() - self.cpu


def fit_ours(problem: Problem, frame: pd.DataFrame) -> Run:
    """Fit by bayesglmm, the model built anew."""
    from bayesglmm.frequentist.registry import METHODS

    if problem.method not in METHODS:
        raise AbsentError(f"method {problem.method!r}")
    clock = Clock.start()
    model = problem.model(frame)
    built, _ = clock.read()
    fit = model.fit(problem.method, **problem.options)
    whole, cpu = clock.read()
    remark = f"{fit.optimum.status.value}, {fit.optimum.evaluations} evaluations with gradient"
    return Run(whole, whole - built, cpu, fit.loglik, remark)


@contextmanager
def inner_time(module: Any) -> Iterator[list[float]]:
    """Yield a list to which the compiled call inside `glmm.fit` adds its seconds (formula and design are in it)."""
    compiled, seconds = module.fit, []

    def timed(*arguments: Any) -> Any:
        began = time.perf_counter()
        result = compiled(*arguments)
        seconds.append(time.perf_counter() - began)
        return result

    module.fit = timed
    try:
        yield seconds
    finally:
        module.fit = compiled


def fit_glmm(problem: Problem, frame: pd.DataFrame, options: dict[str, Any]) -> Run:
    """Fit by the package glmm."""
    try:
        glmm = importlib.import_module("glmm")
    except ImportError as error:
        raise AbsentError("package glmm") from error
    nodes = problem.options.get("points", 1)
    with inner_time(glmm._native) as inner:
        clock = Clock.start()
        fit = glmm.fit(frame, problem.lme4_formula, problem.their_family, nagq=nodes, **options)
        whole, cpu = clock.read()
    said = [str(w)[:80] for w in fit.warnings]
    counts = f"{fit.n_eval} evaluations, {fit.n_grad} with gradient"
    state = "converged" if fit.converged else "NOT converged"
    return Run(whole, inner[0], cpu, fit.loglik, "; ".join([f"{state}, {counts}", *said]))


def python_entries(problem: Problem, frame: pd.DataFrame) -> list[Entry]:
    """Return ours and the rival's ways, the latter also without the tables that we do not make."""
    entries = [
        Entry(OURS, lambda: fit_ours(problem, frame)),
        Entry("glmm", lambda: fit_glmm(problem, frame, GLMM_PLAIN)),
    ]
    if problem.family in ("gaussian", "poisson"):
        extra = "with Satterthwaite df" if problem.family == "gaussian" else "with likelihood-ratio table"
        entries.append(Entry(f"glmm, {extra} (its default)", lambda: fit_glmm(problem, frame, {})))
    return entries
