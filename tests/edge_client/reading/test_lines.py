"""The lines of a page."""

from __future__ import annotations

import numpy as np
import pytest

from edge_client.reading.lines import lines
from edge_client.reading.recogniser import typical_em
from edge_client.vision import InkPage, InkPart, find_ink
from tests.edge_client.reading.written import Written, inks_of, turned, write
from tests.reading_scenes import Scene, draw_rows, draw_scene

EM = 60.0


def page(texts: tuple[str, ...], *, distance: float = 2.2) -> tuple[list[Written], list[int]]:
    """Write lines under each other, so many em apart, and say of each symbol in which line it is."""
    written: list[Written] = []
    line_of = []
    for number, text in enumerate(texts):
        line = [one.moved(0, number * distance * EM) for one in write(text, seed=number + 1)]
        written += line
        line_of += [number] * len(line)
    return written, line_of


def sorted_into(inks: list[InkPart]) -> list[int]:
    line_of = [-1] * len(inks)
    for number, members in enumerate(lines(inks, em=EM)):
        for i in members:
            line_of[i] = number
    return line_of


@pytest.mark.parametrize("degrees", [0.0, -1.5, 1.5])
def test_lines_under_each_other_are_told_apart(degrees: float) -> None:
    """Six lines with superscripts, descenders and signs of one stroke, also on a page that lies a little askew."""
    written, truth = page(("34-2+12", "3x^3+6x^2", "5y^3-2y^2", "6x^2+11x-35=0", "-4x^2-7x+12=0", "20x-15=10+5-5"))
    inks, _, _ = inks_of(turned(written, degrees))
    assert sorted_into(inks) == truth


def test_a_fraction_is_one_line_among_others() -> None:
    """What stands over and under a bar belongs to the bar's line."""
    written, truth = page(("{34|2}+{128|2}-22", "3x^3+6x", "{1|2}-{3|4}"), distance=3.6)
    inks, _, _ = inks_of(written)
    assert sorted_into(inks) == truth


def scene_of(seed: int) -> Scene:
    """Draw a page of 2 to 8 lines: tight or wide, turned by up to 10°, on any paper, every other one with fractions."""
    rng = np.random.default_rng(seed)
    return draw_scene(
        *draw_rows(int(rng.integers(2, 9)), fractions=bool(seed % 2), rng=rng),
        seed=seed,
        width=1000,
        height=1000,
        symbol_px=75,
        spacing=float(rng.choice([0.3, 0.45, 0.6, 0.9])),
        pen_px=int(rng.integers(3, 6)),
        paper=("plain", "ruled", "squared")[seed % 3],
        light=("even", "gradient", "shadow")[seed // 3 % 3],
        turn_deg=float(rng.uniform(-10, 10)),
    )


def line_of(part: InkPart, page: InkPage, scene: Scene) -> int:
    """Say on which line the symbol is that a part covers best."""
    x, y, width, height = page.box_in_picture(part)
    shares = []
    for number, symbols in enumerate(scene.symbols):
        for left, top, across, down in (symbol.box for symbol in symbols):
            shared_x = max(0, min(x + width, left + across) - max(x, left))
            shared_y = max(0, min(y + height, top + down) - max(y, top))
            both = shared_x * shared_y
            shares.append((both / (width * height + across * down - both), number))
    return max(shares)[1]


def test_lines_of_generated_pages() -> None:
    """Of 24 pages as cameras see them, at most 3 have a line that is torn or has something of another one on it."""
    right = []
    for seed in range(24):
        scene = scene_of(seed)
        page = find_ink(scene.picture)
        truth = [line_of(part, page, scene) for part in page.parts]
        found = lines(page.parts, em=typical_em(page.parts))
        right.append(len(found) == len(scene.truths) and all(len({truth[i] for i in group}) == 1 for group in found))
    assert sum(right) >= 21, [seed for seed, one in enumerate(right) if not one]


@pytest.mark.parametrize("degrees", [-1.9, 0.0, 1.9])
@pytest.mark.parametrize("distance", [1.5, 1.8, 2.4])
def test_tight_lines_of_different_lengths_are_told_apart(degrees: float, distance: float) -> None:
    """Long and short lines, half an em apart, none of which carries another as its superscript."""
    texts = ("34/2+128-22*5-30", "7", "3x^3+6x^2=0", "20x^2-15x=10+5-5+34x-7", "x=2", "12-y^2")
    written, truth = page(texts, distance=distance)
    inks, _, _ = inks_of(turned(written, degrees))
    assert sorted_into(inks) == truth


def test_signs_of_two_strokes_divide_nothing() -> None:
    """A minus and an equals sign with lines close over and under them are on their own line."""
    written, truth = page(("1234567", "x-y=8-3", "7654321"), distance=1.45)
    inks, _, _ = inks_of(written)
    assert sorted_into(inks) == truth


@pytest.mark.parametrize("distance", [2.9, 3.3])
def test_stacked_fractions_of_two_lines_stay_apart(distance: float) -> None:
    """A denominator and the numerator under it belong to the bars that are next to them."""
    written, truth = page(("{34|2}+{12-8|25}", "{7|y}-{3+x|4}", "{1|2}=z"), distance=distance)
    inks, _, _ = inks_of(written)
    assert sorted_into(inks) == truth


@pytest.mark.parametrize("text", ["2^[42]", "x^2+y^2", "{x|a+{x|b-{x|c}}}", "y={1|x}", "(2-a)^[(3-b)^c]", "8:4"])
def test_one_line_stays_one(text: str) -> None:
    """Superscripts high over their base and fractions within fractions are no lines of their own."""
    inks, _, _ = inks_of(write(text))
    assert set(sorted_into(inks)) == {0}


def test_no_ink_has_no_lines() -> None:
    """An empty page is empty."""
    assert lines([], em=EM) == []
