"""SportRadar's notation, which many bookmakers pass on: specifiers, and ids as URNs."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, TypedDict

from pydantic import ConfigDict, TypeAdapter, ValidationError

from oddsschema.contracts.odds_formats import as_number
from oddsschema.contracts.scalars import (
    HandicapType,
    SportradarEventId,
    SportradarTournamentId,
    read_specifiers,
    write_integer,
    write_specifiers,
)

_SCORE = re.compile(r"([0-9]{1,9}):([0-9]{1,9})")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,9}(?:\.[0-9]{1,9})?")

#: Examples in refusals.
_TOTAL = "total=2.5; a quarter line, such as 2/2.5, is its mean, total=2.25"
_HANDICAP = "hcp=-0.5 or hcp=0:1; a quarter line, such as 0/-0.5, is its mean, hcp=-0.25"
_GOALS = "-0.5; a quarter line, such as 0/-0.5, is its mean, -0.25"

_DEFERRED = ConfigDict(defer_build=True)
_IDS: Mapping[str, TypeAdapter[str]] = {
    "match": TypeAdapter(SportradarEventId, config=_DEFERRED),
    "tournament": TypeAdapter(SportradarTournamentId, config=_DEFERRED),
}


class LineAndSpecifiers(TypedDict):
    """The fields of `Market` that specifiers decide: `Market(..., **specifiers("total=2.5"))`."""

    line: float | None
    handicap_type: HandicapType | None
    handicap_home: float | None
    handicap_away: float | None
    specifiers: str | None


#: The specifiers that decide the line.
_LINES = frozenset({"total", "hcp"})

#: Names that, as specifiers, would leave the line of the market empty.
_NO_SPECIFIERS = frozenset({*LineAndSpecifiers.__annotations__, "handicap"})


def specifiers(given: str | Mapping[str, str | float | None] | None) -> LineAndSpecifiers:
    """Split specifiers into the line, the handicap and the specifiers that are left.

    - `total=2.5` is the line, in goals (in other sports: points, games, ...).
    - `hcp=0:1` is a European handicap: the score at which the event is taken to begin, home first.
      `hcp=-0.5` is an Asian handicap: the goals added to the home team's. The line of both is
      handicap_home.
    - All others stay specifiers, and the total of a market with a handicap does too. They are
      sorted by name.

    Besides text, `total=2.5|variant=…`, this takes a mapping of names to values. A specifier whose
    value is None or blank is missing; None and blank text in the place of all have none.

    Source: SportRadar's Unified Odds Feed. Raises ValueError if the specifiers cannot be read, if
    a total or a handicap is not written as above, or if a specifier has the name of a field of
    `Market` (`line`) or another spelling of these names (`Total`).
    """
    rest = _values(given)
    for name in rest:
        if name.lower() in _NO_SPECIFIERS or (name not in _LINES and name.lower() in _LINES):
            raise ValueError(
                f"{name!r} is no name of a specifier: write 'total' for the line of a total, and "
                "'hcp' for a handicap"
            )
    home: float | None = None
    kind: HandicapType | None = None
    if (hcp := rest.pop("hcp", None)) is not None:
        if score := _SCORE.fullmatch(hcp):
            kind, home = HandicapType.EUROPEAN, float(int(score[1]) - int(score[2]))
        else:
            kind, home = HandicapType.ASIAN, _number(f"hcp={hcp}", hcp, _HANDICAP)
        line: float | None = home
    elif (total := rest.pop("total", None)) is not None:
        line = _number(f"total={total}", total, _TOTAL)
    else:
        line = None
    return {
        "line": line,
        "handicap_type": kind,
        "handicap_home": home,
        "handicap_away": None if home is None else 0.0 - home,
        "specifiers": write_specifiers(rest) or None,
    }


def handicap(
    goals: str | float, *, of: Literal["home", "away"] = "home", three_way: bool = False
) -> str:
    """Convert the goals that a feed adds to a team to the value of the specifier `hcp`.

    The goals of the away team are those of the home team with the other sign: `"+0.5"` of "away"
    is `-0.5`. The goals in a market with a draw (`three_way`) are the score at which the event is
    taken to begin: `"-1"` is `0:1`, and `"+1"` is `1:0`.

    Source: SportRadar's Unified Odds Feed, as at `specifiers`. Raises ValueError if the goals are
    no number, or if those of a handicap with a draw are not whole.
    """
    text = str(goals).strip().replace("\N{MINUS SIGN}", "-")
    home = _number(f"the handicap {goals!r}", text, _GOALS)
    if of == "away":
        home = 0.0 - home
    elif of != "home":
        raise ValueError(f"of must be 'home' or 'away', not {of!r}")
    if not three_way:
        return f"{Decimal(str(home)):f}"
    if not home.is_integer():
        raise ValueError(
            f"the handicap {goals!r} is no whole number: a handicap with a draw is a score"
        )
    return f"{max(int(home), 0)}:{max(int(-home), 0)}"


def sportradar_id(urn: str | int, kind: Literal["match", "tournament"] = "match") -> str:
    """Convert the SportRadar id of a match, or of a tournament, to the form that is stored.

    `sr:match:66457014` becomes `66457014`, and of the kind "tournament" `sr:tournament:17` becomes
    `17`. Other ids, such as `sr:stage:5`, stay whole. Captures and table classes do the same: the
    function is for a program that compares ids itself.

    Raises ValueError if the id is blank, longer than its column, or neither text nor an integer.
    """
    try:
        return _IDS[kind].validate_python(urn)
    except ValidationError as error:
        raise ValueError(
            f"{urn!r} is no SportRadar id, such as sr:{kind}:17: {error.errors()[0]['msg']}"
        ) from None


def _values(given: str | Mapping[str, str | float | None] | None) -> dict[str, str]:
    """Read specifiers from text or a mapping: names and values, both trimmed."""
    if given is None or isinstance(given, str):
        text, expected = given or "", None
    else:
        expected = [
            (name.strip(), str(write_integer(value)).strip())
            for name, value in given.items()
            if value is not None and str(value).strip()
        ]
        text = "|".join(f"{name}={value}" for name, value in expected)
    if not text.strip():
        return {}
    try:
        values = read_specifiers(text)
    except ValueError as error:
        raise ValueError(f"{given!r} are no specifiers: {error}") from None
    if expected is not None and list(values.items()) != expected:
        raise ValueError(
            f"{given!r} are no specifiers: names must not have '=' or '|', values not '|'"
        )
    return values


def _number(place: str, text: str, example: str) -> float:
    """Convert a text of goals to a number."""
    number = as_number(text) if _DECIMAL.fullmatch(text) else None
    if number is None:
        raise ValueError(f"{place} has no number: write, for example, {example}")
    return number + 0.0  # not -0.0
