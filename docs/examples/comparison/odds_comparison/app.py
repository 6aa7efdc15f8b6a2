"""The routes: start a scrape and watch it, compare prices, read their history, clean up."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Annotated

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, TypeAdapter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

import oddsschema
from odds_comparison.coordinator import Coordinator
from odds_comparison.models import FollowedEvent
from odds_comparison.sites import Site
from oddsschema import Event, IngestReport, Outcome, PruneReport, queries
from oddsschema.contracts.scalars import Int4
from oddsschema.ingestion import IngestProgress
from oddsschema.queries import Offer, PricePoint

#: The age of prices, and of batches with their runs and errors, at which they are deleted.
KEEP, KEEP_RUNS = timedelta(days=14), timedelta(days=90)

PROGRESS = TypeAdapter(IngestProgress)


@asynccontextmanager
async def resources(app: FastAPI) -> AsyncIterator[None]:
    """Keep connections to the database and to the sites of SITES: `betpawa=https://… …`."""
    async with AsyncExitStack() as stack:
        engine = oddsschema.create_engine(os.environ["DATABASE_URL"])
        stack.push_async_callback(engine.dispose)
        sites = []
        for site in os.environ["SITES"].split():
            slug, url = site.split("=", 1)
            client = await stack.enter_async_context(httpx.AsyncClient(base_url=url))
            sites.append(Site(slug, client))
        app.state.engine, app.state.coordinator = engine, Coordinator(engine, sites)
        yield


async def session(request: Request) -> AsyncIterator[AsyncSession]:
    """Open a session for one request."""
    async with AsyncSession(request.app.state.engine, expire_on_commit=False) as session:
        yield session


Session = Annotated[AsyncSession, Depends(session)]

app = FastAPI(title="Comparison", lifespan=resources)


class MarketPrices(BaseModel):
    """A market side by side: the outcomes of each bookmaker, under common names."""

    betpawa_market_id: str
    betpawa_market_name: str
    line: float | None
    outcomes: dict[str, tuple[Outcome, ...]] = {}


@app.post("/scrapes")
async def scrape(request: Request) -> IngestReport:
    """Scrape all sites, and report the batch when it has ended."""
    coordinator: Coordinator = request.app.state.coordinator
    if coordinator.turn.locked():
        raise HTTPException(409, "a scrape is in progress")
    return await coordinator.scrape("manual")


@app.get("/scrapes/{platform}/progress")
async def progress(platform: str, request: Request) -> StreamingResponse:
    """Stream the counts of a platform's run in progress, as server-sent events."""
    run = request.app.state.coordinator.runs.get(platform)
    if run is None:
        raise HTTPException(404, f"no run of {platform} is in progress")

    async def events() -> AsyncIterator[str]:
        async for counts in run.progress(every=timedelta(seconds=0.5)):
            yield f"data: {PROGRESS.dump_json(counts).decode()}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


@app.get("/events")
async def events(session: Session) -> list[Event]:
    """List BetPawa's events, in the order of their kickoffs."""
    return list(await session.scalars(select(Event).order_by(Event.kickoff, Event.id)))


@app.put("/events/{event_id}/followed", status_code=204)
async def follow(event_id: Int4, session: Session, note: str = "") -> None:
    """Follow an event: it is scraped before the others."""
    if await session.get(Event, event_id) is None:
        raise HTTPException(404, f"no event {event_id}")
    await session.merge(FollowedEvent(event_id=event_id, note=note))
    await session.commit()


@app.get("/events/{event_id}/prices")
async def prices(
    event_id: Int4, session: Session, at: AwareDatetime | None = None
) -> list[MarketPrices]:
    """Compare the bookmakers' prices of an event: now, or as of an instant."""
    compared: dict[tuple[str, float | None], MarketPrices] = {}
    offers = queries.offers(at).where(Offer.event_id == event_id)
    order = Offer.betpawa_market_id, Offer.line, Offer.bookmaker
    for offer in await session.scalars(offers.order_by(*order)):
        # Sites with handicaps, or with markets of players, need handicap_type and specifiers too.
        key = offer.betpawa_market_id, offer.line
        market = compared.setdefault(key, MarketPrices(**offer.model_dump(exclude={"outcomes"})))
        market.outcomes[offer.bookmaker] = queries.lined_up(offer)
    return list(compared.values())


@app.get("/events/{event_id}/markets/{market_id}/history")
async def history(event_id: Int4, market_id: str, session: Session) -> list[PricePoint]:
    """List the changes of a market's prices at each bookmaker."""
    which = PricePoint.event_id == event_id, PricePoint.betpawa_market_id == market_id
    return list(await session.scalars(queries.price_history().where(*which)))


@app.post("/clean-ups")
async def clean_up(request: Request) -> PruneReport:
    """Delete old prices, and old batches. A daily job of cron calls it."""
    return await oddsschema.prune(request.app.state.engine, KEEP, keep_runs=KEEP_RUNS)
