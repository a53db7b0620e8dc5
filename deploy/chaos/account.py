"""The account of a run that was disturbed, as a person and a report read it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Account(BaseModel):
    """What became of every contribution; `deploy.chaos.reckoning` draws it up.

    Attributes:
        faults: how many of each kind there were.
        rounds: that are committed.
        accepted: contributions to them, by the aggregator's record.
        told: of these, how many a device knows of.
        duplicates: updates that came again although they counted already, and were told so: no harm.
        lost: contributions that were to count and do not: their devices were told that they count, by a round that
            has no record of them; or they are on record, and left out of the weights.
        twice: how often a contribution counts beyond the first time, on record or in the weights.
        proven: rounds whose weights were shown to be the mean of exactly their contributions, each once.
        wrong: rounds whose weights are something else.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    faults: dict[str, int] = Field(default_factory=dict)
    rounds: int = 0
    accepted: int = 0
    told: int = 0
    duplicates: int = 0
    lost: int = 0
    twice: int = 0
    proven: int = 0
    wrong: tuple[int, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing was lost and nothing counted twice."""
        return not (self.lost or self.twice or self.wrong)


def in_words(account: Account) -> list[tuple[str, str]]:
    """Name and number of each line of the account, for a person."""
    lines = [(kind, str(count)) for kind, count in sorted(account.faults.items())]
    total = sum(account.faults.values())
    return [
        *lines,
        ("faults together", str(total)),
        ("rounds done", str(account.rounds)),
        ("contributions accepted", str(account.accepted)),
        ("of which the device was told", str(account.told)),
        ("sent again and told so (duplicates)", str(account.duplicates)),
        ("counted twice", str(account.twice)),
        ("lost", str(account.lost)),
        ("rounds whose weights prove it", f"{account.proven} of {account.rounds}"),
        *([("rounds whose weights are wrong", ", ".join(map(str, account.wrong)))] if account.wrong else []),
    ]
