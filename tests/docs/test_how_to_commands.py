"""The commands of the pages that say how to do a thing: each is one that the parser takes."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

import pytest
from tests.docs.blocks import blocks_of, commands_of

from gengap.cli.entry import COMMANDS, command_parser

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted((DOCS / "how-to").glob("*.md"))


def arguments_of(page: Path) -> list[list[str]]:
    """The arguments of each command of the page, up to where the shell sends its output."""
    return [
        list(takewhile(lambda word: word != ">", words[1:]))
        for words in commands_of(blocks_of(page))
        if words[0] == "gengap"
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_is_parsed(page: Path) -> None:
    parser = command_parser()
    for arguments in arguments_of(page):
        if "--help" not in arguments:
            assert parser.parse_args(arguments).parser.prog == f"gengap {arguments[0]}"


PAGES_OF_SNAKEMAKE = [*PAGES, DOCS / "getting-started.md", DOCS / "studies" / "index.md"]
PLANNED_ALONE = {"-n", "--dry-run", "--rulegraph", "--dag", "--unlock"}
"""Options with which Snakemake runs no job."""


@pytest.mark.parametrize("page", PAGES_OF_SNAKEMAKE, ids=lambda page: page.stem)
def test_every_run_says_on_how_many_cores(page: Path) -> None:
    for words in commands_of(blocks_of(page)):
        if words[0] == "snakemake" and not PLANNED_ALONE & set(words):
            assert {"--cores", "-c", "--workflow-profile"} & set(words), words


def test_every_command_is_on_some_page() -> None:
    shown = {arguments[0] for page in PAGES for arguments in arguments_of(page)}
    # ``make dashboard`` is shown instead, and a score is the competition's.
    assert {command.name for command in COMMANDS} - shown == {"dashboard", "score"}
