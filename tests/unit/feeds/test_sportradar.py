"""Specifiers and ids of SportRadar: they arrive in the contract as they were given."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsschema import CapturedCompetitorEvent, HandicapType, Market
from oddsschema.feeds import handicap, specifiers, sportradar_id
from oddsschema.strategies import field_values

OUTCOMES = [{"name": "1", "odds": 2.0}]
quarters = st.integers(-400, 400).map(lambda quarter: quarter / 4)
#: Specifiers besides the line and the handicap, sorted.
others = (
    field_values(Market.model_fields["specifiers"])
    .filter(bool)
    .filter(lambda text: not {"hcp", "total"} & {part.split("=")[0] for part in text.split("|")})
)


def market(**fields: Any) -> Market:
    """Build a market with these fields."""
    return Market.model_validate(
        {"betpawa_market_id": "5000", "betpawa_market_name": "O/U", "outcomes": OUTCOMES} | fields
    )


@given(total=quarters, rest=others)
def test_total(total: float, rest: str) -> None:
    """A total becomes the line, all else stays specifiers, and the contract accepts both."""
    found = specifiers(f"total={total}|{rest}")
    assert found == {
        "line": total,
        "handicap_type": None,
        "handicap_home": None,
        "handicap_away": None,
        "specifiers": rest,
    }
    assert market(**found).line == total
    assert market(**found).specifiers == rest


@given(home=st.integers(0, 20), away=st.integers(0, 20))
def test_european_handicap(home: int, away: int) -> None:
    """The score 0:1 is a goal less for the home team, and the contract accepts it."""
    stored = market(**specifiers(f"hcp={home}:{away}"))
    assert stored.handicap_type is HandicapType.EUROPEAN
    assert (stored.line, stored.handicap_home) == (home - away, home - away)
    assert stored.specifiers is None


@given(goals=quarters)
def test_asian_handicap(goals: float) -> None:
    """A number is the goals of the home team, and the contract accepts it."""
    for given_ in (f"hcp={goals}", f"hcp={goals:+}", {"hcp": goals}, {"hcp": str(goals)}):
        stored = market(**specifiers(given_))
        assert stored.handicap_type is HandicapType.ASIAN
        assert (stored.line, stored.handicap_away) == (goals, -goals)


@given(goals=quarters, sign=st.sampled_from(["", " ", "+"]))
def test_handicap_of_a_team(goals: float, sign: str) -> None:
    """The goals of both teams, opposite in sign, are one Asian handicap of the home team."""
    for text in (goals, str(goals), f"{sign}{goals}" if goals >= 0 else f"\N{MINUS SIGN}{-goals}"):
        home = specifiers({"hcp": handicap(text)})
        assert home["handicap_type"] is HandicapType.ASIAN
        assert (home["line"], home["handicap_away"]) == (goals, -goals)
    assert specifiers({"hcp": handicap(-goals, of="away")}) == home


@given(goals=st.integers(-999, 999))
def test_handicap_with_a_draw(goals: int) -> None:
    """The goals of either team in a market with a draw are one European handicap."""
    for text in (goals, f"{goals:+}", f"{goals}.0"):
        home = specifiers({"hcp": handicap(text, three_way=True)})
        assert home["handicap_type"] is HandicapType.EUROPEAN
        assert (home["line"], home["handicap_away"]) == (goals, -goals)
    assert specifiers({"hcp": handicap(-goals, of="away", three_way=True)}) == home


@given(st.floats() | st.from_regex(r"[+-]?[0-9]{0,10}\.?[0-9]{0,10}", fullmatch=True))
def test_handicap_is_readable(goals: float | str) -> None:
    """Whatever is given, the result is a handicap that `specifiers` reads, or a ValueError."""
    for three_way in (False, True):
        try:
            value = handicap(goals, three_way=three_way)
        except ValueError:
            continue
        assert specifiers({"hcp": value})["line"] == float(goals)


@pytest.mark.parametrize("goals", ["0:1", "0/-0.5", "-0.5,-1", "", None, True, float("nan"), "1e5"])
def test_no_handicap(goals: Any) -> None:
    """Goals that are no number are refused, with the way to write quarter lines."""
    with pytest.raises(ValueError, match=r"has no number: .* quarter line, .* mean, -0\.25"):
        handicap(goals)


@pytest.mark.parametrize("goals", ["-0.5", 1.25])
def test_handicap_that_is_no_score(goals: Any) -> None:
    """A half goal in a market with a draw is refused: no score has it."""
    with pytest.raises(ValueError, match="is no whole number: a handicap with a draw is a score"):
        handicap(goals, three_way=True)


def test_handicap_of_no_team() -> None:
    """A handicap of anything but a team is refused: the draw has no sign of its own."""
    of: Any = "draw"
    with pytest.raises(ValueError, match="of must be 'home' or 'away', not 'draw'"):
        handicap("-1", of=of)


@pytest.mark.parametrize("text", ["hcp=-0", "hcp=-0.00", "hcp=1:1", "total=-0"])
def test_zero(text: str) -> None:
    """Zero has no sign, so that a handicap of no goals is one line."""
    numbers = [value for value in specifiers(text).values() if isinstance(value, float)]
    assert {str(number) for number in numbers} == {"0.0"}


def test_handicap_and_total() -> None:
    """The line of a market with both is the handicap, and the total keeps markets apart."""
    found = specifiers("total=2.5|hcp=0:1|variant=sr:a:3+")
    assert found["line"] == -1
    assert found["specifiers"] == "total=2.5|variant=sr:a:3+"


@given(others)
def test_mapping_and_text(text: str) -> None:
    """A mapping is read like the text of the same specifiers."""
    values = dict(part.split("=", 1) for part in text.split("|"))
    assert specifiers(values) == specifiers(text)
    assert specifiers({**values, "total": 2.5, "hcp": None}) == specifiers(f"{text}|total=2.5")


def test_numbers_in_a_mapping() -> None:
    """Whole numbers are written without a decimal point, so that feeds agree."""
    assert specifiers({"minute": 15.0, "set": 2})["specifiers"] == "minute=15|set=2"


@pytest.mark.parametrize("nothing", [None, "", "  ", {}, {"total": None, "hcp": " ", "set": ""}])
def test_nothing(nothing: Any) -> None:
    """A market without specifiers has no line, no handicap and none of them."""
    assert set(specifiers(nothing).values()) == {None}


@pytest.mark.parametrize(
    "given_",
    [
        *("total", "total=", "=2.5", "total=2.5|", "total=2.5|total=3.5"),
        *("total=abc", "total=nan", "total=1_0", "hcp=", "hcp=0:x", "hcp=0:-1", "hcp=1/2"),
        *({"a": "b|c=d"}, {"a=b": "c"}, {"a|b": "c"}, {"": "a"}, {"a": 1, " a": 2}),
        *({"total": "1:0"}, {"hcp": float("nan")}, {"total": True}),
    ],
)
def test_unreadable(given_: Any) -> None:
    """Specifiers that cannot be read, or a line that is no number, are refused with a sentence."""
    with pytest.raises(ValueError, match=r"no specifiers: |has no number: write, for example"):
        specifiers(given_)


@pytest.mark.parametrize("text", ["total=2/2.5", "total=2,2.5", "hcp=0/-0.5", "hcp=0,-0.5"])
def test_quarter_lines(text: str) -> None:
    """A pair of lines is refused with the mean as the value, and not with one of the pair."""
    mean = r"total=2\.25" if text.startswith("total") else r"hcp=-0\.25"
    with pytest.raises(ValueError, match=f"{text} has no number: .* is its mean, {mean}$"):
        specifiers(text)


@pytest.mark.parametrize(
    "name", ["line", "Line", "handicap", "handicap_home", "specifiers", "Total", "HCP", " TOTAL "]
)
def test_names_that_are_no_specifiers(name: str) -> None:
    """A line under another name than `total` or `hcp` is refused: the market would have none."""
    for given_ in ({name: 2.5, "minute": 15}, f"minute=15|{name}=2.5"):
        with pytest.raises(
            ValueError, match=f"'{name.strip()}' is no name of a specifier: .*'hcp'"
        ):
            specifiers(given_)


@given(
    st.builds("sr:match:{}".format, st.integers(0))
    | st.builds("sr:tournament:{}".format, st.integers(0))
    | field_values(CapturedCompetitorEvent.model_fields["sportradar_id"]).filter(
        lambda text: bool(text and text.strip())
    )
    | st.integers(0, 10**9)
)
def test_ids_are_the_stored_ones(urn: str | int) -> None:
    """An id is converted to the form in which the contracts of both kinds store it."""
    event = CapturedCompetitorEvent.model_validate(
        {
            "source": "bet9ja",
            "external_id": "1",
            "sportradar_id": urn,
            "name": "A - B",
            "home_team": "A",
            "away_team": "B",
            "kickoff": "2024-01-20T17:00:00Z",
            "tournament": {
                "external_id": "1",
                "sportradar_id": urn,
                "name": "Super League",
                "sport": {"slug": "football", "name": "Football"},
            },
        }
    )
    assert sportradar_id(urn) == event.sportradar_id
    assert sportradar_id(urn, "tournament") == event.tournament.sportradar_id


@pytest.mark.parametrize("urn", ["", " ", None, True, 1.5, "9" * 101])
def test_no_id(urn: Any) -> None:
    """A value that no column of ids accepts is refused."""
    with pytest.raises(ValueError, match="is no SportRadar id, such as sr:match:17"):
        sportradar_id(urn)
