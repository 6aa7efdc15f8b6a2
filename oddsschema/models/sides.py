"""The two sides: BetPawa's tables of odds, and the competitors'.

Both sides have the same shape: a table of events, a table of snapshots, a table of markets. A
statement on snapshots and markets is written once, as a template, and formatted for a side. Only
this module maps a side to its tables and columns.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Table as SqlTable

from oddsschema.contracts.table import Table
from oddsschema.models.competitor import (
    CompetitorEvent,
    CompetitorMarketOdds,
    CompetitorOddsSnapshot,
)
from oddsschema.models.event import Event
from oddsschema.models.odds import MARKET_KEY, Market, MarketOdds, OddsSnapshot

#: The columns that both tables of markets share, in the order of the contract.
MARKET_COLUMNS = tuple(Market.model_fields)


@dataclass(frozen=True)
class Side:
    """A table of events with its tables of snapshots and markets.

    Columns and keys derive from the models: a column that is added there is added here.
    """

    event_model: type[Table]
    snapshot_model: type[Table]
    market_model: type[Table]

    @cached_property
    def event_table(self) -> SqlTable:
        """The table of events."""
        table: SqlTable = table_of(self.event_model)
        return table

    @cached_property
    def snapshot_table(self) -> SqlTable:
        """The table of snapshots."""
        table: SqlTable = table_of(self.snapshot_model)
        return table

    @cached_property
    def market_table(self) -> SqlTable:
        """The table of markets."""
        table: SqlTable = table_of(self.market_model)
        return table

    @property
    def events(self) -> str:
        """The name of the table of events."""
        return self.event_table.name

    @property
    def snapshots(self) -> str:
        """The name of the table of snapshots."""
        return self.snapshot_table.name

    @property
    def markets(self) -> str:
        """The name of the table of markets."""
        return self.market_table.name

    @cached_property
    def event_column(self) -> str:
        """The column of snapshots, and of markets, that refers to the event."""
        (name,) = (
            column.name
            for column in self.snapshot_table.columns
            if any(key.column.table is self.event_table for key in column.foreign_keys)
        )
        return name

    @cached_property
    def has_bookmakers(self) -> bool:
        """Whether the snapshots of one event form a history for each bookmaker."""
        return "bookmaker_id" in self.snapshot_table.columns

    def sql(self, template: str, *, bookmaker: str | None = None, **names: str) -> str:
        """Format a statement for this side.

        The template names tables and columns: `{events}`, `{snapshots}`, `{markets}`, `{event}`
        (the column that refers to the event), `{market_key}` and `{market_columns}` (of the alias
        `m`), `{columns}` (without an alias). `{bookmaker}` becomes a condition on the snapshots
        `s`: their bookmaker's id is the SQL expression `bookmaker`. It is empty on a side whose
        events have one history each. `names` adds further placeholders.
        """
        has_condition = bookmaker is not None and self.has_bookmakers
        return template.format(
            events=self.events,
            snapshots=self.snapshots,
            markets=self.markets,
            event=self.event_column,
            bookmaker=f"AND s.bookmaker_id = {bookmaker}" if has_condition else "",
            market_key=", ".join(f"m.{name}" for name in MARKET_KEY),
            market_columns=", ".join(f"m.{name}" for name in MARKET_COLUMNS),
            columns=", ".join(MARKET_COLUMNS),
            **names,
        )

    def bookmaker_arguments(self, bookmaker_id: int | None) -> list[int | None]:
        """List the argument for the condition `{bookmaker}`: none on a side without bookmakers."""
        return [bookmaker_id] if self.has_bookmakers else []


def table_of(model: type[Any]) -> Any:
    """Return the SQLAlchemy table of a model, typed so that its columns can be used."""
    return model.__table__


COMPETITORS = Side(CompetitorEvent, CompetitorOddsSnapshot, CompetitorMarketOdds)
BETPAWA = Side(Event, OddsSnapshot, MarketOdds)

#: Both sides, in the order in which a prune visits them: competitors' events refer to BetPawa's.
SIDES = (COMPETITORS, BETPAWA)
