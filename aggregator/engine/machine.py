"""The state machine of a run."""

from __future__ import annotations

import math

from aggregator.engine.effects import (
    Aggregate,
    Commit,
    Counted,
    Effect,
    Evaluate,
    Excused,
    Fail,
    Finish,
    PublishRound,
    Refused,
    Wait,
)
from aggregator.engine.events import (
    Aggregated,
    Committed,
    DeviceDeclined,
    DeviceExpelled,
    DeviceGone,
    DeviceSeen,
    Event,
    Started,
    Tick,
    UpdateAccepted,
)
from aggregator.engine.state import Contribution, Phase, Rest, ResumePoint, RoundView, RunPlan
from aggregator.sampling import choose


class RoundEngine:
    """Decides what a run does next. It does no I/O, keeps no clock, and can be told anything in any order.

    What holds whatever it is told: an update counts at most once, and one for each device and round; no round is
    averaged without its quorum; the last effect is a `Wait` with a deadline, or the run has ended.

    Args:
        plan: how the run is to go.
        resume: where it stood, if it goes on.
    """

    def __init__(self, plan: RunPlan, *, resume: ResumePoint | None = None) -> None:
        self._plan = plan
        self._resume = resume or ResumePoint()
        self._started = False
        self._phase: Phase = "gathering"
        self._round = self._resume.committed + 1
        self._attempt = 1
        self._invited: tuple[str, ...] = ()
        self._quorum = 0
        self._contributions: dict[str, Contribution] = {}
        # Who was invited and will not answer in this attempt, and why.
        self._declined: dict[str, str] = {}
        # Who did not answer an attempt at this round that others could have closed with it.
        self._missed: dict[str, str] = {}
        self._rests = {rest.device: rest for rest in self._resume.rests}
        self._deadline = math.inf
        self._present: set[str] = set()
        self._left_at: dict[str, float] = {}
        open_round = self._resume.open
        if open_round is not None:
            self._round, self._attempt = open_round.round, open_round.attempt
            self._invited, self._quorum = open_round.invited, open_round.quorum
            self._contributions = {entry.device: entry for entry in open_round.contributions}
            self._phase = "collecting"

    @property
    def view(self) -> RoundView:
        """Where the run stands."""
        taking = self._phase in ("gathering", "collecting") and bool(self._invited)
        return RoundView(
            self._phase, self._round, self._attempt, self._invited, self._quorum, self._sorted_contributions(), taking
        )

    @property
    def present(self) -> tuple[str, ...]:
        """The devices that are online and have samples, in the order of their names."""
        return tuple(sorted(self._present))

    def handle(self, event: Event, *, now: float) -> tuple[Effect, ...]:
        """Take an event in; return what is to be done, in order.

        Args:
            event: what happened.
            now: the clock, in seconds; it never runs backwards.
        """
        effects: list[Effect] = []
        if isinstance(event, Started):
            if not self._started:
                self._start(now, effects)
        elif isinstance(event, DeviceSeen):
            self._seen(event)
        elif isinstance(event, DeviceGone):
            if event.device in self._present:
                self._present.discard(event.device)
                self._left_at[event.device] = now
        elif isinstance(event, DeviceExpelled):
            self._present.discard(event.device)
            self._left_at.pop(event.device, None)
            self._excuse(DeviceDeclined(event.device, self._round, self._attempt, event.reason), effects)
        elif isinstance(event, DeviceDeclined):
            self._excuse(event, effects)
        elif isinstance(event, UpdateAccepted):
            effects.append(self._count(event))
        elif isinstance(event, Aggregated):
            if self._phase == "aggregating" and event.round == self._round:
                self._phase, self._deadline = "committing", now + self._plan.work_s
                effects.append(Commit(self._round, event.weights_sha256))
        elif isinstance(event, Committed):
            if self._phase == "committing" and event.round == self._round:
                self._next_round(now, effects)
        else:
            assert isinstance(event, Tick)
        if self._started:
            self._advance(now, effects)
        return tuple(effects)

    def _start(self, now: float, effects: list[Effect]) -> None:
        self._started = True
        self._left_at = {device: now for device in self._resume.roster if device not in self._present}
        if self._resume.open is not None:
            if self._resume.open.closed:
                self._close(now, effects)
            else:
                self._deadline = now + self._plan.deadline_s
                effects.append(self._publish("open"))
        elif self._resume.committed >= self._plan.rounds:
            self._round = self._resume.committed
            self._finish(effects)
        else:
            self._deadline = now + self._plan.wait_s

    def _seen(self, event: DeviceSeen) -> None:
        self._left_at.pop(event.device, None)
        if event.samples > 0:
            self._present.add(event.device)
        else:
            self._present.discard(event.device)

    def _excuse(self, event: DeviceDeclined, effects: list[Effect]) -> None:
        """Wait no more for a device, until the round is opened again; what is said twice is told once."""
        awaited = event.device in self._awaited() and self._phase == "collecting"
        if awaited and (event.round, event.attempt) == (self._round, self._attempt):
            self._declined[event.device] = event.reason or "it does not say why"
            effects.append(Excused(event.round, event.attempt, event.device, self._declined[event.device]))

    def _count(self, event: UpdateAccepted) -> Effect:
        """Say whether an update counts: the first of each invited device, while the round takes updates."""

        def refused(verdict: str, reason: str) -> Refused:
            return Refused(event.round, event.device, event.sha256, verdict, reason)  # type: ignore[arg-type]

        if event.round != self._round or not self._started:
            return refused("stale", f"round {event.round} is over; round {self._round} is under way")
        if not self.view.taking:
            return refused("stale", f"round {event.round} is closed")
        if event.device not in self._invited:
            return refused("rejected", f"not invited to round {event.round}")
        counted = self._contributions.get(event.device)
        if counted is not None:
            if counted.sha256 == event.sha256:
                return refused("duplicate", "")
            return refused("rejected", f"another update of this device counts in round {event.round} already")
        contribution = Contribution(event.device, event.sha256, event.samples)
        self._contributions[event.device] = contribution
        self._declined.pop(event.device, None)
        return Counted(event.round, contribution, len(self._contributions), len(self._invited))

    def _advance(self, now: float, effects: list[Effect]) -> None:
        """Take every step that can be taken now, then say what is waited for."""
        if self._phase == "collecting":
            self._collect(now, effects)
        if self._phase == "gathering":
            self._gather(now, effects)
        if self._phase in ("aggregating", "committing"):
            doing = "averaging" if self._phase == "aggregating" else "committing"
            if now >= self._deadline:
                self._fail(f"{doing} round {self._round} took more than {self._plan.work_s:.0f} s", effects)
            else:
                updates = len(self._contributions)
                effects.append(Wait(f"{doing} {updates} update{'s'[: updates != 1]}", self._deadline))

    def _collect(self, now: float, effects: list[Effect]) -> None:
        received, of = len(self._contributions), len(self._invited)
        awaited, late = self._awaited(), now >= self._deadline
        if received >= self._quorum and (late or not awaited or received >= self._needed):
            self._note_missed(awaited if late else [])
            self._close(now, effects)
        elif not late and received + len(awaited) >= self._quorum:
            left = math.ceil(self._deadline - now)
            effects.append(Wait(f"{received} of {of} updates, {left} s left{self._excuses()}", self._deadline))
        elif self._attempt >= self._plan.max_attempts:
            each = "" if self._declined else f" of {self._plan.deadline_s:g} s"
            self._fail(
                f"round {self._round}: {received} of {self._quorum} updates needed came in "
                f"{self._attempt} attempt{'s'[: self._attempt != 1]}{each}{self._excuses()}"
                + (f"; no update from {_some(awaited)}" if awaited else ""),
                effects,
            )
        else:
            self._note_missed(awaited if late else [])
            self._phase, self._attempt = "gathering", self._attempt + 1
            self._deadline = now + self._plan.wait_s

    @property
    def _needed(self) -> int:
        """How many updates a round is for: it may invite more."""
        return min(self._plan.per_round or len(self._invited), len(self._invited))

    def _note_missed(self, silent: list[str]) -> None:
        """Remember whose update this attempt lacked, and why: who said so, and who was silent until the deadline."""
        self._missed |= dict.fromkeys(silent, f"no update within {self._plan.deadline_s:g} s") | self._declined

    def _awaited(self) -> list[str]:
        """Name the invited devices whose update may still come."""
        return [name for name in self._invited if name not in self._contributions and name not in self._declined]

    def _excuses(self) -> str:
        """Say who cannot take part, and why, to be added to a reason; devices with the same trouble are one clause."""
        devices: dict[str, list[str]] = {}
        for device in sorted(self._declined):
            devices.setdefault(self._declined[device], []).append(device)
        clauses = [f"; {_some(names)} cannot take part: {reason}" for reason, names in devices.items()]
        more = f"; {len(clauses) - 2} more troubles" if len(clauses) > 3 else ""
        return "".join(clauses[: 2 if more else 3]) + more

    def _gather(self, now: float, effects: list[Effect]) -> None:
        plan = self._plan
        first = self._round == 1 and self._attempt == 1
        need = max(plan.quorum, 1, *((plan.min_devices, plan.per_round) if first else ()))
        candidates = self._present | set(self._contributions)
        resting = self._resting()
        self._left_at = {
            device: left
            for device, left in self._left_at.items()
            if now < left + plan.grace_s and device not in resting
        }
        late = now >= self._deadline
        if len(candidates) >= need and (late or not self._left_at):
            self._open(now, effects)
        elif late:
            self._fail(
                f"round {self._round} needs {need} device{'s'[: need != 1]} with samples, "
                f"{len(candidates)} came in {plan.wait_s:g} s"
                + (f": {_some(sorted(candidates))}" if candidates else "")
                + self._excuses(),
                effects,
            )
        elif len(candidates) >= need:
            back = min(max(self._left_at.values()) + plan.grace_s, self._deadline)
            effects.append(
                Wait(
                    f"{_some(sorted(self._left_at))} left; {math.ceil(back - now)} s for it to come back"
                    + self._excuses(),
                    back,
                )
            )
        else:
            left = math.ceil(self._deadline - now)
            reason = f"{len(candidates)} of {need} devices, {left} s left{self._excuses()}"
            effects.append(Wait(reason, self._deadline))

    def _open(self, now: float, effects: list[Effect]) -> None:
        plan = self._plan
        # Who just said that it cannot is asked again only where the others are too few.
        # So is who rests because it failed again and again.
        able = self._present - self._declined.keys() - self._resting()
        if len(able | self._contributions.keys()) < max(plan.quorum, 1):
            able = self._present - self._declined.keys()
        if len(able | self._contributions.keys()) < max(plan.quorum, 1):
            able = self._present
        self._declined = {}
        kept = set(self._contributions) | (set(self._invited) & able)
        if not plan.per_round:
            invited = kept | able
        else:
            room = plan.invited - len(kept)
            drawn = choose(able - kept, k=room, seed=plan.seed, round_number=self._round, attempt=self._attempt)
            invited = kept | set(drawn if room > 0 else ())
        self._invited = tuple(sorted(invited))
        self._quorum = plan.quorum or self._needed
        self._phase, self._deadline = "collecting", now + plan.deadline_s
        effects.append(self._publish("open"))
        self._collect(now, effects)

    def _close(self, now: float, effects: list[Effect]) -> None:
        self._phase, self._deadline = "aggregating", now + self._plan.work_s
        if len(self._contributions) < len(self._invited):
            # Someone may still be training: it need not go on.
            effects.append(self._publish("closed"))
        self._rest_who_failed()
        effects.append(Aggregate(self._round, self._sorted_contributions(), tuple(sorted(self._rests.values()))))

    def _rest_who_failed(self) -> None:
        """Count the failures of this round: whoever has an update in it has failed in none."""
        for device in self._contributions:
            self._rests.pop(device, None)
        for device, reason in self._missed.items():
            known = self._rests.get(device, Rest(device, 0, 0, 0))
            if device not in self._contributions and known.round < self._round:
                self._rests[device] = known.after(self._round, reason, longest=self._plan.rest)
        self._missed = {}

    def _resting(self) -> set[str]:
        """Name the devices that this round does without."""
        return {device for device, rest in self._rests.items() if rest.until >= self._round > rest.round}

    def _next_round(self, now: float, effects: list[Effect]) -> None:
        done = self._round
        effects.append(Evaluate(done))
        if done >= self._plan.rounds:
            self._finish(effects)
        else:
            self._round, self._attempt, self._phase = done + 1, 1, "gathering"
            self._invited, self._quorum, self._contributions, self._declined = (), 0, {}, {}
            self._missed = {}
            self._deadline = now + self._plan.wait_s

    def _finish(self, effects: list[Effect]) -> None:
        self._phase, self._deadline = "finished", math.inf
        effects.append(self._publish("finished"))
        effects.append(Finish(self._plan.rounds))

    def _fail(self, reason: str, effects: list[Effect]) -> None:
        self._phase, self._deadline = "failed", math.inf
        if self._invited:
            effects.append(self._publish("closed"))
        effects.append(Fail(reason))

    def _publish(self, phase: str) -> PublishRound:
        return PublishRound(
            self._round,
            self._attempt,
            phase,  # type: ignore[arg-type]
            self._invited,
            self._quorum,
            self._deadline,
            self.present,
        )

    def _sorted_contributions(self) -> tuple[Contribution, ...]:
        return tuple(sorted(self._contributions.values()))


def _some(names: list[str], *, at_most: int = 5) -> str:
    """Name devices for a person: the first few, and how many more."""
    shown = ", ".join(names[:at_most])
    return f"{shown} and {len(names) - at_most} more" if len(names) > at_most else shown or "nobody"
