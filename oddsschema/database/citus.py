"""Citus: the nodes of a cluster, and the node that has a schema. Most servers have no Citus."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from oddsschema.errors import WorkerNodeError

if TYPE_CHECKING:
    from oddsschema.database.targets import Connection

# Read the version of the extension; NULL without it.
_VERSION = "SELECT (SELECT extversion FROM pg_extension WHERE extname = 'citus')"

# Read the group of this node: 0 is the coordinator's.
_GROUP = "SELECT groupid FROM pg_dist_local_group"

# Read the nodes, and whether each is in use, and may have tables.
_NODES = """
SELECT nodename, nodeport, groupid = 0 AS is_coordinator, isactive, shouldhaveshards
FROM pg_dist_node WHERE noderole = 'primary' ORDER BY groupid, nodename, nodeport
"""

# Read the node of each distributed schema. All tables of a schema are on one node; an empty schema
# is on none.
_HOMES = """
SELECT n.nspname::text AS schema, home.nodename, home.nodeport
FROM pg_dist_schema AS d
JOIN pg_namespace AS n ON n.oid = d.schemaid
LEFT JOIN LATERAL (
    SELECT node.nodename, node.nodeport
    FROM pg_dist_partition AS p
    JOIN pg_dist_shard AS s ON s.logicalrelid = p.logicalrelid
    JOIN pg_dist_placement AS placement ON placement.shardid = s.shardid
    JOIN pg_dist_node AS node ON node.groupid = placement.groupid AND node.noderole = 'primary'
    WHERE p.colocationid = d.colocationid LIMIT 1
) AS home ON true
ORDER BY n.nspname
"""

# Read whether Citus has a table of ours.
_HAS_TABLES = "SELECT to_regclass('sports') IN (SELECT logicalrelid FROM pg_dist_partition)"

# Read which of the tables $2 of schema $1 Citus has in another way than by schema.
_SINGLE = """
SELECT c.relname::text FROM pg_class AS c
LEFT JOIN pg_dist_partition AS p ON p.logicalrelid = c.oid
LEFT JOIN pg_dist_schema AS d ON d.schemaid = c.relnamespace AND d.colocationid = p.colocationid
WHERE c.relnamespace = quote_ident($1)::regnamespace AND c.relname = ANY ($2::text[])
    AND p.logicalrelid IS NOT NULL AND d.schemaid IS NULL
ORDER BY c.relname
"""

# Read whether each new session asks the nodes for the names of their shards, to hide these.
_HIDES_SHARDS = "SELECT current_setting('citus.override_table_visibility', true)::boolean"


#: HOST:PORT, of a name, an address of IPv4, or the directory of a socket.
_ADDRESS = re.compile(r"(?P<host>[\w./-]+):(?P<port>\d{1,5})", re.ASCII)


class Node(NamedTuple):
    """The address of a node."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "Node":
        """Read HOST:PORT. Raises ValueError."""
        found = _ADDRESS.fullmatch(text)
        port = int(found["port"]) if found else 0
        if found is None or not 0 < port < 65536:
            raise ValueError(f"{text!r} is no node, such as db2.example.com:5432")
        return cls(found["host"], port)


@dataclass(frozen=True)
class Cluster:
    """A cluster of Citus, as one of its nodes knows it."""

    #: The version of the extension.
    version: str
    #: Whether this server is the coordinator.
    is_coordinator: bool
    #: The node of each distributed schema; None for a schema without tables.
    homes: "dict[str, Node | None]"
    #: The nodes, of which some may be out of use.
    nodes: Sequence[Node]
    #: The nodes that are not in use.
    inactive: Sequence[Node]


async def require_coordinator(connection: "Connection") -> None:
    """Raise WorkerNodeError on a worker node of Citus."""
    if await connection.fetchval(_VERSION) is not None and await connection.fetchval(_GROUP):
        raise WorkerNodeError


async def is_distributed(connection: "Connection") -> bool:
    """Return whether Citus has the tables that the search path leads to.

    Raises WorkerNodeError on a worker node.
    """
    await require_coordinator(connection)
    if await connection.fetchval(_VERSION) is None:
        return False
    return bool(await connection.fetchval(_HAS_TABLES))


async def read_cluster(connection: "Connection") -> Cluster | None:
    """Read the cluster; None without the extension."""
    version = await connection.fetchval(_VERSION)
    if version is None:
        return None
    nodes = await connection.fetch(_NODES)
    homes = await connection.fetch(_HOMES)
    return Cluster(
        version=version,
        is_coordinator=await connection.fetchval(_GROUP) == 0,
        homes={
            row["schema"]: Node(row["nodename"], row["nodeport"])
            if row["nodename"] is not None
            else None
            for row in homes
        },
        nodes=[Node(row["nodename"], row["nodeport"]) for row in nodes],
        inactive=[Node(row["nodename"], row["nodeport"]) for row in nodes if not row["isactive"]],
    )


async def describe_cluster(
    connection: "Connection", schema: str, tables: Sequence[str]
) -> list[str]:
    """Describe where Citus has a schema, and what makes it slow or wrong; nothing without Citus.

    Raises WorkerNodeError on a worker node.
    """
    await require_coordinator(connection)
    cluster = await read_cluster(connection)
    if cluster is None:
        return []
    notes = []
    if schema in cluster.homes:
        notes.append(f"Citus {cluster.version} has the schema {schema} on {cluster.homes[schema]}")
        if await connection.fetchval(_HIDES_SHARDS):
            notes.append(
                "citus.override_table_visibility is on: each new connection takes longer. Run "
                "ALTER DATABASE … SET citus.override_table_visibility = off"
            )
    elif single := await connection.fetch(_SINGLE, schema, list(tables)):
        names = ", ".join(row[0] for row in single)
        notes.append(
            f"Citus {cluster.version} has tables of the schema {schema}, and not the schema as a "
            f"whole: {names}. Statements over several nodes are slow or fail: undistribute the "
            "tables, then run 'oddsschema distribute'"
        )
    else:
        notes.append(
            f"Citus {cluster.version} is here, and the schema {schema} is not distributed: the "
            "coordinator has it"
        )
    notes += [
        f"the node {node} is not in use: run SELECT citus_activate_node('{node.host}', {node.port})"
        for node in cluster.inactive
    ]
    return notes
