"""The migrations of this package: upgrade, downgrade, current, check, and hooks for other projects.

The targets are those of all functions. The transaction of an AsyncConnection of SQLAlchemy, and one
that is open in a connection of asyncpg, is the caller's.

A project with tables of its own adds `script_location()`/versions to its `version_locations`, and
`autogenerate_options` to its env.py: see docs/how-to/extending.md.

The public names are imported from here. The modules:

- `commands`: upgrade, downgrade, current, check, hand_over
- `runs`: a run of alembic: the lock of the schema, the transactions, the notes
- `attempts`: the connections of a migration, after transient errors
- `requirements`: the recorded revisions, the transaction and the revision of a migration
- `error_translation`: the errors of alembic and PostgreSQL in this package's words
- `release_schema`: the tables of this release, as the SQL of its revisions
- `scripts`: the location of the revisions, which another project's alembic has to find
- `version_tables`: the move of the recorded revision to another project's version table
- `downgrade_plan`: the revisions, tables and columns that a downgrade removes
- `autogenerate`: alembic's hooks, for another project's env.py and for this package's
- `schema_lock`: the lock of a schema, which one migration at a time has
- `turns`: the turns of the migrations of this process
- `concurrent_indexes`: alembic's operations for indexes beside readers and writers
- `model_comparison`: alembic's plugin that compares models with a database by catalogs
- `expected_tables`: the models' tables, as temporary tables
- `synchronous_connection`: the connection of an env.py, for the comparison
- `schema_changes`: the steps from the actual tables to those of the models
- `steps`: the steps, their phases and their code
- `phased_revisions`: one revision for each phase
- `locked_tables`: the tables that a phase locks
- `widening`: alembic's operation for a column with a longer limit
- `table_locks`: alembic's operation for the locks of tables
- `remade_views`: alembic's operations for views, and for columns that views read
- `time_limits`: the time limits of a migration, for any env.py
- `places`: the schema of the tables, which exists or is created
- `violations`: the stored rows that break a new CHECK
- `kept_ids`: the SportRadar ids that keep an older form
- `report`: the state of a database, compared with this release
- `comparison`: the differences between its tables and those that the revisions build
- `part_names`: the same by names alone, on a standby
- `known`: the parts that users add and acknowledge
- `repair`: the SQL that repairs a difference
- `catalog`: the parts of tables, read from PostgreSQL's catalogs
- `settings`: the settings of sessions that would change the comparison
- `sequences`: the positions of sequences
"""

from oddsschema.database.time_limits import LOCK_TIMEOUT, MIGRATION_WAIT, STATEMENT_TIMEOUT
from oddsschema.migrations.autogenerate import (
    autogenerate_options,
    include_object,
    process_revisions,
    render_item,
    require_dependency_on_tables,
)
from oddsschema.migrations.commands import (
    check,
    current,
    downgrade,
    hand_over,
    upgrade,
    upgrade_sql,
)
from oddsschema.migrations.comparison import Difference
from oddsschema.migrations.concurrent_indexes import (
    CreateIndexConcurrently,
    DropIndexConcurrently,
    ReplaceIndexConcurrently,
)
from oddsschema.migrations.downgrade_plan import (
    DowngradePlan,
    DroppedTable,
    UndoneRevision,
    plan_downgrade,
)
from oddsschema.migrations.remade_views import AlterUnderViews, ReplaceView
from oddsschema.migrations.report import CheckReport, CheckState, RevisionReport
from oddsschema.migrations.scripts import script_location
from oddsschema.migrations.table_locks import LockTables
from oddsschema.migrations.time_limits import timeouts
from oddsschema.migrations.widening import WidenColumn

__all__ = [
    "LOCK_TIMEOUT",
    "MIGRATION_WAIT",
    "STATEMENT_TIMEOUT",
    "AlterUnderViews",
    "CheckReport",
    "CheckState",
    "CreateIndexConcurrently",
    "Difference",
    "DowngradePlan",
    "DropIndexConcurrently",
    "DroppedTable",
    "LockTables",
    "ReplaceIndexConcurrently",
    "ReplaceView",
    "RevisionReport",
    "UndoneRevision",
    "WidenColumn",
    "autogenerate_options",
    "check",
    "current",
    "downgrade",
    "hand_over",
    "include_object",
    "plan_downgrade",
    "process_revisions",
    "render_item",
    "require_dependency_on_tables",
    "script_location",
    "timeouts",
    "upgrade",
    "upgrade_sql",
]
