"""A server with TLS for all tests of connections."""

import shutil
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.tls_server import TLSServer, create_roles, tls_binaries, tls_server

Run = Callable[..., Any]


@pytest.fixture(scope="session")
def secured(run: Run) -> Iterator[TLSServer]:
    """Start a server with TLS, whose roles need passwords."""
    if (
        sys.platform != "linux"  # any address of 127.0.0.0/8 is local
        or tls_binaries() is None
        or shutil.which("openssl") is None
    ):
        pytest.skip("needs Linux, a PostgreSQL of Debian's and the program openssl")
    with tls_server() as server:
        run(create_roles(server))
        yield server
