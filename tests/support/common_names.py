"""Names of outcomes: spellings of common names, names of teams, and markets of such names."""

from typing import Any

from hypothesis import strategies as st

from oddsschema import Outcome
from oddsschema.queries import OUTCOME_NAMES

#: The common names.
COMMON = sorted(set(OUTCOME_NAMES.values()))
#: Lines of totals and of handicaps.
lines = st.sampled_from([None, 0.0, 0.5, 1.0, 2.0, 2.5, 10.0, -1.0, -1.5, 0.25, 20.0])

#: Names of teams that are no outcomes.
_TEAMS = ["Arsenal", "Young Boys", "Cádiz CF", "FC Basel 1893", "Zürich (W)", "Олимпик", "A.or.B"]
#: Names of teams that are names of outcomes, or a part of other names.
_STRANGE_TEAMS = ["Draw", "Over", "Home", "Away", "1", "X2", "H", "Arsenal U21", "or", "é"]
_PARTS = ["Over", "Under", "Home", "Away", "Draw", "draw", "OR", "/", "1", "X", "2", "x", "(", ")"]
_NUMBERS = ["2.5", "2", "0:1", "(-1.5)", "+1", "2.", "1e1", "0", "007", "2.5.1", "\u0662", "²"]


def two_of(names: list[str]) -> st.SearchStrategy[tuple[str, str]]:
    """Draw two names."""
    return st.permutations(names).map(lambda drawn: (drawn[0], drawn[1]))


#: Two teams whose names are no outcomes, and two of any names.
teams, any_teams = two_of(_TEAMS), two_of(_TEAMS + _STRANGE_TEAMS)


@st.composite
def spelled(draw: st.DrawFn, common: str, line: float | None, sides: tuple[str, str]) -> str:
    """Draw a spelling of a common name."""
    spellings = [common, *(text for text, name in OUTCOME_NAMES.items() if name == common)]
    text = draw(st.sampled_from(spellings))
    if draw(st.booleans()):
        text = text.replace("Home", sides[0]).replace("Away", sides[1])
    if line is not None and draw(st.booleans()):
        numbers = [f"({line:g})", f"({line:+g})", f"({abs(line):.2f})"]
        # X 2 could be a double chance, and a team may have a number at its end.
        if len(text) > 2 and text[-1].isalpha():
            numbers += [f"{line:g}", f"{line}", f"{line:+g}", f"\u00a0{abs(line)}"]
        text += draw(st.sampled_from(["", " "])) + draw(st.sampled_from(numbers))
    return draw(st.sampled_from([text, text.replace(" ", "  "), _upper(text), _lower(text)]))


def _upper(text: str) -> str:
    return "".join(letter.upper() if letter.isascii() else letter for letter in text)


def _lower(text: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


@st.composite
def markets(draw: st.DrawFn, sides: tuple[str, str] | None = None) -> dict[str, Any]:
    """Draw a market of teams and outcomes with any names, many of them close to common ones."""
    home, away = sides or draw(any_teams)
    parts = [*_PARTS, *_NUMBERS, *OUTCOME_NAMES, home, away, " ", "\u00a0", "é", "É", "K"]
    near = st.lists(st.sampled_from(parts), min_size=1, max_size=4).map("".join)
    spaced = st.lists(st.sampled_from(parts), min_size=1, max_size=4).map(" ".join)
    known = st.sampled_from([*OUTCOME_NAMES, *COMMON, home, away])
    any_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
    names = st.one_of(known, near, spaced, any_text).map(str.strip).filter(bool)
    return {
        "home_team": home,
        "away_team": away,
        "line": draw(lines),
        "outcomes": tuple(
            Outcome(name=name, odds=2.0)
            for name in draw(st.lists(names, min_size=1, max_size=5, unique=True))
        ),
    }
