"""From a starting point to a maximum: objective, scoring, quasi-Newton, Newton, the edge, and the record of it all."""
