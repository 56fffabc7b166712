"""Under both houses: conditional modes of the group effects and the Laplace-marginal log-likelihood with its gradient."""
