"""Pictures from anywhere: what is read, which way up, and one line for everything that is refused."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_client.pictures import MOST_BYTES, MOST_SCANS, decode_picture, is_video, read_picture
from shared.errors import DataError

Pixels = NDArray[np.uint8]


def scene(height: int = 48, width: int = 64) -> Pixels:
    """Draw a picture whose four corners are told apart: blue, green, red and black on white."""
    picture = np.full((height, width, 3), 255, np.uint8)
    picture[:16, :16], picture[:16, -16:] = (255, 0, 0), (0, 255, 0)
    picture[-16:, :16], picture[-16:, -16:] = (0, 0, 255), (0, 0, 0)
    return picture


def encoded(picture: NDArray[np.generic], ending: str = ".png", *options: int) -> bytes:
    """Encode a picture with OpenCV."""
    done, data = cv2.imencode(ending, picture, options)
    assert done
    return bytes(data.tobytes())


def chunk(kind: bytes, data: bytes) -> bytes:
    """Write one chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def exif(orientation: int) -> bytes:
    """Write an EXIF block that says nothing but the orientation."""
    return struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 274, 3, 1, orientation, 0, 0)


def with_orientation(kind: str, orientation: int) -> bytes:
    """Encode the scene as a file that says it is turned."""
    if kind == "JPEG":
        data = encoded(scene(), ".jpg", cv2.IMWRITE_JPEG_QUALITY, 100)
        block = b"Exif\0\0" + exif(orientation)
        return data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]
    if kind == "PNG":
        data = encoded(scene())
        return data[:33] + chunk(b"eXIf", exif(orientation)) + data[33:]
    if kind == "WebP":
        data = encoded(scene(), ".webp", cv2.IMWRITE_WEBP_QUALITY, 101)
        assert data[12:16] == b"VP8L"
        canvas = bytes([8, 0, 0, 0]) + (63).to_bytes(3, "little") + (47).to_bytes(3, "little")
        block = exif(orientation)
        body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + canvas + data[12:]
        body += b"EXIF" + struct.pack("<I", len(block)) + block
        return b"RIFF" + struct.pack("<I", len(body)) + body
    return tiff(scene(), orientation=orientation)


def tiff(picture: Pixels, *, orientation: int = 1, order: str = "<") -> bytes:
    """Write an uncompressed TIFF in RGB, of either byte order."""
    height, width = picture.shape[:2]
    pixels = picture[:, :, ::-1].tobytes()
    at = 8 + len(pixels)
    entries = [
        (256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, at), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 8),
        (274, 3, 1, orientation), (277, 3, 1, 3), (278, 3, 1, height), (279, 4, 1, len(pixels)),
    ]  # fmt: skip
    directory = struct.pack(order + "H", len(entries))
    for tag, kind, count, value in entries:
        alone = kind == 3 and count == 1
        directory += struct.pack(order + ("HHIHH" if alone else "HHII"), tag, kind, count, value, *[0] * alone)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", at + 6)
    return head + pixels + struct.pack(order + "3H", 8, 8, 8) + directory + bytes(4)


def refused(data: bytes) -> str:
    """Return the one line with which a picture is refused."""
    with pytest.raises(DataError) as caught:
        decode_picture(data, name="it")
    said = str(caught.value)
    assert said.startswith("it ")
    assert "\n" not in said
    return said


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".bmp", ".tiff", ".ppm", ".gif"])
def test_every_kind_is_read_as_it_was_drawn(ending: str) -> None:
    """A picture comes back as BGR pixels of its own size, whatever the kind of file."""
    picture = decode_picture(encoded(scene(), ending), name="it")
    assert picture.shape == (48, 64, 3)
    assert picture.dtype == np.uint8
    middle = picture[::47, ::63].astype(int)
    assert np.abs(middle - scene()[::47, ::63]).max() < 30


@pytest.mark.parametrize("ending", [".png", ".jpg", ".pgm", ".tiff"])
def test_a_grey_picture_stays_grey(ending: str) -> None:
    """One channel is not made into three."""
    grey = cv2.cvtColor(scene(), cv2.COLOR_BGR2GRAY)
    assert decode_picture(encoded(grey, ending), name="it").shape == (48, 64)


TURNED = {
    1: "as it is", 2: "mirrored", 3: "upside down", 4: "upside down and mirrored",
    5: "transposed", 6: "a quarter to the right", 7: "transposed the other way", 8: "a quarter to the left",
}  # fmt: skip


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP", "TIFF"])
@pytest.mark.parametrize("orientation", TURNED, ids=TURNED.values())
def test_a_picture_is_turned_as_its_exif_says(kind: str, orientation: int) -> None:
    """All eight orientations of EXIF are undone, in every kind of file that can state one."""
    plain = scene()
    upright = {
        1: plain,
        2: plain[:, ::-1],
        3: np.rot90(plain, 2),
        4: plain[::-1],
        5: plain.transpose(1, 0, 2),
        6: np.rot90(plain, -1),
        7: np.rot90(plain, 2).transpose(1, 0, 2),
        8: np.rot90(plain, 1),
    }[orientation]
    found = decode_picture(with_orientation(kind, orientation), name="it")
    assert found.shape == upright.shape
    assert np.abs(found[8::16, 8::16].astype(int) - upright[8::16, 8::16]).max() <= (4 if kind == "JPEG" else 0)


def test_a_tiff_of_the_other_byte_order_is_read() -> None:
    """Big-endian files are as good as little-endian ones."""
    assert np.array_equal(decode_picture(tiff(scene(), order=">"), name="it"), scene())


@pytest.mark.parametrize("ending", [".png", ".tiff"])
def test_sixteen_bits_become_eight(ending: str) -> None:
    """The upper half of each value is kept."""
    deep = scene().astype(np.uint16) << 8 | 0x5A
    assert np.array_equal(decode_picture(encoded(deep, ending), name="it"), scene())


def test_transparent_pixels_are_white_paper() -> None:
    """What hides behind full transparency does not count, and half transparent ink is half as dark."""
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[2, 2, 3], picture[4, 4, 3] = 255, 128
    found = decode_picture(encoded(picture), name="it")
    assert found.shape == (8, 8, 3)
    assert (found[0, 0].max(), found[2, 2].max()) == (255, 0)
    assert abs(int(found[4, 4, 0]) - 127) <= 1


def test_light_ink_on_nothing_lies_on_black_paper() -> None:
    """A drawing in white on transparent paper is not lost on white."""
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[3] = 255
    found = decode_picture(encoded(picture), name="it")
    assert (found[3].min(), found[0].max()) == (255, 0)


@pytest.mark.parametrize("ending", [".png", ".webp", ".gif", ".tiff"])
def test_of_several_pictures_the_first_is_taken(ending: str, tmp_path: Path) -> None:
    """An animation or a file of many pages is read as its first picture."""
    file = tmp_path / f"many{ending}"
    pictures = [scene(), np.zeros_like(scene()), np.zeros_like(scene())]
    if ending == ".tiff":
        assert cv2.imwritemulti(str(file), pictures)
    else:
        animation = cv2.Animation()
        animation.frames, animation.durations = pictures, [100, 100, 100]
        assert cv2.imwriteanimation(str(file), animation)
    found = read_picture(file)
    assert found.shape[:2] == (48, 64)
    assert found[20, 30, :3].min() > 200


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    """Nothing is not a picture."""
    file = tmp_path / "nothing.png"
    file.touch()
    with pytest.raises(DataError, match=r"nothing\.png is empty"):
        read_picture(file)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"%PDF-1.7 ...", "pdftoppm"),
        (b"\0\0\0\x18ftypheic" + bytes(20), "HEIC"),
        (b"\0\0\0\x18ftypavif" + bytes(20), "AVIF"),
        (b"\0\0\0\x18ftypisom" + bytes(20), "video"),
        (b"<svg xmlns=", "SVG"),
        (b"PK\x03\x04" + bytes(30), "archive"),
        (b"3 + 4 = 7\n", "no picture; give JPEG"),
        (bytes(100), "no picture"),
    ],
    ids=["PDF", "HEIC", "AVIF", "video", "SVG", "zip", "text", "zeros"],
)
def test_what_is_no_picture_is_named_for_what_it_is(data: bytes, says: str) -> None:
    """The line says what the file is and what to do about it."""
    assert says in refused(data)


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".bmp", ".tiff", ".ppm", ".gif"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_a_file_that_is_cut_off_is_refused(ending: str, share: float, capfd: pytest.CaptureFixture[str]) -> None:
    """Half a picture is not read as if it were whole, and the terminal hears of it once."""
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    data = encoded(noise, ending)
    assert "cut off or damaged" in refused(data[: max(8, int(len(data) * share))])
    assert capfd.readouterr().err == ""


BOMBS = {
    "PNG": b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 1, 0, 0, 0, 0)),
    "JPEG": b"\xff\xd8\xff\xc0\x00\x11\x08" + struct.pack(">HH", 65_500, 65_500) + bytes(12),
    "GIF": b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + bytes(20),
    "BMP": b"BM" + bytes(12) + struct.pack("<Iii", 40, 40_000, -40_000) + bytes(40),
    "TIFF": tiff(scene())[:-4].replace(struct.pack("<HHIHH", 256, 3, 1, 64, 0), struct.pack("<HHII", 256, 4, 1, 10**9)),
    "WebP": b"RIFF" + bytes(4) + b"WEBPVP8X" + bytes(8) + b"\xff\xff\x00\xff\xff\x00",
    "PNM": b"P5 # a remark\n90000 90000 255\n",
    "PAM": b"P7\nWIDTH 90000\nHEIGHT 90000\nDEPTH 1\nMAXVAL 255\nENDHDR\n",
    "PNM after a return": b"P5 #\r 30000 30000 255\n10 10 255\n" + bytes(100),
    "long": b"P5 1000000 1 255\n" + bytes(100),
    "deep": b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 7_000, 7_000, 16, 6, 0, 0, 0)),
}


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS)
def test_an_enormous_picture_is_refused_by_its_header(data: bytes) -> None:
    """A bomb is seen before it goes off: the line names the size that is claimed."""
    assert "claims" in refused(data)


@pytest.mark.parametrize("bits", [32, 64])
def test_colours_of_many_bits_are_refused_by_the_header(bits: int) -> None:
    """Such a picture takes eight times the memory, and is of no use."""
    data = tiff(scene()).replace(struct.pack("<3H", 8, 8, 8), struct.pack("<3H", bits, bits, bits))
    assert f"{bits} bits" in refused(data)


def test_of_two_entries_of_a_tiff_the_first_counts() -> None:
    """The decoder takes it too, even where it is of a type that is not read here."""
    entry = struct.pack("<HHIHH", 256, 3, 1, 64, 0)
    data = tiff(scene()).replace(
        struct.pack("<HHIHH", 256, 3, 1, 64, 0), struct.pack("<HHIi", 256, 9, 1, 25_000) + entry
    )
    assert "header" in refused(data)


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    """Each pass over all pixels costs the file a few bytes, and the device a fraction of a second."""
    usual = encoded(scene(480, 640), ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    assert decode_picture(usual, name="it").shape == (480, 640, 3)
    last = usual[usual.rindex(b"\xff\xda") : -2]
    trailer = b"\xff\xda" * 40  # what follows the end of the picture, such as a film of the same moment
    assert decode_picture(usual + trailer, name="it").shape == (480, 640, 3)
    assert "scans" in refused(usual[:-2] + last * MOST_SCANS + usual[-2:])


@pytest.mark.parametrize(("room", "part"), [(2 * 3 * 480 * 640, 1), (2 * 3 * 480 * 640 - 1, 2), (40_000, 8)])
def test_a_jpeg_without_room_is_decoded_smaller(room: int, part: int) -> None:
    """It is decoded at a half, a quarter or an eighth of its sides, and lies as its EXIF says, as it does in full."""
    data = encoded(cv2.resize(scene(), (640, 480), interpolation=cv2.INTER_NEAREST), ".jpg")
    block = b"Exif\0\0" + exif(6)
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]
    small, full = decode_picture(data, name="it", room_bytes=room), decode_picture(data, name="it")
    assert small.shape == (full.shape[0] // part, full.shape[1] // part, 3)
    expected = cv2.resize(full, (small.shape[1], small.shape[0]), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - expected).mean() < 3


@pytest.mark.parametrize("options", [(".png",), (".webp",), (".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)])
def test_what_cannot_be_decoded_smaller_has_to_fit(options: tuple[str, *tuple[int, ...]]) -> None:
    """Other kinds are refused where there is no room, and so is a JPEG that needs all its coefficients at once."""
    data = encoded(scene(480, 640), *options)
    with pytest.raises(DataError, match=r"^it has 0 megapixels, and there is no room to decode so many of this kind"):
        decode_picture(data, name="it", room_bytes=1_800_000)
    assert decode_picture(data, name="it", room_bytes=4_000_000).shape == (480, 640, 3)


def test_a_file_of_too_many_bytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """A sparse file of terabytes is answered at once."""
    file = tmp_path / "large.png"
    with file.open("wb") as out:
        out.write(encoded(scene()))
        out.truncate(MOST_BYTES * 1000)
    with pytest.raises(DataError, match="64,000,000 bytes"):
        read_picture(file)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, a name that nothing has, a pipe and a device are one line each, and nothing hangs."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, says in (
        (tmp_path, "folder"),
        (tmp_path / "absent.png", "No such file"),
        (pipe, "no file"),
        (Path("/dev/zero"), "no file"),
        (Path("a\0b"), "cannot read"),
    ):
        with pytest.raises(DataError, match=says):
            read_picture(path)


def test_a_colour_profile_that_libpng_dislikes_is_not_told_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    """Chunks that draw nothing are not handed on, so nobody warns about them."""
    data = encoded(scene())
    odd = data[:33] + chunk(b"iCCP", b"x\0\0" + zlib.compress(b"nonsense" * 20)) + data[33:]
    assert np.array_equal(decode_picture(odd, name="it"), scene())
    assert capfd.readouterr().err == ""


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_bytes_do_more_than_be_refused(data: st.DataObject) -> None:
    """Whatever is changed in a file, it is read or refused in one line."""
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "WebP", "TIFF", "GIF", "BMP", "PNM"]))
    ending = {"GIF": ".gif", "BMP": ".bmp", "PNM": ".ppm"}.get(kind)
    whole = bytearray(encoded(scene(), ending) if ending else with_orientation(kind, 6))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, min(len(whole), 400) - 1))] = data.draw(st.integers(0, 255))
    del whole[data.draw(st.integers(1, len(whole))) :]
    try:
        picture = decode_picture(bytes(whole), name="it")
    except DataError:
        refused(bytes(whole))
    else:
        assert picture.dtype == np.uint8
        assert picture.ndim == 2 or picture.shape[2] == 3


def test_a_video_is_known_by_how_it_begins(tmp_path: Path) -> None:
    """MP4, Matroska and AVI are videos, a damaged one is by its name; pictures, HEIC and what is absent are none."""
    for name, head, expected in (
        ("a.mp4", b"\0\0\0\x18ftypisom", True),
        ("a.mkv", b"\x1a\x45\xdf\xa3", True),
        ("a.avi", b"RIFF\0\0\0\0AVI LIST", True),
        ("a.heic", b"\0\0\0\x18ftypheic", False),
        ("a.webp", b"RIFF\0\0\0\0WEBPVP8 ", False),
        ("a.png", encoded(scene()), False),
        ("noise.mp4", b"\x07" * 40, True),
        ("noise.png", b"\x07" * 40, False),
        ("picture.mp4", encoded(scene()), False),
    ):
        (tmp_path / name).write_bytes(head)
        assert is_video(tmp_path / name) is expected, name
    assert not is_video(tmp_path / "absent")
