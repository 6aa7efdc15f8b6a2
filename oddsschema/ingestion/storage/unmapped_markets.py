"""The markets that a scraper could not map, summed up in the process, and added to their table."""

from collections.abc import Iterable
from typing import Any, NamedTuple, Self

from annotated_types import MaxLen
from pydantic import ConfigDict, TypeAdapter
from pydantic_core import to_json

from oddsschema.contracts.columns import unwrap_annotation
from oddsschema.contracts.scalars import Json
from oddsschema.database.arrays import arrays, unnest
from oddsschema.database.connections import Connection
from oddsschema.ingestion.report import shortened
from oddsschema.models import UnmappedMarketType
from oddsschema.scrapes.bookkeeping import storable

#: The number of different market ids that a run records. Without a limit, a scraper that reports
#: ids of single events in their place would fill the memory and the table.
MOST_UNMAPPED = 10_000

#: The greatest size of an example, in bytes of JSON.
MOST_EXAMPLE_BYTES = 2_000

_, _marks = unwrap_annotation(UnmappedMarketType.model_fields["name"].rebuild_annotation())
_NAME_LENGTH: int = next(mark.max_length for mark in _marks if isinstance(mark, MaxLen))

_JSON: TypeAdapter[Any] = TypeAdapter(Json | None, config=ConfigDict(defer_build=True))


class UnmappedReports(NamedTuple):
    """The reports of an unmapped type of markets since the last chunk."""

    source: str
    market_id: str
    #: The last name that a report had.
    name: str | None = None
    #: The first outcomes that a report had, as JSON of at most MOST_EXAMPLE_BYTES.
    example: str | None = None
    times: int = 0

    def added(self, name: str | None, outcomes: Any) -> Self:
        """Add a report."""
        return self._replace(
            name=name or self.name,
            example=self.example or example_of(outcomes),
            times=self.times + 1,
        )


def unmapped_market_type(source: str | None, market_id: Any, name: Any) -> UnmappedMarketType:
    """Validate the id and the name of a type of markets; a name that cannot be stored is adapted.

    Raises pydantic.ValidationError.
    """
    if isinstance(name, str):
        name = shortened(storable(name), _NAME_LENGTH) or None
    return UnmappedMarketType.model_validate(
        {"source": source, "market_id": market_id, "name": name}
    )


def example_of(outcomes: Any) -> str | None:
    """Write outcomes as JSON: of a list, the first that fit into MOST_EXAMPLE_BYTES.

    Returns None if nothing fits, or is JSON that PostgreSQL can store.
    """
    if not isinstance(outcomes, list | tuple):
        text = None if outcomes is None else json_of(outcomes)
        return text if text is not None and len(text.encode()) <= MOST_EXAMPLE_BYTES else None
    fitting: list[str] = []
    size = len("[]")
    for outcome in outcomes:
        text = json_of(outcome)
        if text is None:
            break
        size += len(text.encode()) + len(",")
        if size > MOST_EXAMPLE_BYTES:
            break
        fitting.append(text)
    return f"[{','.join(fitting)}]" if fitting else None


def json_of(value: Any) -> str | None:
    """Write a value as JSON, unknown objects as text. Return None if that is impossible."""
    try:
        text = to_json(value, fallback=str, inf_nan_mode="null")
        _JSON.validate_json(text)
    except (ValueError, RecursionError):
        return None
    return text.decode()


# Add reports to the rows of their markets, in the order of the keys: transactions that add to the
# same rows wait for each other, and never both at once. A known row keeps its id, because each
# conflict would use up an id of the sequence.
_ADD = f"""
WITH reported AS MATERIALIZED (
    SELECT u.id AS known_id, c.*
    FROM {unnest(UnmappedReports, 1)}
    LEFT JOIN unmapped_markets AS u ON (u.source, u.market_id) = (c.source, c.market_id)
)
INSERT INTO unmapped_markets AS u
    (id, source, market_id, name, example, times_seen, first_seen_at, last_seen_at)
SELECT COALESCE(c.known_id, nextval(pg_get_serial_sequence('unmapped_markets', 'id'))),
    c.source, c.market_id, c.name, c.example::jsonb, c.times,
    statement_timestamp(), statement_timestamp()
FROM reported AS c
ORDER BY c.source, c.market_id
ON CONFLICT (source, market_id) DO UPDATE SET
    name = COALESCE(excluded.name, u.name),
    example = COALESCE(excluded.example, u.example),
    times_seen = u.times_seen + excluded.times_seen,
    last_seen_at = GREATEST(u.last_seen_at, excluded.last_seen_at)
"""


async def add_unmapped_markets(connection: Connection, reports: Iterable[UnmappedReports]) -> None:
    """Add reports to the table of unmapped markets."""
    if columns := [*reports]:
        await connection.execute(_ADD, *arrays(UnmappedReports, columns))
