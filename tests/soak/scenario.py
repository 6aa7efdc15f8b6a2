"""The scenario of a round: its kind, the scripts of its writers, and the model of its captures.

Everything follows from the seed. The content at an instant does not depend on the order in which
writers take turns: two writers deliver the same capture of an instant, disjoint markets of it, or
different instants. Only the same writer corrects a capture that it delivered before.
"""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import median
from typing import Any, NamedTuple

from tests.support.histories import (
    DAMAGES,
    KICKOFF,
    NAMES,
    OUTCOMES,
    REFERENCES,
    Model,
    capture,
    form_of,
    market,
    refused_key,
)
from tests.support.pruned_histories import at

PLATFORMS = (*REFERENCES, "bet9ja", "sportybet")

#: The minutes of captures that are stored before the writers start, and of the writers' captures.
PAST = range(-10, 0)
MINUTES = range(30)

#: An event whose kickoff lies in the past minutes; no writer delivers captures of it.
OVER = "over"
OVER_KICKOFF = at(-5)


@dataclass(frozen=True)
class Kind:
    """The kind of a round: the captures that it delivers, and its faults."""

    name: str
    #: Whether captures have refused markets, which later deliveries may correct.
    refusals: bool = False
    #: Whether captures arrive late.
    late: bool = True
    #: Whether every revision can hold the captures.
    older: bool = False
    #: The largest cutoff of prunes, in minutes.
    last_cutoff: int = 12
    #: Whether writers are killed.
    kills: bool = False
    #: Whether connections are cut.
    cuts: bool = False
    #: Whether the server is killed.
    crashes: bool = False
    #: Whether the schema is downgraded and upgraded.
    migrations: bool = False
    #: Whether connections, backends and the server do not answer, or accept no writes, for a while.
    hangs: bool = False


#: Prunes of refusal rounds delete only captures older than those of every writer: a capture that is
#: older than a deleted one, in whose place a market was refused, is read correctly only before it.
KINDS = (
    Kind("refusals", refusals=True, last_cutoff=-1, kills=True, cuts=True),
    Kind("prunes", kills=True, cuts=True),
    Kind("migrations", late=False, older=True, kills=True, migrations=True),
    Kind("crashes", refusals=True, last_cutoff=-1, cuts=True, crashes=True),
    # Nobody would end the backend of a silent connection whose writer was killed.
    Kind("hangs", refusals=True, last_cutoff=-1, hangs=True),
)


class Instant(NamedTuple):
    """An instant of an event at a platform, with a capture."""

    platform: str
    event: str
    minute: float


@dataclass
class Delivery:
    """The captures of one ingestion, and its options."""

    captures: list[dict[str, Any]] = field(default_factory=list)
    instants: list[Instant] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)


#: The deliveries of a writer, in order.
Script = list[Delivery]


class Scenario:
    """The scripts of the writers of a round, and the captures that are stored before."""

    def __init__(self, seed: str, kind: Kind, writers: int) -> None:
        self.kind = kind
        self._seed = seed
        self._writers = writers
        self._shared = [f"s{number}" for number in range(3)]
        self.past = self._past()
        self.scripts = [self._script(writer) for writer in range(writers)]

    def _random(self, *about: object) -> random.Random:
        return random.Random(" ".join(map(str, (self._seed, *about))))

    # -- captures ----------------------------------------------------------------------------------

    def _offer(self, rng: random.Random) -> list[dict[str, Any]]:
        keys, prices = form_of(self.kind.older)
        return [
            market(
                key,
                rng.choice(NAMES),
                [(name, *rng.choice(prices)) for name in rng.choice(OUTCOMES)],
            )
            for key in rng.sample(keys, rng.randint(0, 5))
        ]

    def _good_markets(self, instant: Instant) -> list[dict[str, Any]]:
        """Choose from few offers of a listing, so that captures are often unchanged."""
        rng = self._random("offer", *instant)
        which = rng.randrange(4)
        if which == 3:
            return self._offer(rng)
        return self._offer(self._random("offers", instant.platform, instant.event, which))

    def _markets(self, instant: Instant) -> list[dict[str, Any]]:
        markets, rng = self._good_markets(instant), self._random("damages", *instant)
        if not self.kind.refusals or rng.random() < 0.5:
            return markets
        return [
            good | rng.choice(DAMAGES)[0] if place and rng.random() < 0.5 else good
            for place, good in enumerate(markets)
        ]

    def _past(self) -> Delivery:
        found = Delivery()
        for minute in PAST:
            for platform in PLATFORMS:
                for event in (*self._shared, OVER):
                    if event != OVER or at(minute) < OVER_KICKOFF:
                        kickoff = OVER_KICKOFF if event == OVER else KICKOFF
                        markets = self._markets(Instant(platform, event, minute))
                        found.captures.append(
                            capture(platform, at(minute), markets, event, kickoff)
                        )
                        found.instants.append(Instant(platform, event, minute))
        return found

    # -- writers -----------------------------------------------------------------------------------

    def _share(self, writer: int, instant: Instant) -> list[list[dict[str, Any]]]:
        """List the versions of an instant's markets that a writer delivers, one after the other."""
        rng = self._random("share", *instant)
        if rng.random() < 0.3:
            return []
        is_shared = instant.event in self._shared
        way = rng.choice(["one", "all", "parts"]) if is_shared and self.kind.late else "all"
        if way == "parts":
            return [self._good_markets(instant)[writer :: self._writers]]
        if way == "one" and rng.randrange(self._writers) != writer:
            return []
        versions = [self._markets(instant)]
        # With several writers, a correction could overtake another writer's damaged capture.
        if (way == "one" or not is_shared) and rng.random() < 0.5:
            versions.append(self._good_markets(instant))
        return versions

    def _script(self, writer: int) -> Script:
        rng = self._random("script", writer)
        lateness = 10 if self.kind.late else 0
        planned: list[tuple[float, Instant, list[dict[str, Any]]]] = []
        for minute in MINUTES:
            for event in (*self._shared, f"w{writer}"):
                for platform in PLATFORMS:
                    instant, when = Instant(platform, event, minute), float(minute)
                    for markets in self._share(writer, instant):
                        when += rng.uniform(0, lateness)
                        planned.append((when, instant, markets))
                        if rng.random() < 0.1:
                            planned.append((when + rng.uniform(0, lateness), instant, markets))
        planned.sort(key=lambda each: each[0])
        script: Script = []
        while planned:
            size = rng.randint(1, 40)
            now, planned = planned[:size], planned[size:]
            script.append(
                Delivery(
                    [
                        capture(instant.platform, at(instant.minute), markets, instant.event)
                        for _, instant, markets in now
                    ],
                    [instant for _, instant, _ in now],
                    self._options(rng),
                )
            )
        return script

    def _options(self, rng: random.Random) -> dict[str, Any]:
        return {
            "store": rng.choice(["changes", "changes", "changes", "complete"]),
            "keyframe_share": rng.choice([0.0, 0.5, 1.0, 10.0]),
            "keyframe_age": rng.choice([timedelta(minutes=2), timedelta(days=1)]),
            "chunk_rows": rng.randint(1, 80),
            "flush_after": timedelta(milliseconds=rng.choice([0, 1, 5000])),
            "strict": self.kind.refusals and rng.random() < 0.2,
        }

    # -- the model ---------------------------------------------------------------------------------

    def model(self, turns: random.Random) -> Model:
        """Build the model of all deliveries, with the writers' turns in a random order."""
        model = Model()
        for delivered in accepted(self.past):
            model.take(delivered)
        waiting = [iter(script) for script in self.scripts]
        while waiting:
            script = turns.choice(waiting)
            delivery = next(script, None)
            if delivery is None:
                waiting.remove(script)
                continue
            for delivered in accepted(delivery):
                model.take(delivered)
        return model

    def needed(self) -> dict[Instant, set[tuple[int, int]]]:
        """Map each instant to its deliveries: numbers of a writer, and of its delivery."""
        found: defaultdict[Instant, set[tuple[int, int]]] = defaultdict(set)
        for writer, script in enumerate(self.scripts):
            for number, delivery in enumerate(script):
                for instant in delivery.instants:
                    found[instant].add((writer, number))
        return found


def accepted(delivery: Delivery) -> Iterator[dict[str, Any]]:
    """Yield the captures of a delivery that its options accept."""
    for delivered in delivery.captures:
        refused = any(refused_key(each) is not None for each in delivered["markets"])
        if not (delivery.options.get("strict") and (refused or is_doubtful(delivered))):
            yield delivered


def is_doubtful(delivered: dict[str, Any]) -> bool:
    """Return whether the prices of a capture look like another format of odds."""
    sums = []
    for each in delivered["markets"]:
        outcomes = each["outcomes"]
        if len(outcomes) in (2, 3) and all(outcome["is_active"] for outcome in outcomes):
            sums.append(sum(1 / outcome["odds"] for outcome in outcomes))
    return len(sums) >= 3 and not 0.85 <= median(sums) <= 1.4
