"""The common names of outcomes: the names under which the bookmakers' outcomes line up.

They are BetPawa's. A name is lined up as a spelling of a common name, with the names of the event's
teams in the place of Home and Away, and with or without the line of its market at the end. The same
rules are written in Python, for objects, and in SQL, for selects.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Double,
    FromClause,
    bindparam,
    case,
    cast,
    collate,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from oddsschema.contracts.outcomes import Outcome, stored_outcome
from oddsschema.queries.outcomes import outcome_rows
from oddsschema.queries.sides import MarketAtBookmaker

#: The spellings of outcomes, each with its common name. Capital letters and spaces in them make no
#: difference. The names of the teams take the place of Home and Away.
OUTCOME_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "Home": "1",
        "Draw": "X",
        "Tie": "X",
        "Away": "2",
        "Home or Draw": "1X",
        "Draw or Home": "1X",
        "1 or X": "1X",
        "Home or Away": "12",
        "Away or Home": "12",
        "1 or 2": "12",
        "Draw or Away": "X2",
        "Away or Draw": "X2",
        "X or 2": "X2",
        "Home/Home": "1/1",
        "Home/Draw": "1/X",
        "Home/Away": "1/2",
        "Draw/Home": "X/1",
        "Draw/Draw": "X/X",
        "Draw/Away": "X/2",
        "Away/Home": "2/1",
        "Away/Draw": "2/X",
        "Away/Away": "2/2",
        "Yes": "Yes",
        "No": "No",
        "Over": "Over",
        "Under": "Under",
        "Odd": "Odd",
        "Even": "Even",
        "GG": "Yes",
        "NG": "No",
    }
)

#: Characters that are left out when names are compared: the space, and the space that forbids a
#: line break.
_SPACES = " ", "\u00a0"
#: The letters A to Z are compared in lower case, all others as they are: the lower case of those
#: depends on the locale of a database.
_REDUCED = str.maketrans(ascii_uppercase, ascii_lowercase, "".join(_SPACES))
#: The marks of the teams in a spelling: capital letters, which no reduced name has.
_HOME, _AWAY = "H", "A"
#: A number or a score in a reduced name, for Python and PostgreSQL: 2.5, (-1.5), (0:1).
_NUMBER = "[(]?[-+]?(?:[0-9]+[.]?[0-9]*|[0-9]+:[0-9]+)[)]?"
#: The same at the end of the name. Python's `$` also matches before a last line break; PostgreSQL's
#: does not, and a view with a backslash would depend on standard_conforming_strings.
_NUMBER_AT_END, _NUMBER_AT_END_IN_SQL = rf"{_NUMBER}\Z", f"{_NUMBER}$"
#: The characters around the number itself.
_AROUND = "()+-"


def lined_up(
    offer: MarketAtBookmaker, names: Mapping[str, str] = OUTCOME_NAMES
) -> tuple[Outcome, ...]:
    """Return the outcomes of an offer under their common names, in their order.

    `offer` may also be a point of the price history, or an opening or closing price. The spellings
    of a common name are those of `names`; the same with the teams, as the bookmaker names them, in
    the place of Home and Away; and all of them with the line of the market at the end: `Over 2.5`,
    `Home (-1.5)`, `Draw (0:1)`. Spaces and the case of A to Z make no difference.

    An outcome keeps its own name if that is a common name, or no spelling of a common name, or a
    spelling of several, or if another outcome of the market would have the same common name.
    """
    spellings = _spellings(tuple(names.items()))
    teams = _marked_teams(offer)
    found = [
        outcome.name
        if outcome.name in spellings.common
        else _common_name(outcome.name, teams, offer.line, spellings)
        for outcome in offer.outcomes
    ]
    counts = Counter(found)
    return tuple(
        outcome if name == outcome.name or counts[name] > 1 else _renamed(outcome, name)
        for outcome, name in zip(offer.outcomes, found, strict=True)
    )


def lined_up_rows(
    outcomes: Any, line: Any, teams: tuple[Any, Any], names: Mapping[str, str], alias: str
) -> FromClause:
    """Return the outcomes of a market as a table, as `lined_up` does.

    The columns are name, written (the bookmaker's own name), odds, is_active.
    """
    spellings = _spellings(tuple(names.items()))
    written = outcome_rows(outcomes, "written")
    is_common = bindparam(None, spellings.common, type_=JSONB, unique=True).has_key(written.c.name)
    # A common name needs no search: its text is NULL, and so is all that follows from it.
    text = case((~is_common, _reduced_in_sql(written.c.name)))
    home, away = map(_reduced_in_sql, teams)
    number = case((line.is_not(None), func.substring(text, _NUMBER_AT_END_IN_SQL)))
    # OFFSET makes PostgreSQL compute each column once.
    columns = (text.label("text"), number.label("number"), home.label("home"), away.label("away"))
    reduced = (
        select(*written.c, *columns, line.label("line"))
        .correlate_except(written)
        .offset(literal_column("0"))
        .subquery("reduced")
    )
    named = _with_common_names(reduced, spellings)
    is_alone = func.count().over(partition_by=named.c.common) == 1
    name = case((is_alone, named.c.common), else_=named.c.name).label("name")
    others = named.c.name.label("written"), named.c.odds, named.c.is_active
    return select(name, *others).correlate_except(named).lateral(alias)


@dataclass(frozen=True)
class _Spellings:
    """The spellings of common names."""

    #: The common names, by themselves.
    common: Mapping[str, str]
    #: The common names by spelling, reduced, also with the marks of the teams.
    names: Mapping[str, str]


@lru_cache
def _spellings(names: tuple[tuple[str, str], ...]) -> _Spellings:
    common = {name: name for _, name in names}
    reduced = {_reduced(text): name for text, name in (*common.items(), *names)}
    of_teams = {
        text.replace("home", _HOME).replace("away", _AWAY): name for text, name in reduced.items()
    }
    return _Spellings(common, of_teams | reduced)


# -- in Python -------------------------------------------------------------------------------------


def _common_name(
    name: str, teams: Sequence[tuple[str, str]], line: float | None, spellings: _Spellings
) -> str:
    text = _reduced(name)
    texts = [text]
    if line is not None and (end := re.search(_NUMBER_AT_END, text)) is not None:
        first, _, second = end[0].strip(_AROUND).partition(":")
        if abs(float(first) - float(second or 0)) == abs(line):
            texts.append(text[: end.start()])
    found = {
        spellings.names[spelling]
        for text in texts
        for spelling in (text, _with_marks(text, teams))
        if spelling in spellings.names
    }
    return found.pop() if len(found) == 1 else name


def _reduced(text: str) -> str:
    return text.translate(_REDUCED)


def _marked_teams(offer: MarketAtBookmaker) -> Sequence[tuple[str, str]]:
    """List the teams with their marks, the longer one first: it may hold the name of the other."""
    home, away = _reduced(offer.home_team), _reduced(offer.away_team)
    if home == away:
        return []
    teams = [(home, _HOME), (away, _AWAY)]
    return teams if len(home) >= len(away) else teams[::-1]


def _with_marks(text: str, teams: Sequence[tuple[str, str]]) -> str:
    for team, mark in teams:
        if team:
            text = text.replace(team, mark)
    return text


def _renamed(outcome: Outcome, name: str) -> Outcome:
    return stored_outcome(name, outcome.odds, outcome.is_active)


# -- in SQL ----------------------------------------------------------------------------------------


def _with_common_names(reduced: FromClause, spellings: _Spellings) -> FromClause:
    """Add the column `common` to reduced names, step by step: each text is written once."""
    number = func.btrim(reduced.c.number, _AROUND)
    first, second = (func.nullif(func.split_part(number, ":", part), "") for part in (1, 2))
    distance = cast(first, Double) - cast(func.coalesce(second, "0"), Double)
    is_line = func.abs(distance) == func.abs(reduced.c.line)
    without_line = func.left(reduced.c.text, -func.length(reduced.c.number))
    names = bindparam(None, spellings.names, type_=JSONB, unique=True).label("names")
    outcome = "name", "odds", "is_active"
    texts = select(
        *(reduced.c[name] for name in (*outcome, "text", "home", "away")),
        case((is_line, without_line)).label("short"),
        names,
    ).subquery("texts")
    spelled = select(
        *(texts.c[name] for name in (*outcome, "names", "text", "short")),
        *(
            _with_marks_in_sql(text, texts.c.home, texts.c.away).label(f"{text.name}_with_marks")
            for text in (texts.c.text, texts.c.short)
        ),
    ).subquery("spelled")
    found = select(
        *(spelled.c[name] for name in outcome),
        *(
            spelled.c.names[spelled.c[name]].astext.label(name)
            for name in ("text", "text_with_marks", "short", "short_with_marks")
        ),
    ).subquery("found")
    each = [column for column in found.c if column.name not in outcome]
    # Both leave out NULL: texts that are no spelling.
    least, greatest = func.least(*each), func.greatest(*each)
    common = case((least == greatest, least), else_=found.c.name).label("common")
    return select(*(found.c[name] for name in outcome), common).subquery("named")


def _reduced_in_sql(text: Any) -> ColumnElement[str]:
    reduced: ColumnElement[str] = func.lower(collate(text, "C"))
    for space in _SPACES:
        reduced = func.replace(reduced, space, "")
    return reduced


def _with_marks_in_sql(text: Any, home: Any, away: Any) -> ColumnElement[str]:
    home_first = func.replace(func.replace(text, home, _HOME), away, _AWAY)
    away_first = func.replace(func.replace(text, away, _AWAY), home, _HOME)
    return case(
        (home == away, text),
        (func.length(home) < func.length(away), away_first),
        else_=home_first,
    )
