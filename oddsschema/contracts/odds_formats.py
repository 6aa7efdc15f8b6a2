"""The formats of odds besides decimal: conversion, and recognition in refused values."""

import re
from typing import Any

_FRACTION = re.compile(r"\s*([0-9]{1,6})\s*/\s*([0-9]{1,6})\s*")


def other_format(value: Any) -> str | None:
    """Explain why odds of another format than decimal are refused, with their decimal value.

    Numbers below 1 of no known format get examples. Returns None for all other values.
    """
    known = None
    if isinstance(value, str) and (odds := from_fraction(value)) is not None:
        known = f"as fractional odds, {value.strip()} is {_decimal(odds)}"
    elif (number := as_number(value)) is not None and number < 1:
        if -100_000 <= number <= -100:
            known = f"as American odds, {number:g} is {_decimal(from_american(number))}"
        elif number > 0:
            known = f"as fractional odds, {number:g} is {_decimal(1 + number)}"
        else:
            known = "American -150 is 1.667, American +120 is 2.2, and fractional 6/4 is 2.5"
    return known and f"Input should be decimal odds of at least 1: {known}"


def from_american(odds: float) -> float:
    """Convert American odds to decimal: +120 is the profit on 100, -150 the stake for 100."""
    # One division rounds once: 1 + 91 / 100 is 1.9100000000000001.
    return (100 + odds) / 100 if odds > 0 else (odds - 100) / odds


def from_fraction(text: str) -> float | None:
    """Convert a fraction, profit/stake, to decimal odds; return None for other texts."""
    if (fraction := _FRACTION.fullmatch(text)) is None:
        return None
    numerator, denominator = map(int, fraction.groups())
    return (numerator + denominator) / denominator if denominator else None


def as_number(value: Any) -> float | None:
    """Convert a number, or the text of a number, to a float; return None for other values."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _decimal(odds: float) -> str:
    return f"{odds:.3f}".rstrip("0").rstrip(".")
