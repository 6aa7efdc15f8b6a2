"""The door: what comes in is a capture that holds the contract, or a refusal that says why not."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from oddsschema.base import plain_validator
from oddsschema.capture import Capture
from oddsschema.ingest.read import Item
from oddsschema.ingest.report import Problem, Refusal
from oddsschema.types import NO_NUL, Slug

#: A capture that was validated into dicts: see `oddsschema.base.plain_validator`.
PlainCapture = dict[str, Any]

_VALIDATOR = plain_validator(Capture)
_SLUG: TypeAdapter[str] = TypeAdapter(Slug)


def validate(item: Item) -> PlainCapture | Refusal:
    """Hold one item to the contract of `Capture`."""
    if item.payload is None:
        problem = Problem(path="$", reason=item.unreadable or "empty")
        return Refusal(file=item.file, line=item.line, problems=(problem,))
    try:
        if isinstance(item.payload, bytes | str):
            capture: PlainCapture = _VALIDATOR.validate_json(item.payload)
        elif isinstance(item.payload, Capture):
            capture = _VALIDATOR.validate_python(item.payload.model_dump())
        else:
            capture = _VALIDATOR.validate_python(item.payload)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        return Refusal(file=item.file, line=item.line, problems=tuple(map(_problem, details)))
    return capture


def platform_of(capture: PlainCapture) -> str:
    """Whose odds a validated capture holds."""
    event = event_of(capture)
    slug: str = event["bookmaker" if capture["competitor_event"] is None else "source"]
    return slug


def event_of(capture: PlainCapture) -> dict[str, Any]:
    """A validated capture's event, BetPawa's or a competitor's."""
    event: dict[str, Any] = capture["event"] or capture["competitor_event"]
    return event


def claimed_platform(item: Item) -> str | None:
    """Whose odds a refused item says it holds; None when that cannot be told."""
    payload: Any = item.payload
    try:
        if isinstance(payload, bytes | str):
            payload = from_json(payload)
        if not isinstance(payload, Mapping):
            return None
        event = payload.get("event")
        if isinstance(event, Mapping):
            return _SLUG.validate_python(event.get("bookmaker"))
        event = payload.get("competitor_event")
        return _SLUG.validate_python(event.get("source")) if isinstance(event, Mapping) else None
    except ValueError:
        return None


def _problem(details: ErrorDetails) -> Problem:
    path = "$" + "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in details["loc"]
    )
    reason = details["msg"].removeprefix("Value error, ")
    if details.get("ctx", {}).get("pattern") == NO_NUL:
        reason = "Text must not contain NUL (\\u0000), which PostgreSQL cannot store"
    if details["type"] == "json_invalid":
        reason = reason.replace("line 1 column", "column")
    return Problem(path=path, reason=reason)
