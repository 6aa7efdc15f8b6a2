"""The changes of a state by a late capture or a corrected market, and their effect later on.

A snapshot that follows keeps its own state, so it gets rows for the markets that it took over from
the instant before. Only the markets that were refused in it follow the change.
"""

from dataclasses import dataclass, field
from typing import Self

from oddsschema.ingestion.records import MarketKey, MarketRecord
from oddsschema.ingestion.storage.history_rows import StoredSnapshot
from oddsschema.ingestion.storage.state import OfferedMarkets, is_same
from oddsschema.ingestion.storage.unknown_markets import covers


@dataclass(slots=True)
class Correction:
    """The rows of a snapshot that have to be deleted and written."""

    #: The keys of the refused markets of the snapshot.
    unknown: frozenset[MarketKey]
    #: The ids of market rows.
    deleted: list[int] = field(default_factory=list)
    markets: list[MarketRecord] = field(default_factory=list)
    gone: list[MarketRecord] = field(default_factory=list)
    carried: list[MarketRecord] = field(default_factory=list)


@dataclass(slots=True)
class StateChanges:
    """The markets whose state at an instant changes: before and after, None if not on offer."""

    markets: dict[MarketKey, tuple[MarketRecord | None, MarketRecord | None]]

    @classmethod
    def between(cls, before: OfferedMarkets, after: OfferedMarkets) -> Self:
        """Compare two states of one instant."""
        keys = before.keys() | after.keys()
        return cls(
            {
                key: (before.get(key), after.get(key))
                for key in keys
                if differs(before.get(key), after.get(key))
            }
        )

    def __bool__(self) -> bool:
        return bool(self.markets)

    def follow(self, snapshot: StoredSnapshot) -> Correction:
        """Find the rows that the next snapshot needs, and go on with the changes of its state."""
        correction = Correction(snapshot.unknown)
        unknown = set(snapshot.unknown)
        changes: dict[MarketKey, tuple[MarketRecord | None, MarketRecord | None]] = {}
        for key, (before, after) in self.markets.items():
            row = snapshot.rows.get(key)
            if row is None:
                state = None if snapshot.is_complete else before
            else:
                state = None if row.is_gone else row.market
            if key in snapshot.unknown or (state is None and covers(snapshot.unknown, key)):
                if snapshot.is_complete:
                    if row is not None:
                        correction.deleted.append(row.id)
                    if after is not None:
                        correction.carried.append(after)
                if after is not None:
                    unknown.add(key)
                if differs(state, after):
                    changes[key] = state, after
            elif row is None and not snapshot.is_complete:
                if before is not None:
                    correction.markets.append(before)
                elif after is not None:
                    correction.gone.append(after)
        correction.unknown = frozenset(unknown)
        self.markets = changes
        return correction


def differs(before: MarketRecord | None, after: MarketRecord | None) -> bool:
    """Return whether two states of one market differ; None is not on offer."""
    if before is None or after is None:
        return before is not after
    return before != after and not is_same(before, after)
