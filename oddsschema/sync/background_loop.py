"""The background event loop of synchronous programs: a thread of the process runs it.

It starts with the first call, and ends with the process. A forked child starts a loop of its own.
"""

import asyncio
import atexit
import contextvars
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial
from queue import SimpleQueue
from typing import Any, Generic, ParamSpec, TypeVar, cast

from oddsschema.ingestion.callers import CALLER

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")
_Value = TypeVar("_Value")

_log = logging.getLogger(__name__)


class BackgroundLoop:
    """An event loop in a thread of its own, and the calls of other threads to it."""

    def __init__(self) -> None:
        #: Whether the thread is the parent's of this process, and does not exist here.
        self.is_inherited = False
        #: The context managers that are open, in the order of their opening.
        self._open: dict[AbstractAsyncContextManager[Any], None] = {}
        #: The calls that threads wait for.
        self._calls: set[_Call[Any]] = set()
        started: SimpleQueue[asyncio.AbstractEventLoop] = SimpleQueue()
        self._thread = threading.Thread(
            target=self._serve, args=(started,), name="oddsschema", daemon=True
        )
        self._thread.start()
        self._loop = started.get()

    def call(
        self,
        work: Callable[_Parameters, Awaitable[_Result]],
        *args: _Parameters.args,
        **kwargs: _Parameters.kwargs,
    ) -> _Result:
        """Run a coroutine on the loop, and wait for its result.

        Ctrl-C in the waiting thread, or any other exception of a signal's, cancels the coroutine.
        It is raised after the end of the coroutine. Raises the errors of the coroutine, and
        RuntimeError on the thread of the loop itself and after a fork.
        """
        if self.is_inherited:
            raise RuntimeError(
                "this batch was opened before the process was forked, and belongs to the parent "
                "process: open a batch in this process"
            )
        if threading.current_thread() is self._thread:
            raise RuntimeError(
                "a callback, or other code on the background event loop, cannot wait for this "
                "loop: call oddsschema.sync on a thread of the program"
            )
        call: _Call[_Result] = _Call(self._loop)
        self._calls.add(call)
        try:
            return call.result_of(partial(work, *args, **kwargs))
        finally:
            self._calls.discard(call)

    @contextmanager
    def opened(self, context: AbstractAsyncContextManager[_Value]) -> Iterator[_Value]:
        """Open an asynchronous context manager meanwhile."""
        value = self._enter(context)
        try:
            yield value
        except BaseException as error:
            if not self._exit(context, error):
                raise
        else:
            self._exit(context)

    def _enter(self, context: AbstractAsyncContextManager[_Value]) -> _Value:
        async def enter() -> _Value:
            value = await context.__aenter__()
            self._open[context] = None
            return value

        try:
            return self.call(enter)
        except BaseException as error:
            # Ctrl-C can come after the context manager has been opened.
            if context in self._open:
                self._exit(context, error)
            raise

    def _exit(
        self, context: AbstractAsyncContextManager[Any], error: BaseException | None = None
    ) -> bool | None:
        """Close a context manager. Return whether it suppresses the error."""
        # After the end of the program, or in a forked child, there is nothing to close.
        if self.is_inherited or context not in self._open:
            return None

        async def leave() -> bool | None:
            del self._open[context]
            if error is None:
                return await context.__aexit__(None, None, None)
            return await context.__aexit__(type(error), error, error.__traceback__)

        try:
            return self.call(leave)
        except BaseException as interruption:
            # Ctrl-C can come before the context manager has begun to close.
            if context in self._open:
                self._exit(context, interruption)
            raise

    def close(self) -> None:
        """Close what is open, as after an interruption, and end the loop."""
        for context in reversed(list(self._open)):
            try:
                self._exit(context, asyncio.CancelledError())
            except Exception:
                _log.exception("a batch that was open at the end of the program failed to close")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self, started: SimpleQueue[asyncio.AbstractEventLoop]) -> None:
        loop = asyncio.new_event_loop()
        loop.set_default_executor(_Lookups())
        started.put(loop)
        while True:
            try:
                loop.run_forever()
                break
            except (KeyboardInterrupt, SystemExit) as error:
                # asyncio ends the loop for `sys.exit` in a callback. The threads of the program
                # would wait for ever.
                _log.error("a callback ends the program", exc_info=error)
                for call in self._calls.copy():
                    call.interrupt(error)
        # Not asyncio.Runner: it starts a thread at its end, when Python 3.12 starts none any more.
        for task in (tasks := asyncio.all_tasks(loop)):
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        for call in self._calls.copy():
            call.wake()


class _Lookups(ThreadPoolExecutor):
    """The threads in which the loop looks up host names."""

    def submit(self, work: Callable[..., _Value], /, *args: Any, **kwargs: Any) -> "Future[_Value]":
        """Look up a name, also when Python ends and starts no work in threads any more.

        To close an open batch can take new connections.
        """
        try:
            return super().submit(work, *args, **kwargs)
        except RuntimeError:
            done: Future[_Value] = Future()
            try:
                done.set_result(work(*args, **kwargs))
            except Exception as error:
                done.set_exception(error)
            return done


# -- calls -----------------------------------------------------------------------------------------


class _Call(Generic[_Result]):
    """A task on the loop, and the thread that waits for it and answers its requests."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        #: The requests for the waiting thread.
        self._requests: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._task: asyncio.Task[None] | None = None
        self._has_begun = self._has_ended = False
        self._results: list[_Result] = []
        self._error: BaseException | None = None

    def result_of(self, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """Start the task, answer its requests, and return its result.

        Each exception that a signal raises in this thread cancels the task, as Ctrl-C does in
        asyncio. The last one is raised after the end of the task.
        """
        context = contextvars.copy_context()
        context.run(CALLER.set, threading.current_thread())
        context.run(_CALL.set, self)
        # A signal can raise its exception after any call, also of `get`, and a request is lost then
        # (the start and the end, too). Therefore, nothing below depends on a single request.
        self._requests.put(
            partial(self._loop.call_soon_threadsafe, self._start, work, context=context)
        )
        interruption: BaseException | None = None
        cancelled: BaseException | None = None
        try:
            while not (self._has_ended or self._loop.is_closed()):
                try:
                    if interruption is not cancelled:
                        self._loop.call_soon_threadsafe(self._cancel)
                        cancelled = interruption
                    self._requests.get()()
                except BaseException as error:
                    interruption = error
            if interruption is not None:
                raise interruption
            if not self._has_ended or isinstance(self._error, asyncio.CancelledError):
                raise RuntimeError("the background event loop was closed: the program ends")
            if self._error is not None:
                raise self._error
            return self._results.pop()
        finally:
            # The traceback refers to this frame, and tasks to this call: cycles would keep
            # captures in memory.
            self._error = self._task = interruption = cancelled = None

    def interrupt(self, error: BaseException) -> None:
        """Raise an exception in the waiting thread, as a signal does."""

        def interrupt() -> None:
            raise error

        self._requests.put(interrupt)

    def wake(self) -> None:
        """Let the waiting thread look whether the call has ended."""
        self._requests.put(bool)  # does nothing

    async def ask(self, function: Callable[..., _Value], *args: Any) -> _Value:
        """Call a function in the waiting thread, and return its result."""
        answer: asyncio.Future[_Value] = self._loop.create_future()

        def give(deliver: Callable[[Any], None], value: Any) -> None:
            if not answer.done():
                deliver(value)

        def respond() -> None:
            try:
                result = function(*args)
            except Exception as error:
                self._loop.call_soon_threadsafe(give, answer.set_exception, error)
            else:
                self._loop.call_soon_threadsafe(give, answer.set_result, result)

        self._requests.put(respond)
        return await answer

    def _start(self, work: Callable[[], Awaitable[_Result]]) -> None:
        # Without callbacks at its end: each would be another step of the loop, which contends with
        # the waiting thread for the interpreter.
        self._task = self._loop.create_task(self._run(work))

    async def _run(self, work: Callable[[], Awaitable[_Result]]) -> None:
        if self._has_ended:
            return
        self._has_begun = True
        try:
            self._results.append(await work())
        except BaseException as error:
            # KeyboardInterrupt and SystemExit of a task would end the loop.
            self._end(error)
        else:
            self._end()

    def _cancel(self) -> None:
        if self._has_ended:
            return
        # A task that is cancelled before its first step would not run at all.
        if self._has_begun and self._task is not None:
            self._task.cancel()
        else:
            self._end(asyncio.CancelledError())

    def _end(self, error: BaseException | None = None) -> None:
        self._error = error
        self._has_ended = True
        self.wake()


#: The call that the current task serves.
_CALL: contextvars.ContextVar[_Call[Any]] = contextvars.ContextVar("_CALL")


async def in_calling_thread(function: Callable[..., _Value], *args: Any) -> _Value:
    """Call a function in the thread that waits for the current task; the loop goes on meanwhile."""
    return cast(_Value, await _CALL.get().ask(function, *args))


# -- the loop of the process -----------------------------------------------------------------------

_lock = threading.Lock()
_current: BackgroundLoop | None = None
#: The loops of parent processes. Their ends would unregister the parent's own sockets.
_inherited: list[BackgroundLoop] = []


def loop_of_process() -> BackgroundLoop:
    """Return the loop of this process; start it if there is none."""
    global _current
    with _lock:
        if _current is None:
            _current = BackgroundLoop()
        return _current


def _leave_to_parent() -> None:
    """Forget the loop in a forked child: its thread exists in the parent alone."""
    global _current, _lock
    _lock = threading.Lock()
    if _current is not None:
        _current.is_inherited = True
        _inherited.append(_current)
        _current = None


@atexit.register
def _close() -> None:
    if _current is not None:
        _current.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
