"""Under both houses: conditional modes of the group effects, the Laplace-marginal log-likelihood and its gradient."""
