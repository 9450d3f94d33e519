"""``gengap predict --reference R SPEC WEIGHTS --data FILE``: the gap of one network."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from gengap.cli import subject
from gengap.cli.command import Command
from gengap.cli.progress import working
from gengap.names import PREDICTED

if TYPE_CHECKING:
    from gengap.cli.subject import NamedNetwork
    from gengap.datasets import Split
    from gengap.prediction import Prediction

DECLINED_STATUS = 3
"""Exit status where no gap is predicted."""
EXAMPLES = """\
gengap predict --reference results/digits mynets.py:SmallNet last.pt --data train.npz
gengap predict --reference digits.safetensors results/other/networks/3 --json
gengap predict --reference results/digits spec.json weights.safetensors --data train.npz \\
    --hyper-parameters '{"width": 16, "depth": 1}'"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``gengap predict``."""
    add = parser.add_argument
    add(
        "--reference",
        required=True,
        type=Path,
        metavar="R",
        help="a file that 'gengap reference' wrote, or a task's results, frozen on the fly",
    )
    subject.add_network(parser)
    subject.add_training(parser)
    add(
        "--hyper-parameters",
        type=subject.json_object,
        metavar="JSON",
        help="those of the network, by the names of the reference; intervals may be narrower",
    )
    add("--json", action="store_true", help="print the columns of predictions.csv as JSON")
    add("--force", action="store_true", help="predict in spite of reasons against it")


def run(options: Namespace) -> int:
    """Print the prediction, or why there is none.

    Returns:
        0, or 3 where it is declined.

    Raises:
        ArgumentError: the trained weights or the training data are not named.
    """
    named, data = subject.read_trained_network(
        options, "a prediction needs", "the training data of the network"
    )
    with working("predicting"):
        prediction, gap_of = _predicted(named, data, options)
    if options.json:
        print(json.dumps(prediction.row(), indent=1))
    else:
        print(sentence(prediction, gap_of))
    if prediction.reason and not options.json:
        print(prediction.reason, file=sys.stderr if prediction.gap is not None else sys.stdout)
    return DECLINED_STATUS if prediction.gap is None else 0


def _predicted(named: NamedNetwork, data: Split, options: Namespace) -> tuple[Prediction, str]:
    """Predict the network; return what the gap is of too."""
    from gengap.prediction import Reference, freeze, predict
    from gengap.seeding import generator

    path = options.reference
    reference = freeze(path) if path.is_dir() else Reference.load(path)
    prediction = predict(
        named.subject(data, options.loss, generator(0, "prediction")),
        reference,
        network=options.spec,
        hyper_parameters=options.hyper_parameters,
        force=options.force,
    )
    return prediction, reference.gap_of


def sentence(prediction: Prediction, gap_of: str) -> str:
    """Say what is predicted: a gap of accuracies, losses or errors."""
    if prediction.gap is None:
        remedy = "" if prediction.distance_p is None else " (--force predicts it all the same)"
        return f"declined: no gap is predicted{remedy}"
    warning = "" if prediction.verdict == PREDICTED else " (forced, in spite of what follows)"
    test = prediction.test_accuracy
    implied = "" if test is None else f"; predicted test accuracy: {test:.3f}"
    return (
        f"gap of {gap_of}: {prediction.gap:.3f}, 90 % interval {prediction.low:.3f} to "
        f"{prediction.high:.3f}{implied}{warning}"
    )


COMMAND = Command(
    "predict",
    "predict the generalisation gap of a network, with an interval, or decline",
    EXAMPLES,
    add_arguments,
    run,
)
