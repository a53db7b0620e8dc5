"""Serving a page safely: to this machine alone, or to whoever has its token; with its own files and no others.

`shared.web.page.Page` says what is served, `shared.web.server.PageServer` serves it. What goes for every page is
written down in ``docs/reference/page-api.md``.
"""
