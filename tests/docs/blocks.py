"""Blocks of code of a page, to be run as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple


class Block(NamedTuple):
    """A block of code: its language and its text."""

    language: str
    text: str


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a Markdown page, in order."""
    text = page.read_text(encoding="utf-8")
    return [Block(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S)]


def commands_of(blocks: list[Block]) -> list[list[str]]:
    """Return the command lines of the shell blocks, as words."""
    text = "".join(block.text for block in blocks if block.language == "sh")
    lines = text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]
