"""The SQL of a prune: old and future rows, the state at the cutoff, rows without a reference.

$1 is the cutoff in every statement, unless its comment says otherwise.
"""

from dataclasses import dataclass

from sqlalchemy import Table as SqlTable

from oddsschema.contracts.scalars import OPEN_STATUSES
from oddsschema.models import metadata
from oddsschema.models.keyframes import IS_GONE, LAST_SEEN, NEWEST_FIRST, candidates, last_keyframe
from oddsschema.models.sides import BETPAWA, COMPETITORS, SIDES, Side


def row_bytes(table: str, alias: str) -> str:
    """Return an expression for the bytes of a row: its header and its columns, TOASTed ones too.

    It adds up single columns: measuring a row as a whole would fetch its TOASTed values.
    """
    columns: SqlTable = metadata.tables[table]
    sizes = (f"COALESCE(pg_column_size({alias}.{column.name}), 0)" for column in columns.columns)
    return f"(24 + {' + '.join(sizes)})"


def measured(table: str, condition: str) -> str:
    """Return a statement that counts rows of a table under a condition on `t`, and their bytes."""
    size = f"COALESCE(sum({row_bytes(table, 't')}), 0)::bigint"
    return f"SELECT count(*) AS rows, {size} AS bytes FROM {table} AS t WHERE {condition}"


def is_over(side: Side, event: str) -> str:
    """Return the condition that an event has ended, and that its last capture is before the cutoff.

    `event` is the alias of the table of events.
    """
    # (Not as NOT EXISTS, for which PostgreSQL may read the whole table.)
    return f"""({event}.kickoff < $1 AND COALESCE((
        SELECT max(s.at) FROM {histories(side)} AS b
        CROSS JOIN LATERAL (
            SELECT {LAST_SEEN} AS at FROM {side.snapshots} AS s
            WHERE s.{side.event_column} = {event}.id {side.sql("{bookmaker}", bookmaker="b.id")}
            ORDER BY s.captured_at DESC LIMIT 1
        ) AS s
    ) < $1, true))"""


def histories(side: Side) -> str:
    """Return a table with a row for each history of an event: one, or one for each bookmaker."""
    return "bookmakers" if side.has_bookmakers else "(SELECT)"


def for_side(side: Side, template: str) -> str:
    """Format one of the statements below for a side."""
    return side.sql(
        template,
        bookmaker="b.id",
        histories=histories(side),
        is_over=is_over(side, "e"),
        snapshot_bytes=row_bytes(side.snapshots, "s"),
        market_bytes=row_bytes(side.markets, "m"),
    )


# -- events and their histories --------------------------------------------------------------------

# The histories of events `e`, and the snapshot in force at the cutoff in each.
_IN_FORCE = """
    CROSS JOIN {histories} AS b
    CROSS JOIN LATERAL (
        SELECT s.id, s.captured_at, s.is_complete, s.confirmed_at, s.last_confirmed_at
        FROM {snapshots} AS s
        WHERE s.{event} = e.id {bookmaker} AND s.captured_at <= $1
        ORDER BY s.captured_at DESC LIMIT 1
    ) AS in_force
"""

# The old snapshots of a history: those before the one in force, and that one too if the event is
# over.
_OLD = """
    FROM {snapshots} AS s
    WHERE s.{event} = e.id {bookmaker} AND s.captured_at <= in_force.captured_at
        AND (e.is_over OR s.captured_at < in_force.captured_at)
"""

# The market rows of a snapshot `s`, and their bytes.
_MARKETS = """
    SELECT count(*) AS rows, COALESCE(sum({market_bytes}), 0)::bigint AS bytes
    FROM {markets} AS m WHERE m.{event} = s.{event} AND m.snapshot_id = s.id
"""

# The next $3 events after $2.
_PAGE = """
    SELECT e.id, {is_over} AS is_over FROM {events} AS e WHERE e.id > $2 ORDER BY e.id LIMIT $3
"""

#: The next $3 events after $2, and the number of old snapshots of each.
PAGE = f"""
SELECT e.id, COALESCE((
    SELECT sum(old.snapshots) FROM (SELECT) AS _ {_IN_FORCE}
    CROSS JOIN LATERAL (SELECT count(*) AS snapshots {_OLD}) AS old
), 0)::int AS old
FROM ({_PAGE}) AS e
ORDER BY e.id
"""

#: The last of the next $3 events after $2, and the old snapshots and markets of all of them.
PAGE_MEASURED = f"""
SELECT (SELECT max(e.id) FROM ({_PAGE}) AS e) AS last,
    count(*) AS rows, COALESCE(sum(s.bytes), 0)::bigint AS bytes,
    COALESCE(sum(m.rows), 0)::bigint AS market_rows,
    COALESCE(sum(m.bytes), 0)::bigint AS market_bytes
FROM ({_PAGE}) AS e {_IN_FORCE}
CROSS JOIN LATERAL (SELECT s.id, s.{{event}}, {{snapshot_bytes}} AS bytes {_OLD}) AS s
CROSS JOIN LATERAL ({_MARKETS}) AS m
"""

#: Lock events $1 as ingestion locks them: those that nobody else has locked, or all.
LOCK_FREE = """
SELECT e.id FROM {events} AS e WHERE e.id = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED
"""
LOCK = "SELECT e.id FROM {events} AS e WHERE e.id = ANY ($1) FOR NO KEY UPDATE"

#: The first $3 old snapshots of events $2, each event's oldest first, without snapshots $4.
OLDEST = f"""
SELECT s.event, s.is_over, s.id, s.bytes, m.rows AS market_rows, m.bytes AS market_bytes
FROM (
    SELECT e.id AS event, e.is_over, s.*
    FROM (SELECT e.id, {{is_over}} AS is_over FROM {{events}} AS e WHERE e.id = ANY ($2)) AS e
    {_IN_FORCE}
    CROSS JOIN LATERAL (
        SELECT s.id, s.{{event}}, s.captured_at, {{snapshot_bytes}} AS bytes {_OLD}
            AND s.id <> ALL ($4)
        ORDER BY s.captured_at LIMIT $3
    ) AS s
    ORDER BY e.id, s.captured_at
    LIMIT $3
) AS s
CROSS JOIN LATERAL ({_MARKETS}) AS m
"""

# Of events $2, the snapshots in force at the cutoff, and the last keyframe of each history.
_IN_FORCE_WITH_KEYFRAME = f"""
FROM unnest($2::int[]) AS e (id) {_IN_FORCE}
CROSS JOIN LATERAL ({last_keyframe("e.id", "in_force.captured_at")}) AS keyframe
"""

#: Of events $2, the snapshots in force at the cutoff that are no keyframes.
INCOMPLETE = f"SELECT in_force.id {_IN_FORCE_WITH_KEYFRAME} WHERE NOT in_force.is_complete"

#: Insert the market rows that these snapshots lack: the markets on offer at the cutoff whose newest
#: row belongs to an older snapshot. Returns their number.
FILL = f"""
WITH lacking AS MATERIALIZED (
    SELECT e.id AS event, in_force.id AS snapshot, {{market_columns}}
    {_IN_FORCE_WITH_KEYFRAME}
    CROSS JOIN LATERAL (
        SELECT DISTINCT ON ({{market_key}}) m.*
        {candidates("e.id", "in_force.captured_at")}
        ORDER BY {{market_key}}, {NEWEST_FIRST}
    ) AS m
    WHERE NOT in_force.is_complete AND m.snapshot_id <> in_force.id AND NOT ({IS_GONE})
), filled AS (
    INSERT INTO {{markets}} ({{event}}, snapshot_id, {{columns}})
    SELECT m.event, m.snapshot, {{market_columns}} FROM lacking AS m
    RETURNING id
)
SELECT count(*) FROM filled
"""

#: Make keyframes of snapshots $1.
MAKE_KEYFRAMES = "UPDATE {snapshots} SET is_complete = true WHERE id = ANY ($1)"

#: Delete snapshots $1; the foreign key deletes their markets.
DELETE_SNAPSHOTS = "DELETE FROM {snapshots} WHERE id = ANY ($1)"

# -- captures after the cutoff ---------------------------------------------------------------------

# The confirmations after the cutoff of events `e`: only a snapshot in force then can have them.
_CONFIRMED_AFTER = f"""
    {_IN_FORCE}
    CROSS JOIN LATERAL unnest(in_force.confirmed_at) AS confirmed (at)
    WHERE in_force.last_confirmed_at > $1
"""

#: The next $3 events after $2, each with the number of snapshots after the cutoff, and of those
#: that captures after it confirm.
FUTURE_PAGE = f"""
SELECT e.id, (
    SELECT count(*) FROM {{snapshots}} AS s WHERE s.{{event}} = e.id AND s.captured_at > $1
)::int + (
    SELECT count(*) FROM (SELECT) AS _ {_IN_FORCE} WHERE in_force.last_confirmed_at > $1
)::int AS ahead
FROM {{events}} AS e WHERE e.id > $2 ORDER BY e.id LIMIT $3
"""

#: The last of the next $3 events after $2, and the snapshots, markets and confirmations after the
#: cutoff of all of them.
FUTURE_PAGE_MEASURED = f"""
WITH page AS MATERIALIZED (
    SELECT e.id FROM {{events}} AS e WHERE e.id > $2 ORDER BY e.id LIMIT $3
)
SELECT (SELECT max(e.id) FROM page AS e) AS last, (
        SELECT count(*) FROM page AS e {_CONFIRMED_AFTER} AND confirmed.at > $1
    ) AS confirmations,
    count(*) AS rows, COALESCE(sum(s.bytes), 0)::bigint AS bytes,
    COALESCE(sum(m.rows), 0)::bigint AS market_rows,
    COALESCE(sum(m.bytes), 0)::bigint AS market_bytes
FROM page AS e
CROSS JOIN LATERAL (
    SELECT s.id, s.{{event}}, {{snapshot_bytes}} AS bytes FROM {{snapshots}} AS s
    WHERE s.{{event}} = e.id AND s.captured_at > $1
) AS s
CROSS JOIN LATERAL ({_MARKETS}) AS m
"""

#: The last $3 snapshots after the cutoff of events $2, the newest first, without snapshots $4.
NEWEST = f"""
SELECT s.id, s.bytes, m.rows AS market_rows, m.bytes AS market_bytes
FROM (
    SELECT s.id, s.{{event}}, {{snapshot_bytes}} AS bytes FROM {{snapshots}} AS s
    WHERE s.{{event}} = ANY ($2) AND s.captured_at > $1 AND s.id <> ALL ($4)
    ORDER BY s.captured_at DESC LIMIT $3
) AS s
CROSS JOIN LATERAL ({_MARKETS}) AS m
"""

#: Remove the confirmations after the cutoff from the snapshots of events $2; return their numbers.
REMOVE_CONFIRMATIONS = f"""
UPDATE {{snapshots}} AS s
SET confirmed_at = kept.confirmed_at, last_confirmed_at = kept.last_confirmed_at
FROM (
    SELECT in_force.id,
        COALESCE(
            array_agg(confirmed.at ORDER BY confirmed.at) FILTER (WHERE confirmed.at <= $1),
            ARRAY[]::timestamptz[]
        ) AS confirmed_at,
        max(confirmed.at) FILTER (WHERE confirmed.at <= $1) AS last_confirmed_at,
        count(*) FILTER (WHERE confirmed.at > $1) AS removed
    FROM unnest($2::int[]) AS e (id) {_CONFIRMED_AFTER}
    GROUP BY in_force.id
) AS kept
WHERE s.{{event}} = ANY ($2) AND s.id = kept.id
RETURNING kept.removed
"""

# -- references to old runs ------------------------------------------------------------------------

# The condition that a run or batch is old and has ended. An open one may still be written to,
# however old it is.
_ENDED = f"""(
    {{0}}.started_at < $1 AND COALESCE({{0}}.completed_at, {{0}}.started_at) < $1
    AND {{0}}.status NOT IN {OPEN_STATUSES}
)"""

#: The next $3 events after $2 with snapshots that refer to old runs.
REFERRING = f"""
SELECT DISTINCT s.{{event}} FROM scrape_runs AS r JOIN {{snapshots}} AS s ON s.scrape_run_id = r.id
WHERE {_ENDED.format("r")} AND s.{{event}} > $2
ORDER BY s.{{event}} LIMIT $3
"""

#: Remove the references to old runs from the snapshots of events $2.
CLEAR_RUN_REFERENCES = f"""
UPDATE {{snapshots}} AS s SET scrape_run_id = NULL
FROM scrape_runs AS r
WHERE s.{{event}} = ANY ($2) AND s.scrape_run_id = r.id AND {_ENDED.format("r")}
"""

# -- rows without a reference after a prune --------------------------------------------------------


@dataclass(frozen=True)
class Remnants:
    """Rows of one table, `t`, that are of no use without the old snapshots."""

    table: str
    #: The condition that a row will be unused after the prune: a dry run counts these.
    old: str
    #: The condition that a row is unused: nothing refers to it any more.
    unused: str
    #: A table whose rows are deleted with them, and its column that refers to them.
    cascade: tuple[str, str] | None = None

    def candidates(self, *, waiting: bool) -> str:
        """Return a statement that locks the first $2 unused rows, without rows $3.

        Rows that another transaction has locked are waited for, or skipped.
        """
        return f"""
            SELECT t.id FROM {self.table} AS t
            WHERE {self.unused} AND t.id <> ALL ($3)
            ORDER BY t.id LIMIT $2
            FOR UPDATE OF t {"" if waiting else "SKIP LOCKED"}
        """

    def left(self) -> str:
        """Return a statement that counts the unused rows, without rows $2."""
        return f"SELECT count(*) FROM {self.table} AS t WHERE {self.unused} AND t.id <> ALL ($2)"

    def confirmed(self) -> str:
        """Return a statement that finds the locked rows $2 that are still unused."""
        return f"""
            SELECT t.id, {row_bytes(self.table, "t")} AS bytes FROM {self.table} AS t
            WHERE t.id = ANY ($2) AND {self.unused}
        """

    def delete(self) -> str:
        """Return a statement that deletes rows $1."""
        return f"DELETE FROM {self.table} WHERE id = ANY ($1)"


_OLD_ERROR = f"""EXISTS (
    SELECT FROM scrape_runs AS r
    WHERE r.id = t.scrape_run_id AND r.started_at < $1
        AND (t.occurred_at < $1 OR {_ENDED.format("r")})
)"""

_NOT_REFERRED_TO = "NOT EXISTS (SELECT FROM {} AS r WHERE r.{} = t.id)"


def unreferred(*references: tuple[str, str]) -> str:
    """Return the condition that no row of these (table, column) refers to `t`."""
    return " AND ".join(_NOT_REFERRED_TO.format(*reference) for reference in references)


def is_unneeded(event: str) -> str:
    """Return the condition that a reference event is over, and each competitor's event of it."""
    return f"""{is_over(BETPAWA, event)} AND NOT EXISTS (
        SELECT FROM competitor_events AS c
        WHERE c.betpawa_event_id = {event}.id AND NOT {is_over(COMPETITORS, "c")}
    )"""


#: The tables of the record of scrapes, which has a cutoff of its own.
RECORDS = ("scrape_errors", "scrape_runs", "scrape_batches", "unmapped_markets")

# Nobody reports the market any more: it is mapped now, or no longer offered.
_NOT_REPORTED = "t.last_seen_at < $1"

#: In the order of deletion: runs before the batches that they refer to, competitors' events before
#: BetPawa's, events before tournaments.
REMNANTS = (
    Remnants("scrape_errors", _OLD_ERROR, _OLD_ERROR),
    Remnants(
        "scrape_runs",
        _ENDED.format("t"),
        _ENDED.format("t")
        + " AND "
        + unreferred(*((side.snapshots, "scrape_run_id") for side in SIDES)),
    ),
    Remnants(
        "scrape_batches",
        _ENDED.format("t")
        + f""" AND NOT EXISTS (
            SELECT FROM scrape_runs AS r WHERE r.batch_id = t.id AND NOT {_ENDED.format("r")}
        )""",
        _ENDED.format("t") + " AND " + unreferred(("scrape_runs", "batch_id")),
    ),
    Remnants("unmapped_markets", _NOT_REPORTED, _NOT_REPORTED),
    Remnants(
        "competitor_events",
        is_over(COMPETITORS, "t"),
        "t.kickoff < $1 AND " + unreferred((COMPETITORS.snapshots, COMPETITORS.event_column)),
    ),
    Remnants(
        "events",
        is_unneeded("t"),
        "t.kickoff < $1 AND "
        + unreferred(
            (BETPAWA.snapshots, BETPAWA.event_column), ("competitor_events", "betpawa_event_id")
        ),
        cascade=("event_bookmakers", "event_id"),
    ),
    Remnants(
        "competitor_tournaments",
        f"""t.created_at < $1 AND NOT EXISTS (
            SELECT FROM competitor_events AS e
            WHERE e.tournament_id = t.id AND NOT {is_over(COMPETITORS, "e")}
        )""",
        "t.created_at < $1 AND " + unreferred(("competitor_events", "tournament_id")),
    ),
    Remnants(
        "tournaments",
        f"""$1::timestamptz NOTNULL AND NOT EXISTS (
            SELECT FROM events AS e WHERE e.tournament_id = t.id AND NOT ({is_unneeded("e")})
        )""",
        # They have no time.
        "$1::timestamptz NOTNULL AND " + unreferred(("events", "tournament_id")),
    ),
)
