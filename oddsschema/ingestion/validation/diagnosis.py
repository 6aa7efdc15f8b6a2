"""A close look at a capture that is not good as a whole: what is wrong, and what is left of it."""

from collections.abc import Collection, Mapping, Sequence
from itertools import filterfalse, islice
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from oddsschema.capture import (
    Capture,
    CapturedCompetitorEvent,
    CapturedCompetitorTournament,
    CapturedEvent,
    CapturedSport,
    CapturedTournament,
)
from oddsschema.contracts.base import Contract
from oddsschema.contracts.bulk import plain_validator
from oddsschema.contracts.outcomes import Outcome
from oddsschema.contracts.scalars import NO_NUL
from oddsschema.ingestion.limits import DEFAULT_LIMITS, Limits
from oddsschema.ingestion.records import PlainCapture, with_plain_markets
from oddsschema.ingestion.report import Problem
from oddsschema.ingestion.validation.bounded_validator import UnknownKeyError, door
from oddsschema.models import Market
from oddsschema.models.odds import market_key

#: What the limit on depth is about.
LEVELS = "arrays and objects inside one another"

#: How many problems of a capture are told, and how many unknown keys of an object are looked at: a
#: line can hold a million of either.
_TOLD = 100
_UNKNOWN_KEYS = 10

_KEYS = frozenset[str]().union(
    *(
        contract.model_fields
        for contract in (
            Capture,
            CapturedEvent,
            CapturedTournament,
            CapturedCompetitorEvent,
            CapturedCompetitorTournament,
            CapturedSport,
            Market,
            Outcome,
        )
    )
)


class Findings(NamedTuple):
    """What is wrong with a capture, and what is left of it."""

    problems: tuple[Problem, ...]
    #: The capture without its bad markets; None when more than that is wrong, or none is left.
    capture: PlainCapture | None = None
    #: The bad markets, as they came.
    left_out: Sequence[Any] = ()


def look_closely(payload: Any, error: Exception, limits: Limits) -> Findings:
    """What is wrong with a capture of which the first thing that is wrong is known."""
    markets = _listed(payload, "markets")
    if len(markets) > limits.markets:
        reason = limits.exceeded("markets", f"{len(markets):,} markets")
        return Findings((Problem(path="$.markets", reason=reason),))
    envelope = {**payload, "markets": ()} if markets else payload
    problems = _wrong_with(Capture, envelope, limits)
    is_hopeless = bool(problems)
    good: dict[int, Any] = {}  # the places of the good ones, and what tells them apart
    for at, market in enumerate(markets):
        try:
            good[at] = market_key(door(Market, limits).validate_python(market))
        except (ValidationError, UnknownKeyError):
            # Telling what is wrong takes much longer than knowing that something is.
            if len(problems) <= _TOLD:
                problems += _wrong_with(Market, market, limits, "markets", at)
    capture = None
    if good and not is_hopeless:
        capture, equal = _together(payload, markets, good, limits)
        problems += equal
    if not problems:
        # What can be read only once (a generator) has nothing to be looked at any more.
        return Findings(tuple(_problems(error, limits)))
    if len(problems) > _TOLD:
        more = Problem(path="$", reason=f"and more: these are the first {_TOLD}")
        problems = [*problems[:_TOLD], more]
    left_out = [market for at, market in enumerate(markets) if at not in good]
    return Findings(tuple(problems), capture, left_out)


def _together(
    payload: Mapping[str, Any], markets: Sequence[Any], good: dict[int, Any], limits: Limits
) -> tuple[PlainCapture | None, list[Problem]]:
    """The capture with its good markets. Of those that are the same, only the first stays good."""
    problems: list[Problem] = []
    while True:
        rest = {**payload, "markets": [markets[at] for at in good]}
        try:
            return with_plain_markets(door(Capture, limits).validate_python(rest)), problems
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)[0]
            if details["type"] != "markets_equal":
                return None, _problems(error, limits)
        first: dict[Any, int] = {}
        for at, key in good.items():
            first.setdefault(key, at)
        rule = details["msg"].partition(":")[0]
        positions = list(good)
        for at in (positions[again] for again in details["ctx"]["again"]):
            # The places in what came in, not in what was left of it.
            same = f"markets {first[good.pop(at)]} and {at} are the same"
            problems.append(Problem(path=_path(("markets", at)), reason=f"{rule}: {same}"))


def _listed(value: Any, key: str) -> list[Any]:
    inner: Any = value.get(key) if isinstance(value, Mapping) else None
    is_list = isinstance(inner, Collection) and not isinstance(inner, str | bytes | Mapping)
    return list(inner) if is_list else []


def _wrong_with(
    contract: type[Contract], value: Any, limits: Limits, *place: str | int
) -> list[Problem]:
    """All that is wrong with a value, or nearly all."""
    outcomes = _listed(value, "outcomes")
    if contract is Market and len(outcomes) > limits.outcomes:
        reason = limits.exceeded("outcomes", f"{len(outcomes):,} outcomes")
        return [Problem(path=_path((*place, "outcomes")), reason=reason)]
    try:
        plain_validator(contract).validate_python(_without_most_unknown(value))
    except ValidationError as error:
        return _problems(error, limits, *place)
    return []


def _without_most_unknown(value: Any, levels: int = 4) -> Any:
    """A value without all but a few of the keys that no contract knows."""
    if levels and isinstance(value, Mapping):
        some = set(islice(filterfalse(_KEYS.__contains__, value), _UNKNOWN_KEYS))
        return {
            key: inner
            if key in some or key == "raw_response"
            else _without_most_unknown(inner, levels - 1)
            for key, inner in value.items()
            if key in _KEYS or key in some
        }
    if levels and isinstance(value, list | tuple):
        return [_without_most_unknown(inner, levels - 1) for inner in value]
    return value


# -- in words --------------------------------------------------------------------------------------


def json_problem(error: ValueError, limits: Limits) -> Problem:
    """Why a text is no JSON. What is told of its first line names the column alone."""
    what, _, where = str(error).rpartition(" at ")
    where = where.removeprefix("line 1 ")
    if what == "recursion limit exceeded":
        return Problem(path="$", reason=limits.exceeded("depth", f"{LEVELS} at {where}"))
    return Problem(path="$", reason=f"Invalid JSON: {what} at {where}" if what else str(error))


def problems(error: ValidationError) -> list[Problem]:
    """All that a contract found wrong: a JSON path and a reason each, as `ingest` tells them.

    The path begins at what was validated, "$": an `Outcome` has "$.odds", a `Capture`
    "$.markets[0].outcomes[1].odds". `str()` of a problem is a line for people.

        try:
            market = Market(**scraped)
        except ValidationError as error:
            log.warning("left out: %s", "; ".join(map(str, problems(error))))
    """
    return _problems(error, DEFAULT_LIMITS)


def _problems(error: Exception, limits: Limits, *place: str | int) -> list[Problem]:
    """What is wrong, without what only follows from it: a bad element makes a tuple too short."""
    if not isinstance(error, ValidationError):
        return [Problem(path=_path(place), reason=str(error))]
    found = error.errors(include_url=False, include_input=False)
    return [
        _problem(one, limits, place)
        for one in found
        if one["type"] != "too_short"
        or not any(
            other["loc"][: len(one["loc"])] == one["loc"] for other in found if other is not one
        )
    ]


def _problem(details: ErrorDetails, limits: Limits, place: tuple[str | int, ...]) -> Problem:
    reason = details["msg"].removeprefix("Value error, ")
    if details.get("ctx", {}).get("pattern") == NO_NUL:
        reason = "Text must not contain NUL (\\u0000), which PostgreSQL cannot store"
    if details["type"] == "recursion_depth_exceeded":
        reason = limits.exceeded("depth", LEVELS)
    return Problem(path=_path((*place, *details["loc"])), reason=reason)


def _path(place: tuple[str | int, ...]) -> str:
    """Where something is, as a JSON path. Whatever a key holds, it can be printed."""
    if place[:1] == ("raw_response",):
        place = place[:1] + place[2::2][:20]  # pydantic names the type of each container as well
    return "$" + "".join(map(_step, place))


def _step(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    shown = f"{part[:100]}…" if len(part) > 100 else part
    return f".{shown}" if part.isidentifier() else f"[{shown!r}]"
