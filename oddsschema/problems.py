"""What a contract refused, in the words that ingestion has for it."""

from pydantic import ValidationError

from oddsschema.ingest import Problem
from oddsschema.ingest.closely import _problems
from oddsschema.ingest.limits import DEFAULT_LIMITS


def problems(error: ValidationError) -> list[Problem]:
    """All that a contract found wrong: a JSON path and a reason each, as `ingest` tells them.

    The path begins at what was validated, "$": an `Outcome` has "$.odds", a `Capture`
    "$.markets[0].outcomes[1].odds". `str()` of a problem is a line for people.

        try:
            market = Market(**scraped)
        except ValidationError as error:
            log.warning("left out: %s", "; ".join(map(str, problems(error))))
    """
    return _problems(error, DEFAULT_LIMITS)
