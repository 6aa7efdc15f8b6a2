"""The fast path: JSON text to records, asking the contract once for values that repeat."""

from collections.abc import Iterator, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

from msgspec import UNSET, Raw, Struct, UnsetType, convert, to_builtins
from msgspec.json import Decoder, Encoder

from oddsschema.capture import Capture
from oddsschema.ingestion.limits import Limits
from oddsschema.ingestion.records import PlainCapture, PlainMarket, key_of
from oddsschema.ingestion.validation.bounded_validator import door
from oddsschema.models import Market

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


class FastPath:
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
def fast_path(limits: Limits) -> FastPath:
    """The fast path for these limits. What it has learned is kept as long as the process."""
    return FastPath(limits)


def _outcome_names(markets: Sequence[PlainMarket]) -> Iterator[tuple[str, ...]]:
    return (tuple(map(_name, market.outcomes)) for market in markets)


def may_hold_nul(text: bytes | str) -> bool:
    """Whether JSON text spells a NUL; a bare one would be no JSON."""
    return b"\\u0000" in text if isinstance(text, bytes) else "\\u0000" in text
