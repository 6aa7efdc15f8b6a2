"""The validator of items: each becomes a validated capture, or a refusal with its reasons.

A capture is validated as a whole, at full speed, up to its first error. Only a capture with an
error is diagnosed: when all errors are in single markets, these are refused and the rest is
accepted.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from oddsschema.capture import Capture, is_empty
from oddsschema.contracts.scalars import Slug
from oddsschema.ingestion.item import Item
from oddsschema.ingestion.limits import DEFAULT_LIMITS, PARSER_DEPTH, Limits
from oddsschema.ingestion.lines import ARRAY_IN_PLACE_OF_LINES
from oddsschema.ingestion.records import CaptureRecord, MarketKey, capture_record
from oddsschema.ingestion.report import Doubt, Problem, Refusal
from oddsschema.ingestion.validation.bounded_validator import UnknownKeyError, bounded_validator
from oddsschema.ingestion.validation.diagnosis import diagnose
from oddsschema.ingestion.validation.doubts import price_doubt, specifier_doubt
from oddsschema.ingestion.validation.fast_path import fast_path, may_contain_nul
from oddsschema.ingestion.validation.horizon import Horizon
from oddsschema.ingestion.validation.messages import LEVELS, json_problem
from oddsschema.ingestion.validation.names import ScrapeNames
from oddsschema.ingestion.validation.nested_objects import with_dicts

#: The keys of a line of a rejects file: see `reject`.
_REJECT_KEYS = {"refused", "capture"}

_SLUG: TypeAdapter[str] = TypeAdapter(Slug, config=ConfigDict(defer_build=True))

#: The default horizon: ten minutes ahead of the clock of this machine.
_LOCAL = Horizon()


class Validated(NamedTuple):
    """The result for an item: a capture, a refusal, or both when single markets are refused."""

    capture: CaptureRecord | None
    refusal: Refusal | None
    #: The platform that the capture names, also when it is refused; None when it names none.
    platform: str | None
    #: The doubts about the capture.
    doubts: tuple[Doubt, ...] = ()


def validate(
    item: Item,
    *,
    strict: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    keep_raw: bool = False,
    names: ScrapeNames | None = None,
    horizon: Horizon = _LOCAL,
) -> Validated:
    """Validate one item by the contract of `Capture` and the limits, and doubt what looks wrong.

    With `strict`, one bad market or a doubt refuses its capture. With `keep_raw`, the record has
    the capture's raw_response, as JSON text. With `names`, a name that differs from those of the
    scrape's earlier items is doubted. A capture beyond the `horizon` is refused.
    """
    noted: list[tuple[str, str]] = []
    validated = _validated(item, strict, limits, keep_raw, horizon, noted)
    capture = validated.capture
    if capture is None:
        return validated
    problems = [Problem(path=path, reason=reason) for path, reason in dict.fromkeys(noted)]
    if (doubt := price_doubt(capture.markets)) is not None:
        problems.append(doubt)
    if names is not None:
        problems += names.doubts(capture)
    if not problems:
        return validated
    if strict:
        refusal = item.refused(*problems, capture=item.payload)
        return Validated(None, refusal, validated.platform)
    if names is not None:
        names.remember(capture)
    return validated._replace(doubts=tuple(map(item.doubted, problems)))


def reject(refusal: Refusal) -> dict[str, Any]:
    """Make the line of a rejects file from a refusal: it can be corrected and ingested again.

    A line of a rejects file that is refused again keeps its form.
    """
    capture = refusal.capture
    if isinstance(capture, bytes):
        capture = capture.decode(errors="backslashreplace")
    if isinstance(capture, str) and '"refused"' in capture:
        with suppress(ValueError):
            if _is_reject(again := from_json(capture)):
                capture = again
    if _is_reject(capture):
        capture = capture["capture"]
    return {"refused": refusal.model_dump(mode="json"), "capture": capture}


def _is_reject(payload: Any) -> bool:
    return isinstance(payload, Mapping) and payload.keys() == _REJECT_KEYS


def validate_capture(
    payload: Any, limits: Limits, doubts: list[tuple[str, str]] | None = None
) -> dict[str, Any]:
    """Validate a capture to a dict; add its doubts to `doubts`.

    Raises ValidationError and UnknownKeyError.
    """
    validator = bounded_validator(Capture, limits)
    capture: dict[str, Any] = validator.validate_python(payload, context=doubts)
    capture["markets_empty"] = count_empty(payload)
    return capture


def validate_text(
    text: bytes | str, limits: Limits, doubts: list[tuple[str, str]] | None = None
) -> dict[str, Any] | None:
    """Validate a capture on the fast path; return None if the full validator has to decide."""
    if not may_contain_nul(text):
        # ValueError: msgspec's, pydantic's, and the error of text that is not Unicode.
        with suppress(ValueError, RecursionError, UnknownKeyError):
            return fast_path(limits).validate(text, doubts)
    return None


def count_empty(payload: Mapping[str, Any]) -> int:
    """Count the markets of a valid capture that have no outcomes."""
    markets = payload["markets"]
    return sum(map(is_empty, markets)) if isinstance(markets, list | tuple) else 0


def _validated(
    item: Item,
    strict: bool,
    limits: Limits,
    keep_raw: bool,
    horizon: Horizon,
    noted: list[tuple[str, str]],
    *,
    may_be_reject: bool = True,
) -> Validated:
    """Validate an item by the contract; add the contract's doubts, which may repeat, to `noted`."""
    if item.unreadable is not None:
        return _refused(item, None, Problem(path="$", reason=item.unreadable))
    payload: Any = item.payload
    is_text = isinstance(payload, bytes | str)
    if is_text and (too_long := length_problem(payload, limits)):
        return _refused(item, payload, too_long)
    if isinstance(payload, Capture):
        payload = payload.model_dump()
    refusal = None
    unknown: frozenset[MarketKey] = frozenset()
    not_offered: frozenset[MarketKey] = frozenset()
    capture = validate_text(payload, limits, noted) if is_text else None
    is_fast = capture is not None
    if is_text and not is_fast:
        if isinstance(payload, str):
            # In bytes, lone surrogates are an error like others.
            payload = payload.encode(errors="surrogatepass")
        try:
            payload = from_json(payload)
        except ValueError as no_json:
            return _refused(item, item.payload, json_problem(no_json, limits))
        if isinstance(payload, list):
            array = Problem(path="$", reason=ARRAY_IN_PLACE_OF_LINES)
            return _refused(item, item.payload, array)
    try:
        capture = capture or validate_capture(payload, limits, noted)
    except (ValidationError, UnknownKeyError) as error:
        # Only after an error: a look for objects in every capture would take time.
        if not is_text and (plain := with_dicts(payload)) != payload:
            plain_item = Item(item.file, item.line, plain)
            return _validated(plain_item, strict, limits, keep_raw, horizon, noted)
        if may_be_reject and _is_reject(payload):
            inner = Item(item.file, item.line, payload["capture"])
            return _validated(inner, strict, limits, keep_raw, horizon, noted, may_be_reject=False)
        diagnosis = diagnose(payload, error, limits)
        if diagnosis.capture is None or strict:
            return _refused(item, payload, *diagnosis.problems)
        capture, unknown = diagnosis.capture, diagnosis.unknown
        not_offered = diagnosis.not_offered
        capture["markets_empty"] = count_empty(payload)
        noted[:] = diagnosis.doubts
        refused_part = {**payload, "markets": diagnosis.refused}
        refusal = item.refused(
            *diagnosis.problems, capture=refused_part, markets=len(diagnosis.refused)
        )
    raw = capture["raw_response"]
    record = capture_record(capture)
    record.unknown, record.not_offered = unknown, not_offered
    if (too_new := horizon.problem(record.captured_at)) is not None:
        # An object in the rejects can be corrected; JSON text inside JSON hardly.
        delivered = from_json(payload) if is_fast else payload
        others = () if refusal is None else refusal.problems
        whole = item.refused(too_new, *others, capture=delivered)
        return Validated(None, whole, record.platform)
    if not is_fast and (doubt := specifier_doubt(record.markets)) is not None:
        noted.append((doubt.path, doubt.reason))
    # Only raw_response can be deep: the contract itself has four levels. The parser of text has the
    # greatest limit anyway.
    if not (is_text and limits.depth == PARSER_DEPTH) and is_deeper(raw, limits.depth):
        too_deep = Problem(path="$.raw_response", reason=limits.exceeded("depth", LEVELS))
        return Validated(None, item.refused(too_deep, capture=payload), record.platform)
    if keep_raw and raw is not None:
        record.raw_response = to_json(raw)
        size = len(record.raw_response)
        if not is_text and size > limits.line_bytes:
            reason = limits.exceeded("line_bytes", f"it has {size:,} bytes as JSON")
            too_large = Problem(path="$.raw_response", reason=reason)
            return Validated(None, item.refused(too_large, capture=payload), record.platform)
    return Validated(record, refusal, record.platform)


def length_problem(text: bytes | str, limits: Limits) -> Problem | None:
    """Check the length of a text."""
    size = len(text)
    if isinstance(text, str) and 4 * size > limits.line_bytes:
        size = len(text.encode(errors="surrogatepass"))
    if size <= limits.line_bytes:
        return None
    reason = limits.exceeded("line_bytes", f"the line has {size:,} bytes")
    return Problem(path="$", reason=reason)


def is_deeper(value: Any, depth: int) -> bool:
    """Return whether more than `depth` arrays and objects are nested."""
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


def _refused(item: Item, payload: Any, *problems: Problem) -> Validated:
    return Validated(None, item.refused(*problems, capture=payload), claimed_platform(payload))


def claimed_platform(payload: Any) -> str | None:
    """Read the platform that a refused capture names."""
    if not isinstance(payload, Mapping):
        return None
    for side, key in (("event", "bookmaker"), ("competitor_event", "source")):
        if isinstance(event := payload.get(side), Mapping):
            try:
                return _SLUG.validate_python(event.get(key))
            except ValidationError:
                return None
    return None
