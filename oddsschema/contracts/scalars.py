"""The scalars of the schema: each with its unit, and the only place where its bounds stand.

A column's SQL type follows from the scalar (`oddsschema.contracts.columns.column_type`): text of
at most n characters is VARCHAR(n), a time is TIMESTAMPTZ, a float is float8. All text is trimmed,
holds neither NUL nor lone surrogates (PostgreSQL stores neither), and is counted in characters.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, JsonValue
from pydantic import StringConstraints as _Text
from pydantic_core import PydanticCustomError
from sqlalchemy import ARRAY, BigInteger, DateTime, Enum, Integer
from sqlalchemy.dialects.postgresql import JSONB

from oddsschema.contracts import json_schema as accepts
from oddsschema.contracts.countries import ALPHA3, ALPHA3_OF_ALPHA2
from oddsschema.contracts.json_schema import WHITE_SPACE as WHITE_SPACE
from oddsschema.contracts.json_schema import Accepts

#: What every text must match: PostgreSQL's text and JSONB cannot hold the character NUL.
NO_NUL = r"^[^\x00]*$"

#: The greatest number that is not infinite to Python and to float8; exactly.
FLOAT_MAX = int(sys.float_info.max)


@dataclass(frozen=True, slots=True)
class Keeps(AfterValidator):
    """A validator that also says in SQL what it leaves: `{}` stands for the column."""

    condition: str


class ScrapeStatus(StrEnum):
    """Where a batch or a run stands."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    #: Some platforms of the batch, or some captures of the run, did not make it.
    PARTIAL = "partial"
    FAILED = "failed"
    CONNECTION_FAILED = "connection_failed"


class CompetitorSource(StrEnum):
    """The competitors known today. A column `source` takes any slug: a new one needs no release."""

    SPORTYBET = "sportybet"
    BET9JA = "bet9ja"


class HandicapType(StrEnum):
    """How a handicap market is settled."""

    #: Whole goals, three ways: the draw after the handicap is an outcome.
    EUROPEAN = "european"
    #: Quarter goals, two ways: stakes are returned in part or whole.
    ASIAN = "asian"


def no_bool(value: Any) -> Any:
    """Refuse True and False, which pydantic takes for 1 and 0: the feed meant something else."""
    if value is True or value is False:
        raise PydanticCustomError("number_type", "Input should be a number, not a boolean")
    return value


def _no_timestamp(value: Any) -> Any:
    # pydantic takes numbers, as text too, for seconds or for milliseconds, whichever seems nearer.
    if not isinstance(value, datetime) and not (isinstance(value, str) and ":" in value):
        raise PydanticCustomError(
            "time_type", "Input should be a time with an offset, as in 2024-01-09T12:00:00Z"
        )
    return value


def _to_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _in_order(values: tuple[datetime, ...]) -> tuple[datetime, ...]:
    return tuple(sorted(values))


def _alpha3(value: str) -> str:
    code = value.upper()
    code = ALPHA3_OF_ALPHA2.get(code, code)
    # Some letters' capitals are ASCII, and they are not: "ﬁn".
    if code not in ALPHA3 or not value.isascii():
        raise PydanticCustomError(
            "country_iso",
            "Input should be an ISO 3166-1 alpha-3 or alpha-2 country code",
        )
    return code


def _walk(value: JsonValue) -> Iterator[JsonValue]:
    stack = [value]
    while stack:
        item = stack.pop()
        yield item
        if isinstance(item, dict):
            stack.extend(item)
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _storable(value: JsonValue) -> JsonValue:
    for item in _walk(value):
        if isinstance(item, str):
            if "\0" in item:
                raise PydanticCustomError("json_nul", "JSON text must not contain NUL (\\u0000)")
            if not item.isascii() and any("\ud800" <= char <= "\udfff" for char in item):
                raise PydanticCustomError("json_surrogate", "JSON text must not contain surrogates")
        elif isinstance(item, int | float) and not abs(item) <= FLOAT_MAX:
            raise PydanticCustomError("json_number", "JSON numbers must be finite, as float64")
    return value


def _varchar_of(enum: type[StrEnum], length: int) -> Enum:
    """The values of an enumeration in a VARCHAR: PostgreSQL's own enums cannot lose a label."""
    return Enum(
        enum,
        native_enum=False,
        create_constraint=False,
        length=length,
        values_callable=lambda members: [member.value for member in members],
    )


# -- text ------------------------------------------------------------------------------------------

_TEXT = Accepts(accepts.text)

#: Text of a NOT NULL column: 1 to n characters.
Name50 = Annotated[
    str, _Text(strip_whitespace=True, min_length=1, max_length=50, pattern=NO_NUL), _TEXT
]
Name100 = Annotated[
    str, _Text(strip_whitespace=True, min_length=1, max_length=100, pattern=NO_NUL), _TEXT
]
Name255 = Annotated[
    str, _Text(strip_whitespace=True, min_length=1, max_length=255, pattern=NO_NUL), _TEXT
]
Name500 = Annotated[
    str, _Text(strip_whitespace=True, min_length=1, max_length=500, pattern=NO_NUL), _TEXT
]
Message = Annotated[str, _Text(strip_whitespace=True, min_length=1, pattern=NO_NUL), _TEXT]

#: Text of a column that may be NULL: 0 to n characters.
Text50 = Annotated[str, _Text(strip_whitespace=True, max_length=50, pattern=NO_NUL), _TEXT]
Text100 = Annotated[str, _Text(strip_whitespace=True, max_length=100, pattern=NO_NUL), _TEXT]
Text500 = Annotated[str, _Text(strip_whitespace=True, max_length=500, pattern=NO_NUL), _TEXT]
Text1000 = Annotated[str, _Text(strip_whitespace=True, max_length=1000, pattern=NO_NUL), _TEXT]
Notes = Annotated[str, _Text(strip_whitespace=True, pattern=NO_NUL), _TEXT]

#: The short name of a platform: "bet9ja". Lower case, digits, "_" and "-", at most 20 characters.
Slug = Annotated[
    str,
    _Text(strip_whitespace=True, max_length=20, pattern=r"^[a-z0-9][a-z0-9_-]{0,19}$"),
    Accepts(accepts.slug),
]

#: ISO 3166-1 alpha-3 ("CHE"); alpha-2 and lower case are accepted and converted.
CountryIso = Annotated[
    str,
    _Text(strip_whitespace=True, min_length=2, max_length=3),
    Accepts(accepts.country),
    Keeps(_alpha3, f"{{}} IN ({', '.join(repr(code) for code in sorted(ALPHA3))})"),
]

Status = Annotated[ScrapeStatus, _varchar_of(ScrapeStatus, 20)]
Handicap = Annotated[HandicapType, _varchar_of(HandicapType, 50)]

# A validator that runs before the bounds stands behind them: the other way round they would be
# checked in Python.

# -- numbers ---------------------------------------------------------------------------------------

#: What PostgreSQL's INTEGER and BIGINT hold.
Int4 = Annotated[
    int,
    Field(ge=-(2**31), le=2**31 - 1),
    BeforeValidator(no_bool),
    Accepts(accepts.integer),
    Integer(),
]
Int8 = Annotated[
    int,
    Field(ge=-(2**63), le=2**63 - 1),
    BeforeValidator(no_bool),
    Accepts(accepts.integer),
    BigInteger(),
]

#: How many: not negative.
Count = Annotated[
    int, Field(ge=0, le=2**31 - 1), BeforeValidator(no_bool), Accepts(accepts.integer), Integer()
]

#: Decimal odds: what one unit staked returns, stake included. Real feeds do list 1.0.
Odds = Annotated[
    float, Field(ge=1.0, allow_inf_nan=False), BeforeValidator(no_bool), Accepts(accepts.number)
]

#: A total or a handicap, in goals (points, games, ... in other sports).
Line = Annotated[
    float, Field(allow_inf_nan=False), BeforeValidator(no_bool), Accepts(accepts.number)
]

#: True or false.
Flag = Annotated[bool, Accepts(accepts.flag)]

# -- times and documents ---------------------------------------------------------------------------

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_END = datetime(2201, 1, 1, tzinfo=UTC)

#: An instant: naive times and numbers are refused, others converted to UTC. The years 1970 to 2200.
UtcTime = Annotated[
    datetime,
    AwareDatetime,
    Field(ge=_FIRST, lt=_END),
    BeforeValidator(_no_timestamp),
    Accepts(accepts.time),
    AfterValidator(_to_utc),
]

#: Instants, the earliest first.
Instants = Annotated[
    tuple[UtcTime, ...],
    Keeps(
        _in_order,
        "array_position({}, NULL) IS NULL "
        f"AND '{_FIRST}' <= ALL ({{}}) AND '{_END}' > ALL ({{}})",
    ),
    ARRAY(DateTime(timezone=True), as_tuple=True),
]

#: Any JSON value that JSONB can hold and Python read; None is SQL's NULL.
Json = Annotated[
    JsonValue,
    Accepts(accepts.document),
    Keeps(
        _storable,
        f"NOT jsonb_path_exists({{}}, 'strict $.** ? (@ < -{FLOAT_MAX} || @ > {FLOAT_MAX})')",
    ),
    JSONB(none_as_null=True),
]
