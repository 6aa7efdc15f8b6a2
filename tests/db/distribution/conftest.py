"""A coordinator of Citus with two worker nodes, where the tests are told where Citus is."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.citus import CitusCluster, citus_cluster

Run = Callable[..., Any]


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[CitusCluster]:
    """Start a cluster, which the tests of a run share; each has schemas of its own."""
    given = request.config.getoption("--citus")
    if not given or not Path(given).is_dir():
        pytest.skip(
            "NO CITUS: --citus DIRECTORY (or ODDSSCHEMA_CITUS) names the programs of a PostgreSQL "
            "that has it; these tests start the servers"
        )
    with citus_cluster(Path(given)) as started:
        yield started
