"""Write the simulated data sets as CSV files: ``python -m bayesglmm.datasets.simulated FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

from bayesglmm.datasets.simulated import GENERATORS
from bayesglmm.datasets.simulated.text import csv_bytes


def main() -> None:
    """Write every data set into the folder that is named, the present one if none is."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
    for name, simulate in GENERATORS.items():
        frame = simulate()
        (folder / f"{name}.csv").write_bytes(csv_bytes(frame))
        print(f"{folder / name}.csv: {len(frame)} rows")


if __name__ == "__main__":
    main()
