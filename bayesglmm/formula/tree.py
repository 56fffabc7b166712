"""The typed tree of a formula: what was written, not yet what it means for any data.

Two trees are equal when they say the same thing; where a node stood in the text (`position`) is kept for
error messages and never compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

__all__ = [
    "Binary",
    "Call",
    "Common",
    "Contrast",
    "Factor",
    "Formula",
    "GroupTerm",
    "Literal",
    "Name",
    "Node",
    "Number",
    "Response",
    "Sum",
    "Unary",
]


@dataclass(frozen=True)
class Contrast:
    """A coding of categories, ``Treatment("a")`` or ``Sum("a")``: an option of ``C()``.

    Attributes
    ----------
    scheme : str
        ``"Treatment"`` or ``"Sum"``.
    level : str, int, float or None
        The reference level (treatment) or the level left out (sum to zero); None leaves the default.
    """

    scheme: str
    level: str | int | float | None = None


type Literal = bool | int | float | str | Contrast
type Node = Name | Number | Call | Sum | Binary | Unary


@dataclass(frozen=True)
class Name:
    """A column of the data, whatever its name is."""

    name: str
    position: int = field(default=0, compare=False, repr=False, kw_only=True)
    depth: ClassVar[int] = 1


@dataclass(frozen=True)
class Number:
    """A finite number >= 0; a negative one is a `Unary` around it."""

    value: int | float
    position: int = field(default=0, compare=False, repr=False, kw_only=True)
    depth: ClassVar[int] = 1


@dataclass(frozen=True)
class Call:
    """A declared function of columns.

    Attributes
    ----------
    function : str
        A name in ``FUNCTIONS``.
    arguments : tuple of Node
        The expressions it is applied to.
    options : tuple of (str, Literal)
        Options that were given, by name, in declared order.
    depth : int
        Height of the tree below and including this node.
    """

    function: str
    arguments: tuple[Node, ...]
    options: tuple[tuple[str, Literal], ...] = ()
    position: int = field(default=0, compare=False, repr=False, kw_only=True)
    depth: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", 1 + max((a.depth for a in self.arguments), default=0))


@dataclass(frozen=True)
class Sum:
    """Two or more terms with + between them.

    Flat, so that a sum of a thousand columns is not a thousand levels deep. A sum that begins with a sum is one
    sum.
    """

    terms: tuple[Node, ...]
    position: int = field(default=0, compare=False, repr=False, kw_only=True)
    depth: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        first = self.terms[0]
        if isinstance(first, Sum):
            object.__setattr__(self, "terms", (*first.terms, *self.terms[1:]))
        object.__setattr__(self, "depth", 1 + max(t.depth for t in self.terms))


@dataclass(frozen=True)
class Binary:
    """``left op right`` with op one of ``- : * / **``."""

    op: str
    left: Node
    right: Node
    position: int = field(default=0, compare=False, repr=False, kw_only=True)
    depth: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", 1 + max(self.left.depth, self.right.depth))


@dataclass(frozen=True)
class Unary:
    """``-operand``, inside the arithmetic of a function."""

    op: str
    operand: Node
    position: int = field(default=0, compare=False, repr=False, kw_only=True)
    depth: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", 1 + self.operand.depth)


@dataclass(frozen=True)
class Response:
    """The left side: ``expression | trials(n) + se(s) + weights(w)``.

    Attributes
    ----------
    expression : Node
        A column, or a function of columns such as ``log(y)``; a column where ``trials`` is given.
    trials : Name, Number or None
        Number of binomial trials of a row; ``p(s, n)`` and ``s | trials(n)`` are the same.
    se : Name or None
        Known standard error of a row, in the units of the response.
    weights : Name or None
        What a row's log-likelihood is multiplied by.
    """

    expression: Node
    trials: Name | Number | None = None
    se: Name | None = None
    weights: Name | None = None


@dataclass(frozen=True)
class Common:
    """A linear predictor's common part, or the effects of a group term.

    Attributes
    ----------
    terms : Node or None
        The expression without intercept markers and offsets; None if nothing is left.
    intercept : bool
        Whether there is an intercept (there is unless ``0 +`` or ``- 1`` takes it away).
    offsets : tuple of Node
        What stood inside each ``offset(...)``.
    """

    terms: Node | None = None
    intercept: bool = True
    offsets: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Factor:
    """A grouping factor: the combinations of these columns that occur in the data."""

    columns: tuple[str, ...]


@dataclass(frozen=True)
class GroupTerm:
    """Effects that vary by group.

    Attributes
    ----------
    effects : Common
        What varies, without offsets.
    factor : Factor
        By what it varies.
    correlated : bool
        True for ``(1 + x | g)``, False for ``(1 + x || g)``. Always True for an intercept alone.
    structure : str or None
        None for these two; ``"ar1"``, ``"cs"`` or ``"known"`` otherwise.
    options : tuple of (str, Literal)
        Options of the structure.
    by : str or None
        Column whose levels the levels of the factor belong to, each with covariance parameters of its own.
    """

    effects: Common
    factor: Factor
    correlated: bool = True
    structure: str | None = None
    options: tuple[tuple[str, Literal], ...] = ()
    by: str | None = None
    position: int = field(default=0, compare=False, repr=False, kw_only=True)

    def __str__(self) -> str:
        from bayesglmm.formula.printer import group_text

        return group_text(self)


@dataclass(frozen=True)
class Formula:
    """A whole formula; ``str()`` gives its canonical text, which `parse` reads back to an equal tree."""

    response: Response
    common: Common
    groups: tuple[GroupTerm, ...] = ()

    def __str__(self) -> str:
        from bayesglmm.formula.printer import formula_text

        return formula_text(self)
