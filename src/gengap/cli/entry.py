"""The entry point of the command ``gengap``: its parser, its subcommands and its exit status."""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from collections.abc import Sequence

from gengap import __version__
from gengap.cli import (
    alignment,
    completion,
    dashboard,
    describe,
    eigenvalues,
    graph,
    law,
    measure,
    predict,
    reference,
    score,
)
from gengap.errors import GengapError

COMMANDS = (
    describe.COMMAND,
    measure.COMMAND,
    reference.COMMAND,
    predict.COMMAND,
    score.COMMAND,
    eigenvalues.COMMAND,
    alignment.COMMAND,
    graph.COMMAND,
    law.COMMAND,
    dashboard.COMMAND,
    completion.COMMAND,
)
"""Every subcommand, in the order of the help."""


EXAMPLES = """\
gengap describe results/digits/networks/3
gengap measure mynets.py:SmallResNet last.pt --data train.npz
gengap predict --reference results/digits mynets.py:SmallNet last.pt --data train.npz
gengap dashboard results/digits"""
"""The usual ones; each subcommand's help has more."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand.

    Args:
        arguments: the words after ``gengap``; by default those of the process.

    Returns:
        The exit status: 0; 1 where the input is bad, which one sentence on stderr explains; or what
        the subcommand returns. A faulty command line exits with status 2 instead, after a line
        that names the fault.
    """
    options = command_parser().parse_args(arguments)
    try:
        status = options.run(options)
        sys.stdout.flush()
    except argparse.ArgumentError as error:
        options.parser.error(str(error))
    except GengapError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader (``| head``, say) has left. Python would complain again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status or 0


def command_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="gengap",
        description="How well will this trained network generalise, judged from its weights and "
        "its training data alone?",
        epilog=_examples(EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"gengap {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparser = subparsers.add_parser(
            command.name,
            help=command.summary,
            description=f"{command.summary[0].upper()}{command.summary[1:]}.",
            epilog=_examples(command.examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run, parser=subparser)
    return parser


def _examples(lines: str) -> str:
    return f"examples:\n{textwrap.indent(lines, '  ')}"
