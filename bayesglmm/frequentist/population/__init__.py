"""Population averages: generalized estimating equations."""
