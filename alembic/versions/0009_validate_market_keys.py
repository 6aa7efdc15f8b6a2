"""Bring stored rows into the form of 0008, and validate its CHECKs.

Rows are changed in small transactions beside an ingestion, which then waits for a few events at a
time. A migration that was interrupted is started again: it changes the rows that are left. In a
transaction of the caller's, and in SQL text, everything is one transaction.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "oddsschema_0009"
down_revision = "oddsschema_0008"
branch_labels = None
depends_on = None

CHECKS = {
    "odds_snapshots": ("unknown_markets",),
    "competitor_odds_snapshots": ("unknown_markets",),
    "market_odds": ("specifiers", "handicap_line", "outcomes"),
    "competitor_market_odds": ("specifiers", "handicap_line", "outcomes"),
}


@dataclass(frozen=True)
class Change:
    """A change of the rows of a table."""

    #: The rows to change or, for market rows, their events: a SELECT of ids in order of the locks.
    find: str
    #: The statement that changes the rows of the SQL array {ids}. It changes no row twice.
    change: str
    #: The statement that locks {ids} first, as ingestion does; None to change row by row.
    lock: str | None = None

    @property
    def size(self) -> int:
        """The number of ids in a transaction. Who needs one of them waits for all."""
        return 1 if self.lock is None else 10


# -- SportRadar ids --------------------------------------------------------------------------------

# The plain form of an id of the table t.
PLAIN_EVENT = "coalesce(substring(t.sportradar_id FROM '^sr:match:([0-9]+)$'), t.sportradar_id)"
PLAIN_TOURNAMENT = (
    "coalesce(substring(t.sportradar_id FROM '^sr:tournament:([0-9]+)$'), t.sportradar_id)"
)

# Find ids to bring into plain form. Where another row has the plain form, both rows stay.
FIND_UNIQUE = """
SELECT t.id FROM {table} AS t
WHERE t.sportradar_id <> {plain}
    AND NOT EXISTS (SELECT FROM {table} AS other WHERE other.sportradar_id = {plain})
ORDER BY t.sportradar_id
"""

# Bring unique ids into plain form. A change of a key waits for all who refer to the row: a
# transaction for each row holds no other lock meanwhile, so no deadlock arises.
CHANGE_UNIQUE = """
UPDATE {table} AS t SET sportradar_id = {plain}
WHERE t.id = ANY ({{ids}})
    AND NOT EXISTS (SELECT FROM {table} AS other WHERE other.sportradar_id = {plain})
"""

# Find competitors' tournaments whose ids are not in plain form.
FIND_TOURNAMENTS = f"""
SELECT t.id FROM competitor_tournaments AS t
WHERE t.sportradar_id <> {PLAIN_TOURNAMENT}
ORDER BY t.source, t.external_id
"""

# Bring the ids of competitors' tournaments into plain form.
CHANGE_TOURNAMENTS = f"""
UPDATE competitor_tournaments AS t SET sportradar_id = {PLAIN_TOURNAMENT}
WHERE t.id = ANY ({{ids}})
"""

# Read the plain ids of competitors' events, and BetPawa's events of these ids, where one of the two
# differs. An id that an event got in place of a missing one matches nothing.
WANTED_EVENTS = f"""
SELECT t.id, t.source, t.external_id, {PLAIN_EVENT} AS sportradar_id, e.id AS event_id
FROM competitor_events AS t
CROSS JOIN LATERAL (SELECT t.source || ':' || t.external_id AS whole) AS placeholder
LEFT JOIN events AS e ON e.sportradar_id = {PLAIN_EVENT}
    AND t.sportradar_id <> CASE WHEN length(whole) <= 100 THEN whole
        ELSE left(whole, 83) || '-'
            || left(encode(sha256(convert_to(whole, 'UTF8')), 'hex'), 16) END
WHERE (t.sportradar_id <> {PLAIN_EVENT}
    OR e.id IS NOT NULL AND t.betpawa_event_id IS DISTINCT FROM e.id)
"""

# Find competitors' events whose id is not in plain form, or whose link differs from their id.
FIND_EVENTS = f"SELECT id FROM ({WANTED_EVENTS}) AS wanted ORDER BY source, external_id"

# Bring the ids of competitors' events into plain form, and link the events by them.
CHANGE_EVENTS = f"""
WITH wanted AS ({WANTED_EVENTS} AND t.id = ANY ({{ids}}))
UPDATE competitor_events AS t
SET sportradar_id = wanted.sportradar_id,
    betpawa_event_id = COALESCE(wanted.event_id, t.betpawa_event_id),
    updated_at = now()
FROM wanted
WHERE t.id = wanted.id
"""

# The tables, in the order in which ingestion uses them.
TABLES = (
    "tournaments",
    "competitor_tournaments",
    "events",
    "competitor_events",
    "competitor_odds_snapshots",
    "competitor_market_odds",
    "odds_snapshots",
    "market_odds",
)

# Lock rows in the order of ingestion.
LOCK = "SELECT id FROM {table} WHERE id = ANY ({{ids}}) ORDER BY {order} FOR NO KEY UPDATE"

# -- handicaps -------------------------------------------------------------------------------------

# Find the events that have handicaps without a line.
FIND_HANDICAPS = """
SELECT id FROM {events} WHERE id IN (
    SELECT {event} FROM {markets}
    WHERE line IS NULL AND handicap_type IS NOT NULL AND handicap_away = -handicap_home
)
ORDER BY {order}
"""

# Fill in the lines of handicaps, and so make one market of two keys, without and with a line.
#
# At each instant, the market is on offer if it was on offer under one of the keys. If under both,
# the newer row counts. A row that is contradicted by this is deleted; a row by which a key was
# taken off the offer while older outcomes of the other key applied again gets these outcomes.
#
# In the CTEs, the rows of a market are numbered in the order of time. A market ends at the next
# keyframe. `source` is the row that counts after a snapshot, NULL for none; `before` the one that
# counted before it.
CHANGE_HANDICAPS = """
WITH snapshots AS (
    SELECT s.id, s.{event} AS event_id, {bookmaker} AS bookmaker_id, s.captured_at,
        count(*) FILTER (WHERE s.is_complete)
            OVER (PARTITION BY s.{event}, {bookmaker} ORDER BY s.captured_at) AS keyframe
    FROM {snapshots} AS s
    WHERE s.{event} = ANY ({{ids}})
), handicaps AS MATERIALIZED (
    -- With the other conditions here, PostgreSQL would expect few rows, and read the whole table.
    SELECT s.event_id, s.bookmaker_id, s.keyframe, s.captured_at, m.id, m.betpawa_market_id, m.line,
        m.handicap_type, m.handicap_home, m.handicap_away, m.specifiers, m.unavailable_at
    FROM snapshots AS s
    JOIN {markets} AS m ON m.{event} = s.event_id AND m.snapshot_id = s.id
    WHERE m.handicap_type IS NOT NULL
), numbered AS MATERIALIZED (
    SELECT id, captured_at, line IS NULL AS lacks_line, unavailable_at IS NOT NULL AS is_gone,
        dense_rank() OVER (ORDER BY event_id, bookmaker_id, keyframe, betpawa_market_id,
            handicap_type, handicap_home) AS market,
        row_number() OVER (ORDER BY event_id, bookmaker_id, keyframe, betpawa_market_id,
            handicap_type, handicap_home, captured_at, id) AS number
    FROM handicaps
    WHERE handicap_away = -handicap_home AND COALESCE(line, handicap_home) = handicap_home
        AND specifiers IS NULL
), followed AS (
    SELECT *,
        min(number) OVER here AS first_number,
        max(number) OVER here AS last_number,
        max(number) FILTER (WHERE lacks_line AND NOT is_gone) OVER until_here AS offered_without,
        max(number) FILTER (WHERE lacks_line AND is_gone) OVER until_here AS gone_without,
        max(number) FILTER (WHERE NOT lacks_line AND NOT is_gone) OVER until_here AS offered_with,
        max(number) FILTER (WHERE NOT lacks_line AND is_gone) OVER until_here AS gone_with
    FROM numbered
    WINDOW here AS (PARTITION BY market, captured_at),
        until_here AS (PARTITION BY market ORDER BY captured_at)
), decided AS (
    SELECT *, greatest(
        CASE WHEN offered_without > COALESCE(gone_without, 0) THEN offered_without END,
        CASE WHEN offered_with > COALESCE(gone_with, 0) THEN offered_with END
    ) AS source
    FROM followed
), compared AS (
    SELECT *, first_value(source) OVER (
        PARTITION BY market ORDER BY captured_at GROUPS BETWEEN 1 PRECEDING AND 1 PRECEDING
    ) AS before
    FROM decided
), planned AS MATERIALIZED (
    SELECT id, number, source,
        COALESCE(source, before, number) AS content,
        CASE
            WHEN source >= first_number THEN source
            WHEN source = before THEN NULL
            ELSE last_number
        END AS kept
    FROM compared
), deleted AS (
    DELETE FROM {markets} AS m
    USING planned AS p
    WHERE m.id = p.id AND p.number IS DISTINCT FROM p.kept
), replaced AS (
    -- These are few. With all rows, the join by number would take most of the time.
    UPDATE {markets} AS m
    SET line = m.handicap_home + 0,
        betpawa_market_name = content.betpawa_market_name,
        outcomes = content.outcomes,
        unavailable_at = CASE WHEN p.source IS NULL THEN m.unavailable_at END
    FROM planned AS p
    JOIN numbered AS n ON n.number = p.content
    JOIN {markets} AS content ON content.id = n.id
    WHERE m.id = p.id AND p.number = p.kept AND p.content <> p.number
)
UPDATE {markets} AS m
SET line = m.handicap_home + 0 -- not -0
FROM planned AS p
WHERE m.id = p.id AND p.number = p.kept AND p.content = p.number AND m.line IS NULL
"""

# -- all changes -----------------------------------------------------------------------------------


def _unique_ids(table: str, plain: str) -> Change:
    return Change(
        find=FIND_UNIQUE.format(table=table, plain=plain),
        change=CHANGE_UNIQUE.format(table=table, plain=plain),
    )


def _handicaps(order: str, **names: str) -> Change:
    return Change(
        find=FIND_HANDICAPS.format(order=order, **names),
        lock=LOCK.format(table=names["events"], order=order),
        change=CHANGE_HANDICAPS.format(**names),
    )


COMPETITORS_ORDER = "source, external_id"
UNIQUE_IDS = {
    "tournaments": _unique_ids("tournaments", PLAIN_TOURNAMENT),
    "events": _unique_ids("events", PLAIN_EVENT),
}
CHANGES = (
    *UNIQUE_IDS.values(),
    Change(
        find=FIND_TOURNAMENTS,
        lock=LOCK.format(table="competitor_tournaments", order=COMPETITORS_ORDER),
        change=CHANGE_TOURNAMENTS,
    ),
    Change(
        find=FIND_EVENTS,
        lock=LOCK.format(table="competitor_events", order=COMPETITORS_ORDER),
        change=CHANGE_EVENTS,
    ),
    _handicaps(
        order=COMPETITORS_ORDER,
        events="competitor_events",
        snapshots="competitor_odds_snapshots",
        markets="competitor_market_odds",
        event="competitor_event_id",
        bookmaker="0",
    ),
    _handicaps(
        order="sportradar_id",
        events="events",
        snapshots="odds_snapshots",
        markets="market_odds",
        event="event_id",
        bookmaker="s.bookmaker_id",
    ),
)

# Find foreign keys to SportRadar ids that do not follow a change: {tables} is a list of tables.
FOREIGN_KEYS = """
SELECT c.conname, c.conrelid::regclass::text, c.confrelid::regclass::text
FROM pg_constraint AS c
JOIN pg_attribute AS a ON a.attrelid = c.confrelid AND a.attnum = ANY (c.confkey)
WHERE c.contype = 'f' AND c.confupdtype <> 'c' AND a.attname = 'sportradar_id'
    AND c.confrelid = '{table}'::regclass
"""


def upgrade() -> None:
    context = op.get_context()
    if context.as_sql:
        _change_at_once()
    else:
        _require_cascades(op.get_bind())
        # Alembic has no public name for a transaction of the caller's.
        if context._in_external_transaction:
            _change_at_once()
        else:
            settings = op.get_bind().exec_driver_sql(READ_SETTINGS).one()
            with context.autocommit_block():
                _change_in_batches(op.get_bind(), tuple(settings))
    for table, checks in CHECKS.items():
        actions = ", ".join(f"VALIDATE CONSTRAINT ck_{table}_{name}" for name in checks)
        op.execute(f"ALTER TABLE {table} {actions}")


def downgrade() -> None:
    """Do nothing: ids and lines stay in form, and a valid CHECK does no harm."""


def _require_cascades(connection: sa.Connection) -> None:
    """Refuse to change ids to which another application's foreign key refers, but for ON UPDATE."""
    for table, change in UNIQUE_IDS.items():
        keys = connection.exec_driver_sql(FOREIGN_KEYS.format(table=table)).all()
        if keys and connection.exec_driver_sql(change.find).first():
            name, theirs, ours = keys[0]
            raise CommandError(
                f"ids in {ours}.sportradar_id must lose their prefix ('sr:match:66457014' becomes "
                f"'66457014'), but the foreign key {name} of {theirs} refers to them without ON "
                "UPDATE CASCADE\n"
                "No row was changed. Create the foreign key anew with ON UPDATE CASCADE, then run "
                "the migration again"
            )


def _change_at_once() -> None:
    # Keep writers away: in a single transaction, rows that others insert or change after the first
    # read would get outdated values. Readers continue.
    op.lock_tables(*TABLES, mode="SHARE ROW EXCLUSIVE")
    for change in CHANGES:
        ids = f"ARRAY({change.find})"
        if change.lock is not None:
            op.execute(change.lock.format(ids=ids))
        op.execute(change.change.format(ids=ids))


def _change_in_batches(connection: sa.Connection, settings: tuple[str, ...]) -> None:
    for change in CHANGES:
        with _transaction(connection, settings):
            ids = connection.exec_driver_sql(change.find).scalars().all()
        for start in range(0, len(ids), change.size):
            batch = ", ".join(map(str, ids[start : start + change.size]))
            try:
                with _transaction(connection, settings):
                    if change.lock is not None:
                        connection.exec_driver_sql(change.lock.format(ids=f"'{{{batch}}}'::int[]"))
                    connection.exec_driver_sql(change.change.format(ids=f"'{{{batch}}}'::int[]"))
            except sa.exc.IntegrityError as error:
                # Another session has just inserted the plain form of an id: both rows stay.
                if getattr(error.orig, "sqlstate", None) != UNIQUE_VIOLATION:
                    raise


UNIQUE_VIOLATION = "23505"

# Read the settings of alembic's transaction, which apply to no other transaction.
READ_SETTINGS = """
SELECT current_setting('lock_timeout'), current_setting('statement_timeout'),
    current_setting('search_path'), current_setting('client_connection_check_interval')
"""

# Set the settings of a transaction. Each driver has its own form of parameters.
SET_SETTINGS = sa.text("""
SELECT set_config('lock_timeout', :lock_timeout, true),
    set_config('statement_timeout', :statement_timeout, true),
    set_config('search_path', :search_path, true),
    set_config('client_connection_check_interval', :client_check, true)
""")


@contextmanager
def _transaction(connection: sa.Connection, settings: tuple[Any, ...]) -> Iterator[None]:
    """Run statements in a transaction, on a connection that commits each statement by itself."""
    connection.exec_driver_sql("BEGIN ISOLATION LEVEL READ COMMITTED")
    try:
        names = ("lock_timeout", "statement_timeout", "search_path", "client_check")
        connection.execute(SET_SETTINGS, dict(zip(names, settings, strict=True)))
        yield
    except BaseException:
        if not connection.invalidated:
            connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")
