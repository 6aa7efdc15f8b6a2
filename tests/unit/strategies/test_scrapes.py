"""Captures and batches that are narrowed to events, sources and times."""

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from oddsschema import (
    Capture,
    CapturedCompetitorEvent,
    CapturedEvent,
    CompetitorMarketOdds,
    OddsSnapshot,
)
from oddsschema.strategies import batches, captures, contracts, field_values, markets

#: `find` reports its result like a failure.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

SEARCH = settings(
    max_examples=5000,
    database=None,
    deadline=None,
    phases=[Phase.generate],  # the result need not be small
    suppress_health_check=list(HealthCheck),
)


@given(captures("betpawa"), captures("bet9ja"))
def test_captures_of_a_platform(ours: Capture, theirs: Capture) -> None:
    """A platform's captures are of that platform, on its side."""
    assert (ours.source, ours.competitor_event) == ("betpawa", None)
    assert (theirs.source, theirs.event) == ("bet9ja", None)


SLUGS = field_values(CapturedCompetitorEvent.model_fields["source"])
TIMES = field_values(Capture.model_fields["captured_at"])


@given(st.data(), TIMES)
def test_capture_of_an_event(data: st.DataObject, time: datetime) -> None:
    """A capture has the given event and time; the rest varies as before."""
    event = data.draw(contracts(CapturedEvent) | contracts(CapturedCompetitorEvent))
    capture = data.draw(captures(event=event, captured_at=time))
    assert (capture.event or capture.competitor_event) is event
    assert (capture.event is None) == isinstance(event, CapturedCompetitorEvent)
    assert capture.captured_at == time


@given(st.data())
def test_capture_of_one_of_several(data: st.DataObject) -> None:
    """Source, event and time may be strategies."""
    two = data.draw(st.lists(contracts(CapturedCompetitorEvent), min_size=2, max_size=2))
    assert data.draw(captures(event=st.sampled_from(two))).competitor_event in two
    capture = data.draw(captures(st.sampled_from(["bet9ja", "betpawa"])))
    assert capture.source == ("betpawa" if capture.event else "bet9ja")


def test_event_of_another_is_refused() -> None:
    """An event of another source than the given one is refused."""
    with pytest.raises(ValueError, match=r"is of 'bet9ja', not of 'sportybet'"):
        find(
            captures("sportybet", event=contracts(CapturedCompetitorEvent, source="bet9ja")),
            lambda _: True,
            settings=SEARCH,
        )


@given(st.data(), st.integers(0, 30), st.integers(0, 30))
def test_number_of_markets(data: st.DataObject, least: int, more: int) -> None:
    """The number of markets is within the given bounds, and all markets differ."""
    some = data.draw(markets(min_size=least, max_size=least + more))
    assert least <= len(some) <= least + more
    few = data.draw(captures(min_markets=least)).markets
    assert least <= len(few) <= least + 4
    assert data.draw(captures(max_markets=0)).markets == ()


@pytest.mark.parametrize("size", [0, 1, 5, 200])
def test_exact_number_of_markets(size: int) -> None:
    """Both bounds can be equal, and large."""
    exactly = captures(min_markets=size, max_markets=size)
    find(exactly, lambda capture: len(capture.markets) == size, settings=SEARCH)


@given(st.data(), st.sets(SLUGS | st.just("betpawa"), min_size=1, max_size=3), TIMES)
def test_narrowed_batch(data: st.DataObject, sources: set[str], time: datetime) -> None:
    """A batch has captures of each given source and of no other."""
    batch = data.draw(
        batches(sources=sorted(sources), captured_at=time, min_markets=1, max_markets=2)
    )
    assert {capture.source for capture in batch} == sources
    assert {capture.captured_at for capture in batch} == {time}
    assert {len(capture.markets) for capture in batch} <= {1, 2}


@given(batches(), contracts(OddsSnapshot), contracts(CompetitorMarketOdds))
def test_no_capture_of_the_future(
    batch: list[Capture], snapshot: OddsSnapshot, market: CompetitorMarketOdds
) -> None:
    """No capture, confirmation or absence is later than now."""
    times = [
        *(capture.captured_at for capture in batch),
        *snapshot.confirmed_at,
        *(snapshot.captured_at, snapshot.last_confirmed_at, market.unavailable_at),
    ]
    assert all(time <= datetime.now(UTC) for time in times if time is not None)
