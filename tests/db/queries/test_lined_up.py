"""Queries line outcomes up in SQL as `lined_up` does in Python."""

from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from oddsschema import ingest, queries
from oddsschema.queries import OUTCOME_NAMES, Offer, lined_up
from tests.support.common_names import any_teams, markets
from tests.support.histories import START, capture

Run = Callable[..., Any]

#: Names in the place of the usual ones: with a chain, and a common name that is also a spelling.
OTHER_NAMES = {"1": "Home", "X": "Draw", "2": "X", "Away": "Home", "Over": "Over", "Under": "Over"}


@st.composite
def captures(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw a capture of an event at each of three bookmakers, with names of their own."""
    found = []
    for platform in ("betpawa", "bet9ja", "sportybet"):
        home, away = sides = draw(any_teams)
        drawn = draw(st.lists(markets(sides), min_size=1, max_size=3))
        offered = [
            {
                "betpawa_market_id": str(number),
                "betpawa_market_name": "Market",
                "line": market["line"],
                "outcomes": [
                    {"name": outcome.name, "odds": draw(st.sampled_from([1.5, 2.0, 2.5]))}
                    for outcome in market["outcomes"]
                ],
            }
            for number, market in enumerate(drawn)
        ]
        taken = capture(platform, START, offered)
        event = taken.get("event") or taken["competitor_event"]
        event |= {"home_team": home, "away_team": away}
        found.append(taken)
    return found


def in_transaction(connection: AsyncConnection, run: Run, check: Any) -> None:
    """Run a check, and roll back."""

    async def body() -> None:
        transaction = await connection.begin()
        try:
            await check(AsyncSession(connection, expire_on_commit=False))
        finally:
            await transaction.rollback()

    run(body())


def market_of(row: Any) -> Any:
    """Return the id and the line of a row's market."""
    return row.betpawa_market_id, row.line


def prices(offers: list[Offer], names: Any) -> dict[Any, float]:
    """Return the odds of offers by bookmaker, market and common name."""
    return {
        (offer.bookmaker, *market_of(offer), outcome.name): outcome.odds
        for offer in offers
        for outcome in lined_up(offer, names)
    }


@given(taken=captures(), names=st.sampled_from([OUTCOME_NAMES, OTHER_NAMES, {}]))
def test_sql_lines_up_as_python_does(
    taken: Any, names: Any, connection: AsyncConnection, run: Run
) -> None:
    """Best prices and moves have the names that `lined_up` gives to the outcomes of offers."""

    async def check(session: AsyncSession) -> None:
        report = await ingest(connection, taken)
        offers = (await session.exec(queries.offers())).all()
        assert len(offers) == sum(len(capture["markets"]) for capture in taken)
        wanted = prices(offers, names)
        moves = (await session.exec(queries.moves(0, report.batch_id, names))).all()
        assert {
            (move.bookmaker, *market_of(move), move.outcome): move.odds_after for move in moves
        } == wanted
        assert len(moves) == len(wanted) == sum(len(offer.outcomes) for offer in offers)
        best: dict[Any, dict[float, set[str]]] = defaultdict(lambda: defaultdict(set))
        for (bookmaker, *outcome), odds in wanted.items():
            best[tuple(outcome)][odds].add(bookmaker)
        found = (await session.exec(queries.best_prices(names=names))).all()
        assert {
            (*market_of(price), price.outcome): (price.odds, price.bookmakers) for price in found
        } == {
            outcome: (max(odds), tuple(sorted(odds[max(odds)]))) for outcome, odds in best.items()
        }

    in_transaction(connection, run, check)


def test_a_new_spelling_is_no_move(connection: AsyncConnection, run: Run) -> None:
    """An outcome that is spelled otherwise keeps its price; teams are those of the bookmaker."""

    def spelled(minute: int, *names: str) -> dict[str, Any]:
        market = {"betpawa_market_id": "3743", "betpawa_market_name": "1X2 - Full Time"}
        market["outcomes"] = [
            {"name": name, "odds": odds + minute * (odds == 3.0)}
            for name, odds in zip(names, (2.0, 3.0, 4.0), strict=True)
        ]
        taken = capture("bet9ja", START + timedelta(minutes=minute), [market])
        taken["competitor_event"] |= {"home_team": "FC Basel", "away_team": "Zürich"}
        return taken

    async def check(session: AsyncSession) -> None:
        first = await ingest(connection, [spelled(0, "FC Basel", "Draw", "Zürich")])
        second = await ingest(connection, [spelled(1, "1", "X", "Away")])
        moves = (await session.exec(queries.moves(first.batch_id, second.batch_id))).all()
        assert [(move.outcome, move.odds_before, move.odds_after) for move in moves] == [
            ("X", 3.0, 4.0)
        ]
        assert (moves[0].home_team, moves[0].away_team) == ("FC Basel", "Zürich")
        best = (await session.exec(queries.best_prices())).all()
        assert {price.outcome: price.odds for price in best} == {"1": 2.0, "X": 4.0, "2": 4.0}

    in_transaction(connection, run, check)
