"""Coordinates in which a posterior is nearly standard normal: no approximation enters, only the geometry changes.

`fit` goes from a model to its coordinates: `conditional` has the partial centring at a penalised fit, `curvature` the
second derivatives there, `arrow` the linear map, `affine` its C function, `tails` the coordinates of standard
deviations near 0, `rough` what is left where there is no fit, `dense` the few parameters of a Gaussian model's marginal
density.
"""
