"""Reads of now, in a database that a wrong clock has given captures of the future."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from oddsschema import ingest, queries
from oddsschema.models.sides import SIDES
from tests.support.histories import KICKOFF, STORAGE, captured
from tests.support.query_model import EVENTS, PLATFORMS, Stored, stored

Run = Callable[..., Any]

#: A kickoff that is later than the captures of the future.
LATER = datetime(2150, 1, 1, tzinfo=UTC)
#: Ids that differ from one transaction to the next.
IDS = ("event_id", "competitor_event_id", "market_odds_id")


def ahead(capture: dict[str, Any]) -> dict[str, Any]:
    """Change the time of a capture to the future."""
    return capture | {"captured_at": capture["captured_at"] + timedelta(days=365 * 100)}


@st.composite
def poisoned(draw: st.DrawFn) -> list[Any]:
    """Draw batches with their options of storage, and whether their captures are of the future."""
    kickoff = draw(st.sampled_from([KICKOFF, LATER]))
    captures = captured(PLATFORMS, EVENTS, kickoff, refusals=True)
    parts = st.tuples(captures, STORAGE, st.booleans())
    return draw(st.lists(parts, min_size=2, max_size=5))


async def read(stored: Stored) -> dict[str, Any]:
    """Read everything that has no instant, without ids."""
    statements = {
        "offers": queries.offers(),
        "best prices": queries.best_prices(),
        "history": queries.price_history(),
        "opening": queries.opening_prices(),
        "closing": queries.closing_prices(),
    }
    last = len(stored.batch_ids) - 1
    for batch, after in enumerate(stored.batch_ids):
        for before in {0, batch - 1, last} & set(range(batch)):
            name = f"moves {before} {batch}"
            statements[name] = queries.moves(stored.batch_ids[before], after)
    found = {}
    for name, statement in statements.items():
        rows = [row.model_dump(exclude=set(IDS)) for row in await stored.all(statement)]
        found[name] = sorted(map(repr, rows))
    overrounds = await stored.all(queries.overround_history())
    found["overrounds"] = sorted(
        repr((point.model_dump(exclude=set(IDS)), margin)) for point, margin in overrounds
    )
    return found


@given(parts=poisoned())
def test_reads_of_now(parts: list[Any], connection: Any, run: Run) -> None:
    """Captures of the future change no read without an instant."""
    found = []

    async def check(stored: Stored) -> None:
        found.append(await read(stored))

    async def check_poisoned(stored: Stored) -> None:
        for captures, options, is_ahead in parts:
            if is_ahead:
                options = replace(options, max_ahead=None)
                await ingest(connection, list(map(ahead, captures)), options=options)
            else:
                await stored.take(captures, options)
        future = " UNION ALL ".join(
            f"SELECT 1 FROM {side.snapshots} WHERE now() < greatest(captured_at, last_confirmed_at)"
            for side in SIDES
        )
        rows = (await connection.execute(text(future))).all()
        assert bool(rows) == any(is_ahead for *_, is_ahead in parts)
        found.append(await read(stored))

    past = [(captures, options) for captures, options, is_ahead in parts if not is_ahead]
    stored(connection, run, past, check)
    stored(connection, run, [], check_poisoned)
    assert found[1] == found[0]
