"""A writer: a process that delivers its script, and starts again when it is killed."""

import asyncio
import json
import logging
import multiprocessing
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any, NamedTuple

from oddsschema import IngestOptions, ingest
from tests.soak.scenario import Script

#: The time for the server's answer. Only a round of hangs has longer waits.
ANSWER_WITHIN = timedelta(seconds=2)

#: A server that has imported this module starts a process in milliseconds.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__, "tests.soak.hangs"])


class Answer(NamedTuple):
    """The answer of a writer to one delivery."""

    delivery: int
    batch_id: int
    stored: int
    known: int
    refused: int
    retries: int
    #: The error that ended a run or the ingestion; its class first.
    error: str | None


def _write(url: str, script: Script, answers: "Connection[Answer, Any]") -> None:
    logging.disable()  # each refused market and each retry
    asyncio.run(_deliver(url, script, answers))


async def _deliver(url: str, script: Script, answers: "Connection[Answer, Any]") -> None:
    for number, delivery in enumerate(script):
        captures: list[Any] = delivery.captures
        if number % 2:
            captures = [json.dumps(each, default=lambda at: at.isoformat()) for each in captures]
        options = IngestOptions(**delivery.options, answer_within=ANSWER_WITHIN)
        try:
            report = await ingest(url, captures, options=options)
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            answers.send(Answer(number, 0, 0, 0, 0, 0, text))
            return
        total = report.total
        error_of_run = next((run.error for run in report.runs if run.error), None)
        if total.captures_lost and error_of_run is None:
            error_of_run = f"Lost: {total.captures_lost} captures"
        answers.send(
            Answer(
                number,
                report.batch_id,
                total.captures_stored,
                total.captures_known,
                total.captures_refused,
                report.retries,
                error_of_run,
            )
        )
        if error_of_run is not None:
            return


class Writer:
    """The process that delivers a script, and the answers that it has given."""

    def __init__(self, url: str, script: Script) -> None:
        self._url = url
        self._script = script
        self._process: ForkServerProcess | None = None

    async def deliver(self, take: Any) -> str | None:
        """Run a process, pass each answer to `take`, and return its error; "killed" of a kill."""
        answers, sending = PROCESSES.Pipe(duplex=False)
        process = PROCESSES.Process(
            target=_write, args=(self._url, self._script, sending), daemon=True
        )
        process.start()
        sending.close()
        self._process = process
        error = None
        try:
            while True:
                is_over = not process.is_alive()
                try:
                    while answers.poll():
                        answer = answers.recv()
                        take(answer)
                        error = answer.error
                except (EOFError, OSError):
                    pass
                if is_over:
                    break
                await asyncio.sleep(0.02)
        finally:
            process.kill()
            process.join()
            answers.close()
        return error if process.exitcode == 0 else error or "killed"

    def kill(self) -> bool:
        """Send SIGKILL to the process; return whether it was running."""
        if self._process is None or not self._process.is_alive():
            return False
        self._process.kill()
        return True
