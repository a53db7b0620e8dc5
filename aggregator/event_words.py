"""An aggregator's events in words; see `aggregator.events`."""

from __future__ import annotations

from typing import Any


def in_words(event: dict[str, Any]) -> str:
    """Say an event in a line for a person; empty for those that say nothing new."""
    kind = event["event"]
    if kind == "page":
        return f"page: {event['url']}" + (" (with the token)" if event["token"] else "")
    if kind == "listening":
        return f"fleet {event['fleet']}: run {event['run']} listens"
    if kind == "waiting":
        return f"waiting: {event['reason']}"
    if kind == "device":
        return f"{event['device']} is {'online' if event['online'] else 'offline'} ({event['devices']} online)"
    if kind == "opened":
        again = f", attempt {event['attempt']}" if event["attempt"] > 1 else ""
        return f"round {event['round']} of {event['rounds']}{again}: {len(event['invited'])} devices invited"
    if kind == "update":
        why = f": {event['reason']}" if event["reason"] else ""
        counted = f"{event['received']} of {event['of']}"
        return f"{event['device']}: update {event['verdict']}, {event['samples']} samples ({counted}){why}"
    if kind == "declined":
        return f"{event['device']}: cannot take part in round {event['round']}: {event['reason']}"
    if kind == "round":
        accuracy = "not tested" if event["accuracy"] is None else f"accuracy {event['accuracy']:.2%}"
        return (
            f"round {event['round']}: {accuracy}, {event['participants']} updates, {event['samples']} samples, "
            f"{event['wall_s']:.1f} s, {event['bytes_up'] / 1e6:.1f} MB up, {event['bytes_down'] / 1e6:.1f} MB down"
        ) + _of_the_aggregation(event.get("aggregation", {}))
    if kind == "broker":
        return "broker: connected again" if event["connected"] else f"broker: {event['reason']}; trying again"
    if kind == "rival":
        return (
            f"warning: another aggregator is online in fleet {event['fleet']}; two of them disturb each other: "
            "stop one, or take another --fleet"
        )
    if kind == "expelled":
        return f"{event['device']} {event['reason']} ({event['devices']} online)"
    if kind == "rested":
        return (
            f"{event['device']}: failed {event['failures']} times in a row, rests until round {event['until']}: "
            f"{event['reason']}"
        )
    if kind == "blocked":
        return f"waiting: {event['reason']}; trying again until it can be done"
    if kind == "unblocked":
        return f"done after {event['blocked_s']:.0f} s: {event['reason'].split(':')[0].removeprefix('cannot ')}"
    if kind == "recovered":
        return f"warning: {event['reason']}"
    if kind == "dropped":
        count = event["count"]
        return f"{count:,} message{'s were' if count != 1 else ' was'} passed over: {event['reason']}"
    if kind == "finished":
        return f"finished: {event['weights']} (sha256 {event['weights_sha256'][:12]})"
    return ""


def _of_the_aggregation(measured: dict[str, Any]) -> str:
    """Say what a person should know of how a round was averaged: whom the rule suspects, and why."""
    lines = [f"\n  suspected: {device}: {why}" for device, why in measured.get("suspects", {}).items()]
    return "".join([*lines, f"\n  {measured['notice']}" if "notice" in measured else ""])
