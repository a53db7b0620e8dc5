"""What is taken for maths, and what is left alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_client.expression import text_of
from edge_client.reading import Recogniser
from tests.edge_client.reading.written import Written, page_of, write
from tflite_models.bundle import builtin_bundle
from tflite_models.shipped_weights import default_weights

PROSE = (
    "There was no wind that night and the old",
    "house stood quite still above the harbour.",
    "Nobody had lived in it for many years; its",
    "windows were boarded, and ivy hid the door.",
    "Still, on some evenings, a light was seen.",
    "People said that it was only the moon.",
)


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    """The reader as it comes out of the box."""
    return Recogniser(builtin_bundle("algebra"), weights=default_weights("algebra"))


def typed(lines: tuple[str, ...], *, font: int) -> NDArray[np.uint8]:
    """Set lines of text in one of OpenCV's typefaces."""
    page = np.full((90 + 70 * len(lines), 1000), 245, np.uint8)
    for number, line in enumerate(lines):
        cv2.putText(page, line, (40, 80 + 70 * number), font, 1.0, 40, 2, cv2.LINE_AA)
    return page


@pytest.mark.parametrize("font", [cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_TRIPLEX])
def test_a_page_of_prose_is_no_maths(recogniser: Recogniser, font: int) -> None:
    """Of six lines of text in a sans and a serif typeface, none is read."""
    assert [text_of(line.row) for line in recogniser.read(typed(PROSE, font=font)).lines] == []


def test_a_keyboard_is_no_maths(recogniser: Recogniser) -> None:
    """Rows of keys with a letter on each are not read as rows of zeros."""
    page = np.full((420, 1100), 200, np.uint8)
    for row, keys in enumerate(("QWERTUIOP", "ASDFGHJKL", "VBNMQWERT")):
        for place, key in enumerate(keys):
            x, y = 60 + 105 * place + 25 * row, 50 + 115 * row
            cv2.rectangle(page, (x, y), (x + 90, y + 95), 60, 3)
            cv2.putText(page, key, (x + 25, y + 65), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 60, 3, cv2.LINE_AA)
    assert recogniser.read(page).lines == ()


@pytest.mark.parametrize("slimmer", [0.5, 0.7, 1.0])
def test_a_symbol_alone_may_be_out_of_proportion(recogniser: Recogniser, slimmer: float) -> None:
    """A narrow 8 is an 8 where it is read without a doubt."""
    (eight,) = write("8")
    narrow = Written("8", [stroke * (slimmer, 1.0) for stroke in eight.strokes])
    page = page_of([narrow])
    lines = recogniser.read_page(page, width=page.width, height=page.height).lines
    assert [text_of(line.row) for line in lines] == ["8"]


def test_an_equation_among_prose_is_read(recogniser: Recogniser) -> None:
    """Doubt about the lines around it does not hide what is plainly maths."""
    page = page_of([one.moved(0, 40) for one in write("3x+5=20-2x")])
    equation = np.full((page.height + 40, 1000), 245, np.uint8)
    for part in page.parts:
        place = equation[part.y : part.bottom, part.x + 40 : part.right + 40]
        place[part.mask > 0] = 40
    picture = np.vstack([typed(PROSE[:3], font=cv2.FONT_HERSHEY_TRIPLEX), equation])
    assert [text_of(line.row) for line in recogniser.read(picture).lines] == ["3x+5=20-2x"]
