"""The mixin for views of starlette-admin."""

from copy import copy
from datetime import UTC, datetime
from html import escape
from typing import Any

from sqlalchemy import String, cast, inspect, or_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import defer

from oddsschema.admin.columns import (
    LARGE,
    ROW_TIMES,
    default,
    description,
    details_columns,
    naming_columns,
    related_tables,
)
from oddsschema.admin.messages import REFUSALS, deletion_message, field_messages, missing_row
from oddsschema.admin.values import key_of, plain, store
from oddsschema.contracts.table import Table


class NewRow:
    """The place of a new row: starlette-admin calls the model before it has the values."""

    def __init__(self, table: type[Table]) -> None:
        self.table = table
        self.__name__ = table.__name__

    def __call__(self) -> "NewRow":
        """Take the place of a new object."""
        return self


class StarletteAdminView:
    """A mixin for starlette-admin's `ModelView` of SQLAlchemy, to be named before it.

        class EventView(StarletteAdminView, ModelView): ...

        admin.add_view(EventView(Event))

    Rows are built and changed by validation. Fields that the user has not touched keep their
    value. Times are in UTC.
    """

    model: Any
    fields: Any

    def __init__(self, model: type[Table], *args: Any, converter: Any = None, **options: Any):
        from starlette_admin.contrib.sqla.converters import ModelConverter

        converter = converter or ModelConverter()
        # The framework knows a type Numeric, of which SQLAlchemy's Double is no subclass.
        converter.converters.setdefault("Double", converter.conv_numeric)
        given: Any = self
        names = set(details_columns(model))
        if not self.fields:
            self.fields = details_columns(model)
            times = [name for name in ROW_TIMES if name in names]
            self.exclude_fields_from_create = [*given.exclude_fields_from_create, *times]
            self.exclude_fields_from_edit = [*given.exclude_fields_from_edit, *times]
            large = [LARGE] if LARGE in names else []
            self.exclude_fields_from_list = [*given.exclude_fields_from_list, *large]
        super().__init__(model, *args, converter=converter, **options)  # type: ignore[call-arg]
        for field in self.fields:
            field.help_text = field.help_text or description(model, field.name)
            if field.default is None:
                field.default = default(model, field.name)

    async def serialize_field_value(self, value: Any, field: Any, request: Any) -> Any:
        """Convert a value for the screen; times are in UTC, without an offset.

        The picker for times would convert an offset to the browser's own time.
        """
        if isinstance(value, tuple) and all(isinstance(each, datetime) for each in value):
            value = [naive_utc(each) for each in value]
        return await super().serialize_field_value(  # type: ignore[misc]  # of the view
            naive_utc(plain(value)), field, request
        )

    async def repr(self, obj: Any, request: Any) -> str:
        """Name a row."""
        return str(obj)

    async def select2_result(self, obj: Any, request: Any) -> str:
        """Name a row, as HTML."""
        return f"<span>{escape(str(obj))}</span>"

    def get_list_query(self, request: Any) -> Any:
        """Select rows, without the large column if they are a list that does not show it."""
        view: Any = self
        query = super().get_list_query(request)  # type: ignore[misc]  # of the view
        shown = {each.name for each in view.get_fields_list(request)}
        if LARGE in self.model.model_fields and LARGE not in shown:
            query = query.options(defer(getattr(self.model, LARGE)))
        return query

    def get_search_query(self, request: Any, term: str) -> Any:
        """Search text, and the fields that name a row: some tables have no text."""
        view: Any = self
        columns = inspect(self.model).columns
        searchable = [each.name for each in view.get_fields_list(request) if each.searchable]
        texts = [
            name
            for name in searchable
            if name in columns and isinstance(columns[name].type, String)
        ]
        names = dict.fromkeys((*naming_columns(self.model), *texts))
        return or_(*(cast(columns[name], String).ilike(f"%{term}%") for name in names))

    async def find_by_pk(self, request: Any, pk: Any) -> Any:
        """Find a row; none has an id that cannot be read."""
        key = key_of(self.model, pk)
        if key is None:
            return None
        return await super().find_by_pk(request, key)  # type: ignore[misc]  # of the view

    async def find_by_pks(self, request: Any, pks: list[Any]) -> Any:
        """Find rows; none has an id that cannot be read."""
        keys = [key for key in (key_of(self.model, pk) for pk in pks) if key is not None]
        return await super().find_by_pks(request, keys)  # type: ignore[misc]  # of the view

    async def validate(self, request: Any, data: dict[str, Any]) -> None:
        """Refuse ids without a row, and text that the framework could not read.

        The framework takes both for NULL.
        """
        from starlette_admin.exceptions import FormValidationError

        form = await request.form()
        unread = [
            name
            for name, value in data.items()
            if value is None and form.get(name) not in (None, "", "null")
        ]
        if unread:
            table = self.model.table if isinstance(self.model, NewRow) else self.model
            related = related_tables(table)
            raise FormValidationError(
                {
                    name: missing_row(related[name], form[name])
                    if name in related
                    else f"Input should be readable: {form[name]!r} is not"
                    for name in unread
                }
            )

    async def create(self, request: Any, data: dict[str, Any]) -> Any:
        """Insert a row with the values of the form."""
        view = copy(self)
        view.model = NewRow(self.model)
        return await super(StarletteAdminView, view).create(request, data)  # type: ignore[misc]

    async def _populate_obj(
        self, request: Any, obj: Any, data: dict[str, Any], is_edit: bool = False
    ) -> Any:
        """Build or change a row: the framework would set one attribute after the other."""
        view: Any = self
        names = [each.name for each in view.get_fields_list(request) if not each.read_only]
        values = {name: data.get(name) for name in names}
        if isinstance(obj, NewRow):
            self.model = obj.table
            obj = None
        return store(self.model, obj, values)

    async def delete(self, request: Any, pks: list[Any]) -> Any:
        """Delete rows.

        Raises ActionFailed if other rows refer to them.
        """
        from starlette_admin.exceptions import ActionFailed

        try:
            return await super().delete(request, pks)  # type: ignore[misc]  # of the view
        except IntegrityError as error:
            raise ActionFailed(deletion_message(error)) from error

    async def handle_exception(self, request: Any, exc: Exception) -> Any:
        """Show the messages of a refusal at the fields of the form."""
        from starlette_admin.exceptions import FormValidationError

        if not isinstance(exc, REFUSALS):
            return await super().handle_exception(request, exc)  # type: ignore[misc]
        view: Any = self
        table = self.model.table if isinstance(self.model, NewRow) else self.model
        fields = [each.name for each in view.get_fields_list(request)]
        raise FormValidationError(field_messages(table, exc, fields)) from exc


def naive_utc(value: Any) -> Any:
    """Convert a time to UTC, without its offset; leave other values."""
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
