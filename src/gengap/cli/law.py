"""``gengap law``: gap = a + b life + c midlife of Corneanu et al., and the gap that it predicts."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from gengap.cli import subject
from gengap.cli.command import Command
from gengap.errors import GengapError

if TYPE_CHECKING:
    from gengap.studies.corneanu2020.experiments.law import Result
    from gengap.studies.corneanu2020.gap_law import Law

OF_GRAPHS = ("inputs", "nodes_at_most", "largest_epsilon", "shortest_bar")
"""What has to be equal for life and midlife of several networks to be compared."""

EXAMPLES = """\
gengap law --runs results/corneanu2020/runs/law_images/*.npz
gengap law mynet.json last.safetensors --data train.npz --runs runs/law/*.npz"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``gengap law``."""
    subject.add_network(parser, required=False)
    subject.add_training(parser)
    add = parser.add_argument
    add(
        "--runs",
        type=Path,
        nargs="+",
        required=True,
        metavar="RUN",
        help="runs of the experiment law of the study corneanu2020, to whose networks it is fitted",
    )
    add("--seed", type=int, default=0, help="seed that selects inputs and nodes (0)")


def run(options: Namespace) -> None:
    """Fit the law, print it, and predict the gap of the network that is named."""
    if options.spec is None:
        _law(options)
        return
    from gengap.networks import resolve_device
    from gengap.studies.context import Context
    from gengap.studies.corneanu2020.experiments.law import summaries_of
    from gengap.tasks.outcomes import default_loss
    from gengap.training import loss_and_accuracy

    named, train = subject.read_trained_network(options, "the law needs")
    fitted, graphs = _law(options)
    context = Context(options.seed, None, resolve_device(options.device))
    summaries = summaries_of(context, named.network, train, graphs)
    if not summaries["count.H1"]:
        print("The network has no bar in H1, so the law says nothing about it.")
        return
    life, midlife = summaries["life.H1"], summaries["midlife.H1"]
    gap = fitted.gap(life, midlife)
    loss = options.loss or default_loss(train)
    accuracy = loss_and_accuracy(named.network, train, loss)[1]
    print(f"life {life:.4f}, midlife {midlife:.4f} (epsilon, H1)")
    print(f"training accuracy {100 * accuracy:.1f} %")
    print(
        f"predicted gap {100 * gap:.1f} points (off by {100 * fitted.error:.1f} for those fitted)"
    )
    print(f"predicted test accuracy {100 * (accuracy - gap):.1f} %")


def _law(options: Namespace) -> tuple[Law, Result]:
    """Fit and print the law; return it with a result that says of which graphs it speaks."""
    from gengap.studies.corneanu2020.experiments.law import Result
    from gengap.studies.corneanu2020.gap_law import Law
    from gengap.studies.outcomes import read_outcome

    results = [Result.from_outcome(read_outcome(path)) for path in options.runs]
    for path, result in zip(options.runs, results, strict=True):
        if any(getattr(result, name) != getattr(results[0], name) for name in OF_GRAPHS):
            raise GengapError(
                f"The graphs of {path} are of another kind than those of {options.runs[0]} "
                f"({', '.join(OF_GRAPHS)}): give runs of one setting."
            )
    fitted = Law.fitted(results)
    print(f"{fitted.equation()} (points of accuracy; life and midlife in epsilon, H1)")
    left_out = f", {fitted.left_out} without a bar in H1 left out" if fitted.left_out else ""
    print(
        f"{fitted.networks} networks{left_out}; R2 {fitted.determination:.2f}, "
        f"residuals of {100 * fitted.error:.1f} points"
    )
    return fitted, results[0]


COMMAND = Command(
    "law",
    "fit gap = a + b life + c midlife to runs of corneanu2020, and predict a network's gap by it",
    EXAMPLES,
    add_arguments,
    run,
)
