"""What comes in becomes a capture that holds the contract, or a refusal that says why not.

A capture is validated as a whole, at full speed, and only up to the first thing that is wrong. Then
it is looked at closely: when nothing but single markets are wrong, these are refused and the rest
of the capture is accepted.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import from_json

from oddsschema.capture import Capture
from oddsschema.contracts.scalars import Slug
from oddsschema.ingestion.limits import DEFAULT_LIMITS, PARSER_DEPTH, Limits
from oddsschema.ingestion.records import PlainCapture, platform_of, with_plain_markets
from oddsschema.ingestion.report import Problem, Refusal
from oddsschema.ingestion.sources import Item
from oddsschema.ingestion.validation.bounded_validator import UnknownKeyError, door
from oddsschema.ingestion.validation.diagnosis import LEVELS, json_problem, look_closely
from oddsschema.ingestion.validation.fast_path import fast_path, may_hold_nul

#: What a line of a rejects file holds: see `reject`.
_REJECT_KEYS = {"refused", "capture"}

_SLUG: TypeAdapter[str] = TypeAdapter(Slug, config=ConfigDict(defer_build=True))


class Checked(NamedTuple):
    """What became of an item: the capture, a refusal, or both when single markets are refused."""

    capture: PlainCapture | None
    refusal: Refusal | None
    #: Whose it is, or says to be; None when that cannot be told.
    platform: str | None


def validate(item: Item, *, strict: bool = False, limits: Limits = DEFAULT_LIMITS) -> Checked:
    """Hold one item to the contract of `Capture`, and to the limits.

    With `strict`, a bad market sinks its capture.
    """
    return _validated(item, strict, limits)


def reject(refusal: Refusal) -> dict[str, Any]:
    """A refusal as a line of a rejects file, which can be put right and ingested in its turn."""
    capture = refusal.capture
    if isinstance(capture, bytes):
        capture = capture.decode(errors="backslashreplace")
    return {"refused": refusal.model_dump(mode="json"), "capture": capture}


def admit(payload: Any, limits: Limits) -> PlainCapture:
    """A capture from JSON text, or from values. Raises ValidationError and UnknownKeyError."""
    if not isinstance(payload, bytes | str):
        return with_plain_markets(door(Capture, limits).validate_python(payload))
    if not may_hold_nul(payload):
        # ValueError: msgspec's, pydantic's, and that of text which is not Unicode.
        with suppress(ValueError, RecursionError, UnknownKeyError):
            return fast_path(limits).admit(payload)
    return with_plain_markets(door(Capture, limits).validate_json(payload))


def _validated(item: Item, strict: bool, limits: Limits, *, may_be_reject: bool = True) -> Checked:
    if item.unreadable is not None:
        return _refused(item, None, Problem(path="$", reason=item.unreadable))
    payload: Any = item.payload
    is_text = isinstance(payload, bytes | str)
    if is_text and (too_long := _too_long(payload, limits)):
        return _refused(item, payload, too_long)
    if isinstance(payload, Capture):
        payload = payload.model_dump()
    try:
        capture = admit(payload, limits)
    except (ValidationError, UnknownKeyError) as error:
        if isinstance(payload, str):
            # As bytes, lone surrogates are an error like others.
            payload = payload.encode(errors="surrogatepass")
        if isinstance(payload, bytes):
            try:
                payload = from_json(payload)
            except ValueError as no_json:
                return _refused(item, item.payload, json_problem(no_json, limits))
        if may_be_reject and isinstance(payload, Mapping) and payload.keys() == _REJECT_KEYS:
            inner = Item(item.file, item.line, payload["capture"])
            return _validated(inner, strict, limits, may_be_reject=False)
        found = look_closely(payload, error, limits)
        if found.capture is None or strict:
            return _refused(item, payload, *found.problems)
        refusal = Refusal(
            file=item.file,
            line=item.line,
            markets=len(found.left_out),
            problems=found.problems,
            capture={**payload, "markets": found.left_out},
        )
        checked = Checked(found.capture, refusal, platform_of(found.capture))
    else:
        checked = Checked(capture, None, platform_of(capture))
    if checked.capture is None or (is_text and limits.depth == PARSER_DEPTH):
        return checked  # the parser goes no deeper
    # The contract itself has four levels: only raw_response can have more.
    if not _is_deeper(checked.capture["raw_response"], limits.depth):
        return checked
    too_deep = Problem(path="$.raw_response", reason=limits.exceeded("depth", LEVELS))
    return _refused(item, payload, too_deep)._replace(platform=checked.platform)


def _too_long(text: bytes | str, limits: Limits) -> Problem | None:
    """What there is to say of a text over the limit."""
    size = len(text)
    if isinstance(text, str) and 4 * size > limits.line_bytes:
        size = len(text.encode(errors="surrogatepass"))
    if size <= limits.line_bytes:
        return None
    reason = limits.exceeded("line_bytes", f"the line has {size:,} bytes")
    return Problem(path="$", reason=reason)


def _is_deeper(value: Any, depth: int) -> bool:
    """Whether more than so many arrays and objects are inside one another."""
    level = _containers([value])
    for _ in range(depth):
        if not level:
            return False
        level = _containers(
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        )
    return bool(level)


def _containers(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list)]


def _refused(item: Item, payload: Any, *problems: Problem) -> Checked:
    refusal = Refusal(
        file=item.file, line=item.line, markets=None, problems=problems, capture=payload
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
