"""The messages of ingestion: from pydantic's errors to a JSON path and a reason each."""

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from oddsschema.contracts.scalars import NO_NUL
from oddsschema.ingestion.limits import DEFAULT_LIMITS, Limits
from oddsschema.ingestion.report import Problem

#: The subject of the limit on depth.
LEVELS = "arrays and objects inside one another"


def json_problem(error: ValueError, limits: Limits) -> Problem:
    """Describe why a text is no JSON. In the first line, the position is the column alone."""
    message, _, position = str(error).rpartition(" at ")
    position = position.removeprefix("line 1 ")
    if message == "recursion limit exceeded":
        return Problem(path="$", reason=limits.exceeded("depth", f"{LEVELS} at {position}"))
    return Problem(
        path="$", reason=f"Invalid JSON: {message} at {position}" if message else str(error)
    )


def problems(error: ValidationError) -> list[Problem]:
    """List the problems that a contract found: a JSON path and a reason each, as `ingest` reports.

    The path begins at the validated value, "$": an `Outcome` has "$.odds", a `Capture`
    "$.markets[0].outcomes[1].odds". `str()` of a problem is a line for people.

        try:
            market = Market(**scraped)
        except ValidationError as error:
            log.warning("left out: %s", "; ".join(map(str, problems(error))))
    """
    return problems_of_error(error, DEFAULT_LIMITS)


def problems_of_error(error: Exception, limits: Limits, *place: str | int) -> list[Problem]:
    """List the problems of an error, which pydantic or a limit raised."""
    if not isinstance(error, ValidationError):
        return [Problem(path=json_path(place), reason=str(error))]
    errors = error.errors(include_url=False, include_input=False)
    return [_problem(details, limits, place) for details in errors]


def _problem(details: ErrorDetails, limits: Limits, place: tuple[str | int, ...]) -> Problem:
    reason = details["msg"].removeprefix("Value error, ")
    if details.get("ctx", {}).get("pattern") == NO_NUL:
        reason = "Text must not contain NUL (\\u0000), which PostgreSQL cannot store"
    if details["type"] == "recursion_depth_exceeded":
        reason = limits.exceeded("depth", LEVELS)
    return Problem(path=json_path((*place, *details["loc"])), reason=reason)


def json_path(place: tuple[str | int, ...]) -> str:
    """Write a place as a JSON path that can be printed, whatever its keys hold."""
    if place[:1] == ("raw_response",):
        place = place[:1] + place[2::2][:20]  # pydantic names the type of each container as well
    return "$" + "".join(map(_step, place))


def _step(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    shown = f"{part[:100]}…" if len(part) > 100 else part
    return f".{shown}" if part.isidentifier() else f"[{shown!r}]"
