"""The fast path for JSON text: msgspec reads the markets, the contract validates each kind once.

Nearly every line passes here. Anything that the fast path rejects goes through the full validator,
which accepts it or says why not.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache, partial
from itertools import chain, compress, repeat
from operator import attrgetter, is_
from typing import Any, Generic, TypeVar

from msgspec import UNSET, Raw, Struct, UnsetType, ValidationError, convert, to_builtins
from msgspec.json import Decoder, Encoder

from oddsschema.capture import Capture
from oddsschema.ingestion.limits import Limits
from oddsschema.ingestion.records import (
    MARKET_SCALARS,
    MarketKey,
    MarketRecord,
    Priced,
    market_key,
)
from oddsschema.ingestion.validation.bounded_validator import bounded_validator
from oddsschema.ingestion.validation.doubts import has_line, specifier_doubt
from oddsschema.models.odds import Market

#: The fields of a market as delivered, without its outcomes.
Shape = tuple[Any, ...]
_shape = attrgetter(*MARKET_SCALARS)
_id = attrgetter("betpawa_market_id")
_outcomes = attrgetter("outcomes")
_name = attrgetter("name")
_odds = attrgetter("odds")
_is_active = attrgetter("is_active")
_names = partial(map, _name)


_Market = TypeVar("_Market")


class _Envelope(Struct, Generic[_Market], forbid_unknown_fields=True):
    """A capture's fields: the markets, and all others as the JSON text that they are."""

    markets: tuple[_Market, ...]
    captured_at: Raw | UnsetType = UNSET
    event: Raw | UnsetType = UNSET
    competitor_event: Raw | UnsetType = UNSET
    raw_response: Raw | UnsetType = UNSET


#: The usual form: all outcomes have a price, all ids are text.
_read_usual = Decoder(_Envelope[MarketRecord[Priced, str]]).decode
#: Any form that a few checks complete.
_read_any = Decoder(_Envelope[MarketRecord[Priced | None, str | int]]).decode
_write = Encoder().encode


#: The type of validated markets.
_Validated = MarketRecord[float | None, str]


class FastPath:
    """A validator of JSON text that remembers the markets which the contract has accepted.

    msgspec reads the markets, with their types and the least odds. The contract validates the rest
    of the capture, and one market of each shape and of each list of outcomes' names: no rule of the
    contract relates a shape to the outcomes. The rule on closed outcomes is checked here.
    """

    def __init__(self, limits: Limits, remembered: int = 20_000) -> None:
        #: The number of outcomes' names to remember, about. A scrape has a few hundred.
        self._most_remembered = remembered
        self._most_markets = limits.markets
        self._capture = bounded_validator(Capture, limits)
        self._market = bounded_validator(Market, limits)
        self._clear()

    def _clear(self) -> None:
        #: A number for each shape. Shapes of one key, such as "5" and 5, have the same.
        self._keys: dict[Shape, int] = {}
        self._numbers: dict[MarketKey, int] = {}
        #: The fields that the contract changes, with their values: an id that is an integer, ...
        self._corrections: dict[Shape, list[tuple[str, Any]]] = {}
        self._outcomes: set[tuple[str, ...]] = set()
        self._remembered = 0
        #: Whether the specifiers of any remembered shape hold a line.
        self._has_lines = False
        #: Whether the last capture had the usual form. Most feeds have always the same.
        self._is_usual = True

    def validate(
        self, text: bytes | str, doubts: list[tuple[str, str]] | None = None
    ) -> dict[str, Any]:
        """Validate a capture to a dict whose markets are records; add its doubts to `doubts`.

        Raises ValueError, RecursionError or UnknownKeyError. The capture may still be good then.
        """
        envelope = self._read(text)
        delivered = markets = envelope.markets
        shapes = list(map(_shape, markets))
        keys = list(map(self._keys.get, shapes))
        if None in keys or not self._outcomes.issuperset(_outcome_names(markets)):
            markets = tuple(filter(_outcomes, markets))
            self._remember(markets)
            shapes = list(map(_shape, markets))
            keys = list(map(self._keys.get, shapes))
        if len(set(keys)) < len(markets) or len(markets) > self._most_markets:
            raise ValueError("markets are too many, or not distinct")
        if not self._is_usual:
            lacks_price = require_closed(markets)
            self._is_usual = not lacks_price and int not in map(type, map(_id, markets))
        if self._corrections:
            self._correct(markets, shapes)
        if self._has_lines and doubts is not None:
            doubt = specifier_doubt(markets)
            doubts += [] if doubt is None else [(doubt.path, doubt.reason)]
        envelope.markets = ()
        capture: dict[str, Any] = self._capture.validate_json(_write(envelope), context=doubts)
        capture["markets"] = markets
        capture["markets_empty"] = len(delivered) - len(markets)
        return capture

    def _read(self, text: bytes | str) -> Any:
        """Read the envelope, in the form of the last capture first."""
        if self._is_usual:
            with suppress(ValidationError):
                return _read_usual(text)
        self._is_usual = False
        return _read_any(text)

    def _remember(self, markets: Sequence[MarketRecord]) -> None:
        """Validate the markets that are new by the contract, and remember them."""
        if self._remembered >= self._most_remembered:
            self._clear()
        for market, outcomes in zip(markets, _outcome_names(markets), strict=True):
            shape = _shape(market)
            if shape in self._keys and outcomes in self._outcomes:
                continue
            validated = convert(self._market.validate_python(to_builtins(market)), _Validated)
            if validated.outcomes != market.outcomes:
                raise ValueError("the contract changes the outcomes")
            self._remembered += len(outcomes)
            self._keys[shape] = self._numbers.setdefault(market_key(validated), len(self._numbers))
            self._outcomes.add(outcomes)
            self._has_lines = self._has_lines or has_line(validated.specifiers)
            corrected = zip(MARKET_SCALARS, shape, _shape(validated), strict=True)
            if corrections := [(name, value) for name, was, value in corrected if was != value]:
                self._corrections[shape] = corrections

    def _correct(self, markets: Sequence[MarketRecord], shapes: Sequence[Shape]) -> None:
        """Change the fields of markets that the contract changes."""
        for market, corrections in zip(markets, map(self._corrections.get, shapes), strict=True):
            if corrections is not None:
                for name, value in corrections:
                    setattr(market, name, value)


def require_closed(markets: Sequence[MarketRecord]) -> bool:
    """Return whether an outcome has no price. Raises ValueError if such an outcome is open."""
    outcomes = list(chain.from_iterable(map(_outcomes, markets)))
    odds = list(map(_odds, outcomes))
    if None not in odds:
        return False
    # In C: this is done for each capture of a feed that lacks prices.
    lack_price = map(is_, odds, repeat(None))
    if any(compress(map(_is_active, outcomes), lack_price)):
        raise ValueError("an open outcome has no price")
    return True


@cache
def fast_path(limits: Limits) -> FastPath:
    """Return the fast path for these limits. It remembers markets as long as the process lives."""
    return FastPath(limits)


def may_contain_nul(text: bytes | str) -> bool:
    """Return whether JSON text spells a NUL, which msgspec accepts. (A bare NUL is no JSON.)"""
    # A single character is found much faster, and hardly any line has a backslash.
    if isinstance(text, bytes):
        return b"\\" in text and b"\\u0000" in text
    return "\\" in text and "\\u0000" in text


def _outcome_names(markets: Sequence[MarketRecord]) -> Iterator[tuple[str, ...]]:
    # In C: this is done for each market.
    return map(tuple, map(_names, map(_outcomes, markets)))
