"""Responses that combine classes of oddsschema, and errors as JSON."""

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
    """A bookmaker's offer for an event."""

    bookmaker: Name100
    captured_at: UtcTime
    markets: list[Market]


class Failure(BaseModel):
    """An error message for people."""

    detail: str


class Refusal(BaseModel):
    """The problems of a request, each with its place."""

    problems: list[Problem]


class RefusedError(Exception):
    """An invalid request: status 422, with the problems."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        super().__init__()
        self.refusal = Refusal(problems=list(problems))


def add_handlers(app: FastAPI) -> None:
    """Answer bad requests with a `Refusal`."""

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        problems = [
            Problem(path=json_path(detail["type"], detail["loc"]), reason=detail["msg"])
            for detail in error.errors()
        ]
        return await refused(request, RefusedError(problems))

    @app.exception_handler(RefusedError)
    async def refused(request: Request, error: RefusedError) -> JSONResponse:
        return JSONResponse(error.refusal.model_dump(), 422)


def json_path(kind: str, place: tuple[str | int, ...]) -> str:
    """Format a place in the body ("$.markets[3]") or in the URL ("path.event_id")."""
    source, *steps = place
    if kind == "json_invalid":  # the only step is a character offset
        steps = []
    path = "$" if source == "body" else str(source)
    for step in steps:
        plain = isinstance(step, str) and step.isascii() and step.isidentifier()
        path += f".{step}" if plain else f"[{json.dumps(step)}]"
    return path
