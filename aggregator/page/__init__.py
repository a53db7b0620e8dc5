"""The aggregator's page: the round, the devices and what they contributed, in a browser. It shows, and changes nothing.

`aggregator.page.fleet_page` puts it together, `shared.web.server.PageServer` serves it. ``docs/reference/page-api.md``
says what it speaks.
"""

DEFAULT_PORT = 8421
"""Where the page is unless a port is asked for, or another page of this machine was faster."""
