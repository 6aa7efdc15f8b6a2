"""The commands of a distribution by Citus: `distribute`, `undistribute` and `move`."""

from collections.abc import Sequence
from datetime import timedelta

import click

from oddsschema.cli.options import (
    chosen_schema,
    duration_option,
    run_on_database,
    url_option,
)
from oddsschema.cli.output import print_line
from oddsschema.database.citus import Node
from oddsschema.database.time_limits import LOCK_TIMEOUT


def read_nodes(
    _ctx: click.Context, _param: click.Parameter, value: str | Sequence[str]
) -> tuple[Node, ...]:
    """Parse the values of an option: HOST:PORT."""
    try:
        return tuple(map(Node.parse, [value] if isinstance(value, str) else value))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


lock_option = duration_option(
    "--lock-timeout", LOCK_TIMEOUT, "Longest wait for a lock, which blocks the table's users."
)


@click.command()
@click.option("--from", "from_schema", metavar="NAME", help="The schema that has the tables now.")
@click.option(
    "--node",
    "nodes",
    multiple=True,
    callback=read_nodes,
    metavar="HOST:PORT",
    help="A node for the schema; it is added if the cluster has it not. May be repeated.",
)
@click.option(
    "--dry-run", is_flag=True, help="Check everything, estimate the time; change nothing."
)
@lock_option
@url_option
def distribute(
    from_schema: str | None,
    nodes: tuple[Node, ...],
    dry_run: bool,
    lock_timeout: timedelta,
    url: str | None,
) -> None:
    """Give the schema of --schema to Citus, which keeps it whole on one node.

    Needs the extension citus, the coordinator, and tables of the newest revision. With --from, the
    tables move from another schema, such as public, which Citus does not distribute. Everything is
    one transaction, for which writers and readers wait. Grants are kept. Again, it changes nothing.
    """
    from oddsschema import distribution

    schema = required_schema()

    async def run(url: str) -> None:
        print_notes(
            await distribution.distribute(
                url,
                schema,
                from_schema=from_schema,
                nodes=nodes,
                dry_run=dry_run,
                lock_timeout=lock_timeout,
            )
        )

    run_on_database(url, run, writes=True)


@click.command()
@lock_option
@url_option
def undistribute(lock_timeout: timedelta, url: str | None) -> None:
    """Bring the schema of --schema back to the coordinator, as plain tables.

    It is one transaction, for which writers and readers wait. Again, it changes nothing.
    """
    from oddsschema import distribution

    schema = required_schema()

    async def run(url: str) -> None:
        print_notes(await distribution.undistribute(url, schema, lock_timeout=lock_timeout))

    run_on_database(url, run, writes=True)


@click.command()
@click.option(
    "--node",
    "nodes",
    required=True,
    callback=read_nodes,
    metavar="HOST:PORT",
    help="The node that gets the schema.",
)
@url_option
def move(nodes: tuple[Node, ...], url: str | None) -> None:
    """Move the schema of --schema to another node, while it is in use.

    Needs wal_level = logical on the nodes. Again, it changes nothing.
    """
    from oddsschema import distribution

    schema = required_schema()

    async def run(url: str) -> None:
        print_notes(await distribution.move(url, schema, nodes[0]))

    run_on_database(url, run, writes=True)


def required_schema() -> str:
    """Return the schema of `--schema`. Raises UsageError without it."""
    schema = chosen_schema()
    if schema is None:
        raise click.UsageError("--schema is necessary: it is the schema that Citus keeps on a node")
    return schema


def print_notes(notes: Sequence[str]) -> None:
    """Print what was done."""
    for note in notes:
        print_line(note)
