"""Whole captures, and those that belong together."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from oddsschema.capture import (
    Capture,
    CapturedCompetitorEvent,
    CapturedCompetitorTournament,
    CapturedEvent,
    CapturedSport,
    CapturedTournament,
)
from oddsschema.strategies.objects import (
    REFERENCE,
    CapturedAnyEvent,
    contracts,
    drawn,
    events,
    few,
    field_values,
    markets,
    side,
    slugs,
)


@st.composite
def captures(
    draw: st.DrawFn,
    /,
    source: str | SearchStrategy[str] | None = None,
    *,
    event: CapturedAnyEvent | SearchStrategy[CapturedAnyEvent] | None = None,
    min_markets: int = 0,
    max_markets: int | None = None,
    **given: Any,
) -> Capture:
    """A whole capture: of "betpawa", of the competitor `source`, or of any bookmaker.

    `event`, a `CapturedEvent` or a `CapturedCompetitorEvent`, is what it is a capture of, and says
    whose it is. `min_markets` and `max_markets` are as for `markets`. `given` are the other fields,
    such as `captured_at`.

    Captures that were drawn one by one may contradict each other (a sport under two names): for
    some that a database will take together, give them one event, or see `batches`.
    """
    found = draw(events(source)) if event is None else drawn(draw, event)
    given = {"markets": markets(min_size=min_markets, max_size=max_markets)} | given
    capture = draw(contracts(Capture, **side(found), **given))
    if isinstance(source, str) and capture.source != source:
        raise ValueError(f"the event is one of {capture.source!r}, not of {source!r}")
    return capture


@st.composite
def batches(
    draw: st.DrawFn,
    /,
    *,
    sources: Sequence[str] | None = None,
    min_markets: int = 0,
    max_markets: int | None = None,
    **given: Any,
) -> list[Capture]:
    """Captures that belong together, as a scrape of several platforms delivers them; in any order.

    The platforms (`sources`, or any) share matches by SportRadar id; each lists some of them, at
    several times. An event is described alike by all its captures, and none of them stands twice.
    The rest narrows each capture, as for `captures`.
    """
    sport = st.sampled_from(draw(few(_sports(), attrgetter("slug"), attrgetter("name"))))
    match = st.sampled_from(draw(few(field_values(CapturedEvent.model_fields["sportradar_id"]))))
    time = given.pop("captured_at", field_values(Capture.model_fields["captured_at"]))
    times = draw(few(time if isinstance(time, SearchStrategy) else st.just(time)))
    platforms = draw(few(st.just(REFERENCE) | slugs())) if sources is None else sources
    given |= {"min_markets": min_markets, "max_markets": max_markets}
    found: list[Capture] = []
    for platform in platforms:
        for event in _listed(draw, platform, sport, match):
            for moment in draw(st.lists(st.sampled_from(times), min_size=1, unique=True)):
                found.append(draw(captures(event=event, captured_at=moment, **given)))
    return draw(st.permutations(found))


def _sports() -> SearchStrategy[CapturedSport]:
    # Names of sports are unique, and a migrated database knows one already.
    return contracts(CapturedSport).filter(
        lambda sport: sport.name != "Football" or sport.slug == "football"
    )


def _listed(
    draw: st.DrawFn,
    platform: str,
    sport: SearchStrategy[CapturedSport],
    match: SearchStrategy[str],
) -> list[CapturedAnyEvent]:
    """Some events of few tournaments, as a platform lists them."""
    if platform == REFERENCE:
        key = attrgetter("sport.slug", "name", "country")
        national = contracts(CapturedTournament, sport=sport)
        leagues = draw(few(national, key, lambda one: one.sportradar_id or key(one)))
        event = contracts(
            CapturedEvent,
            bookmaker=platform,
            sportradar_id=match,
            tournament=st.sampled_from(leagues),
        )
        return draw(few(event, attrgetter("sportradar_id")))
    sources = st.none() | st.just(platform)
    theirs = contracts(CapturedCompetitorTournament, source=sources, sport=sport)
    leagues = draw(few(theirs, attrgetter("external_id")))
    competitor_event = contracts(
        CapturedCompetitorEvent,
        source=platform,
        sportradar_id=match,
        tournament=st.sampled_from(leagues),
    )
    return draw(few(competitor_event, attrgetter("external_id")))
