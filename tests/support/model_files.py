"""The files of models/."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[2] / "models"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))
READY = [FOLDER / f"{name}.toml" for name in NAMES]
