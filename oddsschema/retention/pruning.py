"""The pruning of old history and of the future, in small transactions beside an ingestion.

>>> report = await oddsschema.prune(url, timedelta(days=14))
>>> report = await oddsschema.prune_ahead(url)
"""

from datetime import UTC, datetime, timedelta
from functools import partial

from oddsschema.database.citus import require_coordinator
from oddsschema.database.clock import MAX_AHEAD, server_clock
from oddsschema.database.connections import Connection, Target, open_connections
from oddsschema.database.durations import require_not_negative
from oddsschema.database.revision import require_migrated
from oddsschema.models.sides import SIDES
from oddsschema.retention.future_captures import FuturePrune
from oddsschema.retention.histories import HistoryPrune
from oddsschema.retention.options import PruneOptions
from oddsschema.retention.remnants import RemnantPrune
from oddsschema.retention.report import PruneReport
from oddsschema.retention.session import PruneSession


async def prune(
    target: Target,
    keep: timedelta | datetime,
    *,
    keep_runs: timedelta | datetime | None = None,
    dry_run: bool = False,
    options: PruneOptions = PruneOptions(),
) -> PruneReport:
    """Delete history before a cutoff: the instant `keep`, or the server's time less `keep`.

    Every instant from the cutoff on reads as before, except in events that are over: their kickoff
    and their last capture are before the cutoff, and they are deleted as a whole. Batches, runs and
    errors, and unmapped markets by their last report, have the cutoff `keep_runs`, if it is given.
    Tournaments that no event refers to are deleted. With `dry_run` nothing is deleted, and the
    report counts the rows that would be.

    It is safe to interrupt: run it again to continue. Several prunes may run at once. With an open
    connection as `target` whose transaction is open, all locks are kept until that ends.

    Rows that cannot be deleted, such as those that another application's table refers to, are in
    the report; the others are deleted. Raises DatabaseUnavailableError and NotMigratedError, and
    ValueError for an instant without a time zone and for a negative time, and TypeError for any
    other type.
    """
    for name, value in {"keep": keep, "keep_runs": keep_runs}.items():
        if isinstance(value, datetime):
            if value.tzinfo is None:
                raise ValueError(f"{name} must have a time zone: {value}")
        elif name == "keep" or value is not None:
            require_not_negative(**{name: value})
    async with open_connections(
        target, retry_for=options.retry_for, answer_within=options.answer_within
    ) as connections:
        runs_cutoff = None
        if keep_runs is not None:
            runs_cutoff = await connections.transact(partial(cutoff_of, keep_runs))
        session = PruneSession(
            connections,
            await connections.transact(partial(cutoff_of, keep)),
            options,
            dry_run,
            runs_cutoff=runs_cutoff,
            owns_connection=not connections.is_borrowed,
        )
        histories, remnants = HistoryPrune(session), RemnantPrune(session)
        for side in SIDES:
            await (histories.count(side) if dry_run else histories.delete(side))
        await (remnants.count() if dry_run else remnants.delete())
        return session.report()


async def prune_ahead(
    target: Target,
    max_ahead: timedelta = MAX_AHEAD,
    *,
    dry_run: bool = False,
    options: PruneOptions = PruneOptions(),
) -> PruneReport:
    """Delete the captures that are more than `max_ahead` ahead of PostgreSQL's clock.

    A clock that was wrong has made them, and each capture after them was stored as a late one.
    Their snapshots and confirmations are deleted; every earlier instant reads as before. Events,
    runs and errors stay. With `dry_run` nothing is deleted, and the report counts these rows.

    Otherwise as `prune`. Raises ValueError for a negative `max_ahead`.
    """
    require_not_negative(max_ahead=max_ahead)
    async with open_connections(
        target, retry_for=options.retry_for, answer_within=options.answer_within
    ) as connections:
        session = PruneSession(
            connections,
            await connections.transact(partial(horizon_of, max_ahead)),
            options,
            dry_run,
            owns_connection=not connections.is_borrowed,
            is_ahead=True,
        )
        captures = FuturePrune(session)
        for side in SIDES:
            await (captures.count(side) if dry_run else captures.delete(side))
        return session.report()


async def horizon_of(max_ahead: timedelta, connection: Connection) -> datetime:
    """Return the latest time that a capture may have: the server's time and `max_ahead`."""
    await require_coordinator(connection)
    await require_migrated(connection)
    now = (await server_clock(connection)).now()
    return now + min(max_ahead, datetime.max.replace(tzinfo=UTC) - now)


async def cutoff_of(keep: timedelta | datetime, connection: Connection) -> datetime:
    """Return the cutoff: the instant `keep`, or the server's time less `keep`."""
    await require_coordinator(connection)
    await require_migrated(connection)
    if isinstance(keep, datetime):
        return keep.astimezone(UTC)
    # No row is older than 1970.
    statement = "SELECT greatest(clock_timestamp() - $1::interval, to_timestamp(0))"
    cutoff: datetime = await connection.fetchval(statement, keep)
    return cutoff
