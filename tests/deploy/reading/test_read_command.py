"""``inkfleet read``: pictures and videos in, answers out, and one line for everything that cannot be."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from deploy.cli import main
from shared.tensors import encode_tensors
from tests.reading_scenes import Scene, draw_scene
from tflite_models.bundle import builtin_bundle
from tflite_models.runtime.weights import initial_weights


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """The command line takes SIGTERM for itself; give it back."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an equation, an empty sheet, two files that are no pictures, and a video of two equations."""
    folder = tmp_path_factory.mktemp("pictures")
    cv2.imwrite(str(folder / "equation.png"), equation().picture)
    cv2.imwrite(str(folder / "blank.jpg"), draw_scene(width=640, height=360, noise=2).picture)
    (folder / "words.txt").write_text("3 + 4")
    (folder / "half.png").write_bytes((folder / "equation.png").read_bytes()[:5000])
    film(folder / "film.avi", [equation().picture] * 24 + [equation("7-4=3").picture] * 24)
    return folder


def equation(text: str = "2+3=5") -> Scene:
    """Write an equation clearly enough for any reader."""
    return draw_scene(text, seed=4, width=640, height=360, symbol_px=60, pen_px=4)


def film(path: Path, frames: list[np.ndarray]) -> None:
    """Write a video."""
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (width, height))
    for frame in frames:
        writer.write(frame)
    writer.release()


def run(capfd: pytest.CaptureFixture[str], *words: object) -> tuple[str, str]:
    """Run the command; return what it writes to standard output and error."""
    main(["read", *map(str, words)])
    said = capfd.readouterr()
    return said.out, said.err


def refused(capfd: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Run the command, which must end with an error; return its exit code, its output and its lines of error."""
    with pytest.raises(SystemExit) as ended:
        main(["read", *map(str, words)])
    assert isinstance(ended.value.code, int)
    said = capfd.readouterr()
    assert all(line.startswith("inkfleet: ") for line in said.err.splitlines())
    return ended.value.code, said.out, said.err


def test_a_picture_is_answered_in_a_line(pictures: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The file, then the text, what it comes to and how sure it is; nothing on standard error."""
    out, err = run(capfd, pictures / "equation.png")
    name, line = out.splitlines()
    assert name == str(pictures / "equation.png")
    assert re.fullmatch(r"  2\+3=5  true  +\d+%.*", line)
    assert err == ""


def test_json_is_one_object_a_line_for_every_file(pictures: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Boxes lie in the picture, labels make up the text, and confidences are shares."""
    out, _ = run(capfd, "--json", pictures / "equation.png", pictures / "blank.jpg")
    first, second = map(json.loads, out.splitlines())
    assert second == {"file": str(pictures / "blank.jpg"), "lines": []}
    (line,) = first["lines"]
    assert (line["text"], line["latex"], line["value"]) == ("2+3=5", "2+3=5", "true")
    assert [symbol["label"] for symbol in line["symbols"]] == ["2", "+", "3", "=", "5"]
    for read, written in zip(line["symbols"], equation().symbols[0], strict=True):
        assert np.abs(np.subtract(read["box"], written.box)).max() <= 6
        assert 0 <= read["confidence"] <= 1
        assert all(set(other) == {"label", "confidence"} for other in read["alternatives"])


def test_a_picture_without_maths_says_so(pictures: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is invented on an empty sheet."""
    out, _ = run(capfd, pictures / "blank.jpg")
    assert out.splitlines()[1:] == ["  no maths found"]


def test_a_bad_file_does_not_keep_the_others_from_being_read(pictures: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each is answered in its turn, with a line of its own, and the exit code says that not all went well."""
    files = [pictures / name for name in ("words.txt", "equation.png", "half.png", "blank.jpg", "absent.png")]
    code, out, err = refused(capfd, *files)
    assert code == 3
    assert [line for line in out.splitlines() if not line.startswith(" ")] == [str(files[1]), str(files[3])]
    lines = err.splitlines()
    assert len(lines) == 4
    assert "words.txt is no picture" in lines[0]
    assert "half.png is cut off or damaged" in lines[1]
    assert "absent.png: No such file" in lines[2]
    assert lines[3] == "inkfleet: 3 of 5 files could not be read"


def test_a_single_bad_file_is_one_line(pictures: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """There is no second line to say the same."""
    code, out, err = refused(capfd, pictures / "half.png")
    assert (code, out, err.count("\n")) == (3, "", 1)


def test_a_video_is_read_by_what_stands_still_in_it(pictures: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Two equations, shown one after the other, are two answers, each with the frame it was read in."""
    out, err = run(capfd, "--json", pictures / "film.avi")
    first, second = map(json.loads, out.splitlines())
    assert [first["lines"][0]["text"], second["lines"][0]["text"]] == ["2+3=5", "7-4=3"]
    assert first["frame"] < 24 <= second["frame"]
    assert err == ""


def test_a_video_in_which_nothing_is_stable_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """An empty sheet that is filmed has no maths."""
    film(tmp_path / "empty.avi", [np.full((120, 160, 3), 250, np.uint8)] * 12)
    out, _ = run(capfd, tmp_path / "empty.avi")
    assert out.splitlines()[-1] == "  no maths found"


def test_a_video_that_cannot_be_decoded_is_one_line(tmp_path: Path) -> None:
    """The beginning of an MP4 is not enough; in a process of its own, FFmpeg adds nothing."""
    (tmp_path / "broken.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(200))
    words = [sys.executable, "-m", "deploy", "read", str(tmp_path / "broken.mp4")]
    ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (3, "", 1)
    assert "broken.mp4" in ended.stderr


def test_the_overlay_is_the_picture_with_the_reading_on_it(
    pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It has the picture's size and is drawn on."""
    run(capfd, pictures / "equation.png", "--overlay", tmp_path / "drawn.png")
    drawn = cv2.imread(str(tmp_path / "drawn.png"))
    assert drawn is not None
    assert drawn.shape == equation().picture.shape
    assert np.any(drawn != equation().picture)


def test_the_overlays_of_several_files_go_to_a_folder(
    pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The folder is made, and two files of one name both have their picture."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "equation.png").write_bytes((pictures / "equation.png").read_bytes())
    run(capfd, pictures / "equation.png", tmp_path / "other" / "equation.png", "--overlay", tmp_path / "drawn")
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == ["equation-2.png", "equation.png"]


def test_debug_writes_every_step_and_a_page(pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Numbered pictures from the input to the reading, one sheet of them, and a page whose links all lead somewhere."""
    run(capfd, pictures / "equation.png", "--debug", tmp_path / "steps")
    folder = tmp_path / "steps"
    numbered = sorted(path.name for path in folder.glob("[0-9]*.png"))
    assert numbered[0] == "01-picture.png"
    assert numbered[-1].endswith("-reading.png")
    assert len(numbered) >= 5
    page = (folder / "index.html").read_text()
    linked = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert set(linked) == set(numbered)
    assert "2+3=5" in page
    assert "http" not in page
    assert cv2.imread(str(folder / "steps.png")) is not None


def test_debug_of_several_files_has_a_folder_for_each(
    pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One page shows them all."""
    run(capfd, pictures / "equation.png", pictures / "blank.jpg", "--debug", tmp_path / "steps")
    assert (tmp_path / "steps" / "equation" / "01-picture.png").exists()
    assert (tmp_path / "steps" / "blank" / "01-picture.png").exists()
    for link in re.findall(r'src="([^"]+)"', (tmp_path / "steps" / "index.html").read_text()):
        assert (tmp_path / "steps" / link).exists()


def test_what_does_not_go_together_is_refused_before_anything_is_read(
    pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each is one line with what to do."""
    one, other = pictures / "equation.png", pictures / "blank.jpg"
    for words, says in (
        ([], "no file to read"),
        ([one, other, "--overlay", tmp_path / "a.png"], "give a folder"),
        ([one, "--overlay", tmp_path / "a.txt"], "ends with .png"),
        ([one, "--overlay", pictures / "words.txt"], "words.txt"),
        ([one, "--debug", other], "is a file; give a folder"),
        ([one, "--score", tmp_path / "labels.tsv"], "leave out"),
        ([one, "--contact-sheet", tmp_path / "a.png"], "needs --score"),
        (["--score", "x", "--overlay", tmp_path / "a.png"], "--contact-sheet"),
        (["--score", "x", "--contact-sheet", tmp_path / "a.pdf"], "ends with .png"),
        ([one, "--labels", "greek"], "greek"),
    ):
        code, out, err = refused(capfd, *words)
        assert (code, out, err.count("\n")) == (2, "", 1), words
        assert says in err


def test_weights_that_do_not_fit_the_labels_are_one_line(
    pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Weights of another label set, no weights, and a file that is absent are named."""
    weights = tmp_path / "arithmetic.safetensors"
    weights.write_bytes(encode_tensors(initial_weights(builtin_bundle("arithmetic").manifest, seed=1)))
    for file, says in ((weights, "--labels algebra"), (pictures / "words.txt", "words.txt"), (tmp_path / "no", "no:")):
        code, out, err = refused(capfd, pictures / "equation.png", "--weights", file)
        assert (code, out, err.count("\n")) == (4, "", 1)
        assert says in err
    run(capfd, pictures / "equation.png", "--weights", weights, "--labels", "arithmetic")


def test_options_may_stand_in_variables(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """INKFLEET_READ_LABELS is --labels."""
    monkeypatch.setenv("INKFLEET_READ_LABELS", "arithmetic")
    code, _, err = refused(capfd, pictures / "blank.jpg")
    assert code == 4
    assert "'arithmetic'" in err


def score_folder(pictures: Path, folder: Path, *lines: str) -> Path:
    """Put a label file beside copies of the pictures."""
    for name in ("equation.png", "blank.jpg", "half.png"):
        (folder / name).write_bytes((pictures / name).read_bytes())
    path = folder / "labels.tsv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_score_is_printed_and_drawn(pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """One picture right, one blank and rightly so, one truth that is not what stands there."""
    (tmp_path / "wrong.png").write_bytes((pictures / "equation.png").read_bytes())
    path = score_folder(
        pictures, tmp_path, "equation.png\t2+3=5", "blank.jpg\t<not an expression>", "wrong.png\t2+3=8 # no"
    )
    boxes = [{"label": symbol.label, "box": symbol.box} for symbol in equation().symbols[0]]
    (tmp_path / "symbols.jsonl").write_text(json.dumps({"file": "equation.png", "symbols": boxes}) + "\n")
    out, err = run(capfd, "--score", path, "--contact-sheet", tmp_path / "sheet.png")
    assert "lines exactly right      66.7%  2 of 3" in out
    assert "symbol error rate        10.0%  1 of 10 tokens" in out
    assert "symbols found           100.0%  5 of 5, 0 where none is" in out
    assert "   1  8 read as 5" in out
    assert "  wrong.png\n    written  2+3=8\n    read     2+3=5" in out
    assert err == ""
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    assert min(sheet.shape[:2]) > 200


def test_a_score_in_json_is_one_object(pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Also with errors, which are all in it."""
    path = score_folder(pictures, tmp_path, "equation.png\t1", "blank.jpg\t<not an expression>")
    said = json.loads(run(capfd, "--score", path, "--json")[0])
    assert (said["lines"], said["lines_right"]) == (2, 1)
    assert [error["file"] for error in said["errors"]] == ["equation.png"]


def test_a_picture_that_cannot_be_scored_counts_as_wrong(
    pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The others are scored, the report says how many were not, and the exit code too."""
    path = score_folder(pictures, tmp_path, "equation.png\t2+3=5", "half.png\t2+3=5")
    code, out, err = refused(capfd, "--score", path)
    assert code == 3
    assert "lines exactly right      50.0%  1 of 2" in out
    assert "could not be read       1 of 2 pictures" in out
    assert err.count("\n") == 1
    assert "half.png" in err


def test_a_label_file_that_cannot_be_used_is_one_line(
    pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Before the model is even opened."""
    for lines, says in ((["only words"], "line 1"), (["nowhere.png\t1"], "nowhere.png")):
        code, out, err = refused(capfd, "--score", score_folder(pictures, tmp_path, *lines))
        assert (code, out, err.count("\n")) == (3, "", 1)
        assert says in err


def test_a_pipe_that_is_closed_ends_the_command_quietly(pictures: Path) -> None:
    """``inkfleet read … | head -1`` leaves no traceback."""
    words = [sys.executable, "-m", "deploy", "read", *[str(pictures / "equation.png")] * 3]
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = subprocess.Popen(words, stdout=write_end, stderr=subprocess.PIPE, text=True)
    os.close(write_end)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert err == ""
