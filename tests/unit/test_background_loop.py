"""Calls to the background event loop end, whatever interrupts them."""

import gc
import subprocess
import sys
import threading
import time
import weakref
from functools import partial
from typing import Any

from oddsschema.sync.background_loop import BackgroundLoop, loop_of_process

#: A program that a signal interrupts at random moments, while the loop is busy.
INTERRUPTED = """
import asyncio, random, signal, time
from oddsschema.sync.background_loop import loop_of_process

class Interruption(BaseException):
    pass

def interrupt(*_):
    raise Interruption

async def busy():
    end = time.perf_counter() + random.random() * 0.0003
    while time.perf_counter() < end:
        pass
    await asyncio.sleep(0)

signal.signal(signal.SIGALRM, interrupt)
random.seed(0)
loop = loop_of_process()
interruptions = 0
end = time.monotonic() + 2
while time.monotonic() < end:
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, 1e-6 + random.random() * 0.0008)
            loop.call(busy)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except Interruption:
        interruptions += 1
assert interruptions > 100
"""

#: A program that is interrupted before the loop, which is busy, begins to close a context manager.
INTERRUPTED_EXIT = """
import signal, threading, time
from contextlib import asynccontextmanager
from oddsschema.sync.background_loop import loop_of_process

@asynccontextmanager
async def opening():
    try:
        yield
    finally:
        closed.append(True)

async def busy():
    is_busy.set()
    time.sleep(1)

closed, is_busy, loop = [], threading.Event(), loop_of_process()
try:
    with loop.opened(opening()):
        threading.Thread(target=loop.call, args=[busy], daemon=True).start()
        is_busy.wait()
        threading.Timer(0.2, signal.raise_signal, [signal.SIGINT]).start()
except KeyboardInterrupt:
    assert closed
else:
    raise AssertionError("was not interrupted")
"""

#: A program in which a task that no thread waits for calls `sys.exit`.
EXIT_OF_A_TASK = """
import asyncio, sys
from oddsschema.sync.background_loop import loop_of_process

async def work():
    async def end():
        sys.exit(3)

    await asyncio.wait([asyncio.create_task(end())])
    await asyncio.sleep(60)

loop_of_process().call(work)
"""

#: A program that ends with an open context manager, which needs the address of a host at its end.
OPEN_AT_THE_END = """
import asyncio
from contextlib import asynccontextmanager
from oddsschema.sync.background_loop import loop_of_process

@asynccontextmanager
async def opening():
    try:
        yield
    finally:
        print(await asyncio.get_running_loop().getaddrinfo("localhost", 5432))

opened = loop_of_process().opened(opening())
opened.__enter__()
"""


def end_of(program: str) -> tuple[int, str]:
    """Run a program, and return its exit code and all that it has printed."""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    return ended.returncode, ended.stdout + ended.stderr


def test_interruptions() -> None:
    """A call that is interrupted at any moment ends."""
    code, printed = end_of(INTERRUPTED)
    assert code == 0, printed


def test_interruption_before_the_exit() -> None:
    """A context manager is closed if Ctrl-C comes before the loop has begun to close it."""
    code, printed = end_of(INTERRUPTED_EXIT)
    assert code == 0, printed


def test_exit_of_a_task() -> None:
    """An exit in a task of the loop's own ends the program, with its code."""
    code, printed = end_of(EXIT_OF_A_TASK)
    assert code == 3, printed


def test_lookup_at_the_end() -> None:
    """A context manager that is closed at the end of the program can open connections to hosts."""
    code, printed = end_of(OPEN_AT_THE_END)
    assert code == 0 and "5432" in printed and "Error" not in printed, printed


def test_call_at_the_end() -> None:
    """A call that the loop has not begun when it ends is an error in the thread that waits."""
    loop, is_busy, errors = BackgroundLoop(), threading.Event(), list[str]()

    async def busy() -> None:
        is_busy.set()
        time.sleep(0.5)  # noqa: ASYNC251  # the loop is to be blocked

    async def late() -> None:
        raise AssertionError

    def call_late() -> None:
        try:
            loop.call(late)
        except RuntimeError as error:
            errors.append(str(error))

    threads = [
        threading.Thread(target=call, daemon=True) for call in (partial(loop.call, busy), call_late)
    ]
    threads[0].start()
    is_busy.wait()
    threads[1].start()
    time.sleep(0.1)
    loop.close()
    for thread in threads:
        thread.join(10)
    assert errors == ["the background event loop was closed: the program ends"]


class Payload:
    """An object that can be referred to weakly."""


def test_memory() -> None:
    """The arguments of a call are released at its end, without a collection of garbage."""

    async def work(payload: Any, *, fails: bool) -> None:
        if fails:
            raise LookupError

    payloads: list[weakref.ref[Payload]] = []
    gc.collect()
    gc.disable()
    try:
        for fails in (False, True):
            payload = Payload()
            payloads.append(weakref.ref(payload))
            try:
                loop_of_process().call(work, payload, fails=fails)
            except LookupError:
                assert fails
            del payload
        # The loop's thread may hold the last task until its next step.
        loop_of_process().call(work, None, fails=False)
        assert [reference() for reference in payloads] == [None, None]
    finally:
        gc.enable()
