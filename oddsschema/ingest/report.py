"""What came of an ingestion: typed, for programs; `str()` of each part is for people."""

from pydantic import BaseModel, ConfigDict, Field

from oddsschema.types import ScrapeStatus


class Problem(BaseModel):
    """One thing that is wrong with a capture."""

    model_config = ConfigDict(frozen=True)

    path: str = Field(description="Where, as a JSON path: '$.markets[3].outcomes[0].odds'.")
    reason: str = Field(description="What is wrong there.")

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class Refusal(BaseModel):
    """A capture that was not stored, and why."""

    model_config = ConfigDict(frozen=True)

    file: str = Field(description="The file, '-' for standard input, 'captures' from Python.")
    line: int = Field(description="The line, or how many-eth capture it was; from 1.")
    problems: tuple[Problem, ...]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: " + "; ".join(map(str, self.problems))


class RunReport(BaseModel):
    """One platform's part of a batch."""

    model_config = ConfigDict(frozen=True)

    run_id: int
    platform: str | None = Field(description="None for captures that do not say whose they are.")
    status: ScrapeStatus
    captures_stored: int
    captures_known: int = Field(description="Delivered before, and stored then.")
    captures_refused: int
    markets_stored: int
    error: str | None = Field(default=None, description="What ended the run before its end.")


class IngestReport(BaseModel):
    """A batch: its runs, and every refusal in the order of the input."""

    model_config = ConfigDict(frozen=True)

    batch_id: int
    status: ScrapeStatus
    runs: tuple[RunReport, ...]
    refusals: tuple[Refusal, ...]

    @property
    def captures_stored(self) -> int:
        """Captures whose snapshot this ingestion wrote."""
        return sum(run.captures_stored for run in self.runs)

    @property
    def captures_known(self) -> int:
        """Captures that had been stored before."""
        return sum(run.captures_known for run in self.runs)

    @property
    def captures_refused(self) -> int:
        """Captures that broke the contract."""
        return len(self.refusals)

    @property
    def markets_stored(self) -> int:
        """Markets that this ingestion wrote."""
        return sum(run.markets_stored for run in self.runs)
