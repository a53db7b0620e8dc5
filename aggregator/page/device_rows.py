"""The devices as the page is told them: what each one does, and why, from what is known of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from aggregator.engine import Rest, RoundView
from aggregator.page.chronicle import LastUpdate
from aggregator.page.members import Membership
from aggregator.registry import Presence
from aggregator.standing import Standing

MOST_ROWS = 300
"""So many devices are shown by name; of more, those that there is something to say of come first."""

_ACTIVITIES = frozenset({"fetching", "waiting", "training", "uploading", "failed"})

_ORDER = ("training", "uploading", "fetching", "failed", "resting", "waiting", "done", "paused", "idle", "revoked")
_LAST = len(_ORDER)


def device_rows(
    standing: Standing | None, *, updates: Mapping[str, LastUpdate], members: Mapping[str, Membership]
) -> dict[str, Any]:
    """Say who there is: ``{"devices": rows, "total", "online", "counts": {state: how many}}``, in the order of names.

    Args:
        standing: of the run; None before the broker was reached.
        updates: the last of each device.
        members: who was enrolled; empty in a fleet that enrols nobody.
    """
    present = standing.devices if standing is not None else {}
    rows = []
    names = present.keys() | members.keys()
    if standing is not None:
        counted = frozenset(entry.device for entry in standing.round.contributions)
        invited = frozenset(standing.round.invited)
        rests = standing.rests
    else:
        counted = invited = frozenset()
        rests = {}
    for name in names:
        presence, member, rest = present.get(name), members.get(name), rests.get(name)
        view = standing.round if standing is not None else None
        state, why = _state(presence, member, rest, view, counted=name in counted)
        rows.append(
            {
                "name": name,
                "state": state,
                "why": why,
                "online": presence is not None and presence.online,
                "invited": name in invited,
                "samples": None if presence is None else sum(presence.samples.values()),
                "labels": None if presence is None else sum(count > 0 for count in presence.samples.values()),
                "failures": rest.failures if rest is not None else 0,
                "last": _last(updates.get(name)),
                "member": _member(member),
            }
        )
    counts = Counter(row["state"] for row in rows)
    shown = sorted(rows, key=_urgency)[:MOST_ROWS]
    return {
        "devices": sorted(shown, key=lambda row: str(row["name"])),
        "total": len(rows),
        "online": sum(row["online"] for row in rows),
        "counts": dict(counts),
        "enrolled": bool(members),
    }


def _state(
    presence: Presence | None, member: Membership | None, rest: Rest | None, view: RoundView | None, *, counted: bool
) -> tuple[str, str]:
    """Say what a device does, as one of a few words, and why, where there is a reason."""
    if member is not None and member.revoked:
        return "revoked", ""
    if presence is None:
        return "unseen", ""
    resting = rest is not None and view is not None and rest.until > rest.round and rest.until >= view.round
    if not presence.online:
        return "offline", f"rests until round {rest.until}: {rest.reason}" if resting and rest else ""
    if counted:
        return "done", ""
    if resting and rest is not None:
        return "resting", f"until round {rest.until}, after {rest.failures} failures in a row: {rest.reason}"
    if presence.paused:
        return "paused", ""
    failure = presence.failure
    if failure is not None and view is not None and failure.round == view.round:
        return "failed", failure.reason
    return (presence.activity if presence.activity in _ACTIVITIES else "idle"), ""


def _urgency(row: dict[str, Any]) -> tuple[int, str]:
    state = row["state"]
    return (_ORDER.index(state) if state in _ORDER else _LAST), row["name"]


def _last(update: LastUpdate | None) -> dict[str, Any] | None:
    if update is None:
        return None
    return {
        "round": update.round,
        "samples": update.samples,
        "verdict": update.verdict,
        "reason": update.reason,
        "unix_s": update.unix_s,
    }


def _member(member: Membership | None) -> dict[str, Any] | None:
    return None if member is None else {"expires": member.expires, "validity": member.validity}
