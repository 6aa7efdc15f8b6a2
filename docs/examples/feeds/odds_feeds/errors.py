"""The errors of adapters, for a log with one line for each."""

from pydantic import ValidationError

from oddsschema import problems


def reason(error: Exception) -> str:
    """Describe an error in one line. A KeyError's own text is only the key."""
    if isinstance(error, ValidationError):
        return "; ".join(map(str, problems(error)))
    return repr(error)
