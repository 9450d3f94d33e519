"""``gengap completion SHELL``: a script that completes the command in a shell."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Mapping
from pathlib import Path

from gengap.cli.command import Command
from gengap.errors import GengapError

SHELLS = ("bash", "zsh", "tcsh")

EXAMPLES = """\
gengap completion bash > ~/.local/share/bash-completion/completions/gengap
gengap completion zsh > ~/.zsh/completions/_gengap"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``gengap completion``."""
    parser.add_argument("shell", choices=SHELLS, help="the shell that reads the script")


def run(options: Namespace) -> None:
    """Print the script, which calls no Python when it completes.

    Raises:
        GengapError: shtab, which writes it, is not installed.
    """
    from gengap.cli.entry import command_parser

    try:
        import shtab
    except ModuleNotFoundError as error:
        raise GengapError(
            "Completion scripts need shtab: install the extra gengap[completion]."
        ) from error
    parser = command_parser()
    _complete_paths(parser, shtab.FILE)
    print(shtab.complete(parser, shell=options.shell))


def _complete_paths(parser: ArgumentParser, files: Mapping[str, str | dict[str, str]]) -> None:
    """Let every argument that is a path be completed by the names of files."""
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for subparser in action.choices.values():
                _complete_paths(subparser, files)
        elif action.type is Path or action.dest in ("spec", "data", "dataset"):
            action.complete = files  # type: ignore[attr-defined]


COMMAND = Command(
    "completion",
    "print a script that completes this command in a shell",
    EXAMPLES,
    add_arguments,
    run,
)
