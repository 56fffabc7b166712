"""How large a formula may be.

Formulas come from files that somebody sent: reading one must take a bounded time and a bounded stack, whatever
it says.
"""

from __future__ import annotations

from typing import Final

__all__ = ["MAX_CHARACTERS", "MAX_DEPTH", "MAX_SUMMANDS", "MAX_TERMS", "MAX_WRITTEN"]

MAX_CHARACTERS: Final = 100_000
#: Levels of brackets, and height of the tree. A bracket costs up to seven frames of Python's stack of 1000.
MAX_DEPTH: Final = 50
#: Terms after `*`, `/` and `**` are written out; `(a + b + ...) ** 20` can say more than any memory holds.
MAX_TERMS: Final = 1_000
#: Characters of all these terms together.
MAX_WRITTEN: Final = 200_000
#: Summands inside a function. formulae walks such a sum by recursion.
MAX_SUMMANDS: Final = 100
