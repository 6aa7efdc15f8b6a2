"""The two sides: BetPawa's pair of tables of odds, and the competitors'."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Side:
    """BetPawa's pair of tables, or the competitors'."""

    snapshots: str
    markets: str
    #: The column that holds the event, in both tables.
    event: str
    #: Whether an event's snapshots are those of one bookmaker among others.
    by_bookmaker: bool

    def sql(self, template: str, bookmaker: str = "") -> str:
        """A statement on these tables; `bookmaker` is the parameter that holds its id."""
        condition = f"AND s.bookmaker_id = {bookmaker}" if self.by_bookmaker else ""
        return template.format(
            snapshots=self.snapshots, markets=self.markets, event=self.event, bookmaker=condition
        )

    def arguments(self, bookmaker_id: int | None) -> list[int | None]:
        """What the parameter of `sql` is given."""
        return [bookmaker_id] if self.by_bookmaker else []


COMPETITORS = Side(
    "competitor_odds_snapshots", "competitor_market_odds", "competitor_event_id", False
)
BETPAWA = Side("odds_snapshots", "market_odds", "event_id", True)
