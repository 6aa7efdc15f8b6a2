"""Snapshots and markets: the contracts of all bookmakers, and BetPawa's tables."""

from typing import Any, ClassVar, Optional

from sqlalchemy import DDL, ForeignKeyConstraint, Index, UniqueConstraint, desc, text
from sqlmodel import Field, Relationship

from oddsschema.contracts.base import Contract, Rule, all_given
from oddsschema.contracts.columns import defaulted, foreign_key, primary_key, server_time
from oddsschema.contracts.outcomes import Outcomes
from oddsschema.contracts.scalars import (
    CaptureTime,
    Flag,
    Handicap,
    HandicapType,
    Id50,
    Instants,
    Int4,
    Int8,
    Json,
    Line,
    MarketKeys,
    Name255,
    Specifiers,
)
from oddsschema.contracts.table import Table
from oddsschema.models.bookmaker import Bookmaker
from oddsschema.models.event import Event
from oddsschema.models.scrape import ScrapeRun

#: The storage of both tables of snapshots. Each confirmation makes a row longer: with room on its
#: page, the update is HOT (heap-only): it writes to no index. All rows of an unchanged scrape are
#: updated in one transaction, and need room for both versions. SQLAlchemy 2.0 has no storage
#: parameters of tables.
_FILL_FACTOR = DDL("ALTER TABLE %(fullname)s SET (fillfactor = 60)")  # type: ignore[no-untyped-call]
SNAPSHOT_STORAGE: dict[str, Any] = {"listeners": [("after_create", _FILL_FACTOR)]}


class Snapshot(Contract):
    """The odds of an event of a bookmaker at one instant, without the markets."""

    captured_at: CaptureTime | None = server_time(
        "The time when the odds were read, UTC.", of_statement=True
    )
    raw_response: Json | None = Field(
        default=None,
        description="The bookmaker's response. It is large and stored only on request.",
    )


class StoredSnapshot(Snapshot):
    """A snapshot with its place in the history of its event."""

    is_complete: Flag = defaulted(
        True, "Whether the rows are all markets, or only the changes since the previous snapshot."
    )
    last_confirmed_at: CaptureTime | None = Field(
        default=None, description="The time of the last capture that found no change, UTC."
    )
    confirmed_at: Instants = Field(
        default=(),
        nullable=False,
        sa_column_kwargs={"server_default": text("'{}'")},
        description="The times of all captures that found no change, UTC.",
    )
    unknown_markets: MarketKeys | None = Field(
        default=None,
        description="The keys of the markets that were refused, each as far as it was readable: "
        "the markets keep the state that they had before. NULL if none was refused.",
    )


def check_handicap(
    line: float | None,
    handicap_type: HandicapType | None,
    handicap_home: float | None,
    handicap_away: float | None,
) -> dict[str, float] | None:
    """Check that a handicap is given in full or not at all; fill in its line."""
    handicap = handicap_type, handicap_home, handicap_away
    if handicap_home is None or handicap_away is None or handicap_type is None:
        if handicap == (None, None, None):
            return None
        raise ValueError(
            "handicap_type, handicap_home, handicap_away must be given together or all left out"
        )
    if handicap_away != -handicap_home:
        raise ValueError(
            "handicap_away must be -handicap_home: '0:1' is handicap_home -1, handicap_away 1"
        )
    if line is None:
        return {"line": handicap_home + 0.0}  # not -0.0
    if line != handicap_home:
        raise ValueError("line must be handicap_home, or be left out")
    return None


_HANDICAP = "handicap_type", "handicap_home", "handicap_away"

#: The arguments of `check_handicap`.
HANDICAP_FIELDS = "line", *_HANDICAP


class MarketType(Contract):
    """A market of an event without its prices.

    Two markets of an event differ in (betpawa_market_id, line, handicap_type, specifiers).
    Competitors' markets have BetPawa's id, so that prices can be compared.
    """

    __rules__ = (
        Rule(
            HANDICAP_FIELDS,
            check_handicap,
            fills=("line",),
            condition=f"num_nulls({', '.join(_HANDICAP)}) = 3 "
            f"OR num_nulls(line, {', '.join(_HANDICAP)}) = 0 "
            "AND handicap_away = -handicap_home AND line = handicap_home",
            name="handicap_line",
            json_schema={
                "anyOf": [
                    {"properties": {field: {"type": "null"} for field in _HANDICAP}},
                    all_given(*_HANDICAP),
                ]
            },
        ),
    )

    betpawa_market_id: Id50 = Field(description="BetPawa's id of the market type: '3743'.")
    betpawa_market_name: Name255 = Field(
        description="BetPawa's name of the market type: '1X2 - Full Time'."
    )
    line: Line | None = Field(
        default=None,
        description="The total or the handicap, in goals. NULL if the market has none. The line of "
        "a handicap is handicap_home, and may be left out.",
    )
    handicap_type: Handicap | None = Field(
        default=None, description="The kind of the handicap. NULL if the market has none."
    )
    handicap_home: Line | None = Field(
        default=None,
        description="The goals added to the home team's. Given only with handicap_type.",
    )
    handicap_away: Line | None = Field(
        default=None,
        description="The goals added to the away team's: handicap_home, negated.",
    )
    specifiers: Specifiers = Field(
        default=None,
        description="The distinction from other markets of this id and line: "
        "'minute=15|player=sr:player:38004', sorted by name. NULL if there is none.",
    )


#: The fields that distinguish the markets of an event.
MARKET_KEY = ("betpawa_market_id", "line", "handicap_type", "specifiers")


class Market(MarketType):
    """A market of an event with its prices."""

    outcomes: Outcomes = Field(description="The outcomes with their decimal odds.")


class StoredMarket(Market):
    """A market with its place in the history of its event."""

    unavailable_at: CaptureTime | None = Field(
        default=None,
        description="The time when the market was found missing, UTC. The outcomes are the last.",
    )


class OddsSnapshot(StoredSnapshot, Table, table=True):
    """A reference event's odds at one instant."""

    __tablename__: ClassVar[str] = "odds_snapshots"
    __named_by__: ClassVar[tuple[str, ...]] = ("captured_at",)
    __table_args__ = (
        UniqueConstraint("event_id", "bookmaker_id", "captured_at"),
        UniqueConstraint("event_id", "id"),  # for the foreign key of market_odds
        Index("idx_snapshots_event", "event_id"),
        Index("idx_snapshots_bookmaker", "bookmaker_id"),
        Index("idx_snapshots_event_time", "event_id", desc("captured_at")),
        Index("idx_snapshots_run", "scrape_run_id"),  # else deleting a run reads the whole table
        # No index on the confirmations, whose updates would write to it.
        SNAPSHOT_STORAGE,
    )

    id: Int8 | None = primary_key()
    event_id: Int4 | None = foreign_key("events.id", "The event.", ondelete="CASCADE")
    bookmaker_id: Int4 | None = foreign_key("bookmakers.id", "The bookmaker.")
    scrape_run_id: Int4 | None = foreign_key(
        "scrape_runs.id", "The run that captured it.", ondelete="SET NULL", nullable=True
    )

    event: Event = Relationship(back_populates="odds_snapshots")
    bookmaker: Bookmaker = Relationship(back_populates="odds_snapshots")
    scrape_run: Optional[ScrapeRun] = Relationship(back_populates="odds_snapshots")
    markets: list["MarketOdds"] = Relationship(
        back_populates="snapshot", cascade_delete=True, passive_deletes=True
    )


class MarketOdds(StoredMarket, Table, table=True):
    """A market of a reference event at one instant."""

    __tablename__: ClassVar[str] = "market_odds"
    __named_by__: ClassVar[tuple[str, ...]] = ("betpawa_market_name", "line", "specifiers")
    __table_args__ = (
        ForeignKeyConstraint(
            ["event_id", "snapshot_id"],
            ["odds_snapshots.event_id", "odds_snapshots.id"],
            name="fk_market_odds_snapshot_id_odds_snapshots",
            ondelete="CASCADE",
        ),
        Index("idx_market_odds_snapshot", "snapshot_id"),
        Index("idx_market_odds_market", "betpawa_market_id"),
    )

    id: Int8 | None = primary_key()
    event_id: Int4 | None = Field(
        default=None,
        nullable=False,
        description="The event of the snapshot, filled from the snapshot.",
    )
    snapshot_id: Int8 | None = Field(
        default=None, nullable=False, description="The snapshot of the market."
    )

    snapshot: OddsSnapshot = Relationship(back_populates="markets")
