"""Drawings and photographs are read; what a person says about them goes into the store and helps the line."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np
import pytest

from edge_client.page.backend import Backend
from edge_client.page.shelf import MOST_READINGS
from edge_client.sample_store import SampleStore
from tests.edge_client.page.handwritten import as_json, strokes_of
from tests.reading_scenes import draw_scene, jpeg


def _drawn(client: httpx.Client, labels: list[str], **more: Any) -> dict[str, Any]:
    answer = client.post("/api/drawings", json=as_json(strokes_of(labels)) | more)
    assert answer.status_code == 200, answer.text
    reading: dict[str, Any] = answer.json()["reading"]
    return reading


def _say(client: httpx.Client, reading: dict[str, Any], what: str, **told: Any) -> dict[str, Any]:
    answer = client.post(
        f"/api/readings/{reading['id']}/{what}", json={"revision": reading["revision"], "line": 0} | told
    )
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_drawing_is_read(any_client: httpx.Client) -> None:
    """Strokes become an expression with its value, its layout, a box and a picture for every symbol."""
    reading = _drawn(any_client, ["3", "+", "4"])
    (line,) = reading["lines"]
    assert (line["text"], line["value"], line["kind"], line["row"]) == ("3+4", "7", "number", [0, 1, 2])
    assert [symbol["label"] for symbol in line["symbols"]] == ["3", "+", "4"]
    boxes = np.array([symbol["box"] for symbol in line["symbols"]])
    assert (np.diff(boxes[:, 0]) > 0).all()
    assert (boxes[:, 2:] > 10).all()
    assert all(symbol["picture"].startswith("data:image/png;base64,") for symbol in line["symbols"])


def test_an_empty_paper_is_no_expression(any_client: httpx.Client) -> None:
    """Without ink there are no lines."""
    assert any_client.post("/api/drawings", json=as_json([])).json()["reading"]["lines"] == []


def test_all_right_stores_the_whole_line(client: httpx.Client, store: SampleStore) -> None:
    """Every symbol of a confirmed line is a sample under its label, once."""
    reading = _drawn(client, ["3", "+", "4"])
    told = _say(client, reading, "right")
    assert told["added"] == {"added": 3, "alike": 0, "replaced": 0}
    assert told["today"] == 3
    assert store.counts() == {"+": 1, "3": 1, "4": 1}
    assert {(sample.source, sample.writer, sample.corrected) for sample in store.samples()} == {
        ("canvas", "anna", True)
    }
    line = told["reading"]["lines"][0]
    assert all(symbol["learnt"] for symbol in line["symbols"])
    assert (line["confidence"], line["confidences"]) == (1.0, [1.0] * 3), "there is no doubt left"
    assert _say(client, told["reading"], "right")["added"]["added"] == 0


def test_a_said_label_stays_and_the_line_is_read_anew(client: httpx.Client, store: SampleStore) -> None:
    """A correction changes the line's text and value at once; the symbol is a sample under the new label."""
    reading = _drawn(client, ["3", "+", "4"])
    told = _say(client, reading, "confirm", symbol=1, label="-")
    (line,) = told["reading"]["lines"]
    assert (line["text"], line["value"]) == ("3-4", "-1")
    assert line["symbols"][1]["said"]
    assert store.counts() == {"-": 1}
    again = _say(client, told["reading"], "confirm", symbol=1, label="+")
    assert again["reading"]["lines"][0]["text"] == "3+4"
    assert store.counts() == {"+": 1}, "the newest word about a picture counts"


def test_every_spelling_of_a_label_is_known(client: httpx.Client, store: SampleStore) -> None:
    """``×`` is ``times``."""
    _say(client, _drawn(client, ["3", "+", "4"]), "confirm", symbol=1, label="×")
    assert store.counts() == {"times": 1}


def test_a_corrected_drawing_can_be_gone_on_with(any_client: httpx.Client) -> None:
    """What was said stays said when more is written behind it."""
    reading = _say(any_client, _drawn(any_client, ["3", "+", "4"]), "confirm", symbol=1, label="-")["reading"]
    more = _drawn(any_client, ["3", "+", "4", "+", "2"], reading=reading["id"])
    assert more["id"] == reading["id"]
    assert more["lines"][0]["text"] == "3-4+2"
    assert [symbol["learnt"] for symbol in more["lines"][0]["symbols"]] == [False, True, False, False, False]


def test_split_join_discard_and_undo(any_client: httpx.Client) -> None:
    """A box becomes two, two become one, one is thrown away, and every step can be taken back."""
    reading = _drawn(any_client, ["3", "+", "4"])
    parted = _say(any_client, reading, "split", symbol=0)["reading"]
    assert len(parted["lines"][0]["symbols"]) == 4
    joined = _say(any_client, parted, "join", symbols=[0, 1])["reading"]
    assert [symbol["box"] for symbol in joined["lines"][0]["symbols"]] == [
        symbol["box"] for symbol in reading["lines"][0]["symbols"]
    ]
    rest = _say(any_client, joined, "discard", symbol=2)["reading"]
    assert [symbol["label"] for symbol in rest["lines"][0]["symbols"]][:1] == ["3"]
    assert len(rest["lines"][0]["symbols"]) == 2
    back = _say(any_client, rest, "undo")["reading"]
    assert back["lines"] == joined["lines"]
    assert back["revision"] > rest["revision"]


def test_a_line_without_symbols_is_gone(any_client: httpx.Client) -> None:
    """When its last symbol is thrown away, the line goes too."""
    reading = _drawn(any_client, ["3"])
    assert _say(any_client, reading, "discard", symbol=0)["reading"]["lines"] == []


def test_an_old_revision_is_refused(client: httpx.Client, store: SampleStore) -> None:
    """Who has an older state before the eyes changes nothing."""
    reading = _drawn(client, ["3", "+", "4"])
    _say(client, reading, "split", symbol=0)
    late = client.post(f"/api/readings/{reading['id']}/right", json={"revision": reading["revision"], "line": 0})
    assert late.status_code == 409
    assert "changed meanwhile" in late.json()["error"]
    assert len(store) == 0


@pytest.mark.parametrize(
    ("what", "told", "status", "says"),
    [
        ("confirm", {"line": 0, "symbol": 9, "label": "3"}, 404, "no symbol 9"),
        ("confirm", {"line": 7, "symbol": 0, "label": "3"}, 404, "no line 7"),
        ("confirm", {"line": 0, "symbol": 0, "label": "omega"}, 400, "does not know the label 'omega'"),
        ("confirm", {"line": 0, "symbol": 0}, 400, "expected 'label'"),
        ("confirm", {"line": 0, "symbol": "0", "label": "3"}, 400, "expected 'symbol'"),
        ("confirm", {"line": 0, "symbol": -1, "label": "3"}, 400, "expected 'symbol'"),
        ("join", {"line": 0, "symbols": [1]}, 400, "choose two symbols"),
        ("join", {"line": 0, "symbols": "01"}, 400, "expected 'symbols'"),
        ("join", {"line": 0, "symbols": [0, 99]}, 404, "no symbol 99"),
        ("split", {"line": 0, "symbol": 3}, 404, "no symbol 3"),
        ("discard", {"line": 0, "symbol": 3}, 404, "no symbol 3"),
        ("undo", {}, 400, "nothing to undo"),
    ],
)
def test_what_cannot_be_said(any_client: httpx.Client, what: str, told: dict[str, Any], status: int, says: str) -> None:
    """A step that makes no sense is refused in one line, and the reading stays as it was."""
    reading = _drawn(any_client, ["3"])
    answer = any_client.post(f"/api/readings/{reading['id']}/{what}", json={"revision": 0} | told)
    assert (answer.status_code, answer.json()["error"].count("\n")) == (status, 0)
    assert says in answer.json()["error"]
    assert any_client.get(f"/api/readings/{reading['id']}").json()["reading"] == reading


def test_what_cannot_be_stored_can_be_said_again(client: httpx.Client, store: SampleStore) -> None:
    """Where the store fails, its line is told, and the reading stays as it was."""
    reading = _drawn(client, ["3", "+", "4"])
    store.close()
    answer = client.post(f"/api/readings/{reading['id']}/right", json={"revision": 0, "line": 0})
    assert answer.status_code == 503
    assert "sample store" in answer.json()["error"]
    assert client.get(f"/api/readings/{reading['id']}").json()["reading"] == reading


def test_a_photograph_is_read(client: httpx.Client, store: SampleStore) -> None:
    """A JPEG is read, its picture can be shown, and its corrections know where they came from."""
    scene = draw_scene("3+4", seed=5, width=640, height=360, paper="ruled")
    answer = client.post("/api/photos", content=jpeg(scene.picture), headers={"content-type": "image/jpeg"})
    assert answer.status_code == 200, answer.text
    reading = answer.json()["reading"]
    assert (reading["width"], reading["height"], reading["origin"]) == (640, 360, "photo")
    assert reading["lines"], "something is written there"
    picture = client.get(reading["picture"])
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.content[:2] == b"\xff\xd8"
    _say(client, reading, "right")
    assert {sample.source for sample in store.samples()} == {"photo"}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"hello", "is no picture"),
        (b"%PDF-1.7", "is a PDF"),
        (b"\xff\xd8\xff\xe0" + bytes(40), "cut off or damaged"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0\1\0\0" * 2 + b"\x08\0\0\0\0" + bytes(20), "megapixels"),
    ],
)
def test_no_picture(any_client: httpx.Client, data: bytes, says: str) -> None:
    """What cannot be read as a picture is refused in one line, a bomb before it is decoded."""
    answer = any_client.post("/api/photos", content=data, headers={"content-type": "image/png"})
    assert answer.status_code == 400
    assert says in answer.json()["error"]


def test_the_shelf_has_an_end(any_client: httpx.Client) -> None:
    """The reading that was looked at longest ago leaves first, and says so."""
    first, second = (_drawn(any_client, ["3"])["id"] for _ in range(2))
    for _ in range(MOST_READINGS - 1):
        any_client.get(f"/api/readings/{first}")
        any_client.post("/api/drawings", json=as_json([]))
    assert any_client.get(f"/api/readings/{first}").status_code == 200
    gone = any_client.get(f"/api/readings/{second}")
    assert gone.status_code == 404
    assert "no longer kept" in gone.json()["error"]


def test_without_a_camera_nothing_is_stopped(client: httpx.Client, backend: Backend) -> None:
    """A device without a camera says so."""
    assert client.post("/api/live/freeze", json={}).json() == {"error": "this device has no camera"}
    assert client.get("/api/live/frame").status_code == 404
    assert client.get("/api/device").json()["live"] == {"camera": False}
