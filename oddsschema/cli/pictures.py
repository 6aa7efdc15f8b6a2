"""The price history of markets as a picture, drawn by matplotlib."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from itertools import cycle
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

from oddsschema.cli.markets import (
    all_labels,
    grouped,
    listing_names,
    listing_order,
    market_order,
    market_title,
    outcomes_by_label,
)
from oddsschema.cli.output import escape_cell
from oddsschema.cli.price_changes import state_of
from oddsschema.errors import MissingExtraError, PlotError
from oddsschema.queries.event_reports import MarketPoint


def new_figure() -> Any:
    """Create an empty picture. Raises MissingExtraError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError(package="matplotlib", extra="plot") from None
    return Figure(layout="constrained")


@contextmanager
def plain_texts() -> Iterator[None]:
    """Draw and save pictures whose texts are shown as they are.

    matplotlib takes `$...$` in a name for a formula otherwise.
    """
    from matplotlib import rc_context

    with rc_context({"text.parse_math": False, "text.usetex": False}), catch_warnings():
        # The font of a name is the reader's in an SVG, and a box in other formats.
        simplefilter("ignore", UserWarning)
        yield


def draw(figure: Any, title: str, points: Sequence[MarketPoint]) -> None:
    """Draw a panel for each market: a colour for each outcome, a line style for each bookmaker.

    Prices are steps. A dot marks a change and the last capture; a gap marks a time without a price.
    Names are escaped as on a terminal, since XML has no control characters.
    """
    from matplotlib import dates

    markets = grouped(points, key=market_order)
    figure.set_size_inches(10, 1 + 3.5 * len(markets))
    figure.suptitle(escape_cell(title))
    names = listing_names(points)
    styles = dict(zip(names, cycle(["-", "--", ":", "-."]), strict=False))
    panels = figure.subplots(len(markets), squeeze=False, sharex=True)[:, 0]
    for axes, of_market in zip(panels, markets, strict=True):
        labels = all_labels(map(outcomes_by_label, of_market))
        colours = {label: f"C{number}" for number, label in enumerate(labels)}
        names_of_lines = []
        for of_listing in grouped(of_market, key=listing_order):
            listing = listing_order(of_listing[0])
            states = [state_of(point) for point in of_listing]
            for label in all_labels(map(outcomes_by_label, of_listing)):
                prices = [state.get(label) for state in states]
                axes.step(
                    [point.at for point in of_listing],
                    [float("nan") if price is None else price for price in prices],
                    where="post",
                    color=colours[label],
                    linestyle=styles[listing],
                    marker=".",
                )
                names_of_lines.append(f"{label}, {names[listing]}")
        axes.set(title=escape_cell(market_title(of_market[0])), ylabel="decimal odds")
        axes.grid(alpha=0.3)
        legend = axes.legend(
            # matplotlib leaves out lines whose names begin with an underscore.
            axes.lines,
            [str(number) for number in range(len(names_of_lines))],
            loc="center left",
            bbox_to_anchor=(1, 0.5),
            frameon=False,
        )
        for text, name in zip(legend.get_texts(), names_of_lines, strict=True):
            text.set_text(escape_cell(name))
    untyped: Any = dates
    locator = untyped.AutoDateLocator()
    panels[-1].xaxis.set_major_locator(locator)
    panels[-1].xaxis.set_major_formatter(untyped.ConciseDateFormatter(locator))
    panels[-1].set_xlabel("UTC")


def save(figure: Any, path: Path) -> None:
    """Write a picture to a file, which an error of the drawing leaves as it was.

    Raises PlotError for a wrong directory or format.
    """
    from matplotlib import rc_context

    picture = BytesIO()
    try:
        # Keeps the text of an SVG searchable.
        with rc_context({"svg.fonttype": "none"}):
            figure.savefig(picture, format=path.suffix.removeprefix(".") or "svg")
        path.write_bytes(picture.getvalue())
    except (OSError, ValueError) as error:
        raise PlotError(path=str(path), reason=str(error)) from error
