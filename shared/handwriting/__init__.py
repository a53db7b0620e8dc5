"""Handwriting made from strokes: glyphs, the writers who draw them, and the pen that draws a sample.

`generate` makes a dataset; `draw_writer`, `draw_sample` and `draw_image` are its parts; `render_strokes` is the pen,
for recorded ink too. ``docs/explanation/handwriting.md`` says how it works and how well it stands in for people.
"""

from __future__ import annotations

from shared.handwriting.allographs import ALLOGRAPHS
from shared.handwriting.drawing import draw_image, draw_sample
from shared.handwriting.generation import Balance, generate
from shared.handwriting.pen import Stroke, render_strokes
from shared.handwriting.writer import Writer, draw_writer

__all__ = [
    "ALLOGRAPHS",
    "Balance",
    "Stroke",
    "Writer",
    "draw_image",
    "draw_sample",
    "draw_writer",
    "generate",
    "render_strokes",
]
