"""The diagnosis of a capture with errors: its problems, and the part that can be stored."""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from itertools import filterfalse, islice
from operator import itemgetter
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import SchemaValidator, core_schema

from oddsschema.capture import (
    Capture,
    CapturedCompetitorEvent,
    CapturedCompetitorTournament,
    CapturedEvent,
    CapturedSport,
    CapturedTournament,
    is_empty,
)
from oddsschema.contracts.base import Contract
from oddsschema.contracts.bulk import plain_schema, plain_validator
from oddsschema.contracts.outcomes import Outcome
from oddsschema.ingestion.limits import Limits
from oddsschema.ingestion.records import MarketKey
from oddsschema.ingestion.report import Problem
from oddsschema.ingestion.validation.bounded_validator import UnknownKeyError, bounded_validator
from oddsschema.ingestion.validation.messages import json_path, problems_of_error
from oddsschema.models import Market
from oddsschema.models.odds import HANDICAP_FIELDS, MARKET_KEY, check_handicap

#: The number of problems that a diagnosis lists, and of unknown keys that it looks at in one
#: object: a line can hold a million of either.
_MOST_PROBLEMS = 100
_MOST_UNKNOWN_KEYS = 10

_market_key = itemgetter(*MARKET_KEY)

#: Every key that a contract knows.
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


class Diagnosis(NamedTuple):
    """The problems of a capture, and the part of it that can be stored."""

    problems: tuple[Problem, ...]
    #: The validated capture without its refused markets; None when it cannot be stored at all.
    capture: dict[str, Any] | None = None
    #: The refused markets, as delivered.
    refused: Sequence[Any] = ()
    #: The keys of the refused markets, each as far as it is readable.
    unknown: frozenset[MarketKey] = frozenset()
    #: The keys of the markets without outcomes.
    not_offered: frozenset[MarketKey] = frozenset()
    #: The doubts of the contract about that part, as paths and reasons.
    doubts: Sequence[tuple[str, str]] = ()


def diagnose(payload: Any, error: Exception, limits: Limits) -> Diagnosis:
    """Find the problems of a capture; `error` is the first one, which validation stopped at."""
    delivered = _items_of(payload, "markets")
    markets = {place: market for place, market in enumerate(delivered) if not is_empty(market)}
    if len(markets) > limits.markets:
        reason = limits.exceeded("markets", f"{len(markets):,} markets")
        return Diagnosis((Problem(path="$.markets", reason=reason),))
    envelope = {**payload, "markets": ()} if delivered else payload
    problems = problems_of_value(Capture, envelope, limits)
    is_hopeless = bool(problems)
    good: dict[int, Any] = {}  # the positions of good markets, and their keys
    for position, market in markets.items():
        try:
            good[position] = _market_key(bounded_validator(Market, limits).validate_python(market))
        except (ValidationError, UnknownKeyError):
            # Finding all problems takes much longer than finding the first.
            if len(problems) <= _MOST_PROBLEMS:
                problems += problems_of_value(Market, market, limits, "markets", position)
    capture = None
    doubts: list[tuple[str, str]] = []
    # A capture that lists markets as not offered says something, too.
    if (good or len(markets) < len(delivered)) and not is_hopeless:
        capture, equal = without_equal_markets(payload, markets, good, limits, doubts)
        problems += equal
    if not problems:
        # A payload that can be read only once (a generator) is empty by now.
        return Diagnosis(tuple(problems_of_error(error, limits)))
    if len(problems) > _MOST_PROBLEMS:
        more = Problem(path="$", reason=f"and more: these are the first {_MOST_PROBLEMS}")
        problems = [*problems[:_MOST_PROBLEMS], more]
    refused = [market for position, market in markets.items() if position not in good]
    unknown = frozenset(map(readable_key, refused)).difference(good.values())
    not_offered = frozenset(map(readable_key, filter(is_empty, delivered)))
    return Diagnosis(tuple(problems), capture, refused, unknown, not_offered, doubts)


def readable_key(market: Any) -> MarketKey:
    """Read the key of a refused market: the whole key, or `(id,)`, or `()` if the id is bad too.

    The key of a handicap is whole only if the handicap is good: a bad one has an uncertain line.
    """
    if not isinstance(market, Mapping):
        return ()
    for names in (_KEY_FIELDS, _KEY_FIELDS[:1]):
        fields = {name: market[name] for name in names if name in market}
        try:
            values = _key_validator().validate_python(fields)
            values |= check_handicap(*map(values.get, HANDICAP_FIELDS)) or {}
        except ValueError:  # pydantic's too
            continue
        return tuple(values.get(name) for name in MARKET_KEY if name in names)
    return ()


#: The fields that a market's key depends on, the id first.
_KEY_FIELDS = tuple(dict.fromkeys((*MARKET_KEY, *HANDICAP_FIELDS)))


@cache
def _key_validator() -> SchemaValidator:
    """Build the validator of the fields of a market's key. All but the id may be missing."""
    plain_validator(Market)  # builds the schema
    schema: Any = plain_schema(Market.__pydantic_core_schema__)
    while schema["type"] != "typed-dict":
        schema = schema["schema"]
    fields = {name: schema["fields"][name] for name in _KEY_FIELDS}
    return SchemaValidator(core_schema.typed_dict_schema(fields, config=schema["config"]))


def without_equal_markets(
    payload: Mapping[str, Any],
    markets: Mapping[int, Any],
    good: dict[int, Any],
    limits: Limits,
    doubts: list[tuple[str, str]],
) -> tuple[dict[str, Any] | None, list[Problem]]:
    """Validate a capture with its good markets; of equal ones, only the first stays in `good`.

    Adds the doubts about the capture to `doubts`.
    """
    problems: list[Problem] = []
    while True:
        rest = {**payload, "markets": [markets[position] for position in good]}
        doubts.clear()  # of the attempt before
        try:
            return bounded_validator(Capture, limits).validate_python(
                rest, context=doubts
            ), problems
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)[0]
            if details["type"] != "markets_equal":
                return None, problems_of_error(error, limits)
        first: dict[Any, int] = {}
        for position, key in good.items():
            first.setdefault(key, position)
        rule, _, cure = details["msg"].partition(": ")
        _, _, cure = cure.partition(". ")
        positions = list(good)
        for position in (positions[again] for again in details["ctx"]["again"]):
            # The positions in the capture as delivered, not among its good markets.
            same = f"markets {first[good.pop(position)]} and {position} are the same"
            path = json_path(("markets", position))
            problems.append(Problem(path=path, reason=f"{rule}: {same}. {cure}"))


def _items_of(value: Any, key: str) -> list[Any]:
    inner: Any = value.get(key) if isinstance(value, Mapping) else None
    is_list = isinstance(inner, Collection) and not isinstance(inner, str | bytes | Mapping)
    return list(inner) if is_list else []


def problems_of_value(
    contract: type[Contract], value: Any, limits: Limits, *place: str | int
) -> list[Problem]:
    """Find all problems of a value, or nearly all."""
    outcomes = _items_of(value, "outcomes")
    if contract is Market and len(outcomes) > limits.outcomes:
        reason = limits.exceeded("outcomes", f"{len(outcomes):,} outcomes")
        return [Problem(path=json_path((*place, "outcomes")), reason=reason)]
    try:
        plain_validator(contract).validate_python(_without_most_unknown(value))
    except ValidationError as error:
        return problems_of_error(error, limits, *place)
    return []


def _without_most_unknown(value: Any, levels: int = 4) -> Any:
    """Copy a value without most of the keys that no contract knows: a few are enough to report."""
    if levels and isinstance(value, Mapping):
        some = set(islice(filterfalse(_KEYS.__contains__, value), _MOST_UNKNOWN_KEYS))
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
