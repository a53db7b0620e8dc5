"""Turns an architecture into the two programs of a model. The only part of Inkfleet that needs TensorFlow."""
