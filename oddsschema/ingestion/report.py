"""The reports of an ingestion: typed, for programs; `str()` of each part is for people."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from oddsschema.contracts.scalars import ScrapeStatus

#: The number of refusals, and of doubts, that are listed of a run: in its report, in scrape_errors,
#: and in the output of a program. All are counted.
MOST_LISTED = 1000

#: The number of problems in the text of a refusal.
_PROBLEMS_SHOWN = 10

#: The longest texts of a problem, in characters: a line can hold megabytes of nonsense.
_LONGEST_PATH = 200
_LONGEST_REASON = 300

#: The longest error of a run or of a fetch, in characters: the database's messages can quote rows.
LONGEST_ERROR = 2000


def shortened(text: str, length: int) -> str:
    """Cut a text to a length in characters; a cut text ends with "…"."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


class Problem(BaseModel):
    """A single problem of a capture, in texts of bounded length."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    path: Annotated[str, AfterValidator(lambda text: shortened(text, _LONGEST_PATH))] = Field(
        description="JSON path of the problem: '$.markets[3].outcomes[0].odds'."
    )
    reason: Annotated[str, AfterValidator(lambda text: shortened(text, _LONGEST_REASON))] = Field(
        description="Description of the problem."
    )

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
        shown = [*map(str, self.problems[:_PROBLEMS_SHOWN])]
        if more := len(self.problems) - len(shown):
            shown.append(f"and {more:,} more problems")
        return f"{self.file}:{self.line}: " + "; ".join(shown)


class FetchFailure(BaseModel):
    """An event that a scraper could not fetch, or not read: `Run.failed` reports it."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    error: Annotated[str, AfterValidator(lambda text: shortened(text, LONGEST_ERROR))] = Field(
        description="The error, for people."
    )
    sportradar_id: str | None = Field(default=None, description="SportRadar's id of the event.")
    external_id: str | None = Field(default=None, description="The platform's own id of the event.")

    def __str__(self) -> str:
        ids = {"SportRadar id": self.sportradar_id, "external id": self.external_id}
        named = ", ".join(f"{name} {value}" for name, value in ids.items() if value is not None)
        return f"{named}: {self.error}" if named else self.error


class Doubt(BaseModel):
    """A reason why a capture is most likely wrong, although it was accepted."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    file: str = Field(description="The file, '-' for standard input, 'captures' from Python.")
    line: int = Field(description="1-based line number, or position in the iterable.")
    problem: Problem = Field(description="The doubtful value and the reason for the doubt.")

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.problem}"


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
    captures_failed: int = Field(
        description="Captures that were never made: the scraper could not fetch the event."
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
    events_new: int = Field(description="Events that a stored capture was the first of.")
    events_updated: int = Field(
        description="Other events of which a capture changed names, teams, kickoff, tournament or "
        "SportRadar id."
    )
    events_unchanged: int = Field(description="All other events of the captures.")
    events_linked: int = Field(
        description="Competitors' events that were linked to a reference event."
    )
    doubts: int = Field(description="Doubts about captures that were accepted.")


class _RunIdentity(BaseModel):
    run_id: int = Field(description="Id of the run's row in scrape_runs.")
    platform: str | None = Field(description="None for captures that do not name their platform.")
    status: ScrapeStatus = Field(description="Status of the run.")


# pydantic takes the fields of the last base first.
class RunReport(IngestCounts, _RunIdentity):
    """The part of a batch that belongs to one platform."""

    error: str | None = Field(default=None, description="The error that ended the run.")


class IngestReport(BaseModel):
    """A batch, its runs, refusals and doubts (at most the first 1,000 of each, for each run)."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    batch_id: int = Field(description="Id of the batch's row in scrape_batches.")
    status: ScrapeStatus = Field(description="Status of the batch.")
    runs: tuple[RunReport, ...] = Field(description="A run for each platform.")
    refusals: tuple[Refusal, ...] = Field(description="Captures and markets that were refused.")
    doubts: tuple[Doubt, ...] = Field(
        description="Reasons why stored captures are most likely wrong. They refuse nothing."
    )
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
    """The result of a validation that stores nothing, with its first 1,000 refusals and doubts.

    The counts have the meaning that they have in `IngestCounts`: a capture of which only markets
    are refused is valid, and the markets of a capture that is refused as a whole are not counted.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    captures_valid: int = Field(
        description="Captures that are valid, some of them without their refused markets."
    )
    captures_refused: int = Field(description="Captures that are refused as a whole.")
    markets_valid: int = Field(description="Valid markets of the valid captures.")
    markets_refused: int = Field(description="Refused markets of the valid captures.")
    doubts_found: int = Field(description="Doubts about the valid captures.")
    refusals: tuple[Refusal, ...] = Field(description="Captures and markets that are refused.")
    doubts: tuple[Doubt, ...] = Field(
        description="Reasons why valid captures are most likely wrong."
    )

    @property
    def all_valid(self) -> bool:
        """Whether nothing is refused."""
        return not (self.captures_refused or self.markets_refused)


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """The progress of a batch, in counts since its start."""

    #: Captures that were validated, the refused ones included.
    captures: int
    #: Valid markets of these captures.
    markets: int
    #: Captures that were refused as a whole.
    refused: int
    #: Captures that were never made: `Run.failed`.
    failed: int
