"""Pictures and ink, read from end to end with the weights that ship."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_client.expression import same_expression, text_of
from edge_client.reading import Reading, Recogniser, split
from edge_client.reading.recogniser import MOST_PARTS
from edge_client.vision.ink import InkPage, united
from edge_client.vision.trace import PictureTrace, Trace
from shared.errors import ModelError
from tests.edge_client.reading.written import Written, page_of, page_of_picture, write
from tflite_models.bundle import builtin_bundle
from tflite_models.shipped_weights import default_weights


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    """The reader as it comes out of the box."""
    return Recogniser(builtin_bundle("algebra"), weights=default_weights("algebra"))


def read(recogniser: Recogniser, page: InkPage) -> Reading:
    return recogniser.read_page(page, width=page.width, height=page.height)


def texts(reading: Reading) -> list[str]:
    return [text_of(line.row) for line in reading.lines]


def below(written: list[Written], pixels: float) -> list[Written]:
    return [one.moved(0, pixels) for one in written]


def test_what_a_calm_hand_writes_is_read(recogniser: Recogniser) -> None:
    """Most expressions of one generated writer are read exactly: rows, powers and fractions."""
    truths = ("2+3=5", "3x^2-8=4", "{1|2}+{3|4}", "10-7", "5*6=30", "x^2+y^2", "(4+5)*3", "8:4=2")
    got = [texts(read(recogniser, page_of(write(truth)))) for truth in truths]
    wanted = ["2+3=5", "3x^2-8=4", "1/2+3/4", "10-7", "5*6=30", "x^2+y^2", "(4+5)*3", "8/4=2"]
    assert sum(one == [text] for one, text in zip(got, wanted, strict=True)) >= 6, got


def test_lines_come_from_top_to_bottom_with_boxes_in_the_picture(recogniser: Recogniser) -> None:
    """Each line has its own box and symbols, each symbol its box, sample and alternatives."""
    page = page_of([*write("2+3=5"), *below(write("10-7", seed=4), 150)])
    reading = read(recogniser, page)
    assert len(reading.lines) == 2
    upper, lower = reading.lines
    assert upper.box[1] + upper.box[3] <= lower.box[1]
    for line in reading.lines:
        assert 0 < line.confidence <= 1
        for symbol in line.symbols:
            assert symbol.sample.shape == (45, 45)
            assert symbol.label not in dict(symbol.alternatives)
            assert all(confidence <= symbol.confidence for _, confidence in symbol.alternatives)
            assert symbol.box == page.box_in_picture(symbol.ink)


def test_a_picture_is_read_through_vision_and_every_step_can_be_seen(recogniser: Recogniser) -> None:
    """`read` finds the ink itself; a trace gets the time and the picture of the reader's steps."""
    page = page_of(write("2+3=5", em=90))
    canvas = np.full((page.height + 200, page.width + 200), 255, np.uint8)
    for part in page.parts:
        canvas[100 + part.y : 100 + part.bottom, 100 + part.x : 100 + part.right][part.mask > 0] = 20
    trace = PictureTrace()
    reading = recogniser.read(canvas, trace=trace)
    assert len(reading.lines) == 1
    assert (reading.width, reading.height) == (canvas.shape[1], canvas.shape[0])
    assert {"lines", "segments", "layout"} <= set(trace.seconds)
    assert {"reading lines", "candidates", "layout"} <= {name for name, _ in trace.pictures}
    left, top, _, _ = reading.lines[0].box
    assert abs(left - 120) <= 6
    assert abs(top - 120) <= 6


def test_a_person_says_what_a_symbol_is_and_the_line_is_read_anew(recogniser: Recogniser) -> None:
    """A label that was said is certain; the other lines stay the very same."""
    reading = read(recogniser, page_of([*write("2+3=5"), *below(write("10-7", seed=4), 150)]))
    inks = [symbol.ink for symbol in reading.lines[0].symbols]
    again = recogniser.reread(reading, line=0, inks=inks, fixed={1: "times"})
    symbol = again.lines[0].symbols[1]
    assert (symbol.label, symbol.confidence) == ("times", 1.0)
    assert again.lines[1] is reading.lines[1]
    assert reading.lines[0].symbols[1].label == "+"


def test_a_person_joins_splits_and_throws_away(recogniser: Recogniser) -> None:
    """The segmentation that a person gives is taken as it is."""
    reading = read(recogniser, page_of(write("10-7")))
    inks = [symbol.ink for symbol in reading.lines[0].symbols]
    joined = recogniser.reread(reading, line=0, inks=[united(inks[:2]), *inks[2:]])
    assert len(joined.lines[0].symbols) == 3
    apart = recogniser.reread(joined, line=0, inks=[*split(united(inks[:2])), *inks[2:]])
    assert len(apart.lines[0].symbols) == 4
    assert recogniser.reread(reading, line=0, inks=[]).lines == ()


def test_other_weights_are_adopted_and_wrong_ones_refused(recogniser: Recogniser) -> None:
    """What does not fit the model changes nothing; what fits is used from the next picture on."""
    own = Recogniser(builtin_bundle("algebra"), weights=default_weights("algebra"))
    page = page_of(write("2+3=5"))
    before = texts(read(own, page))
    with pytest.raises(ModelError):
        own.adopt({"nothing": np.zeros(3, np.float32)})
    assert texts(read(own, page)) == before
    own.adopt({name: np.zeros_like(array) for name, array in default_weights("algebra").items()})
    assert texts(read(own, page)) != before


@pytest.mark.parametrize("labels", ["arithmetic", "all"])
def test_any_label_set_can_be_read_with(labels: str) -> None:
    """No label is taken for granted: weights that know nothing still give a reading or none, and no error."""
    bundle = builtin_bundle(labels)
    rng = np.random.default_rng(1)
    weights = {spec.name: rng.normal(0, 0.05, spec.shape).astype(np.float32) for spec in bundle.manifest.parameters}
    own = Recogniser(bundle, weights=weights)
    assert own.labels.labels == bundle.manifest.labels
    for line in read(own, page_of(write("{1|2}+8:4=x^2"))).lines:
        assert all(symbol.label in own.labels for symbol in line.symbols)


def test_paper_and_scratches_are_no_maths(recogniser: Recogniser) -> None:
    """An empty page, a lone stroke, a dot, and a wave with a dot have no lines."""
    t = np.linspace(0, 1, 200)
    wave = [np.stack([600 * t, 60 * np.sin(19 * t)], axis=1)]
    stroke, dot = [np.array([[0.0, 0.0], [80.0, 4.0]])], [np.array([[640.0, 150.0], [642.0, 151.0]])]
    empty = page_of_picture(np.zeros((100, 100), np.uint8))
    assert read(recogniser, empty).lines == ()
    for scratch in ([Written("", stroke)], [Written("", dot)], [Written("", wave), Written("", dot)]):
        assert read(recogniser, page_of(scratch)).lines == (), scratch


def noise(count: int) -> NDArray[np.uint8]:
    """Crumbs on a grid, so many of them, each a little different."""
    rng = np.random.default_rng(0)
    side = math.ceil(math.sqrt(count))
    picture = np.zeros((side * 12, side * 12), np.uint8)
    for i in range(count):
        y, x = 12 * (i // side), 12 * (i % side)
        picture[y : y + 9, x : x + 9] = 255 * (rng.random((9, 9)) < 0.8)
    return picture


def test_noise_is_bounded_work(recogniser: Recogniser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of specks are not even looked at; of hundreds, only so many samples are read for each."""
    from edge_client.reading import recogniser as module

    read_samples = []
    classify = module._classify

    def counted(found, *others) -> None:  # type: ignore[no-untyped-def]
        read_samples.append(len(found))
        classify(found, *others)

    monkeypatch.setattr(module, "_classify", counted)
    many = page_of_picture(noise(MOST_PARTS + 300))
    assert len(many.parts) > MOST_PARTS
    assert read(recogniser, many).lines == ()
    assert read_samples == []
    some = page_of_picture(noise(120))
    read(recogniser, some)
    assert sum(read_samples) < 20 * len(some.parts)


def test_real_handwriting_is_read(recogniser: Recogniser, handwriting: Path) -> None:
    """With the weights that ship, which have never seen a person's hand, a fair share is exactly right."""
    import cv2

    rows = [line.split("\t") for line in (handwriting / "expressions" / "labels.tsv").read_text().splitlines()][::6]
    exact = 0
    for file, truth, *_ in rows:
        picture = cv2.imread(str(handwriting / "expressions" / file))
        assert picture is not None
        reading = recogniser.read(picture.astype(np.uint8), trace=Trace())
        exact += len(reading.lines) == 1 and same_expression(texts(reading)[0], truth)
    assert exact >= 0.3 * len(rows)
