"""The plan's tables in their first form, as another program has created and filled them.

Times have no zone, documents are JSON, and the tables have neither foreign keys nor CHECKs. Events
of competitors have the URL that programs have added since.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

import asyncpg

from oddsschema import Capture

PLAN_TABLES = """
CREATE TABLE sports (
    id serial PRIMARY KEY, name varchar(100) UNIQUE, slug varchar(100) UNIQUE
);
CREATE TABLE tournaments (
    id serial PRIMARY KEY, sport_id int, name varchar(255),
    country varchar(100) NOT NULL DEFAULT 'Unknown', sportradar_id varchar(100) UNIQUE
);
CREATE TABLE bookmakers (
    id serial PRIMARY KEY, name varchar(100) UNIQUE, slug varchar(100) UNIQUE,
    is_active bool DEFAULT true, base_url varchar(500), logo_url varchar(500),
    created_at timestamp DEFAULT now(), updated_at timestamp DEFAULT now()
);
CREATE TABLE events (
    id serial PRIMARY KEY, tournament_id int, name varchar(500), home_team varchar(255),
    away_team varchar(255), kickoff timestamp, sportradar_id varchar(100) UNIQUE NOT NULL,
    created_at timestamp DEFAULT now()
);
CREATE TABLE event_bookmakers (
    id serial PRIMARY KEY, event_id int, bookmaker_id int, external_event_id varchar(100),
    event_url varchar(1000), created_at timestamp DEFAULT now(), UNIQUE (event_id, bookmaker_id)
);
CREATE TABLE scrape_runs (
    id serial PRIMARY KEY, status varchar(20) DEFAULT 'pending', started_at timestamp DEFAULT now(),
    completed_at timestamp, events_scraped int DEFAULT 0, events_failed int DEFAULT 0,
    trigger varchar(50), platform_timings json, batch_id int
);
CREATE TABLE scrape_errors (
    id serial PRIMARY KEY, scrape_run_id int, bookmaker_id int, event_id int,
    error_type varchar(50), error_message text, occurred_at timestamp DEFAULT now()
);
CREATE TABLE odds_snapshots (
    id bigserial PRIMARY KEY, event_id int, bookmaker_id int, captured_at timestamp DEFAULT now(),
    scrape_run_id int, raw_response json
);
CREATE TABLE market_odds (
    id bigserial PRIMARY KEY, snapshot_id bigint, betpawa_market_id varchar(50),
    betpawa_market_name varchar(255), line float, handicap_type varchar(50), handicap_home float,
    handicap_away float, outcomes json NOT NULL
);
CREATE INDEX idx_market_odds_snapshot ON market_odds (snapshot_id);
CREATE TABLE scrape_batches (
    id serial PRIMARY KEY, started_at timestamp DEFAULT now(), completed_at timestamp,
    status varchar(20) DEFAULT 'pending', trigger varchar(50), notes text
);
CREATE TABLE competitor_tournaments (
    id serial PRIMARY KEY, source varchar(20) NOT NULL, sport_id int, name varchar(255),
    country_raw varchar(100), country_iso varchar(3), external_id varchar(100) NOT NULL,
    sportradar_id varchar(100), created_at timestamp DEFAULT now(), deleted_at timestamp
);
CREATE TABLE competitor_events (
    id serial PRIMARY KEY, source varchar(20), tournament_id int, betpawa_event_id int,
    name varchar(500), home_team varchar(255), away_team varchar(255), kickoff timestamp,
    external_id varchar(100), sportradar_id varchar(100) NOT NULL, event_url varchar(1000),
    created_at timestamp DEFAULT now(), updated_at timestamp DEFAULT now(), deleted_at timestamp
);
CREATE TABLE competitor_odds_snapshots (
    id bigserial PRIMARY KEY, competitor_event_id int, captured_at timestamp DEFAULT now(),
    scrape_run_id int, raw_response json
);
CREATE TABLE competitor_market_odds (
    id bigserial PRIMARY KEY, snapshot_id bigint, betpawa_market_id varchar(50),
    betpawa_market_name varchar(255), line float, handicap_type varchar(50), handicap_home float,
    handicap_away float, outcomes json NOT NULL
);
CREATE INDEX idx_competitor_market_odds_snapshot ON competitor_market_odds (snapshot_id);
"""

#: A football match that BetPawa and Bet9ja offer.
MATCH = """
INSERT INTO sports (id, name, slug) VALUES (5, 'Football', 'football');
INSERT INTO bookmakers (id, name, slug) VALUES (7, 'BetPawa', 'betpawa');
INSERT INTO tournaments (id, sport_id, name) VALUES (3, 5, 'Super League');
INSERT INTO events (id, tournament_id, name, home_team, away_team, kickoff, sportradar_id)
VALUES (11, 3, 'Basel - Zurich', 'Basel', 'Zurich', '2024-11-01 19:00', 'sr:match:77');
INSERT INTO event_bookmakers (event_id, bookmaker_id, external_event_id) VALUES (11, 7, 'x1');
INSERT INTO competitor_tournaments (id, source, sport_id, name, external_id)
VALUES (4, 'bet9ja', 5, 'Super League', 't1');
INSERT INTO competitor_events
    (id, source, tournament_id, name, home_team, away_team, kickoff, external_id, sportradar_id)
VALUES (21, 'bet9ja', 4, 'Basel - Zurich', 'Basel', 'Zurich', '2024-11-01 19:00', 'e1', '77');
"""

#: A snapshot of each, with a market each.
ODDS = """
INSERT INTO odds_snapshots (id, event_id, bookmaker_id, captured_at)
VALUES (100, 11, 7, '2024-10-27 00:30');
INSERT INTO market_odds (snapshot_id, betpawa_market_id, betpawa_market_name, outcomes)
VALUES (100, '3743', '1X2', '[{"name": "1", "odds": 1.5, "is_active": true}]');
INSERT INTO competitor_odds_snapshots (id, competitor_event_id, captured_at)
VALUES (200, 21, '2024-10-27 00:30');
INSERT INTO competitor_market_odds (snapshot_id, betpawa_market_id, betpawa_market_name, outcomes)
VALUES (200, '3743', '1X2', '[{"name": "1", "odds": 1.6, "is_active": true}]');
"""

#: The columns of a market in the plan, without its outcomes.
MARKET_COLUMNS = (
    *("betpawa_market_id", "betpawa_market_name", "line"),
    *("handicap_type", "handicap_home", "handicap_away"),
)

_TABLES = """
SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
"""


async def clear(connection: asyncpg.Connection) -> None:
    """Delete all rows of the schema."""
    names = [row[0] for row in await connection.fetch(_TABLES)]
    await connection.execute(f"TRUNCATE {', '.join(names)} RESTART IDENTITY")


@dataclass
class PlanWriter:
    """A scraper of the plan's first form: stores captures as complete snapshots."""

    connection: asyncpg.Connection
    zone: tzinfo
    #: The ids of the rows of each table, by the values that identify them.
    ids: dict[tuple[Any, ...], int] = field(default_factory=dict)

    async def insert(self, table: str, key: Any = None, **values: Any) -> int:
        """Insert a row, unless the table has one of this key; return its id."""
        if key is not None and (table, key) in self.ids:
            return self.ids[table, key]
        parameters = ", ".join(f"${number}" for number, _ in enumerate(values, 1))
        row_id: int = await self.connection.fetchval(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({parameters}) RETURNING id",
            *map(self._stored, values.values()),
        )
        if key is not None:
            self.ids[table, key] = row_id
        return row_id

    def _stored(self, value: Any) -> Any:
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.astimezone(self.zone).replace(tzinfo=None)
        return json.dumps(value) if isinstance(value, list | dict) else value

    async def store(self, captures: Iterable[Capture], *, run_id: int | None = None) -> None:
        """Store captures, each as a snapshot."""
        for capture in captures:
            await self.store_snapshot(capture, capture.model_dump()["markets"], run_id=run_id)

    async def store_snapshot(
        self, capture: Capture, markets: Sequence[dict[str, Any]], *, run_id: int | None = None
    ) -> int:
        """Store the snapshot of a capture with these markets; return its id."""
        if capture.event is not None:
            table, snapshot = "market_odds", await self._reference_snapshot(capture, run_id)
        else:
            table = "competitor_market_odds"
            snapshot = await self._competitor_snapshot(capture, run_id)
        for market in markets:
            await self.insert(
                table,
                snapshot_id=snapshot,
                **{name: market[name] for name in MARKET_COLUMNS},
                outcomes=list(market["outcomes"]),
            )
        return snapshot

    async def _reference_snapshot(self, capture: Capture, run_id: int | None) -> int:
        event = capture.event
        assert event is not None
        tournament = event.tournament
        tournament_id = await self.insert(
            "tournaments",
            (tournament.sport.slug, tournament.name, tournament.country, tournament.sportradar_id),
            sport_id=await self._sport(tournament),
            **{name: getattr(tournament, name) for name in ("name", "country", "sportradar_id")},
        )
        event_id = await self.insert(
            "events", event.sportradar_id, tournament_id=tournament_id, **_fixture(event)
        )
        bookmaker_id = await self.insert(
            "bookmakers", event.bookmaker, slug=event.bookmaker, name=event.bookmaker
        )
        await self.insert(
            "event_bookmakers",
            (event_id, bookmaker_id),
            event_id=event_id,
            bookmaker_id=bookmaker_id,
            external_event_id=event.external_event_id,
            event_url=event.event_url,
        )
        return await self.insert(
            "odds_snapshots",
            event_id=event_id,
            bookmaker_id=bookmaker_id,
            captured_at=capture.captured_at,
            scrape_run_id=run_id,
        )

    async def _competitor_snapshot(self, capture: Capture, run_id: int | None) -> int:
        event = capture.competitor_event
        assert event is not None
        tournament = event.tournament
        tournament_id = await self.insert(
            "competitor_tournaments",
            (event.source, tournament.external_id),
            source=event.source,
            sport_id=await self._sport(tournament),
            **{
                name: getattr(tournament, name)
                for name in (
                    *("external_id", "name", "sportradar_id"),
                    *("country_raw", "country_iso"),
                )
            },
        )
        event_id = await self.insert(
            "competitor_events",
            (event.source, event.external_id),
            source=event.source,
            external_id=event.external_id,
            event_url=event.event_url,
            tournament_id=tournament_id,
            **_fixture(event),
        )
        return await self.insert(
            "competitor_odds_snapshots",
            competitor_event_id=event_id,
            captured_at=capture.captured_at,
            scrape_run_id=run_id,
        )

    async def _sport(self, tournament: Any) -> int:
        sport = tournament.sport
        return await self.insert("sports", sport.slug, slug=sport.slug, name=sport.name)


def _fixture(event: Any) -> dict[str, Any]:
    return {
        name: getattr(event, name)
        for name in ("name", "home_team", "away_team", "kickoff", "sportradar_id")
    }
