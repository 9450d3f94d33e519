"""The README: what stands on its first screen, and where its links lead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLD = 40
"""Lines that a screen of the forge shows, the picture among them."""


@pytest.fixture(scope="module")
def readme(root: Path) -> str:
    return (root / "README.md").read_text(encoding="utf-8")


def test_question_picture_and_commands_are_on_the_first_screen(readme: str) -> None:
    screen = "\n".join(readme.splitlines()[:FOLD])
    assert screen.index("?**") < screen.index("![") < screen.index("make run")
    assert re.search(r"^make test\b", screen, re.M)
    assert "gengap predict" in screen


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_link_leads_to_a_file(page: str, root: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", (root / page).read_text(encoding="utf-8"))
    assert links
    missing = [link for link in links if "://" not in link and not (root / link).exists()]
    assert not missing


def test_pages_of_the_site_link_files(root: Path) -> None:
    for page in (root / "docs").rglob("*.md"):
        if {"build", "gallery", "generated"} & set(page.relative_to(root).parts):
            continue
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in link and "gallery/" not in link:
                assert (page.parent / link).exists(), f"{page.name}: {link}"
