"""What a run is carried out with."""

from __future__ import annotations

from dataclasses import dataclass

from aggregator.checkpoints import Checkpoints
from aggregator.evaluation import Evaluator
from aggregator.events import EventLog
from aggregator.patience import Patience
from aggregator.sender import Sender
from aggregator.spool import Spool
from aggregator.store import Store
from aggregator.workbench import Workbench
from shared.rising_numbers import RisingNumbers
from shared.signing import Check


@dataclass(frozen=True)
class Parts:
    """What a coordinator works with; each is made and ended by the service."""

    store: Store
    checkpoints: Checkpoints
    spool: Spool
    workbench: Workbench
    sender: Sender
    evaluator: Evaluator | None
    log: EventLog
    sequence: RisingNumbers
    check: Check
    patience: Patience
