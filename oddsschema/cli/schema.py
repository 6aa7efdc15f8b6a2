"""The command line of `oddsschema.schema`: `oddsschema schema json`, `sql` and `erd`."""

import json

import click


@click.group()
def schema() -> None:
    """Print the contracts and the tables for programs in other languages."""


@schema.command("json")
@click.argument("name", required=False)
def print_json(name: str | None) -> None:
    """Print the JSON Schema of NAME (Capture, IngestReport, CompetitorMarketOdds, ...).

    Without NAME, that of everything, as definitions of one document.
    """
    from oddsschema.schema import NAMES, json_schema

    known = {one.casefold(): one for one in NAMES}
    if name is not None and name.casefold() not in known:
        raise click.BadParameter(f"{name!r} is none of {', '.join(NAMES)}", param_hint="NAME")
    found = json_schema(None if name is None else known[name.casefold()])
    click.echo(json.dumps(found, indent=2))


@schema.command("sql")
def print_sql() -> None:
    """Print the tables as SQL. To make a database, use `oddsschema upgrade`."""
    from oddsschema.schema import sql

    click.echo(sql(), nl=False)


@schema.command("erd")
def print_erd() -> None:
    """Print the tables as a diagram, in the language of Mermaid."""
    from oddsschema.schema import erd

    click.echo(erd(), nl=False)
