"""Programs of an installed wheel, while a newer release upgrades the database."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from oddsschema.release import HEAD, PROGRAMS_FROM, Mark
from tests.support.environments import ROOT, Environment, built
from tests.support.sessions import execute

pytestmark = pytest.mark.wheel

PROGRAM = Path(__file__).with_name("rolling_program.py")

#: The revisions of the newer release: one that older programs live with, and one that they do not.
SERVING, REFUSING = "oddsschema_9001", "oddsschema_9002"

SCRIPT = """
from alembic import op

revision = "{revision}"
down_revision = "{previous}"
branch_labels = None
depends_on = None
programs_from = "{programs_from}"


def upgrade() -> None:
    op.execute("{change}")
    op.create_table_comment("sports", f"{{revision}} serves programs from {{programs_from}}")


def downgrade() -> None:
    raise NotImplementedError
"""

CHECK = "ck_competitor_odds_snapshots_unknown_markets"


def newer_release(directory: Path) -> Path:
    """Write the source of a release with both revisions."""
    source = directory / "source"
    leave = shutil.ignore_patterns(".*", "*.lock", "__pycache__", "docs", "tests", "build", "dist")
    shutil.copytree(ROOT, source, ignore=leave)
    for revision, previous, programs_from, change in (
        (SERVING, HEAD, PROGRAMS_FROM, "ALTER TABLE competitor_events ADD COLUMN venue text"),
        (
            REFUSING,
            SERVING,
            REFUSING,
            # A revision that older programs do not live with leaves a name out.
            f"ALTER TABLE competitor_odds_snapshots RENAME CONSTRAINT {CHECK} TO {CHECK}_9002",
        ),
    ):
        script = SCRIPT.format(
            revision=revision, previous=previous, programs_from=programs_from, change=change
        )
        (source / f"alembic/versions/{revision}.py").write_text(script)
    release = source / "oddsschema/release.py"
    text = release.read_text()
    text, heads = re.subn(r"(?m)^HEAD: Final = .*", f'HEAD: Final = "{REFUSING}"', text)
    text, oldest = re.subn(
        r"(?m)^PROGRAMS_FROM: Final = .*", f'PROGRAMS_FROM: Final = "{REFUSING}"', text
    )
    assert heads == oldest == 1
    release.write_text(text)
    return source


def last_tag(directory: Path) -> Path | None:
    """Return the source of the newest tag; None without a tag."""

    def git(*command: str | Path) -> str:
        done = subprocess.run(
            ["git", "-C", ROOT, *command], capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    tag = git("describe", "--tags", "--abbrev=0", "HEAD^")
    if not tag:
        return None
    archive = directory / "tag.tar"
    git("archive", "--output", archive, tag)
    shutil.unpack_archive(archive, directory / "tag")
    return directory / "tag"


@pytest.fixture(scope="module", params=["this commit", "last tag"])
def older(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    """Install the older release: this commit, and that of the last tag."""
    if request.param == "last tag":
        directory = tmp_path_factory.mktemp("tag")
        source = last_tag(directory)
        if source is None:
            pytest.skip("no tag yet")
        wheel = built(source, directory)
    environment = Environment(tmp_path_factory.mktemp("older"))
    environment.install(wheel)
    return environment


@pytest.fixture(scope="module")
def newer(older: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the newer release beside the older one."""
    directory = tmp_path_factory.mktemp("newer")
    wheel = built(newer_release(directory), directory)
    older.install("--target", directory / "packages", "--no-deps", wheel)
    return directory / "packages"


@contextmanager
def running(environment: Environment, url: str) -> Iterator["subprocess.Popen[str]"]:
    """Run the older release's program; its input ends at the end."""
    with subprocess.Popen(
        [environment.bin / "python", "-W", "error", PROGRAM],
        cwd=environment.empty,
        env={"DATABASE_URL": url, "PATH": "/usr/bin:/bin"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as program:
        try:
            yield program
        finally:
            program.kill()


def next_line(lines: IO[str], pattern: str) -> Any:
    """Read lines until one matches; a program that has ended fails the test."""
    read = []
    for line in lines:
        read.append(line)
        if found := re.search(pattern, line):
            return found
    raise AssertionError("".join(read))


def test_older_programs(older: Environment, newer: Path, empty_database: str) -> None:
    """They go on beside a revision that serves them, and stop at one that does not."""

    def run(*command: str, path: Path | None = None, status: int = 0) -> str:
        return older.run("oddsschema", *command, url=empty_database, path=path, status=status)

    run("upgrade")
    head = run("current").strip()
    if not Mark(HEAD, PROGRAMS_FROM).serves(head):
        run("upgrade", HEAD, path=newer)
        assert "upgrade the package" in run("check", status=4)
        return
    with running(older, empty_database) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        next_line(program.stdout, r"^clean [1-9]")
        assert "upgrade the database" in run("batches", path=newer, status=2)
        run("upgrade", SERVING, path=newer)
        before = int(next_line(program.stdout, r"^newer (\d+)")[1])
        assert int(next_line(program.stdout, r"^newer (\d+)")[1]) > before
        assert "newer than this release" in run("upgrade")
        assert "until then, programs of this release work" in run("check", status=4)
        assert "Batch 1" in run("batches")
        run("upgrade", path=newer)
        error = next_line(program.stdout, r"^end: (.*)")[1]
        assert error.startswith("failed ")
        assert f"is at revision {REFUSING}" in error
        assert "upgrade the package" in error
    assert "upgrade the package" in run("check", status=4)
    assert "upgrade the package" in run("batches", status=2)
    assert "matches this release" in run("check", path=newer)

    # Without a revision and a mark, the names are those of the newer release.
    asyncio.run(
        execute(empty_database, "DROP TABLE oddsschema_version", "COMMENT ON TABLE sports IS NULL")
    )
    run("batches", status=2)
