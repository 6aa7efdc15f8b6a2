"""Rows as PostgreSQL's binary COPY reads them.

Encoding them here, not through the driver's codecs, leaves a caller's connection as it was (asyncpg
would need a JSONB codec set on it), and what repeats from row to row is encoded once.

Source of the format: PostgreSQL's documentation of COPY, "Binary Format".
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from struct import Struct
from typing import TYPE_CHECKING, Any

from oddsschema.ingestion.records import outcomes_json
from oddsschema.models import Market

if TYPE_CHECKING:
    from oddsschema.ingestion.storage.placement import Snapshot

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_length = Struct(">i").pack
_int4 = Struct(">ii").pack
_int8 = Struct(">iq").pack
_float8 = Struct(">id").pack
_columns = Struct(">h").pack
_array = Struct(">iiii").pack
_dimension = Struct(">ii").pack

#: The type's oid, which no release of PostgreSQL changes.
_TIMESTAMPTZ = 1184

#: How many bytes are handed to the connection at a time.
_BLOCK = 256 * 1024

# All but the outcomes, which come last.
_head = attrgetter(*list(Market.model_fields)[:-1])


def int4(value: int | None) -> bytes:
    """An INTEGER."""
    return _NULL if value is None else _int4(4, value)


def int8(value: int) -> bytes:
    """A BIGINT."""
    return _int8(8, value)


def float8(value: float | None) -> bytes:
    """A DOUBLE PRECISION. -0.0, which is no other value, is written as 0."""
    return _NULL if value is None else _float8(8, value + 0.0)


def text(value: str | None) -> bytes:
    """A TEXT or VARCHAR."""
    if value is None:
        return _NULL
    encoded = value.encode()
    return _length(len(encoded)) + encoded


def boolean(value: bool) -> bytes:
    """A BOOLEAN."""
    return b"\0\0\0\1\1" if value else b"\0\0\0\1\0"


def timestamptz(value: datetime | None) -> bytes:
    """A TIMESTAMPTZ, from an aware datetime."""
    return _NULL if value is None else _int8(8, (value - _EPOCH) // _MICROSECOND)


def timestamptz_array(values: Sequence[datetime]) -> bytes:
    """A TIMESTAMPTZ[], from aware datetimes."""
    if not values:
        return _array(12, 0, 0, _TIMESTAMPTZ)
    elements = b"".join(map(timestamptz, values))
    return _array(20 + len(elements), 1, 0, _TIMESTAMPTZ) + _dimension(len(values), 1) + elements


def jsonb(document: bytes | None) -> bytes:
    """A JSONB, from JSON text; None is SQL's NULL."""
    if document is None:
        return _NULL
    return b"%b\x01%b" % (_length(len(document) + 1), document)


def row(*fields: bytes) -> bytes:
    """A row of already encoded fields."""
    return _columns(len(fields)) + b"".join(fields)


def market_rows(snapshots: "Iterable[Snapshot]") -> Iterator[bytes]:
    """Rows of the markets of snapshots; the columns of `Market`, then unavailable_at.

    The hot path: what repeats is encoded once, and no function is called that need not be.
    """
    # A scrape repeats the same few hundred markets for each event: only their prices are its own.
    known: dict[tuple[Any, ...], bytes] = {}
    for snapshot in snapshots:
        prefix = _columns(10) + int4(snapshot.event_id) + int8(snapshot.id or 0)
        for market in snapshot.markets:
            head = _head(market)
            middle = known.get(head)
            if middle is None:
                middle = _encoded_head(*head)
                if len(known) < 10_000:
                    known[head] = middle
            yield b"%b%b%b%b" % (prefix, middle, jsonb(outcomes_json(market.outcomes)), _NULL)
        for stored, unavailable_at in (
            (snapshot.stored, None),
            (snapshot.gone, snapshot.captured_at),
        ):
            for (market_id, line, kind, home, away), (name, outcomes) in stored:
                middle = _encoded_head(market_id, name, line, kind, home, away)
                document = jsonb(outcomes_json(outcomes))
                yield b"%b%b%b%b" % (prefix, middle, document, timestamptz(unavailable_at))


def _encoded_head(
    market_id: str,
    name: str,
    line: float | None,
    handicap_type: str | None,
    home: float | None,
    away: float | None,
) -> bytes:
    """A market without its outcomes."""
    return b"".join(
        (
            text(market_id),
            text(name),
            float8(line),
            text(handicap_type),
            float8(home),
            float8(away),
        )
    )


def stream(rows: Iterable[bytes]) -> Iterator[bytes]:
    """The whole of a COPY, in blocks."""
    block = [_HEADER]
    size = 0
    for encoded in rows:
        block.append(encoded)
        size += len(encoded)
        if size >= _BLOCK:
            yield b"".join(block)
            block, size = [], 0
    yield b"".join((*block, _TRAILER))
