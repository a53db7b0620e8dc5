"""What an expression means: its text, its LaTeX, its tree and its value."""
