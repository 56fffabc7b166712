"""The flow of ARCHITECTURE.md holds in the code: no import runs back, and only two places import PyMC."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import bayesglmm

ROOT = Path(bayesglmm.__file__).parent

# A module may import from its own layer and from those before it.
LAYERS = (
    ("errors", "compiled", "counting"),
    ("formula", "datasets", "left_out", "schema", "source_text", "title"),
    ("priors", "families", "covariance", "spec_problems"),
    ("spec",),
    ("specfile", "spec_tables", "overrides", "data_path", "toml_source", "toml_positions", "coding", "parts", "visits"),
    ("factor", "grouping", "auxiliary"),
    ("residual",),
    ("design",),
    ("validate",),
    ("build",),
    ("parameters", "naming"),
    ("density", "engine", "pymc_family", "pymc_model", "pymc_source", "describe", "equation"),
    ("bayes", "frequentist"),
    ("published", "partings"),
    ("comparison", "model"),
    ("run", "outputs"),
    ("cli",),
    ("__main__",),
)
LAYER_OF = {name: k for k, layer in enumerate(LAYERS) for name in layer}


def modules() -> list[Path]:
    return sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py")


def top(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports_of(path: Path) -> set[str]:
    """Return modules that a file imports when it runs (imports for type checkers do not count)."""
    found: set[str] = set()
    tree = ast.parse(path.read_text())
    skipped = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_no_import_runs_back(path: Path) -> None:
    here = name_of(path)
    assert here in LAYER_OF, f"{here} has no place in LAYERS: say where it belongs"
    for module in imports_of(path):
        if module.startswith("bayesglmm."):
            there = top(module)
            assert LAYER_OF[there] <= LAYER_OF[here], f"{path.name} imports {module}, which comes after it"


def test_the_two_houses_do_not_know_each_other() -> None:
    for path in modules():
        other = {"bayes": "bayesglmm.frequentist", "frequentist": "bayesglmm.bayes"}.get(name_of(path))
        if other:
            assert not [m for m in imports_of(path) if m.startswith(other)], path


def test_only_the_graph_and_the_samplers_import_pymc() -> None:
    for path in modules():
        uses = {m.split(".")[0] for m in imports_of(path)} & {
            "pymc",
            "pytensor",
            "nutpie",
            "numpyro",
            "blackjax",
            "bambi",
        }
        if uses:
            assert name_of(path) in ("pymc_model", "bayes"), f"{path} imports {uses}"


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_import_bayesglmm_loads_nothing_heavy() -> None:
    heavy = (
        "numpy",
        "pandas",
        "numba",
        "scipy",
        "pymc",
        "arviz",
        "nutpie",
        "formulae",
        "pydantic",
        "rich",
        "xarray",
    )
    assert run(f"import sys, bayesglmm; print([m for m in {heavy} if m in sys.modules])") == "[]"


def test_a_classical_fit_never_imports_pymc() -> None:
    code = (
        "import sys, bayesglmm as bg\n"
        "data = bg.load_dataset('multicenter')\n"
        "fit = bg.GLMM('favorable | trials(n) ~ treatment + (1 | clinic)', data, family='binomial').fit('laplace')\n"
        "print([m for m in ('pymc', 'pytensor', 'nutpie', 'arviz') if m in sys.modules], round(fit.loglik, 4))"
    )
    assert run(code) == "[] -37.1006"


def test_public_names_are_few_written_out_and_there() -> None:
    assert len(bayesglmm.__all__) <= 25
    for name in bayesglmm.__all__:
        assert getattr(bayesglmm, name) is not None
    with pytest.raises(AttributeError, match="its public names are"):
        bayesglmm.sampel  # noqa: B018
