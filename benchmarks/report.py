"""What the benchmarks' reports share."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["load", "write"]


def load() -> str:
    """Return the load average over one minute."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def write(path: Path, text: str) -> None:
    """Replace a file as a whole, so that no reader meets half a table."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as stream:
        stream.write(text)
    Path(stream.name).chmod(0o644)
    Path(stream.name).replace(path)
