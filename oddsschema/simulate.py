"""Simulated captures: football odds of three bookmakers, for demos, tests and load.

>>> await oddsschema.ingest(url, stream(simulate(seed=7, scrapes=3)))

The goals of each team follow a Poisson distribution, so the markets of an event are consistent.
Teams and leagues are real; fixtures, ids and odds are invented.
"""

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from random import Random
from typing import Any, NamedTuple

from oddsschema.database.durations import require_not_negative
from oddsschema.reference import REFERENCE

#: The captures of a scrape, by platform: dicts of JSON values (times are ISO 8601 text, UTC), each
#: a valid `oddsschema.Capture`.
Scrape = dict[str, list[dict[str, Any]]]

#: The default time of the first scrape.
START = datetime(2026, 1, 17, 9, 0, tzinfo=UTC)

#: The share of a bookmaker's events that get new prices at a scrape.
_REQUOTED = 0.35
#: The share of open markets that close at a scrape, and of closed markets that new prices reopen.
_CLOSED, _REOPENED = 0.006, 0.5
#: The least probability of both sides of a line on offer, and of an Asian handicap on offer.
_LIKELY, _EVEN = 0.04, 0.35


@dataclass(frozen=True)
class Bookmaker:
    """A bookmaker: its prices, its markets and its words."""

    #: The overround of a market: 0.07 is 7 %.
    margin: float
    #: The steps of its prices: (upper limit of the odds, step).
    ladder: tuple[tuple[float, float], ...]
    #: BetPawa's ids of its markets.
    markets: frozenset[str]
    #: The lines of its full-time over/unders, in goals.
    totals: tuple[float, ...]
    #: The interval of skipped events: 4 skips every fourth event.
    skips: int
    versus: str = " - "
    #: The lowest price on offer. A market can lose a side to this limit.
    lowest: float = 1.01
    #: Its names for outcomes and teams that differ from BetPawa's.
    words: Mapping[str, str] = field(default_factory=dict)


# Source: feeds of December 2023. BetPawa's margin and ladder are assumptions.
BOOKMAKERS: Mapping[str, Bookmaker] = {
    REFERENCE: Bookmaker(
        margin=0.06,
        ladder=((3, 0.01), (5, 0.05), (10, 0.1), (20, 0.5), (math.inf, 1)),
        markets=frozenset({"3743", "4693", "4703", "3795", "5000", "4724", "3774"}),
        totals=(0.5, 1.5, 2.5, 3.5, 4.5, 5.5),
        skips=4,
    ),
    "sportybet": Bookmaker(
        margin=0.073,
        ladder=((2, 0.01), (4, 0.05), (10, 0.1), (20, 0.5), (math.inf, 1)),
        markets=frozenset({"3743", "4693", "4703", "3795", "5000", "4724", "3774", "3668", "4958"}),
        totals=(0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5),
        skips=7,
        versus=" vs ",
        words={"1": "Home", "X": "Draw", "2": "Away"}
        | {"1X": "Home or Draw", "12": "Home or Away", "X2": "Draw or Away"}
        | {"Arsenal": "Arsenal FC", "Basel": "FC Basel 1893", "Enyimba": "Enyimba FC"},
    ),
    "bet9ja": Bookmaker(
        margin=0.078,
        ladder=((3, 0.01), (5, 0.05), (10, 0.1), (20, 0.25), (math.inf, 0.5)),
        markets=frozenset({"3743", "4693", "3795", "5000"}),
        totals=(0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5),
        skips=5,
        lowest=1.03,
        words={"Manchester City": "Man City", "Newcastle United": "Newcastle Utd"},
    ),
}


class _League(NamedTuple):
    country: str
    name: str
    #: The teams, the strongest first.
    teams: tuple[str, ...]


_LEAGUES = tuple(
    _League(country, name, tuple(teams.split(", ")))
    for country, name, teams in (
        line.split(": ")
        for line in """\
England: Premier League: Manchester City, Arsenal, Newcastle United, Fulham, Everton, Burnley
Nigeria: NPFL: Remo Stars, Enyimba, Rangers International, Kano Pillars, Plateau United, Heartland
Spain: LaLiga: Real Madrid, Barcelona, Athletic Bilbao, Osasuna, Cádiz, Almería
Greece: Super League: Olympiacos, PAOK, AEK Athens, Aris, Atromitos, Volos
Switzerland: Super League: Young Boys, Servette, Basel, Lugano, Zürich, Winterthur""".splitlines()
    )
)


def simulate(
    *,
    seed: int = 0,
    platforms: Iterable[str] = tuple(BOOKMAKERS),
    events: int = 12,
    scrapes: int | None = None,
    start: datetime = START,
    interval: timedelta = timedelta(minutes=5),
) -> Iterator[Scrape]:
    """Simulate scrapes of football odds, `interval` apart; until now without `scrapes`.

    From one scrape to the next, most prices are unchanged and some change. Some markets close, at
    their last price, or reopen. The number of events on offer is always `events`, and each platform
    lists most of them: a new event replaces each event that kicks off. The same seed gives the same
    captures. The captures of a platform do not depend on the other platforms.

    No scrape is of the future, by this machine's clock: ingestion refuses such captures.

    Raises ValueError for a platform that is not in `BOOKMAKERS`, for a naive `start`, and for more
    scrapes than there is time for until now.
    """
    require_not_negative(interval=interval)
    platforms = tuple(platforms)
    if unknown := sorted(set(platforms) - set(BOOKMAKERS)):
        raise ValueError(f"cannot simulate {', '.join(unknown)}, only {', '.join(BOOKMAKERS)}")
    if start.tzinfo is None:
        raise ValueError("start must have a time zone")
    now = datetime.now(UTC)
    if scrapes and (start > now or (scrapes > 1 and interval > (now - start) / (scrapes - 1))):
        raise ValueError(
            f"{scrapes:,} scrapes that begin at {start} would end in the future: begin earlier, "
            "or simulate fewer"
        )
    return islice(_scrapes(seed, platforms, events, start.astimezone(UTC), interval), scrapes)


def stream(scrapes: Iterable[Scrape], *, rate: float | None = None) -> Iterator[dict[str, Any]]:
    """Iterate over the captures of scrapes, at most `rate` per second. The iterator blocks to wait.

    Raises ValueError for a rate that is not above zero.
    """
    if rate is not None and not rate > 0:
        raise ValueError(f"rate must be above zero, not {rate}")
    captures = (
        capture for scrape in scrapes for captures in scrape.values() for capture in captures
    )
    return captures if rate is None else _paced(captures, rate)


def _paced(captures: Iterable[dict[str, Any]], rate: float) -> Iterator[dict[str, Any]]:
    start = time.monotonic()
    for number, capture in enumerate(captures):
        time.sleep(max(0.0, start + number / rate - time.monotonic()))
        yield capture


def _scrapes(
    seed: int, platforms: tuple[str, ...], events: int, at: datetime, interval: timedelta
) -> Iterator[Scrape]:
    numbers = count()
    fixtures = [_Fixture(seed, next(numbers), at, (0.25, 72)) for _ in range(events)]
    while at <= datetime.now(UTC):
        yield {
            platform: [
                fixture.capture(platform, at)
                for fixture in fixtures
                if (fixture.number + 1) % BOOKMAKERS[platform].skips
            ]
            for platform in platforms
        }
        at += interval
        for place, fixture in enumerate(fixtures):
            fixture.move()
            if fixture.kickoff <= at:
                fixtures[place] = _Fixture(seed, next(numbers), at, (24, 96))


class _Fixture:
    """A future match, with the logarithms of the expected goals of its teams."""

    def __init__(self, seed: int, number: int, at: datetime, hours: tuple[float, float]) -> None:
        self.number = number
        self._seed = seed
        self._random = Random(f"{seed}/{number}")
        self._league, self._home, self._away = _paired(seed, number)
        quarter_hours = (at.timestamp() + 3600 * self._random.uniform(*hours)) // 900 + 1
        self.kickoff = datetime.fromtimestamp(quarter_hours * 900, UTC)
        rank = self._league.teams.index
        lead = 0.15 * (rank(self._away) - rank(self._home))
        openness = self._random.gauss(0, 0.12)
        self._goals = (0.37 + openness + lead, 0.14 + openness - lead)
        self._news = (0.0, 0.0)
        self._listings: dict[str, _Listing] = {}

    def move(self) -> None:
        """Change the expected goals at random, as news would; they return to the mean."""
        home, away = (0.98 * news + self._random.gauss(0, 0.02) for news in self._news)
        self._news = home, away

    def capture(self, platform: str, at: datetime) -> dict[str, Any]:
        """Build the capture of a platform. Each call counts as a scrape."""
        if platform not in self._listings:
            random = Random(f"{self._seed}/{self.number}/{platform}")
            self._listings[platform] = _Listing(BOOKMAKERS[platform], random)
        home, away = (goals + news for goals, news in zip(self._goals, self._news, strict=True))
        kind = "event" if platform == REFERENCE else "competitor_event"
        return {
            "captured_at": at.isoformat(),
            kind: self._event(platform),
            "markets": self._listings[platform].scrape(home, away),
        }

    def _event(self, platform: str) -> dict[str, Any]:
        bookmaker = BOOKMAKERS[platform]
        home, away = (bookmaker.words.get(team, team) for team in (self._home, self._away))
        own_id = _id(f"{self._seed}/{platform}", self.number, digits=9)
        country, league, _ = self._league
        key: dict[str, Any] = {"source": platform, "external_id": own_id}
        tournament: dict[str, Any] = {
            "source": platform,
            "external_id": _id(platform, _LEAGUES.index(self._league), digits=7),
            "country_raw": country,
        }
        if platform == REFERENCE:
            key = {"bookmaker": platform, "external_event_id": own_id}
            tournament = {"country": country}
        return key | {
            "sportradar_id": _id(str(self._seed), self.number, digits=8),
            "name": f"{home}{bookmaker.versus}{away}",
            "home_team": home,
            "away_team": away,
            "kickoff": self.kickoff.isoformat(),
            "tournament": tournament
            | {"name": league, "sport": {"slug": "football", "name": "Football"}},
        }


def _paired(seed: int, number: int) -> tuple[_League, str, str]:
    """Pair two teams: the leagues take turns, and each league plays a round robin."""
    number, index = divmod(number, len(_LEAGUES))
    league = _LEAGUES[index]
    first, *others = Random(f"{seed}/{league.country}").sample(league.teams, len(league.teams))
    matchday, match = divmod(number, len(league.teams) // 2)
    turn = matchday % len(others)
    order = [first, *others[turn:], *others[:turn]]
    home, away = order[match], order[-1 - match]
    return (league, away, home) if matchday % 2 else (league, home, away)


def _id(space: str, number: int, *, digits: int) -> str:
    return f"{(Random(space).randrange(10**digits) + 37 * number) % 10**digits:0{digits}}"


class _Market(NamedTuple):
    """A market without prices: the probabilities of its outcomes."""

    id: str
    name: str
    outcomes: Mapping[str, float]
    line: float | None = None
    handicap: str | None = None


class _Listing:
    """An event at a bookmaker, with its present prices."""

    def __init__(self, bookmaker: Bookmaker, random: Random) -> None:
        self._bookmaker, self._random = bookmaker, random
        self._opinion = (random.gauss(0, 0.03), random.gauss(0, 0.03))
        #: The markets and their prices, by id and line.
        self._offer: dict[tuple[str, float | None], tuple[_Market, dict[str, float]]] = {}
        self._closed: set[tuple[str, float | None]] = set()

    def scrape(self, home: float, away: float) -> list[dict[str, Any]]:
        """Build the markets of a scrape from the logarithms of the expected goals."""
        self._closed.update(key for key in self._offer if self._random.random() < _CLOSED)
        if not self._offer or self._random.random() < _REQUOTED:
            home, away = (
                math.exp(goals + opinion + self._random.gauss(0, 0.01))
                for goals, opinion in zip((home, away), self._opinion, strict=True)
            )
            self._requote(home, away)
        return [
            _as_json(market, prices, is_active=key not in self._closed)
            for key, (market, prices) in self._offer.items()
        ]

    def _requote(self, home: float, away: float) -> None:
        closed = {
            key: offered
            for key, offered in self._offer.items()
            if key in self._closed and self._random.random() >= _REOPENED
        }
        fresh = {
            (market.id, market.line): (market, prices)
            for market in _markets(home, away, self._bookmaker.totals)
            if market.id in self._bookmaker.markets and (prices := _prices(self._bookmaker, market))
        }
        self._offer = fresh | closed
        self._closed = set(closed)


def _prices(bookmaker: Bookmaker, market: _Market) -> dict[str, float]:
    """Compute the odds, by the bookmaker's names. Uncertain outcomes bear most of the margin."""
    doubts = {name: p * (1 - p) for name, p in market.outcomes.items()}
    winners = round(sum(market.outcomes.values()))
    load = winners * bookmaker.margin / sum(doubts.values())
    prices = {}
    for name, p in market.outcomes.items():
        odds = 1 / (p + load * doubts[name])
        step = next(step for below, step in bookmaker.ladder if odds < below)
        odds = round(round(odds / step) * step, 2)
        if odds >= bookmaker.lowest:
            prices[bookmaker.words.get(name, name)] = odds
    return prices


def _as_json(market: _Market, prices: Mapping[str, float], *, is_active: bool) -> dict[str, Any]:
    home = market.line if market.handicap else None
    return {
        "betpawa_market_id": market.id,
        "betpawa_market_name": market.name,
        "line": market.line,
        "handicap_type": market.handicap,
        "handicap_home": home,
        "handicap_away": None if home is None else 0.0 - home,
        "outcomes": [
            {"name": name, "odds": odds, "is_active": is_active} for name, odds in prices.items()
        ],
    }


# -- the model -------------------------------------------------------------------------------------


def _markets(home: float, away: float, totals: Iterable[float]) -> Iterator[_Market]:
    """Compute every market of a match from the expected goals of its teams."""
    lead, goals = _lead(home, away), _goals(home + away)
    home_win, draw, away_win = _ways(lead, 0)
    both = (1 - math.exp(-home)) * (1 - math.exp(-away))
    chances = {"1X": home_win + draw, "12": home_win + away_win, "X2": draw + away_win}
    yield _Market("3743", "1X2 - Full Time", {"1": home_win, "X": draw, "2": away_win})
    yield from _over_under("5000", "Over/Under - Full Time", goals, totals)
    yield _Market("4693", "Double Chance - Full Time", chances)
    for line in (-3.0, -2.0, -1.0, 1.0, 2.0, 3.0):
        ways = dict(zip("1X2", _ways(lead, line), strict=True))
        if min(ways.values()) >= _LIKELY:
            yield _Market("4724", "3-Way Handicap - Full Time", ways, line, "european")
    for line in (quarters / 4 for quarters in range(-12, 13)):
        p = _even_money(lead, line)
        if _EVEN <= p <= 1 - _EVEN:
            yield _Market("3774", "Asian Handicap - Full Time", {"1": p, "2": 1 - p}, line, "asian")
    yield _Market("3795", "Both Teams To Score - Full Time", {"Yes": both, "No": 1 - both})
    level = _even_money(lead, 0)
    yield _Market("4703", "Draw No Bet - Full Time", {"1": level, "2": 1 - level})
    home, away = 0.45 * home, 0.45 * away
    ways = dict(zip("1X2", _ways(_lead(home, away), 0), strict=True))
    yield _Market("3668", "1X2 - First Half", ways)
    goals = _goals(home + away)
    yield from _over_under("4958", "Over/Under - First Half", goals, (0.5, 1.0, 1.5, 2.0, 2.5))


def _over_under(
    id: str, name: str, goals: Mapping[float, float], lines: Iterable[float]
) -> Iterator[_Market]:
    for line in lines:
        p = _even_money(goals, -line)
        if _LIKELY <= p <= 1 - _LIKELY:
            yield _Market(id, name, {"Over": p, "Under": 1 - p}, line)


def _goals(mean: float) -> dict[float, float]:
    """Compute the probabilities of 0 to 12 goals."""
    chance = math.exp(-mean)
    chances = {0.0: chance}
    for goals in range(1, 13):
        chance *= mean / goals
        chances[goals] = chance
    return chances


def _lead(home: float, away: float) -> dict[float, float]:
    """Compute the probabilities of the final lead of the home team, in goals."""
    lead: dict[float, float] = dict.fromkeys(range(-12, 13), 0.0)
    conceding = _goals(away)
    for scored, chance in _goals(home).items():
        for conceded, other in conceding.items():
            lead[scored - conceded] += chance * other
    return lead


def _ways(chances: Mapping[float, float], line: float) -> tuple[float, float, float]:
    """Compute the probabilities that the goals plus the line are above, at, below zero."""
    above = sum(chance for goals, chance in chances.items() if goals + line > 0)
    at = chances.get(-line, 0.0)
    return above, at, 1 - above - at


def _even_money(chances: Mapping[float, float], line: float) -> float:
    """Compute the probability that a two-way bet wins, unless its stake is returned.

    The stake is returned at zero. A quarter line is half a bet on each of the two next lines.
    """
    halves = (line - 0.25, line + 0.25) if line % 0.5 else (line, line)
    (won, _, lost), (other_won, _, other_lost) = (_ways(chances, half) for half in halves)
    return (won + other_won) / (won + other_won + lost + other_lost)
