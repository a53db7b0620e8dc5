"""Straight lines that cross a page from side to side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_client.vision.trace import Picture

_STRIPS = 32
_STEEPEST = 0.26  # slope: 14.5 degrees
_COARSE_STEPS, _FINE_STEPS = 17, 13
_FINE_REACH = 0.06  # slope: lines of a family differ by this much under perspective
_SUPPORT = 0.6  # of the strips: a line that stands alone
_SUPPORT_IN_FAMILY = 0.45  # of the strips: a line parallel to many such lines
_FAMILY = 9
_LEAST_STRIPS = 6  # of a line on the page: less of it at a corner is left alone
_CAP = 40  # grey levels: nothing darker counts more, so that ink does not pass for a line
_SKIPPED = 3
_OUTER = 3  # strips at either edge of the page
_CREST = 1.5  # grey levels that a line's row stands out by, at least

Table = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Lines:
    """Straight lines that cross the page from side to side, nearly along its rows.

    Attributes:
        along: ``(s,) float32``, the columns at which the lines are known, in pixels, rising.
        across: ``(n, s) float32``, the row of every line there; beyond the page where a line only cuts a corner.
        support: ``(n,) float32``, the share of the line's way across the page that shows it, from 0 to 1.
    """

    along: Table
    across: Table
    support: Table

    def __len__(self) -> int:
        """How many lines there are."""
        return len(self.support)

    def some(self, count: int) -> Lines:
        """Return at most so many of the lines, spread over the page."""
        chosen = np.linspace(0, len(self) - 1, min(count, len(self))).astype(np.intp)
        return Lines(self.along, self.across[chosen], self.support[chosen])

    def rows_at(self, columns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the nearest row of every line at every column, ``(n, columns) int64``."""
        rows = np.array([np.interp(columns, self.along, line) for line in self.across])
        nearest: NDArray[np.int64] = np.rint(rows.reshape(len(self), len(columns))).astype(np.int64)
        return nearest

    def slope(self) -> float:
        """Return the median slope of the lines, rows down a column to the right."""
        return float(np.median((self.across[:, -1] - self.across[:, 0]) / (self.along[-1] - self.along[0])))


def find_lines(dark: Picture, *, floor: float, upright: bool = False) -> Lines:
    """Find straight, nearly horizontal lines that run through the page from side to side.

    The page is cut into upright strips. Averaged along its rows, a strip shows a line as one dark row, even where it is
    fainter than the noise of single pixels. A Radon transform over the strips (Radon 1917), first with few slopes, then
    close to the best, finds rows that lie on a straight line.

    Args:
        dark: how much darker than its paper every pixel is, ``(h, w) uint8``.
        floor: the darkness that noise does not reach, in grey levels.
        upright: look for nearly upright lines, and return those of the transposed page.
    """
    import cv2

    height, width = dark.shape[::-1] if upright else dark.shape
    step = max(1, width // _STRIPS)
    left = (width - step * _STRIPS) // 2
    along = (left + (np.arange(_STRIPS) + 0.5) * step - 0.5).astype(np.float32)
    none = Lines(along, np.zeros((0, _STRIPS), np.float32), np.zeros(0, np.float32))
    if height < 16 or width < 2 * _STRIPS:
        return none
    strips: Table = _averaged(cv2.min(dark, _CAP), left=left, step=step, upright=upright).astype(np.float32)
    strips -= cv2.blur(strips, (1, 31))
    stands_out = strips > max(_CREST, floor / 6)
    crests = ((strips >= cv2.dilate(strips, np.ones((5, 1), np.uint8))) & stands_out).view(np.uint8)

    if not (crests[:, :_OUTER].any() and crests[:, -_OUTER:].any()):
        return none  # lines of the paper reach its edges, and writing seldom does
    slopes = np.linspace(-_STEEPEST, _STEEPEST, _COARSE_STEPS)
    # the first look is at every third row, which stands for its neighbours
    tall = np.ascontiguousarray(cv2.dilate(crests, np.ones((7, 1), np.uint8))[1::_SKIPPED])
    found, _ = _radon(tall, slopes * step / _SKIPPED)
    if found.max() < _SUPPORT:
        return none
    slopes = slopes[np.argmax((found**4).sum(axis=1))] + np.linspace(-_FINE_REACH, _FINE_REACH, _FINE_STEPS)
    found, margin = _radon(cv2.dilate(crests, np.ones((3, 1), np.uint8)), slopes * step)
    peaks, rows = _peaks(found)
    if not len(rows):
        return none
    straight = rows[:, None] - margin + slopes[peaks, None] * step * _from_middle()
    return Lines(along, _follow(strips, straight), found[peaks, rows])


def _averaged(dark: Picture, *, left: int, step: int, upright: bool) -> Picture:
    """Return the mean of every row of every strip, ``(h, strips) uint8``."""
    import cv2

    end = left + step * _STRIPS
    if upright:
        sums = dark[left:end].reshape(_STRIPS, step, dark.shape[1]).sum(axis=1, dtype=np.uint16)
        return np.ascontiguousarray((sums // step).astype(np.uint8).T)
    averaged: Picture = cv2.resize(dark[:, left:end], (_STRIPS, len(dark)), interpolation=cv2.INTER_AREA)
    return averaged


def _from_middle() -> NDArray[np.float64]:
    return np.arange(_STRIPS, dtype=np.float64) - (_STRIPS - 1) / 2


def _radon(crests: Picture, drops: NDArray[np.float64]) -> tuple[Table, int]:
    """Return what share of its strips on the page shows every line, ``(slopes, margin + h + margin) float32``.

    The margin is how far above and below the page a line may be in the middle and yet cross a corner; it is returned
    too.

    Args:
        crests: ``(h, strips) uint8``, 1 where a strip stands out.
        drops: the slopes, in rows a strip.
    """
    height = crests.shape[0]
    shifts = np.rint(drops[:, None] * _from_middle()).astype(np.intp)
    margin = int(np.abs(shifts).max())
    rows = height + 2 * margin
    # the upper byte of every cell counts strips on the page, the lower those with a crest: both add up in one pass
    padded = np.zeros((_STRIPS, rows + 2 * margin), np.uint16)
    padded[:, 2 * margin : 2 * margin + height] = crests.T.astype(np.uint16) + 256
    windows = np.lib.stride_tricks.sliding_window_view(padded, rows, axis=1)
    total = np.zeros((len(drops), rows), np.uint16)
    for strip in range(_STRIPS):
        total += windows[strip, margin + shifts[:, strip]]
    seen, hits = total >> 8, total & 255
    share: Table = np.where(seen >= _LEAST_STRIPS, hits / np.maximum(seen, 1), 0.0).astype(np.float32)
    return share, margin


def _peaks(found: Table) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return slope and row of every line, the rows at least 4 apart."""
    best = found.max(axis=0)
    least = _SUPPORT if np.count_nonzero(best >= _SUPPORT) < _FAMILY else _SUPPORT_IN_FAMILY
    candidates = np.flatnonzero(best >= least)
    taken = np.zeros(len(best), bool)
    rows = []
    for row in candidates[np.argsort(-best[candidates], kind="stable")].tolist():
        if not taken[row]:
            rows.append(row)
            taken[max(0, row - 3) : row + 4] = True
    chosen = np.array(sorted(rows), np.intp)
    return found[:, chosen].argmax(axis=0), chosen


def _follow(strips: Table, straight: NDArray[np.float64]) -> Table:
    """Follow lines from strip to strip, within two rows of straight; a line of a bent page is followed too."""
    height = len(strips)
    near = np.rint(straight).astype(np.intp)[:, :, None] + np.arange(-2, 3)
    values = strips[np.clip(near, 0, height - 1), np.arange(_STRIPS)[:, None]]
    values = np.where((near >= 0) & (near < height), values, 0.0)
    shift = np.where(values.max(axis=2) > _CREST, values.argmax(axis=2) - 2, 0)
    padded = np.pad(shift, ((0, 0), (2, 2)), mode="edge")
    smooth = np.lib.stride_tricks.sliding_window_view(padded, 5, axis=1).mean(axis=2)
    followed: Table = (straight + smooth).astype(np.float32)
    return followed
