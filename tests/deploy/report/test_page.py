"""What the page says."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from deploy.report.grids import worst_confusions
from deploy.report.page import report_page
from deploy.report.picture import accuracy_picture
from deploy.report.record import AggregationRecord, SimulationRecord
from deploy.report.wording import count, duration, partition_name, percent, plural, size
from deploy.report.write import write_report
from shared.errors import DataError
from tests.deploy.report.synthetic import record

VOID = {"meta", "link", "circle", "line", "rect", "path", "br", "img"}


class Balance(HTMLParser):
    """Follows the elements that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.closed: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.outside += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag
            self.closed.append(tag)


def test_the_page_is_whole_and_asks_nothing_of_the_network() -> None:
    """Every element is closed, and nothing names another file or host."""
    parser = Balance()
    parser.feed(report_page(record("iid", "shards")))
    assert parser.open == []
    assert parser.outside == ["data:,"]


def test_the_headline_says_what_came_out() -> None:
    """Devices, accuracy and who it was measured on are in the first line."""
    made = record("writer")
    assert made.runs[0].last is not None
    heading = re.search(r"<h1>(.*?)</h1>", report_page(made))
    assert heading is not None
    assert "8 devices" in heading[1]
    assert percent(made.runs[0].last.accuracy) in heading[1]
    assert "6 writers never seen" in heading[1]


def test_what_data_say_cannot_become_markup() -> None:
    """A hostile label or file name is shown, not run."""
    page = report_page(record("writer"))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_run_that_was_ended_early_says_so() -> None:
    """The page of a part tells how far it came and how to go on."""
    page = report_page(record("writer", rounds=5, planned=12))
    assert "by writer: 5 of 12 rounds" in page
    assert "--resume" in page


def test_a_run_without_a_round_still_has_a_page() -> None:
    """Nothing finished is said, not crashed on."""
    assert "No round was finished" in report_page(record("writer", rounds=0, planned=3))


def test_all_partitions_are_in_one_figure() -> None:
    """The first chart holds a line for every partition."""
    page = report_page(record("iid", "dirichlet:0.3", "shards"))
    chart = page[page.index("Test accuracy after each") :].split("</svg>")[0]
    assert [f"line series-{i}" in chart for i in range(4)] == [True, True, True, False]
    assert "Dir(0.3)" in chart


def test_the_worst_confusions_come_first() -> None:
    """What is misread most often is named with its share; what is read rightly is not."""
    assert worst_confusions([[5, 2, 0], [0, 7, 0], [4, 1, 3]], ["a", "b", "c"]) == [
        ("c", "a", 4, 8),
        ("a", "b", 2, 7),
        ("c", "b", 1, 8),
    ]


def test_the_figure_is_a_picture_of_some_size() -> None:
    """The PNG has the size a README wants, with one line and with several."""
    for made in (record("writer"), record("iid", "shards", "writer", rounds=40)):
        data = accuracy_picture(made)
        assert data[:8] == b"\x89PNG\r\n\x1a\n"
        assert int.from_bytes(data[16:20]) == 1500
        assert int.from_bytes(data[20:24]) == 600


def test_a_record_comes_back_from_its_file(tmp_path: Path) -> None:
    """run.json holds all that the report was drawn from."""
    made = record("iid", "shards")
    write_report(made, tmp_path)
    assert SimulationRecord.load(tmp_path / "run.json") == made
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "accuracy.png",
        "metrics.jsonl",
        "report.html",
        "run.json",
    ]


def test_a_file_that_is_no_record_is_named(tmp_path: Path) -> None:
    """The line names the file."""
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(DataError, match=r"run\.json is not the record of a simulation"):
        SimulationRecord.load(tmp_path / "run.json")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (percent(0.973), "97.3 %"),
        (count(1234567), "1 234 567"),
        (size(999), "999 B"),
        (size(1_441_476), "1.4 MB"),
        (size(115_000_000), "115 MB"),
        (duration(1.44), "1.4 s"),
        (duration(59.7), "1 min 00 s"),
        (duration(3725), "1 h 02 min"),
        (plural(1, "device"), "1 device"),
        (plural(3, "class"), "3 classes"),
        (partition_name("dirichlet:0.3"), "Dir(0.3)"),
    ],
)
def test_numbers_are_written_as_people_read_them(said: str, expected: str) -> None:
    """Units, thousands and minutes."""
    assert said.replace("\u202f", " ") == expected


def test_who_was_suspected_is_shown_and_why() -> None:
    """Who attacked, in how many rounds each device was suspected or left out, and the reason; nothing without any."""
    made = record("writer", rounds=2)
    assert "suspects" not in report_page(made)
    run = made.runs[0]
    judged = AggregationRecord(
        left_out=("device-003",), suspects={"device-002": "distance <from> the median 9, median of the round 2"}
    )
    devices = [
        device.model_copy(
            update={
                "attacks": device.name == "device-002",
                "suspected": 2 * (device.name == "device-002"),
                "left_out": int(device.name == "device-003"),
            }
        )
        for device in run.devices
    ]
    rounds = tuple(line.model_copy(update={"aggregation": judged}) for line in run.rounds)
    poisoned = run.model_copy(update={"devices": tuple(devices), "rounds": rounds})
    page = report_page(made.model_copy(update={"runs": (poisoned,), "settings": {"attack": "scale:20"}}))
    assert "1 device attacked the fleet (scale:20)" in page
    assert re.search(r"device-002</td><td[^>]*>yes</td><td[^>]*>2 of 2</td>", page)
    assert re.search(r"device-003</td><td[^>]*>–</td><td[^>]*>0 of 2</td><td[^>]*>1 of 2</td>", page)
    assert "distance &lt;from&gt; the median 9" in page
    assert "device-004</td><td" not in page


def test_rounds_without_a_step_are_told() -> None:
    """What the aggregation wants a person to know is on the page."""
    made = record("writer", rounds=2)
    told = AggregationRecord(notice="the weights stay as they are: krum needs 5 updates")
    rounds = tuple(line.model_copy(update={"aggregation": told}) for line in made.runs[0].rounds)
    page = report_page(made.model_copy(update={"runs": (made.runs[0].model_copy(update={"rounds": rounds}),)}))
    assert page.count("The weights stay as they are: krum needs 5 updates.") == 1


def test_who_rested_is_shown_and_why() -> None:
    """How often a device was not invited, until when, and its last failure; nothing where nobody rested."""
    made = record("iid")
    assert "Who rested" not in report_page(made)
    run = made.runs[0]
    first, *others = run.devices
    rested = first.model_copy(update={"rested": 2, "rested_until": 9, "rested_why": "no <room>"})
    page = report_page(made.model_copy(update={"runs": (run.model_copy(update={"devices": (rested, *others)}),)}))
    section = page[page.index("Who rested") :]
    assert first.name in section
    assert "2 times" in section
    assert "round 9" in section
    assert "no &lt;room&gt;" in section
