"""How a set of pictures looks: dark ink on light paper or the reverse, its grey levels, and its size.

All of it is decided once for a whole set, never picture by picture: a picture cropped tight to thick ink, or one of a
lone dot, would mislead. Pictures without contrast have no say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.sample import INK_THRESHOLD, SIDE, canonical_sample, canonical_samples, ink_box

JUDGED = 4096
"""At most so many pictures, evenly spread over the set, decide how the set looks."""

_SPANNING = 0.9  # of the pictures of a set that is cropped already touch both edges of their longer side
_CLEAN_LEVEL = 16  # a paper or ink level this near to white or black is white or black

Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class Appearance:
    """How every picture of a set becomes ink 255 on paper 0.

    Attributes:
        dark_ink: the ink is darker than the paper.
        paper: the paper's grey level, 0 to 255.
        ink: the grey level of full ink, 0 to 255.
        cropped: the pictures are 45×45 and cropped to their ink already, so they are taken as they are. Scaling such
            a picture again, for the sake of a missing row of pixels, would blur ink one pixel wide.
    """

    dark_ink: bool
    paper: int
    ink: int
    cropped: bool

    def in_words(self) -> str:
        """Say how the set looks in one sentence."""
        polarity = "dark ink on light paper" if self.dark_ink else "light ink on dark paper"
        size = "already 45×45 and cropped to the ink" if self.cropped else "each cropped to its ink and scaled to 45×45"
        return f"The pictures show {polarity}, {size}."

    def as_ink(self, pictures: Grey) -> Grey:
        """Turn grey levels of any shape, ``uint8``, into ink 255 on paper 0."""
        if (self.paper, self.ink) == (0, 255):
            return pictures
        if (self.paper, self.ink) == (255, 0):
            return 255 - pictures
        levels = (np.arange(256) - self.paper) * (255.0 / (self.ink - self.paper))
        table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
        inked: Grey = table[pictures]
        return inked

    def sample(self, picture: Grey) -> Grey | None:
        """Turn one ``(height, width) uint8`` picture into a canonical sample; None where it is blank."""
        if not _contrasts(picture):
            return None
        ink = self.as_ink(picture)
        if self.cropped and ink.shape == (SIDE, SIDE):
            return ink
        return canonical_sample(ink) if int(ink.max()) >= INK_THRESHOLD else None

    def samples(self, pictures: Grey) -> tuple[Grey, NDArray[np.bool_]]:
        """Turn ``(n, height, width) uint8`` pictures into canonical samples.

        Returns:
            ``(m, 45, 45) uint8``, and ``(n,) bool``, true for the m pictures that have ink.
        """
        flat = pictures.reshape(len(pictures), -1)
        inked = flat.max(axis=1).astype(np.int16) - flat.min(axis=1) >= INK_THRESHOLD
        if self.cropped:
            return self.as_ink(pictures if inked.all() else pictures[inked]), inked
        ink = self.as_ink(pictures)
        inked &= ink.reshape(len(ink), -1).max(axis=1) >= INK_THRESHOLD
        return canonical_samples(ink[inked]), inked


def judge(pictures: Sequence[Grey]) -> Appearance:
    """Decide how a set looks from its pictures, or from an even spread of them.

    The paper is what lies along most pictures' borders: for each picture with contrast, the median of its border is
    held against the middle of its own range, and the majority decides. The levels of paper and ink are the medians
    over the set.

    Args:
        pictures: ``(height, width) uint8`` each, of any sizes.
    """
    borders, lows, highs = [], [], []
    for picture in pictures:
        if _contrasts(picture):
            borders.append(float(np.median(_border(picture))))
            lows.append(int(picture.min()))
            highs.append(int(picture.max()))
    if not borders:
        return Appearance(dark_ink=True, paper=255, ink=0, cropped=False)
    border, low, high = np.array(borders), np.array(lows), np.array(highs)
    light_paper = border > (low + high) / 2
    dark_ink = bool(light_paper.mean() >= 0.5)
    agreeing = light_paper == dark_ink
    paper = _cleaned(float(np.median(border[agreeing])))
    ink = _cleaned(float(np.median((low if dark_ink else high)[agreeing])))
    look = Appearance(dark_ink=dark_ink, paper=paper, ink=ink, cropped=False)
    return Appearance(dark_ink=dark_ink, paper=paper, ink=ink, cropped=_is_cropped(pictures, look))


def spread(count: int, *, most: int = JUDGED) -> NDArray[np.intp]:
    """Choose at most ``most`` of ``count`` positions, evenly spread."""
    if count <= most:
        return np.arange(count)
    return np.linspace(0, count - 1, most).astype(np.intp)


def _is_cropped(pictures: Sequence[Grey], look: Appearance) -> bool:
    if any(picture.shape != (SIDE, SIDE) for picture in pictures):
        return False
    boxes = [ink_box(look.as_ink(picture)) for picture in pictures]
    longer = [max(box[2], box[3]) for box in boxes if box is not None]
    # One pixel of slack: in the Kaggle pictures, the last row of ink can be lost to compression.
    return bool(longer) and float(np.mean([side >= SIDE - 1 for side in longer])) >= _SPANNING


def _contrasts(picture: Grey) -> bool:
    return int(picture.max()) - int(picture.min()) >= INK_THRESHOLD


def _border(picture: Grey) -> Grey:
    return np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])


def _cleaned(level: float) -> int:
    if level < _CLEAN_LEVEL:
        return 0
    return 255 if level > 255 - _CLEAN_LEVEL else round(level)
