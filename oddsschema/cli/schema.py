"""The commands `schema json`, `schema sql` and `schema erd`."""

import json

import click

from oddsschema.cli.output import print_text


@click.group()
def schema() -> None:
    """Print the contracts, the reports and the tables for programs in other languages."""


@schema.command("json")
@click.argument("name", required=False)
def print_json(name: str | None) -> None:
    """Print the JSON Schema of NAME (Capture, IngestReport, CompetitorMarketOdds, ...).

    Without NAME, print all JSON Schemas as definitions of one document.
    """
    from oddsschema.schema import NAMES, json_schema

    names = {known.casefold(): known for known in NAMES}
    if name is not None and name.casefold() not in names:
        raise click.BadParameter(f"{name!r} is none of {', '.join(NAMES)}", param_hint="NAME")
    document = json_schema(None if name is None else names[name.casefold()])
    print_text(json.dumps(document, indent=2))


@schema.command("sql")
def print_sql() -> None:
    """Print the tables as SQL. To create them, use `oddsschema upgrade`."""
    from oddsschema.schema import sql

    print_text(sql().removesuffix("\n"))


@schema.command("erd")
def print_erd() -> None:
    """Print the tables as a diagram in the language of Mermaid."""
    from oddsschema.schema import erd

    print_text(erd().removesuffix("\n"))
