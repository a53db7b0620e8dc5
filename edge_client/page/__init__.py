"""The device's page: what it sees, what it reads, what it was told, and what it learns, in a browser.

`edge_client.page.server.PageServer` serves it. ``docs/reference/page-api.md`` says what it speaks.
"""
