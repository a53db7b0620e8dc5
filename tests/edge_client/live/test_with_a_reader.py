"""A video, a real reader and a real solver: handwriting in, expression and value out."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from edge_client.camera import open_source
from edge_client.expression import Solver
from edge_client.live import LiveReader
from edge_client.reading import Recogniser
from tests.edge_client.live.scripted import WAIT_S, shown
from tests.reading_scenes import draw_scene
from tflite_models.bundle import builtin_bundle
from tflite_models.runtime.weights import initial_weights
from tflite_models.shipped_weights import default_weights


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of a sheet with an expression."""
    path = tmp_path_factory.mktemp("video") / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (640, 360))
    scene = draw_scene("1+2", seed=3, width=640, height=360, symbol_px=60, noise=0)
    for _ in range(12):
        writer.write(scene.picture)
    writer.release()
    return path


def test_a_video_is_read_while_weights_are_exchanged(video: Path) -> None:
    """The expression is there with its value; new weights are adopted between frames, and frames go on."""
    bundle = builtin_bundle("algebra")
    shipped = default_weights("algebra")
    recogniser = Recogniser(bundle, weights=shipped)
    source = open_source(str(video), loop=True)
    with Solver() as solver, LiveReader(source, recogniser=recogniser, solver=solver) as live:
        frame = live.wait(0, WAIT_S)
        while frame is not None and not any(frame.values):
            frame = live.wait(frame.seq, WAIT_S)
        assert frame is not None
        assert shown(live) == ["1+2"]
        assert [value and value.text for value in frame.values] == ["3"]
        for weights in (initial_weights(bundle.manifest, seed=1), shipped):
            recogniser.adopt(weights)
            after = live.wait(frame.seq, WAIT_S)
            assert after is not None
            assert after.seq > frame.seq
            assert after.status == ""
            frame = after
        assert live.failure is None
