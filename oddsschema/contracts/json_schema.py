"""The JSON Schemas (2020-12) of the scalars: one function for each kind of scalar.

They describe the accepted JSON, which is wider than the Python type. Pydantic alone describes a
value after validation, such as a number. The contract also accepts the text "2.15", and trims the
white space around a text. The bounds come from pydantic's own schemas of the type.

Patterns contain characters instead of escapes, because ECMA 262, Python, Java and Rust agree only
on those. A character is a Unicode code point (ECMA 262's flag `u`).
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

#: The code points of the characters that are trimmed: Unicode's White_Space.
WHITE_SPACE = (
    *range(0x9, 0xE),
    *(0x20, 0x85, 0xA0, 0x1680),
    *range(0x2000, 0x200B),
    *(0x2028, 0x2029, 0x202F, 0x205F, 0x3000),
)

_SPACES = "".join(map(chr, WHITE_SPACE))
_SPACE = f"[{_SPACES}]"
#: Text that PostgreSQL can store: without NUL and surrogates. (The negation keeps Hypothesis fast:
#: it generates texts from a pattern by enumerating the characters of a class.)
_STORABLE_TEXT: JsonSchemaValue = {
    "not": {"type": "string", "pattern": "[^\x01-\ud7ff\ue000-\U0010ffff]"}
}
#: A placeholder, inside a definition, for a reference to that definition.
_SELF_REFERENCE: JsonSchemaValue = {}
#: The range of the numbers that are finite in Python and in float8.
_FINITE_NUMBER = {"minimum": -sys.float_info.max, "maximum": sys.float_info.max}
#: The largest count of digits before the point with which every number is finite.
_FINITE_DIGITS = sys.float_info.max_10_exp


@dataclass(frozen=True, slots=True)
class ScalarJsonSchema:
    """A mark that gives a scalar its own JSON Schema: a definition with the schema's title."""

    #: Builds the JSON Schema from pydantic's JSON Schema and pydantic's core schema.
    build: Callable[[JsonSchemaValue, Any], JsonSchemaValue]

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return a reference to the definition, or pydantic's own schema for serialization."""
        plain = handler(core)
        if handler.mode == "serialization":
            return plain
        scalar: Any = core
        while "schema" in scalar:  # inside validators that run before or after
            scalar = scalar["schema"]
        built = self.build(plain, scalar)
        name = f"{__name__}.{built['title']}"
        reference = handler(
            core_schema.definitions_schema(
                core_schema.definition_reference_schema(name), [core_schema.any_schema(ref=name)]
            )
        )
        definition = handler.resolve_ref_schema(reference)
        definition.clear()
        definition.update(
            {
                key: dict(reference) if value is _SELF_REFERENCE else value
                for key, value in built.items()
            }
        )
        return reference


# -- patterns --------------------------------------------------------------------------------------


def exact_text(pattern: str) -> JsonSchemaValue:
    """Describe a single line of text that the pattern matches from start to end."""
    # In Python and Java, `$` also matches before a final line break.
    return {"pattern": f"^(?:{pattern})$", "not": {"pattern": "[\n\r\x85\u2028\u2029]"}}


def trimmed_text(pattern: str) -> JsonSchemaValue:
    """Describe a text that the pattern matches from start to end after trimming."""
    return {"pattern": f"^{_SPACE}*(?:{pattern}){_SPACE}*$"}


def any_case(word: str) -> str:
    """Build the pattern of an ASCII word in upper or lower case."""
    return "".join(f"[{char.lower()}{char.upper()}]" if char.isalpha() else char for char in word)


def any_word(words: Iterable[str]) -> str:
    """Build the pattern of several alternative ASCII words in upper or lower case."""
    return "|".join(map(any_case, sorted(words)))


def any_year(years: range) -> str:
    """Build the pattern of these years, grouped by decade."""
    decades = [(decade, list(group)) for decade, group in groupby(years, lambda year: year // 10)]
    return "|".join(
        f"{decade}[0-9]" if len(group) == 10 else "|".join(map(str, group))
        for decade, group in decades
    )


# -- kinds of scalars ------------------------------------------------------------------------------


def text(schema: JsonSchemaValue, core: Any) -> JsonSchemaValue:
    """Describe text that PostgreSQL can store; with a minimum length it must not be blank."""
    is_required = "minLength" in schema
    title = f"{'Name' if is_required else 'Text'}{schema.get('maxLength', '')}"
    not_blank = {"pattern": f"[^{_SPACES}]"} if is_required else {}
    kept = {key: value for key, value in schema.items() if key != "pattern"}
    return kept | {"title": title, **_STORABLE_TEXT} | not_blank


def identifier(schema: JsonSchemaValue, core: Any) -> JsonSchemaValue:
    """Describe an id: text, or an integer, which is written as text."""
    described = text(schema, core)
    most = 10 ** schema["maxLength"] - 1
    return {
        **described,
        "title": described["title"].replace("Name", "Id"),
        "type": ["string", "integer"],
        "minimum": -(most // 10),
        "maximum": most,
    }


def specifiers(schema: JsonSchemaValue, core: Any) -> JsonSchemaValue:
    """Describe specifiers: names and values, neither of them blank."""
    name, value = "[^|=]", "[^|]"
    specifier = f"{name}*[^|={_SPACES}]{name}*={value}*[^|{_SPACES}]{value}*"  # neither is blank
    described = text({**schema, "minLength": 0}, core)
    pattern = f"^(?:{_SPACE}*|{specifier}(?:[|]{specifier})*)$"
    return described | {"title": "Specifiers", "minLength": 0, "pattern": pattern}


def slug(schema: JsonSchemaValue, core: Any) -> JsonSchemaValue:
    """Describe a slug by the pattern of its type."""
    pattern = schema["pattern"].removeprefix("^").removesuffix("$")
    return {"title": "Slug", "type": "string", **trimmed_text(pattern)}


def country(schema: JsonSchemaValue, core: Any) -> JsonSchemaValue:
    """Describe a country code of ISO 3166-1, in upper or lower case."""
    codes = any_word([*ALPHA3, *ALPHA3_OF_ALPHA2])
    return {"title": "CountryIso", "type": "string", **trimmed_text(codes)}


def integer(schema: JsonSchemaValue, core: Any) -> JsonSchemaValue:
    """Describe a whole number, or a text of its digits.

    A text has at least one digit less than the upper bound, so that it is always within the bounds.
    """
    most = schema["maximum"]
    sign = "[+-]?" if schema["minimum"] < 0 else "[+]?"
    size = (most.bit_length() + 1) // 8  # in bytes, as in the names of PostgreSQL's types
    title = f"Int{size}" if schema["minimum"] < 0 else "Count" if size == 4 else f"Count{size}"
    digits = rf"{sign}[0-9]{{1,{len(str(most)) - 1}}}(?:\.0+)?"
    return {**schema, "title": title, "type": ["integer", "string"], **trimmed_text(digits)}


def number(schema: JsonSchemaValue, core: Any) -> JsonSchemaValue:
    """Describe a finite number, or a text of its digits that is short enough to be finite."""
    title, digits = {
        None: ("Line", f"[+-]?[0-9]{{1,{_FINITE_DIGITS}}}"),
        0.0: ("Price", f"[+]?[0-9]{{1,{_FINITE_DIGITS}}}"),
        1.0: ("Odds", f"[+]?0*[1-9][0-9]{{0,{_FINITE_DIGITS - 1}}}"),
    }[schema.get("minimum")]
    described = {**_FINITE_NUMBER, **schema, "title": title, "type": ["number", "string"]}
    return described | trimmed_text(rf"{digits}(?:\.[0-9]*)?")


def odds(least: float) -> JsonSchemaValue:
    """Describe decimal odds, as a number or as text."""
    return number({"minimum": least}, None)


_TRUE_WORDS = "true", "t", "yes", "y", "on", "1"
_FALSE_WORDS = "false", "f", "no", "n", "off", "0"


def flag(schema: JsonSchemaValue, core: Any) -> JsonSchemaValue:
    """Describe true or false, or a number or word that pydantic converts to it."""
    words = any_word([*_TRUE_WORDS, *_FALSE_WORDS])
    return {
        "title": "Flag",
        "anyOf": [{"type": "boolean"}, {"enum": [0, 1]}, {"type": "string", **exact_text(words)}],
    }


def falsehood() -> JsonSchemaValue:
    """Describe false, or a number or word that pydantic converts to it."""
    return {
        "anyOf": [{"enum": [False, 0]}, {"type": "string", **exact_text(any_word(_FALSE_WORDS))}]
    }


def time(schema: JsonSchemaValue, core: Any) -> JsonSchemaValue:
    """Describe a valid date in the years of the type's bounds, a time of day and an offset."""
    years = range(core["ge"].year, core["lt"].year)
    leap = "|".join(str(year) for year in years if calendar.isleap(year))
    days = (
        "(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
        "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
        "|02-(?:0[1-9]|1[0-9]|2[0-8])"
    )
    day = f"(?:(?:{any_year(years)})-(?:{days})|(?:{leap})-02-29)"
    hour, sixty = "(?:[01][0-9]|2[0-3])", "[0-5][0-9]"
    clock = f"{hour}:{sixty}(?::{sixty}(?:[.,][0-9]+)?)?"
    offset = f"(?:[Zz]|[+\N{MINUS SIGN}-]{hour}:?{sixty})"
    return {**schema, "title": "UtcTime", **exact_text(f"{day}[Tt _]{clock}{offset}")}


def document(schema: JsonSchemaValue, core: Any) -> JsonSchemaValue:
    """Describe any JSON that JSONB can store and Python can read."""
    return {
        "title": "Json",
        "type": ["null", "boolean", "number", "string", "array", "object"],
        **_FINITE_NUMBER,
        **_STORABLE_TEXT,
        "items": _SELF_REFERENCE,
        "propertyNames": _STORABLE_TEXT,
        "additionalProperties": _SELF_REFERENCE,
    }


def anything(schema: JsonSchemaValue, core: Any) -> JsonSchemaValue:
    """Describe any JSON that is Unicode."""
    unicode: JsonSchemaValue = {
        "not": {"type": "string", "pattern": "[^\x00-\ud7ff\ue000-\U0010ffff]"}
    }
    return {
        "title": "Anything",
        **unicode,
        "items": _SELF_REFERENCE,
        "propertyNames": unicode,
        "additionalProperties": _SELF_REFERENCE,
    }
