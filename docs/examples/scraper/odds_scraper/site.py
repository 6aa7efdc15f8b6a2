"""A bookmaker's site: its offer as captures."""

import logging
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any, Self

import httpx
from pydantic import ValidationError
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from oddsschema import (
    Capture,
    CapturedCompetitorEvent,
    CapturedCompetitorTournament,
    CapturedSport,
    HandicapType,
    Market,
    Outcome,
    problems,
)
from oddsschema.feeds import utc

log = logging.getLogger(__name__)

#: BetPawa's ids and names of the site's markets.
MARKETS = {
    "1X2": ("3743", "1X2 - Full Time"),
    "O/U": ("5000", "Over/Under - Full Time"),
    "EH": ("4724", "3-Way Handicap - Full Time"),
}


def is_passing(error: BaseException) -> bool:
    """Return whether the same request may succeed a little later."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in (429, 500, 502, 503, 504)
    return isinstance(error, httpx.TransportError)


class Site:
    """A bookmaker's site, to be used in `async with`."""

    def __init__(self, slug: str, url: str) -> None:
        self.slug = slug
        #: Failed requests and invalid data: one line each.
        self.problems: list[str] = []
        self._client = httpx.AsyncClient(base_url=url, timeout=10)

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *raised: Any) -> None:
        await self._client.__aexit__(*raised)

    async def captures(self) -> AsyncIterator[Capture]:
        """Yield all events with their odds. Raises httpx.HTTPError if the list of events fails."""
        for event_id in await self._get("/events"):
            try:
                event = await self._get(f"/events/{event_id}")
                yield self._capture(event)
            except httpx.HTTPError as error:
                self._note(f"event {event_id}: {type(error).__name__}: {error}".splitlines()[0])
            except ValidationError as error:
                self._note(f"event {event_id}", error)

    @retry(
        retry=retry_if_exception(is_passing),
        stop=stop_after_attempt(4),
        wait=wait_random_exponential(multiplier=0.1, max=5),
        reraise=True,
    )
    async def _get(self, path: str) -> Any:
        response = await self._client.get(path)
        response.raise_for_status()
        return response.json()

    def _capture(self, event: dict[str, Any]) -> Capture:
        match, league = event["match"], event["league"]
        return Capture(
            captured_at=datetime.now(UTC),
            competitor_event=CapturedCompetitorEvent(
                source=self.slug,
                external_id=event["id"],
                sportradar_id=match["sportradar"],  # sr:match:66457014
                name=f"{match['home']} - {match['away']}",
                home_team=match["home"],
                away_team=match["away"],
                kickoff=utc(match["start"]),
                tournament=CapturedCompetitorTournament(
                    external_id=league["id"],
                    name=league["name"],
                    country_iso=league["country"],
                    sport=CapturedSport(slug="football", name="Football"),
                ),
            ),
            markets=tuple(self._markets(event)),
        )

    def _markets(self, event: dict[str, Any]) -> Iterator[Market]:
        """Yield the mapped markets. An invalid market does not affect its event."""
        for offered in event["markets"]:
            if offered["name"] not in MARKETS:
                continue
            market_id, market_name = MARKETS[offered["name"]]
            line = offered.get("line")
            handicap = line if offered["name"] == "EH" else None
            try:
                yield Market(
                    betpawa_market_id=market_id,
                    betpawa_market_name=market_name,
                    line=line,
                    handicap_type=None if handicap is None else HandicapType.EUROPEAN,
                    handicap_home=handicap,
                    handicap_away=None if handicap is None else -handicap,
                    outcomes=tuple(
                        Outcome(name=name, odds=price["odds"], is_active=price["open"])
                        for name, price in offered["prices"].items()
                    ),
                )
            except ValidationError as error:
                self._note(f"event {event['id']}, market {offered['name']}", error)

    def _note(self, message: str, error: ValidationError | None = None) -> None:
        """Log a problem with its place at once, and keep it for the summary."""
        message += "".join(f"; {problem}" for problem in problems(error)) if error else ""
        self.problems.append(f"{self.slug}: {message}")
        log.warning("%s: %s", self.slug, message)
