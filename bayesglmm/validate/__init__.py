"""Everything that can be wrong with data, said at once, before anything is compiled.

`validate_columns` looks at the columns before they are coded, `validate` at what was coded from them. An
error of one column keeps no other from being examined: when `validate_columns` has found one, it also runs
the later checks on whatever is sound, so that all that is wrong is heard in one go.
"""

from __future__ import annotations

from bayesglmm.validate.check import validate, validate_columns

__all__ = ["validate", "validate_columns"]
