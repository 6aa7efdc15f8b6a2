"""The schema of this release: its revisions, its tables, and the SQL that builds them."""

from functools import cache
from io import StringIO

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from oddsschema.database.revision import HEAD
from oddsschema.migrations.report import Release
from oddsschema.migrations.scripts import alembic_config
from oddsschema.models import metadata
from oddsschema.queries.views import VIEWS


@cache
def current_release() -> Release:
    """Describe this release: its revisions, its tables, and the SQL that builds them.

    The SQL has no transactions, and records no revision.
    """
    revisions = list(ScriptDirectory.from_config(alembic_config()).walk_revisions())
    statements = StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql",
        # Others double each % of a text.
        dialect_opts={"paramstyle": "named"},
        opts={
            "as_sql": True,
            "output_buffer": statements,
            "literal_binds": True,
            # An autocommit_block would end the transaction of the comparison.
            "transactional_ddl": False,
        },
    )
    with Operations.context(context):
        for revision in reversed(revisions):
            revision.module.upgrade()
    return Release(
        head=HEAD,
        revisions=frozenset(revision.revision for revision in revisions),
        tables=[table.name for table in metadata.sorted_tables],
        views=list(VIEWS),
        statements=statements.getvalue(),
    )
