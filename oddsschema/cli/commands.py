"""The commands: the module of each, which is imported when the command runs, and its help."""

from importlib import import_module
from typing import NamedTuple

import click


class _Place(NamedTuple):
    """The place of a command, and the first sentence of its help, which tests compare."""

    module: str
    variable: str
    help: str


_PLACES = {
    "adopt": _Place(
        "adoption",
        "adopt_tables",
        "Bring the odds of tables that another program created, and read all of them back.",
    ),
    "batches": _Place("batches", "batches", "Print the batches, newest first, one line for each."),
    "check": _Place(
        "migrations",
        "check",
        "Compare the database with this release, and print the SQL that repairs it.",
    ),
    "current": _Place("migrations", "current", "Print the revision of the database."),
    "demo": _Place(
        "demo", "demo", "Show the package at work in a few seconds, in a database of its own."
    ),
    "distribute": _Place(
        "distribution",
        "distribute",
        "Give the schema of --schema to Citus, which keeps it whole on one node.",
    ),
    "downgrade": _Place(
        "migrations",
        "downgrade",
        'Downgrade the tables to REVISION; "base" drops all tables, with their rows.',
    ),
    "events": _Place(
        "events",
        "events",
        "Print the events that bookmakers list, in the order of their kickoffs (UTC).",
    ),
    "export": _Place(
        "export",
        "export",
        "Write odds to a file: a row an outcome, with event, market and bookmaker.",
    ),
    "hand-over": _Place(
        "migrations",
        "hand_over",
        "Move the revision to TABLE, the version table of a project whose alembic then migrates.",
    ),
    "history": _Place(
        "history",
        "history",
        "Print the offers of EVENT side by side, or the price history of a MARKET.",
    ),
    "ingest": _Place(
        "captures",
        "ingest",
        "Store the captures of FILES (NDJSON, plain or .gz, - for standard input) as one batch.",
    ),
    "move": _Place(
        "distribution",
        "move",
        "Move the schema of --schema to another node, while it is in use.",
    ),
    "prune": _Place(
        "retention",
        "prune",
        "Delete old history, and the rows that nothing refers to any more; or captures of the "
        "future.",
    ),
    "schema": _Place(
        "schema",
        "schema",
        "Print the contracts, the reports and the tables for programs in other languages.",
    ),
    "simulate": _Place(
        "simulation",
        "simulate_captures",
        "Print simulated captures of football odds (NDJSON), scrape after scrape.",
    ),
    "size": _Place(
        "retention",
        "size",
        "Print the size and growth of the tables, and the time until the disk is full.",
    ),
    "undistribute": _Place(
        "distribution",
        "undistribute",
        "Bring the schema of --schema back to the coordinator, as plain tables.",
    ),
    "unmapped": _Place(
        "unmapped_markets",
        "unmapped",
        "Print the markets that scrapers could not map to BetPawa's, the most frequent first.",
    ),
    "upgrade": _Place(
        "migrations",
        "upgrade",
        "Create the tables, or upgrade them to REVISION (the newest).",
    ),
    "validate": _Place(
        "captures",
        "validate_files",
        "Validate the captures of FILES (NDJSON, plain or .gz, - for standard input).",
    ),
}


class Commands(click.Group):
    """The group of the commands, of which only the one that runs is imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return sorted(_PLACES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None for an unknown name."""
        if (place := _PLACES.get(cmd_name)) is None:
            return None
        module = import_module(f"oddsschema.cli.{place.module}")
        command: click.Command = getattr(module, place.variable)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a line for each command, without the import of any."""
        names = self.list_commands(ctx)
        # As click has it: each line begins after two spaces, and has two between its columns.
        limit = formatter.width - 6 - max(map(len, names))
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, click.Command(name, help=_PLACES[name].help).get_short_help_str(limit))
                    for name in names
                ]
            )
