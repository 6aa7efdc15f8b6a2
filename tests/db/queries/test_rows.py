"""Rows of queries, and queries as parts of other statements."""

from collections.abc import Callable
from typing import Any

from hypothesis import given
from sqlalchemy import create_engine, make_url
from sqlmodel import Session, select

from oddsschema import ingest, queries
from oddsschema.queries import Offer
from tests.support.histories import START, capture
from tests.support.query_model import KICKOFF, Stored, batches, stored

Run = Callable[..., Any]


@given(parts=batches)
def test_queries_are_parts_of_others(parts: Any, connection: Any, run: Run) -> None:
    """A query works as a subquery, also twice in one statement."""

    async def check(stored: Stored) -> None:
        then, now = (queries.offers(at).subquery() for at in (KICKOFF, None))
        statement = (
            select(then.c.market_odds_id, now.c.market_odds_id)
            .join(now, now.c.market_odds_id == then.c.market_odds_id)
            .where(now.c.bookmaker == "bet9ja", then.c.bookmaker == "bet9ja")
        )
        both = {
            offer.market_odds_id
            for offer in await stored.all(queries.offers().where(Offer.bookmaker == "bet9ja"))
        } & {
            offer.market_odds_id
            for offer in await stored.all(
                queries.offers(KICKOFF).where(Offer.bookmaker == "bet9ja")
            )
        }
        assert {offer_id for offer_id, _ in (await connection.execute(statement)).all()} == both

    stored(connection, run, parts, check)


def test_rows_are_values(database: str, run: Run) -> None:
    """Rows from a synchronous session of another driver outlive it, and can be serialized."""
    captures = [
        capture(
            platform,
            START,
            [
                {
                    "betpawa_market_id": "3743",
                    "betpawa_market_name": "1X2 - Full Time",
                    "outcomes": [{"name": "1", "odds": 1.5}, {"name": "2", "odds": 2.5}],
                }
            ],
            kickoff=KICKOFF,
        )
        for platform in ("betpawa", "bet9ja")
    ]
    run(ingest(database, captures))
    engine = create_engine(make_url(database).set(drivername="postgresql+psycopg"))
    with Session(engine) as session:
        statement = queries.offers(START).where(Offer.event_id == 1, Offer.seen_at <= START)
        offers = session.exec(statement.order_by(Offer.bookmaker)).all()
        history = session.exec(queries.price_history()).all()
        best = session.exec(queries.best_prices()).all()
        assert [price.age for price in session.exec(queries.closing_prices())] == [
            KICKOFF - START for _ in captures
        ]
        session.commit()
    engine.dispose()
    assert [offer.bookmaker for offer in offers] == ["bet9ja", "betpawa"]
    assert Offer.model_validate_json(offers[0].model_dump_json()) == offers[0]
    assert {best_price.bookmakers for best_price in best} == {("bet9ja", "betpawa")}
    assert [point.at for point in history] == [START, START]


def test_rows_can_be_extended() -> None:
    """A subclass of a row is a contract with additional fields, and no columns."""

    class Response(Offer):
        flag: str

    assert Response.model_fields["event_id"].is_required()
    assert not hasattr(Response, "event_id")
    assert set(Response.model_fields) == {*Offer.model_fields, "flag"}
