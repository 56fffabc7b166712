"""How a simulated frame becomes a file: the same bytes on every system."""

from __future__ import annotations

import pandas as pd

__all__ = ["csv_bytes"]


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """Return a frame as CSV text, lines ended as on Unix, missing values empty."""
    return frame.to_csv(index=False, lineterminator="\n").encode("utf-8")
