"""How a class of symbol is spelt in text and in LaTeX, and what part it plays on a line."""

from __future__ import annotations

from shared.labels import ALL

_TEXT = {
    "times": "*",
    "div": "/",
    "forward_slash": "/",
    "lt": "<",
    "gt": ">",
    "leq": "<=",
    "geq": ">=",
    "prime": "'",
    "ascii_124": "|",
}
# sqrt has no layout of its own, so it is the bare sign; a prime as `'` would be a second superscript after a power.
_LATEX = {
    "times": "\\times ",
    "div": "\\div ",
    "forward_slash": "/",
    "lt": "<",
    "gt": ">",
    "prime": "\\prime ",
    "ascii_124": "|",
    "sqrt": "\\surd ",
    "{": "\\{",
    "}": "\\}",
}
_ESCAPED = {
    "\\": "\\backslash ",
    "^": "\\wedge ",
    "~": "\\sim ",
    **{character: f"\\{character}" for character in "#$%&_{}"},
}

WORDS = frozenset(label for label in ALL if len(label) > 1 and label.isalpha())
"""Labels of several letters: in a text, such a run of letters is that label and not a product of letters."""

DIGITS = frozenset("0123456789")
SUMMING = frozenset({"+", "-", "pm"})
DIVIDING = frozenset({"div", "forward_slash"})
MULTIPLYING = DIVIDING | {"times", "cdot"}
RELATIONS = frozenset({"=", "lt", "gt", "leq", "geq", "neq", "in", "rightarrow"})
CLOSING_OF = {"(": ")", "[": "]", "{": "}"}
OPENING = frozenset(CLOSING_OF)
CLOSING = frozenset(CLOSING_OF.values())
SEPARATING = SUMMING | MULTIPLYING | RELATIONS | {","}
"""Labels that end what stands left of them and begin something new: beside them, no product is meant."""


def is_digit(label: str) -> bool:
    """Return whether a number may be made of this label: the digits and the point."""
    return label in DIGITS or label == "."


def is_letter(label: str) -> bool:
    """Return whether a label is a single letter."""
    return len(label) == 1 and label.isalpha()


def label_text(label: str) -> str:
    """Return a label as it stands in a text: ``*`` for ``times``, ``/`` for both signs of division, names as names."""
    return _TEXT.get(label, label)


def label_latex(label: str) -> str:
    """Return a label in LaTeX; a command ends with a space. Classes that LaTeX has no sign for are set upright."""
    if label in _LATEX:
        return _LATEX[label]
    if label in WORDS or label == "cdot":
        return f"\\{label} "
    escaped = "".join(_ESCAPED.get(character, character) for character in label)
    return escaped if len(label) == 1 else f"\\mathrm{{{escaped}}}"
