"""Names that change within a scrape."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsschema.ingestion import Item, ScrapeNames, validate
from oddsschema.ingestion.validation import names as names_module

PLATFORMS = ("betpawa", "sportybet", "bet9ja")
FEW = st.integers(0, 1)
#: Captures: platform, event, and the numbers of home team, away team, tournament and sport names.
CAPTURES = st.lists(st.tuples(st.sampled_from(PLATFORMS), FEW, FEW, FEW, FEW, FEW), max_size=12)


def capture(
    platform: str, event: int, home: int, away: int, tournament: int, sport: int
) -> dict[str, Any]:
    """Build a capture without markets whose names depend on the numbers."""
    fields: dict[str, Any] = {
        "sportradar_id": str(event),
        "name": "A - B",
        "home_team": f"Home {home}",
        "away_team": f"Away {away}",
        "kickoff": "2024-01-20T17:00:00Z",
        "tournament": {
            "name": f"Cup {tournament}",
            "sportradar_id": "17",
            "sport": {"slug": "football", "name": f"Football {sport}"},
        },
    }
    if platform == "betpawa":
        fields |= {"bookmaker": platform, "external_event_id": "1"}
        fields["tournament"]["country"] = "Switzerland"
    else:
        fields |= {"source": platform, "external_id": str(event)}
        fields["tournament"]["external_id"] = "3"
    side = "event" if platform == "betpawa" else "competitor_event"
    return {"captured_at": "2024-01-09T12:00:00Z", side: fields, "markets": []}


@given(CAPTURES)
def test_changed_names_are_doubted(numbers: list[tuple[str, int, int, int, int, int]]) -> None:
    """A name is doubted at the capture that changes it, of the same platform and thing."""
    names = ScrapeNames()
    before: dict[Any, str] = {}
    for platform, event, home, away, tournament, sport in numbers:
        payload = capture(platform, event, home, away, tournament, sport)
        side = "event" if platform == "betpawa" else "competitor_event"
        expected = []
        for key, path, name in (
            ((platform, event, "home"), f"$.{side}.home_team", f"Home {home}"),
            ((platform, event, "away"), f"$.{side}.away_team", f"Away {away}"),
            ((platform, "tournament"), f"$.{side}.tournament.name", f"Cup {tournament}"),
            ((platform, "sport"), f"$.{side}.tournament.sport.name", f"Football {sport}"),
        ):
            if before.get(key, name) != name:
                expected.append((path, before[key], name))
            before[key] = name
        doubts = validate(Item("-", 1, payload), names=names).doubts
        by_path = sorted(doubts, key=lambda doubt: doubt.problem.path)
        assert [doubt.problem.path for doubt in by_path] == sorted(path for path, _, _ in expected)
        for doubt, (_, old, new) in zip(by_path, sorted(expected), strict=True):
            assert repr(old) in doubt.problem.reason
            assert repr(new) in doubt.problem.reason


def test_strict_keeps_the_first_name() -> None:
    """With `strict`, each capture with a changed name is refused, and the first name counts."""
    names = ScrapeNames()
    refused = [
        validate(
            Item("-", 1, capture("bet9ja", 1, home, 0, 0, 0)), strict=True, names=names
        ).refusal
        is not None
        for home in (0, 1, 1, 0)
    ]
    assert refused == [False, True, True, False]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scrape of more names than the bound forgets the first ones."""
    monkeypatch.setattr(names_module, "_MOST_NAMES", 10)
    names = ScrapeNames()

    def is_doubted(event: int, home: int) -> bool:
        item = Item("-", 1, capture("bet9ja", event, home, 0, 0, 0))
        return bool(validate(item, names=names).doubts)

    assert not is_doubted(0, 0)
    assert is_doubted(0, 1)
    assert not any(is_doubted(event, 0) for event in range(1, 10))
    assert not is_doubted(0, 2)
