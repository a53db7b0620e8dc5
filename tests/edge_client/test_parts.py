"""The device's small parts: settings, governor, presence, folder, retry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_client.adoption import judge
from edge_client.complaints import Complaints
from edge_client.device_folder import DeviceFolder
from edge_client.governor import Governor, hottest_zone_c
from edge_client.presence import Presence, capabilities
from edge_client.retry import Retry
from edge_client.settings import DeviceSettings
from shared.errors import RunError, SettingsError, StorageError
from shared.messages import DeviceState, Score
from shared.rising_numbers import RisingNumbers


def load(**given: object) -> DeviceSettings:
    """The settings a command line with these options would give."""
    return DeviceSettings.load(given={"name": "kitchen"} | given, environ={})


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("name", "the kitchen", "--name: device name 'the kitchen' cannot be used"),
        ("name", "", "--name: device name '' cannot be used"),
        ("fleet", "a/b", "--fleet: fleet name 'a/b' cannot be used"),
        ("broker", "http://host", "--broker: broker address 'http://host' does not start with mqtt://"),
        ("labels", "klingon", "--labels: no label set is called 'klingon'"),
        ("train_hours", "25-3", "--train-hours: expected two hours of the day"),
        ("holdout", "1", "--holdout: input should be less than 1"),
        ("page_host", "0.0.0.0", "device: the page at '0.0.0.0' would be open to everyone in the network: set a token"),
        ("token", "short", "device: the page's token is too short"),
        ("page_port", "65536", "--page-port: input should be less than or equal to 65535"),
    ],
)
def test_a_wrong_setting_is_one_line(option: str, value: str, said: str) -> None:
    """Every option that cannot be says which it is and what is wrong."""
    with pytest.raises(SettingsError) as caught:
        load(**{option: value})
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_a_source_needs_the_page() -> None:
    """Nobody would see what is read."""
    with pytest.raises(SettingsError, match="leave --no-page out, or use inkfleet live"):
        load(source="0", page=False)
    assert load(source="0").page


def test_the_default_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without --folder a device lies under the user's data folder, by fleet and name."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert load().device_folder() == tmp_path / "inkfleet" / "inkfleet" / "kitchen"
    assert load(folder=tmp_path / "x").device_folder() == tmp_path / "x"


@pytest.mark.parametrize(
    ("hours", "hour", "allowed"),
    [
        ("22-6", 23, True),
        ("22-6", 5, True),
        ("22-6", 6, False),
        ("8-17", 8, True),
        ("8-17", 17, False),
        ("18-24", 0, False),
    ],
)
def test_hours_may_pass_midnight(hours: str, hour: int, allowed: bool) -> None:
    """The first hour belongs to the span, the second does not."""
    assert (Governor(train_hours=hours, local_hour=lambda: hour).objection() == "") is allowed


def test_the_governor_says_what_it_minds() -> None:
    """Heat and load are named with both figures; a machine without a thermometer is never too hot."""
    hot = Governor(max_temperature_c=70, temperature_c=lambda: 81.4, load_per_core=lambda: 0.0)
    assert hot.objection() == "the processor has 81 °C, training is allowed up to 70 °C"
    busy = Governor(max_load=0.5, load_per_core=lambda: 1.25)
    assert busy.objection() == "the load is 1.25 a core, training is allowed up to 0.5"
    assert Governor(max_temperature_c=70, temperature_c=lambda: None).objection() == ""
    assert Governor(temperature_c=lambda: 99.0, load_per_core=lambda: 99.0).objection() == ""


def test_the_hottest_zone_counts(tmp_path: Path) -> None:
    """Zones are read in thousandths of a degree; one that cannot be read is passed over."""
    for name, text in (("thermal_zone0", "41000\n"), ("thermal_zone1", "63500\n"), ("thermal_zone2", "?")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "temp").write_text(text)
    assert hottest_zone_c(tmp_path) == 63.5
    assert hottest_zone_c(tmp_path / "nowhere") is None


def test_sessions_grow_over_restarts_and_clocks_set_back(tmp_path: Path) -> None:
    """Each number is greater than all before, in this process and the next, even if the clock is years behind."""
    first = RisingNumbers(tmp_path / "session", clock=lambda: 2e9)
    one, two = first.next(), first.next()
    assert one < two
    first.remember(two)
    assert RisingNumbers(tmp_path / "session", clock=lambda: 1e9).next() > two
    (tmp_path / "session").write_text("not a number")
    assert RisingNumbers(tmp_path / "session", clock=lambda: 3e9).next() == 3_000_000_000_000


def presence(tmp_path: Path) -> Presence:
    """A presence that may publish once a second."""
    sessions = RisingNumbers(tmp_path / "session", clock=lambda: 1.0)
    return Presence("topic", sessions=sessions, capabilities=capabilities(), interval_s=1.0)


def test_will_birth_and_death_carry_one_session(tmp_path: Path) -> None:
    """The aggregator can tell which connection a death belongs to; the next connection has a greater number."""
    one = presence(tmp_path)
    will = DeviceState.model_validate_json(one.will().payload)
    birth = DeviceState.model_validate_json(one.birth(0.0))
    death = DeviceState.model_validate_json(one.death())
    assert will.session == birth.session == death.session
    assert (will.online, birth.online, death.online) == (False, True, False)
    assert DeviceState.model_validate_json(one.will().payload).session > will.session


def test_changes_are_gathered(tmp_path: Path) -> None:
    """Many changes within the interval are one publication, with the last of them."""
    one = presence(tmp_path)
    one.will()
    one.birth(10.0)
    for activity in ("fetching", "training", "uploading"):
        one.count({"1": 3})
        one.doing(activity)
        assert one.due(10.5) is None
    assert one.wake_at() == 11.0
    state = DeviceState.model_validate_json(one.due(11.0) or b"")
    assert (state.activity, state.samples) == ("uploading", {"1": 3})
    assert one.due(12.0) is None


def test_what_did_not_change_is_said_again_ever_more_rarely(tmp_path: Path) -> None:
    """After 10 s, 20 s, 40 s; a change begins anew."""
    one = presence(tmp_path)
    one.will()
    one.birth(0.0)
    assert [second for second in range(100) if one.due(float(second)) is not None] == [10, 30, 70]
    one.doing("training")
    assert one.due(100.0) is not None
    assert one.wake_at() == 110.0


def test_capabilities_say_what_the_device_is() -> None:
    """Version, runtime, machine and cores are filled in."""
    found = capabilities()
    assert found.machine == os.uname().machine
    assert found.runtime.startswith("ai-edge-litert 2")
    assert found.cores >= 1


def test_troubles_are_told_seldom_and_counted() -> None:
    """The first at once, then one in ten seconds with how many there were."""
    now: list[float] = [100.0]
    told: list[dict[str, object]] = []
    complaints = Complaints(told.append, clock=lambda: now[0])
    for at in (100.0, 100.1, 105.0, 109.9, 110.0, 110.1):
        now[0] = at
        complaints.say(f"at {at}")
    assert [(event["reason"], event["count"]) for event in told] == [("at 100.0", 1), ("at 110.0", 4)]


def test_a_folder_is_one_devices(tmp_path: Path) -> None:
    """A second device on the folder is told who has it; when the first is gone the folder is free."""
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from edge_client.device_folder import DeviceFolder\n"
            f"DeviceFolder(Path({str(tmp_path)!r})).lock(); print('locked', flush=True); sys.stdin.read()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(RunError, match=rf"in use by another device \(process {holder.pid}\)"):
            DeviceFolder(tmp_path).lock()
        holder.kill()
    with DeviceFolder(tmp_path):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()} device"


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    """A file in the way of the folder is a StorageError that names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot use folder"):
        DeviceFolder(tmp_path / "file" / "kitchen").lock()


def test_retry_is_capped_and_jittered() -> None:
    """The wait lies in the upper half of a bound that doubles up to the cap."""
    retry = Retry(first_s=2.0, cap_s=30.0)
    assert [retry.wait_s(n, uniform=lambda: 1.0) for n in range(6)] == [2, 4, 8, 16, 30, 30]
    assert [retry.wait_s(n, uniform=lambda: 0.0) for n in range(6)] == [1, 2, 4, 8, 15, 15]
    assert retry.wait_s(10_000, uniform=lambda: 1.0) == 30.0


def test_settings_are_what_the_reference_says() -> None:
    """Every setting says what it is, for --help and for the reference."""
    assert all(field.description for field in DeviceSettings.model_fields.values())
    assert json.dumps(load().model_dump(mode="json"))


@pytest.mark.parametrize(
    ("before", "after", "held", "adopted"),
    [
        (0.96, 0.92, 50, True),  # two samples of fifty
        (0.96, 0.92, 1000, False),
        (0.96, 0.945, 1000, True),
        (0.96, 0.80, 50, False),
        (0.0, 0.0, 50, True),
        (None, 0.13, 50, True),
        (None, 0.11, 50, False),
        (0.96, 0.0, 9, True),  # too few to tell
    ],
)
def test_weights_are_kept_out_where_the_holdout_proves_them_worse(
    before: float | None, after: float, held: int, adopted: bool
) -> None:
    """The tolerance is not all: what a few samples say may be chance, and what many say is not."""
    new = Score(loss=1.0, accuracy=after, samples=held)
    current = Score(loss=1.0, accuracy=before, samples=held) if before is not None else None
    assert judge(new, current, classes=17, tolerance=0.02).adopt is adopted
