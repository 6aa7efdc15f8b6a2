"""The door: what comes in is a capture that holds the contract, or a refusal that says why not.

A capture is validated as a whole, at full speed. Only when that fails is it looked at closely: when
nothing but single markets are wrong, these are refused and the rest of the capture is accepted.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from oddsschema.base import plain_validator
from oddsschema.capture import Capture
from oddsschema.ingest.read import Item
from oddsschema.ingest.report import Problem, Refusal
from oddsschema.types import NO_NUL, Slug

#: A capture that was validated into dicts: see `oddsschema.base.plain_validator`.
PlainCapture = dict[str, Any]

#: What a line of a rejects file holds: see `reject`.
_REJECT_KEYS = {"refused", "capture"}

_SLUG: TypeAdapter[str] = TypeAdapter(Slug, config=ConfigDict(defer_build=True))


class Checked(NamedTuple):
    """What became of an item: the capture, a refusal, or both when single markets are refused."""

    capture: PlainCapture | None
    refusal: Refusal | None
    #: Whose it is, or says to be; None when that cannot be told.
    platform: str | None


def validate(item: Item, *, strict: bool = False) -> Checked:
    """Hold one item to the contract of `Capture`. With `strict`, a bad market sinks its capture."""
    payload = item.payload
    validator = plain_validator(Capture)
    try:
        if isinstance(payload, bytes | str):
            capture: PlainCapture = validator.validate_json(payload)
        elif isinstance(payload, Capture):
            capture = validator.validate_python(payload.model_dump())
        else:
            capture = validator.validate_python(payload)
    except ValidationError as error:
        return _looked_at_closely(item, error, strict)
    return Checked(capture, None, platform_of(capture))


def platform_of(capture: PlainCapture) -> str:
    """Whose odds a validated capture holds."""
    event = event_of(capture)
    slug: str = event["bookmaker" if capture["competitor_event"] is None else "source"]
    return slug


def event_of(capture: PlainCapture) -> dict[str, Any]:
    """A validated capture's event, BetPawa's or a competitor's."""
    event: dict[str, Any] = capture["event"] or capture["competitor_event"]
    return event


def reject(refusal: Refusal) -> dict[str, Any]:
    """A refusal as a line of a rejects file, which can be put right and ingested in its turn."""
    capture = refusal.capture
    if isinstance(capture, bytes):
        capture = capture.decode(errors="backslashreplace")
    return {"refused": refusal.model_dump(mode="json"), "capture": capture}


def _looked_at_closely(item: Item, error: ValidationError, strict: bool) -> Checked:
    if item.unreadable is not None:
        problems = (Problem(path="$", reason=item.unreadable),)
        refusal = Refusal(file=item.file, line=item.line, markets=None, problems=problems)
        return Checked(None, refusal, None)
    payload: Any = item.payload
    if isinstance(payload, bytes | str):
        try:
            payload = from_json(payload)
        except ValueError:
            return _refused(item, payload, error)
    if isinstance(payload, Capture):
        payload = payload.model_dump()
    if isinstance(payload, Mapping) and payload.keys() == _REJECT_KEYS:
        return validate(Item(item.file, item.line, payload["capture"]), strict=strict)
    if strict or not isinstance(payload, Mapping):
        return _refused(item, payload, error)
    return _without_bad_markets(item, payload, error)


def _without_bad_markets(item: Item, payload: Mapping[str, Any], error: ValidationError) -> Checked:
    """Leave bad markets out until the rest is good; give up when something else is bad."""
    first = error
    problems: list[Problem] = []
    left = dict(enumerate(payload["markets"])) if _has_markets(payload) else {}
    while True:
        positions = list(left)
        bad: dict[int, None] = {}
        for details in _details(error):
            wrong = _markets_of(details)
            if not wrong or not positions:
                return _refused(item, payload, first)
            for at in wrong:
                # The place in what came in, not in what was left of it.
                bad[positions[at]] = None
                loc = ("markets", positions[at], *details["loc"][2:])
                problems.append(_problem({**details, "loc": loc}))
        for position in bad:
            del left[position]
        if not left:
            return _refused(item, payload, first)
        try:
            rest = {**payload, "markets": list(left.values())}
            capture: PlainCapture = plain_validator(Capture).validate_python(rest)
        except ValidationError as next_error:
            error = next_error
            continue
        refused = [market for at, market in enumerate(payload["markets"]) if at not in left]
        refusal = Refusal(
            file=item.file,
            line=item.line,
            markets=len(refused),
            problems=tuple(problems),
            capture={**payload, "markets": refused},
        )
        return Checked(capture, refusal, platform_of(capture))


def _has_markets(payload: Mapping[str, Any]) -> bool:
    return isinstance(payload.get("markets"), list | tuple)


def _markets_of(details: ErrorDetails) -> list[int]:
    """Which markets are wrong; none when something else is."""
    match details["loc"]:
        case ("markets", int(position), *_):
            return [position]
        case ("markets",) if details["type"] == "markets_equal":
            # Of those that are the same, the first stands.
            return list(details["ctx"]["again"])
    return []


def _refused(item: Item, payload: Any, error: ValidationError) -> Checked:
    details = _details(error)
    refusal = Refusal(
        file=item.file,
        line=item.line,
        markets=None,
        problems=tuple(map(_problem, details)),
        capture=payload,
    )
    return Checked(None, refusal, _claimed_platform(payload))


def _claimed_platform(payload: Any) -> str | None:
    """Whose odds a refused capture says it holds."""
    if not isinstance(payload, Mapping):
        return None
    for name, key in (("event", "bookmaker"), ("competitor_event", "source")):
        if isinstance(event := payload.get(name), Mapping):
            try:
                return _SLUG.validate_python(event.get(key))
            except ValidationError:
                return None
    return None


def _details(error: ValidationError) -> list[ErrorDetails]:
    """What is wrong, without what only follows from it: a bad element makes a tuple too short."""
    found = error.errors(include_url=False, include_input=False)
    return [
        one
        for one in found
        if one["type"] != "too_short"
        or not any(
            other["loc"][: len(one["loc"])] == one["loc"] for other in found if other is not one
        )
    ]


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
