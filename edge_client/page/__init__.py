"""The device's page: what it sees, what it reads, what it was told, and what it learns, in a browser.

`edge_client.page.device_page` puts it together, `shared.web.server.PageServer` serves it;
``docs/reference/page-api.md`` says what it speaks.
"""

DEFAULT_PORT = 8420
"""Where the page is unless a port is asked for, or another page of this machine was faster."""
