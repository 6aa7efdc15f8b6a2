"""The feeds' payloads, and a database that is filled from captures and read back."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncSession

import oddsschema
from oddsschema import Capture, IngestOptions, IngestReport
from oddsschema.queries import Offer


@pytest.fixture
def payload() -> Callable[[str], Any]:
    """Return a function that reads a payload by name."""
    directory = Path(__file__).parent / "payloads"
    return lambda name: json.loads((directory / f"{name}.json").read_text("utf-8"))


@pytest.fixture
def ingest(
    oddsschema_database: str, oddsschema_run: Callable[..., Any]
) -> Callable[[Iterable[Capture]], IngestReport]:
    """Return a function that ingests captures, with raw responses, into this test's database."""
    options = IngestOptions(keep_raw=True)
    return lambda captures: oddsschema_run(
        oddsschema.ingest(oddsschema_database, captures, options=options)
    )


@pytest.fixture
def fetch(
    oddsschema_database: str, oddsschema_run: Callable[..., Any]
) -> Callable[[Executable], list[Any]]:
    """Return a function that runs a select in this test's database."""

    async def rows(select: Executable) -> list[Any]:
        engine = oddsschema.create_engine(oddsschema_database)
        try:
            async with AsyncSession(engine) as session:
                return list(await session.scalars(select))
        finally:
            await engine.dispose()

    return lambda select: oddsschema_run(rows(select))


@pytest.fixture
def prices() -> Callable[[Iterable[Offer]], dict[Any, Any]]:
    """Return a function that lays offers out: the odds of each market by the names of outcomes.

    An outcome that is closed is in brackets.
    """

    def odds(outcome: oddsschema.Outcome) -> Any:
        rounded = None if outcome.odds is None else round(outcome.odds, 3)
        return rounded if outcome.is_active else [rounded]

    return lambda offers: {
        (offer.bookmaker, offer.betpawa_market_id, offer.line, offer.specifiers): {
            outcome.name: odds(outcome) for outcome in offer.outcomes
        }
        for offer in offers
    }
