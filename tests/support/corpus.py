"""Hostile captures for the fuzz suite, each with its expected result."""

import json
import re
from collections.abc import Iterator
from random import Random
from typing import Any

from tests.support.mutations import Input, set_apart

_NAME = "competitor_event.name"
_ODDS = "markets[0].outcomes[0].odds"
_LINE = "markets[0].line"
_RAW = "raw_response"
_EVENT_ID = "competitor_event.external_id"
_STORED = None


def _plain() -> dict[str, Any]:
    return {
        "captured_at": "2024-01-09T12:00:00+00:00",
        "competitor_event": {
            "source": "bet9ja",
            "external_id": "1",
            "sportradar_id": "1",
            "name": "Basel - Zürich",
            "home_team": "Basel",
            "away_team": "Zürich",
            "kickoff": "2024-01-20T17:00:00Z",
            "tournament": {
                "external_id": "1",
                "name": "Super League",
                "sport": {"slug": "football", "name": "Football"},
            },
        },
        "markets": [
            _market(line=2.5),
            _market(line=3.5),
        ],
    }


def _market(**changes: Any) -> dict[str, Any]:
    return {
        "betpawa_market_id": "5000",
        "betpawa_market_name": "Over/Under - Full Time",
        "line": 0.5,
        "outcomes": [{"name": "Over", "odds": 1.9}, {"name": "Under", "odds": 1.9}],
    } | changes


def _with(place: str, value: Any) -> dict[str, Any]:
    """Replace a value of a plain capture; `...` removes it."""
    capture = _plain()
    *outer, last = [int(step) if step.isdigit() else step for step in re.findall(r"\w+", place)]
    inner: Any = capture
    for step in outer:
        inner = inner[step]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return capture


def _as_text(place: str, written: str | bytes) -> bytes:
    """Write a plain capture as text with a value in the given spelling."""
    written = written.encode() if isinstance(written, str) else written
    return json.dumps(_with(place, "@@")).encode().replace(b'"@@"', written)


def _nested(levels: int, innermost: str = "") -> str:
    return "[" * levels + innermost + "]" * levels


def _nested_lists(levels: int) -> list[Any]:
    nested: list[Any] = []
    for _ in range(levels - 1):
        nested = [nested]
    return nested


def _texts() -> Iterator[tuple[str, Any, str | None]]:
    """List cases of texts."""
    plain = json.dumps(_plain()).encode()
    yield "as it should be", plain, _STORED
    yield "as a str", plain.decode(), _STORED
    yield (
        "white space around and within",
        b" \t" + json.dumps(_plain(), indent=2).encode() + b"\r\n",
        _STORED,
    )
    yield "not ASCII", json.dumps(_plain(), ensure_ascii=False).encode(), _STORED
    yield "BOM in the middle", b"\xef\xbb\xbf" + plain, "$"
    yield "UTF-16", json.dumps(_plain()).encode("utf-16"), "$"
    yield "Latin-1", json.dumps(_plain(), ensure_ascii=False).encode("latin-1"), "$"
    for name, junk in (
        ("a byte that is none of UTF-8", b"\xff"),
        ("a continuation byte alone", b"\x80"),
        ("overlong UTF-8", b"\xc0\xaf"),
        ("a surrogate as UTF-8", b"\xed\xa0\x80"),
        ("beyond Unicode", b"\xf4\x90\x80\x80"),
        ("a raw NUL", b"\0"),
        ("a raw control character", b"\x1b"),
        ("a raw newline", b"\n"),
    ):
        yield name, _as_text(_NAME, b'"x' + junk + b'"'), "$"
    yield "a lone surrogate, escaped", _as_text(_NAME, r'"\ud800"'), "$"
    yield "surrogates the wrong way round", _as_text(_NAME, r'"\udc00\ud800"'), "$"
    yield "a surrogate pair, escaped", _as_text(_NAME, r'"\ud83d\udca9"'), _STORED
    yield "a str with a lone surrogate", _as_text(_NAME, '"@"').decode().replace("@", "\ud800"), "$"
    yield "NUL, escaped", _as_text(_NAME, r'"a\u0000b"'), f"$.{_NAME}"
    yield "nothing but NUL", "\0", "$"
    yield "cut in the middle", plain[: len(plain) // 2], "$"
    yield "two of them in one line", plain + plain, "$"
    yield "a comma at the end", plain[:-1] + b",}", "$"
    yield "a comment", plain + b"// odd", "$"
    yield "single quotes", plain.replace(b'"', b"'"), "$"
    yield "a key without quotes", plain.replace(b'"markets"', b"markets"), "$"
    for other in (
        "null",
        "true",
        "0",
        "-",
        "1e999",
        "NaN",
        '""',
        "[]",
        "[[[]]]",
        f"[{plain.decode()}]",
    ):
        yield f"instead of a capture, {other[:10]}", other, "$"
    yield "an empty object", "{}", "$.captured_at"
    yield "a megabyte of brackets", b"[" * 1_000_000, "$"
    yield "a megabyte of objects", b'{"a":' * 200_000, "$"
    yield "a megabyte of quotes", b'"' * 1_000_000, "$"
    yield "a megabyte of backslashes", b'"' + b"\\" * 1_000_000 + b'"', "$"
    yield (
        "60,000 markets of nothing",
        _as_text("markets", "[" + "{}," * 59_999 + "{}]"),
        "$.markets",
    )
    yield (
        "60,000 times null for a market",
        _as_text("markets", "[" + "null," * 59_999 + "0]"),
        "$.markets",
    )
    yield (
        "100,000 unknown keys",
        plain[:-1] + b"".join(b',"%d":0' % number for number in range(100_000)) + b"}",
        "$['0']",
    )


def _keys() -> Iterator[tuple[str, Any, str | None]]:
    """List cases of repeated, unknown and missing keys."""
    plain = json.dumps(_plain())[:-1]
    yield (
        "a key twice: the last one counts",
        plain + ', "captured_at": "2024-01-10T12:00:00Z"}',
        _STORED,
    )
    yield "a key twice, the first bad", '{"captured_at": [], ' + plain[1:] + "}", _STORED
    yield "a key twice, the last bad", plain + ', "captured_at": []}', "$.captured_at"
    yield "a key twice in raw_response", _as_text(_RAW, '{"a": 1, "a": 2}'), _STORED
    yield "a key twice, escaped otherwise", _as_text(_RAW, r'{"a": 1, "\u0061": 2}'), _STORED
    yield "an unknown key", plain + ', "colour": "red"}', "$.colour"
    yield (
        "an unknown key that is a terminal's command",
        plain + r', "\u001b[2J": 1}',
        "$['\\x1b[2J']",
    )
    yield (
        "an unknown key of 100,000 characters",
        plain + ', "%s": 1}' % ("k" * 100_000),
        "$." + "k" * 100 + "…",
    )
    yield "an unknown key that is empty", plain + ', "": 1}', "$['']"
    yield "an unknown key with NUL", plain + r', "\u0000": 1}', "$['\\x00']"
    yield "an id, which is the database's", plain + ', "id": 1}', "$.id"
    yield "both sides", plain + ', "event": {}}', "$.event.external_event_id"
    yield "neither side", _with("competitor_event", None), "$"
    yield "no markets", _with("markets", ...), "$.markets"
    yield "keys that are no text", {**_plain(), 1: 2}, "$[1]"
    yield "keys of raw_response that are no text", _with(_RAW, {1: 2}), "$.raw_response[1]"
    yield (
        "a key with NUL in raw_response",
        _as_text(_RAW, r'{"a": {"\u0000": 1}}'),
        "$.raw_response",
    )
    yield "a key with a surrogate in raw_response", _with(_RAW, {"\ud800": 1}), "$.raw_response"
    yield "a rejects file's line", {"refused": {}, "capture": _with(_EVENT_ID, "reject 1")}, _STORED
    yield (
        "a rejects file's line of text",
        {"refused": {}, "capture": json.dumps(_with(_EVENT_ID, "reject 2"))},
        _STORED,
    )
    nested: Any = _plain()
    for _ in range(5000):
        nested = {"refused": {}, "capture": nested}
    yield "rejects in rejects in rejects", nested, "$.captured_at"


def _numbers() -> Iterator[tuple[str, Any, str | None]]:
    """List cases of numbers."""
    for place in (_ODDS, _LINE, _RAW):
        # A market without its line, or its outcome, is refused alone; the other market is stored.
        for written in ("1e999", "-1e999", "NaN", "Infinity", "-Infinity"):
            yield f"{written} in {place}", _as_text(place, written), f"$.{place}"
        yield f"10,000 digits in {place}", _as_text(place, "1" * 10_000), "$"
        yield f"4,300 digits in {place}", _as_text(place, "1" * 4_300), f"$.{place}"
        yield f"an int of 10,000 digits in {place}", _with(place, 10**9_999), f"$.{place}"
        yield f"an int of 200,000 digits in {place}", _with(place, 10**199_999), f"$.{place}"
        yield f"400 digits in {place}", _as_text(place, "1" * 400), f"$.{place}"
        yield f"the largest float in {place}", _as_text(place, "1.7976931348623157e308"), _STORED
        yield f"10,000 decimals in {place}", _as_text(place, "1." + "1" * 10_000), _STORED
        yield f"nan in {place}", _with(place, float("nan")), f"$.{place}"
        for written in ("01", "+1", ".5", "1.", "0x10", "1_000", "1e", "--1", "1,5", "\u0661"):
            yield f"{written} in {place}", _as_text(place, written), "$"
    for written in ("-0.0", "-0", "1e-999", "5e-324", "9007199254740993", "1E2", '"2.5"'):
        yield f"{written} for a line", _as_text(_LINE, written), _STORED
        yield (
            f"{written} in raw_response",
            _as_text(_RAW, f'[{written}, {{"a": {written}}}]'),
            _STORED,
        )
    yield (
        "-0.0 and 0 for lines",
        _with("markets", [_market(line=-0.0), _market(line=0)]),
        "$.markets[1]",
    )
    for written in ("0.99", "-0.0", "0", "true", '"1.9 "'):
        refused_at = _STORED if written == '"1.9 "' else f"$.{_ODDS}"
        yield f"{written} for odds", _as_text(_ODDS, written), refused_at
    yield "odds of 1", _as_text(_ODDS, "1"), _STORED
    for text in ("nan", "inf", "1e999", "", "\u0661", "1,9"):
        yield f"odds of {text!r}", _with(_ODDS, text), f"$.{_ODDS}"
    for number in (2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**300):
        yield f"{number:.3e} in raw_response", _with(_RAW, [number]), _STORED
    yield "an int past the largest float in raw_response", _with(_RAW, 10**309), "$.raw_response"


def _times() -> Iterator[tuple[str, Any, str | None]]:
    """List cases of times."""
    for written, is_good in (
        ("0000-01-01T00:00:00Z", False),
        ("0001-01-01T00:00:00+23:59", False),
        ("-0001-01-01T00:00:00Z", False),
        ("1969-12-31T23:59:59Z", False),
        ("1969-12-31T23:30:00-01:00", True),
        ("1970-01-01T00:00:00Z", True),
        ("2200-12-31T23:59:59.999999Z", True),
        ("2200-12-31T23:59:59.9999999Z", True),
        ("2201-01-01T00:00:00Z", False),
        ("9999-12-31T23:59:59-23:59", False),
        ("10000-01-01T00:00:00Z", False),
        ("+10000-01-01T00:00:00Z", False),
        ("2016-12-31T23:59:60Z", False),
        ("2024-01-09T24:00:00Z", False),
        ("2023-02-29T12:00:00Z", False),
        ("2024-01-09T12:00:00+25:00", False),
        ("2024-01-09T12:00:00+24:00", False),
        ("2024-01-09T12:00:00+23:59", True),
        ("2024-01-09T12:00:00-00:00", True),
        ("2024-01-09T12:00:00", False),
        ("2024-01-09 12:00Z", True),
        ("2024-01-09", False),
        ("1704800000", False),
        ("1704800000.5", False),
        ("1e999", False),
        ("now", False),
        ("", False),
        ("\0", False),
        ("2024-01-09T12:00:00Z\0", False),
        ("2024-01-09T12:00:00Z ' OR 1=1", False),
    ):
        for place in ("captured_at", "competitor_event.kickoff"):
            yield (
                f"{written!r} for {place}",
                _with(place, written),
                _STORED if is_good else f"$.{place}",
            )
    for number in (1704800000, -1, 10**30, 1e300):
        yield f"{number} for captured_at", _as_text("captured_at", repr(number)), "$.captured_at"


def _names() -> Iterator[tuple[str, Any, str | None]]:
    """List cases of text fields."""
    for name in (
        *(
            "'; DROP TABLE competitor_events; --",
            "\\N",
            "\\.",
            "%s",
            "$1",
            "{0}",
            "\t\\t\t",
            "NULL",
        ),
        *(
            "e\u0301",
            "é",
            "\u200b",
            "\ufeff",
            "\u202eevil",
            "\uffff",
            "\U0010ffff",
            "\x7f",
            "\x01",
            "👩‍👩‍👧‍👧",
        ),
        *("x" * 500, "💩" * 500, "\u0301" * 500, " \u3000 padded \u2028 "),
    ):
        yield f"the name {name[:20]!r} of {len(name)}", _with(_NAME, name), _STORED
    for name in (
        "",
        " ",
        "\u2003\u2028\t",
        "x" * 501,
        "💩" * 501,
        "a\0b",
        "\ud800",
        None,
        1,
        True,
        ["x"],
    ):
        yield f"the name {str(name)[:20]!r}, no name", _with(_NAME, name), f"$.{_NAME}"
    for slug in ("BET9JA", "bet 9ja", "-bet9ja", "b" * 21, "bét9ja", "bet9ja\n;", "", "\0"):
        place = "competitor_event.source"
        yield f"the source {slug!r}", _with(place, slug), f"$.{place}"
    # A value that is no country becomes null.
    for code in (
        "CH",
        "che",
        "XX",
        "ﬁn",
        "",
        "\0",
        "\ud800",
        "x" * 1_000_000,
        10**300,
        [{}],
        {"": 1},
    ):
        place = "competitor_event.tournament.country_iso"
        yield f"the country {str(code)[:20]!r}", _with(place, code), _STORED


def _sizes() -> Iterator[tuple[str, Any, str | None]]:
    """List cases of long and deep values."""

    def outcomes(count: int) -> list[dict[str, Any]]:
        return [{"name": f"{number}", "odds": 2} for number in range(count)]

    place = "markets[0].outcomes"
    yield "500 outcomes", _with(place, outcomes(500)), _STORED
    yield "501 outcomes", _with(place, outcomes(501)), f"$.{place}"
    yield "no outcomes", _with(place, []), _STORED
    yield "one name twice", _with(place, [*outcomes(2), {"name": " 1 ", "odds": 2}]), f"$.{place}"
    yield "5,000 markets", _with("markets", [_market(line=line) for line in range(5000)]), _STORED
    yield (
        "5,001 markets",
        _with("markets", [_market(line=line) for line in range(5001)]),
        "$.markets",
    )
    yield "the same market 2,000 times", _with("markets", [_market()] * 2000), "$.markets[1]"
    yield "200 levels of text", _as_text(_RAW, _nested(200)), _STORED
    yield "201 levels of text", _as_text(_RAW, _nested(201)), "$"
    yield "200 levels of lists", _with(_RAW, _nested_lists(200)), _STORED
    yield "201 levels of lists", _with(_RAW, _nested_lists(201)), "$.raw_response"
    yield "250 levels of lists", _with(_RAW, _nested_lists(250)), "$.raw_response"
    yield "100,000 levels of text", _as_text(_RAW, _nested(100_000)), "$"
    yield "100,000 levels of lists", _with(_RAW, _nested_lists(100_000)), "$.raw_response*"
    for raw in (None, False, 0, "", [], {}, "x" * 1_000_000, [[]] * 100_000, {"": {"": {"": ""}}}):
        yield f"raw_response {str(raw)[:10]}", _with(_RAW, raw), _STORED
    yield "a raw_response past the limit", _with(_RAW, "x" * 4_194_303), "$.raw_response"
    yield "a line past the limit", _as_text(_RAW, '"' + "x" * 4_194_304 + '"'), "$"
    for place in ("competitor_event", "competitor_event.tournament", "markets", "markets[0]"):
        for junk in (None, 0, "x", [], {}, [[]], [{}]):
            if (place, junk) != ("markets", []):
                yield f"{junk!r} for {place}", _with(place, junk), "$*"


def cases() -> Iterator[Input]:
    """List the hostile captures, each with ids of its own."""
    for kind in (_texts, _keys, _numbers, _times, _names, _sizes):
        for name, payload, refused_at in kind():
            random = Random(name)
            if isinstance(payload, dict):
                set_apart(payload, random)
            else:
                mark = f"{random.getrandbits(64):016x}"
                if isinstance(payload, bytes):
                    payload = re.sub(rb'(_id": )"1"', rb'\1"%s"' % mark.encode(), payload)
                else:
                    payload = re.sub(r'(_id": )"1"', rf'\1"{mark}"', payload)
            yield Input(name, payload, refused_at)
