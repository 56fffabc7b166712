"""The files of models/."""

from __future__ import annotations

import hashlib
from pathlib import Path

import bayesglmm as bg

FOLDER = Path(__file__).parents[2] / "models"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))
READY = [FOLDER / f"{name}.toml" for name in NAMES]


def fingerprint(model: bg.GLMM) -> str:
    """Return a checksum of what is modelled: formula, family, priors, data; not of how it is sampled or described."""
    priors = "; ".join(str(p) for p in model.parameters.scalars)
    text = f"{model.spec.formula} {model.spec.family} {priors}"
    return hashlib.sha256(text.encode() + model.design.y.tobytes() + model.design.X.tobytes()).hexdigest()[:16]
