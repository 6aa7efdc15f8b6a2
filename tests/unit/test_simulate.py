import json
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from statistics import mean
from typing import Any

import pytest
from click.testing import CliRunner

from oddsschema import Capture
from oddsschema.cli import cli
from oddsschema.ingestion import Item, read_files, validate
from oddsschema.models.odds import MARKET_KEY
from oddsschema.simulate import BOOKMAKERS, START, Scrape, simulate, stream
from tests.support.paths import REAL_ODDS

#: The number of winning outcomes of a market, by default 1.
WINNERS = {"4693": 2}
OUTCOMES = {"3743": 3, "4693": 3, "4724": 3, "3668": 3}


def event_of(capture: dict[str, Any]) -> dict[str, Any]:
    """Return a capture's event in either form."""
    event: dict[str, Any] = capture.get("event") or capture["competitor_event"]
    return event


def platform_of(event: dict[str, Any]) -> str:
    """Return an event's platform."""
    return str(event.get("bookmaker") or event["source"])


def markets_of(scrapes: Iterator[Scrape]) -> Iterator[dict[Any, dict[str, Any]]]:
    """Return the markets of each scrape by event and market key."""
    for scrape in scrapes:
        yield {
            (platform, event_of(capture)["sportradar_id"], *map(market.get, MARKET_KEY)): market
            for platform, captures in scrape.items()
            for capture in captures
            for market in capture["markets"]
        }


def is_active(market: dict[str, Any]) -> bool:
    """Check whether the market is open; its outcomes are open or closed together."""
    [active] = {outcome["is_active"] for outcome in market["outcomes"]}
    return bool(active)


def odds_of(market: dict[str, Any]) -> list[float]:
    """Return the market's prices in its own order."""
    return [outcome["odds"] for outcome in market["outcomes"]]


@pytest.mark.parametrize("seed", range(2))
def test_every_capture_is_valid(seed: int) -> None:
    """Each capture is valid, as a `Capture` and as JSON text in ingestion."""
    for capture in stream(simulate(seed=seed, events=15, scrapes=20)):
        assert Capture.model_validate(capture).source == platform_of(event_of(capture))
        assert validate(Item("-", 1, json.dumps(capture))).refusal is None


def test_same_seed_same_stream() -> None:
    """A seed determines the stream; another seed makes other odds."""
    assert list(simulate(seed=3, scrapes=5)) == list(simulate(seed=3, scrapes=5))
    assert list(simulate(seed=3, scrapes=5)) != list(simulate(seed=4, scrapes=5))


def test_platforms_do_not_depend_on_each_other() -> None:
    """A platform has the same captures alone as among the others."""
    alone = simulate(platforms=["bet9ja"], scrapes=30)
    for scrape, among in zip(alone, simulate(scrapes=30), strict=True):
        assert scrape == {"bet9ja": among["bet9ja"]}


def test_bounded_or_until_now() -> None:
    """Scrapes are an interval apart, until now unless their number is given."""
    interval = timedelta(hours=1)
    start = datetime(2024, 2, 29, 12, tzinfo=UTC)
    scrapes = list(simulate(scrapes=40, start=start, interval=interval))
    assert scrapes == list(islice(simulate(start=start, interval=interval), 40))
    for number, scrape in enumerate(scrapes):
        times = {capture["captured_at"] for captures in scrape.values() for capture in captures}
        assert times == {(start + number * interval).isoformat()}
    assert list(simulate(scrapes=0)) == []


@pytest.mark.parametrize("platform", BOOKMAKERS)
def test_overround_is_near_the_margin(platform: str) -> None:
    """A market's inverse odds add up to the margin, except for rounding."""
    overrounds = defaultdict(list)
    for capture in stream(simulate(platforms=[platform], events=60, scrapes=3)):
        for market in capture["markets"]:
            kind = market["betpawa_market_id"]
            if len(market["outcomes"]) == OUTCOMES.get(kind, 2):
                total = sum(1 / odds for odds in odds_of(market)) / WINNERS.get(kind, 1)
                overrounds[kind].append(total - 1)
    assert overrounds.keys() == BOOKMAKERS[platform].markets
    for found in overrounds.values():
        assert mean(found) == pytest.approx(BOOKMAKERS[platform].margin, abs=0.003)
        assert all(abs(overround - BOOKMAKERS[platform].margin) < 0.015 for overround in found)


def test_markets_agree_with_each_other() -> None:
    """A line of more goals pays more for over, and a larger handicap pays a team less."""
    ladders = 0
    for capture in stream(simulate(events=60, scrapes=3)):
        by_kind = defaultdict(list)
        for market in filter(is_active, capture["markets"]):
            if len(market["outcomes"]) > 1:
                by_kind[market["betpawa_market_id"]].append((market["line"], odds_of(market)))
        for kind in ("5000", "4958", "4724", "3774"):
            ladders += len(by_kind[kind]) > 1
            for (_, lower), (_, higher) in pairwise(sorted(by_kind[kind])):
                first, last = (higher, lower) if kind in ("4724", "3774") else (lower, higher)
                assert first[0] <= last[0]
                assert first[-1] >= last[-1]
        for (_, (home, _, away)), (_, (home_or_draw, _, draw_or_away)) in zip(
            by_kind["3743"], filter(lambda item: len(item[1]) == 3, by_kind["4693"]), strict=False
        ):
            assert home_or_draw < home
            assert draw_or_away < away
            assert (home < away) == (home_or_draw < draw_or_away) or abs(home - away) < 0.1
    assert ladders > 100


def test_handicaps() -> None:
    """European and Asian handicaps exist; the away side's is the negative home side's."""
    found = set()
    for capture in stream(simulate(events=30, scrapes=1)):
        for market in capture["markets"]:
            if kind := market["handicap_type"]:
                found.add(kind)
                assert market["line"] == market["handicap_home"] == -market["handicap_away"]
                assert len(market["outcomes"]) == {"european": 3, "asian": 2}[kind]
                assert market["handicap_home"] % {"european": 1, "asian": 0.25}[kind] == 0
    assert found == {"european", "asian"}


def test_prices_move_now_and_then() -> None:
    """Between scrapes some open prices move, and most do not."""
    moved = unchanged = 0
    for before, now in pairwise(markets_of(simulate(events=15, scrapes=30))):
        for key in before.keys() & now.keys():
            if is_active(before[key]) and is_active(now[key]):
                moved += odds_of(before[key]) != odds_of(now[key])
                unchanged += odds_of(before[key]) == odds_of(now[key])
    assert 0.1 < moved / (moved + unchanged) < 0.4


def test_markets_close_at_their_last_price_and_return() -> None:
    """A closed market keeps its last prices, and many markets reopen."""
    closed = reopened = 0
    for before, now in pairwise(markets_of(simulate(events=20, scrapes=50))):
        for key in before.keys() & now.keys():
            if not is_active(now[key]):
                closed += is_active(before[key])
                assert odds_of(now[key]) == odds_of(before[key])
            else:
                reopened += not is_active(before[key])
    assert closed > 50
    assert reopened > closed / 2


def test_started_events_have_no_odds() -> None:
    """No event has odds from its kickoff on or returns after its end; new events follow."""
    on_offer: list[set[str]] = []
    for scrape in simulate(platforms=["sportybet"], scrapes=100, interval=timedelta(hours=2)):
        on_offer.append(set())
        for capture in scrape["sportybet"]:
            event = event_of(capture)
            assert capture["captured_at"] < event["kickoff"]
            on_offer[-1].add(event["sportradar_id"])
    seen: set[str] = set()
    for before, now in pairwise(on_offer):
        seen |= before
        assert not now & (seen - before)
    assert len(seen) > 3 * len(on_offer[0])
    assert not on_offer[0] & on_offer[-1]


def test_competitors_have_their_own_ids_and_names() -> None:
    """Competitors share SportRadar's ids and kickoffs, and have their own ids and some names."""
    offered: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for capture in stream(simulate(events=60, scrapes=1)):
        event = event_of(capture)
        offered[event["sportradar_id"]][platform_of(event)] = event
    other_names = 0
    for by_platform in offered.values():
        assert len({event["kickoff"] for event in by_platform.values()}) == 1
        ids = {
            event.get("external_event_id") or event["external_id"] for event in by_platform.values()
        }
        assert len(ids) == len(by_platform)
        other_names += len({event["home_team"] for event in by_platform.values()}) > 1
    assert other_names > 0
    assert any("betpawa" not in by_platform for by_platform in offered.values())
    assert any(len(by_platform) == len(BOOKMAKERS) for by_platform in offered.values())


def test_ids_are_unique() -> None:
    """A thousand events have distinct ids."""
    for platform, key in (("betpawa", "external_event_id"), ("bet9ja", "external_id")):
        scrape = next(simulate(platforms=[platform], events=1200))
        events = [event_of(capture) for capture in scrape[platform]]
        assert len({event[key] for event in events}) == len(events) > 800
        assert len({event["sportradar_id"] for event in events}) == len(events)


def test_nobody_plays_twice_a_matchday() -> None:
    """The first fifteen events, a matchday of the five leagues, have thirty teams."""
    [scrape] = simulate(events=15, scrapes=1)
    teams = {
        (event[side], event["tournament"]["name"], event["sportradar_id"])
        for event in map(event_of, scrape["sportybet"])
        for side in ("home_team", "away_team")
    }
    assert len({team for team, _, _ in teams}) == len(teams) == 2 * len(scrape["sportybet"])


def test_rate() -> None:
    """Captures arrive evenly at the given rate, the first at once, and are unchanged."""
    scrapes = list(simulate(platforms=["bet9ja"], scrapes=3))
    began = time.monotonic()
    moments = []
    for slow, quick in zip(stream(scrapes, rate=100), stream(scrapes), strict=True):
        assert slow is quick
        moments.append(time.monotonic() - began)
    assert len(moments) == 30
    assert all(moment >= number / 100 for number, moment in enumerate(moments))


def test_rate_does_not_add_up_delays() -> None:
    """A slow reader gets the delayed captures at once."""
    captures = stream(simulate(), rate=50)
    next(captures)
    time.sleep(1)
    began = time.monotonic()
    assert len(list(islice(captures, 45))) == 45
    assert time.monotonic() - began < 0.5


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_rate_must_be_above_zero(rate: float) -> None:
    """A bad rate is an error before anything is generated."""
    with pytest.raises(ValueError, match=f"above zero, not {rate}"):
        stream(simulate(), rate=rate)


def test_no_scrape_of_the_future() -> None:
    """Without a number, the last scrape is of the present; a number that needs more is refused."""
    interval = timedelta(hours=1)
    start = datetime.now(UTC) - 2.5 * interval
    scrapes = list(simulate(start=start, interval=interval, events=1, platforms=["bet9ja"]))
    assert len(scrapes) == 3
    assert len(list(simulate(start=start, interval=interval, scrapes=3))) == 3
    assert len(list(simulate(start=datetime.now(UTC), scrapes=1))) == 1
    for scrapes_too_many in (4, 10**30):
        with pytest.raises(ValueError, match="would end in the future"):
            simulate(start=start, interval=interval, scrapes=scrapes_too_many)
    with pytest.raises(ValueError, match="would end in the future"):
        simulate(start=datetime.now(UTC) + interval, scrapes=1)
    assert list(simulate(start=datetime.now(UTC) + interval)) == []
    result = CliRunner().invoke(cli, ["simulate", "--scrapes", "999999999999"])
    assert (result.exit_code, "would end in the future" in result.output) == (2, True)


def test_unknown_platform_is_refused() -> None:
    """The error lists the platforms, before anything is generated."""
    with pytest.raises(ValueError, match="cannot simulate betfoo, only betpawa, sportybet, bet9ja"):
        simulate(platforms=["betfoo", "bet9ja"])


def test_naive_start_is_refused() -> None:
    """A start without a time zone is refused."""
    with pytest.raises(ValueError, match="time zone"):
        simulate(start=START.replace(tzinfo=None))


@pytest.mark.skipif(not REAL_ODDS, reason="no real odds here")
@pytest.mark.parametrize("platform", ["sportybet", "bet9ja"])
def test_shaped_as_the_real_feeds(platform: str) -> None:
    """The real feed's markets and outcomes have the same names and keys."""
    files = sorted(str(path) for path in REAL_ODDS if path.name.startswith(f"{platform}-"))
    real = [json.loads(str(item.payload, "utf-8")) for item in read_files(files)]
    made_up = list(stream(simulate(platforms=[platform], events=60, scrapes=3)))
    ignored = {"country_iso", "sportradar_id"}
    assert made_up[0]["competitor_event"].keys() == real[0]["competitor_event"].keys()
    assert (
        made_up[0]["competitor_event"]["tournament"].keys()
        == real[0]["competitor_event"]["tournament"].keys() - ignored
    )

    def names(of: list[dict[str, Any]]) -> dict[Any, set[str]]:
        found: dict[Any, set[str]] = defaultdict(set)
        for capture in of:
            for market in capture["markets"]:
                key = (market["betpawa_market_id"], market["betpawa_market_name"])
                found[key].update(outcome["name"] for outcome in market["outcomes"])
        return found

    real_names, made_up_names = names(real), names(made_up)
    assert real_names.keys() <= made_up_names.keys()
    for key, outcomes in real_names.items():
        assert made_up_names[key] <= outcomes
