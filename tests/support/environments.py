"""Virtual environments, and wheels to install into them."""

import os
import subprocess
import sys
from pathlib import Path

from uv import find_uv_bin

from tests.support.paths import ROOT


class Environment:
    """A virtual environment, and an empty directory to run its programs in."""

    def __init__(self, directory: Path) -> None:
        self.bin = directory / "venv" / ("Scripts" if os.name == "nt" else "bin")
        self.empty = directory / "empty"
        self.empty.mkdir()
        uv("venv", "--python", sys.executable, directory / "venv")

    def install(self, *requirements: str | Path) -> None:
        """Install packages in the tested versions."""
        constraints: list[str | Path] = []
        for path in (ROOT / "constraints.txt", ROOT / "docs/examples/constraints.txt"):
            constraints += ["--constraint", path]
        uv("pip", "install", "--compile-bytecode", *self._python, *constraints, *requirements)

    def uninstall(self, package: str) -> None:
        """Uninstall a package."""
        uv("pip", "uninstall", *self._python, package)

    @property
    def _python(self) -> tuple[str, Path]:
        return "--python", self.bin / "python"

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
    uv("build", "--wheel", "--out-dir", directory, source)
    (wheel,) = directory.glob("*.whl")
    return wheel


def uv(*command: str | Path) -> None:
    """Run uv. Its output is part of the error if it fails."""
    done = subprocess.run(
        [find_uv_bin(), "--quiet", *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
