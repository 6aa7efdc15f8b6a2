"""What came of an ingestion: typed, for programs; `str()` of each part is for people."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from oddsschema.contracts.scalars import ScrapeStatus


class Problem(BaseModel):
    """One thing that is wrong with a capture."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    path: str = Field(description="Where, as a JSON path: '$.markets[3].outcomes[0].odds'.")
    reason: str = Field(description="What is wrong there.")

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class Refusal(BaseModel):
    """A capture, or some of its markets, that was not stored, and why."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    file: str = Field(description="The file, '-' for standard input, 'captures' from Python.")
    line: int = Field(description="The line, or how many-eth capture it was; from 1.")
    markets: int | None = Field(
        description="How many markets were refused, of a capture that was stored without them; "
        "None when the whole capture was."
    )
    problems: tuple[Problem, ...] = Field(description="All that is wrong with it.")
    capture: Any = Field(
        default=None,
        exclude=True,
        repr=False,
        description="What was refused, verbatim: text that is no JSON, or the capture; of one that "
        "was stored, with its refused markets alone. Only `on_refusal` gets to see it.",
    )

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: " + "; ".join(map(str, self.problems))


class RunReport(BaseModel):
    """One platform's part of a batch."""

    model_config = ConfigDict(
        frozen=True, defer_build=True, json_schema_serialization_defaults_required=True
    )

    run_id: int = Field(description="The run's row in scrape_runs.")
    platform: str | None = Field(description="None for captures that do not say whose they are.")
    status: ScrapeStatus = Field(description="How the run ended.")
    captures_stored: int = Field(description="How many captures were new, and are kept.")
    captures_confirmed: int = Field(
        description="How many of the stored found nothing changed, and are noted as that."
    )
    captures_known: int = Field(description="How many were delivered before, and stored then.")
    captures_refused: int = Field(description="How many broke the contract as a whole.")
    captures_lost: int = Field(
        description="How many were good, but not stored: the run was broken off."
    )
    markets_stored: int = Field(description="How many rows of markets were written.")
    markets_refused: int = Field(
        description="How many broke the contract, of captures that were stored without them."
    )
    error: str | None = Field(default=None, description="What broke the run off.")


class IngestReport(BaseModel):
    """A batch, its runs, and what was refused (of very many refusals, the first of each run)."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    batch_id: int = Field(description="The batch's row in scrape_batches.")
    status: ScrapeStatus = Field(description="Where the batch stands.")
    runs: tuple[RunReport, ...] = Field(description="A run for each platform.")
    refusals: tuple[Refusal, ...] = Field(description="What was not stored, and why.")
    retries: int = Field(description="How often something failed for a passing reason.")

    @property
    def captures_stored(self) -> int:
        """Captures that were new, and are kept."""
        return sum(run.captures_stored for run in self.runs)

    @property
    def captures_confirmed(self) -> int:
        """Captures that were stored, and found nothing changed since the last one."""
        return sum(run.captures_confirmed for run in self.runs)

    @property
    def captures_known(self) -> int:
        """Captures that had been stored before."""
        return sum(run.captures_known for run in self.runs)

    @property
    def captures_refused(self) -> int:
        """Captures that broke the contract as a whole."""
        return sum(run.captures_refused for run in self.runs)

    @property
    def captures_lost(self) -> int:
        """Captures that were good, of runs that were broken off."""
        return sum(run.captures_lost for run in self.runs)

    @property
    def markets_stored(self) -> int:
        """Rows of markets that this ingestion wrote."""
        return sum(run.markets_stored for run in self.runs)

    @property
    def markets_refused(self) -> int:
        """Markets that broke the contract, of captures that were stored without them."""
        return sum(run.markets_refused for run in self.runs)

    @property
    def all_stored(self) -> bool:
        """Whether everything that was delivered is in the database."""
        return not (self.captures_refused or self.captures_lost or self.markets_refused)
