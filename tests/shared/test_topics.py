"""Topics: built and parsed by one class, and nothing foreign gets through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ProtocolError, SettingsError
from shared.topics import DeviceTopic, Topics, check_name

TOPICS = Topics("school")
HASH = "ab" * 32

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)


@given(device=names, index=st.integers(0, 9_999_999))
def test_a_device_topic_is_parsed_back(device: str, index: int) -> None:
    """What builds a device's topic and what reads it agree."""
    assert TOPICS.parse_device(TOPICS.device_state(device)) == DeviceTopic(device, "state")
    assert TOPICS.parse_device(TOPICS.want(device)) == DeviceTopic(device, "want")
    assert TOPICS.parse_device(TOPICS.update(device)) == DeviceTopic(device, "update")
    assert TOPICS.parse_device(TOPICS.reply(device)) == DeviceTopic(device, "reply")
    chunk = TOPICS.update_chunk(device, HASH, index)
    assert TOPICS.parse_device(chunk) == DeviceTopic(device, "chunk", HASH, index)


def test_a_blob_topic_is_parsed_back() -> None:
    """What builds a blob chunk's topic and what reads it agree."""
    assert TOPICS.parse_blob_chunk(TOPICS.blob_chunk(HASH, 7)) == (HASH, 7)


@pytest.mark.parametrize(
    "topic",
    [
        "fl/v1/other/device/a/state",
        "fl/v1/school/device/a",
        "fl/v1/school/device/a/state/more",
        "fl/v1/school/device/../state",
        "fl/v1/school/device/a/chunk/xyz/0",
        f"fl/v1/school/device/a/chunk/{HASH}/-1",
        f"fl/v1/school/device/a/chunk/{HASH}/01",
        f"fl/v1/school/device/a/chunk/{HASH}/99999999",
        "fl/v1/schoolyard/device/a/state",
        "",
    ],
)
def test_a_foreign_topic_is_refused(topic: str) -> None:
    """Another fleet's topic, a path in a name or an absurd index is a protocol error."""
    with pytest.raises(ProtocolError, match="topic"):
        TOPICS.parse_device(topic)


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(topic: str) -> None:
    """No topic whatever raises anything but a protocol error."""
    for parse in (TOPICS.parse_device, TOPICS.parse_blob_chunk):
        try:
            parse(topic)
        except ProtocolError:
            continue
        assert topic.startswith(TOPICS.root)


@pytest.mark.parametrize("name", ["", "a/b", "+", "#", "a b", ".hidden", "é", "a" * 65, "a\n"])
def test_a_name_that_cannot_stand_in_a_topic_is_refused(name: str) -> None:
    """Wildcards, slashes, spaces, leading dots and line ends cannot be names."""
    with pytest.raises(SettingsError, match="device name"):
        check_name(name, what="device")
