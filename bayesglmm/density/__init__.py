"""The joint log density of data, group effects and parameters, and its gradient: one compiled kernel for all models."""

from bayesglmm.density.centring import Centring
from bayesglmm.density.joint import JointDensity
from bayesglmm.density.layout import Layout

__all__ = ["Centring", "JointDensity", "Layout"]
