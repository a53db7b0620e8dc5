"""How fast reading is and what it takes: a camera's frame, a photograph of a page, the command, a device's memory.

    python -m tests.benchmarks.reading [--frames 100] [--json]

Frames are measured in CPU time on one thread, which on an idle core is the time that passes, so that what else the
machine does hardly counts. The pictures are made from generated handwriting and read with the weights that ship.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_client.expression import row_of, same_expression, text_of
from edge_client.live.overlay import draw_reading
from edge_client.pictures import decode_picture
from edge_client.reading import RecentlyRead, Recogniser
from edge_client.vision.trace import Trace
from tests.benchmarks.reading_memory import device_memory
from tests.reading_scenes import Scene, draw_scene, fraction, jpeg
from tflite_models.bundle import builtin_bundle
from tflite_models.shipped_weights import default_weights

TWENTY = "3x^2-7x+9=-5(a+4)*2/8"
"""An expression of twenty symbols."""

WIDTH, HEIGHT = 1280, 720
STARTS = 5
HANDS = range(1, 11)
"""Seeds of the hands whose writing is read to say how much is read rightly: consecutive ones, whatever comes out."""
PHOTOGRAPHS = 5
PAGES = 5
"""Of these hands, so many write a page; each takes seconds to draw."""


def main() -> None:
    """Measure, and print the figures as text or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--without-device", action="store_true", help="leave out the device's memory, which takes long")
    arguments = parser.parse_args()
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    recogniser = Recogniser(builtin_bundle("algebra"), weights=default_weights("algebra"), threads=1)
    report: dict[str, Any] = {
        "frame_1280x720_20_symbols": frames(recogniser, count=arguments.frames),
        "the_same_in_a_live_view": frames(recogniser, count=arguments.frames, live=True),
    }
    cv2.setNumThreads(threads)
    report["photograph_12_megapixels"] = photograph(recogniser)
    report["inkfleet_read"] = command()
    if not arguments.without_device:
        report["device_that_reads_and_trains"] = device_memory()
    if arguments.json:
        print(json.dumps(report))  # noqa: T201
        return
    print(json.dumps(report, indent=2))  # noqa: T201


def frames(recogniser: Recogniser, *, count: int, live: bool = False) -> dict[str, Any]:
    """Read camera frames of a paper, each as a camera sends it (JPEG), and draw what was read.

    Args:
        recogniser: to read with, on one thread.
        count: frames.
        live: each frame is read as the one after the last, as `inkfleet live` does; otherwise each by itself.

    Returns:
        Frames per second of CPU time, all frames taken together, and the median milliseconds of every step.
    """
    sent = _video(_frame(5, turn_deg=0.2).picture, frames=count + 5)
    recent = RecentlyRead() if live else None
    taken_over = []
    taken: dict[str, list[float]] = {}
    whole = []
    for number in range(count + 5):
        trace = Trace(clock=time.process_time)
        begun = time.process_time()
        with trace.step("decode"):
            picture = decode_picture(sent[number], name="frame")
        reading = recogniser.read(picture, recent=recent, trace=trace)
        with trace.step("overlay"):
            draw_reading(picture, reading, status="30 frames a second")
        if number < 5:  # the first ones make room and fill caches
            continue
        whole.append(time.process_time() - begun)
        taken_over.append(recent.taken_over if recent is not None else 0)
        for name, seconds in trace.seconds.items():
            taken.setdefault(name, []).append(seconds)
    steps = {name: round(statistics.median(seconds) * 1e3, 2) for name, seconds in taken.items()}
    told = {
        "frames_per_s": round(1 / statistics.mean(whole), 1),
        "frames_per_s_without_decoding": round(1 / (statistics.mean(whole) - statistics.mean(taken["decode"])), 1),
        "milliseconds": steps,
    }
    if live:
        return told | {"candidates_taken_over": statistics.median(taken_over)}
    return told | _right(recogniser, [_frame(seed, turn_deg=0.2) for seed in HANDS])


def _video(picture: NDArray[np.uint8], *, frames: int) -> list[bytes]:
    """Film a picture by hand: every frame moves by pixels and fractions of a degree, and has noise of its own."""
    rng = np.random.default_rng(3)
    sent = []
    for number in range(frames):
        camera = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 0.3 * math.sin(number / 5), 1)
        camera[:, 2] += (2 * math.sin(number / 3), 2 * math.cos(number / 4))
        moved = cv2.warpAffine(picture, camera, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
        sent.append(jpeg(np.clip(moved + rng.normal(0, 4, moved.shape), 0, 255).astype(np.uint8)))
    return sent


def _frame(seed: int, *, turn_deg: float) -> Scene:
    return draw_scene(TWENTY, width=WIDTH, height=HEIGHT, light="gradient", paper="plain", turn_deg=turn_deg, seed=seed)


def photograph(recogniser: Recogniser) -> dict[str, Any]:
    """Read a photograph of a page of 4000×3000 pixels, from its JPEG.

    Returns:
        The median time that passes and CPU time, in seconds.
    """
    page = _page(8)
    data = jpeg(page.picture)
    passed, cpu = [], []
    for _ in range(PHOTOGRAPHS):
        begun, begun_cpu = time.perf_counter(), time.process_time()
        recogniser.read(decode_picture(data, name="photograph"))
        passed.append(time.perf_counter() - begun)
        cpu.append(time.process_time() - begun_cpu)
    return {
        "seconds": round(statistics.median(passed), 3),
        "cpu_seconds": round(statistics.median(cpu), 3),
        **_right(recogniser, [_page(seed) for seed in HANDS[:PAGES]]),
    }


def _page(seed: int) -> Scene:
    """Draw five lines on squared paper, half in shadow, on a desk."""
    return draw_scene(
        "34/2+128/2-22*5",
        "3x^3+6x^2=0",
        (*row_of("1+"), fraction("a+b", "2c"), *row_of("=4")),
        "6x^2+11x-35=0",
        "20x^2-15x=10+5-5",
        width=4000,
        height=3000,
        symbol_px=230,
        pen_px=16,
        paper="squared",
        light="shadow",
        turn_deg=3,
        desk=True,
        seed=seed,
    )


def command() -> dict[str, Any]:
    """Run ``inkfleet read`` on a photograph of an equation, several times.

    Returns:
        The median time from its start to its answer and its end, and the median CPU time, in seconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "photo.jpg"
        file.write_bytes(jpeg(draw_scene("3x+7=22", seed=2).picture))
        answered, ended, cpu = [], [], []
        for _ in range(STARTS + 1):
            before = os.times()
            begun = time.perf_counter()
            words = [sys.executable, "-m", "deploy", "read", str(file), "--json"]
            process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
            assert process.stdout is not None
            line = json.loads(process.stdout.readline())
            answered.append(time.perf_counter() - begun)
            process.communicate()
            ended.append(time.perf_counter() - begun)
            after = os.times()
            cpu.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return {
        "answer_s": round(statistics.median(answered[1:]), 2),
        "end_s": round(statistics.median(ended[1:]), 2),
        "cpu_s": round(statistics.median(cpu[1:]), 2),
        "read": [read["text"] for read in line["lines"]],
    }


def _right(recogniser: Recogniser, scenes: list[Scene]) -> dict[str, Any]:
    """Say how much of what several hands wrote was read rightly, so that a fast reader that reads nothing is seen."""
    right = lines = symbols = matched = 0
    for scene in scenes:
        texts = [text_of(line.row) for line in recogniser.read(scene.picture).lines]
        lines += len(scene.truths)
        right += sum(any(same_expression(truth, text) for text in texts) for truth in scene.truths)
        matched += len(texts) == len(scene.truths)
        symbols += sum(map(len, scene.symbols))
    return {
        "symbols": symbols // len(scenes),
        "hands": len(scenes),
        "lines": lines,
        "lines_right": right,
        "pictures_with_all_lines_found": matched,
    }


if __name__ == "__main__":
    main()
