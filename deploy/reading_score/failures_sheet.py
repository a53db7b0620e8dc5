"""The pictures that were read wrongly, on one sheet: what was found, what is written, and what was read instead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deploy.reading.files import load_quietly
from deploy.reading_score.outcome import Outcome
from deploy.reading_score.report import read_text, written_text
from edge_client.live.overlay import draw_reading
from edge_client.reading import Recogniser
from edge_client.vision.trace import Picture
from shared.errors import DataError

MOST = 90
"""Pictures on one sheet; those with the most wrong tokens come first."""

_CARD_PX, _PICTURE_PX, _COLUMNS, _GAP_PX, _LINE_PX = 620, 300, 3, 14, 26
_BACK, _CARD, _INK, _SOFT = (236, 233, 230), (255, 255, 255), (40, 32, 28), (120, 110, 100)


def failures_sheet(outcomes: Sequence[Outcome], recogniser: Recogniser) -> Picture:
    """Draw the sheet, ``(height, width, 3) uint8``; the pictures are read again for it.

    Args:
        outcomes: the pictures, judged.
        recogniser: that read them.
    """
    wrong = sorted((outcome for outcome in outcomes if not outcome.exact), key=lambda outcome: -outcome.edits)[:MOST]
    cards = [_card(outcome, recogniser) for outcome in wrong] or [_words_only("nothing was read wrongly")]
    rows = [cards[i : i + _COLUMNS] for i in range(0, len(cards), _COLUMNS)]
    heights = [max(card.shape[0] for card in row) + _GAP_PX for row in rows]
    columns = min(_COLUMNS, len(cards))
    page = np.full((sum(heights) + _GAP_PX, columns * (_CARD_PX + _GAP_PX) + _GAP_PX, 3), _BACK, np.uint8)
    y = _GAP_PX
    for row, height in zip(rows, heights, strict=True):
        for column, card in enumerate(row):
            x = _GAP_PX + column * (_CARD_PX + _GAP_PX)
            page[y : y + card.shape[0], x : x + _CARD_PX] = card
        y += height
    return page


def _card(outcome: Outcome, recogniser: Recogniser) -> Picture:
    import cv2

    try:
        picture = load_quietly(outcome.truth.file)
    except DataError:
        return _words_only(outcome.truth.name, outcome.failure)
    drawn = draw_reading(picture, recogniser.read(picture))
    scale = min((_CARD_PX - 2 * _GAP_PX) / drawn.shape[1], _PICTURE_PX / drawn.shape[0])
    size = max(1, round(drawn.shape[1] * scale)), max(1, round(drawn.shape[0] * scale))
    small = cv2.resize(drawn, size, interpolation=cv2.INTER_AREA)
    words = _words_only(outcome.truth.name, f"written {written_text(outcome)}", f"read    {read_text(outcome)}")
    card = np.full((small.shape[0] + _GAP_PX + words.shape[0], _CARD_PX, 3), _CARD, np.uint8)
    x = (_CARD_PX - small.shape[1]) // 2
    card[_GAP_PX : _GAP_PX + small.shape[0], x : x + small.shape[1]] = small
    card[_GAP_PX + small.shape[0] :] = words
    return card


def _words_only(*lines: str) -> Picture:
    import cv2

    longest = (_CARD_PX - 2 * _GAP_PX) // 10
    cut = [line if len(line) <= longest else line[: longest - 3] + "..." for line in lines]
    words = np.full((_LINE_PX * len(cut) + _GAP_PX, _CARD_PX, 3), _CARD, np.uint8)
    for number, line in enumerate(cut):
        at = _GAP_PX, _LINE_PX * (number + 1) - 4
        colour = _INK if number else _SOFT
        cv2.putText(words, line, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
    return words
