"""Dealing a dataset out to devices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.dataset import Dataset
from shared.errors import DataError, InkfleetError, SettingsError
from shared.partition import (
    MINIMUM_SAMPLES,
    Partition,
    device_names,
    hold_out_writers,
    parse_partition,
    partition,
    partition_summary,
)


def dataset(labels: list[str], writers: list[str] | None = None) -> Dataset:
    n = len(labels)
    return Dataset(
        np.zeros((n, 45, 45), np.uint8),
        np.array(labels, dtype=str).reshape(n),
        np.array(writers if writers is not None else [""] * n, dtype=str).reshape(n),
    )


def balanced(n: int, classes: int = 10) -> Dataset:
    return dataset([str(i % classes) for i in range(n)])


SPECS = st.sampled_from(["iid", "shards", "shards:3", "dirichlet:0.01", "dirichlet:0.3", "dirichlet:100"])


@settings(deadline=None, max_examples=60)
@given(
    labels=st.lists(st.sampled_from("0123456789+-"), min_size=30, max_size=300),
    spec=SPECS,
    devices=st.integers(1, 10),
    seed=st.integers(0, 2**32),
)
def test_every_sample_goes_to_exactly_one_device(labels: list[str], spec: str, devices: int, seed: int) -> None:
    """Under iid, shards and dirichlet the parts are disjoint, cover everything, and none is empty."""
    parts = partition(dataset(labels), spec, devices=devices, rng=np.random.default_rng(seed))
    assert len(parts) == devices
    assert all(len(part) for part in parts)
    assert all(part.dtype == np.intp for part in parts)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))


@settings(deadline=None, max_examples=30)
@given(spec=SPECS, devices=st.integers(1, 12), seed=st.integers(0, 2**32))
def test_the_same_seed_deals_the_same_hands(spec: str, devices: int, seed: int) -> None:
    """A partition is a function of the dataset, the spec, the number of devices and the seed."""
    data = balanced(120)
    once = partition(data, spec, devices=devices, rng=np.random.default_rng(seed))
    again = partition(data, spec, devices=devices, rng=np.random.default_rng(seed))
    assert all(np.array_equal(a, b) for a, b in zip(once, again, strict=True))


def test_iid_parts_are_of_one_size_to_a_sample() -> None:
    """Iid parts differ by one sample at most."""
    parts = partition(balanced(103), "iid", devices=10, rng=np.random.default_rng(0))
    assert {len(part) for part in parts} == {10, 11}


def test_shards_leave_a_device_about_two_labels() -> None:
    """With as many samples of every label, two shards hold two labels at most."""
    data = balanced(2000)
    parts = partition(data, "shards", devices=10, rng=np.random.default_rng(3))
    assert max(len(set(data.labels[part].tolist())) for part in parts) == 2
    assert {len(part) for part in parts} == {200}


def test_a_smaller_alpha_skews_the_labels_more() -> None:
    """The share of a device's commonest label rises as alpha falls."""
    data = balanced(5000)

    def commonest(spec: str) -> float:
        parts = partition(data, spec, devices=20, rng=np.random.default_rng(5))
        counts = partition_summary(data, parts).counts
        return float((counts.max(axis=1) / counts.sum(axis=1)).mean())

    shares = [commonest(f"dirichlet:{alpha}") for alpha in (100, 1, 0.3, 0.05)]
    assert shares == sorted(shares)
    assert shares[0] < 0.15
    assert shares[-1] > 0.6


def test_dirichlet_gives_every_device_the_minimum() -> None:
    """However small alpha is, every device has the minimum where the samples allow it."""
    for seed in range(5):
        parts = partition(balanced(1000), "dirichlet:0.001", devices=30, rng=np.random.default_rng(seed))
        assert min(len(part) for part in parts) >= MINIMUM_SAMPLES


def test_writer_gives_a_device_one_whole_person() -> None:
    """The devices are the writers with the most samples, the fullest first; unknown writers are nobody's."""
    data = dataset(list("0123456789"), ["", "", "", "", "b", "a", "a", "b", "b", "c"])
    parts = partition(data, "writer", devices=2, rng=np.random.default_rng(0))
    assert [part.tolist() for part in parts] == [[4, 7, 8], [5, 6]]


@pytest.mark.parametrize("spec", ["iid", "shards", "shards:4", "writer", "dirichlet:0.3", "dirichlet:100"])
def test_a_partition_is_spelled_as_it_is_read(spec: str) -> None:
    """The spelling of a partition reads back as itself."""
    assert str(parse_partition(spec)) == spec
    assert parse_partition(str(parse_partition(spec))) == parse_partition(spec)


@pytest.mark.parametrize(
    "spec",
    ["", "uniform", "iid:2", "dirichlet", "dirichlet:", "dirichlet:x", "dirichlet:0", "dirichlet:-1",
     "dirichlet:nan", "dirichlet:inf", "shards:0", "shards:1.5", "writer:3"],
)  # fmt: skip
def test_a_wrong_spelling_is_one_clear_line(spec: str) -> None:
    """An unknown partition, or a number out of range, is a settings error of one line."""
    with pytest.raises(SettingsError) as caught:
        parse_partition(spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "spec", "devices", "kind", "numbers"),
    [
        (dataset(["1", "2", "3"], ["a", "b", ""]), "writer", 3, SettingsError, ["3", "2"]),
        (dataset(["1", "2"]), "writer", 1, SettingsError, ["no writers"]),
        (balanced(5), "iid", 6, DataError, ["5", "6"]),
        (balanced(5), "shards", 3, DataError, ["5", "6"]),
        (balanced(5), "dirichlet:1", 6, DataError, ["5", "6"]),
        (balanced(5), "iid", 0, SettingsError, ["0"]),
    ],
)
def test_what_does_not_go_round_is_said_with_its_numbers(
    data: Dataset, spec: str, devices: int, kind: type[InkfleetError], numbers: list[str]
) -> None:
    """Too few writers or samples is an error of one line that names the numbers."""
    with pytest.raises(kind) as caught:
        partition(data, spec, devices=devices, rng=np.random.default_rng(0))
    assert all(number in str(caught.value) for number in numbers)
    assert "\n" not in str(caught.value)


@settings(deadline=None, max_examples=50)
@given(
    writers=st.lists(st.sampled_from(["", "a", "b", "c", "d", "e"]), min_size=2, max_size=60).filter(
        lambda names: len(set(names) - {""}) >= 2
    ),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32),
)
def test_held_out_writers_are_held_out_whole(writers: list[str], fraction: float, seed: int) -> None:
    """No writer is on both sides, neither side is empty, unknown writers train, and nothing is lost."""
    data = dataset(["1"] * len(writers), writers)
    train, test = hold_out_writers(data, fraction=fraction, rng=np.random.default_rng(seed))
    assert len(train) + len(test) == len(data)
    assert not set(train.writers.tolist()) & set(test.writers.tolist())
    assert set(test.writers.tolist())
    assert set(train.writers.tolist()) - {""}
    assert "" not in test.writers.tolist()


def test_the_share_held_out_is_of_writers() -> None:
    """A tenth of 30 writers is 3 writers."""
    data = dataset(["1"] * 60, [f"w{i % 30}" for i in range(60)])
    _, test = hold_out_writers(data, fraction=0.1, rng=np.random.default_rng(1))
    assert len(set(test.writers.tolist())) == 3


@pytest.mark.parametrize("writers", [["", ""], ["a", ""], ["a", "a"]])
def test_one_writer_cannot_be_held_out(writers: list[str]) -> None:
    """Fewer than two known writers is a data error that says what to do."""
    with pytest.raises(DataError, match="test set"):
        hold_out_writers(dataset(["1", "2"], writers), fraction=0.5, rng=np.random.default_rng(0))


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_out_of_range_is_refused(fraction: float) -> None:
    """The share lies strictly between 0 and 1."""
    with pytest.raises(SettingsError):
        hold_out_writers(dataset(["1", "2"], ["a", "b"]), fraction=fraction, rng=np.random.default_rng(0))


def test_the_summary_counts_every_device_and_label() -> None:
    """The summary is a table of devices by labels whose sums are the parts' sizes."""
    data = dataset(list("001122"))
    summary = partition_summary(data, [np.array([0, 1, 2]), np.array([3, 4, 5])])
    assert summary.devices == ("device-001", "device-002")
    assert summary.labels == ("0", "1", "2")
    assert summary.counts.tolist() == [[2, 1, 0], [0, 1, 2]]


def test_device_names_sort_in_order() -> None:
    """Names are as many as asked for, and sort as numbers do."""
    names = device_names(1200)
    assert names == sorted(names)
    assert (len(names), names[0], names[-1]) == (1200, "device-0001", "device-1200")


def test_shards_need_a_positive_count() -> None:
    """A partition checks itself when it is made."""
    with pytest.raises(SettingsError):
        Partition("shards", shards_per_device=0)
