"""The model: its architecture, its training in builtin ops, the built artefacts, and the runtime that executes them."""
