"""Virtual environments, and wheels to install into them."""

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

    def install(self, *requirements: str | Path) -> None:
        """Install packages with pip, in the tested versions."""
        pip = [sys.executable, "-m", "pip", "--python", self.bin / "python", "install", "--quiet"]
        for constraints in (ROOT / "constraints.txt", ROOT / "docs/examples/constraints.txt"):
            pip += ["--constraint", constraints]
        done = subprocess.run([*pip, *requirements], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def run(
        self,
        *command: str,
        status: int = 0,
        url: str | None = None,
        directory: Path | None = None,
        path: Path | None = None,
    ) -> str:
        """Run a program of the environment and return its output.

        `status` is the expected exit code, `url` the DATABASE_URL. `path` holds modules that take
        precedence over installed modules.
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
    """Build the wheel of a source tree."""
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", directory, source]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = directory.glob("*.whl")
    return wheel
