"""What of an aggregator faces a person: its page."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Self

from aggregator.events import Event
from aggregator.settings import AggregatorSettings
from aggregator.standing import Lookout

if TYPE_CHECKING:
    from aggregator.page.chronicle import Chronicle


class Front:
    """Serves the page from ``start`` to ``stop``, if the settings want one. What it needs is loaded at ``start``.

    Give its `lookout` to the aggregator, and `observe` every event.

    Args:
        settings: of the aggregator.
        tell: told the event ``page``.
        trouble: told in one line what went wrong while the page was served; it goes on.
    """

    def __init__(
        self,
        settings: AggregatorSettings,
        *,
        tell: Callable[[Event], None] = lambda event: None,
        trouble: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._settings = settings
        self._tell = tell
        self._trouble = trouble
        self._open = ExitStack()
        self._chronicle: Chronicle | None = None
        self.lookout = Lookout()
        """Where the aggregator leaves how its run stands."""
        self.url = ""
        """Where the page is; empty before the start, and without a page."""

    def start(self) -> None:
        """Serve the page.

        Raises:
            SettingsError: the page's address or port cannot be had.
        """
        settings = self._settings
        if not settings.page:
            return
        from aggregator.page import DEFAULT_PORT
        from aggregator.page.chronicle import Chronicle
        from aggregator.page.fleet_news import FleetNews
        from aggregator.page.fleet_page import fleet_page
        from aggregator.page.members import Members
        from shared.web.serving import page_server

        with suppress(OSError):  # the aggregator says it better
            settings.folder.mkdir(parents=True, exist_ok=True)
        chronicle = Chronicle()
        news = FleetNews(settings, lookout=self.lookout, chronicle=chronicle, members=Members(settings.identity))
        server = page_server(
            fleet_page(news),
            settings,
            usual_port=DEFAULT_PORT,
            key_file=settings.folder / "page.key",
            trouble=self._trouble,
        )
        self._open.enter_context(server)
        self._chronicle = chronicle
        self.url = server.url
        self._tell({"event": "page", "url": server.url, "token": bool(settings.token)})

    def observe(self, event: Event) -> None:
        """Take note of an event. On the loop's thread, which it never keeps waiting."""
        if self._chronicle is None:
            return
        try:
            self._chronicle.take(event)
        except Exception as error:
            # A round is worth more than what is told of it.
            self._trouble(f"the page missed an event: {type(error).__name__}: {error}")

    def stop(self) -> None:
        """Let go of the port. Safe to call twice."""
        self._open.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
