"""The file of rejects: refused captures, which can be corrected and ingested again."""

import json
import os
import stat
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Self

import click

from oddsschema.cli.output import escape, print_line
from oddsschema.ingestion import Refusal, reject

_GZIP = b"\x1f\x8b"


class RejectsFile(AbstractContextManager["RejectsFile"]):
    """A file to which refused captures are appended, one a line.

    It is opened, and created, at the first refusal; a named pipe is opened at the beginning.
    Nothing in it is ever overwritten. Each line is written at once, so that several ingestions may
    share the file. The file may be a pipe or standard output.
    """

    def __init__(self, path: Path, inputs: Iterable[str]) -> None:
        if path == Path("-") and sys.stdout is None:
            raise _bad("standard output is closed: give a file or a pipe")
        self._path = Path("/dev/stdout") if path == Path("-") else path
        self._descriptor: int | None = None
        #: The file opened for reading its end; None for pipes and devices, which have none.
        self._end: int | None = None
        self._has_failed = False
        check_output(self._path, inputs)

    def __enter__(self) -> Self:
        # A named pipe waits for its reader: Ctrl-C ends this wait only before the ingestion.
        if self._path.is_fifo():
            self._open()
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in (self._descriptor, self._end):
            if descriptor is not None:
                os.close(descriptor)

    def write(self, refusal: Refusal) -> None:
        """Append the reject of a refusal.

        After an error, which is printed, no more rejects are written. The ingestion continues:
        accepted captures are worth more than copies of refused ones.
        """
        if self._has_failed:
            return
        # The escapes are JSON's: each text keeps its value.
        line = escape(json.dumps(reject(refusal), ensure_ascii=False, default=str)).encode() + b"\n"
        try:
            if self._descriptor is None:
                self._open()
            self._write(line)
        except OSError as error:
            self._has_failed = True
            print_line(
                f"error: {self._path}: {error.strerror}: the reject of {refusal.file}:"
                f"{refusal.line} and those after it are not written there. The ingestion "
                "continues. Ingest the same captures again, with another file for the rejects: "
                "captures that are stored are not stored twice",
                err=True,
            )

    def _open(self) -> None:
        self._descriptor = _open_for_appending(self._path)
        if stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            self._end = os.open(self._path, os.O_RDONLY)

    def _write(self, line: bytes) -> None:
        assert self._descriptor is not None
        if self._end is not None:
            size = os.fstat(self._end).st_size
            if size and os.pread(self._end, 1, size - 1) != b"\n":
                line = b"\n" + line  # a full disk has cut the last line
        # All of it in one call, unless the disk is full: the next call then raises the error.
        while line:
            line = line[os.write(self._descriptor, line) :]


def check_output(path: Path, inputs: Iterable[str]) -> None:
    """Check that rejects can be appended to a file that is none of the inputs.

    The file is neither created nor changed. Raises click.BadParameter.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        # The target of a symbolic link may be missing.
        directory = Path(os.path.realpath(path)).parent
        if not directory.is_dir():
            raise _bad(f"{directory} is no directory: create it") from None
        if not os.access(directory, os.W_OK | os.X_OK):
            raise _bad(f"no file can be created in {directory}: permission denied") from None
        return
    except OSError as error:
        raise _bad(f"{path}: {error.strerror}") from error
    if stat.S_ISREG(found.st_mode) or stat.S_ISFIFO(found.st_mode):
        for name in inputs:
            given = os.fstat(sys.stdin.fileno()) if name == "-" else Path(name).stat()
            if os.path.samestat(found, given):
                of_input = "standard input" if name == "-" else f"the input {name}"
                raise _bad(f"{path} is {of_input}: give another file")
    if stat.S_ISREG(found.st_mode):
        with path.open("rb") as file:
            if file.read(len(_GZIP)) == _GZIP:
                raise _bad(f"{path} is compressed, and lines cannot be appended: give another file")


def _open_for_appending(path: Path) -> int:
    for standard in (1, 2):
        # The file may be missing, and the standard output or error closed.
        with suppress(OSError):
            found = path.stat()
            if os.path.samestat(found, os.fstat(standard)):
                # Opened again, a file would have two positions: later output would be written over
                # the rejects. A pipe whose reader has ended would wait for another one.
                return os.dup(standard)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)


def _bad(reason: str) -> click.BadParameter:
    return click.BadParameter(reason, param_hint="--rejects")
