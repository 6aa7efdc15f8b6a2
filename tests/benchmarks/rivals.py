"""Ingestion without this package: from the same bytes into the same tables.

Each rival validates with the same bounds as plain pydantic models, and inserts tournaments, events
and snapshots by one `unnest` statement each; they differ in the way of the markets. The package
alone looks for existing rows.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import asyncpg
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter
from pydantic_core import to_json
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from oddsschema import CompetitorMarketOdds, Market


def _text(length: int) -> Any:
    return StringConstraints(
        strip_whitespace=True, min_length=1, max_length=length, pattern=r"^[^\x00]*$"
    )


Finite = Annotated[float, Field(allow_inf_nan=False)]


class PlainOutcome(BaseModel):
    """`oddsschema.Outcome` as a plain model."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, _text(255)]
    odds: Annotated[float, Field(ge=1, allow_inf_nan=False)]
    is_active: bool = True


class PlainMarket(BaseModel):
    """`oddsschema.Market` as a plain model."""

    model_config = ConfigDict(extra="forbid")
    betpawa_market_id: Annotated[str, _text(50)]
    betpawa_market_name: Annotated[str, _text(255)]
    line: Finite | None = None
    handicap_type: Literal["european", "asian"] | None = None
    handicap_home: Finite | None = None
    handicap_away: Finite | None = None
    specifiers: Annotated[str, _text(255)] | None = None
    outcomes: Annotated[list[PlainOutcome], Field(min_length=1, max_length=500)]


class PlainSport(BaseModel):
    """A sport."""

    slug: Annotated[str, _text(100)]
    name: Annotated[str, _text(100)]


class PlainTournament(BaseModel):
    """A tournament."""

    external_id: Annotated[str, _text(100)]
    name: Annotated[str, _text(255)]
    country_raw: str | None = None
    country_iso: str | None = None
    sport: PlainSport


class PlainEvent(BaseModel):
    """A competitor's event."""

    source: Annotated[str, _text(20)]
    external_id: Annotated[str, _text(100)]
    sportradar_id: Annotated[str, _text(100)]
    name: Annotated[str, _text(500)]
    home_team: Annotated[str, _text(255)]
    away_team: Annotated[str, _text(255)]
    kickoff: AwareDatetime
    tournament: PlainTournament


class PlainCapture(BaseModel):
    """`oddsschema.Capture` as a plain model."""

    captured_at: AwareDatetime
    competitor_event: PlainEvent
    markets: list[PlainMarket]


CAPTURE = TypeAdapter(PlainCapture)

COLUMNS = ("competitor_event_id", "snapshot_id", *Market.model_fields)

_VALUES = """
INSERT INTO competitor_market_odds
    (competitor_event_id, snapshot_id, betpawa_market_id, betpawa_market_name, line,
     handicap_type, handicap_home, handicap_away, specifiers, outcomes)
"""


async def write_parents(
    connection: asyncpg.Connection, captures: Sequence[PlainCapture]
) -> list[tuple[int, int]]:
    """Insert tournaments, events and snapshots; return each capture's event and snapshot ids."""
    tournaments = {c.competitor_event.tournament.external_id: c for c in captures}
    rows = await connection.fetch(
        """
        INSERT INTO competitor_tournaments (source, external_id, name, sport_id)
        SELECT $1, c.external_id, c.name, s.id
        FROM unnest($2::text[], $3::text[]) AS c (external_id, name), sports AS s
        WHERE s.slug = 'football' RETURNING external_id, id
        """,
        "sportybet",
        list(tournaments),
        [c.competitor_event.tournament.name for c in tournaments.values()],
    )
    tournament_ids = {row["external_id"]: row["id"] for row in rows}
    events = [c.competitor_event for c in captures]
    rows = await connection.fetch(
        """
        INSERT INTO competitor_events (source, external_id, tournament_id, sportradar_id, name,
            home_team, away_team, kickoff)
        SELECT $1, c.* FROM unnest($2::text[], $3::int[], $4::text[], $5::text[], $6::text[],
            $7::text[], $8::timestamptz[]) AS c
        RETURNING external_id, id
        """,
        "sportybet",
        [event.external_id for event in events],
        [tournament_ids[event.tournament.external_id] for event in events],
        [event.sportradar_id for event in events],
        [event.name for event in events],
        [event.home_team for event in events],
        [event.away_team for event in events],
        [event.kickoff for event in events],
    )
    event_ids = {row["external_id"]: row["id"] for row in rows}
    ids = [event_ids[event.external_id] for event in events]
    rows = await connection.fetch(
        """
        INSERT INTO competitor_odds_snapshots (competitor_event_id, captured_at)
        SELECT * FROM unnest($1::int[], $2::timestamptz[]) RETURNING competitor_event_id, id
        """,
        ids,
        [c.captured_at for c in captures],
    )
    snapshot_ids = {row["competitor_event_id"]: row["id"] for row in rows}
    return [(event_id, snapshot_ids[event_id]) for event_id in ids]


def market_tuples(
    captures: Sequence[PlainCapture], ids: Sequence[tuple[int, int]], *, json: type = bytes
) -> list[tuple[Any, ...]]:
    """Return the markets as rows of `COLUMNS`, with outcomes as JSON text."""
    decoded = json is str
    return [
        (
            *key,
            market.betpawa_market_id,
            market.betpawa_market_name,
            market.line,
            market.handicap_type,
            market.handicap_home,
            market.handicap_away,
            market.specifiers,
            to_json(market.outcomes).decode() if decoded else to_json(market.outcomes),
        )
        for key, capture in zip(ids, captures, strict=True)
        for market in capture.markets
    ]


def validated(lines: Sequence[bytes]) -> list[PlainCapture]:
    """Validate the captures as plain pydantic models."""
    return [CAPTURE.validate_json(line) for line in lines]


async def executemany(connection: asyncpg.Connection, lines: Sequence[bytes]) -> None:
    """Ingest by pydantic and asyncpg's executemany."""
    captures = validated(lines)
    async with connection.transaction():
        ids = await write_parents(connection, captures)
        statement = _VALUES + "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        await connection.executemany(statement, market_tuples(captures, ids, json=str))


async def unnest(connection: asyncpg.Connection, lines: Sequence[bytes]) -> None:
    """Ingest by pydantic and one INSERT from arrays."""
    captures = validated(lines)
    async with connection.transaction():
        ids = await write_parents(connection, captures)
        columns = [
            list(column) for column in zip(*market_tuples(captures, ids, json=str), strict=True)
        ]
        await connection.execute(
            _VALUES
            + """
            SELECT * FROM unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::float8[],
                $6::text[], $7::float8[], $8::float8[], $9::text[],
                $10::jsonb[])
            """,
            *columns,
        )


async def copy_records(connection: asyncpg.Connection, lines: Sequence[bytes]) -> None:
    """Ingest by pydantic and asyncpg's copy_records_to_table, after `set_jsonb_codec`."""
    captures = validated(lines)
    async with connection.transaction():
        ids = await write_parents(connection, captures)
        await connection.copy_records_to_table(
            "competitor_market_odds", records=market_tuples(captures, ids), columns=COLUMNS
        )


async def psycopg_copy(
    connection: asyncpg.Connection, lines: Sequence[bytes], psycopg: Any
) -> None:
    """Ingest by pydantic and psycopg 3's COPY in text format. Parents are committed before."""
    captures = validated(lines)
    ids = await write_parents(connection, captures)
    async with psycopg.cursor() as cursor:
        copy = f"COPY competitor_market_odds ({', '.join(COLUMNS)}) FROM STDIN"
        async with cursor.copy(copy) as out:
            for row in market_tuples(captures, ids, json=str):
                await out.write_row(row)
    await psycopg.commit()


async def core_insert(
    connection: asyncpg.Connection, lines: Sequence[bytes], engine: AsyncEngine
) -> None:
    """Ingest by pydantic and SQLAlchemy Core's insert, on asyncpg."""
    captures = validated(lines)
    ids = await write_parents(connection, captures)
    rows = [
        {"competitor_event_id": event_id, "snapshot_id": snapshot_id, **market.model_dump()}
        for (event_id, snapshot_id), capture in zip(ids, captures, strict=True)
        for market in capture.markets
    ]
    async with engine.begin() as transaction:
        await transaction.execute(insert(CompetitorMarketOdds), rows)


async def add_all(
    connection: asyncpg.Connection, lines: Sequence[bytes], engine: AsyncEngine
) -> None:
    """Ingest by SQLModel's session.add_all of validated objects."""
    captures = validated(lines)
    ids = await write_parents(connection, captures)
    objects = [
        CompetitorMarketOdds(
            competitor_event_id=event_id, snapshot_id=snapshot_id, **market.model_dump()
        )
        for (event_id, snapshot_id), capture in zip(ids, captures, strict=True)
        for market in capture.markets
    ]
    async with AsyncSession(engine) as session:
        session.add_all(objects)
        await session.commit()


async def set_jsonb_codec(connection: asyncpg.Connection) -> None:
    """Let COPY BINARY accept JSON text as bytes."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda text: b"\x01" + text,
        decoder=lambda data: data[1:],
    )
