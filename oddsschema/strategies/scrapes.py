"""The strategies of captures and of scrapes, which are captures that belong together."""

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
from oddsschema.reference import REFERENCE
from oddsschema.strategies.objects import (
    CapturedAnyEvent,
    contracts,
    draw_if_strategy,
    event_fields,
    events,
    few,
    field_values,
    markets,
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
    """Draw a capture: of "betpawa", of the competitor `source`, or of any bookmaker.

    `event` (a `CapturedEvent` or a `CapturedCompetitorEvent`) is the event of the capture and
    decides the bookmaker. `min_markets` and `max_markets` are as for `markets`. `given` are the
    other fields, such as `captured_at`. Raises ValueError if the event is not of `source`.

    Captures that are drawn separately can contradict each other (the same sport with two names).
    For captures that a database accepts together, use the same event, or `batches`.
    """
    captured_event = draw(events(source)) if event is None else draw_if_strategy(draw, event)
    given = {"markets": markets(min_size=min_markets, max_size=max_markets)} | given
    capture = draw(contracts(Capture, **event_fields(captured_event), **given))
    if isinstance(source, str) and capture.source != source:
        raise ValueError(
            f"the event is of {capture.source!r}, not of {source!r}: leave out `source` or `event`"
        )
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
    """Draw captures that belong together, as a scrape of several platforms delivers them.

    The platforms (`sources`, or any) share matches by SportRadar id. Each platform lists some of
    the matches, at several times. All captures of an event describe it in the same way. No capture
    is repeated. The order is random. The other arguments narrow each capture, as for `captures`.
    """
    sport = st.sampled_from(draw(few(sports(), attrgetter("slug"), attrgetter("name"))))
    match = st.sampled_from(draw(few(field_values(CapturedEvent.model_fields["sportradar_id"]))))
    time = given.pop("captured_at", field_values(Capture.model_fields["captured_at"]))
    times = draw(few(time if isinstance(time, SearchStrategy) else st.just(time)))
    platforms = draw(few(st.just(REFERENCE) | slugs())) if sources is None else sources
    given |= {"min_markets": min_markets, "max_markets": max_markets}
    drawn_captures: list[Capture] = []
    for platform in platforms:
        for event in draw_listed_events(draw, platform, sport, match):
            for moment in draw(st.lists(st.sampled_from(times), min_size=1, unique=True)):
                drawn_captures.append(draw(captures(event=event, captured_at=moment, **given)))
    return draw(st.permutations(drawn_captures))


def sports() -> SearchStrategy[CapturedSport]:
    """Build the strategy of sports that do not collide with the sport of a migrated database."""
    return contracts(CapturedSport).filter(
        lambda sport: sport.name != "Football" or sport.slug == "football"
    )


def draw_listed_events(
    draw: st.DrawFn,
    platform: str,
    sport: SearchStrategy[CapturedSport],
    match: SearchStrategy[str],
) -> list[CapturedAnyEvent]:
    """Draw the events that a platform lists, in one to three tournaments."""
    if platform == REFERENCE:
        key = attrgetter("sport.slug", "name", "country")
        tournament = contracts(CapturedTournament, sport=sport)
        tournaments = draw(few(tournament, key, lambda item: item.sportradar_id or key(item)))
        event = contracts(
            CapturedEvent,
            bookmaker=platform,
            sportradar_id=match,
            tournament=st.sampled_from(tournaments),
        )
        return draw(few(event, attrgetter("sportradar_id")))
    sources = st.none() | st.just(platform)
    competitor_tournament = contracts(CapturedCompetitorTournament, source=sources, sport=sport)
    competitor_tournaments = draw(few(competitor_tournament, attrgetter("external_id")))
    competitor_event = contracts(
        CapturedCompetitorEvent,
        source=platform,
        sportradar_id=match,
        tournament=st.sampled_from(competitor_tournaments),
    )
    return draw(few(competitor_event, attrgetter("external_id")))
