"""Exact Bayesian inference: NUTS on the compiled density or on the PyMC graph, the posterior and its verdict."""
