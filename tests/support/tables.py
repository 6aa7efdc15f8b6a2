"""The table classes of the package, by the names of their tables."""

from oddsschema import Table
from oddsschema.models import metadata

TABLES: dict[str, type[Table]] = {
    str(table.__tablename__): table
    for table in sorted(Table.__subclasses__(), key=lambda table: table.__name__)
    if table.metadata is metadata
}
