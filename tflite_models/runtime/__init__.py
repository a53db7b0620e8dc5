"""Runs a model with LiteRT alone: training, evaluation, reading, and the weights that go in and out."""
