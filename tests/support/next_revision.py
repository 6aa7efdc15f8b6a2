"""The head of a revision that a test adds after those of this release."""

from oddsschema.database.revision import HEAD

#: The id of the revision.
REVISION = "oddsschema_9001"

#: The beginning of the script: imports and identifiers.
HEADER = f'''
from alembic import op

revision = "{REVISION}"
down_revision = "{HEAD}"
branch_labels = None
depends_on = None
'''
