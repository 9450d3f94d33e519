"""How a PGDL task becomes a task folder (:mod:`gengap.tasks.folder`), one function per stage."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gengap.datasets import Split, read_split, read_split_or_none, write_no_split, write_split
from gengap.errors import GengapError
from gengap.files import read_json, writing
from gengap.pgdl_layout import (
    CONFIG,
    FETCH_AGAIN,
    INITIAL,
    MODEL_FILES,
    PARTS,
    WEIGHTS,
    Tree,
    read_entries,
)
from gengap.tasks.disagreements import differs, disagreement
from gengap.tasks.folder import Metrics
from gengap.tasks.pgdl.records import read_examples
from gengap.tasks.pgdl.reference import read_reference
from gengap.tasks.shards import digest_of, sha256

if TYPE_CHECKING:
    from gengap.networks import Network

log = logging.getLogger(__name__)

RECOMPUTED_FILE = "recomputed.json"


@dataclass(frozen=True)
class Recomputed:
    """Accuracies of one imported network, stated and recomputed.

    Attributes:
        id: the network's id in PGDL.
        stated_train, stated_test: fractions, from the reference file; None where it has none.
        train, test: fractions, from the weights and the data; None if not recomputed.
    """

    id: str
    stated_train: float
    stated_test: float | None
    train: float | None
    test: float | None

    @property
    def disagrees(self) -> bool:
        """Whether the recomputed train accuracy differs from the stated one by more than 0.005."""
        return self.train is not None and differs(self.train, self.stated_train)


def import_dataset(tree: Tree, folder: str | Path) -> None:
    """Write ``dataset/train.safetensors`` and ``dataset/test.safetensors`` of a task folder.

    The number of classes is the number of outputs of the first network that can be built. If the
    task was downloaded in part, its first network may be missing or have an unknown layer.

    Args:
        tree: the task's files.
        folder: the task folder.

    Raises:
        GengapError: a shard is missing or broken, a label is outside the classes, the inputs do
            not have the networks' shape, or no network can be built.
    """
    config, network = _first_built(tree)
    parts = read_reference(tree.reference).parts
    for part in PARTS:
        file = Path(folder) / "dataset" / f"{part}.safetensors"
        if part not in parts:
            write_no_split(file)
            continue
        # One part is held at a time.
        write_split(_read_part(tree.shards(part), config, network), file)


def _read_part(shards: Sequence[Path], config: Path, network: Network) -> Split:
    """Read the examples of one part of the data, which must fit a network."""
    inputs, labels = read_examples(shards)
    source = shards[0].parent
    outside = np.flatnonzero((labels < 0) | (labels >= network.outputs))
    if outside.size:
        raise GengapError(
            f"{source}: example {outside[0]} has the label {labels[outside[0]]}, outside of "
            f"the {network.outputs} classes of {config}: download the task again."
        )
    if inputs.shape[1:] != network.input_shape:
        raise GengapError(
            f"{source} has inputs of shape {inputs.shape[1:]}, but {config} takes "
            f"{network.input_shape}: the two do not belong together."
        )
    try:
        return Split(inputs, labels, network.outputs)
    except GengapError as error:
        raise GengapError(f"{source}: {error}") from error


def source_digest(tree: Tree, position: int) -> str:
    """Return a digest of all that the files of a task tell of one network.

    Args:
        tree: the task's files.
        position: of the network, in the numeric order of the ids.

    Returns:
        64 hexadecimal digits: of the network's entry in the reference file, and of its files.

    Raises:
        GengapError: the reference file is broken, or the network or one of its files is missing.
    """
    id_ = read_reference(tree.reference).id_at(position)
    paths = [tree.model(id_) / name for name in MODEL_FILES]
    for path in paths:
        if not path.is_file():
            raise GengapError(f"{path} is missing: {FETCH_AGAIN}.")
    entry = json.dumps(read_entries(tree.reference)[id_], sort_keys=True)
    return digest_of(id_, entry, *map(sha256, paths))


def import_network(
    tree: Tree,
    position: int,
    folder: str | Path,
    *,
    network: str | None = None,
    recompute: bool = True,
    device: str = "cpu",
) -> Recomputed:
    """Write ``networks/<network>`` of a task folder.

    Besides the files of every task folder, this writes ``recomputed.json``, a :class:`Recomputed`.
    There is no ``history.csv``, since PGDL has none. The metrics hold the *stated* accuracies, on
    which published scores rest. Losses are recomputed where the reference file states none.

    Args:
        tree: the task's files.
        position: position of the network in the numeric order of the ids.
        folder: the task folder, in which :func:`import_dataset` has written the dataset.
        network: its id in the task folder; None for its position.
        recompute: whether to compute accuracies and losses from the weights and all data. A train
            accuracy that differs by more than 0.005 is logged as a warning.
        device: where they are recomputed, see :func:`gengap.networks.resolve_device`.

    Returns:
        The stated and the recomputed accuracies.

    Raises:
        GengapError: a file is missing or broken, or config, weights and data do not fit together.
    """
    from gengap.networks import resolve_device, write_weights
    from gengap.networks.keras_files import load_weights

    reference = read_reference(tree.reference)
    id_ = reference.id_at(position)
    stated = reference.networks[id_]
    folder = Path(folder)
    target = folder / "networks" / (str(position) if network is None else network)
    source = tree.model(id_)

    module = _build(source / CONFIG)
    load_weights(module, source / INITIAL)
    write_weights(module, target / "weights_init.safetensors")
    load_weights(module, source / WEIGHTS)
    write_weights(module, target / "weights.safetensors")
    with writing(target / "config.json") as part:
        part.write_text(json.dumps(module.spec, indent=1) + "\n")

    train = read_split(folder / "dataset" / "train.safetensors")
    with writing(target / "labels.npy") as part, part.open("wb") as file:
        np.save(file, train.labels, allow_pickle=False)
    train_loss = test_loss = train_accuracy = test_accuracy = None
    if recompute:
        from gengap.training import loss_and_accuracy

        test = read_split_or_none(folder / "dataset" / "test.safetensors")
        module.to(resolve_device(device))
        train_loss, train_accuracy = loss_and_accuracy(module, train)
        if test is not None:
            test_loss, test_accuracy = loss_and_accuracy(module, test)
    recomputed = Recomputed(
        id_, stated.train_accuracy, stated.test_accuracy, train_accuracy, test_accuracy
    )
    if recomputed.disagrees:
        log.warning("%s", _sentence(recomputed))
    Metrics(
        hyper_parameters=stated.hyper_parameters,
        replicate=stated.replicate,
        train_accuracy=stated.train_accuracy,
        test_accuracy=stated.test_accuracy,
        train_loss=train_loss if stated.train_loss is None else stated.train_loss,
        test_loss=test_loss if stated.test_loss is None else stated.test_loss,
        source_id=id_,
    ).write(target / "metrics.json")
    with writing(target / RECOMPUTED_FILE) as part:
        part.write_text(json.dumps(asdict(recomputed), indent=1) + "\n")
    return recomputed


def disagreements(networks: Iterable[str | Path]) -> list[str]:
    """Name the imported networks whose recomputed train accuracy is not the stated one.

    Args:
        networks: folders of imported networks.

    Returns:
        One sentence for each of these networks.

    Raises:
        GengapError: a folder holds no ``recomputed.json``.
    """
    accuracies = (_read_recomputed(Path(network) / RECOMPUTED_FILE) for network in networks)
    return [_sentence(recomputed) for recomputed in accuracies if recomputed.disagrees]


def _first_built(tree: Tree) -> tuple[Path, Network]:
    """Build the first network, in the order of the ids, whose config exists and is supported."""
    configs = [tree.model(id_) / CONFIG for id_ in read_reference(tree.reference).ids]
    existing = [path for path in configs if path.is_file()] or configs[:1]
    errors = []
    for config in existing:
        try:
            return config, _build(config)
        except GengapError as error:
            errors.append(error)
    raise errors[0]


def _build(config: Path) -> Network:
    """Build the network of a config, with integral floats read as integers."""
    from gengap.networks import build

    spec = _integral(read_json(config, FETCH_AGAIN))
    try:
        return build(spec)
    except GengapError as error:
        raise GengapError(f"{config}: {error}") from error


def _integral(value: Any) -> Any:
    """Convert floats without a fraction to integers in JSON content, as PGDL's own loader does."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_integral(item) for item in value]
    if isinstance(value, dict):
        return {key: _integral(item) for key, item in value.items()}
    return value


def _read_recomputed(path: Path) -> Recomputed:
    try:
        return Recomputed(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise GengapError(f"{path} is missing or broken: import the network again.") from error


def _sentence(recomputed: Recomputed) -> str:
    assert recomputed.train is not None
    return disagreement(
        f"model_{recomputed.id}", "train accuracy", recomputed.train, recomputed.stated_train
    )
