"""The scripts of the revisions, as this package's alembic and another project's find them."""

from datetime import timedelta
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError
from alembic.util import CommandError

from oddsschema.database.durations import require_durations
from oddsschema.database.recorded_revisions import is_own_revision
from oddsschema.database.revision import HEAD

_PACKAGE = Path(__file__).parents[1]


def script_location() -> Path:
    """Return the directory of env.py and versions/.

    It is inside the installed package, or beside the package in a checkout.
    """
    installed = _PACKAGE / "alembic"
    return installed if installed.is_dir() else _PACKAGE.parent / "alembic"


def version_location() -> str:
    """Return the entry of a project's `version_locations` for the revisions of this package."""
    if script_location().parent == _PACKAGE:
        return "oddsschema:alembic/versions"
    return str(script_location() / "versions")


def alembic_config(**timeouts: timedelta) -> Config:
    """Return alembic's configuration for this package's revisions, with the limits for env.py."""
    require_durations(**timeouts)
    config = Config()
    config.set_main_option("script_location", str(script_location()).replace("%", "%%"))
    config.attributes["timeouts"] = timeouts
    return config


def known_revisions() -> list[str]:
    """Return the revisions of this release, oldest first."""
    scripts = ScriptDirectory.from_config(alembic_config()).walk_revisions()
    return sorted(script.revision for script in scripts)


def require_own_revisions(script: ScriptDirectory) -> None:
    """Reject a project's alembic that does not find the newest revision of this package.

    Alembic passes over locations that do not exist, and its `upgrade heads` would end without an
    error and without our tables. Raises alembic's CommandError.
    """
    missing = "revision"
    try:
        if any(map(is_own_revision, script.get_bases())):
            missing = f"revision {HEAD}, the newest of this release,"
        script.revision_map.get_revision(HEAD)
    except ResolutionError:
        pass
    except KeyError as error:
        # A revision of the project depends on this one.
        if not is_own_revision(missing := str(error.args[0])):
            raise
    else:
        return
    locations = ", ".join(script.version_locations) or f"{script.dir}/versions alone"
    raise CommandError(
        f"alembic finds no {missing} of oddsschema in its version_locations ({locations}): add "
        f"{version_location()} to them. In an alembic.ini, write 'path_separator = newline' and "
        "each location on a line of its own: 'os' and ':' split this one at its colon. A project "
        "that leaves the tables of oddsschema to 'oddsschema upgrade' needs include_object of "
        "oddsschema.migrations alone, in the place of autogenerate_options"
    )
