"""Writers: drawn from a seed, constant in their habits, and different from one another."""

from __future__ import annotations

import numpy as np
import pytest

from shared.errors import DataError, SettingsError
from shared.handwriting import draw_sample, draw_writer, generate
from shared.handwriting.hand import form_of
from shared.labels import ARITHMETIC


def test_a_writer_is_the_same_for_a_seed() -> None:
    """The same seed and number give the same habits; another seed or number gives others."""
    assert draw_writer(7, 3) == draw_writer(7, 3)
    assert draw_writer(7, 3) != draw_writer(7, 4)
    assert draw_writer(7, 3) != draw_writer(8, 3)
    assert draw_writer(7, 3).name == "writer-0004"


def test_a_writer_mostly_keeps_to_one_form() -> None:
    """For most draws a writer uses the preferred form, and for some another."""
    for index in range(20):
        writer = draw_writer(1, index)
        for label in ("1", "4", "7", "9"):
            used = [form_of(writer, label, draw).allograph.name for draw in np.linspace(0.0, 0.999, 200)]
            share = max(used.count(name) for name in set(used)) / len(used)
            assert 0.68 <= share < 1.0


def test_writers_prefer_different_forms() -> None:
    """Among thirty writers every common form of the seven is someone's preferred one."""
    preferred = {form_of(draw_writer(2, index), "7", 0.0).allograph.name for index in range(30)}
    assert {"plain", "barred"} <= preferred
    assert len(preferred) >= 5


def test_schools_bar_their_sevens_and_zs_together() -> None:
    """Who bars the seven is likelier to bar the z: habits of form go together as schools teach them."""
    writers = [draw_writer(3, index) for index in range(400)]
    seven = np.array(["bar" in form_of(writer, "7", 0.0).allograph.name for writer in writers])
    z = np.array(["barred" in form_of(writer, "z", 0.0).allograph.name for writer in writers])
    assert z[seven].mean() > z[~seven].mean() + 0.1


def test_two_samples_of_one_writer_are_not_the_same() -> None:
    """Nobody writes a symbol twice alike."""
    writer = draw_writer(5, 0)
    rng = np.random.default_rng(0)
    first, second = draw_sample(writer, "2", rng), draw_sample(writer, "2", rng)
    assert not np.array_equal(np.concatenate(first), np.concatenate(second))


def test_writers_differ_more_than_one_writer_does() -> None:
    """The spread between the writers' mean pictures is larger than chance among one writer's own samples makes it.

    The F ratio of the pictures' variance between writers to that within them is 1 for samples dealt out to writers by
    lot, and is checked against that lot.
    """
    data = generate(("2", "4", "7"), writers=12, samples_per_writer=60, seed=11)
    rng = np.random.default_rng(0)
    for label in ("2", "4", "7"):
        chosen = data.labels == label
        pictures = data.images[chosen].reshape(chosen.sum(), -1).astype(np.float64)
        writers = data.writers[chosen]
        assert _f_ratio(pictures, writers) > 3.0
        assert _f_ratio(pictures, rng.permutation(writers)) < 1.3


def test_no_spread_makes_writers_alike() -> None:
    """Writers without spread share slant, stretch and form; with more of it they stand further apart."""
    assert {draw_writer(1, i, spread=0.0).slant for i in range(5)} == {draw_writer(2, 0, spread=0.0).slant}
    slants = [np.std([draw_writer(1, i, spread=spread).slant for i in range(200)]) for spread in (0.5, 1.0, 2.0)]
    assert slants[0] < slants[1] < slants[2]


def test_bad_numbers_are_refused() -> None:
    """Negative seeds and numbers, and a spread out of range, are refused with their value."""
    with pytest.raises(SettingsError, match="-1"):
        draw_writer(-1, 0)
    with pytest.raises(SettingsError, match="-2"):
        draw_writer(0, -2)
    with pytest.raises(SettingsError, match="spread"):
        draw_writer(0, 0, spread=9.0)


def test_an_unknown_label_is_refused_by_name() -> None:
    """A label without a form is refused, and the message names it and those there are."""
    with pytest.raises(DataError, match=r"'theta'.*0, 1"):
        draw_sample(draw_writer(0, 0), "theta", np.random.default_rng(0))


@pytest.mark.parametrize("label", ARITHMETIC)
def test_strokes_have_points(label: str) -> None:
    """Every stroke of a sample has finite points in the plane."""
    rng = np.random.default_rng(0)
    for index in range(10):
        for stroke in draw_sample(draw_writer(9, index), label, rng):
            assert stroke.ndim == 2
            assert stroke.shape[1] == 2
            assert len(stroke) >= 4
            assert np.isfinite(stroke).all()


def _f_ratio(pictures: np.ndarray, writers: np.ndarray) -> float:
    """Return the one-way F ratio of variance between groups to variance within, summed over the pixels."""
    names = np.unique(writers)
    groups = [pictures[writers == name] for name in names]
    mean = pictures.mean(axis=0)
    between = sum(len(g) * ((g.mean(axis=0) - mean) ** 2).sum() for g in groups) / (len(names) - 1)
    within = sum(((g - g.mean(axis=0)) ** 2).sum() for g in groups) / (len(pictures) - len(names))
    return float(between / within)
