"""lme4 and glmmTMB, fitted and timed by one process of R that answers requests (`frequentist.R`)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import pandas as pd
from entries import AbsentError, Entry, Run
from problems import Problem

__all__ = ["R", "r_entries"]

SERVER = Path(__file__).resolve().with_name("frequentist.R")


class R:
    """A process of R that fits on request (`frequentist.R`)."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("Rscript")
        if program is None:
            raise AbsentError("Rscript")
        self.folder = folder
        self.process = subprocess.Popen(
            [program, "--vanilla", str(SERVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=600)

    def ask(self, *words: str) -> list[str]:
        """Send one request, return the fields of the answer; RuntimeError with R's words if it failed."""
        self.process.stdin.write("\t".join(words) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            mark, *fields = line.rstrip("\n").split("\t")
            if mark == "=":
                return fields
            if mark == "!":
                raise RuntimeError(fields[0])
        raise AbsentError("R ended; are lme4 and glmmTMB installed?")

    def load(self, frame: pd.DataFrame) -> None:
        """Give R the data frame: values as csv, the levels of factors in their order beside it."""
        data, levels = self.folder / "data.csv", self.folder / "levels.csv"
        frame.to_csv(data, index=False)
        factors = [name for name in frame if isinstance(frame[name].dtype, pd.CategoricalDtype)]
        pairs = [(name, level) for name in factors for level in frame[name].cat.categories]
        pd.DataFrame(pairs, columns=["column", "level"]).to_csv(levels, index=False)
        self.ask("load", str(data), str(levels))

    def fit(self, call: str) -> Run:
        """Fit once; the seconds are R's own, of the call alone."""
        wall, cpu, loglik, warning = self.ask("fit", call)
        return Run(float(wall), None, float(cpu), float(loglik), warning[:160])


def r_calls(problem: Problem) -> dict[str, str]:
    """Return label -> call in R on the data frame d."""
    formula, family = problem.lme4_formula, problem.their_family
    if problem.method == "reml":
        plain = {
            "lme4": f"lmer({formula}, d)",
            "lme4, calc.derivs = FALSE": f"lmer({formula}, d, control = lmerControl(calc.derivs = FALSE))",
        }
        return plain | {"glmmTMB": f"glmmTMB({formula}, d, REML = TRUE)"}
    start = f"glmer({formula}, d, {family}, nAGQ = {problem.options.get('points', 1)}"
    plain = {
        "lme4": f"{start})",
        "lme4, calc.derivs = FALSE": f"{start}, control = glmerControl(calc.derivs = FALSE))",
    }
    return plain if problem.method == "agq" else plain | {"glmmTMB": f"glmmTMB({formula}, d, {family})"}


def r_entries(problem: Problem, frame: pd.DataFrame, r: R | None) -> list[Entry]:
    """Return lme4's and glmmTMB's ways."""
    if r is None:
        return []
    r.load(frame)
    return [Entry(label, lambda call=call: r.fit(call)) for label, call in r_calls(problem).items()]
