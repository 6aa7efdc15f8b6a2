"""The selects of the SQL views: flat rows for programs that read SQL alone, such as dashboards.

The revisions have the views as text, and a test compares it with these selects. A later release
appends columns and changes none: the queries of others name them.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    SelectBase,
    case,
    func,
    select,
    true,
    union_all,
)
from sqlmodel import Field

from oddsschema.contracts.scalars import Count, Int4, Slug, Status, UtcTime
from oddsschema.database.literals import sql_with_literals
from oddsschema.models import MarketType, ScrapeRun
from oddsschema.models.sides import table_of
from oddsschema.queries.availability import (
    NOW,
    best_of,
    captured_until,
    offered_markets,
)
from oddsschema.queries.best_spans import BestOutcome
from oddsschema.queries.distinct_rows import distinct_on
from oddsschema.queries.flat_offers import (
    ClosingOutcome,
    OfferedOutcome,
    common_outcomes,
    outcomes_at_kickoff,
    outcomes_on_offer,
)
from oddsschema.queries.listed_events import competitors_events, reference_events
from oddsschema.queries.outcomes import is_active
from oddsschema.queries.price_spans import PriceSpan, prices
from oddsschema.queries.rows import Row
from oddsschema.queries.scrapes import run_coverage
from oddsschema.queries.sides import LISTINGS, Listings

_TYPE = tuple(MarketType.model_fields)


class BestOutcomeNow(BestOutcome, Row):
    """The best price of an outcome now."""


class Freshness(Row):
    """The last captures and the last ended run of a platform."""

    platform: Slug = Field(description="The platform: 'betpawa', or a competitor's source.")
    last_captured_at: UtcTime | None = Field(
        description="The time of the last capture with a change, UTC; None without a capture."
    )
    last_confirmed_at: UtcTime | None = Field(
        description="The time of the last capture that found the newest odds of an event "
        "unchanged, UTC; None if there is none."
    )
    run_id: Int4 | None = Field(description="The last ended run; None if no run has ended.")
    run_status: Status | None = Field(description="The status of the run.")
    run_started_at: UtcTime | None = Field(description="The start of the run, UTC.")
    run_completed_at: UtcTime | None = Field(description="The end of the run, UTC.")
    events: Count | None = Field(
        description="The events that the run captured, including those without a change."
    )
    events_failed: Count | None = Field(
        description="The captures that the run refused as a whole, or lost."
    )
    markets: Count | None = Field(
        description="The market rows that the run stored: all of a keyframe, else the changed ones."
    )


class View(NamedTuple):
    """A view of the revisions."""

    #: The class whose fields are the columns.
    row: type[Row]
    #: The comment.
    comment: str
    #: Build the select.
    select: Callable[[], SelectBase]

    @property
    def sql(self) -> str:
        """The text of the select."""
        return sql_with_literals(self.select())

    @property
    def comments(self) -> dict[str, str]:
        """The comments of the columns, by name."""
        return {
            name: re.sub(r"\bNone\b", "NULL", field.description or "")
            for name, field in self.row.model_fields.items()
        }


def bookmaker_of(listings: Listings) -> ColumnElement[Any]:
    """Return the column of a listing with its bookmaker."""
    return next(column for column in listings.columns if column.name == "bookmaker")


def best_outcomes() -> SelectBase:
    """Select the best price of each open outcome of each event now.

    The offers are read event by event, so that a condition on the event is applied to it.
    """

    def ask(listings: Listings) -> Select[Any]:
        last, markets = offered_markets(listings, NOW)
        outcome = common_outcomes(listings, markets)
        return (
            listings.select.join(last, true())
            .join(markets, true())
            .join(outcome, true())
            .where(is_active(outcome))
            .with_only_columns(
                *(markets.c[name] for name in _TYPE),
                bookmaker_of(listings),
                outcome.c.name.label("outcome"),
                outcome.c.odds,
            )
        )

    def gather(found: Any) -> FromClause:
        return best_of(found.lateral("open_outcomes"), (), BestOutcomeNow).lateral("best")

    answers = (events(ask, gather).subquery() for events in (reference_events, competitors_events))
    return union_all(
        *(select(*(answer.c[name] for name in BestOutcomeNow.model_fields)) for answer in answers)
    )


def freshness() -> SelectBase:
    """Select the last captures and the last ended run of each platform.

    Confirmations have no index: the newest snapshot of each event is read.
    """
    captured = union_all(*map(newest_snapshots, LISTINGS)).subquery("captured")
    times = (
        select(
            captured.c.platform,
            func.max(captured.c.captured_at).label("last_captured_at"),
            func.max(captured.c.confirmed_at).label("last_confirmed_at"),
        )
        .group_by(captured.c.platform)
        .subquery("times")
    )
    runs = table_of(ScrapeRun)
    ended = runs.alias("ended")
    last_runs = (
        select(ended.c.id)
        .prefix_with(distinct_on(ended.c.platform))
        .where(ended.c.platform.is_not(None), ended.c.completed_at <= NOW)
        .order_by(ended.c.platform, ended.c.completed_at.desc(), ended.c.id.desc())
    )
    last = (
        run_coverage()
        .add_columns(runs.c.started_at, runs.c.completed_at)
        .where(runs.c.id.in_(last_runs))
        .subquery("last_run")
    )
    return select(
        func.coalesce(times.c.platform, last.c.platform).label("platform"),
        times.c.last_captured_at,
        times.c.last_confirmed_at,
        last.c.run_id,
        last.c.status.label("run_status"),
        last.c.started_at.label("run_started_at"),
        last.c.completed_at.label("run_completed_at"),
        last.c.events,
        last.c.events_failed,
        last.c.markets,
    ).select_from(times.outerjoin(last, last.c.platform == times.c.platform, full=True))


def newest_snapshots(listings: Listings) -> Select[Any]:
    """Select the times of the newest snapshot of each listing: platform, captured_at, confirmed_at.

    An instant in the future, which a wrong clock has made, does not count.
    """
    snapshots = listings.snapshots("newest")
    confirmed_at = case((snapshots.c.last_confirmed_at <= NOW, snapshots.c.last_confirmed_at))
    newest = listings.correlated(
        select(snapshots.c.captured_at, confirmed_at.label("confirmed_at"))
        .where(listings.has(snapshots), captured_until(snapshots, NOW))
        .order_by(snapshots.c.captured_at.desc())
        .limit(1)
    ).lateral("newest_snapshot")
    bookmaker = bookmaker_of(listings).label("platform")
    return listings.select.join(newest, true()).with_only_columns(bookmaker, *newest.c)


#: The views by name.
VIEWS = {
    "odds_offers": View(
        OfferedOutcome, "The outcomes of all markets on offer now.", outcomes_on_offer
    ),
    "odds_prices": View(
        PriceSpan, "The prices of all outcomes: a row for each span without a change.", prices
    ),
    "odds_closing_prices": View(
        ClosingOutcome,
        "The last prices of each market before kickoff with an open outcome.",
        outcomes_at_kickoff,
    ),
    "odds_best_prices": View(
        BestOutcomeNow,
        "The best price of each open outcome now, and its bookmakers.",
        best_outcomes,
    ),
    "odds_freshness": View(
        Freshness, "The last captures and the last ended run of each platform.", freshness
    ),
}
