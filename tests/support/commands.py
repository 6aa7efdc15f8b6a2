"""The commands of the program, imported."""

from collections.abc import Iterator

import click

from oddsschema.cli import cli


def named_command(name: str) -> click.Command:
    """Import a command of the program."""
    found = cli.get_command(click.Context(cli), name)
    assert found is not None, name
    return found


def every_command() -> dict[str, click.Command]:
    """Import all commands and groups of the program, and return them by name."""
    return {name: named_command(name) for name in cli.list_commands(click.Context(cli))}


def commands_of_groups() -> Iterator[click.Command]:
    """Import all commands of the program, and those of its groups in place of the groups."""
    for found in every_command().values():
        yield from found.commands.values() if isinstance(found, click.Group) else [found]
