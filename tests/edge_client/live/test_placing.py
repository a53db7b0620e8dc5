"""Panels stand near their lines, cover nothing, and where there is no room keep the order of the lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_client.live.placing import overlap, place_panels

WIDTH, HEIGHT = 1280, 720
PANEL = (300, 60)


def places(*lines: tuple[int, int, int, int]) -> list[tuple[int, int]]:
    """Place a panel for each line on a picture of the usual size."""
    return place_panels(lines, [PANEL] * len(lines), width=WIDTH, height=HEIGHT, unit=1.0)


def test_a_panel_stands_below_its_line_above_it_or_at_its_side() -> None:
    """The first of these places where there is room."""
    assert places((100, 200, 400, 100)) == [(100, 314)]
    assert places((100, 600, 400, 100)) == [(100, 490)]
    assert places((100, 10, 400, 700)) == [(514, 330)]
    assert places((700, 10, 570, 700)) == [(386, 330)]


def test_panels_without_room_keep_the_order_of_their_lines() -> None:
    """Of lines from edge to edge, the first one's panel is the uppermost."""
    found = places(*[(5, y, 1270, 60) for y in range(0, 700, 70)])
    assert found == sorted(found, key=lambda place: place[1])
    assert found[-1][1] == HEIGHT - 8 - PANEL[1]


@given(
    lines=st.lists(
        st.tuples(st.integers(0, 1200), st.integers(0, 680), st.integers(5, 1280), st.integers(5, 200)), max_size=12
    )
)
def test_panels_cover_neither_lines_nor_each_other_unless_they_gather(lines: list[tuple[int, int, int, int]]) -> None:
    """A panel that is not at the foot of the picture covers nothing, and every panel begins inside the picture."""
    found = places(*lines)
    near = [place for place in found if place[0] != 8]
    for at, place in enumerate(near):
        assert not any(overlap((*place, *PANEL), line) for line in lines)
        assert not any(overlap((*place, *PANEL), (*other, *PANEL)) for other in near[:at])
    assert all(x >= 0 and y >= 0 for x, y in found)
