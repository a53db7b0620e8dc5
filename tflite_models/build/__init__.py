"""Turns an architecture into the two programs of a model. The only part of Inkfleet that needs TensorFlow."""

from __future__ import annotations

import os

from shared.errors import ModelError
from tflite_models.build.quiet import quiet_stderr

# A build uses no GPU, and looking for one takes time and prints errors where there is none.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
try:
    with quiet_stderr():
        import tensorflow  # noqa: F401
except ImportError as error:
    raise ModelError("building a model needs TensorFlow; install it with: pip install 'inkfleet[build]'") from error
