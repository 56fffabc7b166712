"""A mapping that refuses change, so that specifications can be hashed, compared and shared."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["FrozenDict"]


class FrozenDict[K, V](dict[K, V]):
    """A dict that cannot be changed; it hashes by its content, whatever the order."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("a specification is frozen; make a new one (model_copy, or the constructor) instead.")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[type[FrozenDict[K, V]], tuple[dict[K, V]]]:
        # dict's own protocol would restore the items one by one, which is refused.
        return type(self), (dict(self),)
