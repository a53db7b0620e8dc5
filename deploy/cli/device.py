"""``inkfleet device``: be a device of a fleet."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import rich_click as click

from deploy.cli.options import settings_options
from deploy.cli.telling import NO_BAR, Bar, Tell, telling
from edge_client.settings import DeviceSettings
from shared import enrolled

if TYPE_CHECKING:
    from edge_client.sample_store import SampleStore
    from edge_client.service import Device

_CONNECTS_WITHIN_S = 1.0
_ONLY_BAR = ("progress", "importing")


@click.command()
@settings_options(DeviceSettings)
@click.option("--json", "as_json", is_flag=True, help="Write every event as a line of JSON, and nothing else.")
def command(settings: DeviceSettings, *, as_json: bool) -> None:
    """Be a device: train on your own samples, publish weights.

    The samples stay in the device's folder; --data adds some at the start, and corrections on its page add more. The
    device stays until Ctrl-C, whatever becomes of the broker, and takes part in every round that it is invited to.

    Example: inkfleet device --identity kitchen.pem --data handwriting.npz --source 0
    """
    from edge_client.front import Front
    from edge_client.service import Device

    with telling(in_words, as_json=as_json, bar=_bar, only_bar=_ONLY_BAR) as tell:
        device = Device(settings, on_event=tell, credentials=enrolled.device_credentials(settings.identity))
        front = Front(device)
        try:
            store = device.open()
            if settings.data is not None:
                _import(settings, store, tell)
            _greet(settings, store, tell)
            for notice in enrolled.notices(settings.identity, role="device", now=datetime.now(UTC)):
                tell({"event": "trouble", "reason": notice})
            device.start()
            if settings.page:
                _let_connect(device)
                front.start()
            device.wait()
        finally:
            front.stop()
            device.stop()


def _let_connect(device: Device) -> None:
    """Wait until the broker has the device, for a moment at most: what the page needs takes as long to load."""
    version, until = -1, time.monotonic() + _CONNECTS_WITHIN_S
    while not device.learning.connected and (left_s := until - time.monotonic()) > 0:
        version = device.learning.wait(version, timeout_s=left_s)


def _import(settings: DeviceSettings, store: SampleStore, tell: Tell) -> None:
    from deploy.device_import import forget_import, import_data

    assert settings.data is not None
    if len(store) == 0:
        forget_import(store.path)
    result = import_data(
        settings.data,
        store=store.path,
        labels=settings.labels,
        max_samples=settings.max_samples,
        on_progress=lambda done, total: tell({"event": "importing", "done": done, "total": total}),
    )
    if result is None:
        tell({"event": "imported", "data": str(settings.data), "unchanged": True})
    else:
        tell({"event": "imported", "data": str(settings.data)} | result)


def _greet(settings: DeviceSettings, store: SampleStore, tell: Tell) -> None:
    tell(
        {
            "event": "started",
            "device": settings.name,
            "fleet": settings.fleet,
            "folder": str(settings.device_folder()),
            "samples": len(store),
            "broker": settings.broker.rpartition("@")[2],
        }
    )


def _bar(event: dict[str, Any]) -> Bar:
    """Show how far an import or a training is; whatever else happens, neither goes on."""
    match event["event"]:
        case "progress":
            return Bar(f"training, round {event['round']}", event["batch"], event["batches"])
        case "importing":
            return Bar("reading", event["done"], event["total"])
    return NO_BAR


def in_words(event: dict[str, Any]) -> str:
    """Say an event in one line; empty for those that a person need not read."""
    wording = _WORDS.get(event["event"])
    return wording(event) if wording else ""


def _imported(event: dict[str, Any]) -> str:
    if event.get("unchanged"):
        return f"{event['data']} has not changed since it was imported"
    parts = [f"{event['data']}: {event['added']:,} samples added"]
    if event["known"]:
        parts.append(f"{event['known']:,} were there already")
    if event["left"]:
        parts.append(f"{event['left']:,} had to leave (--max-samples)")
    return ", ".join(parts) + "".join(f"\n         {note}" for note in event["notes"])


def _started(event: dict[str, Any]) -> str:
    line = (
        f"device {event['device']} of fleet {event['fleet']}: {event['samples']:,} samples in {event['folder']}; "
        f"connecting to {event['broker']}"
    )
    if not event["samples"]:
        line += "\n         without samples it is not invited to train: "
        line += "add some on its page, or start it once with --data FILE"
    return line


def _round(event: dict[str, Any]) -> str:
    if event["phase"] != "open":
        return ""
    which = f"round {event['round']} of {event['rounds']}"
    again = f", attempt {event['attempt']}" if event["attempt"] > 1 else ""
    why = f": {event['reason']}" if event["reason"] else ""
    return f"{which}{again}: {'invited' if event['invited'] else 'not invited'}{why}"


def _trained(event: dict[str, Any]) -> str:
    line = f"round {event['round']}: trained on {event['samples']:,} samples in {event['train_s']:.1f} s"
    if event["holdout_before"] is not None:
        line += f"; own hold-out {event['holdout_before']:.1%} before, {event['holdout_after']:.1%} after"
    return line


def _verdict(event: dict[str, Any]) -> str:
    return f"round {event['round']}: update {event['verdict']}" + (f": {event['reason']}" if event["reason"] else "")


def _reading(event: dict[str, Any]) -> str:
    made = "that ship" if event["origin"] == "shipped" else f"of the fleet, after {event['rounds']} rounds"
    return f"reads with the weights {made}"


def _weights(what: str) -> Callable[[dict[str, Any]], str]:
    def say(event: dict[str, Any]) -> str:
        line = f"global weights after {event['rounds']} rounds {what}"
        if event["accuracy"] is not None:
            line += f": they read {event['accuracy']:.1%} of the {event['held']:,} samples held out"
            if event["accuracy_before"] is not None:
                line += f", those kept so far {event['accuracy_before']:.1%}"
        return line

    return say


_WORDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "imported": _imported,
    "started": _started,
    "connected": lambda event: f"connected to {event['broker']}",
    "disconnected": lambda event: f"connection lost: {event['reason']}",
    "broker": lambda event: f"no connection: {event['reason']} (still trying)",
    "trouble": lambda event: f"trouble: {event['reason']}",
    "round": _round,
    "fetching": lambda event: f"round {event['round']}: fetching {event['bytes'] / 1e6:.1f} MB",
    "page": lambda event: f"page: {event['url']}" + (" (with the token)" if event["token"] else ""),
    "reading": _reading,
    "paused": lambda event: "training is paused",
    "resumed": lambda event: "training goes on",
    "waiting": lambda event: f"training waits: {event['reason']}",
    "trained": _trained,
    "verdict": _verdict,
    "failed": lambda event: f"round {event['round']}: not trained: {event['reason']}",
    "adopted": _weights("adopted"),
    "kept_out": _weights("kept out"),
    "finished": lambda event: f"run {event['run']} is finished after {event['rounds']} rounds",
    "stopped": lambda event: "stopped",
}
