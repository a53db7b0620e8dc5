"""The loop of an aggregator: it takes what comes, one after the other, and lets time pass."""

from __future__ import annotations

import queue
import threading

from aggregator.awake_clock import AwakeClock
from aggregator.coordinator import Coordinator
from aggregator.events import EventLog
from aggregator.fleet_link import FleetLink
from aggregator.news import LinkDown, LinkUp, News, Said, Scored
from aggregator.run import Run
from aggregator.sender import Sender
from aggregator.settings import AggregatorSettings
from aggregator.standing import Lookout
from shared.mqtt import Message, MqttLink, Silence

# How soon the loop notices that it is to stop.
_STOP_LATENCY_S = 0.1


class Loop:
    """Gives the coordinator what comes out of the inbox; everything that a run knows belongs to the thread it runs on.

    Args:
        settings: of the aggregator.
        coordinator: decides.
        run: which run, and where it stood.
        fleet: where the inbox is, and what the fleet is told of us.
        link: to the broker.
        sender: publishes.
        log: told of the link, and of what other threads say.
        clock: stands still while the broker is away, and while something finds no room on the disk.
        lookout: for those who look on.
    """

    def __init__(
        self,
        settings: AggregatorSettings,
        *,
        coordinator: Coordinator,
        run: Run,
        fleet: FleetLink,
        link: MqttLink,
        sender: Sender,
        log: EventLog,
        clock: AwakeClock,
        lookout: Lookout,
    ) -> None:
        self._settings = settings
        self._coordinator = coordinator
        self._run = run
        self._fleet = fleet
        self._link = link
        self._sender = sender
        self._log = log
        self._clock = clock
        self._lookout = lookout
        self._silence = Silence()
        self._started = False
        self._blocked = False
        self._away = False

    def run(self, stop: threading.Event) -> None:
        """Go round until the run is done, or ``stop`` is set.

        Raises:
            InkfleetError: the run cannot go on.
        """
        coordinator = self._coordinator
        while not stop.is_set() and not coordinator.done:
            if coordinator.finished_at is not None:
                # What is left is to serve the last weights, and no broker is waited for with that.
                self._clock.release()
            self._lookout.answer(coordinator.standing)
            timeout_s = _STOP_LATENCY_S
            if not self._blocked:
                timeout_s = min(max(coordinator.wake_at - self._clock(), 0.0), timeout_s)
            try:
                item = self._fleet.inbox.get(timeout=timeout_s)
            except queue.Empty:
                self._nothing_came()
            else:
                if isinstance(item, Message):
                    self._heard(item)
                else:
                    self._told(item)
            if self._started and not self._blocked and self._clock() >= coordinator.wake_at:
                coordinator.tick()

    def _nothing_came(self) -> None:
        if not self._coordinator.collecting:
            self._silence.heard(self._clock())
        elif self._link.connected and self._silence.over(self._clock()):
            self._link.reconnect("no device has said anything for a while; connecting anew")

    def _heard(self, message: Message) -> None:
        if not message.retain:
            self._silence.heard(self._clock())
        if not self._fleet.look_for_rival(message, self._log):
            self._coordinator.message(message)

    def _told(self, news: News) -> None:
        if isinstance(news, LinkUp):
            self._link_up(news.session)
        elif isinstance(news, LinkDown):
            self._away = True
            self._clock.hold()
            self._log.say("broker", connected=False, reason=news.reason)
        elif isinstance(news, Scored):
            self._coordinator.score(news.round, news.score)
        elif isinstance(news, Said):
            if news.kind == "blocked":
                # An update that came in time and finds no room on the disk must not miss the deadline by that.
                self._blocked = True
                self._clock.hold()
            self._log.say(news.kind, **news.fields)
        else:
            # One thing is done after the other: what was blocked has been done.
            self._blocked = False
            self._let_time_pass()
            self._coordinator.outcome(news)

    def _let_time_pass(self) -> None:
        if not self._blocked and not self._away:
            self._clock.release()

    def _link_up(self, session: int) -> None:
        self._away = False
        self._let_time_pass()
        self._fleet.say_hello(session, sender=self._sender)
        if not self._started:
            self._started = True
            self._log.say(
                "listening", run=self._run.run, fleet=self._settings.fleet, round=self._run.resume.committed + 1
            )
            self._coordinator.start()
        else:
            self._log.say("broker", connected=True, reason="")
            self._coordinator.link_up()
