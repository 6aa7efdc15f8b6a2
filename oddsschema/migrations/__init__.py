"""The migrations that the wheel carries: upgrade, downgrade, current, check; and hooks for others.

A target is a PostgreSQL URL, or an SQLAlchemy AsyncConnection whose transaction is then the
caller's. A project with tables of its own adds the versions to its `version_locations`, and
`autogenerate_options` to its env.py: see docs/howto-extending.md.

What is where (what is public is imported from here):

- `commands`: upgrade, downgrade, current and check; where the revisions are
- `autogenerate`: autogeneration, for another project's env.py and for ours
- `time_limits`: how long a migration waits and takes, for an env.py too
- `broken`: which rows a new CHECK trips over
- `report`: what `check` finds a database to be
- `drift`: where its tables differ from what the revisions build
- `mend`: the SQL that mends them
- `catalog`: what tables consist of, read from PostgreSQL's catalogs
"""

from oddsschema.database.time_limits import LOCK_TIMEOUT, STATEMENT_TIMEOUT
from oddsschema.migrations.autogenerate import (
    autogenerate_options,
    include_object,
    render_item,
    require_dependency_on_tables,
)
from oddsschema.migrations.commands import (
    check,
    current,
    downgrade,
    script_location,
    upgrade,
    upgrade_sql,
)
from oddsschema.migrations.comparison import Difference
from oddsschema.migrations.report import CheckReport, CheckState
from oddsschema.migrations.time_limits import timeouts

__all__ = [
    "LOCK_TIMEOUT",
    "STATEMENT_TIMEOUT",
    "CheckReport",
    "CheckState",
    "Difference",
    "autogenerate_options",
    "check",
    "current",
    "downgrade",
    "include_object",
    "render_item",
    "require_dependency_on_tables",
    "script_location",
    "timeouts",
    "upgrade",
    "upgrade_sql",
]
