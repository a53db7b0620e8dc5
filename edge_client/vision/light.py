"""Evening out the light: how much darker every pixel is than the paper around it."""

from __future__ import annotations

from edge_client.vision.trace import Picture

REACH = 1 / 28  # of the longer side: ink wider than this is taken for a dark area


def reach_px(grey: Picture) -> int:
    """Return the side of the window that paper is looked for in, in pixels: odd, and wider than any line of ink."""
    return 2 * max(4, round(max(grey.shape) * REACH / 2)) + 1


def darkness(grey: Picture) -> Picture:
    """Return how much darker every pixel is than its paper, ``(h, w) uint8``.

    Paper is the grey closing of the picture (Serra 1982): the darkest of the brightest pixels of all windows around a
    pixel. It follows a shadow exactly, be its edge soft or hard, because a dark area wider than the window fits the
    window; ink does not. So what remains is what is thin and dark.
    """
    import cv2

    side = reach_px(grey)
    window = cv2.getStructuringElement(cv2.MORPH_RECT, (side, side))
    paper = cv2.morphologyEx(grey, cv2.MORPH_CLOSE, window)
    result: Picture = cv2.subtract(paper, grey)
    return result
