"""The runs of alembic on a target: one session at a time, with the notes that each leaves."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from io import StringIO

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncConnection

from oddsschema.database.citus import require_coordinator
from oddsschema.database.durations import require_not_negative
from oddsschema.database.recorded_revisions import RecordedRevisions, read_revisions_sync
from oddsschema.database.revision import HEAD, read_mark_sync
from oddsschema.database.targets import Target, has_open_transaction
from oddsschema.database.time_limits import answer_after
from oddsschema.migrations.attempts import repeated
from oddsschema.migrations.error_translation import (
    translate_alembic_errors,
    translate_server_errors,
)
from oddsschema.migrations.kept_ids import READ_KEPT_IDS, describe_kept_ids
from oddsschema.migrations.places import require_one_schema
from oddsschema.migrations.requirements import (
    require_migratable,
    require_read_committed,
    undone_revisions,
)
from oddsschema.migrations.schema_lock import describe_wait, locked_schema
from oddsschema.migrations.time_limits import timeouts
from oddsschema.migrations.turns import awaited_turn
from oddsschema.migrations.version_tables import take_over

#: A revision relative to the current one or to another: -1, head-2.
_RELATIVE = re.compile(r"[+-]\d+$")


@dataclass
class MigrationRun:
    """A run of alembic's upgrade or downgrade to a revision."""

    target: Target
    config: Config
    revision: str
    #: The command of alembic's.
    command: Callable[[Config, str], None]
    #: The time for which the run waits for another migration of the schema.
    wait: timedelta
    #: The check of the place of the tables, with the recorded revisions.
    require_place: Callable[[Connection, RecordedRevisions], None] = lambda *_: None
    #: Whether the recorded revision moves to our own version table before.
    takes_over: bool = False

    #: The notes of the open transaction, which alembic and the revisions write.
    _output: StringIO = field(default_factory=StringIO, init=False)
    #: The notes of transactions that were committed.
    _committed: list[str] = field(default_factory=list, init=False)
    #: The notes about the move of the recorded revision.
    _moved: list[str] = field(default_factory=list, init=False)
    #: The notes about ids that keep an older form.
    _kept: list[str] = field(default_factory=list, init=False)
    #: The notes of a run that changed nothing.
    _unchanged: list[str] = field(default_factory=list, init=False)
    #: The recorded revisions before the first attempt that had the lock.
    _before: tuple[str, ...] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        require_not_negative(wait=self.wait)
        self.config.stdout = self._output
        # The transaction of the caller, who ends it.
        self._is_nested = has_open_transaction(self.target)
        self._is_upgrade_to_head = self.command is command.upgrade and self.revision == "head"

    async def finish(self, retry_for: timedelta) -> tuple[str, ...]:
        """Run alembic, and return the notes of the revisions and of the rows that they left."""
        if _RELATIVE.search(self.revision):
            # An attempt that fails may have moved the database before.
            retry_for = timedelta(0)
        answer_within = answer_after(self.config.attributes["timeouts"]["statement_timeout"])
        await repeated(self.target, self._attempt, retry_for, answer_within)
        return (*self._moved, *self._committed, *self._take_notes(), *self._kept, *self._unchanged)

    async def _attempt(self, connection: AsyncConnection) -> None:
        await connection.run_sync(require_read_committed)
        await connection.run_sync(require_one_schema)
        raw = await connection.get_raw_connection()
        await require_coordinator(raw.driver_connection)
        recorded = await connection.run_sync(read_revisions_sync)
        if self._is_upgrade_to_head:
            mark = await connection.run_sync(read_mark_sync)
            is_current = mark is not None and mark.revision == recorded.revision
            if mark is not None and is_current and mark.revision > HEAD and mark.serves(HEAD):
                self._unchanged = [
                    f"the database is at {mark.revision}, newer than this release ({HEAD}), whose "
                    "programs work with it: nothing was changed"
                ]
                return
        require_migratable(recorded)
        if self.command is command.downgrade and not recorded.own:
            undone_revisions(None, self.revision)
            return
        if self._is_upgrade_to_head and recorded.own == (HEAD,) and not self._moves(recorded):
            return
        async with locked_schema(
            connection, self.target, self.wait, is_nested=self._is_nested
        ) as waited:
            # Another migration may have run meanwhile.
            recorded = await connection.run_sync(read_revisions_sync)
            require_migratable(recorded)
            await self._migrate(connection, recorded)
            after = await connection.run_sync(read_revisions_sync)
            if waited and after.own == recorded.own and not self._moved:
                self._unchanged = [describe_wait(waited)]

    def _moves(self, recorded: RecordedRevisions) -> bool:
        return self.takes_over and recorded.is_in_default_table

    async def _migrate(self, connection: AsyncConnection, recorded: RecordedRevisions) -> None:
        """Migrate under the lock of the schema."""
        await connection.run_sync(self.require_place, recorded)
        if self._before is None:
            self._before = recorded.own
        if self._moves(recorded):
            if not self._is_nested:
                # Two processes that have both read the version table could not lock it.
                await connection.commit()
            self._moved += await move_revision(connection, self.config, take_over)
        if not self._is_nested:
            # Alembic would take an open transaction for the caller's, and not commit.
            await connection.commit()
        async with awaited_turn():
            await connection.run_sync(self._run_alembic)
        after = await connection.run_sync(read_revisions_sync)
        if HEAD not in self._before and HEAD in after.own:
            rows = (await connection.exec_driver_sql(READ_KEPT_IDS)).all()
            self._kept = [*describe_kept_ids(rows)]
        if not self._is_nested:
            await connection.commit()

    def _run_alembic(self, connection: Connection) -> None:
        self.config.attributes["connection"] = connection
        self._take_notes()  # of an attempt whose transaction was rolled back
        if not self._is_nested:
            event.listen(connection, "commit", lambda _: self._committed.extend(self._take_notes()))
        with translate_alembic_errors(self.revision), translate_server_errors():
            self.command(self.config, self.revision)

    def _take_notes(self) -> list[str]:
        taken = self._output.getvalue().splitlines()
        self._output.seek(0)
        self._output.truncate()
        return taken


async def move_revision(
    connection: AsyncConnection, config: Config, move: Callable[[Connection], str | None]
) -> list[str]:
    """Move the revision to another version table, within the time limits; return the notes."""

    def on_connection(connection: Connection) -> str | None:
        context = MigrationContext.configure(connection)
        with (
            translate_alembic_errors("head"),
            translate_server_errors(),
            timeouts(context, **config.attributes["timeouts"]),
        ):
            return move(connection)

    note = await connection.run_sync(on_connection)
    return [] if note is None else [note]
