"""Linear mixed models by the profiled criterion."""
