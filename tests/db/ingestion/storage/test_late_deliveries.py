"""Late, equal-time and repeated deliveries: only newer captures change stored attributes.

On BetPawa's side, only BetPawa's captures do. Other bookmakers' captures insert missing events.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsschema import IngestOptions, ingest
from oddsschema.capture import placeholder_id
from tests.support.histories import START
from tests.support.sessions import rolled_back

Run = Callable[..., Any]
Captured = dict[str, Any]

INSTANTS = [START + timedelta(minutes=minute) for minute in range(6)]
COMPETITOR, REFERENCE = "bet9ja", ("betpawa", "mozzart")
#: The time of a description that any capture of BetPawa's replaces.
EARLIEST = datetime.min.replace(tzinfo=UTC)


def captured(
    platform: str,
    event: str,
    at: datetime,
    version: int,
    tournament: str,
    *,
    named: int,
    has_id: bool,
    has_url: bool = True,
) -> Captured:
    """Build a capture without markets; `version` and `named` vary its event and tournament."""
    fields: dict[str, Any] = {
        "name": f"Event {event}.{version}",
        "home_team": f"Home {event}.{version}",
        "away_team": f"Away {event}.{version}",
        "kickoff": START + timedelta(days=1, minutes=version),
        "sportradar_id": event,
        "event_url": f"https://{platform}/{version}" if has_url else None,
    }
    competition: dict[str, Any] = {
        "name": f"League {tournament}.{named}",
        "sportradar_id": tournament,
        "sport": {"slug": "football", "name": "Football"},
    }
    if platform in REFERENCE:
        competition["country"] = f"Country {named}"
        fields |= {
            "bookmaker": platform,
            "external_event_id": f"{platform} {event}.{version}",
        }
        return {"captured_at": at, "event": fields | {"tournament": competition}, "markets": []}
    competition |= {"external_id": tournament, "country_raw": f"Country {named}"}
    fields |= {"source": platform, "external_id": event, "tournament": competition}
    if not has_id:
        fields["sportradar_id"] = competition["sportradar_id"] = None
    return {"captured_at": at, "competitor_event": fields, "markets": []}


@st.composite
def deliveries(draw: st.DrawFn) -> list[Any]:
    """Draw deliveries of one platform each, and deletions of the competitor's rows in between.

    Either events change their tournaments, or tournaments change their names: the time of a name
    is that of the tournament's events. (A tournament that only the older one of two captures in a
    chunk names gets no row: deletions and ids are for tournaments that keep their events.)
    """
    moves = draw(st.booleans())

    @st.composite
    def of_platform(draw: st.DrawFn) -> list[Captured]:
        platform = draw(st.sampled_from((COMPETITOR, COMPETITOR, *REFERENCE)))
        return [
            captured(
                platform,
                event := draw(st.sampled_from("123")),
                draw(st.sampled_from(INSTANTS)),
                draw(st.integers(0, 3)),
                draw(st.sampled_from("78")) if moves else {"3": "8"}.get(event, "7"),
                named=0 if moves else draw(st.integers(0, 3)),
                has_id=moves or draw(st.booleans()),
                has_url=draw(st.booleans()),
            )
            for _ in range(draw(st.integers(1, 4)))
        ]

    deletion = st.tuples(
        st.sampled_from(("competitor_events", "competitor_tournaments")[: 1 if moves else 2]),
        st.sampled_from("12378"),
        st.sampled_from(INSTANTS),
    )
    return draw(st.lists(of_platform() | of_platform() | deletion, min_size=1, max_size=8))


def page_of(event: dict[str, Any]) -> tuple[str, str]:
    """Return the kind and the key of the row that has the URL of an event."""
    if "bookmaker" in event:
        return f"listings of {event['bookmaker']}", event["sportradar_id"]
    return "competitor_events", event["external_id"]


class Model:
    """The attributes of everything that was captured, each with the time of its newest capture."""

    def __init__(self) -> None:
        self.newest: dict[tuple[str, str], tuple[datetime, Any]] = {}
        self.deleted: dict[tuple[str, str], datetime] = {}
        self.identified: set[tuple[str, str]] = set()
        #: The URL of each listing, of the newest capture that has one.
        self.urls: dict[tuple[str, str], str] = {}

    def take(self, chunk: list[Captured]) -> None:
        """Add captures of one platform. Of one instant, the first delivery counts."""
        events = {key for kind, key in self.newest if kind == "events"}
        stored_until = {thing: at for thing, (at, _) in self.newest.items()}
        urls: dict[tuple[str, str], str] = {}
        # Of several captures of an event in a chunk, the newest describes it.
        for capture in sorted(chunk, key=lambda capture: capture["captured_at"], reverse=True):
            event = capture.get("event") or capture["competitor_event"]
            page = page_of(event)
            if event["event_url"] and stored_until.get(page, EARLIEST) < capture["captured_at"]:
                urls.setdefault(page, event["event_url"])
            if event.get("bookmaker") in (None, "betpawa"):
                self._take(capture, capture["captured_at"])
            elif (key := event["sportradar_id"]) not in events:
                events.add(key)
                self._take(capture, EARLIEST)
            else:
                self._take_listing(event, capture["captured_at"])
        self.urls |= urls

    def _take(self, capture: Captured, at: datetime) -> None:
        event = capture.get("event") or capture["competitor_event"]
        tournament = event["tournament"]
        attributes = tuple(event[name] for name in ("name", "home_team", "away_team", "kickoff"))
        if "event" in capture:
            key, league = event["sportradar_id"], tournament["sportradar_id"]
            kind = "events", "tournaments"
            self._take_listing(event, capture["captured_at"])
            country = tournament["country"]
        else:
            key, league = event["external_id"], tournament["external_id"]
            kind = "competitor_events", "competitor_tournaments"
            country = tournament["country_raw"]
            if event["sportradar_id"] is not None:
                self.identified |= {(kind[0], key), (kind[1], league)}
        self._offer(kind[0], key, at, (*attributes, league))
        self._offer(kind[1], league, at, (tournament["name"], country))

    def _take_listing(self, event: dict[str, Any], at: datetime) -> None:
        self._offer(*page_of(event), at, (event["external_event_id"],))

    def _offer(self, kind: str, key: str, at: datetime, attributes: Any) -> None:
        thing = kind, key
        if thing in self.newest and self.newest[thing][0] >= at:
            return
        self.newest[thing] = at, attributes
        if thing in self.deleted and at > self.deleted[thing]:
            del self.deleted[thing]

    def delete(self, kind: str, key: str, at: datetime) -> None:
        """Soft-delete a row, if it is there."""
        if (kind, key) in self.newest:
            self.deleted[kind, key] = at

    def rows(self, kind: str) -> list[tuple[Any, ...]]:
        """List the rows of a kind, of tournaments those with events: keys, attributes and more.

        Competitors' rows have an id or not, may be deleted, and events may be linked. Events at a
        bookmaker may have a URL.
        """
        found = []
        side = kind.replace("tournaments", "events")
        used = {row[-1] for (of_kind, _), (_, row) in self.newest.items() if of_kind == side}
        for (of_kind, key), (_, attributes) in self.newest.items():
            if of_kind == kind and (side == kind or key in used):
                more: tuple[Any, ...] = ()
                if kind.startswith("competitor"):
                    has_id = (kind, key) in self.identified
                    more = has_id, self.deleted.get((kind, key))
                if kind == "competitor_events":
                    more += (has_id and ("events", key) in self.newest,)
                if kind == "competitor_events" or kind.startswith("listings"):
                    more += (self.urls.get((kind, key)),)
                found.append((key, *attributes, *more))
        return sorted(found)


READ = {
    "tournaments": """SELECT sportradar_id, name, country FROM tournaments
        WHERE id IN (SELECT tournament_id FROM events)""",
    "events": """SELECT e.sportradar_id, e.name, home_team, away_team, kickoff, t.sportradar_id
        FROM events AS e JOIN tournaments AS t ON t.id = tournament_id""",
    "competitor_tournaments": """SELECT external_id, name, country_raw,
        sportradar_id IS NOT NULL, deleted_at FROM competitor_tournaments
        WHERE id IN (SELECT tournament_id FROM competitor_events)""",
    "competitor_events": """SELECT e.external_id, e.name, home_team, away_team, kickoff,
        t.external_id, e.sportradar_id = e.external_id, e.deleted_at, betpawa_event_id IS NOT NULL,
        event_url
        FROM competitor_events AS e JOIN competitor_tournaments AS t ON t.id = tournament_id""",
    **{
        f"listings of {bookmaker}": f"""SELECT e.sportradar_id, external_event_id, event_url
        FROM event_bookmakers JOIN events AS e ON e.id = event_id
        JOIN bookmakers AS b ON b.id = bookmaker_id WHERE b.slug = '{bookmaker}'"""
        for bookmaker in REFERENCE
    },
}


@given(deliveries=deliveries(), chunk_rows=st.sampled_from((1, 10_000)))
def test_only_newer_captures_change_attributes(
    deliveries: list[Any], chunk_rows: int, connection: Any, run: Run
) -> None:
    """Names, kickoffs, tournaments, listings, links and deletions are those of the model."""
    model = Model()

    async def body() -> None:
        for delivery in deliveries:
            if isinstance(delivery, tuple):
                table, key, at = delivery
                await connection.execute(
                    f"UPDATE {table} SET deleted_at = $2 WHERE external_id = $1", key, at
                )
                model.delete(*delivery)
                continue
            options = IngestOptions(chunk_rows=chunk_rows)
            report = await ingest(connection, delivery, options=options)
            assert report.all_stored, report
            for chunk in [delivery] if chunk_rows > 1 else [[capture] for capture in delivery]:
                model.take(chunk)
        for kind, statement in READ.items():
            rows = [tuple(row) for row in await connection.fetch(statement)]
            assert sorted(rows) == model.rows(kind), kind

    run(rolled_back(connection, body()))


ROWS = "SELECT deleted_at IS NULL FROM {}"


@pytest.mark.sampled(3)
@pytest.mark.parametrize("table", ["competitor_events", "competitor_tournaments"])
@pytest.mark.parametrize(("minute", "comes_back"), [(1, False), (2, False), (3, False), (4, True)])
def test_deleted_row(table: str, minute: int, comes_back: bool, connection: Any, run: Run) -> None:
    """Only a capture that was taken after the deletion at minute 3 restores a row."""

    def at(minute: int) -> Captured:
        return captured(COMPETITOR, "1", INSTANTS[minute], 0, "7", named=0, has_id=True)

    async def body() -> bool:
        await ingest(connection, [at(2)])
        await connection.execute(f"UPDATE {table} SET deleted_at = $1", INSTANTS[3])
        await ingest(connection, [at(minute)])
        return bool(await connection.fetchval(ROWS.format(table)))

    assert run(rolled_back(connection, body())) is comes_back


def test_sport_keeps_its_name(connection: Any, run: Run) -> None:
    """Another name of a sport is a doubt of its capture; the capture is stored, the name stays."""

    def named(platform: str, minute: int, name: str) -> Captured:
        capture = captured(platform, "1", INSTANTS[minute], 0, "7", named=0, has_id=True)
        event = capture.get("event") or capture["competitor_event"]
        event["tournament"]["sport"] = {"slug": "tennis", "name": name}
        return capture

    async def body() -> None:
        await ingest(connection, [named(COMPETITOR, 2, "Tennis")])
        for platform, minute in ((COMPETITOR, 1), (COMPETITOR, 3), ("betpawa", 4)):
            report = await ingest(connection, [named(platform, minute, "Lawn tennis")])
            assert report.all_stored
            side = "competitor_event" if platform == COMPETITOR else "event"
            assert [str(doubt.problem) for doubt in report.doubts] == [
                f"$.{side}.tournament.sport.name: the sport 'tennis' is stored as 'Tennis', and "
                "keeps this name: 'Lawn tennis' is not stored"
            ]
        strict = IngestOptions(strict=True)
        report = await ingest(connection, [named(COMPETITOR, 5, "Lawn tennis")], options=strict)
        assert (report.total.captures_refused, report.doubts) == (1, ())
        assert [row["name"] for row in await connection.fetch("SELECT name FROM sports")] == [
            "Football",
            "Tennis",
        ]
        count = "SELECT sum(1 + cardinality(confirmed_at)) FROM competitor_odds_snapshots"
        assert await connection.fetchval(count) == 3

    run(rolled_back(connection, body()))


def test_another_id_of_a_tournament(connection: Any, run: Run) -> None:
    """A late capture gives a tournament no other SportRadar id; a newer one does."""

    def identified(minute: int, event: str, sportradar_id: str) -> Captured:
        capture = captured("betpawa", event, INSTANTS[minute], 0, "7", named=0, has_id=True)
        capture["event"]["tournament"] |= {"sportradar_id": sportradar_id}
        return capture

    async def body() -> list[Any]:
        found = []
        for minute, event, sportradar_id in ((2, "1", "7"), (1, "2", "8"), (3, "2", "9")):
            await ingest(connection, [identified(minute, event, sportradar_id)])
            found.append(await connection.fetchval("SELECT sportradar_id FROM tournaments"))
        return found

    assert run(rolled_back(connection, body())) == ["7", "7", "9"]


@pytest.mark.parametrize("has_id", [True, False])
def test_placeholder(has_id: bool, connection: Any, run: Run) -> None:
    """An event without a SportRadar id has a placeholder until any capture has one."""

    async def body() -> Any:
        for minute, identified in ((3, False), (1, has_id), (4, False)):
            capture = captured(
                COMPETITOR, "1", INSTANTS[minute], 0, "7", named=0, has_id=identified
            )
            await ingest(connection, [capture])
        return await connection.fetchval("SELECT sportradar_id FROM competitor_events")

    expected = "1" if has_id else placeholder_id(COMPETITOR, "1")
    assert run(rolled_back(connection, body())) == expected
