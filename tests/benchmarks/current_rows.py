"""Reads against a table of current rows: `python tests/benchmarks/current_rows.py [--json]`.

The rival is bare SQL on a table with a row for each market on offer, and on a table of the changes
of prices, each with its index. It has to write both at each scrape; the package has neither. Each
read is prepared, on a direct connection, in turns: the records of asyncpg from the rival's tables,
the same with decoded outcomes, records of the package's select, plain rows, and objects of a
session.

The output is the least wall time, the least CPU time of the client and of the server, and the
ratio of their sum to the rival's with decoded outcomes. The CPU times are those that other programs
disturb least; the server's are those of Linux. The server is an embedded one, with 500 events of
three platforms.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import ARRAY, Integer, String, bindparam, func
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from oddsschema import create_engine, migrations, queries
from oddsschema.database.literals import sql_with_literals
from oddsschema.database.statements import compile_select
from oddsschema.embedded import EmbeddedPostgres
from oddsschema.queries import Offer, PricePoint
from tests.support import bulk_history

EVENTS = 500
ROWS = 300_000

# The tables of the rival, and their indexes.
_TABLES = """
CREATE TABLE current_rows AS {offers};
ALTER TABLE current_rows ALTER outcomes TYPE jsonb USING outcomes::jsonb;
CREATE INDEX ON current_rows (competitor_event_id, betpawa_market_id);
CREATE TABLE price_changes AS {history};
ALTER TABLE price_changes ALTER outcomes TYPE jsonb USING outcomes::jsonb;
CREATE INDEX ON price_changes (competitor_event_id, betpawa_market_id, at);
"""

_EVENT = col(Offer.competitor_event_id) == bindparam("event", type_=Integer)
_EVENTS = col(Offer.competitor_event_id) == func.any(bindparam("events", type_=ARRAY(Integer)))
_MARKETS = col(Offer.betpawa_market_id) == func.any(bindparam("markets", type_=ARRAY(String)))

MARKETS = ["3743", "3750", "3760"]

#: The reads: the select of the package, the rival's, and the arguments of both.
READS: dict[str, tuple[Any, str, Callable[[int], dict[str, Any]]]] = {
    "one event": (
        queries.offers().where(_EVENT),
        "SELECT * FROM current_rows WHERE competitor_event_id = $1",
        lambda n: {"event": n},
    ),
    "50 events": (
        queries.offers().where(_EVENTS),
        "SELECT * FROM current_rows WHERE competitor_event_id = ANY ($1)",
        lambda n: {"events": [*range(n, n + 50)]},
    ),
    "three markets of 50 events": (
        queries.offers().where(_EVENTS, _MARKETS),
        "SELECT * FROM current_rows WHERE competitor_event_id = ANY ($1) "
        "AND betpawa_market_id = ANY ($2)",
        lambda n: {"events": [*range(n, n + 50)], "markets": MARKETS},
    ),
    "one history": (
        queries.price_history().where(
            col(PricePoint.competitor_event_id) == bindparam("event", type_=Integer),
            col(PricePoint.betpawa_market_id) == "3743",
        ),
        "SELECT * FROM price_changes WHERE competitor_event_id = $1 "
        "AND betpawa_market_id = '3743' ORDER BY at",
        lambda n: {"event": n},
    ),
}


async def fill(url: str) -> None:
    """Fill the package's tables, and the rival's from them."""
    await migrations.upgrade(url)
    connection = await asyncpg.connect(url)
    await bulk_history.fill(connection, ROWS, EVENTS)
    offers, history = map(sql_with_literals, (queries.offers(), queries.price_history()))
    await connection.execute(_TABLES.format(offers=offers, history=history))
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def fetch_decoded(connection: Any, text: str, arguments: Any) -> list[dict[str, Any]]:
    """Fetch the rival's rows as a program uses them: dicts, with outcomes from JSON."""
    return [
        {**record, "outcomes": json.loads(record["outcomes"])}
        for record in await connection.fetch(text, *arguments)
    ]


def spent_by(process: int) -> float:
    """Return the CPU seconds of a process, by Linux."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9


async def measure(url: str, rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """Return the least seconds of each way of each read, and their ratios to the rival's."""
    connection = await asyncpg.connect(url)
    engine = create_engine(url)
    found = {}
    async with AsyncSession(engine) as session:
        own: Any = await (await session.connection()).get_raw_connection()
        servers = [one.get_server_pid() for one in (connection, own.driver_connection)]
        for name, (statement, rival, arguments_of) in READS.items():
            taken = defaultdict(list)
            for number in range(1, rounds + 1):
                arguments = arguments_of(number)
                for way, read in ways_of(connection, session, statement, rival, arguments).items():
                    begin = time.perf_counter(), time.process_time(), sum(map(spent_by, servers))
                    rows = await read()
                    end = time.perf_counter(), time.process_time(), sum(map(spent_by, servers))
                    assert rows
                    taken[way].append(
                        [after - before for before, after in zip(begin, end, strict=True)]
                    )
            # PostgreSQL plans the first five executions of a prepared statement.
            least = {
                way: [min(times) for times in zip(*taken[way][6:], strict=True)] for way in taken
            }
            _, *spent = least["rival, decoded"]
            found[name] = {
                way: {
                    "wall": wall,
                    "client": client,
                    "server": server,
                    "ratio": (client + server) / sum(spent),
                }
                for way, (wall, client, server) in least.items()
            }
    await engine.dispose()
    await connection.close()
    return found


def ways_of(
    connection: Any, session: AsyncSession, statement: Any, rival: str, arguments: dict[str, Any]
) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Return the ways of a read."""
    select = compile_select(statement)

    async def objects() -> Any:
        return (await session.exec(statement, params=arguments)).all()

    return {
        "rival": lambda: connection.fetch(rival, *arguments.values()),
        "rival, decoded": lambda: fetch_decoded(connection, rival, arguments.values()),
        "records": lambda: connection.fetch(select.text, *select.arguments(arguments)),
        "rows": lambda: queries.fetch_rows(connection, statement, arguments),
        "dicts": lambda: queries.fetch_rows(connection, statement, arguments, as_dicts=True),
        "objects": objects,
    }


def main() -> None:
    """Parse arguments, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        Path(directory).chmod(0o711)  # as root, the server has another user
        with EmbeddedPostgres(Path(directory) / "server") as server:
            asyncio.run(fill(server.url))
            found = asyncio.run(measure(server.url, arguments.rounds))
    if arguments.json:
        print(json.dumps(found, indent=2))
        return
    for name, ways in found.items():
        print(f"{name:<28}{'wall, ms':>10}{'client':>9}{'server':>9}{'ratio':>7}")
        for way, times in ways.items():
            wall, client, server = (times[key] * 1e3 for key in ("wall", "client", "server"))
            print(f"  {way:<26}{wall:>10.2f}{client:>9.2f}{server:>9.2f}{times['ratio']:>7.2f}")


if __name__ == "__main__":
    main()
