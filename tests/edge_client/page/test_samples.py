"""Samples are listed, shown, deleted and exported; news of them, and of learning, comes by itself."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import cv2
import httpx
import numpy as np
import pytest

from edge_client.learning import Learning
from edge_client.page.backend import Backend
from edge_client.page.device_page import device_page
from edge_client.page.news import News
from edge_client.sample_store import SampleStore
from shared.handwriting import generate
from shared.web.server import PageServer


@pytest.fixture
def filled(store: SampleStore) -> SampleStore:
    """A store with five samples of each of three labels."""
    store.add(generate(("3", "+", "x"), writers=1, samples_per_writer=15, seed=3), source="demo")
    return store


def test_listing(client: httpx.Client, filled: SampleStore) -> None:
    """The newest come first, page by page, all or those of a label."""
    assert client.get("/api/samples/counts").json() == {"total": 15, "labels": {"+": 5, "3": 5, "x": 5}, "today": 0}
    first = client.get("/api/samples", params={"limit": 10}).json()["samples"]
    rest = client.get("/api/samples", params={"limit": 10, "offset": 10}).json()["samples"]
    numbers = [sample["number"] for sample in first + rest]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 15
    crosses = client.get("/api/samples", params={"label": "+"}).json()["samples"]
    assert [sample["label"] for sample in crosses] == ["+"] * 5


def test_a_sample_s_picture(client: httpx.Client, filled: SampleStore) -> None:
    """It is the stored picture, black on nothing, and may be kept for good."""
    number = filled.samples()[0].number
    answer = client.get(f"/api/samples/{number}/picture")
    pixels = np.asarray(cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED))
    image = filled.image(number)
    assert image is not None
    np.testing.assert_array_equal(pixels[:, :, 3], image)
    assert "immutable" in answer.headers["cache-control"]


def test_deleting(client: httpx.Client, filled: SampleStore) -> None:
    """One goes at a word, all of them only if that is meant."""
    number = filled.samples()[0].number
    assert client.delete(f"/api/samples/{number}").json() == {"deleted": 1}
    assert client.delete(f"/api/samples/{number}").status_code == 404
    assert client.request("DELETE", "/api/samples", json={}).status_code == 400
    assert len(filled) == 14
    assert client.request("DELETE", "/api/samples", json={"delete": "all"}).json() == {"deleted": 14}
    assert len(filled) == 0


def test_exporting(client: httpx.Client, filled: SampleStore) -> None:
    """The owner gets a file with every sample."""
    answer = client.get("/api/samples/export")
    assert "attachment" in answer.headers["content-disposition"]
    with np.load(io.BytesIO(answer.content)) as exported:
        assert exported["X"].shape == (15, 45, 45)
        assert sorted(exported["y"].tolist()) == ["+"] * 5 + ["3"] * 5 + ["x"] * 5


def test_only_words_of_today_count(backend: Backend, store: SampleStore) -> None:
    """What was added today is what a person said since midnight, imports left out."""
    data = generate(("3", "4", "5"), writers=1, samples_per_writer=3, seed=1)
    day_s = 24 * 3600.0
    now_s = 1_800_000_000.0
    for i, at in enumerate([now_s - day_s, now_s, now_s]):
        store.correct([(data.images[i], str(data.labels[i]))], writer="a", source="canvas", clock=lambda at=at: at)  # type: ignore[misc]
    store.add(generate(("x",), writers=1, samples_per_writer=1, seed=1), source="demo", clock=lambda: now_s)
    assert News(backend, clock=lambda: now_s).added_today() == 2


def _events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, object]]]:
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def test_news(client: httpx.Client, filled: SampleStore) -> None:
    """Whoever listens hears how things are, and then what changes."""
    with client.stream("GET", "/api/news") as stream:
        events = _events(stream.iter_lines())
        first = dict(next(events) for _ in range(3))
        assert first["live"] == {"camera": False}
        assert first["samples"]["total"] == 15
        assert first["learning"]["paused"] is False
        with httpx.Client(base_url=client.base_url) as other:
            assert other.post("/api/learning/pause", json={"paused": True}).json()["paused"] is True
            name, told = next(events)
            assert (name, told["paused"]) == ("learning", True)
            other.delete(f"/api/samples/{filled.samples()[0].number}")
            name, told = next(events)
            assert (name, told["total"]) == ("samples", 14)


def test_pausing_needs_a_yes_or_no(client: httpx.Client, backend: Backend) -> None:
    """Anything else changes nothing."""
    assert client.post("/api/learning/pause", json={"paused": 1}).status_code == 400
    assert backend.learning.paused is False


def test_a_page_that_ends_lets_its_listeners_go(backend: Backend) -> None:
    """Stopping does not wait for browsers that are still open."""
    server = PageServer(device_page(backend))
    server.start()
    with httpx.Client(base_url=server.url) as client, client.stream("GET", "/api/news") as stream:
        lines = stream.iter_lines()
        next(lines)
        server.stop()
        assert list(lines)[-1:] == [""]
    assert isinstance(backend.learning, Learning)


def test_another_site_is_told_of_no_samples(client: httpx.Client) -> None:
    """An older browser says where a request for data comes from by its origin alone."""
    assert client.get("/api/samples", headers={"origin": "https://evil.example"}).status_code == 403
    assert client.get("/api/samples", headers={"origin": str(client.base_url).rstrip("/")}).status_code == 200
