"""Where captures come in: held to the contract, within limits, and no further than they must be.

pydantic notes everything that is wrong. Of a line in which everything is, that would take a
thousand times the memory of the line; so these stop at the first bad market, outcome or unknown
key.

What nearly every line holds comes in by a faster way. The contract decides there, too; but it is
asked only once for what a scrape repeats a thousand times. What does not get through there has the
whole door, and so does what is no JSON text.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from operator import attrgetter
from typing import Any

from msgspec import UNSET, Raw, Struct, UnsetType, convert, to_builtins
from msgspec.json import Decoder, Encoder
from pydantic_core import SchemaValidator, core_schema

from oddsschema.base import Contract, _plain, plain_validator
from oddsschema.capture import Capture
from oddsschema.ingest.limits import Limits
from oddsschema.ingest.plain import PlainCapture, PlainMarket, key_of, with_plain_markets
from oddsschema.models import Market


class UnknownKeyError(Exception):
    """What pydantic is stopped with at a key that the contract does not know."""


def admit(payload: Any, limits: Limits) -> PlainCapture:
    """A capture from JSON text, or from values. Raises ValidationError and UnknownKeyError."""
    if not isinstance(payload, bytes | str):
        return with_plain_markets(door(Capture, limits).validate_python(payload))
    if not _may_hold_nul(payload):
        # ValueError: msgspec's, pydantic's, and that of text which is not Unicode.
        with suppress(ValueError, RecursionError, UnknownKeyError):
            return _fast_way(limits).admit(payload)
    return with_plain_markets(door(Capture, limits).validate_json(payload))


@cache
def door(contract: type[Contract], limits: Limits) -> SchemaValidator:
    """The contract's plain validator, as above. Raises ValidationError and UnknownKeyError.

    Of what holds the contract and the limits, it makes the same, at the same speed.
    """
    plain_validator(contract)  # builds the schema
    schema = _plain(contract.__pydantic_core_schema__)
    bounds = {"markets": limits.markets, "outcomes": limits.outcomes}
    return SchemaValidator(_stopping(schema, bounds, None))


# -- the faster way --------------------------------------------------------------------------------

_name = attrgetter("name")
_market_name = attrgetter("betpawa_market_name")


class _Envelope(Struct, forbid_unknown_fields=True):
    """A capture's fields, all but the markets as the JSON text that they are."""

    markets: tuple[PlainMarket, ...]
    captured_at: Raw | UnsetType = UNSET
    event: Raw | UnsetType = UNSET
    competitor_event: Raw | UnsetType = UNSET
    raw_response: Raw | UnsetType = UNSET


_read = Decoder(_Envelope).decode
_write = Encoder().encode


class _FastWay:
    """msgspec reads the markets, and holds them to their types and the least odds.

    The contract is asked for the rest of the capture, and for one market of each key, of each name
    and of each list of outcomes' names. It has no rule that ties these to one another, or to odds.
    """

    def __init__(self, limits: Limits, remembered: int = 20_000) -> None:
        #: How many names of outcomes are remembered, about. A scrape has a few hundred.
        self._most_remembered = remembered
        self._most_markets = limits.markets
        self._capture = door(Capture, limits)
        self._market = door(Market, limits)
        self._forget()

    def _forget(self) -> None:
        self._keys: set[tuple[Any, ...]] = set()
        self._names: set[str] = set()
        self._outcomes: set[tuple[str, ...]] = set()
        self._remembered = 0

    def admit(self, text: bytes | str) -> PlainCapture:
        """A capture, or an error: then it may still be good."""
        envelope = _read(text)
        markets = envelope.markets
        keys = set(map(key_of, markets))
        if len(keys) < len(markets) or len(markets) > self._most_markets:
            raise ValueError("markets are too many, or not distinct")
        if not (
            keys <= self._keys
            and self._names.issuperset(map(_market_name, markets))
            and self._outcomes.issuperset(_outcome_names(markets))
        ):
            self._ask(markets)
        envelope.markets = ()
        capture: PlainCapture = self._capture.validate_json(_write(envelope))
        capture["markets"] = markets
        return capture

    def _ask(self, markets: Sequence[PlainMarket]) -> None:
        """Hold those markets to the contract that are not known to keep it, and remember them."""
        for market, outcomes in zip(markets, _outcome_names(markets), strict=True):
            key, name = key_of(market), market.betpawa_market_name
            if key in self._keys and name in self._names and outcomes in self._outcomes:
                continue
            validated = self._market.validate_python(to_builtins(market))
            if convert(validated, PlainMarket) != market:
                raise ValueError("the contract makes something else of it")
            self._remembered += len(outcomes)
            if self._remembered > self._most_remembered:
                self._forget()
                self._remembered = len(outcomes)
            self._keys.add(key)
            self._names.add(name)
            self._outcomes.add(outcomes)


@cache
def _fast_way(limits: Limits) -> _FastWay:
    return _FastWay(limits)


def _outcome_names(markets: Sequence[PlainMarket]) -> Iterator[tuple[str, ...]]:
    return (tuple(map(_name, market.outcomes)) for market in markets)


def _may_hold_nul(text: bytes | str) -> bool:
    """Whether JSON text spells a NUL; a bare one would be no JSON."""
    return b"\\u0000" in text if isinstance(text, bytes) else "\\u0000" in text


# -- the whole door --------------------------------------------------------------------------------


def _stopping(schema: Any, bounds: Mapping[str, int], bound: int | None) -> Any:
    """A schema that stops. The bounds are those of fields, the bound that of the one we are in."""
    if isinstance(schema, list):
        return [_stopping(item, bounds, bound) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: value if key == "metadata" else _stopping(value, bounds, bounds.get(key, bound))
        for key, value in schema.items()
    }
    if schema.get("type") == "tuple":
        made |= {"fail_fast": True, "max_length": bound}
    elif schema.get("type") == "typed-dict":
        made |= {"extra_behavior": "allow", "extras_schema": _UNKNOWN_KEY}
    return made


def _unknown_key(value: Any) -> Any:
    raise UnknownKeyError("there is a key that the contract does not know")


_UNKNOWN_KEY = core_schema.no_info_plain_validator_function(_unknown_key)
