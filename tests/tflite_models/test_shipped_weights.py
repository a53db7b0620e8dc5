"""The weights that ship."""

from __future__ import annotations

import pytest

from shared.errors import ModelError
from shared.handwriting import generate
from shared.labels import label_set
from tflite_models.bundle import builtin_bundle
from tflite_models.runtime.evaluation import evaluate
from tflite_models.runtime.reader import FrozenReader
from tflite_models.shipped_weights import default_weights, default_weights_path


def test_the_weights_that_ship_read_generated_handwriting() -> None:
    """They are whole, fit the built-in model, and read made-up people they were not trained on."""
    algebra = label_set("algebra")
    people = generate(algebra, writers=4, samples_per_writer=96, seed=991, spread=0.5)
    reader = FrozenReader(builtin_bundle("algebra"), weights=default_weights("algebra"))
    found = evaluate(reader, people.images, algebra.encode(people.labels.tolist()))
    assert found.accuracy > 0.85


@pytest.mark.parametrize("name", ["all", "runes"])
def test_label_sets_without_weights_are_told_apart(name: str) -> None:
    """Where none ship, one line says so and what to give instead."""
    with pytest.raises(ModelError, match=rf"no weights ship for the labels '{name}'.*algebra.*--weights"):
        default_weights_path(name)
