"""The exceptions of oddsschema, as one tree below `OddsSchemaError`.

Every error carries its data as attributes, and survives `pickle` and `copy` with all of them, so
that a worker process can raise it. An invalid value is not in this tree: it raises
`pydantic.ValidationError`, as in any pydantic model.

    OddsSchemaError
    ├── DatabaseUnavailableError
    │   └── DatabaseURLError
    ├── ReadOnlyDatabaseError
    ├── ClusterError
    │   └── WorkerNodeError
    ├── TransactionError
    ├── NotMigratedError
    ├── SplitTablesError
    ├── SequenceError
    ├── MigrationError
    │   ├── MissingSchemaError
    │   ├── SharedSchemaError
    │   ├── UnknownRevisionError
    │   ├── NewerDatabaseError
    │   ├── UnversionedDatabaseError
    │   ├── ForeignTablesError
    │   ├── OtherProjectError
    │   ├── CheckViolationError
    │   ├── LockTimeoutError
    │   ├── StatementTimeoutError
    │   ├── MigrationDeadlockError
    │   ├── MigrationRunningError
    │   └── PooledSessionError
    ├── ComparisonError
    ├── UnsupportedDriverError
    ├── BatchNotFoundError
    ├── BatchEndedError
    ├── RunEndedError
    ├── EventNotFoundError
    ├── AmbiguousEventError
    ├── MarketNotFoundError
    ├── ChunkError
    ├── UncertainCommitError
    ├── AdoptionError
    │   └── AdoptionTimeZoneError
    ├── EmbeddedPostgresError
    │   └── EmbeddedPostgresMissingError
    ├── MissingExtraError
    ├── ExportError
    └── PlotError
"""

from oddsschema.errors.clusters import ClusterError, WorkerNodeError
from oddsschema.errors.connections import (
    DatabaseUnavailableError,
    DatabaseURLError,
    ReadOnlyDatabaseError,
    TransactionError,
    UnsupportedDriverError,
)
from oddsschema.errors.extras import (
    AdoptionError,
    AdoptionTimeZoneError,
    EmbeddedPostgresError,
    EmbeddedPostgresMissingError,
    ExportError,
    MissingExtraError,
    PlotError,
)
from oddsschema.errors.migrations import (
    CheckViolationError,
    ForeignTablesError,
    LockTimeoutError,
    MigrationDeadlockError,
    MigrationError,
    MigrationRunningError,
    MissingSchemaError,
    NewerDatabaseError,
    OtherProjectError,
    PooledSessionError,
    SharedSchemaError,
    StatementTimeoutError,
    UnknownRevisionError,
    UnversionedDatabaseError,
)
from oddsschema.errors.root import (
    OddsSchemaError,
)
from oddsschema.errors.schemas import (
    ComparisonError,
    NotMigratedError,
    SequenceError,
    SplitTablesError,
)
from oddsschema.errors.scrapes import (
    AmbiguousEventError,
    BatchEndedError,
    BatchNotFoundError,
    ChunkError,
    EventNotFoundError,
    MarketNotFoundError,
    RunEndedError,
    UncertainCommitError,
)

__all__ = [
    "AdoptionError",
    "AdoptionTimeZoneError",
    "AmbiguousEventError",
    "BatchEndedError",
    "BatchNotFoundError",
    "CheckViolationError",
    "ChunkError",
    "ClusterError",
    "ComparisonError",
    "DatabaseURLError",
    "DatabaseUnavailableError",
    "EmbeddedPostgresError",
    "EmbeddedPostgresMissingError",
    "EventNotFoundError",
    "ExportError",
    "ForeignTablesError",
    "LockTimeoutError",
    "MarketNotFoundError",
    "MigrationDeadlockError",
    "MigrationError",
    "MigrationRunningError",
    "MissingExtraError",
    "MissingSchemaError",
    "NewerDatabaseError",
    "NotMigratedError",
    "OddsSchemaError",
    "OtherProjectError",
    "PlotError",
    "PooledSessionError",
    "ReadOnlyDatabaseError",
    "RunEndedError",
    "SequenceError",
    "SharedSchemaError",
    "SplitTablesError",
    "StatementTimeoutError",
    "TransactionError",
    "UncertainCommitError",
    "UnknownRevisionError",
    "UnsupportedDriverError",
    "UnversionedDatabaseError",
    "WorkerNodeError",
]
