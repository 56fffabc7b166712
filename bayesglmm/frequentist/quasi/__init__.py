"""Penalised and marginal quasi-likelihood: a linear mixed model fitted again and again to a working response."""
