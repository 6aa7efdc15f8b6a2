"""Offers, opening and closing prices as flat rows: an outcome, with its market and its event."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from sqlalchemy import CompoundSelect, FromClause, Interval, Select, true
from sqlmodel import Field
from sqlmodel.sql.expression import SelectOfScalar

from oddsschema.contracts.scalars import UtcTime
from oddsschema.models import MarketType
from oddsschema.queries.availability import NOW, SeenOffer, offered_markets, seen
from oddsschema.queries.common_names import OUTCOME_NAMES, lined_up_rows
from oddsschema.queries.flat_rows import Choice, OutcomeOfEvent, described, instant
from oddsschema.queries.history import closing_rows, opening_rows
from oddsschema.queries.outcomes import is_active
from oddsschema.queries.rows import Row, selecting
from oddsschema.queries.sides import Listings, on_both_sides


class OfferedOutcome(SeenOffer, OutcomeOfEvent, Row):
    """An outcome of a market that is on offer, at an instant."""


class OpeningOutcome(OutcomeOfEvent, Row):
    """An outcome of the opening prices of a market."""

    seen_at: UtcTime = Field(description="The time at which the prices were first seen, UTC.")
    age: Annotated[timedelta, Interval()] = Field(description="The time from seen_at to kickoff.")


class ClosingOutcome(OutcomeOfEvent, Row):
    """An outcome of the closing prices of a market."""

    seen_at: UtcTime = Field(description="The time at which the prices were last seen, UTC.")
    age: Annotated[timedelta, Interval()] = Field(description="The time from seen_at to kickoff.")


def offered_outcomes(
    at: datetime | None = None, *, names: Mapping[str, str] = OUTCOME_NAMES
) -> SelectOfScalar[OfferedOutcome]:
    """Select each outcome of the markets on offer at an instant, or now: see `offers`.

    An event: `.where(OfferedOutcome.event_id == 5)`; a day: `.where(OfferedOutcome.kickoff >=
    start, OfferedOutcome.kickoff < end)`. Outcomes have their common names: see `lined_up`, also
    for `names`. Raises ValueError for a time without a zone.
    """
    time = NOW if at is None else instant(at, "at")
    return selecting(OfferedOutcome, outcomes_on_offer(time, names))


def opening_outcomes(*, names: Mapping[str, str] = OUTCOME_NAMES) -> SelectOfScalar[OpeningOutcome]:
    """Select each outcome of the opening prices: see `opening_prices` and `offered_outcomes`."""
    outcomes = priced_outcomes(OpeningOutcome, opening_rows, "opening_prices", names)
    return selecting(OpeningOutcome, outcomes)


def closing_outcomes(*, names: Mapping[str, str] = OUTCOME_NAMES) -> SelectOfScalar[ClosingOutcome]:
    """Select each outcome of the closing prices: see `closing_prices` and `offered_outcomes`."""
    return selecting(ClosingOutcome, outcomes_at_kickoff(names))


def outcomes_on_offer(
    at: Any = NOW, names: Mapping[str, str] = OUTCOME_NAMES
) -> CompoundSelect[Any]:
    """Select each outcome of the markets on offer at an instant, with the data of its event."""

    def ask(listings: Listings) -> Select[Any]:
        last, markets = offered_markets(listings, at)
        return outcome_rows_of(listings, (last, markets), markets, seen(last, markets), names)

    return on_both_sides(OfferedOutcome, ask)


def outcomes_at_kickoff(names: Mapping[str, str] = OUTCOME_NAMES) -> CompoundSelect[Any]:
    """Select each outcome of the closing prices, with the data of its event."""
    return priced_outcomes(ClosingOutcome, closing_rows, "closing_prices", names)


def priced_outcomes(
    row: type[Row],
    of_listing: Callable[[Listings], Select[Any]],
    alias: str,
    names: Mapping[str, str],
) -> CompoundSelect[Any]:
    """Select each outcome of the opening or closing prices of each listing."""

    def ask(listings: Listings) -> Select[Any]:
        rows = listings.correlated(of_listing(listings)).lateral(alias)
        age = (listings.kickoff - rows.c.seen_at).label("age")
        return outcome_rows_of(listings, (rows,), rows, [rows.c.seen_at, age], names)

    return on_both_sides(row, ask)


def outcome_rows_of(
    listings: Listings,
    joined: Sequence[FromClause],
    markets: FromClause,
    others: Sequence[Any],
    names: Mapping[str, str],
) -> Select[Any]:
    """Select a row for each outcome of the markets of each listing, with the data of its event.

    `joined` are joined to the listing: the markets, and what they refer to. `others` are further
    columns.
    """
    chosen, columns = described(listings, Choice())
    for rows in joined:
        chosen = chosen.join(rows, true())
    outcome = common_outcomes(listings, markets, names)
    return chosen.join(outcome, true()).with_only_columns(
        *columns,
        *(markets.c[name] for name in MarketType.model_fields),
        outcome.c.name.label("outcome"),
        outcome.c.odds,
        is_active(outcome).label("is_active"),
        *others,
    )


def common_outcomes(
    listings: Listings, markets: FromClause, names: Mapping[str, str] = OUTCOME_NAMES
) -> FromClause:
    """Select the outcomes of a market of a listing under their common names."""
    teams = listings.events.c.home_team, listings.events.c.away_team
    return lined_up_rows(markets.c.outcomes, markets.c.line, teams, names, "outcome")
