"""From a picture to the ink on it: every step its own module, none of them knows what a symbol is."""
