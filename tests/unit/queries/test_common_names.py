"""Outcomes line up under the names that all bookmakers share."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsschema import Outcome
from oddsschema.queries import OUTCOME_NAMES, Offer, lined_up
from tests.support.common_names import COMMON, lines, markets, spelled, teams


def offer(names: list[str], *, line: float | None = None, **fields: Any) -> Offer:
    """Build an offer with outcomes of these names."""
    outcomes = tuple(Outcome(name=name, odds=2 + number) for number, name in enumerate(names))
    sides = {"home_team": "Arsenal", "away_team": "FC Basel 1893"}
    return Offer.model_construct(**sides | fields, line=line, outcomes=outcomes)


def names(given_: Offer, *args: Any) -> list[str]:
    """Return the common names of an offer's outcomes."""
    return [outcome.name for outcome in lined_up(given_, *args)]


@given(data=st.data(), line=lines, sides=teams)
def test_spellings_line_up(data: st.DataObject, line: float | None, sides: tuple[str, str]) -> None:
    """Known names, the teams' names and a repeated line are spellings of a common name."""
    common = data.draw(st.lists(st.sampled_from(COMMON), min_size=1, max_size=4, unique=True))
    written = [data.draw(spelled(name, line, sides)) for name in common]
    home, away = sides
    assert names(offer(written, line=line, home_team=home, away_team=away)) == common


@given(market=markets())
def test_names_stay_distinct(market: Any) -> None:
    """The outcomes of a market keep their order and prices, and never share a name."""
    given_ = Offer.model_construct(**market)
    found = lined_up(given_)
    assert len({outcome.name for outcome in found}) == len(found)
    without_names = [outcome.model_copy(update={"name": ""}) for outcome in found]
    assert without_names == [outcome.model_copy(update={"name": ""}) for outcome in given_.outcomes]
    again = Offer.model_construct(**market | {"outcomes": found})
    assert lined_up(again) == found


@given(market=markets())
def test_unknown_names_stay(market: Any) -> None:
    """An outcome has a common name or its own, and its own one if another claims the same."""
    given_ = Offer.model_construct(**market)
    alone = [
        lined_up(Offer.model_construct(**market | {"outcomes": (outcome,)}))[0].name
        for outcome in given_.outcomes
    ]
    counts = Counter(alone)
    for outcome, name, found in zip(given_.outcomes, alone, lined_up(given_), strict=True):
        assert found.name == (name if counts[name] == 1 else outcome.name)
        assert found.name in (outcome.name, *OUTCOME_NAMES.values())


@pytest.mark.parametrize(
    ("written", "common"),
    [
        (["Home", "Draw", "Away"], ["1", "X", "2"]),
        (["Arsenal", "Tie", "fc basel 1893"], ["1", "X", "2"]),
        (["ARSENAL", "Draw", "Basel"], ["1", "X", "Basel"]),
        (["Arsenal or Draw", "Arsenal or FC Basel 1893", "DRAW OR AWAY"], ["1X", "12", "X2"]),
        (["Home/Home", "FC Basel 1893/Arsenal", "1/X"], ["1/1", "2/1", "1/X"]),
        (["GG", "NG"], ["Yes", "No"]),
        (["YES", "NO"], ["Yes", "No"]),
        (["Kai Havertz", "No goal", "Other"], ["Kai Havertz", "No goal", "Other"]),
        # Home and 1 are the same outcome of a market that has both: neither is renamed.
        (["Home", "1", "Draw"], ["Home", "1", "X"]),
        (["1-2", "12", "1 - Over"], ["1-2", "12", "1 - Over"]),
    ],
)
def test_examples(written: list[str], common: list[str]) -> None:
    """The names of feeds line up, and other names stay."""
    assert names(offer(written)) == common


@pytest.mark.parametrize(
    ("line", "written", "common"),
    [
        (2.5, ["Over 2.5", "under(2.50)"], ["Over", "Under"]),
        (2.0, ["Over 2", "Under 2.0"], ["Over", "Under"]),
        (2.5, ["Over 3.5", "Under 25"], ["Over 3.5", "Under 25"]),
        (None, ["Over 2.5", "Under 2.5"], ["Over 2.5", "Under 2.5"]),
        (-1.5, ["Home (-1.5)", "Away (+1.5)"], ["1", "2"]),
        (-1.0, ["1 (0:1)", "X (0:1)", "2 (0:1)"], ["1", "X", "2"]),
        (1.0, ["1 (+1)", "2 -1"], ["1", "2"]),
        (2.0, ["12", "X2", "1X"], ["12", "X2", "1X"]),
        # The draw with a line of 2, or a double chance?
        (2.0, ["x 2", "Arsenal -2"], ["x 2", "1"]),
    ],
)
def test_examples_with_a_line(line: float | None, written: list[str], common: list[str]) -> None:
    """A number at the end is left out where it is the line of the market."""
    assert names(offer(written, line=line)) == common


@pytest.mark.parametrize(
    ("home", "away", "written", "common"),
    [
        ("Draw", "Over", ["Draw", "Over"], ["Draw", "Over"]),
        ("Draw", "Basel", ["1", "X", "2"], ["1", "X", "2"]),
        ("Home", "Away", ["Home", "Draw", "Away"], ["1", "X", "2"]),
        ("Away", "Home", ["Home", "Draw", "Away"], ["Home", "X", "Away"]),
        ("Inter", "Inter Miami", ["Inter", "Draw", "Inter Miami"], ["1", "X", "2"]),
        ("Inter Miami", "Inter", ["Inter or Draw", "Inter Miami or Draw"], ["X2", "1X"]),
        ("United", "UNITED", ["United", "Home"], ["United", "1"]),
    ],
)
def test_examples_of_teams(home: str, away: str, written: list[str], common: list[str]) -> None:
    """A name of two meanings stays: that of a team, and that of another outcome."""
    assert names(offer(written, home_team=home, away_team=away)) == common


def test_names_are_given() -> None:
    """Other names than the usual ones can be given, or none."""
    written = offer(["Arsenal", "Remis", "Away"])
    assert names(written, {**OUTCOME_NAMES, "Remis": "X"}) == ["1", "X", "2"]
    assert names(written, {}) == ["Arsenal", "Remis", "Away"]
    assert names(written, {"1": "Heim", "Home": "Heim"}) == ["Heim", "Remis", "Away"]
    # A common name is never renamed: 2 keeps its meaning.
    assert names(offer(["1", "2", "3"]), {"2": "X", "3": "2"}) == ["1", "2", "3"]
