"""The JSON of a reading: exactly the shape that is promised."""

from __future__ import annotations

import json

import numpy as np

from edge_client.expression import Value
from edge_client.expression.row import Bar, Raised, Sign
from edge_client.reading import Line, Reading, Symbol
from edge_client.reading_json import as_json
from edge_client.vision.ink import InkPage, InkPart


def symbol(label: str, *, x: int = 0, alternatives: tuple[tuple[str, float], ...] = ()) -> Symbol:
    """Make a symbol of some ink."""
    ink = InkPart(np.full((8, 6), 255, np.uint8), x, 0)
    return Symbol(label, (x, 0, 6, 8), 0.98765432, alternatives, ink, np.zeros((45, 45), np.uint8))


def reading(*lines: Line) -> Reading:
    """Make a reading of lines."""
    return Reading(lines, InkPage((), 100, 50, 0.0, np.eye(3)), 100, 50)


POWER = Line(
    (Sign("x", 0), Raised((Sign("2", 1),))),
    (symbol("x", alternatives=(("times", 0.25), ("y", 0.01))), symbol("2", x=7)),
    (0, 0, 13, 8),
    0.5,
)
HALF = Line((Bar((Sign("1", 1),), (Sign("2", 2),), 0),), (symbol("-"), symbol("1"), symbol("2")), (0, 0, 6, 8), 1.0)


def test_a_reading_has_the_promised_shape() -> None:
    """Keys, boxes as lists, confidences to four places, alternatives closest first."""
    said = json.loads(json.dumps(as_json(reading(POWER), [Value("x^2", "x^2", "form")], "a.jpg")))
    first, second = said["lines"][0].pop("symbols")
    assert said == {
        "file": "a.jpg",
        "lines": [{"text": "x^2", "latex": "x^{2}", "value": "x^2", "confidence": 0.5, "box": [0, 0, 13, 8]}],
    }
    assert first == {
        "label": "x",
        "box": [0, 0, 6, 8],
        "confidence": 0.9877,
        "alternatives": [{"label": "times", "confidence": 0.25}, {"label": "y", "confidence": 0.01}],
    }
    assert second["alternatives"] == []


def test_where_nothing_is_to_be_said_the_value_is_null() -> None:
    """A value without a text, none at all, and one that is not known yet are null; each line keeps its own."""
    values = [Value("", "", "none"), None, Value("1/2", "\\frac{1}{2}", "number")]
    said = as_json(reading(POWER, POWER, HALF, HALF), values, "a.jpg")
    assert [line["value"] for line in said["lines"]] == [None, None, "1/2", None]


def test_a_fraction_is_text_and_latex_of_its_own() -> None:
    """The bar is the first symbol; text and LaTeX differ."""
    (line,) = as_json(reading(HALF), [], "a.jpg")["lines"]
    assert (line["text"], line["latex"]) == ("1/2", "\\frac{1}{2}")
    assert [each["label"] for each in line["symbols"]] == ["-", "1", "2"]


def test_nothing_read_is_no_lines() -> None:
    """The file is named all the same."""
    assert as_json(reading(), [], "a.jpg") == {"file": "a.jpg", "lines": []}
