"""The yield of scrapes: moved prices, coverage, unmatched events, unmapped markets."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    and_,
    case,
    column,
    func,
    select,
    true,
    values,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, col
from sqlmodel.sql.expression import SelectOfScalar
from sqlmodel.sql.expression import select as select_entity

from oddsschema.contracts.scalars import Count, Int4, Name255, Odds, Slug, Status
from oddsschema.models import (
    CompetitorEvent,
    CompetitorTournament,
    MarketType,
    ScrapeRun,
    UnmappedMarket,
)
from oddsschema.models.odds import MARKET_KEY
from oddsschema.models.sides import table_of
from oddsschema.queries.availability import (
    NOW,
    bounds,
    captured_until,
    dependent_columns,
    is_unknown,
    markets_on_offer,
    unknown_keys,
)
from oddsschema.queries.common_names import OUTCOME_NAMES, lined_up_rows
from oddsschema.queries.outcomes import is_active
from oddsschema.queries.rows import Row, selecting
from oddsschema.queries.sides import LISTINGS, AtBookmaker, Listings, on_both_sides


class Move(MarketType, AtBookmaker, Row):
    """A price that changed."""

    outcome: Name255 = Field(description="The outcome's common name.")
    odds_before: Odds | None = Field(
        description="Decimal odds; None where it was closed or not on offer."
    )
    odds_after: Odds | None = Field(
        description="Decimal odds; None where it is closed or not on offer."
    )


class Coverage(Row):
    """The yield of one platform's part of a batch."""

    batch_id: Int4 | None
    run_id: Int4
    platform: Slug | None = Field(description="None for captures that do not name their platform.")
    status: Status
    events: Count = Field(description="Captured events, including those without a change.")
    events_failed: Count = Field(description="Captures that were refused as a whole, or lost.")
    markets: Count = Field(
        description="Stored market rows: all of a keyframe, else the changed ones."
    )
    markets_gone: Count = Field(description="Market rows that take a market off the offer.")


_runs = table_of(ScrapeRun)


def moves(
    before: int, after: int, names: Mapping[str, str] = OUTCOME_NAMES
) -> SelectOfScalar[Move]:
    """Select every price that differs between two batches, given by their ids.

    The prices after a batch are those of the event's last snapshot that this batch, or an earlier
    one, has written. A price is on offer while its market is, and its outcome is open.

    Outcomes have their common names: see `lined_up`, also for `names`. A new spelling of an outcome
    is no change.

    Raises ValueError when `before` is the later batch.
    """
    if before > after:
        raise ValueError(f"before ({before}) must not be greater than after ({after})")

    def ask(listings: Listings) -> Select[Any]:
        changed = changed_listings(listings, before, after)
        markets = changed_markets(listings, before, after)
        prices = changed_prices(listings, markets, names)
        return (
            listings.select.join(changed, listings.has(changed))
            .join(markets, true())
            .join(prices, true())
            .with_only_columns(
                *listings.columns,
                *(markets.c[name] for name in MarketType.model_fields),
                *prices.c,
            )
        )

    return selecting(Move, on_both_sides(Move, ask))


def changed_listings(listings: Listings, before: int, after: int) -> Any:
    """Select the listings of which batches have written snapshots."""
    snapshots = listings.snapshots("snapshots")
    return (
        select(*(snapshots.c[name] for name, _ in listings.links))
        .select_from(_runs.join(snapshots, snapshots.c.scrape_run_id == _runs.c.id))
        .where(_runs.c.batch_id > before, _runs.c.batch_id <= after)
        .distinct()
        .subquery("changed")
    )


def changed_markets(listings: Listings, before: int, after: int) -> FromClause:
    """Select a listing's markets whose row differs after two batches, with both outcomes."""
    batches = values(column("id", Integer), column("is_after", Boolean), name="batches").data(
        [(before, False), (after, True)]
    )
    instant = last_snapshot(listings, batches)
    last = bounds(listings, instant.c.at, instant)
    rows = markets_on_offer(listings, last, instant.c.at, instant)
    key = [rows.c[name] for name in MARKET_KEY]

    def value_of_batch(values: Any, is_then: ColumnElement[bool]) -> Any:
        return func.array_agg(values, type_=ARRAY(values.type)).filter(is_then)[1]

    is_before, is_after = ~batches.c.is_after, batches.c.is_after
    statement = (
        select(
            *key,
            *dependent_columns(rows),
            value_of_batch(rows.c.outcomes, is_before).label("outcomes_before"),
            value_of_batch(rows.c.outcomes, is_after).label("outcomes_after"),
        )
        .select_from(batches.join(instant, true()).join(last, true()).join(rows, true()))
        .group_by(*key)
        .having(
            value_of_batch(rows.c.id, is_before).is_distinct_from(
                value_of_batch(rows.c.id, is_after)
            )
        )
    )
    return listings.correlated(statement).lateral("markets")


def last_snapshot(listings: Listings, batches: Any) -> FromClause:
    """Select the time of a listing's last snapshot that a batch, or an earlier one, has written."""
    snapshots = listings.snapshots("snapshots")
    statement = (
        select(snapshots.c.captured_at.label("at"))
        .select_from(snapshots.outerjoin(_runs, _runs.c.id == snapshots.c.scrape_run_id))
        # Snapshots whose batch is deleted are older than all others.
        .where(
            listings.has(snapshots),
            captured_until(snapshots, NOW),
            func.coalesce(_runs.c.batch_id, 0) <= batches.c.id,
        )
        .order_by(snapshots.c.captured_at.desc())
        .limit(1)
    )
    return listings.correlated(statement, batches).lateral("instant")


def changed_prices(listings: Listings, markets: FromClause, names: Mapping[str, str]) -> FromClause:
    """Select the outcomes whose price differs, of markets with both outcomes."""
    batches = (
        values(column("outcomes", JSONB), column("is_after", Boolean), name="of_batches")
        .data([(markets.c.outcomes_before, False), (markets.c.outcomes_after, True)])
        .lateral()
    )
    teams = listings.events.c.home_team, listings.events.c.away_team
    outcome = lined_up_rows(batches.c.outcomes, markets.c.line, teams, names, "outcome")
    odds = case((is_active(outcome), outcome.c.odds))
    odds_before, odds_after = (
        func.max(odds).filter(is_then) for is_then in (~batches.c.is_after, batches.c.is_after)
    )
    statement = (
        select(
            outcome.c.name.label("outcome"),
            odds_before.label("odds_before"),
            odds_after.label("odds_after"),
        )
        .select_from(batches.join(outcome, true()))
        .group_by(outcome.c.name)
        .having(odds_before.is_distinct_from(odds_after))
    )
    return listings.correlated(statement, markets).lateral("prices")


def coverage() -> SelectOfScalar[Coverage]:
    """Select the coverage of each run of each batch: `.where(Coverage.batch_id == 7)`.

    Events that were deleted later count, their markets do not. Rows of markets that were refused,
    which a keyframe carries over, do not count.
    """
    return selecting(Coverage, run_coverage())


@cache
def run_coverage() -> Select[Any]:
    """Select the columns of `Coverage` from the table of runs."""
    counts = [stored_market_rows(listings) for listings in LISTINGS]
    runs = _runs
    for count in counts:
        runs = runs.join(count, true())
    return select(
        _runs.c.batch_id,
        _runs.c.id.label("run_id"),
        _runs.c.platform,
        _runs.c.status,
        _runs.c.events_scraped.label("events"),
        _runs.c.events_failed,
        sum(count.c.stored for count in counts).label("markets"),
        sum(count.c.gone for count in counts).label("markets_gone"),
    ).select_from(runs)


def stored_market_rows(listings: Listings) -> Any:
    """Count the market rows that a run stored on one side, in a single pass: on offer, and gone."""
    snapshots, markets = listings.snapshots("snapshots"), listings.markets("markets")
    refusing = listings.snapshots("refusing")
    keys = unknown_keys(refusing.c.unknown_markets)
    unknown = (
        select(refusing.c.id, keys.c.key)
        .join_from(refusing, keys, true())
        .where(refusing.c.scrape_run_id == _runs.c.id)
        .correlate(_runs)
        .lateral("unknown_of_run")
    )
    is_gone = markets.c.unavailable_at.is_not(None)
    is_stored = and_(~is_gone, unknown.c.key.is_(None))
    return (
        listings.select.join(snapshots, listings.has(snapshots))
        .join(markets, listings.joins(markets, snapshots))
        .outerjoin(
            unknown,
            and_(unknown.c.id == snapshots.c.id, is_unknown(unknown, snapshots, markets)),
        )
        .where(snapshots.c.scrape_run_id == _runs.c.id)
        .with_only_columns(
            func.count().filter(is_stored).label("stored"),
            func.count().filter(is_gone).label("gone"),
        )
        .correlate(_runs)
        .lateral()
    )


def unmatched_events() -> SelectOfScalar[CompetitorEvent]:
    """Select competitors' events that are matched to no event of BetPawa's."""
    return (
        select_entity(CompetitorEvent)
        .join(CompetitorTournament, col(CompetitorTournament.id) == CompetitorEvent.tournament_id)
        .where(
            col(CompetitorEvent.betpawa_event_id).is_(None),
            col(CompetitorEvent.deleted_at).is_(None),
            col(CompetitorTournament.deleted_at).is_(None),
        )
    )


def unmapped_markets() -> SelectOfScalar[UnmappedMarket]:
    """Select the markets that scrapers could not map to BetPawa's, the most frequent first.

    `.where(UnmappedMarket.source == "bet9ja")` selects those of a platform, and a condition on
    `last_seen_at` those that are still reported.
    """
    return select_entity(UnmappedMarket).order_by(
        col(UnmappedMarket.times_seen).desc(), UnmappedMarket.source, UnmappedMarket.market_id
    )
