"""The names of a scrape: a sport, tournament or team that changes its name is doubtful."""

from operator import attrgetter

from oddsschema.ingestion.records import CaptureRecord, CompetitorEventRecord
from oddsschema.ingestion.report import Problem

#: The number of names to remember: several times those of a large scrape, in a few megabytes.
_MOST_NAMES = 50_000

#: A named thing of a scrape: its kind, its platform and its key there.
_Thing = tuple[str, str, str]


class ScrapeNames:
    """The names that the captures of a scrape have given so far.

    When it has too many of them, it forgets them all, and misses a few changes.
    """

    def __init__(self) -> None:
        self._names: dict[_Thing, str] = {}
        #: The names of captures without a doubt, with their keys: most captures repeat some.
        self._known: set[tuple[str | None, ...]] = set()

    def doubts(self, capture: CaptureRecord) -> list[Problem]:
        """Doubt the names of a capture that differ from those of an earlier one."""
        event = capture.any_event
        names = _competitor_names(event) if capture.event is None else _reference_names(event)
        if names in self._known:
            return []  # nearly always
        if len(self._names) >= _MOST_NAMES:
            self._names.clear()
            self._known.clear()
        named = named_things(capture)
        side = "event" if capture.competitor_event is None else "competitor_event"
        problems = [
            Problem(
                path=f"$.{side}.{_FIELDS[thing[0]]}",
                reason=f"the {thing[0]} {thing[2]!r} was named {before!r} earlier in this scrape, "
                f"and is named {name!r} now",
            )
            for thing, name in named.items()
            if (before := self._names.setdefault(thing, name)) != name
        ]
        if not problems:
            self._known.add(names)
        return problems

    def remember(self, capture: CaptureRecord) -> None:
        """Accept the names of a capture: later captures are compared with them."""
        self._names.update(named_things(capture))
        self._known.clear()


_NAMES = "home_team", "away_team", "tournament.name", "tournament.sport.name"
_competitor_names = attrgetter(
    *("source", "external_id", "tournament.external_id", "tournament.sport.slug"), *_NAMES
)
_reference_names = attrgetter(
    *("bookmaker", "sportradar_id", "tournament.sportradar_id", "tournament.sport.slug"), *_NAMES
)

#: The place of each kind's name in an event.
_FIELDS = {
    "home team of event": "home_team",
    "away team of event": "away_team",
    "tournament": "tournament.name",
    "sport": "tournament.sport.name",
}


def named_things(capture: CaptureRecord) -> dict[_Thing, str]:
    """Map each named thing of a capture to its name."""
    event = capture.any_event
    tournament, platform = event.tournament, event.platform
    tournament_key: str | None
    if isinstance(event, CompetitorEventRecord):
        event_key, tournament_key = event.external_id, event.tournament.external_id
    else:
        event_key, tournament_key = event.sportradar_id, event.tournament.sportradar_id
    named: dict[_Thing, str] = {
        ("home team of event", platform, event_key): event.home_team,
        ("away team of event", platform, event_key): event.away_team,
        ("sport", platform, tournament.sport.slug): tournament.sport.name,
    }
    if tournament_key is not None:
        named["tournament", platform, tournament_key] = tournament.name
    return named
