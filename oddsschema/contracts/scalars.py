"""The scalars of the schema, with their units: the only declaration of each bound.

A column's SQL type derives from the scalar (`oddsschema.contracts.columns.column_type`): text of at
most n characters is VARCHAR(n), a time is TIMESTAMPTZ, a float is float8. All text is trimmed, and
its length is counted in characters. It has no NUL and no lone surrogates, because PostgreSQL cannot
store them.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, JsonValue
from pydantic import StringConstraints as _Text
from pydantic_core import PydanticCustomError
from sqlalchemy import ARRAY, BigInteger, DateTime, Enum, Integer
from sqlalchemy.dialects.postgresql import JSONB

from oddsschema.contracts import json_schema
from oddsschema.contracts.countries import ALPHA3, ALPHA3_OF_ALPHA2
from oddsschema.contracts.json_schema import WHITE_SPACE as WHITE_SPACE
from oddsschema.contracts.json_schema import ScalarJsonSchema
from oddsschema.contracts.odds_formats import as_number, other_format

#: The pattern of every text: PostgreSQL's text and JSONB cannot store the character NUL.
NO_NUL = r"^[^\x00]*$"

#: The largest finite number of Python and of float8, exactly.
FLOAT_MAX = int(sys.float_info.max)


@dataclass(frozen=True, slots=True)
class ValidatorWithCheck(AfterValidator):
    """A validator together with the SQL condition of the CHECK that its results fulfil."""

    #: The SQL condition, with `{}` in the place of the column's name.
    condition: str


class ScrapeStatus(StrEnum):
    """The status of a batch or a run."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    #: Some platforms of the batch, or some captures of the run, failed.
    PARTIAL = "partial"
    FAILED = "failed"
    CONNECTION_FAILED = "connection_failed"

    @property
    def is_open(self) -> bool:
        """Whether the batch or run has not ended."""
        return self in (ScrapeStatus.PENDING, ScrapeStatus.RUNNING)


#: The statuses of a batch or run that has not ended, as a list in SQL.
OPEN_STATUSES = "({})".format(", ".join(f"'{each}'" for each in ScrapeStatus if each.is_open))


class CompetitorSource(StrEnum):
    """The known competitors. A column `source` accepts any slug: a new one needs no release."""

    SPORTYBET = "sportybet"
    BET9JA = "bet9ja"


class HandicapType(StrEnum):
    """The kind of a handicap: it decides how the market is settled."""

    #: Whole goals, three outcomes: the draw after the handicap is an outcome.
    EUROPEAN = "european"
    #: Quarter goals, two outcomes: stakes can be returned in part or in whole.
    ASIAN = "asian"


def refuse_boolean(value: Any) -> Any:
    """Refuse True and False, which pydantic would convert to 1 and 0."""
    if value is True or value is False:
        raise PydanticCustomError("number_type", "Input should be a number, not a boolean")
    return value


def write_integer(value: Any) -> Any:
    """Write an integer as text: some feeds send their ids as numbers. Others are left as is."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1:
        return str(int(value))
    return value


def blank_to_none(value: Any) -> Any:
    """Replace blank text with None."""
    return None if isinstance(value, str) and not value.strip() else value


def without_urn(prefix: str) -> Callable[[str], str]:
    """Build the conversion of a SportRadar id from a URN with this prefix to its number."""

    def convert(value: str) -> str:
        number = value.removeprefix(prefix)
        return number if number.isascii() and number.isdigit() else value

    return convert


def sort_specifiers(value: str) -> str:
    """Sort specifiers, `name=value|name=value`, by name.

    Raises ValueError if one has no name or no value, or if a name is repeated.
    """
    return write_specifiers(read_specifiers(value))


def write_specifiers(values: Mapping[str, str]) -> str:
    """Write specifiers, sorted by name."""
    return "|".join(f"{name}={values[name]}" for name in sorted(values))


def read_specifiers(text: str) -> dict[str, str]:
    """Split specifiers, `name=value|name=value`, into names and values.

    Raises ValueError as `sort_specifiers`.
    """
    values: dict[str, str] = {}
    for specifier in text.split("|"):
        name, _, of_name = (part.strip() for part in specifier.partition("="))
        if not (name and of_name):
            raise PydanticCustomError(
                "specifiers", "Specifiers should be written as 'minute=15|player=sr:player:38004'"
            )
        if name in values:
            raise PydanticCustomError(
                "specifiers_equal",
                "Specifiers must differ: {name} is given twice",
                {"name": repr(name)},
            )
        values[name] = of_name
    return values


def refuse_other_numerals(value: Any) -> Any:
    """Refuse booleans and text with underscores, which pydantic would convert to numbers."""
    refuse_boolean(value)
    if (isinstance(value, str) and "_" in value) or (isinstance(value, bytes) and b"_" in value):
        raise PydanticCustomError("number_text", "Input should be a number without underscores")
    return value


def refuse_odds_below(least: float) -> Callable[[Any], Any]:
    """Build the validator that refuses lesser odds, and odds of other formats than decimal.

    Its error has the decimal value, if the format is known.
    """

    def refuse(value: Any) -> Any:
        if type(value) is float and value >= least:
            return value  # nearly always
        refuse_other_numerals(value)
        number = as_number(value)
        if (number is None or number < least) and (reason := other_format(value)) is not None:
            raise PydanticCustomError("decimal_odds", "{reason}", {"reason": reason})
        return value

    return refuse


def refuse_timestamp(value: Any) -> Any:
    """Refuse numbers in the place of times, as text too.

    Pydantic would guess from their size whether they are seconds or milliseconds.
    """
    if isinstance(value, datetime) or (isinstance(value, str) and ":" in value):
        return value
    wanted = "Input should be a time with an offset, as in 2024-01-09T12:00:00Z"
    unit = epoch_unit(value)
    if unit is None:
        raise PydanticCustomError("time_type", wanted)
    raise PydanticCustomError(
        "time_type", f"{wanted}; the number looks like epoch {{unit}}", {"unit": unit}
    )


def epoch_unit(value: Any) -> str | None:
    """Guess the unit of a number that counts from 1970: seconds or milliseconds of a recent time.

    The latest time is that of `UtcTime`. Returns None for other numbers and other values.
    """
    number = as_number(value)
    if number is None:
        return None
    for unit, per_second in EPOCH_UNITS.items():
        if _LEAST_EPOCH <= number / per_second < END.timestamp():
            return unit
    return None


def to_utc(value: datetime) -> datetime:
    """Convert an aware time to UTC."""
    return value.astimezone(UTC)


def sort_instants(values: tuple[datetime, ...]) -> tuple[datetime, ...]:
    """Sort instants, the earliest first."""
    return tuple(sorted(values))


def to_alpha3(value: str) -> str:
    """Convert a country code of ISO 3166-1, in upper or lower case, to alpha-3."""
    code = value.upper()
    code = ALPHA3_OF_ALPHA2.get(code, code)
    # The upper case of some other letters is ASCII: "ﬁn".
    if code not in ALPHA3 or not value.isascii():
        raise PydanticCustomError(
            "country_iso",
            "Input should be an ISO 3166-1 alpha-3 or alpha-2 country code",
        )
    return code


def walk_json(value: JsonValue) -> Iterator[JsonValue]:
    """Yield a JSON value and all values and keys inside it."""
    stack = [value]
    while stack:
        item = stack.pop()
        yield item
        if isinstance(item, dict):
            stack.extend(item)
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def refuse_unstorable(value: JsonValue) -> JsonValue:
    """Refuse JSON that JSONB cannot store or Python cannot read back as finite numbers."""
    for item in walk_json(value):
        if isinstance(item, str):
            if "\0" in item:
                raise PydanticCustomError("json_nul", "JSON text must not contain NUL (\\u0000)")
            if not item.isascii() and any("\ud800" <= char <= "\udfff" for char in item):
                raise PydanticCustomError("json_surrogate", "JSON text must not contain surrogates")
        elif isinstance(item, int | float) and not abs(item) <= FLOAT_MAX:
            raise PydanticCustomError("json_number", "JSON numbers must be finite, as float64")
    return value


def varchar_enum(enum: type[StrEnum], length: int) -> Enum:
    """Build the SQL type of an enumeration: VARCHAR, as a PostgreSQL enum cannot lose a value."""
    return Enum(
        enum,
        native_enum=False,
        create_constraint=False,
        length=length,
        values_callable=lambda members: [member.value for member in members],
    )


# -- text ------------------------------------------------------------------------------------------

_TEXT = ScalarJsonSchema(json_schema.text)

#: The text of a NOT NULL column: 1 to n characters.
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

#: The text of a column that may be NULL: 0 to n characters.
Text50 = Annotated[str, _Text(strip_whitespace=True, max_length=50, pattern=NO_NUL), _TEXT]
Text100 = Annotated[str, _Text(strip_whitespace=True, max_length=100, pattern=NO_NUL), _TEXT]
Text255 = Annotated[str, _Text(strip_whitespace=True, max_length=255, pattern=NO_NUL), _TEXT]
Text500 = Annotated[str, _Text(strip_whitespace=True, max_length=500, pattern=NO_NUL), _TEXT]
Text1000 = Annotated[str, _Text(strip_whitespace=True, max_length=1000, pattern=NO_NUL), _TEXT]
Notes = Annotated[str, _Text(strip_whitespace=True, pattern=NO_NUL), _TEXT]

#: An id of a bookmaker: text. An integer is taken, and written as text.
Id50 = Annotated[
    str,
    _Text(strip_whitespace=True, min_length=1, max_length=50, pattern=NO_NUL),
    BeforeValidator(write_integer),
    ScalarJsonSchema(json_schema.identifier),
]
Id100 = Annotated[
    str,
    _Text(strip_whitespace=True, min_length=1, max_length=100, pattern=NO_NUL),
    BeforeValidator(write_integer),
    ScalarJsonSchema(json_schema.identifier),
]

#: SportRadar's id of an event. `sr:match:66457014` is converted to `66457014`; other ids, such as
#: `sr:stage:5` and `vf:match:7`, stay whole.
SportradarEventId = Annotated[Id100, AfterValidator(without_urn("sr:match:"))]

#: SportRadar's id of a tournament. `sr:tournament:17` is converted to `17`.
SportradarTournamentId = Annotated[Id100, AfterValidator(without_urn("sr:tournament:"))]

#: The distinction of a market besides its id and its line, in SportRadar's way of writing it:
#: `minute=15|player=sr:player:38004`, sorted by name. Blank text is None.
Specifiers = Annotated[
    Annotated[
        str,
        _Text(strip_whitespace=True, min_length=1, max_length=255, pattern=NO_NUL),
        ScalarJsonSchema(json_schema.specifiers),
        AfterValidator(sort_specifiers),
    ]
    | None,
    BeforeValidator(blank_to_none),
]

#: The short name of a platform: "bet9ja". Lower case, digits, "_" and "-", at most 20 characters.
Slug = Annotated[
    str,
    _Text(strip_whitespace=True, max_length=20, pattern=r"^[a-z0-9][a-z0-9_-]{0,19}$"),
    ScalarJsonSchema(json_schema.slug),
]

#: ISO 3166-1 alpha-3 ("CHE"); alpha-2 and lower case are accepted and converted.
CountryIso = Annotated[
    str,
    _Text(strip_whitespace=True, min_length=2, max_length=3),
    ScalarJsonSchema(json_schema.country),
    ValidatorWithCheck(to_alpha3, f"{{}} IN ({', '.join(repr(code) for code in sorted(ALPHA3))})"),
]

Status = Annotated[ScrapeStatus, varchar_enum(ScrapeStatus, 20)]
Handicap = Annotated[HandicapType, varchar_enum(HandicapType, 50)]

# A validator that runs before the bounds is listed after them. In the other order, pydantic would
# check the bounds in Python.

# -- numbers ---------------------------------------------------------------------------------------

#: The integers of PostgreSQL's INTEGER and BIGINT.
Int4 = Annotated[
    int,
    Field(ge=-(2**31), le=2**31 - 1),
    BeforeValidator(refuse_other_numerals),
    ScalarJsonSchema(json_schema.integer),
    Integer(),
]
Int8 = Annotated[
    int,
    Field(ge=-(2**63), le=2**63 - 1),
    BeforeValidator(refuse_other_numerals),
    ScalarJsonSchema(json_schema.integer),
    BigInteger(),
]

#: A count: not negative.
Count = Annotated[
    int,
    Field(ge=0, le=2**31 - 1),
    BeforeValidator(refuse_other_numerals),
    ScalarJsonSchema(json_schema.integer),
    Integer(),
]
Count8 = Annotated[
    int,
    Field(ge=0, le=2**63 - 1),
    BeforeValidator(refuse_other_numerals),
    ScalarJsonSchema(json_schema.integer),
    BigInteger(),
]

#: The least decimal odds. Real feeds do list 1.0.
LEAST_ODDS = 1.0

#: Decimal odds: the return on a stake of 1, stake included.
Odds = Annotated[
    float,
    Field(ge=LEAST_ODDS, allow_inf_nan=False),
    BeforeValidator(refuse_odds_below(LEAST_ODDS)),
    ScalarJsonSchema(json_schema.number),
]

#: The price of an outcome as feeds write it: decimal odds, or less where it has none.
Price = Annotated[
    float,
    Field(ge=0.0, allow_inf_nan=False),
    BeforeValidator(refuse_odds_below(0.0)),
    ScalarJsonSchema(json_schema.number),
]

#: A total or a handicap, in goals (in other sports: points, games, ...).
Line = Annotated[
    float,
    Field(allow_inf_nan=False),
    BeforeValidator(refuse_other_numerals),
    ScalarJsonSchema(json_schema.number),
]

#: True or false.
Flag = Annotated[bool, ScalarJsonSchema(json_schema.flag)]

# -- times and documents ---------------------------------------------------------------------------

#: The bounds of all times: the earliest, which is the origin of epochs too, and the end.
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
END = datetime(2201, 1, 1, tzinfo=UTC)

#: The units of times that are numbers, counted from 1970: each with its number in a second.
EPOCH_UNITS: Mapping[str, int] = {"seconds": 1, "milliseconds": 1000}
#: The least number that looks like seconds since 1970: it is in 1973. Prices and ids are smaller.
_LEAST_EPOCH = 100_000_000

#: An instant in the years 1970 to 2200, converted to UTC. Naive times and numbers are refused.
UtcTime = Annotated[
    datetime,
    AwareDatetime,
    Field(ge=EARLIEST, lt=END),
    BeforeValidator(refuse_timestamp),
    ScalarJsonSchema(json_schema.time),
    AfterValidator(to_utc),
]


class CaptureMark:
    """The mark of the times of captures, which are past.

    No contract compares them with a clock: ingestion does, and strategies draw no others.
    """


#: The time of a capture, or of a change that a capture found.
CaptureTime = Annotated[UtcTime, CaptureMark()]

#: The times of captures, the earliest first.
Instants = Annotated[
    tuple[CaptureTime, ...],
    ValidatorWithCheck(
        sort_instants,
        "array_position({}, NULL) IS NULL "
        f"AND '{EARLIEST}' <= ALL ({{}}) AND '{END}' > ALL ({{}})",
    ),
    ARRAY(DateTime(timezone=True), as_tuple=True),
]

_FINITE_JSON = f"NOT jsonb_path_exists({{}}, 'strict $.** ? (@ < -{FLOAT_MAX} || @ > {FLOAT_MAX})')"

#: The keys of markets, each as far as it is known: a JSON array of arrays.
MarketKeys = Annotated[
    list[list[Annotated[JsonValue, ScalarJsonSchema(json_schema.document)]]],
    ValidatorWithCheck(
        refuse_unstorable,
        "jsonb_typeof({}) = 'array' AND NOT jsonb_path_exists({}, "
        "'strict $[*] ? (@.type() != \"array\")') "
        f"AND {_FINITE_JSON}",
    ),
    JSONB(none_as_null=True),
]

#: Any JSON value that JSONB can store and Python can read; None is SQL NULL.
Json = Annotated[
    JsonValue,
    ScalarJsonSchema(json_schema.document),
    ValidatorWithCheck(
        refuse_unstorable,
        _FINITE_JSON,
    ),
    JSONB(none_as_null=True),
]
