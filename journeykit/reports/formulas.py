"""Formulas as MathML: browsers lay them out themselves, without a script and without a font from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import escape
from typing import Final

_TOKEN: Final = re.compile(r"\\[A-Za-z]+|\\.|[0-9]+(?:\.[0-9]+)?|[A-Za-z]|[{}^_]|\S")

GREEK: Final = dict(
    zip(
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
        "omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega".split(),
        "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ",
        strict=True,
    )
)
OPERATORS: Final = {
    "cdot": "⋅", "times": "×", "pm": "±", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠",
    "approx": "≈", "sim": "∼", "in": "∈", "to": "→", "infty": "∞", "partial": "∂", "mid": "|", "ldots": "…",
    "sum": "∑", "prod": "∏", "int": "∫", "log": "log", "ln": "ln", "exp": "exp", "min": "min", "max": "max",
}  # fmt: skip
_BIG: Final = {"∑", "∏"}
_ACCENTS: Final = {"hat": "^", "bar": "¯", "tilde": "~"}
_TEXT: Final = ("text", "mathrm", "operatorname")

_INLINE: Final = re.compile(r"(?<![\\$])\$\$(.+?)\$\$|(?<![\\$\w])\$(?![\s$])([^$\n]+?)(?<![\s\\])\$(?![\d\w])", re.S)


def mathml(formula: str, *, block: bool = False) -> str:
    r"""Turn a formula in TeX's notation into MathML.

    Letters, numbers, operators, Greek, `^`, `_`, `\frac`, `\sqrt`, `\sum` and
    its like, `\hat`, `\bar`, `\text` and brackets are known; anything else
    stands as it is written.

    Parameters
    ----------
    formula : str
        Without the dollar signs.
    block : bool
        Whether it stands on a line of its own.

    Returns
    -------
    str
        Harmless: whatever the formula says, it is text in elements made here.

    Examples
    --------
    >>> mathml("p_i^2")
    '<math><msubsup><mi>p</mi><mi>i</mi><mn>2</mn></msubsup></math>'
    >>> mathml("<script>")
    '<math><mo>&lt;</mo><mi>s</mi><mi>c</mi><mi>r</mi><mi>i</mi><mi>p</mi><mi>t</mi><mo>&gt;</mo></math>'
    """
    display = ' display="block"' if block else ""
    return f"<math{display}>{_Reader(formula).row(None)}</math>"


def with_formulas(source: str, render: Callable[[str], str]) -> str:
    """Render a text whose formulas stand between dollar signs; what renders it never sees them.

    Parameters
    ----------
    source : str
        Markdown with `$…$` in the line and `$$…$$` apart.
    render : callable
        Markdown → harmless HTML.

    Returns
    -------
    str
        HTML with MathML.

    Examples
    --------
    >>> with_formulas("costs $5 and $6; rate $p$", str)
    'costs $5 and $6; rate <math><mi>p</mi></math>'
    """
    found: list[str] = []

    def keep(match: re.Match[str]) -> str:
        found.append(mathml(match[1] or match[2], block=match[1] is not None))
        return f"jkformula{len(found) - 1}x"

    html = render(_INLINE.sub(keep, source.replace("jkformula", "jk formula")))
    return re.sub(r"jkformula(\d+)x", lambda match: found[int(match[1])], html)


class _Reader:
    """Reads tokens one after the other."""

    def __init__(self, formula: str) -> None:
        self.formula = formula
        self.tokens: Iterator[re.Match[str]] = _TOKEN.finditer(formula)
        self.ahead: re.Match[str] | None = next(self.tokens, None)

    def take(self) -> str:
        token = self.ahead
        self.ahead = next(self.tokens, None)
        return token[0] if token else ""

    def row(self, end: str | None) -> str:
        """Everything up to an end, each piece with what stands above and below it."""
        pieces = []
        while self.ahead and self.ahead[0] != end:
            pieces.append(self.scripted())
        if end is not None:
            self.take()
        return "".join(pieces)

    def scripted(self) -> str:
        base, low, high = self.piece(), "", ""
        while self.ahead and self.ahead[0] in "_^":
            if self.take() == "_":
                low = self.piece()
            else:
                high = self.piece()
        over = "munderover" if base in {f"<mo>{sign}</mo>" for sign in _BIG} else "msubsup"
        names = {"munderover": ("munder", "mover"), "msubsup": ("msub", "msup")}[over]
        if low and high:
            return f"<{over}>{base}{low}{high}</{over}>"
        if low or high:
            name = names[0] if low else names[1]
            return f"<{name}>{base}{low or high}</{name}>"
        return base

    def piece(self) -> str:
        token = self.take()
        if token == "{":
            return f"<mrow>{self.row('}')}</mrow>"
        if token.startswith("\\"):
            return self.command(token[1:])
        if token[:1].isdigit():
            return f"<mn>{token}</mn>"
        return f"<mi>{escape(token)}</mi>" if token.isalpha() else f"<mo>{escape(token)}</mo>"

    def command(self, name: str) -> str:
        if name == "frac":
            return f"<mfrac>{self.piece()}{self.piece()}</mfrac>"
        if name == "sqrt":
            return f"<msqrt>{self.piece()}</msqrt>"
        if name in _ACCENTS:
            return f"<mover accent='true'>{self.piece()}<mo>{_ACCENTS[name]}</mo></mover>"
        if name in _TEXT:
            return f"<mtext>{escape(self.words())}</mtext>"
        if name in ("left", "right"):
            return self.piece() if self.ahead else ""
        if name in GREEK:
            return f"<mi>{GREEK[name]}</mi>"
        if name in OPERATORS:
            return f"<mo>{OPERATORS[name]}</mo>"
        return f"<mtext>{escape(name)}</mtext>" if name.isalpha() else f"<mo>{escape(name)}</mo>"

    def words(self) -> str:
        """The words in braces, with their spaces."""
        if not self.ahead or self.ahead[0] != "{":
            return self.take()
        start = self.ahead.end()
        stop = self.formula.find("}", start)
        stop = len(self.formula) if stop < 0 else stop
        self.skip_to(stop)
        return self.formula[start:stop]

    def skip_to(self, stop: int) -> None:
        """Pass over everything up to a place."""
        while self.ahead and self.ahead.start() <= stop:
            self.take()
