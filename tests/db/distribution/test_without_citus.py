"""The distribution on a server without Citus, and the addresses of nodes."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import oddsschema
from oddsschema import distribution, migrations
from oddsschema.database.citus import Node
from oddsschema.errors import ClusterError
from oddsschema.errors.clusters import names_of

Run = Callable[..., Any]


def test_without_citus(database: str, run: Run) -> None:
    """Without the extension, each function says what to do, and `check` does not mention Citus."""
    for work in (
        oddsschema.distribute(database, "football", from_schema="public"),
        oddsschema.undistribute(database, "football"),
        distribution.move(database, "football", Node("db2", 5432)),
        distribution.require_cluster(database),
    ):
        with pytest.raises(ClusterError, match="run CREATE EXTENSION citus in this database"):
            run(work)
    assert run(migrations.check(database)).notes == ()


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("db2.example.com:6432", Node("db2.example.com", 6432)),
        ("10.0.0.2:5432", Node("10.0.0.2", 5432)),
        ("/run/postgresql:5433", Node("/run/postgresql", 5433)),
    ],
)
def test_addresses(text: str, node: Node) -> None:
    """An address is a host with a port."""
    assert Node.parse(text) == node
    assert Node.parse(str(node)) == node


@pytest.mark.parametrize("text", ["", "db2", ":5432", "db2:", "db2:0", "db2:65536", "a b", "';--"])
def test_refused_addresses(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="is no node, such as"):
        Node.parse(text)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (("odds_102010", "fk_odds_event_id_102010"), ("odds", "fk_odds_event_id")),
        # Plain tables whose names end with a number.
        (
            ("odds_202601", "odds_202601_event_id_fkey"),
            ("odds_202601", "odds_202601_event_id_fkey"),
        ),
        ((None, None), (None, None)),
    ],
)
def test_names_of_shards(given: Any, names: Any) -> None:
    """The names in an error of a node lose the number of a shard, which both of them have."""
    table, constraint = given
    assert names_of(SimpleNamespace(table_name=table, constraint_name=constraint)) == names
