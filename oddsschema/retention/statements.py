"""The SQL of a prune: what is old, what stands at the cutoff, what nothing refers to any more.

In all of it $1 is the cutoff.
"""

from dataclasses import dataclass

from sqlalchemy import Table as SqlTable

from oddsschema.contracts.base import metadata
from oddsschema.models import Market
from oddsschema.models.odds import MARKET_KEY
from oddsschema.models.sides import BETPAWA, COMPETITORS, Side

#: Where the events of each side are.
EVENTS = {COMPETITORS: "competitor_events", BETPAWA: "events"}


def row_bytes(table: str, alias: str) -> str:
    """How many bytes a row takes in its table: its header's and its columns', TOASTed ones too.

    Of each column by itself: of a row as a whole, PostgreSQL would fetch what is TOASTed.
    """
    columns: SqlTable = metadata.tables[table]
    sizes = (f"COALESCE(pg_column_size({alias}.{column.name}), 0)" for column in columns.columns)
    return f"(24 + {' + '.join(sizes)})"


def measured(table: str, condition: str) -> str:
    """How many rows of a table there are under a condition on `t`, and their bytes."""
    size = f"COALESCE(sum({row_bytes(table, 't')}), 0)::bigint"
    return f"SELECT count(*) AS rows, {size} AS bytes FROM {table} AS t WHERE {condition}"


def _bookmakers(side: Side) -> dict[str, str]:
    """An event's snapshots are one history, or one for each bookmaker."""
    if side.by_bookmaker:
        return {"bookmakers": "bookmakers", "of_bookmaker": "AND s.bookmaker_id = b.id"}
    return {"bookmakers": "(SELECT)", "of_bookmaker": ""}


def is_over(side: Side, event: str) -> str:
    """That an event has ended, and was not captured any more from the cutoff on."""
    names = _bookmakers(side)
    # (Not as NOT EXISTS, for which PostgreSQL may read the whole table.)
    return f"""({event}.kickoff < $1 AND COALESCE((
        SELECT max(s.at) FROM {names["bookmakers"]} AS b
        CROSS JOIN LATERAL (
            SELECT COALESCE(s.last_confirmed_at, s.captured_at) AS at FROM {side.snapshots} AS s
            WHERE s.{side.event} = {event}.id {names["of_bookmaker"]}
            ORDER BY s.captured_at DESC LIMIT 1
        ) AS s
    ) < $1, true))"""


def on(side: Side, template: str) -> str:
    """A statement on the tables of one side."""
    return template.format(
        events=EVENTS[side],
        snapshots=side.snapshots,
        markets=side.markets,
        event=side.event,
        **_bookmakers(side),
        is_over=is_over(side, "e"),
        snapshot_bytes=row_bytes(side.snapshots, "s"),
        market_bytes=row_bytes(side.markets, "m"),
        market_key=", ".join(f"m.{name}" for name in MARKET_KEY),
        market_columns=", ".join(Market.model_fields),
        their_columns=", ".join(f"m.{name}" for name in Market.model_fields),
    )


# -- events and their histories --------------------------------------------------------------------

# The histories of events `e`, and what stands at the cutoff in each.
_STANDING = """
    CROSS JOIN {bookmakers} AS b
    CROSS JOIN LATERAL (
        SELECT s.id, s.captured_at, s.is_complete FROM {snapshots} AS s
        WHERE s.{event} = e.id {of_bookmaker} AND s.captured_at <= $1
        ORDER BY s.captured_at DESC LIMIT 1
    ) AS standing
"""

# What is old in them: all that came before; in an event that is over, that one too.
_OLD = """
    FROM {snapshots} AS s
    WHERE s.{event} = e.id {of_bookmaker} AND s.captured_at <= standing.captured_at
        AND (e.is_over OR s.captured_at < standing.captured_at)
"""

# A snapshot's markets.
_MARKETS = """
    SELECT count(*) AS rows, COALESCE(sum({market_bytes}), 0)::bigint AS bytes
    FROM {markets} AS m WHERE m.{event} = s.{event} AND m.snapshot_id = s.id
"""

_PAGE = """
    SELECT e.id, {is_over} AS is_over FROM {events} AS e WHERE e.id > $2 ORDER BY e.id LIMIT $3
"""

#: The next $3 events after $2, and how many snapshots of each are old.
PAGE = f"""
SELECT e.id, COALESCE((
    SELECT sum(old.snapshots) FROM (SELECT) AS one {_STANDING}
    CROSS JOIN LATERAL (SELECT count(*) AS snapshots {_OLD}) AS old
), 0)::int AS old
FROM ({_PAGE}) AS e
ORDER BY e.id
"""

#: The last of the next $3 events after $2, and what of them is old: snapshots and their markets.
PAGE_MEASURED = f"""
SELECT (SELECT max(e.id) FROM ({_PAGE}) AS e) AS last,
    count(*) AS rows, COALESCE(sum(s.bytes), 0)::bigint AS bytes,
    COALESCE(sum(m.rows), 0)::bigint AS market_rows,
    COALESCE(sum(m.bytes), 0)::bigint AS market_bytes
FROM ({_PAGE}) AS e {_STANDING}
CROSS JOIN LATERAL (SELECT s.id, s.{{event}}, {{snapshot_bytes}} AS bytes {_OLD}) AS s
CROSS JOIN LATERAL ({_MARKETS}) AS m
"""

#: Events $1, locked as ingestion locks them: without those that somebody else has, or all.
LOCK_FREE = """
SELECT e.id FROM {events} AS e WHERE e.id = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED
"""
LOCK = "SELECT e.id FROM {events} AS e WHERE e.id = ANY ($1) FOR NO KEY UPDATE"

#: Of events $2, the $3 snapshots, an event's oldest first, that are old, but for $4.
OLDEST = f"""
SELECT s.event, s.is_over, s.id, s.bytes, m.rows AS market_rows, m.bytes AS market_bytes
FROM (
    SELECT e.id AS event, e.is_over, s.*
    FROM (SELECT e.id, {{is_over}} AS is_over FROM {{events}} AS e WHERE e.id = ANY ($2)) AS e
    {_STANDING}
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

# Of events $2, what stands at the cutoff and is no keyframe, and when the one before it was.
_INCOMPLETE = f"""
FROM unnest($2::int[]) AS e (id) {_STANDING}
CROSS JOIN LATERAL (
    SELECT s.captured_at FROM {{snapshots}} AS s
    WHERE s.{{event}} = e.id {{of_bookmaker}} AND s.captured_at < standing.captured_at
        AND s.is_complete
    ORDER BY s.captured_at DESC LIMIT 1
) AS keyframe
"""

#: Which snapshots these are.
INCOMPLETE = f"SELECT standing.id {_INCOMPLETE} WHERE NOT standing.is_complete"

#: Gives them the rows that they lack: of each market, the newest before, unless it has gone.
FILL = f"""
WITH filled AS (
    INSERT INTO {{markets}} ({{event}}, snapshot_id, {{market_columns}})
    SELECT e.id, standing.id, {{their_columns}}
    {_INCOMPLETE}
    CROSS JOIN LATERAL (
        SELECT DISTINCT ON ({{market_key}}) m.*
        FROM {{snapshots}} AS s
        JOIN {{markets}} AS m ON m.{{event}} = s.{{event}} AND m.snapshot_id = s.id
        WHERE s.{{event}} = e.id {{of_bookmaker}} AND s.captured_at >= keyframe.captured_at
            AND s.captured_at <= standing.captured_at
        ORDER BY {{market_key}}, s.captured_at DESC, m.id DESC
    ) AS m
    WHERE NOT standing.is_complete
        AND m.snapshot_id <> standing.id AND m.unavailable_at IS NULL
    RETURNING id
)
SELECT count(*) FROM filled
"""

COMPLETE = "UPDATE {snapshots} SET is_complete = true WHERE id = ANY ($1)"

#: The markets go with them, by the foreign key.
DELETE_SNAPSHOTS = "DELETE FROM {snapshots} WHERE id = ANY ($1)"

# What is open may still be written to, however old it is.
_ENDED = """(
    {0}.started_at < $1 AND COALESCE({0}.completed_at, {0}.started_at) < $1
    AND {0}.status NOT IN ('pending', 'running')
)"""

#: The next $3 events after $2 with snapshots that refer to old runs.
REFERRING = f"""
SELECT DISTINCT s.{{event}} FROM scrape_runs AS r JOIN {{snapshots}} AS s ON s.scrape_run_id = r.id
WHERE {_ENDED.format("r")} AND s.{{event}} > $2
ORDER BY s.{{event}} LIMIT $3
"""

#: Lets those of events $2 refer to none.
FORGET_RUNS = f"""
UPDATE {{snapshots}} AS s SET scrape_run_id = NULL
FROM scrape_runs AS r
WHERE s.{{event}} = ANY ($2) AND s.scrape_run_id = r.id AND {_ENDED.format("r")}
"""

# -- what remains of them --------------------------------------------------------------------------


@dataclass(frozen=True)
class Remnants:
    """Rows of one table, `t`, that are of no use without those that are old."""

    table: str
    #: What will go once all that is old has gone: what a dry run counts.
    old: str
    #: What can go: nothing refers to it any more.
    unused: str
    #: A table whose rows go with them, and its column that refers to them.
    with_them: tuple[str, str] | None = None

    def candidates(self, *, waiting: bool) -> str:
        """The first $2 that can go, but for $3, with those that are locked, or without."""
        return f"""
            SELECT t.id FROM {self.table} AS t
            WHERE {self.unused} AND t.id <> ALL ($3)
            ORDER BY t.id LIMIT $2
            FOR UPDATE OF t {"" if waiting else "SKIP LOCKED"}
        """

    def left(self) -> str:
        """How many can go, but for $2."""
        return f"SELECT count(*) FROM {self.table} AS t WHERE {self.unused} AND t.id <> ALL ($2)"

    def confirmed(self) -> str:
        """Of $2, which are locked, those that still can go, and their bytes."""
        return f"""
            SELECT t.id, {row_bytes(self.table, "t")} AS bytes FROM {self.table} AS t
            WHERE t.id = ANY ($2) AND {self.unused}
        """

    def delete(self) -> str:
        """Delete $1."""
        return f"DELETE FROM {self.table} WHERE id = ANY ($1)"


_OLD_ERROR = f"""EXISTS (
    SELECT FROM scrape_runs AS r
    WHERE r.id = t.scrape_run_id AND r.started_at < $1
        AND (t.occurred_at < $1 OR {_ENDED.format("r")})
)"""

_NOT_REFERRED_TO = "NOT EXISTS (SELECT FROM {} AS r WHERE r.{} = t.id)"


def _unreferred(*references: tuple[str, str]) -> str:
    """That no row of these tables refers to `t` with this column."""
    return " AND ".join(_NOT_REFERRED_TO.format(*one) for one in references)


#: The second before the third, and the fourth before the fifth: these refer to those.
REMNANTS = (
    Remnants("scrape_errors", _OLD_ERROR, _OLD_ERROR),
    Remnants(
        "scrape_runs",
        _ENDED.format("t"),
        _ENDED.format("t")
        + " AND "
        + _unreferred(*((side.snapshots, "scrape_run_id") for side in EVENTS)),
    ),
    Remnants(
        "scrape_batches",
        _ENDED.format("t")
        + f""" AND NOT EXISTS (
            SELECT FROM scrape_runs AS r WHERE r.batch_id = t.id AND NOT {_ENDED.format("r")}
        )""",
        _ENDED.format("t") + " AND " + _unreferred(("scrape_runs", "batch_id")),
    ),
    Remnants(
        "competitor_events",
        is_over(COMPETITORS, "t"),
        "t.kickoff < $1 AND " + _unreferred((COMPETITORS.snapshots, COMPETITORS.event)),
    ),
    Remnants(
        "events",
        is_over(BETPAWA, "t")
        + f""" AND NOT EXISTS (
            SELECT FROM competitor_events AS c
            WHERE c.betpawa_event_id = t.id AND NOT {is_over(COMPETITORS, "c")}
        )""",
        "t.kickoff < $1 AND "
        + _unreferred(
            (BETPAWA.snapshots, BETPAWA.event), ("competitor_events", "betpawa_event_id")
        ),
        with_them=("event_bookmakers", "event_id"),
    ),
)
