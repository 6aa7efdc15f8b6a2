"""The best prices of events over time, and the overround of a book of the best prices.

Prices change at instants. At each of them, the last price of every bookmaker counts: a bookmaker
that has none there has that of its last instant. The cost grows with the number of instants times
the number of bookmakers of an event.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    DateTime,
    Double,
    FromClause,
    Select,
    String,
    and_,
    case,
    column,
    distinct,
    func,
    literal_column,
    null,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlmodel import Field
from sqlmodel.sql.expression import SelectOfScalar

from oddsschema.contracts.scalars import Count, Int4, Name100, Name255, Odds, Slug, UtcTime
from oddsschema.models import Event, MarketType
from oddsschema.models.odds import MARKET_KEY
from oddsschema.models.sides import table_of
from oddsschema.queries.distinct_rows import distinct_on
from oddsschema.queries.flat_rows import usual_winners
from oddsschema.queries.listed_events import AtTournament
from oddsschema.queries.outcomes import Overround
from oddsschema.queries.price_spans import PriceSpan, Span, merge_spans, prices
from oddsschema.queries.rows import Row, selecting


class ComparedMarket(MarketType, AtTournament):
    """A market of an event at all bookmakers. BetPawa's names come first."""

    event_id: Int4 | None = Field(description="BetPawa's event; None where none is matched.")
    sportradar_id: Name100 = Field(description="The event's SportRadar id; BetPawa's if matched.")
    home_team: Name255 = Field(description="The home team.")
    away_team: Name255 = Field(description="The away team.")
    kickoff: UtcTime = Field(description="The kickoff, UTC.")


class BestOutcome(ComparedMarket):
    """The best price of an outcome at all bookmakers."""

    outcome: Name255 = Field(description="The outcome's common name.")
    odds: Odds = Field(description="The highest decimal odds.")
    bookmakers: Annotated[tuple[Slug, ...], ARRAY(String, as_tuple=True)] = Field(
        description="The bookmakers that offer these odds."
    )


class BestPriceSpan(Span, BestOutcome, Row):
    """The best price of an outcome during a span of time."""


class BestOverroundSpan(Span, ComparedMarket, Row):
    """The overround of a market at the best prices during a span of time."""

    overround: Overround = Field(
        description="The overround of the best prices: 0.02 is 2 %; below 0, an arbitrage."
    )
    outcome_count: Count = Field(description="The number of the outcomes.")


#: The columns that identify a market of an event.
_MARKET = ("event_id", "sportradar_id", *MARKET_KEY)
#: A character that no slug has.
_BREAK = " "
_INSTANT = DateTime(timezone=True)
_ONE: ColumnElement[int] = literal_column("1").label("is_known")


def best_price_spans(
    among: SelectOfScalar[PriceSpan] | None = None,
) -> SelectOfScalar[BestPriceSpan]:
    """Select a row for each outcome and span of time without a change of its best price.

    `best_price_spans(prices(since, until, events=ids))`: only the prices that are selected, by
    default all, are compared. An outcome that no bookmaker has open has no row.
    """
    return selecting(BestPriceSpan, select_best(prices() if among is None else among))


def best_overrounds(
    among: SelectOfScalar[PriceSpan] | None = None,
) -> SelectOfScalar[BestOverroundSpan]:
    """Select a row for each market and span of time without a change of its best overround.

    It is the overround of a book in which each outcome has the best price of all bookmakers.
    Arbitrages: `.where(BestOverroundSpan.overround < 0)`. Only the prices that are selected are
    compared, as by `best_price_spans`.

    A market has no row while one of its outcomes is open nowhere. Its outcomes are all those that
    were open at any bookmaker among these prices. Of a Double Chance, two outcomes win.
    """
    spans = prices() if among is None else among
    best = numbered(select_best(spans).subquery("best"), _MARKET, "of_markets")
    states = states_of(best, best.c.outcome, best.c.odds, "of_outcomes")
    # In one order: the sum of the same numbers is the same.
    inverse = aggregate_order_by(1 / states.c.value, states.c.part)
    books = select(
        states.c.number,
        states.c.at,
        case(
            (
                and_(func.count() > 1, func.count() == func.count(states.c.value)),
                func.sum(inverse, type_=Double),
            )
        ).label("booksum"),
        func.count().label("outcome_count"),
    ).group_by(states.c.number, states.c.at)
    changed = spans_between(books, "booksum", ["booksum", "outcome_count"], "books")
    event = first_rows(best, "markets")
    statement = select(
        *(event.c[name] for name in ComparedMarket.model_fields),
        (changed.c.booksum / usual_winners(event) - 1).label("overround"),
        changed.c.outcome_count,
        changed.c.valid_from,
        changed.c.valid_to,
    ).join_from(changed, event, event.c.number == changed.c.number)
    return selecting(
        BestOverroundSpan, in_order_of(BestOverroundSpan, statement.add_cte(best, nest_here=True))
    )


def select_best(spans: SelectOfScalar[PriceSpan]) -> Select[Any]:
    """Select the best prices among the prices of bookmakers, with the columns of `BestPriceSpan`.

    A listing, not a bookmaker, has one price at an instant: some bookmakers list an event twice.
    """
    offered, events = spans.subquery("offered"), table_of(Event)
    own = {name: offered.c[name] for name in PriceSpan.model_fields if name != "sportradar_id"}
    compared = select(
        *own.values(),
        func.coalesce(events.c.sportradar_id, offered.c.sportradar_id).label("sportradar_id"),
    ).select_from(offered.outerjoin(events, events.c.id == offered.c.event_id))
    found = numbered(compared.subquery("compared"), (*_MARKET, "outcome"), "of_outcomes")
    listing = func.concat(found.c.bookmaker, _BREAK, found.c.competitor_event_id)
    odds = case((found.c.is_active, found.c.odds))
    states = states_of(found, listing, odds, "of_listings")
    bookmaker = func.split_part(states.c.part, _BREAK, 1)
    prices_then = (
        select(
            states.c.number,
            states.c.at,
            states.c.value.label("odds"),
            func.array_agg(
                aggregate_order_by(distinct(bookmaker), bookmaker), type_=ARRAY(String)
            ).label("bookmakers"),
        )
        .group_by(states.c.number, states.c.at, states.c.value)
        .subquery("prices_then")
    )
    key = [prices_then.c.number, prices_then.c.at]
    best = (
        select(prices_then)
        .prefix_with(distinct_on(*key))
        .order_by(*key, prices_then.c.odds.desc().nulls_last())
    )
    changed = spans_between(best, "odds", ["odds", "bookmakers"], "best_then")
    event = first_rows(found, "outcomes")
    statement = select(
        *(event.c[name] for name in (*ComparedMarket.model_fields, "outcome")),
        *(changed.c[name] for name in ("odds", "bookmakers", *Span.model_fields)),
    ).join_from(changed, event, event.c.number == changed.c.number)
    return in_order_of(BestPriceSpan, statement.add_cte(found, nest_here=True))


def in_order_of(row: type[Row], statement: Select[Any]) -> Select[Any]:
    """Select the columns of a row in its order."""
    found = statement.subquery("found")
    return select(*(found.c[name] for name in row.model_fields))


def numbered(rows: FromClause, key: Sequence[str], name: str) -> CTE:
    """Number the groups of rows with the same key, in which NULL equals NULL."""
    number = func.dense_rank().over(order_by=[rows.c[column] for column in key])
    return select(rows, number.label("number")).cte(name)


def first_rows(rows: FromClause, name: str) -> FromClause:
    """Select a row of each group: BetPawa's, if it has one."""
    order = [rows.c[column] for column in ("competitor_event_id",) if column in rows.c]
    return (
        select(rows)
        .prefix_with(distinct_on(rows.c.number))
        .order_by(rows.c.number, *(column.nulls_first() for column in order))
        .subquery(name)
    )


def states_of(rows: CTE, part: Any, value: ColumnElement[Any], name: str) -> FromClause:
    """Select the value of each part of a group at each instant at which one of them changes.

    The columns are number, at, part, value. The value is NULL where the part has no span.
    """
    changes = union_all(
        select(rows.c.number, part.label("part"), rows.c.valid_from.label("at"), value.label("v")),
        select(rows.c.number, part, rows.c.valid_to, null()).where(rows.c.valid_to.is_not(None)),
    ).subquery("changes")
    key = [changes.c.number, changes.c.part, changes.c.at]
    # A span may begin where another one ends: then its value counts.
    known = select(*key, func.max(changes.c.v).label("value")).group_by(*key).cte(f"{name}_known")
    # Arrays instead of a join: the planner underestimates the groups, and would read them in loops.
    of_group = (
        select(
            known.c.number,
            func.array_agg(distinct(known.c.part)).label("parts"),
            func.array_agg(distinct(known.c.at)).label("instants"),
        )
        .group_by(known.c.number)
        .subquery("of_group")
    )
    instant = (
        func.unnest(of_group.c.instants)
        .table_valued(column("at", _INSTANT))
        .render_derived("instant")
    )
    of_part = (
        func.unnest(of_group.c.parts).table_valued(column("part", String)).render_derived("of_part")
    )
    unknown = (
        select(of_group.c.number, of_part.c.part, instant.c.at, null(), literal_column("0"))
        .select_from(of_group.join(of_part, true()).join(instant, true()))
        .correlate(None)
    )
    all_rows = union_all(
        select(*(known.c[name] for name in ("number", "part", "at", "value")), _ONE), unknown
    ).subquery("all_rows")
    key = [all_rows.c[name] for name in ("number", "part", "at")]
    grid = (
        select(
            *key,
            func.max(all_rows.c.value).label("value"),
            func.sum(func.max(all_rows.c.is_known))
            .over(partition_by=key[:2], order_by=key[2])
            .label("change"),
        )
        .group_by(*key)
        # Written here once: both parts of the union read it.
        .add_cte(known, nest_here=True)
        .subquery("grid")
    )
    # The first row of each change has its value; the others have none.
    lasting = func.max(grid.c.value).over(partition_by=[grid.c.number, grid.c.part, grid.c.change])
    return select(grid.c.number, grid.c.at, grid.c.part, lasting.label("value")).subquery(name)


def spans_between(states: Select[Any], value: str, values: Sequence[str], name: str) -> FromClause:
    """Select the spans between instants in which a value is not NULL, merged where values stay."""
    rows = states.subquery(f"{name}_states")
    end = func.lead(rows.c.at).over(partition_by=rows.c.number, order_by=rows.c.at)
    bounded = select(
        rows.c.number,
        *(rows.c[column] for column in values),
        rows.c.at.label("valid_from"),
        end.label("valid_to"),
    ).subquery(f"{name}_bounded")
    spans = select(bounded).where(bounded.c[value].is_not(None)).subquery(f"{name}_spans")
    return merge_spans(spans, [spans.c.number], [spans.c[column] for column in values]).subquery(
        name
    )
