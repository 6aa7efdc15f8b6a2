"""Rows as arrays: the parameters of a statement that reads them with unnest."""

from collections.abc import Sequence
from typing import Any


def transposed(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """Rows as columns, for unnest."""
    return [list(column) for column in zip(*rows, strict=True)]
