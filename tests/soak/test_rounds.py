"""A short soak: a round of each kind."""

import logging
from collections.abc import Iterator

import pytest

from tests.soak.rounds import run_round
from tests.soak.scenario import KINDS
from tests.support.crashing_server import Server, crashing_server

SEED, WRITERS = 1, 3


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Start a server that a round may kill."""
    with crashing_server() as server:
        yield server


@pytest.mark.sampled(1)
@pytest.mark.parametrize("number", range(len(KINDS)), ids=[kind.name for kind in KINDS])
def test_round(server: Server, number: int, caplog: pytest.LogCaptureFixture) -> None:
    """Beside kills, cuts, prunes, migrations and late captures, every instant is as the model's."""
    caplog.set_level(logging.CRITICAL)  # each cut connection is logged
    figures = run_round(server, SEED, number, WRITERS)
    assert figures.differences == 0
    assert figures.instants > 500
    assert figures.prunes > 0
    kind = KINDS[number]
    assert (figures.kills > 0, figures.cuts > 0) == (kind.kills, kind.cuts)
    assert (figures.crashes > 0, figures.migrations > 0) == (kind.crashes, kind.migrations)
    assert (figures.stopped_backends > 0, figures.conditions > 0) == (kind.hangs, kind.hangs)
