"""Files of record batches: Parquet, CSV that is safe for spreadsheets, and NDJSON.

A file, or a directory of parts, is written beside its place and renamed at the end, so that an
interrupted export leaves nothing that looks whole.
"""

import json
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import Select, func, select

from oddsschema.errors import ExportError
from oddsschema.frames.columns import arrow

if TYPE_CHECKING:
    import pyarrow

#: The beginnings of texts that spreadsheets take for formulas: also in full width.
_FORMULA = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


class FileFormat(StrEnum):
    """The formats of files."""

    PARQUET = "parquet"
    CSV = "csv"
    NDJSON = "ndjson"


async def write_file(
    batches: AsyncIterator["pyarrow.RecordBatch"],
    schema: "pyarrow.Schema",
    path: Path,
    format: FileFormat,
    *,
    force: bool = False,
    on_rows: Callable[[int], None] = lambda _rows: None,
) -> int:
    """Write batches to a file; return the number of rows. `on_rows` gets it after each batch.

    Raises ExportError if the file exists, unless `force`, and if it cannot be written.
    """
    with _beside(path, force) as partial, partial.open("xb") as file:
        return await write_stream(batches, schema, file, format, on_rows=on_rows)


async def write_stream(
    batches: AsyncIterator["pyarrow.RecordBatch"],
    schema: "pyarrow.Schema",
    file: Any,
    format: FileFormat,
    *,
    on_rows: Callable[[int], None] = lambda _rows: None,
) -> int:
    """Write batches to an open binary file; return the number of rows."""
    rows = 0
    with _writer(file, schema, format) as write:
        async for batch in batches:
            write(batch)
            rows += batch.num_rows
            on_rows(rows)
    return rows


async def write_parts(
    batches: AsyncIterator["pyarrow.RecordBatch"],
    schema: "pyarrow.Schema",
    path: Path,
    format: FileFormat,
    *,
    time: str,
    force: bool = False,
    on_rows: Callable[[int], None] = lambda _rows: None,
) -> int:
    """Write batches to a directory, in parts by the day of a time (UTC) and by bookmaker.

    The rows must be in the order of `in_order_of_parts`: one part is open at a time. The parts are
    `day=2026-01-17/bookmaker=betpawa/part.parquet`, as pandas, polars and DuckDB read them. Returns
    the number of rows. Raises ExportError as `write_file` does, and if `force` would replace a
    directory that has other files.
    """
    import pyarrow.compute as pc

    rows = 0
    with _beside(path, force, is_replaceable=_has_parts_only) as partial, ExitStack() as files:
        partial.mkdir()
        write: Callable[[Any], None]
        open_part = None
        async for batch in batches:
            days = pc.strftime(batch[time], format="%Y-%m-%d")
            names = batch["bookmaker"].cast("string")
            parts = zip(days.to_pylist(), names.to_pylist(), strict=True)
            start = 0
            for (day, bookmaker), of_part in groupby(parts):
                if (day, bookmaker) != open_part:
                    files.close()
                    part = partial / f"day={day}" / f"bookmaker={quote(bookmaker, safe='')}"
                    part.mkdir(parents=True)
                    file = files.enter_context((part / f"part.{format}").open("xb"))
                    write = files.enter_context(_writer(file, schema, format))
                    open_part = day, bookmaker
                count = sum(1 for _ in of_part)
                write(batch.slice(start, count))
                start += count
            rows += batch.num_rows
            on_rows(rows)
        files.close()
    return rows


def in_order_of_parts(statement: Any, time: str) -> Select[Any]:
    """Sort the rows of a select by the day of a time (UTC) and by bookmaker, for `write_parts`."""
    rows = statement.subquery("in_parts")
    return select(rows).order_by(func.date_trunc("day", rows.c[time], "UTC"), rows.c.bookmaker)


def _has_parts_only(path: Path) -> bool:
    return path.is_dir() and all(part.name.startswith("day=") for part in path.iterdir())


@contextmanager
def _beside(
    path: Path, force: bool, is_replaceable: Callable[[Path], bool] = Path.is_file
) -> Iterator[Path]:
    """Yield a path beside another one; rename the former to the latter at the end.

    After an error, or Ctrl-C, it is removed.
    """
    if path.exists() and not force:
        raise ExportError(path=str(path), reason="it exists")
    if path.exists() and not is_replaceable(path):
        raise ExportError(path=str(path), reason="what exists there is not of an export")
    try:
        work = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise ExportError(path=str(path), reason=error.strerror or str(error)) from error
    try:
        partial = work / path.name
        yield partial
        if path.is_dir():
            path.rename(work / "replaced")
        partial.replace(path)
    except ConnectionError:
        # The reader's, not the file's.
        raise
    except OSError as error:
        raise ExportError(path=str(path), reason=error.strerror or str(error)) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _writer(
    file: Any, schema: "pyarrow.Schema", format: FileFormat
) -> Iterator[Callable[[Any], None]]:
    """Yield a function that writes a batch to a file."""
    if format is FileFormat.PARQUET:
        from pyarrow import parquet

        with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
            yield writer.write_batch
    elif format is FileFormat.CSV:
        from pyarrow import csv

        flat = arrow().schema([(field.name, _csv_type(field.type)) for field in schema])
        with csv.CSVWriter(file, flat) as writer:
            yield lambda batch: writer.write_batch(_safe(batch, flat))
    else:
        yield lambda batch: file.writelines(_json_lines(batch))


def _csv_type(kind: Any) -> Any:
    pa = arrow()
    is_text = pa.types.is_dictionary(kind) or pa.types.is_list(kind)
    return pa.string() if is_text else kind


def _safe(batch: Any, schema: "pyarrow.Schema") -> Any:
    """Return a batch as texts and numbers; texts that look like formulas begin with `'`."""
    pa = arrow()
    arrays: list[Any] = []
    for values, field in zip(batch.columns, schema, strict=True):
        if pa.types.is_list(values.type):
            arrays.append(pa.array([_joined(item) for item in values.to_pylist()], pa.string()))
        elif pa.types.is_dictionary(values.type):
            texts = [_without_formula(text) for text in values.dictionary.to_pylist()]
            arrays.append(pa.array(texts, pa.string()).take(values.indices))
        elif pa.types.is_string(values.type):
            arrays.append(
                pa.array(
                    [text and _without_formula(text) for text in values.to_pylist()], pa.string()
                )
            )
        else:
            arrays.append(values.cast(field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _joined(items: Sequence[Any] | None) -> str | None:
    return None if items is None else _without_formula(" ".join(map(str, items)))


def _without_formula(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _json_lines(batch: Any) -> Iterator[bytes]:
    for row in batch.to_pylist():
        yield json.dumps(row, default=_json_value, ensure_ascii=False).encode() + b"\n"


def _json_value(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)
