"""Published and simulated data sets, tidied: CSV files, one catalogue, one loader."""

from __future__ import annotations

from bayesglmm.datasets.loader import list_datasets, load_dataset

__all__ = ["list_datasets", "load_dataset"]
