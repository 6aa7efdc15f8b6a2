"""The built wheel."""

from pathlib import Path

import pytest

from tests.support.environments import ROOT, built


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the checkout."""
    return built(ROOT, tmp_path_factory.mktemp("wheel"))
