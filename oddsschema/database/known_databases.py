"""The facts about a database that a process remembers, because to ask again is a round trip.

The first are the descriptions of statements: the types of their arguments and columns. A statement
without a name takes two round trips: the server describes it, and then executes it. With a
remembered description, a single round trip parses and executes it. The server itself keeps nothing:
behind a pooler, each transaction may be on another of its connections, and asyncpg's names of
statements are the same in every process.

The other is the version table. Its revision is read again in every transaction that depends on it.
"""

from collections import OrderedDict
from collections.abc import Collection
from functools import lru_cache
from typing import Any, NamedTuple

#: The number of statements whose descriptions are remembered.
_MOST_STATEMENTS = 500


class KnownDatabase:
    """The facts that are known about one database, for all connections to it."""

    def __init__(self) -> None:
        #: The version table, qualified and quoted for SQL; None if it is not known.
        self.version_table: str | None = None
        self._states: OrderedDict[object, Any] = OrderedDict()

    def described(self, key: object) -> Any:
        """Return the state of asyncpg's that describes a statement; None if it is unknown."""
        return self._states.get(key)

    def describe(self, key: object, state: Any) -> None:
        """Remember a description; forget the oldest if there are too many."""
        self._states[key] = state
        while len(self._states) > _MOST_STATEMENTS:
            self._states.popitem(last=False)

    def forget(self) -> None:
        """Forget everything: a migration may have changed it."""
        self.version_table = None
        self._states.clear()


@lru_cache(maxsize=32)
def known_database(_url: str) -> KnownDatabase:
    """Return the facts that this process remembers about the database of a URL."""
    return KnownDatabase()


class BuiltinArray(NamedTuple):
    """An array type of PostgreSQL's own."""

    oid: int
    name: str
    element: int


#: The array types in the statements of this package. No release of PostgreSQL changes their oids.
#: Source: PostgreSQL's pg_type.dat.
_ARRAYS = {
    array.oid: array
    for array in (
        BuiltinArray(1000, "_bool", 16),
        BuiltinArray(1003, "_name", 19),
        BuiltinArray(1005, "_int2", 21),
        BuiltinArray(1007, "_int4", 23),
        BuiltinArray(1009, "_text", 25),
        BuiltinArray(1015, "_varchar", 1043),
        BuiltinArray(1016, "_int8", 20),
        BuiltinArray(1022, "_float8", 701),
        BuiltinArray(1185, "_timestamptz", 1184),
    )
}


def builtin_arrays(oids: Collection[int]) -> list[dict[str, Any]] | None:
    """Describe array types as asyncpg's query of types does; None if another type is among them.

    That query takes three round trips on each new connection, and seconds on a cluster of Citus.
    """
    if not _ARRAYS.keys() >= set(oids):
        return None
    return [
        {
            "oid": array.oid,
            "ns": "pg_catalog",
            "name": array.name,
            "kind": b"b",
            "basetype": None,
            "elemtype": array.element,
            "elemtype_name": array.name[1:],
            "elemdelim": ",",
            "range_subtype": None,
            "attrtypoids": None,
            "attrnames": None,
        }
        for array in map(_ARRAYS.__getitem__, oids)
    ]
