"""The errors of a database that cannot be reached, or that refuses a transaction."""

from dataclasses import dataclass

from oddsschema.errors.root import OddsSchemaError


@dataclass(kw_only=True, eq=False, repr=False)
class DatabaseUnavailableError(OddsSchemaError):
    """A database that cannot be reached, or a connection that was lost."""

    #: The reason, in words.
    reason: str
    #: The database's URL without its password; None for a connection that was handed over.
    url: str | None = None

    def __post_init__(self) -> None:
        super().__init__(
            self.reason if self.url is None else f"cannot connect to {self.url}: {self.reason}"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class DatabaseURLError(DatabaseUnavailableError):
    """A database URL that is not PostgreSQL's, is ambiguous, or asks for something impossible.

    The environment and the files that complete a URL are parts of it.
    """


@dataclass(kw_only=True, eq=False, repr=False)
class UnsupportedDriverError(OddsSchemaError):
    """A connection of another driver than asyncpg."""

    #: The driver's name in SQLAlchemy.
    driver: str

    def __post_init__(self) -> None:
        super().__init__(
            f"a connection of {self.driver} cannot be used: connect with postgresql+asyncpg"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class ReadOnlyDatabaseError(OddsSchemaError):
    """A server or a transaction that accepts no writes, such as a standby."""

    #: The server's message.
    reason: str
    #: The operation that has to write.
    operation: str = "this operation"
    #: Whether the server is a standby, which a failover may make the primary server; None if it is
    #: not known.
    is_standby: bool | None = None

    def __post_init__(self) -> None:
        cure = "a primary server, and a transaction that may write"
        if self.is_standby is False:
            cure = "default_transaction_read_only = off for this role, database and URL"
        elif self.is_standby:
            cure = "the primary server, and this is a standby"
        super().__init__(f"{self.reason}; {self.operation} needs {cure}")


@dataclass(kw_only=True, eq=False, repr=False)
class TransactionError(OddsSchemaError):
    """A transaction that the server ended, also when repeated: a time limit, or a full disk.

    A standby also ends reads that keep it from the replay of the primary server's changes.
    """

    #: The server's message.
    reason: str
    #: The SQLSTATE of the server's error; None for an error of the driver.
    sqlstate: str | None = None
    #: Whether a standby ended the transaction, which kept it from the replay of changes.
    is_recovery_conflict: bool = False

    def __post_init__(self) -> None:
        cure = {
            "25P03": "raise idle_in_transaction_session_timeout of this role",
            "25P04": "raise transaction_timeout of this role",
            "53100": "make room on the server's disk",
            "55P03": "end the transaction that has the lock, or raise lock_timeout of this role",
            "57014": "raise statement_timeout of this role",
        }.get(self.sqlstate or "", "try again later")
        if self.is_recovery_conflict:
            cure = (
                "this standby has to replay a change of rows or tables that were read. Try again, "
                "or let it wait longer: hot_standby_feedback = on and max_standby_streaming_delay "
                "in its postgresql.conf"
            )
        super().__init__(f"{self.reason}: {cure}")
