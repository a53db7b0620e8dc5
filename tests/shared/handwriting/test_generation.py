"""Generated datasets: the same for a seed, canonical, and balanced as asked."""

from __future__ import annotations

import numpy as np
import pytest

from shared.errors import DataError, SettingsError
from shared.handwriting import generate
from shared.labels import ALGEBRA, label_set
from shared.sample import ink_box, spans


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Images, labels and writers repeat bit for bit; another seed gives other pictures."""
    first = generate(label_set("algebra"), writers=2, samples_per_writer=30, seed=4)
    again = generate(label_set("algebra"), writers=2, samples_per_writer=30, seed=4)
    other = generate(label_set("algebra"), writers=2, samples_per_writer=30, seed=5)
    assert np.array_equal(first.images, again.images)
    assert np.array_equal(first.labels, again.labels)
    assert np.array_equal(first.writers, again.writers)
    assert not np.array_equal(first.images, other.images)


def test_a_writer_does_not_depend_on_the_others() -> None:
    """The third writer of five is the first of those that begin at the third."""
    five = generate(("2", "+"), writers=5, samples_per_writer=8, seed=1)
    later = generate(("2", "+"), writers=1, samples_per_writer=8, seed=1, first_writer=2)
    third = five.take(five.writers == "writer-0003")
    assert set(later.writers.tolist()) == {"writer-0003"}
    assert np.array_equal(third.images, later.images)
    assert np.array_equal(third.labels, later.labels)


def test_every_sample_is_canonical() -> None:
    """Ink touches the edges of its longer side, and cropping a sample again changes nothing."""
    data = generate(label_set("algebra"), writers=24, samples_per_writer=48, seed=2)
    for image in data.images:
        box = ink_box(image)
        assert box is not None
        assert max(box[2:]) == 45
        assert spans(image)


def test_ink_comes_in_all_widths() -> None:
    """Some writers' lines are thin as a tablet's, and some thick as a felt pen's."""
    data = generate(("-",), writers=40, samples_per_writer=5, seed=3)
    ink = data.images[:, :, 15:30].astype(np.float64).sum(axis=1).mean(axis=1) / 255
    widths = [ink[data.writers == name].mean() for name in data.writers_by_samples()]
    assert min(widths) < 1.6
    assert max(widths) > 4.0


def test_uniform_writers_write_each_label_equally_often() -> None:
    """No label of a writer outnumbers another by more than one."""
    data = generate(label_set("arithmetic"), writers=2, samples_per_writer=40, seed=1)
    for name in data.writers_by_samples():
        counts = data.take(data.writers == name).counts()
        assert set(counts.values()) == {2, 3}


def test_skewed_writers_have_mixes_of_their_own() -> None:
    """With a skewed balance writers have the same number of samples and very different labels."""
    data = generate(label_set("arithmetic"), writers=4, samples_per_writer=100, seed=1, balance="skewed")
    shares = np.stack(
        [
            np.bincount(label_set("arithmetic").encode(data.labels[data.writers == name].tolist()), minlength=17)
            for name in data.writers_by_samples()
        ]
    )
    assert (shares.sum(axis=1) == 100).all()
    assert (shares.max(axis=1) > 15).all()
    assert len({tuple(row) for row in shares.tolist()}) == 4


def test_spellings_are_understood() -> None:
    """A label may be given in LaTeX; the dataset carries its canonical name."""
    assert set(generate((r"\times", "÷"), writers=1, samples_per_writer=4, seed=0).labels.tolist()) == {
        "times",
        "div",
    }


@pytest.mark.parametrize(
    ("labels", "named"), [(("1", "theta", "sqrt"), "theta, sqrt"), (label_set("all"), "infty"), ((), "at least one")]
)
def test_labels_it_cannot_write_are_refused_by_name(labels: tuple[str, ...], named: str) -> None:
    """The message names every label that the generator has no form of."""
    with pytest.raises(DataError, match=named):
        generate(labels, writers=1, samples_per_writer=1, seed=0)


@pytest.mark.parametrize(("writers", "samples", "balance"), [(0, 1, "uniform"), (1, 0, "uniform"), (1, 1, "lopsided")])
def test_bad_numbers_are_refused(writers: int, samples: int, balance: str) -> None:
    """No writers, no samples, and a balance nobody knows are refused."""
    with pytest.raises(SettingsError):
        generate(ALGEBRA, writers=writers, samples_per_writer=samples, seed=0, balance=balance)  # type: ignore[arg-type]
