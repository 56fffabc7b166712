"""The files of models/: those that this version reads, and those that wait for a feature."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[2] / "models"
#: Files that need a feature which this version does not have, and the key that asks for it.
PENDING = {
    "range_negbin": "family",
    "wine": "family",
    "ovary_ar1": "residual",
    "glucose_car1": "residual",
    "orthodont_cs": "residual",
}
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))
READY = [FOLDER / f"{name}.toml" for name in NAMES if name not in PENDING]
