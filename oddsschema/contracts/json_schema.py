"""What JSON a scalar takes, as JSON Schema 2020-12: wider than the type, as the contract is.

Pydantic alone says what a value is afterwards: a number. The contract also takes "2.15", and drops
the white space around a text. The bounds come from what pydantic knows of the type.

Patterns hold characters, not escapes: that is what the regular expressions of ECMA 262, Python,
Java and Rust all read alike. Their characters are those of Unicode (ECMA 262's flag `u`).
"""

import calendar
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from oddsschema.contracts.countries import ALPHA3, ALPHA3_OF_ALPHA2

#: The code points of what is trimmed: Unicode's White_Space.
WHITE_SPACE = (
    *range(0x9, 0xE),
    *(0x20, 0x85, 0xA0, 0x1680),
    *range(0x2000, 0x200B),
    *(0x2028, 0x2029, 0x202F, 0x205F, 0x3000),
)

_SPACES = "".join(map(chr, WHITE_SPACE))
_SPACE = f"[{_SPACES}]"
#: Nothing but characters, of which NUL and surrogates are none. (Said of what a text has not: what
#: makes texts of patterns, as Hypothesis does, goes through a class character by character.)
_STORABLE: JsonSchemaValue = {
    "not": {"type": "string", "pattern": "[^\x01-\ud7ff\ue000-\U0010ffff]"}
}
#: Stands for the definition itself inside of it.
_ITSELF: JsonSchemaValue = {}
#: What is finite to Python and to float8.
_FINITE = {"minimum": -sys.float_info.max, "maximum": sys.float_info.max}
#: So many digits before the point are a finite number, whichever they are.
_FINITE_DIGITS = sys.float_info.max_10_exp


@dataclass(frozen=True, slots=True)
class Accepts:
    """A mark that says what JSON a type takes: a definition of its own, named by its title."""

    #: From pydantic's JSON Schema and its core schema of the scalar.
    say: Callable[[JsonSchemaValue, Any], JsonSchemaValue]

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """A reference to the definition; in what is written, not read, the type alone."""
        plain = handler(core)
        if handler.mode == "serialization":
            return plain
        scalar: Any = core
        while "schema" in scalar:  # in a validator that runs before or after
            scalar = scalar["schema"]
        said = self.say(plain, scalar)
        name = f"{__name__}.{said['title']}"
        found = handler(
            core_schema.definitions_schema(
                core_schema.definition_reference_schema(name), [core_schema.any_schema(ref=name)]
            )
        )
        definition = handler.resolve_ref_schema(found)
        definition.clear()
        definition.update({key: dict(found) if it is _ITSELF else it for key, it in said.items()})
        return found


def _exactly(pattern: str) -> JsonSchemaValue:
    """A text that the pattern describes wholly, on one line."""
    # To Python and Java, `$` is before a last line break too.
    return {"pattern": f"^(?:{pattern})$", "not": {"pattern": "[\n\r\x85\u2028\u2029]"}}


def _trimmed(pattern: str) -> JsonSchemaValue:
    """A text that the pattern describes wholly, once it is trimmed."""
    return {"pattern": f"^{_SPACE}*(?:{pattern}){_SPACE}*$"}


def _any_case(text: str) -> str:
    """A pattern for a word of ASCII in large and small letters."""
    return "".join(f"[{char.lower()}{char.upper()}]" if char.isalpha() else char for char in text)


def _one_of(words: Iterable[str]) -> str:
    return "|".join(map(_any_case, sorted(words)))


# -- what each kind of scalar takes ----------------------------------------------------------------


def text(schema: JsonSchemaValue, core: Any) -> JsonSchemaValue:
    """Text that PostgreSQL can hold; not blank when it must be there."""
    needed = "minLength" in schema
    title = f"{'Name' if needed else 'Text'}{schema.get('maxLength', '')}"
    said = {key: value for key, value in schema.items() if key != "pattern"}
    return said | {"title": title, **_STORABLE} | ({"pattern": f"[^{_SPACES}]"} if needed else {})


def slug(schema: JsonSchemaValue, core: Any) -> JsonSchemaValue:
    """A short name of the type's own pattern."""
    pattern = schema["pattern"].removeprefix("^").removesuffix("$")
    return {"title": "Slug", "type": "string", **_trimmed(pattern)}


def country(schema: JsonSchemaValue, core: Any) -> JsonSchemaValue:
    """A code of ISO 3166-1, in large and small letters."""
    codes = _one_of([*ALPHA3, *ALPHA3_OF_ALPHA2])
    return {"title": "CountryIso", "type": "string", **_trimmed(codes)}


def integer(schema: JsonSchemaValue, core: Any) -> JsonSchemaValue:
    """A whole number, or its digits as text: one fewer than the bound has, which then holds."""
    most = schema["maximum"]
    sign = "[+-]?" if schema["minimum"] < 0 else "[+]?"
    title = f"Int{(most.bit_length() + 1) // 8}" if schema["minimum"] < 0 else "Count"
    digits = rf"{sign}[0-9]{{1,{len(str(most)) - 1}}}(?:\.0+)?"
    return {**schema, "title": title, "type": ["integer", "string"], **_trimmed(digits)}


def number(schema: JsonSchemaValue, core: Any) -> JsonSchemaValue:
    """A finite number, or its digits as text: so few that it is finite."""
    title, digits = {
        None: ("Line", f"[+-]?[0-9]{{1,{_FINITE_DIGITS}}}"),
        1.0: ("Odds", f"[+]?0*[1-9][0-9]{{0,{_FINITE_DIGITS - 1}}}"),
    }[schema.get("minimum")]
    said = {**_FINITE, **schema, "title": title, "type": ["number", "string"]}
    return said | _trimmed(rf"{digits}(?:\.[0-9]*)?")


def flag(schema: JsonSchemaValue, core: Any) -> JsonSchemaValue:
    """True or false, or what stands for it."""
    words = _one_of(["true", "t", "yes", "y", "on", "1", "false", "f", "no", "n", "off", "0"])
    return {
        "title": "Flag",
        "anyOf": [{"type": "boolean"}, {"enum": [0, 1]}, {"type": "string", **_exactly(words)}],
    }


def time(schema: JsonSchemaValue, core: Any) -> JsonSchemaValue:
    """A day that there is, in the years of the type's bounds, a time of day and an offset."""
    years = range(core["ge"].year, core["lt"].year)
    leap = "|".join(str(year) for year in years if calendar.isleap(year))
    days = (
        "(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
        "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
        "|02-(?:0[1-9]|1[0-9]|2[0-8])"
    )
    day = f"(?:(?:{_years(years)})-(?:{days})|(?:{leap})-02-29)"
    hour, sixty = "(?:[01][0-9]|2[0-3])", "[0-5][0-9]"
    clock = f"{hour}:{sixty}(?::{sixty}(?:[.,][0-9]+)?)?"
    offset = f"(?:[Zz]|[+\N{MINUS SIGN}-]{hour}:?{sixty})"
    return {**schema, "title": "UtcTime", **_exactly(f"{day}[Tt _]{clock}{offset}")}


def _years(years: range) -> str:
    """A pattern for these years, decade by decade."""
    decades = [(decade, list(group)) for decade, group in groupby(years, lambda year: year // 10)]
    return "|".join(
        f"{decade}[0-9]" if len(group) == 10 else "|".join(map(str, group))
        for decade, group in decades
    )


def document(schema: JsonSchemaValue, core: Any) -> JsonSchemaValue:
    """Any JSON that JSONB can hold and Python read."""
    return {
        "title": "Json",
        "type": ["null", "boolean", "number", "string", "array", "object"],
        **_FINITE,
        **_STORABLE,
        "items": _ITSELF,
        "propertyNames": _STORABLE,
        "additionalProperties": _ITSELF,
    }
