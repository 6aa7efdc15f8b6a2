"""The migrations of this package: upgrade, downgrade, current, check, and hooks for other projects.

The targets are those of all functions. The transaction of an AsyncConnection of SQLAlchemy, and one
that is open in a connection of asyncpg, is the caller's.

A project with tables of its own adds `script_location()`/versions to its `version_locations`, and
`autogenerate_options` to its env.py: see docs/how-to/extending.md.

The public names are imported from here. The modules:

- `commands`: upgrade, downgrade, current, check, and the location of the revisions
- `downgrade_plan`: the revisions, tables and columns that a downgrade removes
- `autogenerate`: alembic's hooks, for another project's env.py and for this package's
- `time_limits`: the time limits of a migration, for any env.py
- `violations`: the stored rows that break a new CHECK
- `kept_ids`: the SportRadar ids that keep an older form
- `report`: the state of a database, compared with this release
- `comparison`: the differences between its tables and those that the revisions build
- `repair`: the SQL that repairs a difference
- `catalog`: the parts of tables, read from PostgreSQL's catalogs
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
from oddsschema.migrations.downgrade_plan import (
    DowngradePlan,
    DroppedTable,
    UndoneRevision,
    plan_downgrade,
)
from oddsschema.migrations.report import CheckReport, CheckState, RevisionReport
from oddsschema.migrations.time_limits import timeouts

__all__ = [
    "LOCK_TIMEOUT",
    "STATEMENT_TIMEOUT",
    "CheckReport",
    "CheckState",
    "Difference",
    "DowngradePlan",
    "DroppedTable",
    "RevisionReport",
    "UndoneRevision",
    "autogenerate_options",
    "check",
    "current",
    "downgrade",
    "include_object",
    "plan_downgrade",
    "render_item",
    "require_dependency_on_tables",
    "script_location",
    "timeouts",
    "upgrade",
    "upgrade_sql",
]
