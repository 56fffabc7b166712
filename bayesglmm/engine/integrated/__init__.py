"""Gaussian models with coefficients and group effects integrated out exactly.

`gaussian` is the density as an object; `kernel` its value and gradient, `alone` and `classes` the case of one term
alone, `tree` and `moments` nested and crossed terms, `leaves` the lowest of nested ones, `completion` the draws of what
was integrated out.
"""

from bayesglmm.engine.integrated.gaussian import GaussianMarginal

__all__ = ["GaussianMarginal"]
