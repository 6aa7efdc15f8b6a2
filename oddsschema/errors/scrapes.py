"""The errors of batches, runs, events and markets, and of the ingestion of captures."""

from dataclasses import dataclass
from datetime import datetime

from oddsschema.errors.root import OddsSchemaError


@dataclass(kw_only=True, eq=False, repr=False)
class BatchNotFoundError(OddsSchemaError):
    """A batch to join that does not exist."""

    #: The id that was asked for.
    batch_id: int

    def __post_init__(self) -> None:
        super().__init__(f"no batch {self.batch_id} to join: open a new batch")


@dataclass(kw_only=True, eq=False, repr=False)
class BatchEndedError(OddsSchemaError):
    """A batch that has ended, and opens no more runs."""

    #: The batch's id.
    batch_id: int

    def __post_init__(self) -> None:
        super().__init__(f"batch {self.batch_id} has ended: open a new batch, or join it by its id")


@dataclass(kw_only=True, eq=False, repr=False)
class RunEndedError(OddsSchemaError):
    """A run that has ended, and takes no more captures."""

    #: The run's id.
    run_id: int
    #: The platform of the run; None for captures whose platform is unknown.
    platform: str | None

    def __post_init__(self) -> None:
        super().__init__(
            f"run {self.run_id} of {self.platform} has ended and takes no more captures: open "
            "another run"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class EventNotFoundError(OddsSchemaError):
    """An event that the database does not have."""

    #: The id, or the words of its names, that were asked for.
    event: str

    def __post_init__(self) -> None:
        super().__init__(
            f"no event {self.event}: give a SportRadar id, the id of a BetPawa event, or words of "
            "the names of teams and tournament"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class AmbiguousEventError(OddsSchemaError):
    """Words that the names of several events have."""

    #: The words that were asked for.
    event: str
    #: The events, in the order of their kickoffs: SportRadar id, kickoff and name of each.
    candidates: tuple[tuple[str, datetime, str], ...]
    #: Whether these are all; otherwise they are those with a kickoff near to now.
    are_all: bool

    def __post_init__(self) -> None:
        rest = "" if self.are_all else ", among them these"
        lines = (
            # A name with line breaks stays in its line.
            f"\n  {sportradar_id}  {kickoff:%Y-%m-%d %H:%M}  {' '.join(name.split())}"
            for sportradar_id, kickoff, name in self.candidates
        )
        super().__init__(
            f"several events have {self.event!r} in their names{rest}: give the SportRadar id of "
            f"one, or more words{''.join(lines)}"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class MarketNotFoundError(OddsSchemaError):
    """A market that an event never had."""

    #: The event that was asked for.
    event: str
    #: The event's name.
    event_name: str
    #: The market's BetPawa id, or a part of its name.
    market: str

    def __post_init__(self) -> None:
        super().__init__(
            f"{self.event_name!r} never had a market {self.market!r}: give its BetPawa id, or a "
            f"part of its name (`oddsschema history {self.event}` lists the markets on offer)"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class ChunkError(OddsSchemaError):
    """A chunk of captures that was rolled back as a whole; `__cause__` is the reason."""

    #: The reason, in words.
    reason: str
    #: The platform of the run; None for captures whose platform is unknown.
    platform: str | None
    #: The run's id in scrape_runs.
    run_id: int
    #: The position of the chunk's first capture: file and line, or its number.
    first: str
    #: The position of the chunk's last capture.
    last: str

    def __post_init__(self) -> None:
        super().__init__(
            f"the captures {self.first} to {self.last} of {self.platform} (run {self.run_id}) are "
            f"not stored: {self.reason}"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class UncertainCommitError(OddsSchemaError):
    """A commit with an unknown outcome: its connection was lost, its transaction still runs."""

    #: The run's id in scrape_runs.
    run_id: int

    def __post_init__(self) -> None:
        super().__init__(
            f"the server has not ended the lost transaction of run {self.run_id} yet: try again"
        )
