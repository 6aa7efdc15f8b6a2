"""The routes, with oddsschema's own classes as request and response models."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query, Request
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

import oddsschema
from odds_api.answers import (
    BatchWithRuns,
    BookmakerOdds,
    Failure,
    Refusal,
    RefusedError,
    add_handlers,
)
from odds_api.odds import latest_odds
from oddsschema import Bookmaker, Capture, Event, ScrapeBatch
from oddsschema.contracts.scalars import Int4


@asynccontextmanager
async def connections(app: FastAPI) -> AsyncIterator[None]:
    """Keep connections to the database while the server runs."""
    app.state.engine = oddsschema.create_engine(os.environ["DATABASE_URL"])
    yield
    await app.state.engine.dispose()


async def session(request: Request) -> AsyncIterator[AsyncSession]:
    """Open a session for one request. Uncommitted changes are rolled back."""
    async with AsyncSession(request.app.state.engine, expire_on_commit=False) as session:
        yield session


Session = Annotated[AsyncSession, Depends(session)]

app = FastAPI(
    title="Odds",
    lifespan=connections,
    responses={400: {"model": Failure}, 422: {"model": Refusal}},
)
add_handlers(app)


@app.post("/captures", status_code=201)
async def store(capture: Capture, session: Session) -> BatchWithRuns:
    """Store a capture, in a batch of its own."""
    connection = await session.connection()
    report = await oddsschema.ingest(connection, [capture], trigger="api")
    if report.refusals:
        raise RefusedError(problem for refusal in report.refusals for problem in refusal.problems)
    await session.commit()
    return await batch(report.batch_id, session)


@app.get("/batches/{batch_id}", responses={404: {"model": Failure}})
async def batch(batch_id: Int4, session: Session) -> BatchWithRuns:
    """Return a batch with its runs."""
    stored = await session.get(ScrapeBatch, batch_id, options=[selectinload(ScrapeBatch.runs)])
    if stored is None:
        raise HTTPException(404, f"there is no batch {batch_id}")
    return BatchWithRuns(batch=stored, runs=stored.runs)


@app.get("/events")
async def events(
    session: Session, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> list[Event]:
    """List BetPawa's events, in the order of their kickoffs."""
    ordered = select(Event).order_by(Event.kickoff, Event.id)
    return list(await session.scalars(ordered.limit(limit)))


@app.get("/events/{event_id}/odds", responses={404: {"model": Failure}})
async def odds(event_id: Int4, session: Session) -> list[BookmakerOdds]:
    """List the latest odds of an event: BetPawa's and those of each competitor."""
    event = await session.get(Event, event_id)
    if event is None:
        raise HTTPException(404, f"there is no event {event_id}")
    return await latest_odds(event, session)


@app.post("/bookmakers", status_code=201, responses={409: {"model": Failure}})
async def add(bookmaker: Bookmaker, session: Session) -> Bookmaker:
    """Add a bookmaker."""
    session.add(bookmaker)
    try:
        await session.commit()
    except IntegrityError as error:
        raise HTTPException(409, str(error.orig)) from error
    return bookmaker
