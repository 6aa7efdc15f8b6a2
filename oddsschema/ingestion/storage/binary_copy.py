"""The format of PostgreSQL's binary COPY: values, rows and the stream of rows.

Encoding rows here, and not through the driver's codecs, leaves a caller's connection as it was
(asyncpg would need a JSONB codec set on it), and encodes repeated values only once.

Source of the format: PostgreSQL's documentation of COPY, "Binary Format".
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from struct import Struct
from typing import Any

from sqlalchemy import Double, Enum, String

from oddsschema.contracts.columns import column_type
from oddsschema.ingestion.records import outcomes_json
from oddsschema.ingestion.storage.placement import MarketRows
from oddsschema.models.odds import Market
from oddsschema.models.sides import MARKET_COLUMNS, Side

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

#: The number of bytes that are handed to the connection at a time.
_BLOCK = 256 * 1024

#: The number of distinct markets, without their prices, whose encoding a COPY remembers.
_REMEMBERED = 10_000


def int4(value: int) -> bytes:
    """Encode an INTEGER."""
    return _int4(4, value)


def int8(value: int) -> bytes:
    """Encode a BIGINT."""
    return _int8(8, value)


def float8(value: float | None) -> bytes:
    """Encode a DOUBLE PRECISION. -0.0, which is no value of its own, is written as 0."""
    return _NULL if value is None else _float8(8, value + 0.0)


def text(value: str | None) -> bytes:
    """Encode a TEXT or VARCHAR."""
    if value is None:
        return _NULL
    encoded = value.encode()
    return _length(len(encoded)) + encoded


def timestamptz(value: datetime) -> bytes:
    """Encode a TIMESTAMPTZ, from an aware datetime."""
    return _int8(8, (value - _EPOCH) // _MICROSECOND)


def jsonb(document: bytes) -> bytes:
    """Encode a JSONB, from JSON text."""
    return b"%b\x01%b" % (_length(len(document) + 1), document)


# -- markets ---------------------------------------------------------------------------------------


_ENCODERS: dict[type[Any], Callable[[Any], bytes]] = {String: text, Enum: text, Double: float8}

#: The columns of a market but for its outcomes, which come last, and the encoder of each.
_HEAD = MARKET_COLUMNS[: MARKET_COLUMNS.index("outcomes")]
_HEAD_ENCODERS = [_ENCODERS[type(column_type(Market.model_fields[name]))] for name in _HEAD]
_head = attrgetter(*_HEAD)


def market_columns(side: Side) -> list[str]:
    """List the columns of `market_rows`."""
    return [side.event_column, "snapshot_id", *MARKET_COLUMNS, "unavailable_at"]


def market_rows(side: Side, snapshots: Iterable[MarketRows]) -> Iterator[bytes]:
    """Encode the market rows of snapshots, with the columns of `market_columns`.

    This is the hot path: it encodes repeated values once, and calls as few functions as it can.
    """
    # A scrape repeats the same few hundred markets for each event: only the prices differ.
    encoded: dict[tuple[Any, ...], bytes] = {}
    count = _columns(len(market_columns(side)))
    for snapshot in snapshots:
        prefix = count + int4(snapshot.event_id) + int8(snapshot.snapshot_id)
        for markets, unavailable_at in (
            (snapshot.markets, _NULL),
            (snapshot.carried, _NULL),
            (snapshot.gone, timestamptz(snapshot.captured_at)),
        ):
            for market in markets:
                head = _head(market)
                middle = encoded.get(head)
                if middle is None:
                    middle = b"".join(
                        encode(value) for encode, value in zip(_HEAD_ENCODERS, head, strict=True)
                    )
                    if len(encoded) < _REMEMBERED:
                        encoded[head] = middle
                outcomes = jsonb(outcomes_json(market.outcomes))
                yield b"%b%b%b%b" % (prefix, middle, outcomes, unavailable_at)


def blocks(rows: Iterable[bytes]) -> Iterator[bytes]:
    """Frame encoded rows as the stream of a COPY, in blocks."""
    block = [_HEADER]
    size = 0
    for row in rows:
        block.append(row)
        size += len(row)
        if size >= _BLOCK:
            yield b"".join(block)
            block, size = [], 0
    yield b"".join((*block, _TRAILER))
