"""The bookmakers' sites: their pages as captures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import BaseModel

from oddsschema.contracts.scalars import SportradarEventId
from oddsschema.feeds import utc

RESULT, TOTAL = ("3743", "1X2 - Full Time"), ("5000", "Over/Under - Full Time")

#: BetPawa's ids and names of each site's markets, by the site's own ids.
MARKETS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "betpawa": {"3743": RESULT, "5000": TOTAL},
    "sportybet": {"1": RESULT, "18": TOTAL},
    "bet9ja": {"S_1X2": RESULT, "S_OU": TOTAL},
}


class Listed(BaseModel):
    """An event in a site's list."""

    id: str
    sportradar_id: SportradarEventId  # sr:match:66457014 and 66457014 are the same
    kickoff: int


@dataclass(frozen=True)
class Site:
    """A bookmaker's site."""

    slug: str
    client: httpx.AsyncClient

    async def events(self) -> list[Listed]:
        """Fetch the list of events."""
        return [Listed.model_validate(event) for event in await self._get("/events")]

    async def capture(self, listed: Listed) -> dict[str, Any]:
        """Fetch an event with its odds, and convert it to a capture."""
        page = await self._get(f"/events/{listed.id}")
        fixture = {
            "sportradar_id": listed.sportradar_id,
            "name": f"{page['home']} - {page['away']}",
            "home_team": page["home"],
            "away_team": page["away"],
            "kickoff": utc(listed.kickoff),
        }
        sport = {"slug": "football", "name": "Football"}
        league = page["league"]
        odds = {"captured_at": page["at"], "markets": list(self._markets(page))}
        if self.slug == "betpawa":
            tournament = {"name": league["name"], "country": league["country"], "sport": sport}
            key = {"bookmaker": self.slug, "external_event_id": listed.id}
            return odds | {"event": fixture | key | {"tournament": tournament}}
        tournament = {"external_id": league["id"], "name": league["name"], "sport": sport}
        key = {"source": self.slug, "external_id": listed.id}
        return odds | {"competitor_event": fixture | key | {"tournament": tournament}}

    def _markets(self, page: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the markets that BetPawa has as well."""
        for market in page["markets"]:
            if market["id"] in MARKETS[self.slug]:
                market_id, name = MARKETS[self.slug][market["id"]]
                yield {
                    "betpawa_market_id": market_id,
                    "betpawa_market_name": name,
                    "line": market.get("line"),
                    "outcomes": [
                        {"name": name, "odds": odds, "is_active": odds is not None}
                        for name, odds in market["prices"].items()
                    ],
                }

    async def _get(self, path: str) -> Any:
        response = await self.client.get(path)
        response.raise_for_status()
        return response.json()
