"""How prices came to be what they are: each change, the first ones, the last before kickoff."""

from datetime import timedelta
from typing import Annotated, Any

from sqlalchemy import (
    Interval,
    Select,
    and_,
    case,
    false,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import array, distinct_on
from sqlmodel import Field
from sqlmodel.sql.expression import Select as SelectOfTwo
from sqlmodel.sql.expression import SelectOfScalar

from oddsschema.contracts.scalars import UtcTime
from oddsschema.models import Market
from oddsschema.models.odds import MARKET_KEY
from oddsschema.queries.availability import seen_at
from oddsschema.queries.listings import AtBookmaker, Side, on_both_sides
from oddsschema.queries.outcomes import Winners, overround, prices
from oddsschema.queries.rows import Row, selecting, selecting_with

_FIELDS = tuple(Market.model_fields)


class PricePoint(Market, AtBookmaker, Row):
    """From an instant on, a market had these prices, or was not on offer."""

    at: UtcTime = Field(description="When it was first seen so, UTC.")
    is_available: bool = Field(description="False: not on offer; the outcomes are its last.")


class Price(Market, AtBookmaker, Row):
    """A market's prices before kickoff, the first or the last."""

    seen_at: UtcTime = Field(description="When they were seen, UTC: first, or last.")
    kickoff: UtcTime = Field(description="When the event starts, as this bookmaker says, UTC.")
    age: Annotated[timedelta, Interval()] = Field(description="How long before kickoff that was.")


def price_history() -> SelectOfScalar[PricePoint]:
    """A point for each change of a market's prices, in order of time; equal ones are one.

    Where the market was not on offer, there is a point that says so. The last point of each market
    is the last time that its event was captured, with what stood then. Ask for one market, or for
    few: `.where(PricePoint.event_id == 5, PricePoint.betpawa_market_id == "3743")`.
    """
    return selecting(PricePoint, on_both_sides(PricePoint, _history)).order_by(*_in_order())


def overround_history(winners: Winners = 1) -> SelectOfTwo[PricePoint, float | None]:
    """Each point of the price history with the overround from then on: see `overround`."""
    margin = overround(PricePoint.outcomes, winners).label("overround")
    history = on_both_sides(PricePoint, _history)
    return selecting_with(PricePoint, history, margin).order_by(*_in_order())


def _history(side: Side) -> Select[Any]:
    points = side.correlated(_points(_rows(side))).lateral("points")
    return side.listings.join(points, true()).with_only_columns(
        *side.listing,
        *(points.c[name] for name in (*_FIELDS, "at", "is_available")),
    )


def _in_order() -> list[Any]:
    names = "sportradar_id", *MARKET_KEY, "bookmaker", "at"
    return [getattr(PricePoint, name) for name in names]


def opening_prices() -> SelectOfScalar[Price]:
    """The prices with which each market was first seen."""

    def ask(side: Side) -> Select[Any]:
        snapshots, markets = side.snapshots.alias("snapshots"), side.markets.alias("markets")
        key = [markets.c[name] for name in MARKET_KEY]
        opening = (
            select(*(markets.c[name] for name in _FIELDS), snapshots.c.captured_at.label("seen_at"))
            .select_from(snapshots.join(markets, side.of_snapshot(markets, snapshots)))
            .where(side.of_listing(snapshots), markets.c.unavailable_at.is_(None))
            .ext(distinct_on(*key))
            .order_by(*key, snapshots.c.captured_at, markets.c.id.desc())
        )
        return _before_kickoff(side, opening)

    return selecting(Price, on_both_sides(Price, ask))


def closing_prices() -> SelectOfScalar[Price]:
    """The last prices of each market before kickoff, whether or not it was offered until then."""

    def ask(side: Side) -> Select[Any]:
        rows = _rows(side, side.kickoff).subquery("rows")
        key = [rows.c[name] for name in MARKET_KEY]
        last = (
            select(
                *(rows.c[name] for name in _FIELDS),
                func.least(rows.c.next_at, rows.c.next_keyframe_at, side.kickoff).label("until"),
            )
            .where(rows.c.is_available)
            .ext(distinct_on(*key))
            .order_by(*key, rows.c.captured_at.desc(), rows.c.id.desc())
        )
        closing = side.correlated(last).subquery("closing")
        snapshots = side.snapshots.alias("last")
        seen = side.correlated(
            select(seen_at(snapshots, before=closing.c.until).label("seen_at"))
            .where(side.of_listing(snapshots), snapshots.c.captured_at < closing.c.until)
            .order_by(snapshots.c.captured_at.desc())
            .limit(1),
            closing,
        ).lateral("seen")
        seen_last = select(closing, seen.c.seen_at).select_from(closing.join(seen, true()))
        return _before_kickoff(side, seen_last)

    return selecting(Price, on_both_sides(Price, ask))


def _before_kickoff(side: Side, statement: Select[Any]) -> Select[Any]:
    seen = side.correlated(statement).lateral("seen")
    return side.listings.join(seen, true()).with_only_columns(
        *side.listing,
        *(seen.c[name] for name in (*_FIELDS, "seen_at")),
        side.kickoff.label("kickoff"),
        (side.kickoff - seen.c.seen_at).label("age"),
    )


def _rows(side: Side, before: Any = None) -> Select[Any]:
    """A listing's rows of markets, each with when the market's next row and next keyframe came.

    A keyframe that comes before the next row tells that the market was not offered any more.
    """
    of_listing = side.snapshots.alias("of_listing")
    snapshots = side.correlated(
        select(
            of_listing.c.id,
            of_listing.c.captured_at,
            func.min(of_listing.c.captured_at)
            .filter(of_listing.c.is_complete)
            # Newest first, for a frame that only grows costs no more than one that stands.
            .over(order_by=of_listing.c.captured_at.desc(), rows=(None, -1))
            .label("next_keyframe_at"),
            func.max(seen_at(of_listing)).over().label("last_seen_at"),
        ).where(
            side.of_listing(of_listing),
            true() if before is None else of_listing.c.captured_at < before,
        )
    ).subquery("snapshots")
    markets = side.markets.alias("markets")
    newest_first = snapshots.c.captured_at, markets.c.id
    rows = select(
        markets.c.id,
        *(markets.c[name] for name in _FIELDS),
        markets.c.unavailable_at.is_(None).label("is_available"),
        snapshots.c.captured_at,
        snapshots.c.next_keyframe_at,
        snapshots.c.last_seen_at,
        func.lead(snapshots.c.captured_at)
        .over(partition_by=[markets.c[name] for name in MARKET_KEY], order_by=newest_first)
        .label("next_at"),
    ).select_from(snapshots.join(markets, markets.c.snapshot_id == snapshots.c.id))
    # The listing's event, not the snapshots': behind a window, the planner would take them for few.
    return side.correlated(rows.where(markets.c[side.event] == side.tables[0].c.id))


def _points(statement: Select[Any]) -> Select[Any]:
    """When something changed in the rows, and the last time that they were seen to stand."""
    rows = statement.subquery("rows")
    # Each row says when the market was so, perhaps when it was gone, perhaps when it was last seen.
    is_missed = func.coalesce(rows.c.next_keyframe_at < rows.c.next_at, true())
    gone_at = case((and_(rows.c.is_available, is_missed), rows.c.next_keyframe_at))
    last_seen_at = case((rows.c.next_at.is_(None), rows.c.last_seen_at))
    told = (
        func.unnest(array([rows.c.captured_at, gone_at, last_seen_at]))
        .table_valued("at", with_ordinality="number")
        .render_derived("told")
    )
    is_available = case(
        (told.c.number == 1, rows.c.is_available),
        (told.c.number == 2, false()),
        else_=and_(rows.c.is_available, gone_at.is_(None)),
    )
    instants = (
        select(rows, told.c.at, told.c.number, is_available.label("is_available_then"))
        .select_from(rows.join(told, told.c.at.is_not(None)))
        # Of two rows of a market in one snapshot, the newer one stands.
        .where(rows.c.next_at.is_distinct_from(rows.c.captured_at))
        .subquery("instants")
    )
    state = case((instants.c.is_available_then, prices(instants.c.outcomes)))
    key = [instants.c[name] for name in MARKET_KEY]
    before = func.lag(state).over(partition_by=key, order_by=(instants.c.at, instants.c.number))
    changes = select(instants, state.is_distinct_from(before).label("is_change")).subquery(
        "changes"
    )
    key = [changes.c[name] for name in MARKET_KEY]
    return (
        select(
            *(changes.c[name] for name in (*_FIELDS, "at")),
            changes.c.is_available_then.label("is_available"),
        )
        .where(or_(changes.c.is_change, changes.c.number == 3))
        # The last change may have come when it was last seen.
        .ext(distinct_on(*key, changes.c.at))
        .order_by(*key, changes.c.at)
    )
