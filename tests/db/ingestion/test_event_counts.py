"""The counts of events in a report: new, updated, unchanged and linked."""

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oddsschema import IngestOptions, ingest
from oddsschema.ingestion.report import IngestCounts
from tests.support.histories import REFERENCES, START, capture
from tests.support.sessions import rolled_back

Run = Callable[..., Any]

PLATFORMS = (*REFERENCES, "bet9ja", "sportybet")

#: Read the key and the attributes of every event, and of competitors' events the link.
EVENTS = """
SELECT 'reference', sportradar_id, name, NULL AS link FROM events
UNION ALL SELECT source, external_id, name, betpawa_event_id FROM competitor_events
"""


@st.composite
def deliveries(draw: st.DrawFn) -> list[list[dict[str, Any]]]:
    """Draw deliveries of one platform each, with changing names of few events."""

    def drawn(platform: str) -> dict[str, Any]:
        at = START.replace(minute=draw(st.integers(0, 5)))
        drawn = capture(platform, at, [], draw(st.sampled_from("123")))
        event = drawn.get("event") or drawn["competitor_event"]
        event["name"] = draw(st.sampled_from(["A - B", "A v B"]))
        return drawn

    return [
        [drawn(platform) for _ in range(draw(st.integers(1, 4)))]
        for platform in draw(st.lists(st.sampled_from(PLATFORMS), min_size=1, max_size=6))
    ]


def keys(delivery: list[dict[str, Any]]) -> set[str]:
    """List the events of a delivery."""
    return {
        event.get("external_id", event["sportradar_id"])
        for event in (each.get("event") or each["competitor_event"] for each in delivery)
    }


@given(deliveries=deliveries(), chunk_rows=st.sampled_from((1, 10_000)))
def test_events(
    deliveries: list[list[dict[str, Any]]], chunk_rows: int, connection: Any, run: Run
) -> None:
    """The counts are those of the rows that a delivery changes; its repetition changes none."""

    async def delivered(delivery: list[dict[str, Any]]) -> IngestCounts:
        report = await ingest(connection, delivery, options=IngestOptions(chunk_rows=chunk_rows))
        assert report.all_stored, report
        return report.total

    async def rows() -> dict[tuple[str, str], tuple[str, int | None]]:
        return {(row[0], row[1]): (row[2], row[3]) for row in await connection.fetch(EVENTS)}

    async def body() -> None:
        for delivery in deliveries:
            before = await rows()
            total = await delivered(delivery)
            after = await rows()
            assert total.events_new == len(after) - len(before)
            renamed = [key for key, (name, _) in before.items() if after[key][0] != name]
            if chunk_rows == 1:
                # A name may change, and change back.
                assert total.events_updated >= len(renamed)
            else:
                assert total.events_updated == len(renamed)
            linked = [key for key, (_, link) in after.items() if link is not None]
            linked_before = [key for key, (_, link) in before.items() if link is not None]
            assert total.events_linked == len(linked) - len(linked_before)
            found = total.events_new + total.events_updated + total.events_unchanged
            assert found == len(keys(delivery))
            again = await delivered(delivery)
            assert (again.events_new, again.events_updated, again.events_linked) == (0, 0, 0)
            assert again.events_unchanged == len(keys(delivery))

    run(rolled_back(connection, body()))
