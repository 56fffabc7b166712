"""Every classical method fits in a process that never loads PyMC or ArviZ."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys, warnings
warnings.simplefilter("ignore")
import bayesglmm as bg
model = bg.GLMM("incidence | trials(size) ~ period + (1 | herd)", bg.load_dataset("cbpp"), family="binomial")
linear = bg.GLMM("yield ~ 1 + (1 | batch)", bg.load_dataset("dyestuff"))
fits = [model.fit(m) for m in ("laplace", "agq", "gauss_hermite", "pql", "mql", "gee", "fixed")]
fits += [model.fit("mcml", seed=1), linear.fit("ml"), linear.fit("reml")]
bg.compare(*fits[:4])
print([m for m in ("pymc", "pytensor", "nutpie", "arviz", "arviz_base") if m in sys.modules], len(fits))
"""


def test_no_classical_method_imports_pymc() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] 10"
