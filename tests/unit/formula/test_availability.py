from __future__ import annotations

import pytest

from bayesglmm.errors import NotAvailableError
from bayesglmm.formula import parse, require_available


@pytest.mark.parametrize("text", ["y ~ x", "y ~ (x | g) + (x || h)", "y ~ us(x | g) + diag(x | h)", "y ~ (1 | a/b)"])
def test_available(text: str) -> None:
    formula = parse(text)
    require_available(formula)  # raises nothing
    assert all(term.structure is None for term in formula.groups)


@pytest.mark.parametrize(
    ("term", "shown"),
    [
        ("ar1(0 + time | g)", r"ar1\(0 \+ time \| g\) is not available yet"),
        ("cs(x | a/b)", r"cs\(1 \+ x \| a\), cs\(1 \+ x \| a:b\) are not available yet"),
        ('known(1 | animal, "A")', r'known\(1 \| animal, "A"\) is not available yet'),
    ],
)
def test_refused_with_what_there_is(term: str, shown: str) -> None:
    formula = parse(f"y ~ x + {term}")
    with pytest.raises(NotAvailableError, match=shown + r".*\(1 \+ x \| g\).*us\(.*\(1 \+ x \|\| g\).*diag\("):
        require_available(formula)
