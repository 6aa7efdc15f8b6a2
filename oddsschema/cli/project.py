"""The settings of a project: the table `[tool.oddsschema]` of its pyproject.toml."""

import tomllib
from contextlib import suppress
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
    """Read the nearest pyproject.toml with settings, in a directory or above it.

    The default is the current directory. Raises ClickException, with the file and the key, for a
    file that cannot be read and for settings that are unknown or of another type.
    """
    with suppress(FileNotFoundError):  # a current directory that was removed
        directory = directory or Path.cwd()
        for parent in (directory, *directory.parents):
            file = parent / "pyproject.toml"
            settings = _read_settings(file)
            if settings is not None:
                return Project(known=_read_known(file, settings.get("known", [])))
    return Project()


def _read_settings(file: Path) -> dict[str, Any] | None:
    """Read the table of settings; None without the file or the table."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise click.ClickException(f"{file} cannot be read: {error}") from error
    tools = content.get("tool")
    if not isinstance(tools, dict) or "oddsschema" not in tools:
        return None
    settings = tools["oddsschema"]
    if not isinstance(settings, dict):
        raise click.ClickException(f"{file}: tool.oddsschema should be a table: [tool.oddsschema]")
    if unknown := sorted(settings.keys() - {"known"}):
        raise click.ClickException(
            f"{file}: tool.oddsschema.{unknown[0]} is no setting; the only one is known"
        )
    return settings


def _read_known(file: Path, value: Any) -> tuple[str, ...]:
    from oddsschema.migrations.known import require_names

    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise click.ClickException(
            f'{file}: tool.oddsschema.known should be an array of texts, such as ["events.venue"]'
        )
    try:
        require_names(value)
    except ValueError as error:
        raise click.ClickException(f"{file}: tool.oddsschema.known: {error}") from error
    return tuple(value)
