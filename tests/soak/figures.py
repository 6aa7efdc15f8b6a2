"""Counts of everything that a soak does."""

from collections import Counter
from dataclasses import dataclass, field, fields


@dataclass
class Figures:
    """Counts of a round, or of all rounds."""

    rounds: int = 0
    #: Captures that writers delivered and that were acknowledged.
    captures: int = 0
    #: Killed writers.
    kills: int = 0
    #: Cut connections.
    cuts: int = 0
    #: Kills of the server.
    crashes: int = 0
    #: Connections that fell silent.
    silent_connections: int = 0
    stopped_backends: int = 0
    #: Freezes of the server, limits on its statements, and times without writes.
    conditions: int = 0
    #: Retries of transactions by writers.
    retries: int = 0
    prunes: int = 0
    pruned_rows: int = 0
    #: Finished downgrades and upgrades.
    migrations: int = 0
    #: Instants of an event at a platform that were compared beside the writers.
    instants_meanwhile: int = 0
    #: Instants of an event at a platform that were compared after the writers.
    instants: int = 0
    differences: int = 0
    #: Errors that a downgrade or a cut connection explains, by class.
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Figures") -> None:
        """Add the counts of a round."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    def __str__(self) -> str:
        counts = [
            f"{each.name.replace('_', ' ')} {getattr(self, each.name):,}"
            for each in fields(self)
            if each.name != "errors"
        ]
        counts += [f"{name} {count:,}" for name, count in sorted(self.errors.items())]
        return ", ".join(counts)
