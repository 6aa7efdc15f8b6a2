"""The columns of a table in SQLAlchemy, so that `Session.merge` writes only the fields given."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table as SqlTable
from sqlalchemy.orm import ColumnProperty, InstanceState, Mapper, Session


class FieldProperty(ColumnProperty[Any]):
    """A column whose merge passes over a field that was left out of the merged object.

    The constructor fills in the defaults of such fields. A merge of them would replace stored
    values by defaults.
    """

    inherit_cache = True

    def merge(
        self,
        session: Session,
        source_state: InstanceState[Any],
        source_dict: Any,
        dest_state: InstanceState[Any],
        dest_dict: Any,
        load: bool,
        *memory: Any,
    ) -> None:
        """Merge the field, if it was set or if the row is new."""
        source = source_state.obj()
        is_set = source is None or self.key in source.model_fields_set
        if is_set or not load or not dest_state.has_identity:
            super().merge(session, source_state, source_dict, dest_state, dest_dict, load, *memory)


def mapper_of_fields(
    model: type[Any], table: SqlTable, properties: Mapping[str, Any], **options: Any
) -> Mapper[Any]:
    """Map a class to its table, with a `FieldProperty` for each column."""
    columns = {column.key: FieldProperty(column) for column in table.columns}
    return Mapper(model, table, properties={**columns, **properties}, **options)
