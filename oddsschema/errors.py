"""Every exception that oddsschema raises on its own account, as one tree.

A bad value is not in this tree: it raises `pydantic.ValidationError`, as in any pydantic model.
"""


class OddsSchemaError(Exception):
    """The root of the tree: catch it to catch whatever oddsschema itself raises."""


class DatabaseUnavailableError(OddsSchemaError):
    """The database cannot be reached, or is not one that this package can use."""


class NotMigratedError(OddsSchemaError):
    """The database lacks this release's tables. `current` is its revision, or None."""

    def __init__(self, message: str, *, current: str | None, head: str) -> None:
        super().__init__(message)
        self.current = current
        self.head = head


class ChunkError(OddsSchemaError):
    """A chunk of captures could not be written, and none of it was; `__cause__` says why.

    `platform` and `run_id` say whose it was; `first` and `last` where its captures stood.
    """

    def __init__(
        self, reason: str, *, platform: str | None, run_id: int, first: str, last: str
    ) -> None:
        super().__init__(
            f"the captures {first} to {last} of {platform} (run {run_id}) are not stored: {reason}"
        )
        self.platform = platform
        self.run_id = run_id
        self.first = first
        self.last = last


class UncertainCommitError(OddsSchemaError):
    """The connection was lost at a commit, and the server does not know yet what became of it."""


class EmbeddedPostgresError(OddsSchemaError):
    """The embedded PostgreSQL is not installed, or does not start."""
