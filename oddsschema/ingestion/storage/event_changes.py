"""The changes of a chunk to the events of its captures: insertions, updates and links."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from oddsschema.ingestion.storage.history import WriteCounts
from oddsschema.ingestion.storage.matching import Match


@dataclass(slots=True)
class EventChanges:
    """The events that captures belong to, by their keys, and the changes to them.

    The key of a reference event is its SportRadar id, that of a competitor's event its external id.
    """

    captured: set[str] = field(default_factory=set)
    inserted: set[str] = field(default_factory=set)
    #: Events of which a newer capture changed names, teams, kickoff, tournament, SportRadar id or
    #: URL. (The URL of a reference event is its listing's, and does not count.)
    updated: set[str] = field(default_factory=set)
    #: The competitors' events that were linked to a reference event: source and external id.
    linked: set[tuple[str, str]] = field(default_factory=set)

    def add(self, other: "EventChanges") -> None:
        """Add the changes of another part."""
        self.captured |= other.captured
        self.inserted |= other.inserted
        self.updated |= other.updated
        self.linked |= other.linked

    def counts(self) -> dict[str, int]:
        """Count the events for a report."""
        updated = self.updated - self.inserted
        return {
            "events_new": len(self.inserted),
            "events_updated": len(updated),
            "events_unchanged": len(self.captured - self.inserted - updated),
            "events_linked": len(self.linked),
        }


class Written(NamedTuple):
    """The result of storing the captures of one side."""

    counts: WriteCounts
    changes: EventChanges
    #: The SportRadar ids of new events. An event of the other side that another transaction has not
    #: committed yet may match them.
    new_ids: Sequence[str]
    #: The matches that were made, or whose teams or kickoff changed.
    matches: Sequence[Match]
