"""The command `listings`: the events that bookmakers list, and their number in each tournament."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import click

from oddsschema.cli.options import json_option, read_from_database, read_slug, url_option
from oddsschema.cli.output import align_left, align_right, cell_width, print_json, print_line
from oddsschema.queries import ListedEvent, ListedTournament, Matching
from oddsschema.queries.listing_reports import (
    ListedEventList,
    ListedTournamentList,
    read_listed_tournaments,
    read_listings,
    selected_listings,
)

_COUNTS = ("events", *(matching.value for matching in Matching))


def _read_time(
    _ctx: click.Context, _param: click.Parameter, value: datetime | None
) -> datetime | None:
    return None if value is None else value.replace(tzinfo=UTC)


_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


@click.command()
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Number of events, or of tournaments.",
)
@click.option("--bookmaker", callback=read_slug, metavar="SLUG", help="Only events that it lists.")
@click.option(
    "--matching",
    type=click.Choice([matching.value for matching in Matching]),
    multiple=True,
    help="Only events that both sides list, or that one of them lists alone. Repeatable.",
)
@click.option(
    "--least-bookmakers",
    type=click.IntRange(min=1),
    default=1,
    metavar="NUMBER",
    help="Only events that so many bookmakers list, or more.",
)
@click.option(
    "--kickoff-from",
    type=_TIME,
    callback=_read_time,
    metavar="TIME",
    help="Only events that start at this time or later (UTC): 2024-01-09T12:00. The default is "
    "now.",
)
@click.option(
    "--kickoff-until",
    type=_TIME,
    callback=_read_time,
    metavar="TIME",
    help="Only events that start before this time (UTC).",
)
@click.option("--by-tournament", is_flag=True, help="Count the events of each tournament.")
@json_option("ListedEventList", "ListedTournamentList")
@url_option
def listings(
    limit: int,
    bookmaker: str | None,
    matching: tuple[str, ...],
    least_bookmakers: int,
    kickoff_from: datetime | None,
    kickoff_until: datetime | None,
    by_tournament: bool,
    as_json: bool,
    url: str | None,
) -> None:
    """Print the events that bookmakers list, in the order of their kickoffs (UTC).

    One line for each: the kickoff, the SportRadar id, the sides that list it, the bookmakers, the
    name and the tournament. With --by-tournament, one line for each tournament, the largest first.
    """
    among = selected_listings(
        bookmaker=bookmaker,
        matching=[Matching(value) for value in matching],
        least_bookmakers=least_bookmakers,
        kickoff_from=kickoff_from or datetime.now(UTC),
        kickoff_until=kickoff_until,
    )
    report: ListedEventList | ListedTournamentList
    if by_tournament:
        report = read_from_database(
            url, lambda connection: read_listed_tournaments(connection, among, limit)
        )
        lines = _tournament_lines(report.root)
    else:
        report = read_from_database(url, lambda connection: read_listings(connection, among, limit))
        lines = _event_lines(report.root)
    if as_json:
        print_json(report)
        return
    for text in lines:
        print_line(text)


def _event_lines(events: Sequence[ListedEvent]) -> Iterator[str]:
    rows = [
        (
            f"{event.kickoff:%Y-%m-%d %H:%M}",
            event.sportradar_id,
            _words(event.matching),
            " ".join(event.bookmakers),
            event.name,
            f"{event.country}, {event.tournament}",
        )
        for event in events
    ]
    widths = _widths(rows)
    for row in rows:
        yield "  ".join(map(align_left, row, widths)).rstrip()


def _tournament_lines(tournaments: Sequence[ListedTournament]) -> Iterator[str]:
    if not tournaments:
        return
    rows = [
        (*map(_words, _COUNTS), "tournament"),
        *(
            (
                *(f"{getattr(tournament, name):,}" for name in _COUNTS),
                f"{tournament.country}, {tournament.tournament} ({tournament.sport})",
            )
            for tournament in tournaments
        ),
    ]
    *widths, _ = _widths(rows)
    for *counts, name in rows:
        yield "  ".join([*map(align_right, counts, widths), name])


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(cell_width, column)) for column in zip(*rows, strict=True)]


def _words(value: str) -> str:
    return value.replace("_", " ")
