"""The reports of an ingestion: typed, for programs; `str()` of each part is for people."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from oddsschema.contracts.scalars import ScrapeStatus

#: The number of refusals that a report lists, of each run. All are counted.
REFUSALS_KEPT = 1000


class Problem(BaseModel):
    """A single problem of a capture."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    path: str = Field(description="JSON path of the problem: '$.markets[3].outcomes[0].odds'.")
    reason: str = Field(description="Description of the problem.")

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class Refusal(BaseModel):
    """A capture that was not stored, or some of its markets, with the reasons."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    file: str = Field(description="The file, '-' for standard input, 'captures' from Python.")
    line: int = Field(description="1-based line number, or position in the iterable.")
    markets: int | None = Field(
        description="Number of refused markets, if the rest of the capture was stored. "
        "None if the whole capture was refused."
    )
    problems: tuple[Problem, ...] = Field(description="All problems that were found.")
    capture: Any = Field(
        default=None,
        exclude=True,
        repr=False,
        description="The refused input, verbatim: text that is not JSON, or the capture. If the "
        "rest of the capture was stored: the capture with its refused markets only. Only "
        "`on_refusal` receives it.",
    )

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: " + "; ".join(map(str, self.problems))


class IngestCounts(BaseModel):
    """Counts of captures and markets, of a run or of a batch."""

    model_config = ConfigDict(
        frozen=True, defer_build=True, json_schema_serialization_defaults_required=True
    )

    captures_stored: int = Field(description="Captures that were new and are stored.")
    captures_confirmed: int = Field(description="Stored captures in which no price had changed.")
    captures_known: int = Field(description="Captures that an earlier delivery had stored.")
    captures_refused: int = Field(
        description="Captures that were refused as a whole, because they are invalid."
    )
    captures_lost: int = Field(
        description="Valid captures that were not stored, because the run failed."
    )
    markets_stored: int = Field(description="Rows of markets that were written.")
    markets_refused: int = Field(
        description="Invalid markets of captures that were stored without them."
    )
    markets_empty: int = Field(
        description="Markets without outcomes, which are not offered and were left out."
    )


class _RunIdentity(BaseModel):
    run_id: int = Field(description="Id of the run's row in scrape_runs.")
    platform: str | None = Field(description="None for captures that do not name their platform.")
    status: ScrapeStatus = Field(description="Status of the run.")


# pydantic takes the fields of the last base first.
class RunReport(IngestCounts, _RunIdentity):
    """The part of a batch that belongs to one platform."""

    error: str | None = Field(default=None, description="The error that ended the run.")


class IngestReport(BaseModel):
    """A batch, its runs and its refusals (at most the first 1,000 refusals of each run)."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    batch_id: int = Field(description="Id of the batch's row in scrape_batches.")
    status: ScrapeStatus = Field(description="Status of the batch.")
    runs: tuple[RunReport, ...] = Field(description="A run for each platform.")
    refusals: tuple[Refusal, ...] = Field(description="Captures and markets that were refused.")
    retries: int = Field(description="Number of retries after transient errors.")

    @property
    def total(self) -> IngestCounts:
        """The counts of all runs together."""
        names = IngestCounts.model_fields
        return IngestCounts(
            **{name: sum(getattr(run, name) for run in self.runs) for name in names}
        )

    @property
    def all_stored(self) -> bool:
        """Whether everything that was delivered is in the database."""
        total = self.total
        return not (total.captures_refused or total.captures_lost or total.markets_refused)


class ValidateReport(BaseModel):
    """The result of a validation that stores nothing."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    captures_valid: int = Field(description="Captures that are valid, at least in part.")
    captures_refused: int = Field(description="Captures that are invalid, as a whole or in part.")
    refusals: tuple[Refusal, ...] = Field(description="Captures and markets that are invalid.")


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """The progress of a batch, in counts since its start."""

    #: Captures that were validated, the refused ones included.
    captures: int
    #: Valid markets of these captures.
    markets: int
    #: Captures that were refused as a whole.
    refused: int
