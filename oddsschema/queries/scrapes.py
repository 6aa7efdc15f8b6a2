"""What scrapes brought: prices that moved between two batches, coverage, events without a match."""

from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    case,
    column,
    func,
    select,
    true,
    values,
)
from sqlmodel import Field, col
from sqlmodel.sql.expression import SelectOfScalar
from sqlmodel.sql.expression import select as select_entity

from oddsschema.contracts.scalars import Count, Int4, Name255, Odds, Slug, Status
from oddsschema.models import CompetitorEvent, CompetitorTournament, MarketType, ScrapeRun
from oddsschema.models.odds import MARKET_KEY
from oddsschema.queries.availability import bounds, standing
from oddsschema.queries.listings import SIDES, AtBookmaker, Side, on_both_sides
from oddsschema.queries.outcomes import each, is_active
from oddsschema.queries.rows import Row, selecting, table_of


class Move(MarketType, AtBookmaker, Row):
    """A price that is not what it was."""

    outcome: Name255 = Field(description="What is bet on, in the bookmaker's words.")
    odds_before: Odds | None = Field(description="Decimal odds; None where it was not on offer.")
    odds_after: Odds | None = Field(description="Decimal odds; None where it is not on offer.")


class Coverage(Row):
    """What one platform's part of a batch brought."""

    batch_id: Int4 | None
    run_id: Int4
    platform: Slug | None = Field(description="None for captures that did not say whose they are.")
    status: Status
    events: Count = Field(description="Events captured, those included of which nothing changed.")
    events_failed: Count = Field(description="Captures that were refused.")
    markets: Count = Field(description="Markets stored: all of an event's, or what changed.")
    markets_gone: Count = Field(description="Markets that were found to be no longer on offer.")


_runs = table_of(ScrapeRun)


def moves(before: int, after: int) -> SelectOfScalar[Move]:
    """Every price that is not after one batch what it was after another, an earlier one, by id.

    What stands after a batch is what its event's last snapshot says that this batch, or one before
    it, has brought. A price is on offer while its market is and its outcome is active.

    Raises ValueError when `before` is the later one.
    """
    if before > after:
        raise ValueError(f"batch {before} came after batch {after}: moves(before, after)")

    def ask(side: Side) -> Select[Any]:
        changed = _changed(side, before, after)
        markets = _different_markets(side, before, after)
        prices = _different_prices(markets)
        return (
            side.listings.join(changed, side.of_listing(changed))
            .join(markets, true())
            .join(prices, true())
            .with_only_columns(
                *side.listing,
                *(markets.c[name] for name in MarketType.model_fields),
                *prices.c,
            )
        )

    return selecting(Move, on_both_sides(Move, ask))


def _changed(side: Side, before: int, after: int) -> Any:
    """The listings that batches have brought snapshots of."""
    snapshots = side.snapshots.alias("snapshots")
    return (
        select(*(snapshots.c[name] for name, _ in side.links))
        .select_from(_runs.join(snapshots, snapshots.c.scrape_run_id == _runs.c.id))
        .where(_runs.c.batch_id > before, _runs.c.batch_id <= after)
        .distinct()
        .subquery("changed")
    )


def _different_markets(side: Side, before: int, after: int) -> FromClause:
    """A listing's markets that have not the same row after two batches, with both outcomes."""
    batches = values(column("id", Integer), column("is_after", Boolean), name="batches").data(
        [(before, False), (after, True)]
    )
    instant = _last_snapshot(side, batches)
    last = bounds(side, instant.c.at, instant)
    rows = standing(side, last, instant.c.at, instant)
    key = [rows.c[name] for name in MARKET_KEY]

    def one(values: Any, is_then: ColumnElement[bool]) -> Any:
        return func.array_agg(values, type_=ARRAY(values.type)).filter(is_then)[1]

    is_before, is_after = ~batches.c.is_after, batches.c.is_after
    statement = (
        select(
            *key,
            func.max(rows.c.betpawa_market_name).label("betpawa_market_name"),
            one(rows.c.outcomes, is_before).label("outcomes_before"),
            one(rows.c.outcomes, is_after).label("outcomes_after"),
        )
        .select_from(batches.join(instant, true()).join(last, true()).join(rows, true()))
        .group_by(*key)
        .having(one(rows.c.id, is_before).is_distinct_from(one(rows.c.id, is_after)))
    )
    return side.correlated(statement).lateral("markets")


def _last_snapshot(side: Side, batches: Any) -> FromClause:
    """When a listing's last snapshot was captured that a batch, or one before it, has brought."""
    snapshots = side.snapshots.alias("snapshots")
    statement = (
        select(snapshots.c.captured_at.label("at"))
        .select_from(snapshots.outerjoin(_runs, _runs.c.id == snapshots.c.scrape_run_id))
        # Those whose batch is not there any more are older than all that are.
        .where(side.of_listing(snapshots), func.coalesce(_runs.c.batch_id, 0) <= batches.c.id)
        .order_by(snapshots.c.captured_at.desc())
        .limit(1)
    )
    return side.correlated(statement, batches).lateral("instant")


def _different_prices(markets: FromClause) -> FromClause:
    was, now = each(markets.c.outcomes_before, "was"), each(markets.c.outcomes_after, "now")
    odds_before, odds_after = (case((is_active(outcome), outcome.c.odds)) for outcome in (was, now))
    statement = (
        select(
            func.coalesce(was.c.name, now.c.name).label("outcome"),
            odds_before.label("odds_before"),
            odds_after.label("odds_after"),
        )
        .select_from(was.outerjoin(now, was.c.name == now.c.name, full=True))
        .where(odds_before.is_distinct_from(odds_after))
    )
    return statement.correlate(markets).lateral("prices")


def coverage() -> SelectOfScalar[Coverage]:
    """What each platform's part of each batch brought: `.where(Coverage.batch_id == 7)`.

    Events that were deleted since are counted, their markets are not.
    """
    statement = select(
        _runs.c.batch_id,
        _runs.c.id.label("run_id"),
        _runs.c.platform,
        _runs.c.status,
        _runs.c.events_scraped.label("events"),
        _runs.c.events_failed,
        sum(_stored(side, is_gone=False) for side in SIDES).label("markets"),
        sum(_stored(side, is_gone=True) for side in SIDES).label("markets_gone"),
    )
    return selecting(Coverage, statement)


def _stored(side: Side, *, is_gone: bool) -> Any:
    snapshots, markets = side.snapshots.alias("snapshots"), side.markets.alias("markets")
    return (
        side.listings.join(snapshots, side.of_listing(snapshots))
        .join(markets, side.of_snapshot(markets, snapshots))
        .where(
            snapshots.c.scrape_run_id == _runs.c.id,
            markets.c.unavailable_at.is_not(None)
            if is_gone
            else markets.c.unavailable_at.is_(None),
        )
        .with_only_columns(func.count())
        .correlate(_runs)
        .scalar_subquery()
    )


def unmatched_events() -> SelectOfScalar[CompetitorEvent]:
    """Competitors' events that no event of BetPawa's is matched to."""
    return (
        select_entity(CompetitorEvent)
        .join(CompetitorTournament, col(CompetitorTournament.id) == CompetitorEvent.tournament_id)
        .where(
            col(CompetitorEvent.betpawa_event_id).is_(None),
            col(CompetitorEvent.deleted_at).is_(None),
            col(CompetitorTournament.deleted_at).is_(None),
        )
    )
