"""Every error a user can meet, with the exit code its command ends with.

::

    InkfleetError (1)
    ├── SettingsError (2)    an option, environment variable or settings file is wrong
    ├── DataError (3)        a dataset or picture cannot be used
    ├── ModelError (4)       a model, artefact or set of weights cannot be used
    ├── BrokerError (5)      the MQTT broker is absent, refuses, or was lost
    ├── ProtocolError (6)    bytes from outside break the protocol
    ├── StorageError (7)     a file or database cannot be read or written
    │   └── BlockedError     … now: the disk is full, or another process holds the database
    └── RunError (8)         a training run cannot start or go on

A message is one line: what was wrong, where, and what to do. ``docs/reference/exit-codes.md`` explains each code.
"""

from __future__ import annotations


class InkfleetError(Exception):
    """The root: catching it catches everything Inkfleet raises on purpose.

    Attributes:
        exit_code: what the command line exits with when this error ends it.
    """

    exit_code: int = 1


class SettingsError(InkfleetError):
    """An option, an environment variable or a settings file is wrong."""

    exit_code = 2


class DataError(InkfleetError):
    """A dataset or a picture cannot be used."""

    exit_code = 3


class ModelError(InkfleetError):
    """A model, an artefact or a set of weights cannot be used."""

    exit_code = 4


class BrokerError(InkfleetError):
    """The MQTT broker is absent, refuses, or was lost."""

    exit_code = 5


class ProtocolError(InkfleetError):
    """Bytes from outside break the protocol; they are dropped, and nothing has changed."""

    exit_code = 6


class StorageError(InkfleetError):
    """A file or a database cannot be read or written."""

    exit_code = 7


class BlockedError(StorageError):
    """A file or a database cannot be written now, and may be later: the disk is full, or another process holds it."""


class RunError(InkfleetError):
    """A training run cannot start or go on."""

    exit_code = 8
