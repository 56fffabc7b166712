"""A place in the list of tokens: the only thing about parsing that changes while it goes on."""

from __future__ import annotations

from bayesglmm.errors import FormulaError
from bayesglmm.formula.tokens import Token, shown

__all__ = ["Cursor"]


class Cursor:
    """Walks over the tokens of one formula.

    Parameters
    ----------
    text : str
        The formula, for error messages.
    tokens : list of Token
        Its tokens, the last of kind ``"end"``.

    Attributes
    ----------
    bars : dict of int to int
        Index of an opening bracket -> index of the ``|`` or ``||`` that stands directly inside it.
    """

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text = text
        self.tokens = tokens
        self.at = 0
        self.bars = _bars(tokens)

    @property
    def token(self) -> Token:
        """The token that comes next."""
        return self.tokens[self.at]

    @property
    def following(self) -> str:
        """Kind of the token after the next one."""
        return self.tokens[min(self.at + 1, len(self.tokens) - 1)].kind

    def take(self) -> Token:
        """Return the next token and step over it; the end is never stepped over."""
        token = self.tokens[self.at]
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def skip(self, kind: str) -> bool:
        """Step over the next token if it is of this kind."""
        if self.token.kind != kind:
            return False
        self.take()
        return True

    def calls(self) -> bool:
        """Whether a function's name and its opening bracket come next."""
        return self.token.kind == "name" and not self.token.quoted and self.following == "("

    def follows(self, word: str, sign: str) -> bool:
        """Whether a comma comes next, then this word and this sign: the keyword of an option."""
        after = [self.tokens[min(self.at + k, len(self.tokens) - 1)] for k in range(3)]
        named = after[1].kind == "name" and not after[1].quoted and after[1].value == word
        return after[0].kind == "," and named and after[2].kind == sign

    def close(self, opened: Token) -> None:
        """Step over the bracket that closes ``opened``."""
        if self.token.kind == "end":
            raise self.error("This bracket is never closed.", opened)
        if self.token.kind == "~":
            raise self.error("This bracket is not closed before '~'.", opened)
        if not self.skip(")"):
            raise self.unexpected()

    def error(self, problem: str, where: Token | int | None = None) -> FormulaError:
        """Return an error that points at a token, at an offset, or at the next token."""
        where = self.token if where is None else where
        return FormulaError(problem, self.text, where if isinstance(where, int) else where.position)

    def unexpected(self) -> FormulaError:
        """Return an error about a token that cannot follow what was read so far."""
        match self.token:
            case Token(kind="end"):
                return self.error("The formula ends too early: a column, a number or '(' is missing here.")
            case Token(kind="name" | "number" | "(", value=value):
                return self.error(f"A sign such as + or : is missing before {shown(str(value))}.")
            case Token(kind="text"):
                return self.error('Text in quotes can only be an option, as in C(x, Treatment("a")).')
            case Token(kind=")"):
                return self.error("This ')' closes nothing here.")
            case Token(kind=","):
                return self.error("A comma only stands between what a function is given.")
            case Token(kind="="):
                return self.error("'=' only names an option of a function; the response is followed by '~'.")
            case Token(kind="|" | "||"):
                return self.error(
                    "A bar only stands in a group term, (1 | group), or after the response, y | weights(w)."
                )
            case Token(kind=kind):
                return self.error(f"Before '{kind}' a column, a number or '(' is missing.")


def _bars(tokens: list[Token]) -> dict[int, int]:
    bars: dict[int, int] = {}
    opened: list[int] = []
    for index, token in enumerate(tokens):
        if token.kind == "(":
            opened.append(index)
        elif token.kind == ")" and opened:
            opened.pop()
        elif token.kind in ("|", "||") and opened:
            bars.setdefault(opened[-1], index)
    return bars
