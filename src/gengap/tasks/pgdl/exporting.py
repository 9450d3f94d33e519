"""How a task folder is exported as PGDL's tree, which the competition's own code reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.files import read_json, writing
from gengap.pgdl_layout import CONFIG, INITIAL, REFERENCE, WEIGHTS, Tree
from gengap.tasks.folder import MAKE_AGAIN, Task, TrainedNetwork, load
from gengap.tasks.pgdl.keras_weights import write_weights
from gengap.tasks.pgdl.records import write_examples

KINDS = ("image", "vector")
"""Kinds of inputs that PGDL's records hold."""

LAYERS = {
    "Activation",
    "AveragePooling2D",
    "BatchNormalization",
    "Conv2D",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "LeakyReLU",
    "MaxPooling2D",
    "ReLU",
    "Softmax",
    "ZeroPadding2D",
}
"""Layers that networks in PGDL's format consist of."""


def export(folder: str | Path, out: str | Path) -> Tree:
    """Write a task in PGDL's format.

    PGDL has one dataset per task, and evaluates every network on it. So a task whose networks were
    trained on different inputs (a zoo with draws of its data) or labels (one with label corruption)
    is refused: whichever were
    written, some networks would not have their stated accuracies, and a measure would see data
    that a network was not trained on. If all networks share the same corrupted labels, these are
    the task's labels. Replicates become networks with the same hyper-parameters. Histories, and
    the number of batches that PyTorch's batch normalisation counts, have no place in the format.

    Args:
        folder: the task folder.
        out: where ``input_data`` and ``reference_data`` are made.

    Returns:
        The paths of the task's files. The same task gives the same bytes.

    Raises:
        GengapError: a network is not a plain list of the format's layers, the inputs are neither
            images nor vectors, the networks were trained on different data, the initial weights
            of one are not known, the gap is not of accuracies, or the task folder is broken.
    """
    task = load(folder)
    out = Path(out)
    tree = Tree(
        task.name,
        out / "input_data" / task.name,
        out / "reference_data" / task.name / REFERENCE,
    )
    if task.gap_of != "accuracy":
        raise GengapError(
            f"Task '{task.name}' has gaps in {task.gap_of}, but PGDL states accuracies: export "
            "tasks whose gap is of accuracies."
        )
    for network in task.networks.values():
        _refuse_unknown_to_pgdl(network)
    if task.train.kind not in KINDS:
        raise GengapError(
            f"Task '{task.name}' has inputs of the kind {task.train.kind}, but PGDL's records hold "
            "images and vectors: export tasks with such inputs only."
        )
    train = _shared_split(task)
    for part, split in (("train", train), ("test", task.test)):
        write_examples(split.inputs, split.labels, tree.models / "dataset_1" / part)
    for name, network in task.networks.items():
        target = tree.model(name)
        _write_json(read_json(network.folder / "config.json", MAKE_AGAIN), target / CONFIG)
        write_weights(network.network(), target / WEIGHTS)
        write_weights(network.initial(), target / INITIAL)
    reference = {name: _entry(network, task.grid) for name, network in task.networks.items()}
    _write_json(reference, tree.reference)
    return tree


def _refuse_unknown_to_pgdl(network: TrainedNetwork) -> None:
    spec = read_json(network.folder / "config.json", MAKE_AGAIN)
    if "model_config" not in spec:
        kinds = ("architecture", "factory", "hub", "keras")
        name = next(spec[kind] for kind in kinds if kind in spec)
        raise GengapError(
            f"Network {network.id} is a '{name}', which PGDL's config.json, a list of Keras "
            "layers, cannot describe: export tasks with a model_config only."
        )
    for layer in spec["model_config"]:
        kind = layer["layer_name"]
        if kind not in LAYERS or "inbound_nodes" in layer:
            what = "inbound_nodes" if kind in LAYERS else f"the layer {kind}"
            raise GengapError(
                f"Network {network.id} has {what}, which PGDL's config.json, a plain list of "
                f"{', '.join(sorted(LAYERS))}, cannot describe: export tasks of such layers only."
            )


def _shared_split(task: Task) -> Split:
    """Return the inputs and labels that all networks were trained on."""
    if task.data_draws() is not None:
        raise GengapError(
            f"The replicates of task '{task.name}' were trained on draws of their own, but PGDL "
            "has one dataset a task: export a zoo without 'resample'."
        )
    first, *others = task.networks.values()
    shared = first.train(task.train)
    for network in others:
        if not np.array_equal(network.train(task.train).labels, shared.labels):
            raise GengapError(
                f"Networks {first.id} and {network.id} of task '{task.name}' were trained on "
                "different labels, but PGDL has one dataset a task: export a zoo without "
                "label_corruption, or one task for each set of labels."
            )
    return shared


def _entry(network: TrainedNetwork, grid: dict[str, list[Any]]) -> dict[str, Any]:
    """Make the entry of one network in ``model_configs.json``."""
    metrics = network.metrics
    stated = {
        "train_acc": metrics.train_accuracy,
        "test_acc": metrics.test_accuracy,
        "train_loss": metrics.train_loss,
        "test_loss": metrics.test_loss,
    }
    return {
        "hparams": {
            name: {"possible_values": values, "current_value": metrics.hyper_parameters[name]}
            for name, values in grid.items()
        },
        "metrics": {name: value for name, value in stated.items() if value is not None},
        "replicate": metrics.replicate,
    }


def _write_json(content: dict[str, Any], path: Path) -> None:
    with writing(path) as part:
        part.write_text(json.dumps(content, indent=1) + "\n")
