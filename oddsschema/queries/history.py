"""The history of prices: each change, the opening prices, the closing prices before kickoff."""

from datetime import timedelta
from functools import cache
from typing import Annotated, Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
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
from sqlalchemy.dialects.postgresql import array
from sqlmodel import Field
from sqlmodel.sql.expression import Select as SelectOfTwo
from sqlmodel.sql.expression import SelectOfScalar

from oddsschema.contracts.scalars import UtcTime
from oddsschema.models import Market
from oddsschema.models.odds import MARKET_KEY
from oddsschema.queries.availability import NOW, seen_at
from oddsschema.queries.distinct_rows import distinct_on
from oddsschema.queries.outcomes import Winners, has_open, overround, prices
from oddsschema.queries.rows import Row, selecting, selecting_with
from oddsschema.queries.sides import Listings, MarketAtBookmaker, on_both_sides

_FIELDS = tuple(Market.model_fields)


class PricePoint(MarketAtBookmaker, Row):
    """The prices of a market from an instant on, or its absence from the offer."""

    at: UtcTime = Field(description="The instant, UTC.")
    is_available: bool = Field(description="False: not on offer; the outcomes are the last.")


class Price(MarketAtBookmaker, Row):
    """The opening or closing prices of a market."""

    seen_at: UtcTime = Field(description="The time at which they were first, or last, seen, UTC.")
    kickoff: UtcTime = Field(description="The kickoff that this bookmaker gives, UTC.")
    age: Annotated[timedelta, Interval()] = Field(description="The time from `seen_at` to kickoff.")


def price_history() -> SelectOfScalar[PricePoint]:
    """Select a point for each change of a market's prices, in order of time.

    A market that leaves the offer gets a point that says so. The last point of each market has the
    time of the event's last capture until now, with the prices in force then. Ask for one market,
    or for few: `.where(PricePoint.event_id == 5, PricePoint.betpawa_market_id == "3743")`.
    """
    return selecting(PricePoint, _changes()).order_by(*in_order())


def overround_history(winners: Winners = 1) -> SelectOfTwo[PricePoint, float | None]:
    """Select each point of the price history with its overround: see `overround`."""
    margin = overround(PricePoint.outcomes, winners).label("overround")
    return selecting_with(PricePoint, _changes(), margin).order_by(*in_order())


@cache
def _changes() -> CompoundSelect[Any]:
    return on_both_sides(PricePoint, change_history)


def change_history(listings: Listings) -> Select[Any]:
    """Select the points of the price history of one side's listings."""
    points = listings.correlated(change_points(followed_rows(listings))).lateral("points")
    return listings.select.join(points, true()).with_only_columns(
        *listings.columns,
        *(points.c[name] for name in (*_FIELDS, "at", "is_available")),
    )


def in_order() -> list[Any]:
    """Return the order of points: by event, market and bookmaker, then by time."""
    names = "sportradar_id", *MARKET_KEY, "bookmaker", "at"
    return [getattr(PricePoint, name) for name in names]


def opening_prices() -> SelectOfScalar[Price]:
    """Select the first prices of each market before kickoff with an open outcome.

    A market without such prices has no row.
    """
    return selecting(Price, _opening_prices())


@cache
def _opening_prices() -> CompoundSelect[Any]:
    return on_both_sides(Price, lambda listings: with_kickoff(listings, opening_rows(listings)))


def opening_rows(listings: Listings) -> Select[Any]:
    """Select the opening prices of the markets of a listing, with the time when each was seen."""
    snapshots, markets = listings.snapshots("snapshots"), listings.markets("markets")
    key = [markets.c[name] for name in MARKET_KEY]
    return (
        select(*(markets.c[name] for name in _FIELDS), snapshots.c.captured_at.label("seen_at"))
        .select_from(snapshots.join(markets, listings.joins(markets, snapshots)))
        .where(
            listings.has(snapshots),
            snapshots.c.captured_at < kickoff_or_now(listings),
            markets.c.unavailable_at.is_(None),
            has_open(markets.c.outcomes),
        )
        .prefix_with(distinct_on(*key))
        .order_by(*key, snapshots.c.captured_at, markets.c.id.desc())
    )


def closing_prices() -> SelectOfScalar[Price]:
    """Select the last prices of each market before kickoff with an open outcome.

    `seen_at` is the last instant at which the market had these prices: it may have been suspended,
    or have left the offer, between then and kickoff. A market without such prices has no row.
    """
    return selecting(Price, _closing_prices())


@cache
def _closing_prices() -> CompoundSelect[Any]:
    return on_both_sides(Price, lambda listings: with_kickoff(listings, closing_rows(listings)))


def closing_rows(listings: Listings) -> Select[Any]:
    """Select the closing prices of the markets of a listing, with the time when each was seen."""
    end = kickoff_or_now(listings)
    rows = followed_rows(listings, end).subquery("rows")
    key = [rows.c[name] for name in MARKET_KEY]
    last = (
        select(
            *(rows.c[name] for name in _FIELDS),
            func.least(rows.c.next_at, rows.c.next_keyframe_at, end).label("until"),
        )
        .where(rows.c.is_available, has_open(rows.c.outcomes))
        .prefix_with(distinct_on(*key))
        .order_by(*key, rows.c.captured_at.desc(), rows.c.id.desc())
    )
    closing = listings.correlated(last).subquery("closing")
    snapshots = listings.snapshots("last")
    seen = listings.correlated(
        select(seen_at(snapshots, before=closing.c.until).label("seen_at"))
        .where(listings.has(snapshots), snapshots.c.captured_at < closing.c.until)
        .order_by(snapshots.c.captured_at.desc())
        .limit(1),
        closing,
    ).lateral("seen")
    return select(closing, seen.c.seen_at).select_from(closing.join(seen, true()))


def kickoff_or_now(listings: Listings) -> ColumnElement[Any]:
    """Return the end of the prices before kickoff: captures of the future do not count."""
    return func.least(listings.kickoff, NOW)


def with_kickoff(listings: Listings, statement: Select[Any]) -> Select[Any]:
    """Select the rows of a statement for each listing, with its kickoff and their age then."""
    seen = listings.correlated(statement).lateral("seen")
    return listings.select.join(seen, true()).with_only_columns(
        *listings.columns,
        *(seen.c[name] for name in (*_FIELDS, "seen_at")),
        listings.kickoff.label("kickoff"),
        (listings.kickoff - seen.c.seen_at).label("age"),
    )


def followed_rows(listings: Listings, before: Any = NOW) -> Select[Any]:
    """Select a listing's market rows, each with the times of the next row and the next keyframe.

    Only rows of captures before an instant are read.

    A keyframe before the next row of the market shows that the market had left the offer.
    """
    of_listing = listings.snapshots("of_listing")
    snapshots = listings.correlated(
        select(
            of_listing.c.id,
            of_listing.c.captured_at,
            func.min(of_listing.c.captured_at)
            .filter(of_listing.c.is_complete)
            # Newest first: a window frame that only grows is cheap.
            .over(order_by=of_listing.c.captured_at.desc(), rows=(None, -1))
            .label("next_keyframe_at"),
            func.max(seen_at(of_listing, before=before)).over().label("last_seen_at"),
        ).where(
            listings.has(of_listing),
            of_listing.c.captured_at < before,
        )
    ).subquery("snapshots")
    markets = listings.markets("markets")
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
    # The listing's event, not the snapshots': behind a window, the planner underestimates those.
    return listings.correlated(
        rows.where(markets.c[listings.side.event_column] == listings.events.c.id)
    )


def change_points(statement: Select[Any]) -> Select[Any]:
    """Select the instants at which rows change, and the time of the last capture."""
    rows = statement.subquery("rows")
    # Each row yields up to three instants: its own, the end of the offer, the last capture.
    is_missed = func.coalesce(rows.c.next_keyframe_at < rows.c.next_at, true())
    gone_at = case((and_(rows.c.is_available, is_missed), rows.c.next_keyframe_at))
    last_seen_at = case((rows.c.next_at.is_(None), rows.c.last_seen_at))
    instant = (
        func.unnest(array([rows.c.captured_at, gone_at, last_seen_at]))
        .table_valued("at", with_ordinality="number")
        .render_derived("instant")
    )
    is_available = case(
        (instant.c.number == 1, rows.c.is_available),
        (instant.c.number == 2, false()),
        else_=and_(rows.c.is_available, gone_at.is_(None)),
    )
    instants = (
        select(rows, instant.c.at, instant.c.number, is_available.label("is_available_then"))
        .select_from(rows.join(instant, instant.c.at.is_not(None)))
        # Of two rows of a market in one snapshot, the newer one counts.
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
        # The last change may have the time of the last capture.
        .prefix_with(distinct_on(*key, changes.c.at))
        .order_by(*key, changes.c.at)
    )
