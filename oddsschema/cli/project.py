"""The settings of a project: the table `[tool.oddsschema]` of its pyproject.toml."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click


@dataclass(frozen=True)
class Project:
    """The settings of a project."""

    #: The parts that the project has added to the tables of oddsschema: `events.venue`.
    known: tuple[str, ...] = ()


def read_project(directory: Path | None = None) -> Project:
    """Read the pyproject.toml of a directory, or else of the nearest one above it that has one.

    The default is the current directory. Raises ClickException, with the file and the key, for a
    file that cannot be read and for settings that are unknown or of another type.
    """
    file = _find(directory or Path.cwd())
    if file is None:
        return Project()
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise click.ClickException(f"{file} cannot be read: {error}") from error
    settings = content.get("tool")
    settings = settings.get("oddsschema", {}) if isinstance(settings, dict) else {}
    if not isinstance(settings, dict):
        raise click.ClickException(f"{file}: tool.oddsschema should be a table: [tool.oddsschema]")
    if unknown := sorted(settings.keys() - {"known"}):
        raise click.ClickException(
            f"{file}: tool.oddsschema.{unknown[0]} is no setting; the only one is known"
        )
    return Project(known=_read_known(file, settings.get("known", [])))


def _find(directory: Path) -> Path | None:
    for parent in (directory, *directory.parents):
        file = parent / "pyproject.toml"
        if file.is_file():
            return file
    return None


def _read_known(file: Path, value: Any) -> tuple[str, ...]:
    from oddsschema.migrations.known import require_names

    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise click.ClickException(
            f'{file}: tool.oddsschema.known should be an array of texts, such as ["events.venue"]'
        )
    names: Iterable[str] = value
    try:
        require_names(names)
    except ValueError as error:
        raise click.ClickException(f"{file}: tool.oddsschema.known: {error}") from error
    return tuple(names)
