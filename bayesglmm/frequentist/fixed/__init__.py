"""Groups as fixed effects."""
