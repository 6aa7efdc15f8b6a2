"""The command `events`: the events that bookmakers list, and their number in each tournament."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import click

from oddsschema.cli.options import (
    json_option,
    read_from_database,
    read_slug,
    read_text,
    time_option,
    url_option,
)
from oddsschema.cli.output import align_left, align_right, cell_width, print_json, print_line
from oddsschema.queries import ListedEvent, ListedTournament, Matching
from oddsschema.queries.listing_reports import (
    ListedEventList,
    ListedTournamentList,
    read_events,
    read_listed_tournaments,
    selected_events,
)

_COUNTS = ("events", *(matching.value for matching in Matching))


@click.command()
@click.argument("text", default="", callback=read_text)
@click.option("--sport", metavar="SLUG", help="Only events of this sport: football.")
@click.option(
    "--tournament",
    default="",
    callback=read_text,
    metavar="TEXT",
    help="Only events of a tournament with these words in its name or country.",
)
@click.option("--bookmaker", callback=read_slug, metavar="SLUG", help="Only events that it lists.")
@time_option(
    *("--from", "kickoff_from"),
    help="Only kickoffs at this time or later (UTC). The default is now.",
)
@time_option(
    *("--to", "kickoff_until"),
    help="Only kickoffs before this time (UTC): 2024-01-09T12:00.",
)
@click.option("--unmatched", is_flag=True, help="Only events that one side lists alone.")
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
    "-n",
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Number of events, or of tournaments.",
)
@click.option("--by-tournament", is_flag=True, help="Count the events of each tournament.")
@json_option("ListedEventList", "ListedTournamentList")
@url_option
def events(
    text: str,
    sport: str | None,
    tournament: str,
    bookmaker: str | None,
    kickoff_from: datetime | None,
    kickoff_until: datetime | None,
    unmatched: bool,
    matching: tuple[str, ...],
    least_bookmakers: int,
    limit: int,
    by_tournament: bool,
    as_json: bool,
    url: str | None,
) -> None:
    """Print the events that bookmakers list, in the order of their kickoffs (UTC).

    TEXT finds events by words, or parts of words, of the names of teams, tournament and country, at
    any bookmaker; accents and case make no difference. It may also be a SportRadar id (66457014 or
    sr:match:66457014), or the id of an event of BetPawa.

    One line for each: the kickoff, the SportRadar id, the sides that list it, the bookmakers, the
    name and the tournament. With --by-tournament, one line for each tournament, the largest first.
    """
    sides = [Matching(value) for value in matching]
    if unmatched:
        if sides:
            raise click.UsageError("--unmatched and --matching exclude each other")
        sides = [Matching.BETPAWA_ONLY, Matching.COMPETITOR_ONLY]
    among = selected_events(
        text,
        sport=sport,
        tournament=tournament,
        bookmaker=bookmaker,
        matching=sides,
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
        report = read_from_database(url, lambda connection: read_events(connection, among, limit))
        lines = _event_lines(report.root)
    if text and kickoff_from is None and not report.root:
        print_line("no such event starts from now on: --from TIME finds earlier ones", err=True)
    if as_json:
        print_json(report)
        return
    for line in lines:
        print_line(line)


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
