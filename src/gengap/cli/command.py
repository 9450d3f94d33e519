"""What a subcommand consists of."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One subcommand of ``gengap``.

    Attributes:
        name: the word after ``gengap``.
        summary: one line for the list of subcommands, and the first line of the own help.
        examples: command lines, one a line, for the end of the own help.
        add_arguments: adds the arguments to the subcommand's parser.
        run: does the work, and returns the exit status, None for 0. It raises an
            ``argparse.ArgumentError`` where the arguments do not go together. Modules
            that take long to import are imported in it, so that help is printed at once.
    """

    name: str
    summary: str
    examples: str
    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace], int | None]
