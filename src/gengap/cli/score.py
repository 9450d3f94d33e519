"""``gengap score PREDICTIONS REFERENCE``: the PGDL competition's score, times 100."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from gengap.cli.command import Command

EXAMPLES = """\
gengap score predictions/ reference_data/
gengap score predictions/ reference_data/ > scores.csv"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``gengap score``."""
    parser.add_argument(
        "predictions", metavar="PREDICTIONS", type=Path, help="folder of <task>.predict files"
    )
    parser.add_argument(
        "reference", metavar="REFERENCE", type=Path, help="folder with <task>/model_configs.json"
    )


def run(options: Namespace) -> None:
    """Print measure, task, networks, score (0 to 100) as CSV."""
    from gengap.evaluation import score_folder

    table = score_folder(options.predictions, options.reference)
    table["score"] *= 100
    table.to_csv(sys.stdout, index=False, lineterminator="\n")


COMMAND = Command(
    "score",
    "print the conditional mutual information (0 to 100) of predictions and the gap",
    EXAMPLES,
    add_arguments,
    run,
)
