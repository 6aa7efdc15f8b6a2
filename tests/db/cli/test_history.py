"""`oddsschema history` shows the rows of queries as text, as JSON and as a picture."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from sqlmodel.ext.asyncio.session import AsyncSession

from oddsschema import IngestOptions, ingest, queries
from oddsschema.cli import cli
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.errors import OddsSchemaError
from oddsschema.queries import PricePoint
from tests.support.histories import KICKOFF, START, capture
from tests.support.screens import program

Run = Callable[..., Any]
History = Callable[..., Result]


def market(betpawa_market_id: str, name: str, *prices: Any, **key: Any) -> dict[str, Any]:
    """Build a market of outcomes: (name, odds), or (name, odds, is_active)."""
    return {
        "betpawa_market_id": betpawa_market_id,
        "betpawa_market_name": name,
        **key,
        "outcomes": [
            dict(zip(("name", "odds", "is_active"), price, strict=False)) for price in prices
        ],
    }


def full_time(*prices: Any) -> dict[str, Any]:
    """Build the market of most of the tests."""
    return market("3743", "1X2 - Full Time", *prices)


TOTAL = market("5000", "Over/Under - Full Time", ("Over", 1.8), line=2.5)
CHANCE = market("4693", "Double Chance - Full Time", ("1X", 1.3), ("12", 1.25), ("X2", 1.9))
FIRST = full_time(("1", 2.0), ("X", 3.5), ("2", 3.4))
LATER = full_time(("1", 1.9), ("X", 3.5, False), ("2", 3.4))
THEIRS = full_time(("Home", 2.0), ("Draw", 3.4), ("Away", 3.6))
#: Captures: platform, minute and markets.
CAPTURES = [
    ("betpawa", 0, [FIRST, TOTAL, CHANCE]),
    ("betpawa", 10, [LATER, TOTAL, CHANCE]),
    ("betpawa", 20, [TOTAL, CHANCE]),
    ("betpawa", 30, [FIRST, TOTAL, CHANCE]),
    ("betpawa", 40, [FIRST, TOTAL, CHANCE]),
    ("sportybet", 5, [full_time(("1", 2.0), ("X", 3.4), ("2", 3.6))]),
    ("sportybet", 15, [THEIRS]),
    ("sportybet", 25, [THEIRS]),
]


def goal(player: str, odds: float) -> dict[str, Any]:
    """Build a market that differs from others of its kind in its specifiers."""
    specifiers = f"player=sr:player:{player}|minute=15"
    return market("9001", "Player To Score", ("Yes", odds), specifiers=specifiers)


SUSPENDED = full_time(("1", None, False), ("X", 3.5, False), ("2", 3.4, False))
#: Captures of an event in play: after a goal, BetPawa suspends a market, then SportyBet's is wrong.
LIVE = [
    ("betpawa", 0, [FIRST, goal("1", 4.0), goal("2", 5.0)]),
    ("betpawa", 5, [full_time(("1", 2.0), ("X", 3.5), ("2", 3.4, False))]),
    ("betpawa", 10, [SUSPENDED, goal("1", 4.5)]),
    ("betpawa", 15, [full_time(("1", None, False), ("X", None, False), ("2", None, False))]),
    ("sportybet", 0, [THEIRS, TOTAL]),
    ("sportybet", 20, [full_time(("1", 0.5)), TOTAL]),
]
#: Outcomes with names as long as players', more than a line has room for.
PLAYERS = [f"Player With A Name Of {number:>2} Words" for number in range(1, 8)]
#: Captures of an event with markets of ids that are words, and of many outcomes.
MANY = [
    (
        minute,
        [
            market("win-ot", "Winner incl. overtime", ("FC Home", 1.5 + minute), ("Away", 2.5)),
            market("4706", "HT / FT", *((f"{a}/{b}", 9.0 + minute) for a in "1X2" for b in "1X2")),
            market("129108", "Goalscorer", *((name, 4.0) for name in PLAYERS[minute > 0 :])),
        ],
    )
    for minute in (0, 1)
]


@pytest.fixture(scope="module")
def url(new_database: Callable[..., Any], template: str, run: Run) -> Iterator[str]:
    """Return the URL of a database with the captures of several events."""
    captures = [
        capture(platform, START + timedelta(minutes=minutes), markets, "31")
        for platform, minutes, markets in CAPTURES
    ]
    captures.append(capture("bet9ja", START, [FIRST], "theirs"))
    twice = [capture("bet9ja", START, [FIRST], "twice"), capture("bet9ja", START, [THEIRS], "two")]
    twice[1]["competitor_event"]["sportradar_id"] = "twice"
    captures.extend(twice)
    with new_database(template) as url:
        assert run(ingest(url, captures, options=IngestOptions(keyframe_share=10.0))).all_stored
        live = [
            capture(platform, START + timedelta(minutes=minutes), markets, "live")
            for platform, minutes, markets in LIVE
        ]
        assert run(ingest(url, live)).total.markets_refused == 1
        many = [
            capture("bet9ja", START + timedelta(minutes=minute), markets, "many")
            for minute, markets in MANY
        ]
        for taken in many:
            taken["competitor_event"] |= {"home_team": "FC Home", "away_team": "Away"}
        assert run(ingest(url, many)).all_stored
        yield url


@pytest.fixture
def history(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    """Return a function that runs the command in an empty directory."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(cli, ["history", "--url", url, *words])


def test_offers_are_side_by_side(history: History) -> None:
    """Each bookmaker has a column, BetPawa first; the best price is marked where prices differ."""
    assert (
        history("31").output
        == """\
A - B, kickoff 2024-01-20 17:00 UTC
                                betpawa     sportybet
  seen                     09 Jan 12:40  09 Jan 12:25
1X2 - Full Time (3743)
  1                                2.00*         2.00*
  X                                3.50*         3.40
  2                                3.40          3.60*
  overround                        8.0%          7.2%
Double Chance - Full Time (4693)
  1X                               1.30             -
  12                               1.25             -
  X2                               1.90             -
  overround                        4.8%             -
Over/Under - Full Time (5000), line 2.5
  Over                             1.80             -
  * the best price
"""
    )


def test_offers_as_of_an_instant(history: History) -> None:
    """The offer of an instant has the prices of then; an inactive outcome is closed."""
    assert (
        history("31", "--at", "2024-01-09T12:12", "--line", "2.5").output
        == """\
A - B, kickoff 2024-01-20 17:00 UTC
                                betpawa
  seen                     09 Jan 12:10
Over/Under - Full Time (5000), line 2.5
  Over                             1.80
"""
    )
    assert "closed" in history("31", "--at", "2024-01-09T12:12").output
    before = history("31", "--at", "2024-01-09")
    assert before.output == "A - B, kickoff 2024-01-20 17:00 UTC\nnothing is on offer\n"
    assert before.exit_code == 0


def test_changes_with_plots(history: History) -> None:
    """The history has a line for each change and for the last capture."""
    assert (
        history("31", "1x2").output
        == """\
A - B, kickoff 2024-01-20 17:00 UTC

1X2 - Full Time (3743)
  betpawa                     1       X       2  overround
  2024-01-09 12:00:00      2.00    3.50    3.40       8.0%
  2024-01-09 12:10:00      1.90  closed    3.40
  2024-01-09 12:20:00    not on offer
  2024-01-09 12:30:00      2.00    3.50    3.40       8.0%
  2024-01-09 12:40:00    unchanged
    1                  ██████████▁▁▁▁▁▁▁▁▁▁          ██████████  1.90 to 2.00
    X                  ▁▁▁▁▁▁▁▁▁▁                    ▁▁▁▁▁▁▁▁▁▁  3.50
    2                  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁          ▁▁▁▁▁▁▁▁▁▁  3.40
  sportybet                   1       X       2  overround
  2024-01-09 12:05:00      2.00    3.40    3.60       7.2%
  2024-01-09 12:25:00    unchanged
    1                  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁  2.00
    X                  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁  3.40
    2                  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁  3.60
"""
    )


def test_suspended_markets_are_side_by_side(history: History) -> None:
    """Closed outcomes, suspended markets, and markets that the last capture refused are marked."""
    assert (
        history("live").output
        == """\
A - B, kickoff 2024-01-20 17:00 UTC
                                betpawa     sportybet
  seen                     09 Jan 12:15  09 Jan 12:20
1X2 - Full Time (3743)
  1                           suspended          2.00
  X                           suspended          3.40
  2                           suspended          3.60
  overround                           -          7.2%
  carried                             -           yes
Over/Under - Full Time (5000), line 2.5
  Over                                -          1.80
  * the best price
  carried: the market was refused in the last capture, and the prices are older
"""
    )
    before = history("live", "--at", "2024-01-09T12:06").output
    assert re.search("2 +closed +3.60\n", before)
    assert "carried" not in before


def test_changes_of_a_suspended_market(history: History) -> None:
    """A suspended market says so once, whether or not its outcomes keep their last prices."""
    changes = history("live", "3743").output
    assert (
        changes[: changes.index("  sportybet")]
        == """\
A - B, kickoff 2024-01-20 17:00 UTC

1X2 - Full Time (3743)
  betpawa                     1       X       2  overround
  2024-01-09 12:00:00      2.00    3.50    3.40       8.0%
  2024-01-09 12:05:00      2.00    3.50  closed
  2024-01-09 12:10:00    suspended
  2024-01-09 12:15:00    still suspended
    1                  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁                2.00
    X                  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁                3.50
    2                  ▁▁▁▁▁▁▁▁▁▁▁▁▁                             3.40
"""
    )
    outcomes = [point["outcomes"] for point in json.loads(history("live", "3743", "--json").output)]
    odds = [outcome["odds"] for point in outcomes[2:4] for outcome in point]
    assert odds == [None, 3.5, 3.4, None, None, None]


def test_markets_that_differ_in_specifiers(history: History) -> None:
    """Markets that differ only in specifiers have a title of their own, and can be chosen."""
    first, second = (f"minute=15|player=sr:player:{player}" for player in "12")
    both = history("live", "score").output
    assert f"Player To Score (9001), {first}\n" in both
    assert f"Player To Score (9001), {second}\n" in both
    chosen = history("live", "9001", "--specifiers", "player=sr:player:2 | minute=15").output
    assert second in chosen
    assert first not in chosen
    offers = json.loads(history("live", "--at", "2024-01-09T12:00", "--json").output)
    for specifiers in (first, second, ""):
        words = "--at", "2024-01-09T12:00", "--json", "--specifiers", specifiers
        assert json.loads(history("live", *words).output) == [
            offer for offer in offers if offer["specifiers"] == (specifiers or None)
        ]


def test_event_is_found(history: History) -> None:
    """An event is found by its SportRadar id, and BetPawa's event by its own id as well."""
    assert history("1").output == history("31").output == history("sr:match:31").output
    assert isinstance(history("sr:match:1").exception, OddsSchemaError)
    assert "bet9ja" in history("theirs").output


def test_events_are_asked_back(database: str, run: Run) -> None:
    """Words find an event; several events with the words are listed with their ids."""
    names = {"1": "Lagos Énugu", "2": "Lagos\nKano"}
    for number, name in names.items():
        captured = capture("bet9ja", START, [FIRST], number)
        captured["competitor_event"] |= {"name": name, "sportradar_id": f"4000{number}"}
        assert run(ingest(database, [captured])).all_stored
    ended = program("history", "lagos", "--url", database)
    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr.splitlines() == [
        "error: several events have 'lagos' in their names: give the SportRadar id of one, or more "
        "words",
        f"  40001  {KICKOFF:%Y-%m-%d %H:%M}  Lagos Énugu",
        f"  40002  {KICKOFF:%Y-%m-%d %H:%M}  Lagos Kano",
    ]
    ended = program("history", "LAGOS ENUGU", "--url", database)
    assert ended.code == 0, ended.stderr
    assert ended.stdout.startswith("Lagos Énugu, kickoff")


def test_many_events_are_not_all_listed(database: str, run: Run) -> None:
    """At most ten events are listed: those with a kickoff near to now."""
    found = []
    for number in range(12):
        captured = capture("bet9ja", START, [FIRST], str(number))
        kickoff = datetime.now(UTC) + timedelta(days=number - 3)
        captured["competitor_event"] |= {"sportradar_id": f"5000{number}", "kickoff": kickoff}
        found.append(captured)
    assert run(ingest(database, found)).all_stored
    lines = program("history", "a", "--url", database).stderr.splitlines()
    assert "among them these" in lines[0]
    assert [line.split()[0] for line in lines[1:]] == [f"5000{n}" for n in range(10)]


def test_market_with_an_id_of_words(history: History) -> None:
    """A market is found by an id that is no number; a team's name is that of its outcome."""
    assert (
        history("many", "win-ot").output
        == """\
A - B, kickoff 2024-01-20 17:00 UTC

Winner incl. overtime (win-ot)
  bet9ja                      1       2  overround
  2024-01-09 12:00:00      1.50    2.50       6.7%
  2024-01-09 12:01:00      2.50    2.50     -20.0%
    1                  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁█  1.50 to 2.50
    2                  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁  2.50
"""
    )


def test_many_outcomes_are_wrapped(history: History) -> None:
    """Blocks of outcomes follow each other; the overround is behind the last ones."""
    output = history("many", "4706").output
    assert (
        output[: output.index("\n    1/1 ") + 1]
        == """\
A - B, kickoff 2024-01-20 17:00 UTC

HT / FT (4706)
  bet9ja                    1/1     1/X     1/2     X/1     X/X
  2024-01-09 12:00:00      9.00    9.00    9.00    9.00    9.00
  2024-01-09 12:01:00     10.00   10.00   10.00   10.00   10.00
  bet9ja                    X/2     2/1     2/X     2/2  overround
  2024-01-09 12:00:00      9.00    9.00    9.00    9.00       0.0%
  2024-01-09 12:01:00     10.00   10.00   10.00   10.00     -10.0%
"""
    )


@pytest.mark.parametrize("width", [80, 100, 200])
def test_lines_fit(width: int, history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is wider than the output; a long name is cut above the prices, and whole below."""
    monkeypatch.setenv("COLUMNS", str(width))
    lines = history("many", "129108").output.splitlines()
    assert max(map(len, lines)) <= width
    heads = [head for line in lines if "bet9ja" in line for head in re.findall("Player.*?…", line)]
    assert heads == ["Player With A Name …"] * len(PLAYERS)
    assert [line.strip() for line in lines if line.strip() in PLAYERS] == PLAYERS
    # The first one is not offered any more, in a block with others or alone.
    rows = [line.split()[2:] for line in lines if line.startswith("  2024-01-09 12:01")]
    assert rows[0][:2] == ["-", "4.00"]
    assert all(row[0] == "unchanged" for row in rows[1:-1])
    assert rows[-1][-1] == "50.0%"


def test_event_that_is_listed_twice(history: History) -> None:
    """Several listings of an event at one bookmaker are distinguished by their ids."""
    assert (
        history("twice", "1X2").output
        == """\
A - B, kickoff 2024-01-20 17:00 UTC

1X2 - Full Time (3743)
  bet9ja 3                    1       X       2  overround
  2024-01-09 12:00:00      2.00    3.50    3.40       8.0%
    1                  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁  2.00
    X                  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁  3.50
    2                  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁  3.40
  bet9ja 4                    1       X       2  overround
  2024-01-09 12:00:00      2.00    3.40    3.60       7.2%
    1                  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁  2.00
    X                  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁  3.40
    2                  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁  3.60
"""
    )
    assert re.search("seen +09 Jan 12:00 +09 Jan 12:00\n", history("twice").output)


def test_json_has_every_field(history: History, url: str, run: Run) -> None:
    """The JSON has every field of every point, and the overround."""

    async def asked() -> list[Any]:
        statement = queries.overround_history().where(
            PricePoint.event_id == 1, PricePoint.betpawa_market_id == "3743"
        )
        async with sqlalchemy_connect(url) as connection, AsyncSession(connection) as session:
            return [
                point.model_dump(mode="json") | {"overround": margin}
                for point, margin in await session.exec(statement)
            ]

    assert json.loads(history("31", "3743", "--json").output) == run(asked())


def test_plot_is_a_picture(history: History) -> None:
    """The SVG has a line for each price, with gaps where it was not on offer."""
    result = history("31", "3743", "--plot", "prices.svg")
    assert result.exit_code == 0, result.output
    drawn = ElementTree.parse("prices.svg")
    texts = {
        "".join(element.itertext()) for element in drawn.iter("{http://www.w3.org/2000/svg}text")
    }
    assert {"1X2 - Full Time (3743)", "1, betpawa", "X, betpawa", "2, sportybet"} <= texts
    assert f"A - B, kickoff {KICKOFF:%Y-%m-%d %H:%M} UTC" in texts
    lines = [
        path.get("d", "")
        for path in drawn.iter("{http://www.w3.org/2000/svg}path")
        if path.get("clip-path") and "#1f77b4" in path.get("style", "")
    ]
    # The first outcome's line at BetPawa has a gap; SportyBet's has none.
    assert sorted(line.count("M") for line in lines) == [1, 2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["9"], "no event 9: give a SportRadar id, the id of a BetPawa event, or words of"),
        (["live", "--specifiers", "15"], "Specifiers should be written as 'minute=15|player="),
        (["31", "corners"], "'A - B' never had a market 'corners': give its BetPawa id"),
        (["31", "--plot", "a.svg"], "--plot draws the prices of a MARKET: name one"),
        (["31", "3743", "--at", "2024-01-09"], "--at is for what was on offer: leave MARKET out"),
        (["31", "3743", "--plot", "a.doc"], "cannot draw a.doc: Format 'doc' is not supported"),
        (["31", "3743", "--plot", "no/a.svg"], "cannot draw no/a.svg: [Errno 2] No such file"),
    ],
)
def test_mistakes(words: list[str], message: str, history: History) -> None:
    """An error names the problem and the remedy in one line."""
    result = history(*words)
    assert result.exit_code != 0
    # The program itself prints our own errors: see oddsschema.cli.main.
    is_ours = isinstance(result.exception, OddsSchemaError)
    assert message in (str(result.exception) if is_ours else result.output)
    assert is_ours or isinstance(result.exception, SystemExit)
