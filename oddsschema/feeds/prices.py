"""The prices of feeds in decimal odds."""

import math
import re
from decimal import Decimal
from typing import Literal, get_args

from oddsschema.contracts.odds_formats import as_number, from_american, from_fraction
from oddsschema.contracts.scalars import LEAST_ODDS

#: The formats of prices. Each states a price of 2.5, the return on a stake of 1, in its own way.
OddsFormat = Literal[
    "decimal",  # 2.5
    "american",  # +150, the profit on 100; -150 is the stake for a profit of 100
    "fractional",  # 3/2, profit/stake; as a number (Hong Kong odds), 1.5
    "thousandths",  # 2500
]

_EXAMPLES: dict[OddsFormat, str] = {
    "decimal": "1.85",
    "american": "-150 or +120, at most -100 or at least +100",
    "fractional": "6/4, evens or 1.5",
    "thousandths": "1850",
}

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_EVENS = frozenset({"even", "evens", "evs"})


def decimal_odds(
    price: str | float | Decimal,
    *,
    format: OddsFormat | None = None,
    otherwise: OddsFormat | None = None,
) -> float:
    """Convert a price to decimal odds: the return on a stake of 1, stake included. Round nothing.

    The format may be left out if the price shows it: `"6/4"` and `"evens"` are fractional, `"+120"`
    and -150 are American. Numbers without a sign need it: 120 is a price in each format, and 1.5
    in two. For a feed that mixes formats, `otherwise` is the format of the prices that show none.

    Source: the definitions of the formats at `OddsFormat`. Raises ValueError if the value is no
    price, if the format is not clear, if the price is not written in it, or if the odds are below 1
    or not finite.
    """
    if isinstance(price, str):
        text = price.strip().replace("\N{MINUS SIGN}", "-").lower()
        number = as_number(text) if _NUMBER.fullmatch(text) else None
    else:
        text = str(price)
        number = None if isinstance(price, bool) else as_number(price)
    is_number = number is not None and math.isfinite(number)
    if not (is_number or text in _EVENS or from_fraction(text) is not None):
        raise ValueError(
            f"{price!r} is no price: a price is a number without a currency (1.85, +120), a "
            "fraction (6/4) or 'evens'. An outcome without a price is closed, and its odds are None"
        )
    if format is None:
        format = _shown_format(text) or otherwise
    if format is None:
        raise ValueError(
            f"the price {price!r} does not show its format: give format, or otherwise for a feed "
            f"that mixes formats, as one of {', '.join(get_args(OddsFormat))}"
        )
    odds = _convert(text, number, format)
    if odds is None or not LEAST_ODDS <= odds < math.inf:
        raise ValueError(
            f"{price!r} is no price in {format} odds, which are written as {_EXAMPLES[format]}"
        )
    return odds


def _shown_format(text: str) -> OddsFormat | None:
    """Return the format of a price that its text shows, or None."""
    if text in _EVENS or "/" in text:
        return "fractional"
    return "american" if text.startswith(("+", "-")) else None


def _convert(text: str, number: float | None, format: OddsFormat) -> float | None:
    """Convert a price to decimal odds; return None if it is not written in the format."""
    if format == "fractional":
        if text in _EVENS:
            return 2.0
        # The sum of the decimals: that of the floats, 1 + 0.91, is 1.9100000000000001.
        return from_fraction(text) if number is None else float(1 + Decimal(repr(number)))
    if format == "american":
        if text in _EVENS:
            return 2.0
        return from_american(number) if number is not None and abs(number) >= 100 else None
    if format not in _EXAMPLES:
        raise ValueError(f"format must be one of {', '.join(get_args(OddsFormat))}, not {format!r}")
    if number is None:
        return None
    return number / 1000 if format == "thousandths" else number
