"""The events of markets that the ORM inserts, filled from the markets' snapshots.

A market has the event of its snapshot in a column of its own. The relationship `snapshot` fills
both columns. For a program that sets `snapshot_id` alone, the ORM fills the other one here.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, event, select
from sqlalchemy.orm import Mapper, Session, object_session
from sqlalchemy.orm.util import identity_key

from oddsschema.models.sides import SIDES, Side


def fill_events(side: Side) -> None:
    """Let the ORM fill the events of new markets of a side before it inserts them.

    The events are those of the snapshots in the session. For the other snapshots, a single query
    reads the events.
    """

    def before_insert(_mapper: Mapper[Any], connection: Connection, market: Any) -> None:
        session = object_session(market)
        if session is None or not _lacks_event(market, side):
            return
        # All markets of the flush at once, so that the next ones need no query of their own.
        markets = [new for new in session.new if _lacks_event(new, side)]
        ids = {new.snapshot_id for new in markets}
        events = dict(_events_in_session(session, side, ids))
        if missing := ids - events.keys():
            snapshots = side.snapshot_table.c
            query = select(snapshots.id, snapshots[side.event_column])
            rows = connection.execute(query.where(snapshots.id.in_(missing)))
            events.update((snapshot_id, event_id) for snapshot_id, event_id in rows)
        for new in markets:
            if new.snapshot_id in events:
                setattr(new, side.event_column, events[new.snapshot_id])

    event.listen(side.market_model, "before_insert", before_insert)


def _lacks_event(row: Any, side: Side) -> bool:
    if not isinstance(row, side.market_model):
        return False
    market: Any = row
    return market.snapshot_id is not None and getattr(market, side.event_column) is None


def _events_in_session(
    session: Session, side: Side, snapshot_ids: set[int]
) -> Iterator[tuple[int, int]]:
    """Yield the ids and events of the snapshots whose values are loaded in the session."""
    for snapshot_id in snapshot_ids:
        key = identity_key(side.snapshot_model, snapshot_id)
        snapshot = session.identity_map.get(key)
        event_id = None if snapshot is None else vars(snapshot).get(side.event_column)
        if event_id is not None:
            yield snapshot_id, event_id


for _side in SIDES:
    fill_events(_side)
