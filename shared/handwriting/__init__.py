"""Handwriting made from strokes: glyphs, the writers who draw them, and the pen that draws a sample."""
