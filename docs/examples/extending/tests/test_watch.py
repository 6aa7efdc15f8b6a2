from datetime import UTC, datetime
from typing import Any

import pytest
from odds_watch import Account, Watch
from sqlmodel import delete, select

from oddsschema import CompetitorEvent, CompetitorTournament, Sport

pytestmark = pytest.mark.anyio


async def store(session: Any) -> Watch:
    """A watch of an event, with all that belongs to it."""
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
    """A watch leads to the competitor's event, over the border between the two packages."""
    await store(oddsschema_session)
    query = (
        select(CompetitorEvent.name, Account.name)
        .join(Watch, Watch.competitor_event_id == CompetitorEvent.id)
        .join(Account, Account.id == Watch.account_id)
    )
    assert (await oddsschema_session.execute(query)).all() == [("Basel - Zurich", "Ada")]


async def test_event_that_goes_takes_its_watches_along(oddsschema_session: Any) -> None:
    """When oddsschema's row is deleted, the foreign key deletes the watches."""
    watch = await store(oddsschema_session)
    await oddsschema_session.execute(delete(CompetitorEvent))
    assert (await oddsschema_session.scalars(select(Watch))).all() == []
    assert (await oddsschema_session.scalars(select(Account))).one().id == watch.account_id
