"""The decoding of JSON from PostgreSQL."""

import json
from typing import Any

from msgspec import DecodeError
from msgspec.json import decode


def decode_json(document: str) -> Any:
    """Decode a JSON document, in half of the time that Python's own decoder takes."""
    try:
        return decode(document)
    except (DecodeError, RecursionError):
        # A number beyond the range of floats, which JSONB stores.
        return json.loads(document)
