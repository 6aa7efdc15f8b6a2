"""The names of a scrape: a sport, tournament or team that changes its name is doubtful."""

from collections.abc import Iterator

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

    def doubts(self, capture: CaptureRecord) -> list[Problem]:
        """Doubt the names of a capture that differ from those of an earlier one."""
        if len(self._names) >= _MOST_NAMES:
            self._names.clear()
        return [
            Problem(
                path=path,
                reason=f"the {kind} {key!r} was named {before!r} earlier in this scrape, "
                f"and is named {name!r} now",
            )
            for (kind, platform, key), path, name in _named(capture)
            if (before := self._names.setdefault((kind, platform, key), name)) != name
        ]

    def remember(self, capture: CaptureRecord) -> None:
        """Accept the names of a capture: later captures are compared with them."""
        self._names.update({thing: name for thing, _, name in _named(capture)})


def _named(capture: CaptureRecord) -> Iterator[tuple[_Thing, str, str]]:
    """Yield each named thing of a capture, the JSON path of its name, and its name."""
    event = capture.any_event
    tournament, platform = event.tournament, event.platform
    if isinstance(event, CompetitorEventRecord):
        side, event_key = "$.competitor_event", event.external_id
        tournament_key: str | None = event.tournament.external_id
    else:
        side, event_key = "$.event", event.sportradar_id
        tournament_key = event.tournament.sportradar_id
    yield ("home team of event", platform, event_key), f"{side}.home_team", event.home_team
    yield ("away team of event", platform, event_key), f"{side}.away_team", event.away_team
    if tournament_key is not None:
        yield ("tournament", platform, tournament_key), f"{side}.tournament.name", tournament.name
    sport = tournament.sport
    yield ("sport", platform, sport.slug), f"{side}.tournament.sport.name", sport.name
