"""The definition of an event's offer at an instant, as SQL.

Let K be the last keyframe (a snapshot with `is_complete`) of the event's history that was captured
at or before the instant. The candidates are the market rows of K and of all later snapshots up to
the instant. Of each market, the newest candidate counts (by the snapshot's `captured_at`, then by
the row's id). The market is on offer unless that row has `unavailable_at`.

These templates are for `Side.sql`. `oddsschema.queries.availability` has the same definition as a
SQLAlchemy expression, and docs/explanation/history.md explains it.
"""

#: The order of candidates in which the last one of each market counts.
OLDEST_FIRST = "s.captured_at, m.id"

#: The same order for DISTINCT ON: the first one of each market counts.
NEWEST_FIRST = "s.captured_at DESC, m.id DESC"

#: The time at which a snapshot `s` was last captured or confirmed.
LAST_SEEN = "COALESCE(s.last_confirmed_at, s.captured_at)"

#: The condition that a market row takes its market off the offer.
IS_GONE = "m.unavailable_at IS NOT NULL"


def last_keyframe(event: str, instant: str) -> str:
    """Return a template for the last keyframe of an event at or before an instant.

    Both parameters are SQL expressions. The select has one column, `captured_at`.
    """
    return f"""
        SELECT s.captured_at FROM {{snapshots}} AS s
        WHERE s.{{event}} = {event} {{bookmaker}} AND s.captured_at <= {instant} AND s.is_complete
        ORDER BY s.captured_at DESC LIMIT 1
    """


def candidates(event: str, instant: str) -> str:
    """Return a template for the candidates: FROM and WHERE over snapshots `s` and market rows `m`.

    The statement around it joins `last_keyframe` under the name `keyframe`.
    """
    return f"""
        FROM {{snapshots}} AS s
        JOIN {{markets}} AS m ON m.{{event}} = s.{{event}} AND m.snapshot_id = s.id
        WHERE s.{{event}} = {event} {{bookmaker}}
            AND s.captured_at >= keyframe.captured_at AND s.captured_at <= {instant}
    """
