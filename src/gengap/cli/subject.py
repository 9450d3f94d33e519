"""The arguments that name a network and its training data, and what they name."""

from __future__ import annotations

import json
from argparse import ArgumentError, ArgumentParser, ArgumentTypeError, Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gengap.errors import GengapError
from gengap.names import LOSSES

if TYPE_CHECKING:
    import numpy as np

    from gengap.datasets import Split
    from gengap.measures import Subject
    from gengap.networks import Network
    from gengap.tasks import TrainedNetwork

SPEC_FORMS = (
    "the network: a spec (a JSON file, or JSON text), mynets.py:SmallResNet, torchvision:resnet18, "
    "model.keras; or a network's folder of a task, such as results/digits/networks/3"
)
OF_THE_FOLDER = {
    "weights": "WEIGHTS",
    "initial": "--initial",
    "keywords": "--keywords",
    "data": "--data",
    "labels": "--labels",
}
"""Arguments that have no place beside a network's folder of a task, which holds all that."""


@dataclass(frozen=True)
class NamedNetwork:
    """What a command line names.

    Attributes:
        network: the network, with its weights if some are named.
        initial: the same network with its initial weights; None where none are named.
        data: the training data with the labels trained on; None where none are named.
        is_trained: whether the network has trained weights, not those that its spec starts with.
        purpose: words that name the random streams of its measures: task and network, as in the
            workflow, or one word for a network of no task.
    """

    network: Network
    initial: Network | None
    data: Split | None
    is_trained: bool
    purpose: tuple[str, ...]

    def subject(self, data: Split, loss: str | None, rng: np.random.Generator) -> Subject:
        """Return what measures take."""
        from gengap.measures import Subject

        return Subject(self.network, self.initial, data, rng, loss=loss or "")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments that name a network and its training data."""
    add = parser.add_argument
    add("spec", metavar="SPEC", help=SPEC_FORMS)
    add(
        "weights",
        metavar="WEIGHTS",
        nargs="?",
        type=Path,
        help="its trained weights; a network's folder and model.keras hold them",
    )
    add("--initial", type=Path, metavar="FILE", help="its weights before training")
    add(
        "--keywords",
        type=json_object,
        metavar="JSON",
        help="keywords of a factory or a hub's function, such as '{\"width\": 8}'",
    )
    add("--data", type=Path, metavar="FILE", help="the data that it was trained on")
    add("--labels", type=Path, metavar="FILE", help="the labels that it was trained on, .npy")
    add("--loss", choices=LOSSES, help="the loss that it was trained on (cross_entropy)")
    add("--device", default="cpu", help="cpu, cuda, cuda:N or auto (cpu)")


def json_object(text: str) -> dict[str, Any]:
    """Read a JSON object from an argument.

    Args:
        text: the argument.

    Returns:
        The object.

    Raises:
        ArgumentTypeError: the text is no JSON object.
    """
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ArgumentTypeError(f"{text!r} is no JSON object such as '{{\"width\": 8}}'")
    return value


def read_named_network(options: Namespace) -> NamedNetwork:
    """Read what the arguments of :func:`add_arguments` name.

    Args:
        options: the parsed arguments.

    Returns:
        The network in eval mode and on the device, and its data.

    Raises:
        GengapError: a file is missing, or is not what it should be.
    """
    from gengap.networks import resolve_device

    device = resolve_device(options.device)
    named = _of_task(options) if Path(options.spec).is_dir() else _of_files(options)
    for network in filter(None, (named.network, named.initial)):
        network.to(device)
    return named


def _of_task(options: Namespace) -> NamedNetwork:
    """Read a network of a task, with the data of the task and its own labels."""
    from gengap.datasets import read_split

    folder = Path(options.spec)
    for name, shown in OF_THE_FOLDER.items():
        if getattr(options, name) is not None:
            raise ArgumentError(
                None, f"{folder} is a network's folder, with weights and data: leave out {shown}"
            )
    trained = _trained_network(folder)
    task = folder.resolve().parents[1]
    return NamedNetwork(
        trained.network(),
        trained.initial(),
        trained.train(read_split(task / "dataset" / "train.safetensors")),
        True,
        (task.name, trained.id),
    )


def _trained_network(folder: Path) -> TrainedNetwork:
    from gengap.tasks import TrainedNetwork
    from gengap.tasks.folder import Metrics

    if not (folder / "config.json").is_file():
        raise GengapError(
            f"{folder} is no network's folder, since it has no config.json: give a folder such as "
            "results/digits/networks/3, or a spec."
        )
    return TrainedNetwork(folder.resolve().name, folder, Metrics.read(folder / "metrics.json"))


def _of_files(options: Namespace) -> NamedNetwork:
    """Read a network of a spec, with weights and data from files."""
    from gengap.datasets import read_split
    from gengap.tasks.folder import with_labels

    data = None if options.data is None else read_split(options.data)
    if data is not None and options.labels is not None:
        data = with_labels(data, options.labels)
    return NamedNetwork(
        _network(options, options.weights),
        None if options.initial is None else _network(options, options.initial),
        data,
        options.weights is not None,
        ("measure",),
    )


def _network(options: Namespace, weights: Path | None) -> Network:
    from gengap.files import read_json
    from gengap.networks import build, read_weights

    network = build(read_json(options.spec, "give the file of a network's spec"))
    if weights is not None:
        read_weights(network, weights)
    return network.eval()
