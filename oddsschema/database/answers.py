"""The deadline of connections, for the statements that SQLAlchemy prepares itself."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Engine


def limit_answers(engine: "Engine") -> None:
    """Apply the deadline of an engine's connections to its statements."""
    from sqlalchemy import event

    def begin(connection: Any, *_: Any) -> None:
        connection.connection.driver_connection.begin_deadline()

    def end(connection: Any, *_: Any) -> None:
        connection.connection.driver_connection.end_deadline()

    def end_failed(context: Any) -> None:
        if context.connection is not None and not context.connection.closed:
            end(context.connection)

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)
    event.listen(engine, "handle_error", end_failed)
