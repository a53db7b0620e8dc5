"""``python -m deploy``: the ``inkfleet`` command without its script on the path."""

from deploy.cli import main

main()
