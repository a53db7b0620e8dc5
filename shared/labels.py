"""The classes a model tells apart, under the folder names of the Kaggle set "Handwritten math symbols"."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.errors import DataError, SettingsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ARITHMETIC = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "+", "-", "times", "div", "=", "(", ")")
ALGEBRA = (*ARITHMETIC, "x", "y", "z", "a", "b", "c", "forward_slash")
# fmt: off
ALL = (
    *ALGEBRA,
    "!", ",", ".", "[", "]", "{", "}", "ascii_124", "prime",
    "A", "B", "C", "E", "F", "G", "H", "I", "L", "M", "N", "P", "R", "S", "T", "V", "X", "Y",
    "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w",
    "alpha", "beta", "gamma", "Delta", "theta", "lambda", "mu", "pi", "sigma", "phi",
    "sin", "cos", "tan", "log", "lim", "sqrt", "sum", "int", "infty", "ldots", "rightarrow",
    "pm", "neq", "leq", "geq", "lt", "gt", "in", "forall", "exists",
)

# LaTeX, Unicode and everyday spellings of a label; the label itself always works.
_SPELLINGS = {
    "\\times": "times", "×": "times", "*": "times",
    "\\div": "div", "÷": "div",
    "−": "-", "\\minus": "-", "/": "forward_slash", "\\slash": "forward_slash",
    "<": "lt", "\\lt": "lt", ">": "gt", "\\gt": "gt",
    "|": "ascii_124", "\\vert": "ascii_124", "\\mid": "ascii_124", "\\lvert": "ascii_124", "\\rvert": "ascii_124",
    "\\{": "{", "\\}": "}", "\\lbrace": "{", "\\rbrace": "}",
    "\\leq": "leq", "\\le": "leq", "≤": "leq", "\\geq": "geq", "\\ge": "geq", "≥": "geq",
    "\\neq": "neq", "\\ne": "neq", "≠": "neq", "\\pm": "pm", "±": "pm",
    "\\alpha": "alpha", "\\beta": "beta", "\\gamma": "gamma", "\\Delta": "Delta", "\\theta": "theta",
    "\\lambda": "lambda", "\\mu": "mu", "\\pi": "pi", "π": "pi", "\\sigma": "sigma", "\\phi": "phi",
    "\\sin": "sin", "\\cos": "cos", "\\tan": "tan", "\\log": "log", "\\lim": "lim",
    "\\sqrt": "sqrt", "√": "sqrt", "\\sum": "sum", "∑": "sum", "\\int": "int", "∫": "int",
    "\\infty": "infty", "∞": "infty", "\\ldots": "ldots", "\\cdots": "ldots", "\\dots": "ldots",
    "\\rightarrow": "rightarrow", "\\to": "rightarrow", "→": "rightarrow",
    "\\in": "in", "\\forall": "forall", "\\exists": "exists", "'": "prime", "\\prime": "prime",
    "COMMA": ",", "\\comma": ",", "comma": ",", "dot": ".", "dec": ".", "decimal": ".", "period": ".",
    "plus": "+", "add": "+", "addition": "+", "addition_plus": "+",
    "minus": "-", "sub": "-", "subtraction": "-", "subtraction_minus": "-", "hyphen": "-",
    "mul": "times", "multiply": "times", "multiplication": "times", "multiplication_sign": "times",
    "multiplication_cross": "times", "asterisk": "times",
    "divide": "div", "division": "div", "division_sign": "div", "division_obelus": "div", "obelus": "div",
    "slash": "forward_slash", "division_slash": "forward_slash",
    "equals": "=", "equal": "=", "eq": "=",
    "left_parenthesis": "(", "left_paren": "(", "lparen": "(", "open_parenthesis": "(",
    "right_parenthesis": ")", "right_paren": ")", "rparen": ")", "close_parenthesis": ")",
    "pipe": "ascii_124", "vertical_bar": "ascii_124", "exclamation": "!", "factorial": "!",
    # A raised dot means "times" but does not look it: a class of its own, or the cross would be learnt from dots.
    "\\cdot": "cdot", "·": "cdot", "⋅": "cdot", "multiplication_dot": "cdot",
}
# fmt: on


def canonical_label(spelling: str) -> str:
    """Return the label that a spelling stands for: ``\\times`` and ``×`` are ``times``; a label is itself.

    A spelling nobody knows comes back unchanged, so that a user's own classes keep their names.
    """
    text = spelling.strip()
    return _SPELLINGS.get(text, text)


@dataclass(frozen=True)
class LabelSet:
    """An ordered set of classes; the position of a label is its class index.

    Attributes:
        name: what a command line calls it.
        labels: the class names, in the order of the model's outputs.
    """

    name: str
    labels: tuple[str, ...]
    _index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.labels:
            raise SettingsError(f"label set {self.name!r} is empty; name at least one class")
        index = {label: i for i, label in enumerate(self.labels)}
        if len(index) != len(self.labels):
            twice = sorted({label for label in self.labels if self.labels.count(label) > 1})
            raise SettingsError(f"label set {self.name!r} names {', '.join(twice)} twice; name each class once")
        object.__setattr__(self, "_index", index)

    def __len__(self) -> int:
        return len(self.labels)

    def __contains__(self, label: object) -> bool:
        return label in self._index

    def encode(self, labels: Iterable[str]) -> NDArray[np.int32]:
        """Turn labels into class indices, ``(n,) int32``.

        Raises:
            DataError: a label is not in this set.
        """
        # Not above: what only spells labels, such as the process that computes values, does without NumPy.
        import numpy as np

        try:
            return np.fromiter((self._index[label] for label in labels), np.int32)
        except KeyError as error:
            raise DataError(f"label {error.args[0]!r} is not in the label set {self.name!r}") from None

    def decode(self, indices: Iterable[int]) -> list[str]:
        """Turn class indices into labels."""
        return [self.labels[int(i)] for i in indices]


LABEL_SETS = {
    "arithmetic": LabelSet("arithmetic", ARITHMETIC),
    "algebra": LabelSet("algebra", ALGEBRA),
    "all": LabelSet("all", ALL),
}


def label_set(name: str) -> LabelSet:
    """Return the label set of this name.

    Raises:
        SettingsError: there is none; the message names those there are.
    """
    try:
        return LABEL_SETS[name]
    except KeyError:
        raise SettingsError(f"no label set is called {name!r}; choose {', '.join(LABEL_SETS)}") from None
