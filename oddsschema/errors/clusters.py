"""The errors of a cluster of Citus, and the names of its shards."""

import re
from dataclasses import dataclass
from typing import Any

from oddsschema.errors.root import OddsSchemaError

#: The number of a shard, at the end of the names of its table and of its constraints.
_SHARD = re.compile(r"_\d{6,}$")


@dataclass(kw_only=True, eq=False, repr=False)
class ClusterError(OddsSchemaError):
    """A distribution that a database, or its cluster of Citus, does not allow."""

    #: The reason, in words, with what to do.
    reason: str

    def __post_init__(self) -> None:
        super().__init__(self.reason)


@dataclass(kw_only=True, eq=False, repr=False)
class WorkerNodeError(ClusterError):
    """A worker node of Citus: only the coordinator gives new ids and changes tables."""

    reason: str = "this server is a worker node of Citus: connect to the coordinator"


def names_of(violation: Any) -> tuple[str, str]:
    """Return the table and the constraint of an error of asyncpg, without the number of a shard.

    A node reports the names that they have there, both with the same number.
    """
    table, constraint = violation.table_name, violation.constraint_name
    if (shard := _SHARD.search(table or "")) and (constraint or "").endswith(shard[0]):
        return table.removesuffix(shard[0]), constraint.removesuffix(shard[0])
    return table, constraint
