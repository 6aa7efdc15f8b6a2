"""Wheels, and environments to install them into."""

import os
import subprocess
import sys
import venv
from pathlib import Path

from tests.support.paths import ROOT


class Environment:
    """A virtual environment, and an empty directory to run its programs in."""

    def __init__(self, directory: Path) -> None:
        self.bin = directory / "venv" / ("Scripts" if os.name == "nt" else "bin")
        self.empty = directory / "empty"
        self.empty.mkdir()
        venv.create(directory / "venv", with_pip=False)

    def install(self, *what: str | Path) -> None:
        """Install with pip, in the versions that were tested."""
        pip = [sys.executable, "-m", "pip", "--python", self.bin / "python", "install", "--quiet"]
        for constraints in (ROOT / "constraints.txt", ROOT / "docs/examples/constraints.txt"):
            pip += ["--constraint", constraints]
        done = subprocess.run([*pip, *what], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def run(
        self,
        *command: str,
        status: int = 0,
        url: str | None = None,
        directory: Path | None = None,
        path: Path | None = None,
    ) -> str:
        """The output of a program of the environment, which must end with `status`.

        `url` is its DATABASE_URL; `path` has modules that go before those that are installed.
        """
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment.pop("DATABASE_URL", None)
        if url is not None:
            environment["DATABASE_URL"] = url
        if path is not None:
            environment["PYTHONPATH"] = str(path)
        done = subprocess.run(
            [self.bin / command[0], *command[1:]],
            cwd=directory or self.empty,
            env=environment,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr


def built(source: Path, directory: Path) -> Path:
    """The wheel of a source tree."""
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", directory, source]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = directory.glob("*.whl")
    return wheel
