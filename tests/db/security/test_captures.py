"""SQL in a capture is stored as text, and never runs."""

import json
from collections.abc import Callable, Iterator
from typing import Any, get_args, get_origin

import pytest
from pydantic import ValidationError

from oddsschema import Capture, Contract, IngestOptions, ingest
from oddsschema.database.connections import sqlalchemy_connect
from tests.support.hostile_texts import HOSTILE, OWN_WORDS, strings, structure, texts
from tests.support.scrapes import capture
from tests.support.sessions import fetch
from tests.support.stored_captures import keyed, read_back

Run = Callable[..., Any]


def leaves(contract: type[Contract], *path: str | int) -> Iterator[tuple[str | int, ...]]:
    """List the path of every value of a contract, nested contracts included."""
    for name, field in contract.model_fields.items():
        within = [part for part in annotations(field.annotation) if isinstance(part, type)]
        inner = next((part for part in within if issubclass(part, Contract)), None)
        if inner is None:
            yield (*path, name)
        elif tuple in map(get_origin, annotations(field.annotation)):
            yield from leaves(inner, *path, name, 0)
        else:
            yield from leaves(inner, *path, name)


def annotations(annotation: Any) -> Iterator[Any]:
    """List an annotation and all its parts."""
    yield annotation
    for argument in get_args(annotation):
        yield from annotations(argument)


LEAVES = list(leaves(Capture))


def full_capture(side: object, number: int) -> dict[str, Any]:
    """Build a capture with a value in every field, different from those of other numbers."""
    full = capture("betpawa" if side == "event" else "bet9ja", number, 0, markets=3)
    kind = "event" if "event" in full else "competitor_event"
    event = full[kind]
    tournament = event["tournament"] | {
        "sportradar_id": f"t{number}",
        "sport": {"slug": f"sport{number}", "name": f"Sport {number}"},
    }
    event["event_url"] = f"https://example.com/{number}"
    if kind == "competitor_event":
        event["external_id"] = f"e{number}"
        tournament |= {"external_id": f"t{number}", "source": "bet9ja", "country_raw": "Schweiz"}
        tournament |= {"country_iso": "CHE"}
    return full | {kind: event | {"tournament": tournament}, "raw_response": {"a": ["b"]}}


def put(container: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """Replace a value at a path of a JSON value."""
    if not path:
        return value
    first, *rest = path
    if isinstance(container, list):
        container = list(container)
        container[int(first)] = put(container[int(first)], tuple(rest), value)
        return container
    return container | {first: put(container.get(first), tuple(rest), value)}


def spoilt(path: tuple[str | int, ...]) -> list[dict[str, Any]]:
    """Build captures with each hostile text at a path, as value and as key."""
    captures = []
    for number, text in enumerate(HOSTILE):
        original = full_capture(path[0], number)
        captures.append(put(original, path, text))
        if path == ("raw_response",):
            original = full_capture(path[0], 1000 + number)
            captures.append(put(original, path, {text: [{text: text}]}))
        # An unknown key beside the value.
        original = full_capture(path[0], 2000 + number)
        captures.append(put(original, (*path[:-1], text), 1))
    return captures


def accepted(document: dict[str, Any]) -> Capture | None:
    """Validate a capture; None when the contract refuses it."""
    try:
        return Capture.model_validate_json(json.dumps(document))
    except ValidationError:
        return None


@pytest.mark.sampled(8)
@pytest.mark.parametrize("path", LEAVES, ids=lambda path: ".".join(map(str, path)))
def test_captures(path: tuple[str | int, ...], database: str, run: Run) -> None:
    """SQL in any field or key of a capture is stored unchanged, or refused."""
    delivery = spoilt(path)
    # A country that is none is a doubt, which is no refusal only by default.
    options = IngestOptions(keep_raw=True, strict=path[-1] != "country_iso")
    good = [capture for capture in map(accepted, delivery) if capture is not None]

    async def body() -> None:
        before = await structure(database)
        lines = [json.dumps(capture) for capture in delivery]
        report = await ingest(database, lines, options=options)
        assert [platform_run.error for platform_run in report.runs] == [None] * len(report.runs)
        assert report.total.captures_stored == len(good)
        assert report.total.captures_refused == len(delivery) - len(good)
        assert await structure(database) == before
        async with sqlalchemy_connect(database) as connection:
            assert keyed(await read_back(connection)) == keyed(good)
        recorded = await fetch(database, "SELECT error_message, error_type FROM scrape_errors")
        refused = [message for message, kind in recorded if kind == "refused"]
        assert sorted(refused) == sorted(map(str, report.refusals))
        written = {text for capture in good for text in strings(capture.model_dump())}
        assert await texts(database) <= OWN_WORDS | written | {
            text for row in recorded for text in row
        }

    run(body())


def test_every_place_is_tried() -> None:
    """The paths cover the contracts, and texts are accepted where texts are allowed."""
    names = {path[-1] for path in LEAVES}
    assert {"captured_at", "bookmaker", "source", "slug", "country_iso", "odds", "line"} <= names
    assert ("competitor_event", "tournament", "sport", "name") in LEAVES
    assert ("markets", 0, "outcomes", 0, "name") in LEAVES
    stored = {path for path in LEAVES if accepted(spoilt(path)[0]) is not None}
    refused = {path[-1] for path in set(LEAVES) - stored}
    assert refused == {
        *("captured_at", "kickoff", "bookmaker", "source"),
        *("line", "handicap_type", "handicap_home", "handicap_away", "odds", "is_active"),
        "specifiers",
    }
