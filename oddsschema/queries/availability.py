"""The markets on offer at each bookmaker, now or at an instant, and the best prices among them.

`bounds` and `markets_on_offer` are the definition of `oddsschema.models.keyframes` as expressions.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    CompoundSelect,
    DateTime,
    FromClause,
    Select,
    String,
    TableValuedAlias,
    case,
    column,
    distinct,
    func,
    literal_column,
    or_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by
from sqlmodel import Field
from sqlmodel.sql.expression import SelectOfScalar

from oddsschema.contracts.base import Contract
from oddsschema.contracts.scalars import Flag, Int4, Int8, Name100, Name255, Odds, Slug, UtcTime
from oddsschema.models import Event, Market, MarketType
from oddsschema.models.odds import MARKET_KEY
from oddsschema.models.sides import table_of
from oddsschema.queries.common_names import OUTCOME_NAMES, lined_up_rows
from oddsschema.queries.distinct_rows import distinct_on
from oddsschema.queries.outcomes import is_active
from oddsschema.queries.rows import Row, selecting
from oddsschema.queries.sides import Listings, MarketAtBookmaker, on_both_sides

#: Now, by PostgreSQL's clock: the instant of reads that are given none. Captures of the future,
#: which a wrong clock has made, are not in force yet.
NOW: ColumnElement[Any] = func.statement_timestamp(type_=DateTime(timezone=True))

#: The columns of a market row to read besides its key.
_REST = (
    *("id", "unavailable_at"),
    *(name for name in Market.model_fields if name not in MARKET_KEY),
)

#: Values that no market has, in the place of NULL.
_NO_LINE: ColumnElement[float] = literal_column("'NaN'::float8")
_NO_TEXT: ColumnElement[str] = literal_column("''")


class SeenOffer(Contract):
    """The capture in which a market was on offer."""

    seen_at: UtcTime = Field(description="The time of the event's last capture until then, UTC.")
    market_odds_id: Int8 = Field(
        description="The id of its row in market_odds or competitor_market_odds."
    )
    is_carried: Flag = Field(
        description="Whether that capture had the market refused: its prices are older."
    )


class Offer(SeenOffer, MarketAtBookmaker, Row):
    """A market on offer at a bookmaker, at an instant."""


class BestPrice(MarketType, Row):
    """The best price of an outcome, and the bookmakers that offer it."""

    event_id: Int4 | None = Field(description="BetPawa's event; None where none is matched.")
    sportradar_id: Name100 = Field(description="The event's SportRadar id; BetPawa's if matched.")
    outcome: Name255 = Field(description="The outcome's common name.")
    odds: Odds = Field(description="The highest decimal odds.")
    bookmakers: Annotated[tuple[Slug, ...], ARRAY(String, as_tuple=True)] = Field(
        description="The bookmakers that offer these odds."
    )


def offers(at: datetime | ColumnElement[datetime] | None = None) -> SelectOfScalar[Offer]:
    """Select every market on offer at an instant, or now, at every bookmaker, in no order.

    An event side by side: `.where(Offer.event_id == 5)`; one bookmaker's event:
    `.where(Offer.competitor_event_id == 7)`; many events: `.where(col(Offer.event_id).in_(ids))`.

    The instant may be a parameter of SQLAlchemy, `bindparam("at", type_=DateTime(timezone=True))`,
    of a statement that a program keeps.
    """
    return selecting(Offer, _offered_at(at) if isinstance(at, ColumnElement) else _offered(at))


@lru_cache(maxsize=128)
def _offered(at: datetime | None) -> CompoundSelect[Any]:
    return _offered_at(NOW if at is None else at)


def _offered_at(instant: Any) -> CompoundSelect[Any]:
    def select_offers(listings: Listings) -> Select[Any]:
        last, markets = offered_markets(listings, instant)
        return (
            listings.select.join(last, true())
            .join(markets, true())
            .with_only_columns(
                *listings.columns,
                *(markets.c[name] for name in Market.model_fields),
                *seen(last, markets),
            )
        )

    return on_both_sides(Offer, select_offers)


def offered_markets(listings: Listings, at: Any) -> tuple[FromClause, FromClause]:
    """Select a listing's last capture until an instant, and the markets on offer then.

    Both are joined to the listing, in this order.
    """
    last = bounds(listings, at)
    on_offer = markets_on_offer(listings, last, at)
    unknown = unknown_keys(last.c.unknown_markets)
    markets = listings.correlated(
        select(on_offer, unknown.c.key.is_not(None).label("is_carried")).select_from(
            on_offer.outerjoin(unknown, is_unknown(unknown, last, on_offer))
        ),
        last,
    ).lateral("markets_of_last")
    return last, markets


def seen(last: FromClause, markets: FromClause) -> list[ColumnElement[Any]]:
    """Return the columns that `SeenOffer` adds to a market on offer."""
    return [last.c.seen_at, markets.c.id.label("market_odds_id"), markets.c.is_carried]


def best_prices(
    among: SelectOfScalar[Offer] | None = None, names: Mapping[str, str] = OUTCOME_NAMES
) -> SelectOfScalar[BestPrice]:
    """Select the best price of each open outcome among offers, by default those of now.

    `best_prices(offers(at).where(Offer.event_id == 5))`. Outcomes are compared by their common
    names: see `lined_up`, also for `names`.
    """
    offered = (offers() if among is None else among).subquery("offers")
    events = table_of(Event)
    teams = offered.c.home_team, offered.c.away_team
    outcome = lined_up_rows(offered.c.outcomes, offered.c.line, teams, names, "outcome")
    rows = (
        select(
            offered.c.event_id,
            func.coalesce(events.c.sportradar_id, offered.c.sportradar_id).label("sportradar_id"),
            *(offered.c[name] for name in (*MarketType.model_fields, "bookmaker")),
            outcome.c.name.label("outcome"),
            outcome.c.odds,
        )
        .select_from(
            offered.outerjoin(events, events.c.id == offered.c.event_id).join(outcome, true())
        )
        .where(is_active(outcome))
        .subquery("open_outcomes")
    )
    return selecting(BestPrice, best_of(rows, ("event_id", "sportradar_id"), BestPrice))


def best_of(rows: FromClause, event: Sequence[str], row: type[Row]) -> Select[Any]:
    """Select the best price of each outcome of each event, with the columns of a row.

    `rows` are open outcomes: the columns `event`, those of a market's type, bookmaker, outcome,
    odds.
    """
    bookmaker = rows.c.bookmaker
    key = [rows.c[name] for name in (*event, *MARKET_KEY, "outcome")]
    prices = (
        select(
            *key,
            *dependent_columns(rows),
            rows.c.odds,
            func.array_agg(aggregate_order_by(distinct(bookmaker), bookmaker)).label("bookmakers"),
        )
        .group_by(*key, rows.c.odds)
        .subquery("prices")
    )
    of_prices = [prices.c[column.name] for column in key]
    best = select(*(prices.c[name] for name in row.model_fields if name in prices.c))
    return best.prefix_with(distinct_on(*of_prices)).order_by(*of_prices, prices.c.odds.desc())


# -- the state of a listing ------------------------------------------------------------------------


def bounds(listings: Listings, at: Any, *outer: FromClause) -> FromClause:
    """Select a listing's last keyframe at or before an instant, and its last capture until then.

    Of the last capture, the time and the keys of the markets that were refused in it are selected.
    The instant may be a column of the tables `outer`.
    """
    keyframes, last = listings.snapshots("keyframes"), listings.snapshots("last")
    keyframe_at = listings.correlated(
        select(keyframes.c.captured_at)
        .where(listings.has(keyframes), keyframes.c.is_complete, captured_until(keyframes, at))
        .order_by(keyframes.c.captured_at.desc())
        .limit(1),
        *outer,
    ).scalar_subquery()
    statement = (
        select(
            keyframe_at.label("keyframe_at"),
            seen_at(last, until=at).label("seen_at"),
            last.c.unknown_markets,
        )
        .where(listings.has(last), captured_until(last, at))
        .order_by(last.c.captured_at.desc())
        .limit(1)
    )
    return listings.correlated(statement, *outer).lateral("bounds")


def markets_on_offer(
    listings: Listings, last: FromClause, at: Any, *outer: FromClause
) -> FromClause:
    """Select the markets on offer at an instant: those of the last keyframe, and the changes since.

    Only the changes are sorted, to find the newest row of each market. A keyframe, which has most
    of the rows, is read as ingestion writes it: no market has two rows on offer in it.
    """
    snapshots, markets = listings.snapshots("snapshots"), listings.markets("markets")
    key = [markets.c[name] for name in MARKET_KEY]
    rows = (
        # The sort key comes first: PostgreSQL finds the first columns of a row fastest.
        select(*key, snapshots.c.captured_at, *(markets.c[name] for name in _REST))
        .select_from(snapshots.join(markets, listings.joins(markets, snapshots)))
        .where(listings.has(snapshots))
    )
    since = rows.where(snapshots.c.captured_at > last.c.keyframe_at, captured_until(snapshots, at))
    newest = since.prefix_with(distinct_on(*key)).order_by(
        *key, snapshots.c.captured_at.desc(), markets.c.id.desc()
    )
    changes = listings.correlated(newest, last, *outer).cte("changes", nesting=True)
    keyframe = rows.where(
        snapshots.c.captured_at == last.c.keyframe_at,
        markets.c.unavailable_at.is_(None),
        is_not_among(changes, markets),
    )
    return union_all(
        select(changes).where(changes.c.unavailable_at.is_(None)),
        listings.correlated(keyframe, last, *outer),
    ).lateral("on_offer")


def dependent_columns(markets: FromClause) -> list[ColumnElement[Any]]:
    """Return the columns of a market's type besides its key, for rows that are grouped by the key.

    The key determines them, except for the name.
    """
    names = (name for name in MarketType.model_fields if name not in MARKET_KEY)
    return [func.max(markets.c[name]).label(name) for name in names]


def is_not_among(others: FromClause, markets: FromClause) -> ColumnElement[bool]:
    """Return the condition that a market is not among others, by keys without NULL.

    PostgreSQL can hash such keys.
    """

    def key(rows: FromClause) -> list[ColumnElement[Any]]:
        market_id, line, *others = (rows.c[name] for name in MARKET_KEY)
        return [
            market_id,
            func.coalesce(line, _NO_LINE),
            *(func.coalesce(column, _NO_TEXT) for column in others),
        ]

    return tuple_(*key(markets)).not_in(select(*key(others)))


def unknown_keys(unknown_markets: Any) -> TableValuedAlias:
    """Return the keys of the refused markets of a snapshot as a table: key.

    A market that the snapshot carries has its whole key there. To be joined by `is_unknown`:
    PostgreSQL can hash the keys then, and a snapshot may have hundreds.
    """
    keys = func.jsonb_array_elements(unknown_markets).table_valued(column("key", JSONB))
    return keys.render_derived("unknown")


def is_unknown(unknown: FromClause, snapshots: FromClause, markets: FromClause) -> Any:
    """Return the condition that a key of refused markets is that of a market.

    Keys are compared as JSON values, so that NULL equals NULL, and 2 equals 2.0. They are built
    only for snapshots that have refused markets.
    """
    key = func.jsonb_build_array(*(markets.c[name] for name in MARKET_KEY), type_=JSONB)
    return unknown.c.key == case((snapshots.c.unknown_markets.is_not(None), key))


def captured_until(snapshots: Any, at: Any) -> ColumnElement[bool]:
    """Return the condition that snapshots were captured at or before an instant."""
    until: ColumnElement[bool] = snapshots.c.captured_at <= at
    return until


def seen_at(snapshots: Any, *, until: Any = None, before: Any = None) -> ColumnElement[Any]:
    """Return the time of a snapshot's last capture or confirmation until, or before, an instant."""

    def is_seen(time: Any) -> ColumnElement[bool]:
        seen: ColumnElement[bool] = time < before if until is None else time <= until
        return seen

    last = snapshots.c.last_confirmed_at
    instants = func.unnest(snapshots.c.confirmed_at).table_valued("at").render_derived("instants")
    confirmed = select(func.max(instants.c.at)).where(is_seen(instants.c.at))
    # Most often, all confirmations are earlier: then the array is not read.
    earlier = confirmed.correlate_except(instants).scalar_subquery()
    is_last = or_(last.is_(None), is_seen(last))
    return func.greatest(snapshots.c.captured_at, case((is_last, last), else_=earlier))
