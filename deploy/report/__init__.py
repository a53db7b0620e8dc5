"""The report of a simulated run: one page that opens anywhere, and the figure the field draws.

`record` is what a run leaves behind, `page` makes the HTML of it, `picture` the PNG.
"""
