from datetime import UTC, datetime
from typing import Any

import pytest
from odds_watch import Account, Watch
from sqlmodel import delete, select

from oddsschema import CompetitorEvent, CompetitorTournament, Sport

pytestmark = pytest.mark.anyio


async def store(session: Any) -> Watch:
    """Store a watch with its account and event."""
    football = (await session.scalars(select(Sport))).one()
    event = CompetitorEvent(
        source="bet9ja",
        external_id="889652939",
        sportradar_id="07767614",
        name="Basel - Zurich",
        home_team="Basel",
        away_team="Zurich",
        kickoff=datetime(2024, 1, 20, 17, tzinfo=UTC),
        tournament=CompetitorTournament(
            source="bet9ja", external_id="2768340", name="Super League", sport=football
        ),
    )
    watch = Watch(account=Account(name="Ada"), event=event, outcome="1", odds=1.5)
    session.add(watch)
    await session.commit()
    return watch


async def test_event_of_a_watch(oddsschema_session: Any) -> None:
    """A join leads from a watch to the competitor's event in a table of oddsschema."""
    await store(oddsschema_session)
    query = (
        select(CompetitorEvent.name, Account.name)
        .join(Watch, Watch.competitor_event_id == CompetitorEvent.id)
        .join(Account, Account.id == Watch.account_id)
    )
    assert (await oddsschema_session.execute(query)).all() == [("Basel - Zurich", "Ada")]


async def test_deleted_event_deletes_its_watches(oddsschema_session: Any) -> None:
    """The deletion of oddsschema's event deletes its watches, by the foreign key."""
    watch = await store(oddsschema_session)
    await oddsschema_session.execute(delete(CompetitorEvent))
    assert (await oddsschema_session.scalars(select(Watch))).all() == []
    assert (await oddsschema_session.scalars(select(Account))).one().id == watch.account_id
