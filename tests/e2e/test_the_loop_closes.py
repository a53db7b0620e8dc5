"""The loop closes: what a person corrects on one device's page is read there, and elsewhere, a round later."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from deploy.brokers import RunningBroker
from edge_client.sample_store import SampleStore
from shared.handwriting import generate
from shared.labels import label_set
from tests.e2e.conftest import DEADLINE_S, Command
from tests.e2e.handwriting_habit import SEED, Page, Person, share_read
from tflite_models.bundle import builtin_bundle
from tflite_models.runtime.reader import FrozenReader
from tflite_models.runtime.weights import load_weights
from tflite_models.shipped_weights import default_weights

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e")]

CORRECTIONS = 20
ALGEBRA = label_set("algebra")


def said(command: Command, text: str) -> dict[str, Any]:
    """Wait for an event by some of its JSON."""
    event: dict[str, Any] = json.loads(command.wait_for(text))
    return event


@pytest.fixture
def page() -> Iterator[Callable[[str], Page]]:
    """Open pages by their address, as browsers do; closed when the test is over."""
    with ExitStack() as stack:
        yield lambda url: Page(stack.enter_context(httpx.Client(base_url=url, timeout=DEADLINE_S)))


def test_twenty_corrections_and_one_round_teach_a_habit_to_all(
    inkfleet: Callable[..., Command],
    page: Callable[[str], Page],
    mosquitto: RunningBroker,
    fleet_id: str,
    tmp_path: Path,
) -> None:
    """Somebody strikes zeros through and is misread. After 20 corrections on the page and one round of two devices,
    this device reads the habit and so does the other, which has never seen it; everything else is read as before."""
    bundle = builtin_bundle("algebra")
    shipped = FrozenReader(bundle, weights=default_weights("algebra"))
    people = [Person(index) for index in range(16)]
    read = share_read(people, shipped, count=4, seed=0)
    order = np.argsort(read, kind="stable")
    person, others = people[order[0]], [people[at] for at in order[1:6]]
    assert read[order[0]] < 0.3, "nobody here is misread any more: look for another habit"

    # Each device holds what its person wrote before; nobody has written a struck zero.
    before = [label for label in ALGEBRA.labels if label != "0"]
    generate(before, writers=1, samples_per_writer=160, seed=SEED, first_writer=person.index).save(tmp_path / "ada.npz")
    generate(ALGEBRA, writers=1, samples_per_writer=180, seed=SEED, first_writer=50).save(tmp_path / "bob.npz")
    fleet = ("--broker", str(mosquitto.address), "--fleet", fleet_id, "--json")
    own = ("--holdout", 0.3, "--page-port", 0)
    ada, bob = (
        inkfleet("device", *fleet, *own, "--name", name, "--data", f"{name}.npz", "--folder", name)
        for name in ("ada", "bob")
    )
    pages = [page(said(device, '"event": "page"')["url"]) for device in (ada, bob)]
    unseen = person.zeros(12, seed=2)
    misread = [paper.reads(unseen) for paper in pages]
    assert misread[0] == misread[1]
    assert misread[0].count("0") <= 4

    learnt = 0
    for drawing in person.zeros(2 * CORRECTIONS, seed=1):
        learnt += pages[0].correct(drawing, "0")  # one that is nearly another is not stored again
        if learnt == CORRECTIONS:
            break
    assert learnt == CORRECTIONS
    rounds = ("--rounds", 1, "--min-devices", 2, "--local-epochs", 5, "--lr", 0.02, "--augment", 1)
    weights = ("--labels", "algebra", "--weights", "shipped", "--folder", "school", "--linger-s", DEADLINE_S)
    aggregator = inkfleet("aggregator", *fleet, *rounds, *weights)
    made = f'"run": "{said(aggregator, "listening")["run"]}", "rounds": 1'
    for device, paper in zip((ada, bob), pages, strict=True):
        device.wait_for(f'"origin": "fleet", {made}')
        assert paper.reads(unseen).count("0") >= 10
    held = said(ada, f'{made}, "weights_sha256"')["accuracy"]
    assert held > said(ada, '"event": "trained"')["holdout_before"], "her own hold-out rises"
    weights_now = load_weights(tmp_path / "school" / "weights.safetensors", bundle.manifest)
    taught = FrozenReader(bundle, weights=weights_now)
    assert np.mean(share_read(others, taught, count=4, seed=0)) > np.mean([read[at] for at in order[1:6]]) + 0.1
    ordinary = generate(ALGEBRA, writers=10, samples_per_writer=72, seed=SEED, first_writer=100)
    right = [
        reader.read(ordinary.images).argmax(axis=1) == ALGEBRA.encode(ordinary.labels) for reader in (shipped, taught)
    ]
    assert right[1].mean() > right[0].mean() - 0.04

    for device in (ada, bob):
        device.interrupt()
        assert device.end() == 130, device.lines
    with SampleStore.open(tmp_path / "ada" / "samples.sqlite") as store:
        assert sum(sample.corrected for sample in store.samples(label="0")) == CORRECTIONS
