"""Counts in words: ``1 row``, ``3 rows``."""

from __future__ import annotations

__all__ = ["count"]


def count(number: int, noun: str) -> str:
    """Return ``"1 level"``, ``"3 levels"``, ``"0 levels"``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
