"""The report of an adoption: typed, for programs; `str()` of each part is for people."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from oddsschema.ingestion import IngestReport, Refusal


class TableCounts(BaseModel):
    """The rows of a table of the source. The other counts add up to those of the source."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    name: str = Field(description="The name of the table.")
    source: int = Field(description="Rows in the source.")
    stored: int = Field(description="Rows that are stored, and were read back.")
    merged: int = Field(
        description="Rows that became one with another row: two snapshots of an event (and "
        "bookmaker) at one instant, and rows whose ids are the same in their stored form."
    )
    refused: int = Field(description="Rows that were refused.")
    left: int = Field(
        description="Rows that have no place: events without odds, markets without outcomes or "
        "without a snapshot."
    )
    missing: int = Field(description="Rows that are not stored, or were read back differently.")

    def __str__(self) -> str:
        counts = ("stored", "merged", "refused", "left", "missing")
        parts = [f"{count:,} {name}" for name in counts if (count := getattr(self, name))]
        return f"{self.name}: {self.source:,} rows" + "".join(f", {part}" for part in parts)


class ColumnLeft(BaseModel):
    """A column of the source with values that are left."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    table: str = Field(description="The name of the table.")
    name: str = Field(description="The name of the column.")
    values: int = Field(description="Rows whose value is left.")

    def __str__(self) -> str:
        return f"{self.table}.{self.name}: {self.values:,} values"


class Different(BaseModel):
    """A snapshot of the source that is not stored, or was read back differently."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    table: str = Field(description="The name of the table.")
    id: int = Field(description="The id of the snapshot in the source.")
    reason: str = Field(description="Description of the difference.")

    def __str__(self) -> str:
        return f"{self.table}:{self.id}: {self.reason}"


class AdoptReport(BaseModel):
    """An adoption: its counts, and the proof that everything was read back equal."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    source: str = Field(description="The database and the schema that were read: 'old.public'.")
    timezone: str | None = Field(
        description="The time zone of the source's times without a zone. None if each has one."
    )
    snapshots_new: int = Field(description="Snapshots that this adoption stored.")
    snapshots_known: int = Field(
        description="Snapshots that were stored before, by an adoption or a scraper."
    )
    ingestion: IngestReport = Field(description="The ingestion of the captures.")
    tables: tuple[TableCounts, ...] = Field(description="The rows of each table of the source.")
    columns_left: tuple[ColumnLeft, ...] = Field(
        description="Columns of the source that oddsschema does not have, and `betpawa_event_id` "
        "where it matches events with different SportRadar ids."
    )
    outcome_keys_left: int = Field(
        description="Keys of outcomes that oddsschema does not have, such as ids and probabilities."
    )
    refusals: tuple[Refusal, ...] = Field(
        description="Batches, runs and errors that were refused, the first 1,000. The refused "
        "snapshots and markets are those of the ingestion."
    )
    different: tuple[Different, ...] = Field(
        description="Snapshots that were not read back equal, the first 1,000."
    )

    @property
    def all_equal(self) -> bool:
        """Whether everything that was accepted was read back equal."""
        return not any(table.missing for table in self.tables)

    @property
    def all_stored(self) -> bool:
        """Whether nothing was refused, and everything was read back equal."""
        return self.all_equal and not any(table.refused for table in self.tables)


@dataclass(frozen=True, slots=True)
class AdoptProgress:
    """The progress of a step of an adoption, in snapshots of the source."""

    #: The step: "captures" or "proof".
    step: str
    done: int
    total: int
