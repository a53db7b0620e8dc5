"""From a picture to the ink on it: every step its own module, none of them knows what a symbol is."""

from __future__ import annotations

from edge_client.vision.finding import find_ink
from edge_client.vision.ink import Box, InkPage, InkPart, united
from edge_client.vision.trace import PictureTrace, Trace

__all__ = ["Box", "InkPage", "InkPart", "PictureTrace", "Trace", "find_ink", "united"]
