"""From ink to lines of symbols: what belongs together, what it is, and how it is laid out."""
