"""Classical fits of the same specification: one estimator a file, one result type."""
