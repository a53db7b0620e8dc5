"""The small parts of live reading: how often, what it comes to, who is told, and what can be set."""

from __future__ import annotations

import threading

import pytest

from edge_client.expression import row_of, text_of
from edge_client.expression.row import Row
from edge_client.expression.value import Value
from edge_client.live.announcer import Announcer
from edge_client.live.frame import LiveFrame
from edge_client.live.rate import Rate
from edge_client.live.settings import LiveSettings
from edge_client.live.valuation import Valuation
from shared.errors import SettingsError
from tests.edge_client.live.readings import a_line, a_reading
from tests.edge_client.live.scripted import WAIT_S, ScriptedSolver


def test_a_rate_is_that_of_the_last_moments() -> None:
    """What was long ago does not count; what has stopped has no rate."""
    rate = Rate(window_s=2.0)
    assert rate.per_second(0.0) == 0
    for i in range(10):
        rate.note(i * 1.0)
    for i in range(40):
        rate.note(10 + i * 0.1)
    assert rate.per_second(14.0) == pytest.approx(10.0, rel=0.05)
    assert rate.per_second(30.0) == 0


def test_a_slow_rate_is_a_rate_too() -> None:
    """One frame in five seconds is 0.2, though the window is shorter."""
    rate = Rate(window_s=2.0)
    for at in (0.0, 5.0, 10.0):
        rate.note(at)
    assert rate.per_second(10.0) == pytest.approx(0.2)


def test_values_come_when_they_are_known() -> None:
    """First None, then the value; whoever listens is told."""
    news = threading.Event()
    valuation = Valuation(ScriptedSolver(), on_news=news.set)
    valuation.start()
    rows = [row_of("1+2")]
    assert valuation.values(rows) == (None,)
    assert news.wait(WAIT_S)
    assert [value and value.text for value in valuation.values(rows)] == ["value of 1+2"]
    valuation.stop()


def test_rows_that_nobody_asks_for_any_more_are_given_up() -> None:
    """While a hard row is solved others may come and go: only the last are solved after it."""
    solver = ScriptedSolver()
    solver.let.clear()
    done: list[int] = []
    third = threading.Event()

    def on_news() -> None:
        done.append(1)
        if len(done) == 2:
            third.set()

    valuation = Valuation(solver, on_news=on_news)
    valuation.start()
    valuation.values([row_of("1")])
    while solver.asked != ["1"]:
        threading.Event().wait(0.001)
    valuation.values([row_of("2")])
    valuation.values([row_of("3")])
    solver.let.set()
    assert third.wait(WAIT_S)
    valuation.stop()
    assert solver.asked == ["1", "3"]


def a_frame(text: str) -> LiveFrame:
    import numpy as np

    reading = a_reading(a_line(text)) if text else None
    return LiveFrame(1, np.zeros((4, 4, 3), np.uint8), reading=reading)


def test_everything_is_announced_in_order_before_the_end() -> None:
    """Leaving waits until all that was added is told, with its values."""
    told: list[tuple[str, ...]] = []
    with Announcer(
        ScriptedSolver(), tell=lambda frame, values: told.append(tuple(v.text for v in values))
    ) as announcer:
        for text in ("1+2", "", "3*4"):
            announcer.add(a_frame(text))
    assert told == [("value of 1+2",), (), ("value of 3*4",)]


def test_after_a_failure_nothing_is_announced_any_more() -> None:
    """A closed pipe ends the telling, and is there to be raised; adding goes on without harm."""

    def closed(frame: LiveFrame, values: tuple[Value, ...]) -> None:
        raise BrokenPipeError

    with Announcer(ScriptedSolver(), tell=closed) as announcer:
        announcer.add(a_frame("1"))
        announcer.add(a_frame("2"))
    assert isinstance(announcer.failure, BrokenPipeError)


def test_an_interrupt_does_not_wait_for_values() -> None:
    """Ctrl-C leaves without solving what is left."""
    solved: list[str] = []
    busy, go_on = threading.Event(), threading.Event()

    class Slow:
        def value(self, row: Row) -> Value:
            busy.set()
            assert go_on.wait(WAIT_S)
            solved.append(text_of(row))
            return Value("", "", "none")

    announcer = Announcer(Slow(), tell=lambda frame, values: None)
    announcer.__enter__()
    announcer.add(a_frame("1"))
    announcer.add(a_frame("2"))
    assert busy.wait(WAIT_S)

    def go_on_when_it_leaves() -> None:
        while not announcer._hurried:
            go_on.wait(0.001)
        go_on.set()

    threading.Thread(target=go_on_when_it_leaves, daemon=True).start()
    announcer.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert solved == ["1"]


def load(**given: object) -> LiveSettings:
    return LiveSettings.load(given=given, environ={})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"size": "big"}, "expected width and height like 1280x720"),
        ({"labels": "greek"}, "no label set is called 'greek'"),
        ({"page_port": "70000"}, "--page-port"),
        ({"pace_s": "0"}, "--pace-s"),
        ({"nosuch": "1"}, "nosuch"),
    ],
)
def test_a_setting_that_cannot_be_is_one_line(given: dict[str, object], says: str) -> None:
    """The line names the option."""
    with pytest.raises(SettingsError) as caught:
        load(**given)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_have_defaults_that_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any, the first camera is read with what ships, and the store has its place."""
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    settings = load()
    assert (settings.source, settings.labels, settings.camera_size()) == ("0", "algebra", (1280, 720))
    assert str(settings.store_folder()) == "/data/inkfleet/live"
    assert str(load(folder="/else").store_folder()) == "/else"
