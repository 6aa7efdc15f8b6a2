"""The mixin for views of SQLAdmin."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import Enum, inspect
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, defaultload, defer

from oddsschema.admin.columns import (
    LARGE,
    default,
    description,
    details_columns,
    float_columns,
    form_columns,
    list_columns,
    naming_columns,
    related_tables,
)
from oddsschema.admin.messages import (
    GONE,
    REFUSALS,
    MissingRelatedRows,
    deletion_message,
    field_messages,
    missing_row,
)
from oddsschema.admin.values import find, key_of, plain, store
from oddsschema.contracts.table import Table

#: The form that the current request has submitted: SQLAdmin hands over its values only.
_submitted: ContextVar[Any] = ContextVar("submitted form")


class SubmittedForm:
    """A mixin for forms of WTForms: the form can be found after its validation."""

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Validate the fields one by one."""
        _submitted.set(self)
        return bool(super().validate(*args, **kwargs))  # type: ignore[misc]  # of the form


class SQLAdminView:
    """A mixin for SQLAdmin's `ModelView`, to be named before it.

        class EventAdmin(SQLAdminView, ModelView, model=Event): ...

    Rows are built and changed by validation. Fields that the user has not touched keep their
    value. `on_model_change` gets None in the place of a new row, which does not exist before its
    values are valid; it may change the values.
    """

    model: type[Table]
    session_maker: Callable[..., Any]
    is_async: bool

    def __init__(self) -> None:
        from wtforms import FloatField  # a dependency of SQLAdmin

        table = self.model
        for include, exclude, names in (
            ("column_list", "column_exclude_list", list_columns(table)),
            ("column_details_list", "column_details_exclude_list", details_columns(table)),
            ("form_columns", "form_excluded_columns", form_columns(table)),
        ):
            if not (getattr(self, include, None) or getattr(self, exclude, None)):
                setattr(self, include, names)
        given: Any = self
        # SQLAdmin knows a type Numeric, of which SQLAlchemy's Float is no subclass.
        floats = dict.fromkeys(float_columns(table), FloatField)
        self.form_overrides = {**floats, **given.form_overrides}
        self.form_args = {
            name: {**_arguments(table, name), **given.form_args.get(name, {})}
            for name in {**dict.fromkeys(form_columns(table)), **given.form_args}
        }
        # A select of all related rows would read a whole table.
        searches = {
            name: {"fields": naming_columns(related), "order_by": naming_columns(related)[0]}
            for name, related in related_tables(table).items()
        }
        self.form_ajax_refs = {**searches, **given.form_ajax_refs}
        self.column_type_formatters = {tuple: shown_items, **given.column_type_formatters}
        super().__init__()

    def list_query(self, request: Any) -> Any:
        """Select the rows of a list, without the large column that it does not show."""
        view: Any = self
        query = super().list_query(request)  # type: ignore[misc]  # of the view
        shown = (*view.get_list_columns(), *view.get_export_columns())
        if LARGE in self.model.model_fields and LARGE not in shown:
            query = query.options(defer(getattr(self.model, LARGE)))
        for name, related in related_tables(self.model).items():
            if LARGE in related.model_fields:
                shown_row = defaultload(getattr(self.model, name))
                query = query.options(shown_row.defer(getattr(related, LARGE)))
        return query

    async def scaffold_form(self, rules: list[str] | None = None) -> Any:
        """Build the class of the form."""
        form: Any = await super().scaffold_form(rules)  # type: ignore[misc]  # of the view
        return type(form)(form.__name__, (SubmittedForm, form), {})

    async def get_form_data_for_edit(self, obj: Any) -> dict[str, Any]:
        """Return the values of a row for the form."""
        values = await super().get_form_data_for_edit(obj)  # type: ignore[misc]  # of the view
        return {name: plain(value) for name, value in values.items()}

    async def get_object_for_details(self, request: Any) -> Any:
        """Find a row for its page."""
        if key_of(self.model, request.path_params["pk"]) is None:
            return None
        return await super().get_object_for_details(request)  # type: ignore[misc]  # of the view

    async def get_object_for_edit(self, request: Any) -> Any:
        """Find a row for its form."""
        if key_of(self.model, request.path_params["pk"]) is None:
            return None
        return await super().get_object_for_edit(request)  # type: ignore[misc]  # of the view

    async def get_object_for_delete(self, value: Any) -> Any:
        """Find a row that is to be deleted."""
        if key_of(self.model, value) is None:
            return None
        return await super().get_object_for_delete(value)  # type: ignore[misc]  # of the view

    async def insert_model(self, request: Any, data: dict[str, Any]) -> Table:
        """Insert a row with the values of the form.

        Raises ValueError if the row is refused. The form then has the messages.
        """
        return await self._store(request, data, None)

    async def update_model(self, request: Any, pk: Any, data: dict[str, Any]) -> Table:
        """Change a row to the values of the form.

        Raises ValueError if the row is refused. The form then has the messages.
        """
        return await self._store(request, data, pk)

    async def delete_model(self, request: Any, pk: Any) -> None:
        """Delete a row.

        Raises ValueError if other rows refer to it.
        """
        try:
            await super().delete_model(request, pk)  # type: ignore[misc]  # of the view
        except IntegrityError as error:
            raise ValueError(deletion_message(error)) from error

    async def _store(self, request: Any, data: dict[str, Any], pk: Any) -> Table:
        view: Any = self
        async with self._session() as run:
            row = None if pk is None else await run(lambda session: self._find(session, pk))
            values = await self._changed(request, data, row)
            await view.on_model_change(values, row, row is None, request)
            try:
                stored: Table = await run(lambda session: self._save(session, row, values))
            except REFUSALS as error:
                raise ValueError(self._show(error)) from error
            answer = await view.after_model_change(values, stored, row is None, request)
        if answer is not None:
            request.state._sqladmin_after_change_response = answer
        (identity,) = inspect(stored).identity or (None,)
        await view._emit_audit(request, "create" if pk is None else "update", identity, values)
        return stored

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Callable[..., Any]]:
        """Open a session; yield a function that awaits work on it."""
        if self.is_async:
            async with self.session_maker(expire_on_commit=False) as session:
                yield session.run_sync
        else:
            with self.session_maker(expire_on_commit=False) as session:
                yield lambda work: asyncio.to_thread(work, session)

    def _find(self, session: Session, pk: Any) -> Table:
        row = find(session, self.model, pk)
        if row is None:
            raise ValueError(GONE)
        return row

    async def _changed(
        self, request: Any, data: Mapping[str, Any], row: Table | None
    ) -> dict[str, Any]:
        """Leave out the fields whose text is as the form showed it: NULL as JSON is `{}`."""
        form = await self.scaffold_form()
        shown = form() if row is None else form(data=await self.get_form_data_for_edit(row))
        submitted = await request.form()

        def is_as_shown(name: str) -> bool:
            text = getattr(shown._fields.get(name), "_value", None)
            if text is None or isinstance(data[name], bool):
                return False
            return bool(submitted.getlist(name) == [text()])

        return {name: value for name, value in data.items() if not is_as_shown(name)}

    def _save(self, session: Session, row: Table | None, values: Mapping[str, Any]) -> Table:
        """Build or change a row with these values, and commit it."""
        related = self._related(session, values)
        with session.no_autoflush:
            stored = store(self.model, row, {**values, **related})
        session.add(stored)
        session.commit()
        return stored

    def _related(self, session: Session, values: Mapping[str, Any]) -> dict[str, Any]:
        """Find the rows that the values name by id.

        Raises MissingRelatedRows.
        """
        related: dict[str, Any] = {}
        missing = {}
        for name, relationship in inspect(self.model).relationships.items():
            if name not in values:
                continue
            table, value = relationship.mapper.class_, values[name]
            identities = value or () if relationship.uselist else (value,) if value else ()
            rows = {identity: find(session, table, identity) for identity in identities}
            for identity, row in rows.items():
                if row is None:
                    missing[name] = missing_row(table, identity)
            related[name] = list(rows.values()) if relationship.uselist else rows.get(value)
        if missing:
            raise MissingRelatedRows(missing)
        return related

    def _show(self, error: Exception) -> str:
        """Show the messages of a refusal at the fields of the form; return all of them."""
        form = _submitted.get(None)
        fields = list(getattr(form, "_fields", {})) or form_columns(self.model)
        messages = field_messages(self.model, error, fields)
        for name, message in messages.items():
            if form is not None:
                form[name].errors = [*form[name].errors, message]
        return "; ".join(f"{name}: {message}" for name, message in messages.items())


def _arguments(table: type[Table], name: str) -> dict[str, Any]:
    """Return the arguments of a form's field that follow from the contract."""
    column = inspect(table).columns.get(name)
    arguments: dict[str, Any] = {"description": description(table, name)}
    if column is not None:
        # SQLAdmin would take the default of a column, which may be SQL.
        arguments["default"] = plain(default(table, name))
    if column is not None and isinstance(column.type, Enum):
        # SQLAdmin looks for the names of the members, but offers their values.
        arguments["coerce"] = str
    return arguments


def shown_items(items: tuple[Any, ...]) -> str:
    """Write outcomes or times in a line."""
    return ", ".join(
        f"{item['name']} {item['odds'] or ''}".rstrip() + ("" if item["is_active"] else " (closed)")
        if isinstance(item, dict)
        else str(item)
        for item in plain(items)
    )
