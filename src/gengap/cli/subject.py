"""The arguments that name a network and its training data, and reading what they name."""

from __future__ import annotations

import json
import os
from argparse import ArgumentError, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gengap.errors import GengapError
from gengap.limits import DENSE_BYTES, DENSE_LIMIT
from gengap.names import LOSSES

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from gengap.datasets import Split
    from gengap.measures import Subject
    from gengap.networks import Network
    from gengap.tasks import TrainedNetwork

SPEC_HELP = (
    "the network: a spec (a JSON file, or JSON text), mynets.py:SmallResNet, torchvision:resnet18, "
    "model.keras; or a network's folder of a task, such as results/digits/networks/3"
)
MODULE_LAYOUTS = ("channels_first", "channels_last")
NOT_BESIDE_A_FOLDER = {
    "weights": "WEIGHTS",
    "keywords": "--keywords",
    "layout": "--layout",
    "input_shape": "--input-shape",
    "initial": "--initial",
    "data": "--data",
    "data_keys": "--data-keys",
    "labels": "--labels",
}
"""Arguments that have no place beside a network's folder of a task, which holds all that."""


def add_network(parser: ArgumentParser, *, required: bool = True) -> None:
    """Add the arguments that name a network with its weights, which may be required."""
    add = parser.add_argument
    add("spec", metavar="SPEC", nargs=None if required else "?", help=SPEC_HELP)
    add(
        "weights",
        metavar="WEIGHTS",
        nargs="?",
        type=Path,
        help="its trained weights: .safetensors, or a state dict (.pt, .pth); a network's folder "
        "and model.keras hold them already",
    )
    add(
        "--keywords",
        type=json_object,
        metavar="JSON",
        help="keywords of a factory or a hub's function, such as '{\"width\": 8}'",
    )
    add(
        "--layout",
        choices=MODULE_LAYOUTS,
        help="what the module takes; needed only where it runs in both layouts",
    )
    add("--device", default="cpu", help="cpu, cuda, cuda:N or auto (cpu)")


def add_training(parser: ArgumentParser) -> None:
    """Add the arguments that name how a network was trained."""
    add = parser.add_argument
    add("--initial", type=Path, metavar="FILE", help="its weights before training")
    add(
        "--data",
        type=Path,
        metavar="FILE",
        help="the data that it was trained on: .npz, .safetensors, .csv, .parquet, .arrow, or a "
        "folder of class folders with images",
    )
    add(
        "--data-keys",
        type=json_object,
        metavar="JSON",
        help='what that file holds, as in a config\'s dataset, such as \'{"layout": "NCHW"}\' or '
        '\'{"label": "target"}\'',
    )
    add("--labels", type=Path, metavar="FILE", help="the labels that it was trained on, .npy")
    add(
        "--loss",
        choices=LOSSES,
        help="the loss that it was trained on (cross_entropy; mse where the targets are numbers)",
    )


def add_dense_limit(parser: ArgumentParser) -> None:
    """Add the argument that limits whole matrices of second order."""
    parser.add_argument(
        "--dense-limit",
        type=int,
        default=DENSE_LIMIT,
        metavar="P",
        help=f"most parameters for which all eigenvalues are computed, in {DENSE_BYTES} P^2 bytes "
        f"({DENSE_LIMIT})",
    )


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


@dataclass(frozen=True)
class NamedNetwork:
    """What a command line names.

    Attributes:
        network: the network, with its weights if some are named.
        initial: the same network with its initial weights; None where none are named.
        data: the training data with the labels trained on; None where none are named.
        is_trained: whether the network has trained weights, not those that its spec starts with.
        history: one row per epoch of its training; None where it was not recorded.
        purpose: the word that names the random streams of its measures: its task, as in the
            workflow, or one word for all networks of no task.
    """

    network: Network
    initial: Network | None
    data: Split | None
    is_trained: bool
    history: pd.DataFrame | None
    purpose: str

    def subject(self, data: Split, loss: str | None, rng: np.random.Generator) -> Subject:
        """Return what measures take."""
        from gengap.measures import Subject

        return Subject(self.network, self.initial, data, rng, loss=loss or "", history=self.history)


def read_named_network(options: Namespace) -> NamedNetwork:
    """Read what the arguments of :func:`add_network` and :func:`add_training` name.

    Args:
        options: the parsed arguments.

    Returns:
        The network in eval mode and on the device, and its data.

    Raises:
        ArgumentError: the arguments do not go together.
        GengapError: a file is missing, or is not what it should be.
    """
    from gengap.networks import resolve_device

    device = resolve_device(options.device)
    trained = trained_network(options)
    named = _of_files(options) if trained is None else _of_task(trained)
    for network in filter(None, (named.network, named.initial)):
        network.to(device)
    return named


def read_trained_network(
    options: Namespace, needs: str, data: str = "the data that were trained on"
) -> tuple[NamedNetwork, Split]:
    """Read a network of which both the trained weights and the training data are needed.

    Args:
        options: the parsed arguments.
        needs: what needs them, such as ``the law needs``, which begins the message.
        data: how the message calls the data.

    Returns:
        What the arguments name, and its data.

    Raises:
        ArgumentError: the weights or the data are not named, or arguments do not go together.
        GengapError: a file is missing, or is not what it should be.
    """
    named = read_named_network(options)
    if not named.is_trained:
        raise ArgumentError(None, f"{needs} the trained weights: give WEIGHTS")
    if named.data is None:
        raise ArgumentError(None, f"{needs} {data}: --data")
    return named, named.data


def trained_network(options: Namespace) -> TrainedNetwork | None:
    """Return the network of a task whose folder SPEC is, or None if SPEC is no folder.

    Args:
        options: the parsed arguments.

    Returns:
        The network, whose files are read only when they are used.

    Raises:
        ArgumentError: weights or data are named besides.
        GengapError: the folder is not that of a network.
    """
    from gengap.tasks import TrainedNetwork
    from gengap.tasks.folder import Metrics

    # JSON text may be too long for a file's name.
    if not os.path.isdir(options.spec):
        return None
    folder = Path(options.spec)
    if not (folder / "config.json").is_file():
        raise GengapError(
            f"{folder} is no network's folder, since it has no config.json: give a folder such as "
            "results/digits/networks/3, or a spec."
        )
    for name, shown in NOT_BESIDE_A_FOLDER.items():
        if getattr(options, name, None) is not None:
            raise ArgumentError(
                None, f"{folder} is a network's folder, with weights and data: leave out {shown}"
            )
    folder = folder.resolve()
    return TrainedNetwork(folder.name, folder, Metrics.read(folder / "metrics.json"))


def data_of_task(trained: TrainedNetwork) -> Split:
    """Return the training data of a task's network, with the labels that it was trained on."""
    from gengap.datasets import read_split

    return trained.train(read_split(trained.folder.parents[1] / "dataset" / "train.safetensors"))


def read_training_data(path: Path, keys: Mapping[str, Any] | None, labels: Path | None) -> Split:
    """Read data from a file or a folder of images.

    Args:
        path: see :func:`gengap.datasets.read_data`.
        keys: what the file holds, as in a config's dataset.
        labels: an .npy file of the labels trained on; None for those of the data.

    Returns:
        All samples, in the order of the file.

    Raises:
        GengapError: there is no such file, or it holds no data.
    """
    from gengap.datasets import read_data
    from gengap.tasks.folder import trained_on

    if not path.exists():
        raise GengapError(f"{path} does not exist: correct the path of the data.")
    data = read_data(path, **(keys or {}))
    return data if labels is None else trained_on(data, labels)


def network_of_spec(options: Namespace, weights: Path | None, example: Split | None) -> Network:
    """Build the network of a spec.

    Args:
        options: the parsed arguments.
        weights: the file of its weights; None for those that it starts with.
        example: some of its inputs; None where the spec states their shape.

    Returns:
        The network, in eval mode.

    Raises:
        GengapError: the spec or the weights make no network.
    """
    from gengap.networks import build, read_weights

    spec, folder = _spec(options)
    network = build(spec, example=example, folder=folder)
    if weights is not None:
        read_weights(network, weights)
    return network.eval()


def _of_task(trained: TrainedNetwork) -> NamedNetwork:
    """Read a network of a task, with the data of the task and its own labels."""
    from gengap.tasks.folder import HISTORY
    from gengap.tasks.shards import INITIAL

    return NamedNetwork(
        trained.network(),
        trained.initial() if (trained.folder / INITIAL).is_file() else None,
        data_of_task(trained),
        True,
        trained.history() if (trained.folder / HISTORY).is_file() else None,
        trained.folder.parents[1].name,
    )


def _spec(options: Namespace) -> tuple[dict[str, Any], Path]:
    """Return the spec that the arguments make, and the folder that its paths are relative to."""
    from gengap.networks import read_spec

    spec, folder = read_spec(options.spec)
    if options.keywords is not None:
        spec = {**spec, "keywords": {**spec.get("keywords", {}), **options.keywords}}
    for key in ("layout", "input_shape"):
        value = getattr(options, key, None)
        spec = spec if value is None else {**spec, key: value}
    return spec, folder


def _has_weights(spec: Mapping[str, Any]) -> bool:
    """Tell whether a spec brings trained weights: a Keras model does, and a hub if asked to."""
    keywords = spec.get("keywords", {})
    asked = keywords.get("weights") or keywords.get("pretrained")
    return "keras" in spec or ("hub" in spec and bool(asked))


def _of_files(options: Namespace) -> NamedNetwork:
    """Read a network of a spec, with weights and data from files."""
    data = (
        None
        if options.data is None
        else read_training_data(options.data, options.data_keys, options.labels)
    )
    return NamedNetwork(
        network_of_spec(options, options.weights, data),
        None if options.initial is None else network_of_spec(options, options.initial, data),
        data,
        options.weights is not None or _has_weights(_spec(options)[0]),
        None,
        "measure",
    )
