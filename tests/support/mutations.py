"""Good captures for the fuzz suite, and damage to their bytes and structures."""

import gzip
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from random import Random
from typing import Any, NamedTuple

from oddsschema.simulate import simulate
from tests.support.paths import REAL_ODDS

#: The number of markets of a real capture that are mutated.
_MARKETS = 12

#: The mark of an input with no expectation beside the contract's.
AS_THE_CONTRACT_SAYS = "as the contract says"


class Input(NamedTuple):
    """A payload with its expected result."""

    name: str
    payload: Any
    #: The JSON path of the first refusal ("*" at its end: there or inside), or None when the
    #: capture is stored whole.
    refused_at: str | None = AS_THE_CONTRACT_SAYS


# -- good captures ---------------------------------------------------------------------------------


@cache
def models() -> tuple[dict[str, Any], ...]:
    """List good captures of all kinds: simulated ones, and real ones if they are available."""
    found = [
        capture
        for scrape in simulate(seed=5, scrapes=2)
        for captures in scrape.values()
        for capture in captures
    ]
    for path in REAL_ODDS:
        with gzip.open(path) as lines:
            found.extend(json.loads(line) for number, line in enumerate(lines) if not number % 20)
    return tuple(found)


def good_capture(random: Random) -> dict[str, Any]:
    """Make a capture that shares no event, tournament or sport with another capture."""
    capture = json.loads(json.dumps(random.choice(models())))
    first = random.randrange(max(1, len(capture["markets"]) - _MARKETS + 1))
    capture["markets"] = capture["markets"][first : first + _MARKETS]
    if random.random() < 0.3:
        capture["raw_response"] = random.choice(
            ({"a": [1, -0.0, 1e300, None, {"b": "é\u2028"}]}, [], "text", 0.1, capture["markets"])
        )
    set_apart(capture, random)
    return capture


def set_apart(capture: Any, random: Random) -> None:
    """Give a capture's event, tournament and sport ids of their own, where its ids are good."""
    for places in (
        ("external_id",),
        ("sportradar_id",),
        ("tournament", "external_id"),
        ("tournament", "sportradar_id"),
        ("tournament", "sport", "slug"),
        ("tournament", "sport", "name"),
    ):
        for side in ("event", "competitor_event"):
            *outer, key = side, *places
            inner = capture
            for step in outer:
                inner = inner.get(step) if isinstance(inner, dict) else None
            if isinstance(inner, dict) and _is_good_id(inner.get(key)):
                inner[key] = f"s{random.getrandbits(64):016x}"


def _is_good_id(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[^\0\ud800-\udfff]{1,20}", value) is not None


# -- mutations -------------------------------------------------------------------------------------

#: Replacements of a token, and insertions between two tokens.
_TOKENS = (
    *rb"""
    null true false 0 -1 1.0 -0.0 1e999 -1e999 1E-999 NaN Infinity -Infinity 1.7976931348623157e308
    2.15 "2.15" 0x10 1_000 01 +1 .5 5e-324 9007199254740993 1e18 1704800000
    "" "\u0000" "\ud800" "\udc00\ud800" "a\u0301" "\\N" "\\." "%s$1{0}"
    "';DROP\u0020TABLE\u0020events;--" "<script>" "../../etc/passwd"
    "asian" "european" "NG" "Football" "betpawa" "captured_at" "markets"
    "2024-01-09T12:00:00" "2024-01-09T12:00:00Z" "2024-01-09T12:00:00+25:00" "2016-12-31T23:59:60Z"
    "0000-01-01T00:00:00Z" "10000-01-01T00:00:00Z"
    [] {} [[]] {"a":{}} {"":0} , : { } [ ] " \ // /**/
    """.split(),
    *(b'" "', b"\n", b"\r\n", b"\t", b"\0", b'"\x01"', b'"\x7f"', b'"\xff"', b'"\xed\xa0\x80"'),
    *(text.encode() for text in ("\ufeff", "\u2028", '"\ufeff"', '"\u2028"', '"💩"')),
    *(b"1" * 400, b"9" * 5000, b'"' + b"x" * 300 + b'"', b'"' + b"x" * 3000 + b'"'),
    *(b"[" * 199 + b"]" * 199, b"[" * 300 + b"]" * 300),
)

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null|[\[\]{},:]')


def _flip(text: bytearray, random: Random) -> None:
    text[random.randrange(len(text))] ^= 1 << random.randrange(8)


def _overwrite(text: bytearray, random: Random) -> None:
    at = random.randrange(len(text))
    text[at : at + random.randrange(1, 5)] = random.randbytes(random.randrange(1, 5))


def _cut(text: bytearray, random: Random) -> None:
    at = random.randrange(len(text))
    del text[at : at + random.choice((1, 1, 2, 10, 100, len(text)))]


def _insert(text: bytearray, random: Random) -> None:
    at = random.randrange(len(text) + 1)
    text[at:at] = random.choice((random.randbytes(random.randrange(1, 9)), random.choice(_TOKENS)))


def _double(text: bytearray, random: Random) -> None:
    at = random.randrange(len(text))
    part = text[at : at + random.choice((1, 2, 10, 100, 1000))]
    text[at:at] = part * random.choice((1, 1, 1, 50))


def _splice(text: bytearray, random: Random) -> None:
    other = json.dumps(good_capture(random)).encode()
    text[random.randrange(len(text)) :] = other[random.randrange(len(other)) :]


def _replace_token(text: bytearray, random: Random) -> None:
    start, end = random.choice([found.span() for found in _TOKEN.finditer(text)] or [(0, 0)])
    text[start:end] = random.choice(_TOKENS)


def _swap_tokens(text: bytearray, random: Random) -> None:
    values = [found.span() for found in _TOKEN.finditer(text) if found[0] not in b"[]{},:"]
    if len(values) > 1:
        (a, b), (c, d) = sorted(random.sample(values, 2))
        text[a:d] = text[c:d] + text[b:c] + text[a:b]


def _move_member(text: bytearray, random: Random) -> None:
    """Repeat, remove or rename a member of an object or an element of an array."""
    commas = [found.start() for found in re.finditer(rb",", text)]
    if len(commas) > 2:
        at = random.randrange(len(commas) - 1)
        member = text[commas[at] : commas[at + 1]]
        place = random.choice((commas[at], random.choice(commas)))
        if random.random() < 0.5:
            del text[commas[at] : commas[at + 1]]
        text[place:place] = member


#: The ways to damage text.
BYTES = (_flip, _overwrite, _cut, _insert, _double, _splice)
STRUCTURES = (_replace_token, _replace_token, _swap_tokens, _move_member)


def damaged(text: bytes, random: Random, ways: tuple[Callable[..., None], ...]) -> bytes:
    """Damage a text in one to three of the given ways."""
    made = bytearray(text)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        if made:
            random.choice(ways)(made, random)
    return bytes(made)


def mutants(
    seed: str, count: int, ways: tuple[Callable[..., None], ...], *, objects: bool = False
) -> Iterator[Input]:
    """Make damaged captures, and some sound ones, as text or as Python's own json reads them."""
    for number in range(count):
        name = f"{seed} {number}"
        random = Random(name)
        indent, ascii_only = random.choice((None, None, 1)), random.random() < 0.5
        capture = good_capture(random)
        text = json.dumps(capture, indent=indent, ensure_ascii=ascii_only).encode()
        if random.random() < 0.95:
            text = damaged(text, random, ways) or b"0"
        if objects:
            try:
                yield Input(name, json.loads(text))
            except ValueError:
                yield Input(name, text.decode(errors="replace"))
        else:
            yield Input(name, text)
