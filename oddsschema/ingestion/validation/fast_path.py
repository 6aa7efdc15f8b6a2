"""The fast path for JSON text: msgspec reads the markets, the contract validates each kind once.

Nearly every line passes here. Anything that the fast path rejects goes through the full validator,
which accepts it or says why not.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

from msgspec import UNSET, Raw, Struct, UnsetType, convert, to_builtins
from msgspec.json import Decoder, Encoder

from oddsschema.capture import Capture
from oddsschema.ingestion.limits import Limits
from oddsschema.ingestion.records import MarketRecord, market_key
from oddsschema.ingestion.validation.bounded_validator import bounded_validator
from oddsschema.models.odds import Market

_name = attrgetter("name")
_market_name = attrgetter("betpawa_market_name")


class _Envelope(Struct, forbid_unknown_fields=True):
    """A capture's fields: the markets, and all others as the JSON text that they are."""

    markets: tuple[MarketRecord, ...]
    captured_at: Raw | UnsetType = UNSET
    event: Raw | UnsetType = UNSET
    competitor_event: Raw | UnsetType = UNSET
    raw_response: Raw | UnsetType = UNSET


_read = Decoder(_Envelope).decode
_write = Encoder().encode


class FastPath:
    """A validator of JSON text that remembers the markets which the contract has accepted.

    msgspec reads the markets, with their types and the least odds. The contract validates the rest
    of the capture, and one market of each key, of each name and of each list of outcomes' names: no
    rule of the contract relates these to each other, or to odds.
    """

    def __init__(self, limits: Limits, remembered: int = 20_000) -> None:
        #: The number of outcomes' names to remember, about. A scrape has a few hundred.
        self._most_remembered = remembered
        self._most_markets = limits.markets
        self._capture = bounded_validator(Capture, limits)
        self._market = bounded_validator(Market, limits)
        self._clear()

    def _clear(self) -> None:
        self._keys: set[tuple[Any, ...]] = set()
        self._names: set[str] = set()
        self._outcomes: set[tuple[str, ...]] = set()
        self._remembered = 0

    def validate(self, text: bytes | str) -> dict[str, Any]:
        """Validate a capture to a dict whose markets are records.

        Raises ValueError, RecursionError or UnknownKeyError. The capture may still be good then.
        """
        envelope = _read(text)
        markets = envelope.markets
        keys = set(map(market_key, markets))
        if len(keys) < len(markets) or len(markets) > self._most_markets:
            raise ValueError("markets are too many, or not distinct")
        if not (
            keys <= self._keys
            and self._names.issuperset(map(_market_name, markets))
            and self._outcomes.issuperset(_outcome_names(markets))
        ):
            self._remember(markets)
        envelope.markets = ()
        capture: dict[str, Any] = self._capture.validate_json(_write(envelope))
        capture["markets"] = markets
        return capture

    def _remember(self, markets: Sequence[MarketRecord]) -> None:
        """Validate the markets that are new by the contract, and remember them."""
        for market, outcomes in zip(markets, _outcome_names(markets), strict=True):
            key, name = market_key(market), market.betpawa_market_name
            if key in self._keys and name in self._names and outcomes in self._outcomes:
                continue
            validated = self._market.validate_python(to_builtins(market))
            if convert(validated, MarketRecord) != market:
                raise ValueError("the contract changes the market")
            self._remembered += len(outcomes)
            if self._remembered > self._most_remembered:
                self._clear()
                self._remembered = len(outcomes)
            self._keys.add(key)
            self._names.add(name)
            self._outcomes.add(outcomes)


@cache
def fast_path(limits: Limits) -> FastPath:
    """Return the fast path for these limits. It remembers markets as long as the process lives."""
    return FastPath(limits)


def may_contain_nul(text: bytes | str) -> bool:
    """Return whether JSON text spells a NUL, which msgspec accepts. (A bare NUL is no JSON.)"""
    return b"\\u0000" in text if isinstance(text, bytes) else "\\u0000" in text


def _outcome_names(markets: Sequence[MarketRecord]) -> Iterator[tuple[str, ...]]:
    return (tuple(map(_name, market.outcomes)) for market in markets)
