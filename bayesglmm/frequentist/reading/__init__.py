"""What a fit says beyond its parameters: shrinkage of group means, conditional against marginal coefficients."""
