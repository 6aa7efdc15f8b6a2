"""Prices and overrounds over time, flat: a row for each span of time without a change.

Of each listing, the snapshots of the bounds are read, and those since the last keyframe before the
bounds. The rows at any instant are the offers of `oddsschema.queries.availability` at that instant.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Select,
    case,
    func,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field
from sqlmodel.sql.expression import SelectOfScalar

from oddsschema.contracts.base import Contract
from oddsschema.contracts.scalars import UtcTime
from oddsschema.models import Market, MarketType
from oddsschema.models.odds import MARKET_KEY
from oddsschema.queries.availability import NOW
from oddsschema.queries.common_names import OUTCOME_NAMES, lined_up_rows
from oddsschema.queries.distinct_rows import distinct_on
from oddsschema.queries.flat_rows import (
    Choice,
    MarketOfEvent,
    OutcomeOfEvent,
    described,
    instant,
    usual_winners,
)
from oddsschema.queries.outcomes import Overround, Winners, is_active, outcome_rows, overround
from oddsschema.queries.rows import Row, selecting
from oddsschema.queries.sides import Listings, on_both_sides

#: A time before all others.
_EVER: ColumnElement[Any] = literal_column("'-infinity'::timestamptz")

_TYPE = tuple(MarketType.model_fields)


class Span(Contract):
    """A span of time."""

    valid_from: UtcTime = Field(description="The start of the span, UTC.")
    valid_to: UtcTime | None = Field(
        description="The end of the span, UTC, which is not in it; None if nothing has changed yet."
    )


class PriceSpan(Span, OutcomeOfEvent, Row):
    """The price of an outcome at a bookmaker during a span of time."""


class OverroundSpan(Span, MarketOfEvent, Row):
    """The overround of a market at a bookmaker during a span of time."""

    overround: Overround | None = Field(
        description="The overround: 0.07 is 7 %; None with a closed outcome or with one outcome."
    )


class TimeBounds:
    """The bounds of a read, as SQL."""

    def __init__(self, since: datetime | None, until: datetime | None) -> None:
        """Check the bounds. Raises ValueError for times without a zone or in the wrong order."""
        self.since = None if since is None else instant(since, "since")
        self.until = None if until is None else instant(until, "until")
        if since is not None and until is not None and since >= until:
            raise ValueError(f"since ({since}) must be before until ({until})")

    def has(self, snapshots: Any) -> list[ColumnElement[bool]]:
        """List the conditions that snapshots were captured before the end."""
        conditions = [snapshots.c.captured_at <= NOW]
        if self.until is not None:
            conditions.append(snapshots.c.captured_at < self.until)
        return conditions

    def starting(self, start: Any) -> Any:
        """Return the start of a span, not before the bounds."""
        return start if self.since is None else func.greatest(start, self.since)

    def ending(self, end: Any) -> Any:
        """Return the end of a span: that of the bounds, if nothing has changed until then."""
        if self.until is None:
            return end
        return func.coalesce(end, case((self.until <= NOW, self.until)))

    def overlap(self, end: Any) -> list[ColumnElement[bool]]:
        """List the conditions that spans end after the start of the bounds."""
        return [] if self.since is None else [or_(end.is_(None), end > self.since)]


def prices(
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    events: Collection[str | int] | None = None,
    bookmakers: Collection[str] | None = None,
    markets: Collection[str] | None = None,
    names: Mapping[str, str] = OUTCOME_NAMES,
) -> SelectOfScalar[PriceSpan]:
    """Select a row for each outcome and span of time without a change of its price.

    The rows overlap the bounds and are clipped to them: `since` is in the bounds, `until` is not.
    A market that is not on offer has no row. An event that is no longer captured keeps its last
    prices: `.where(PriceSpan.kickoff >= start)` leaves out the events of the past.

    `events` are SportRadar ids (text), or ids of BetPawa's events (integers), which select the
    matched events of competitors too. `bookmakers` are slugs, `markets` BetPawa's ids of markets.
    Outcomes have their common names: see `lined_up`, also for `names`. A new spelling of an outcome
    is no change.

    Raises ValueError for a time without a zone, or if `since` is not before `until`.
    """
    bounds, choice = TimeBounds(since, until), Choice(events, bookmakers, markets)

    def ask(listings: Listings) -> Select[Any]:
        rows = with_written_names(listings, market_spans(listings, bounds, choice))
        labels = common_names(listings, rows, names)
        outcome = outcome_rows(rows.c.outcomes)
        spans = (
            select(
                *(rows.c[name] for name in (*_TYPE, *Span.model_fields)),
                labels.c.common[outcome.c.name].astext.label("outcome"),
                outcome.c.odds,
                is_active(outcome).label("is_active"),
            )
            .select_from(
                rows.join(labels, labels.c.written == rows.c.written).join(outcome, true())
            )
            .subquery("of_outcomes")
        )
        key = [spans.c[name] for name in (*MARKET_KEY, "outcome")]
        merged = merge_spans(spans, key, [spans.c.odds, spans.c.is_active])
        return described_rows(listings, choice, merged, PriceSpan)

    return selecting(PriceSpan, on_both_sides(PriceSpan, ask))


def overrounds(
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    events: Collection[str | int] | None = None,
    bookmakers: Collection[str] | None = None,
    markets: Collection[str] | None = None,
    winners: Winners | None = None,
) -> SelectOfScalar[OverroundSpan]:
    """Select a row for each market and span of time without a change of its overround.

    Bounds and choice are those of `prices`. `winners` is the number of outcomes that win together:
    by default 2 of a Double Chance, and 1 of all other markets. See `overround`.
    """
    bounds, choice = TimeBounds(since, until), Choice(events, bookmakers, markets)

    def ask(listings: Listings) -> Select[Any]:
        rows = market_spans(listings, bounds, choice)
        winning = usual_winners(rows) if winners is None else winners
        statement = select(
            *(rows.c[name] for name in (*_TYPE, *Span.model_fields)),
            overround(rows.c.outcomes, winning).label("overround"),
        )
        # OFFSET makes PostgreSQL compute the overround once.
        spans = statement.offset(literal_column("0")).subquery("of_markets")
        key = [spans.c[name] for name in MARKET_KEY]
        merged = merge_spans(spans, key, [spans.c.overround])
        return described_rows(listings, choice, merged, OverroundSpan)

    return selecting(OverroundSpan, on_both_sides(OverroundSpan, ask))


def described_rows(
    listings: Listings, choice: Choice, rows: Select[Any], row: type[Row]
) -> Select[Any]:
    """Select the rows of each chosen listing, with the data of its event."""
    chosen, columns = described(listings, choice)
    found = listings.correlated(rows).lateral("found")
    names = {column.name for column in columns}
    return chosen.join(found, true()).with_only_columns(
        *columns, *(found.c[name] for name in row.model_fields if name not in names)
    )


def market_spans(listings: Listings, bounds: TimeBounds, choice: Choice) -> FromClause:
    """Select the rows of a listing's markets on offer, each with the span in which it counts.

    The columns are those of a market, and those of `Span`.
    """
    of_listing = listings.snapshots("of_listing")
    statement = select(
        of_listing.c.id,
        of_listing.c.captured_at,
        func.min(of_listing.c.captured_at)
        .filter(of_listing.c.is_complete)
        # Newest first: a window frame that only grows is cheap.
        .over(order_by=of_listing.c.captured_at.desc(), rows=(None, -1))
        .label("next_keyframe_at"),
    ).where(listings.has(of_listing), *bounds.has(of_listing))
    if bounds.since is not None:
        keyframes = listings.snapshots("keyframes")
        keyframe = listings.correlated(
            select(func.max(keyframes.c.captured_at)).where(
                listings.has(keyframes),
                keyframes.c.is_complete,
                keyframes.c.captured_at <= bounds.since,
            )
        ).scalar_subquery()
        statement = statement.where(of_listing.c.captured_at >= func.coalesce(keyframe, _EVER))
    snapshots = listings.correlated(statement).subquery("snapshots")
    markets = listings.markets("markets")
    key = [markets.c[name] for name in MARKET_KEY]
    followed = (
        select(
            *(markets.c[name] for name in Market.model_fields),
            markets.c.unavailable_at,
            snapshots.c.captured_at,
            snapshots.c.next_keyframe_at,
            func.lead(snapshots.c.captured_at)
            .over(partition_by=key, order_by=(snapshots.c.captured_at, markets.c.id))
            .label("next_at"),
        )
        .select_from(snapshots.join(markets, markets.c.snapshot_id == snapshots.c.id))
        # The listing's event, not the snapshots': behind a window, the planner underestimates
        # those.
        .where(
            markets.c[listings.side.event_column] == listings.events.c.id,
            *choice.of_markets(markets),
        )
    )
    rows = listings.correlated(followed).subquery("followed")
    # A keyframe before the next row of the market shows that the market had left the offer.
    end = func.least(rows.c.next_at, rows.c.next_keyframe_at)
    return (
        select(
            *(rows.c[name] for name in Market.model_fields),
            bounds.starting(rows.c.captured_at).label("valid_from"),
            bounds.ending(end).label("valid_to"),
        )
        # Of two rows of a market in one snapshot, the newer one counts.
        .where(
            rows.c.unavailable_at.is_(None),
            rows.c.next_at.is_distinct_from(rows.c.captured_at),
            *bounds.overlap(end),
        )
        .subquery("spans")
    )


def with_written_names(listings: Listings, spans: FromClause) -> CTE:
    """Add `written` to market rows: the line with the names of the outcomes, as JSON."""
    names = func.jsonb_path_query_array(spans.c.outcomes, literal_column("'$[*].name'"))
    written = func.jsonb_build_array(spans.c.line, names, type_=JSONB).label("written")
    return listings.correlated(select(spans, written)).cte("rows_with_names", nesting=True)


def common_names(listings: Listings, rows: CTE, names: Mapping[str, str]) -> FromClause:
    """Select the common name of each written name, as an object, for each `written` of rows.

    Many rows of a listing have the same names: they are lined up once.
    """
    some = select(rows).prefix_with(distinct_on(rows.c.written)).subquery("some_rows")
    teams = listings.events.c.home_team, listings.events.c.away_team
    outcome = lined_up_rows(some.c.outcomes, some.c.line, teams, names, "outcome_of_some")
    by_name = func.jsonb_object_agg(outcome.c.written, outcome.c.name, type_=JSONB)
    statement = (
        select(some.c.written, by_name.label("common"))
        .select_from(some.join(outcome, true()))
        .group_by(some.c.written)
    )
    # Computed once: in a join, the planner may expect a single market row, and repeat it for each.
    return listings.correlated(statement).cte("labels", nesting=True).prefix_with("MATERIALIZED")


def merge_spans(
    spans: Any, key: Sequence[ColumnElement[Any]], values: Sequence[ColumnElement[Any]]
) -> Select[Any]:
    """Merge the spans of a key that follow each other with the same values.

    The spans of a key do not overlap. The cost is that of a sort.
    """
    names = [column.name for column in spans.c]
    order = spans.c.valid_from

    def before(column: Any) -> ColumnElement[Any]:
        return func.lag(column).over(partition_by=list(key), order_by=order)

    is_start = or_(
        before(spans.c.valid_to).is_distinct_from(order),
        *(value.is_distinct_from(before(value)) for value in values),
    )
    last_end = func.last_value(spans.c.valid_to).over(
        partition_by=list(key), order_by=order, rows=(None, None)
    )
    marked = select(
        *spans.c,
        is_start.label("is_start"),
        before(spans.c.valid_to).label("ended_at"),
        last_end.label("last_end"),
    ).subquery("marked")
    of_key = [marked.c[column.name] for column in key]

    def following(column: Any) -> ColumnElement[Any]:
        return func.lead(column).over(partition_by=of_key, order_by=marked.c.valid_from)

    end = case(
        (following(marked.c.valid_from).is_(None), marked.c.last_end),
        else_=following(marked.c.ended_at),
    )
    return select(
        *(marked.c[name] for name in names if name != "valid_to"),
        end.label("valid_to"),
    ).where(marked.c.is_start)
