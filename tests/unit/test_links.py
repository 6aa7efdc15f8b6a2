"""Links and paths in texts: each leads to a file of the repository."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Directories and files at the top of the repository that hold texts.
PLACES = (
    ".ci",
    ".github",
    ".pre-commit-config.yaml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "alembic",
    "changelog.d",
    "docs",
    "mkdocs.yml",
    "oddsschema",
    "pyproject.toml",
    "tests",
)
#: The suffixes of files with mentions. Files without a suffix are read as well.
SUFFIXES = ("", ".md", ".py", ".toml", ".yml", ".yaml", ".json", ".mmd", ".sql")
#: A Markdown link or image, and its target.
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
#: A path below docs/ in prose, code or an error message.
PAGE = re.compile(r"(?<![\w/.-])docs/[\w./-]*\w")
#: A file of the package or of its tests in the prose of a page.
SOURCE = re.compile(r"(?<![\w/.-])(?:oddsschema|alembic|tests)/[\w./-]+\.(?:py|sql)\b")
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def files() -> Iterator[Path]:
    """List the text files of the repository."""
    for place in PLACES:
        path = ROOT / place
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.suffix in SUFFIXES and "__pycache__" not in file.parts:
                yield file


def anchors(page: Path) -> set[str]:
    """Compute the anchors of a page's headings, as the site and GitHub make them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    words = (re.sub(r"[^\w\s-]", "", heading.lower()).strip() for heading in headings)
    return {re.sub(r"\s", "-", heading) for heading in words}


@pytest.mark.parametrize(
    "page",
    [file for file in files() if file.suffix == ".md"],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_links(page: Path) -> None:
    """Each relative link of a page leads to a file, and to a heading if it has an anchor."""
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{target} leads nowhere"
        assert linked.is_relative_to(ROOT), f"{target} leads out of the repository"
        # mkdocs checks the anchors that mkdocstrings makes, such as oddsschema.migrations.check.
        if anchor and not anchor.startswith("oddsschema."):
            assert anchor in anchors(linked), f"{target}: no such heading"


def mentions(file: Path) -> list[str]:
    """Find the paths of the repository that a text mentions."""
    text = file.read_text(encoding="utf-8")
    sources = SOURCE.findall(FENCE.sub("", text)) if file.suffix == ".md" else []
    return [*PAGE.findall(text), *sources]


def test_mentions() -> None:
    """Each path of the repository that a text mentions exists."""
    wrong = [
        f"{file.relative_to(ROOT)}: {mention}"
        for file in files()
        for mention in mentions(file)
        if not (ROOT / mention).exists()
    ]
    assert wrong == []


def test_every_page_is_on_the_site() -> None:
    """The site's navigation lists each page of docs/."""
    nav = re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    pages = (ROOT / "docs").rglob("*.md")
    paths = {page.relative_to(ROOT / "docs") for page in pages if "examples" not in page.parts}
    assert set(nav) == {str(path) for path in paths}
