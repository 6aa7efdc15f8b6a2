"""Answers that oddsschema has no class for, composed of those that it has."""

import json
from collections.abc import Iterable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from oddsschema import Market, ScrapeBatch, ScrapeRun
from oddsschema.contracts.scalars import Name100, UtcTime
from oddsschema.ingestion import Problem


class BatchWithRuns(BaseModel):
    """A batch with its runs."""

    batch: ScrapeBatch
    runs: list[ScrapeRun]


class BookmakerOdds(BaseModel):
    """What a bookmaker offers for an event."""

    bookmaker: Name100
    captured_at: UtcTime
    markets: list[Market]


class Failure(BaseModel):
    """What went wrong, for people."""

    detail: str


class Refusal(BaseModel):
    """What is wrong with a request, and where."""

    problems: list[Problem]


class RefusedError(Exception):
    """A request that cannot be met as it is: 422, with the problems."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        super().__init__()
        self.refusal = Refusal(problems=list(problems))


def add_handlers(app: FastAPI) -> None:
    """Answer bad requests with a `Refusal`."""

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        problems = [
            Problem(path=json_path(one["type"], one["loc"]), reason=one["msg"])
            for one in error.errors()
        ]
        return await refused(request, RefusedError(problems))

    @app.exception_handler(RefusedError)
    async def refused(request: Request, error: RefusedError) -> JSONResponse:
        return JSONResponse(error.refusal.model_dump(), 422)


def json_path(kind: str, place: tuple[str | int, ...]) -> str:
    """Where something is, in the body ("$.markets[3]") or in the URL ("path.event_id")."""
    source, *steps = place
    if kind == "json_invalid":  # the only step is how many characters were read
        steps = []
    path = "$" if source == "body" else str(source)
    for step in steps:
        plain = isinstance(step, str) and step.isascii() and step.isidentifier()
        path += f".{step}" if plain else f"[{json.dumps(step)}]"
    return path
