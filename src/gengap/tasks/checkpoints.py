"""Networks that are there already become networks of a task folder (:mod:`gengap.tasks.folder`)."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.files import writing
from gengap.networks import (
    Network,
    build,
    copy_code,
    read_weights,
    resolve_device,
    write_weights,
)
from gengap.tasks.disagreements import RECOMPUTED_FILE, sentences
from gengap.tasks.folder import Metrics
from gengap.tasks.shards import INITIAL, WEIGHTS, digest_of, sha256
from gengap.tasks.zoo import network_spec
from gengap.training import loss_and_accuracy, mean_loss, root_mean_square_error

log = logging.getLogger(__name__)

NAMED = ("template", "architecture", "model_config")
"""Kinds of networks that the data tell the shape of."""


def default_loss(data: Split) -> str:
    """Return the loss of networks of which nobody says what they were trained on."""
    return "mse" if data.has_numbers else "cross_entropy"


def check_gap(gap: str | None, data: Split) -> None:
    """Refuse a gap that the targets of the data do not have.

    Args:
        gap: one of :data:`gengap.names.GAPS`; None for what the data tell.
        data: the training split.

    Raises:
        GengapError: an accuracy of numbers, or an error of classes.
    """
    unsuited = "accuracy" if data.has_numbers else "error"
    if gap == unsuited:
        targets = "numbers" if data.has_numbers else "classes"
        raise GengapError(
            f"'gap' is {gap}, but the targets of the data are {targets}, which have no {gap}: take "
            f"loss or {'error' if data.has_numbers else 'accuracy'}."
        )


def source_digest(entry: Mapping[str, Any], loss: str, code: str | None) -> str:
    """Return a digest of what the table tells of one network, and of its files' contents.

    Args:
        entry: see :attr:`gengap.planning.checkpoints.CheckpointsPlan.entries`.
        loss: the loss that it was trained on.
        code: digest of the factory's code.

    Returns:
        64 hexadecimal digits.
    """
    told = {name: value for name, value in entry.items() if name != "files"}
    files = [f"{name}={sha256(path)}" for name, path in sorted(entry["files"].items())]
    return digest_of(json.dumps(told, sort_keys=True), loss, str(code), *files)


def adopt_network(
    folder: str | Path,
    entry: Mapping[str, Any],
    data: tuple[Split, Split],
    loss: str = "",
    device: str = "cpu",
) -> None:
    """Write ``networks/<i>`` of a task folder.

    Besides the files of every task folder, this writes ``recomputed.json``. The metrics are
    recomputed for all networks alike; what the table states is only held against them.

    Args:
        folder: ``networks/<i>``. A factory's code is copied to ``code/<digest>`` of the task.
        entry: see :attr:`gengap.planning.checkpoints.CheckpointsPlan.entries`.
        data: training and test split; the test split only serves to measure the gap.
        loss: the loss that the network was trained on; empty for the default of the data.
        device: where outputs are computed, see :func:`gengap.networks.resolve_device`.

    Raises:
        GengapError: the network cannot be built, or files and data do not fit together.
    """
    folder, (train, test), files = Path(folder), data, entry["files"]
    network = _built(entry["network"], train, folder)
    if "initial" in files:
        read_weights(network, files["initial"])
        write_weights(network, folder / INITIAL)
    read_weights(network, files["weights"])
    write_weights(network, folder / WEIGHTS)
    with writing(folder / "config.json") as part:
        part.write_text(json.dumps(_spec_from(folder, network.spec), indent=1) + "\n")
    if "labels" in files:
        train = train.with_labels(read_labels(files["labels"], train))
    with writing(folder / "labels.npy") as part:
        np.save(part, train.labels, allow_pickle=False)
    network.to(resolve_device(device))
    recomputed = outcomes(network, train, test, loss or default_loss(train))
    for sentence in sentences(entry["name"], entry["stated"], recomputed):
        log.warning("%s", sentence)
    Metrics(
        hyper_parameters=dict(entry["hyper_parameters"]),
        train_accuracy=recomputed.get("train_accuracy"),
        test_accuracy=recomputed.get("test_accuracy"),
        train_loss=recomputed["train_loss"],
        test_loss=recomputed["test_loss"],
        replicate=entry["replicate"],
        source_id=None if entry["name"] == folder.name else entry["name"],
        train_error=recomputed.get("train_error"),
        test_error=recomputed.get("test_error"),
    ).write(folder / "metrics.json")
    content = {"name": entry["name"], "stated": entry["stated"], "recomputed": recomputed}
    with writing(folder / RECOMPUTED_FILE) as part:
        part.write_text(json.dumps(content, indent=1) + "\n")


def outcomes(network: Network, train: Split, test: Split, loss: str) -> dict[str, float]:
    """Return losses, and accuracies where targets are classes, errors where they are numbers.

    Args:
        network: in eval mode.
        train: with the labels that the network was trained on.
        test: the test data.
        loss: name of the loss.

    Returns:
        ``train_loss``, ``test_loss``, and ``train_accuracy`` and ``test_accuracy``, or
        ``train_error`` and ``test_error``.
    """
    values: dict[str, float] = {}
    for part, split in (("train", train), ("test", test)):
        if split.has_numbers:
            values[f"{part}_loss"] = mean_loss(network, split, loss)
            values[f"{part}_error"] = root_mean_square_error(network, split)
        else:
            values[f"{part}_loss"], values[f"{part}_accuracy"] = loss_and_accuracy(
                network, split, loss
            )
    return values


def read_labels(path: str | Path, data: Split) -> np.ndarray:
    """Read the labels that a network was trained on.

    Args:
        path: an .npy file with one label for each training input of the task, in their order:
            numbers, classes from 0, or the names of classes that the data have.
        data: the training split.

    Returns:
        The labels (n,) in the type of the split's.

    Raises:
        GengapError: the file does not hold such labels.
    """
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise GengapError(f"{path} is not a readable .npy file: write it by numpy.save.") from error
    if values.shape != data.labels.shape:
        raise GengapError(
            f"{path} holds labels of shape {values.shape} for {len(data.labels)} training inputs: "
            "give one for each, in the order of the task's training data."
        )
    if data.has_numbers:
        if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
            raise GengapError(f"{path} holds {values.dtype} labels: give finite numbers.")
        return values.astype(np.float32)
    codes = {name: code for code, name in enumerate(data.class_names)}
    named = [codes.get(str(value), -1) for value in values.tolist()]
    if codes and min(named) >= 0:
        return np.array(named, dtype=np.int64)
    if values.dtype.kind not in "iu" or values.min() < 0 or values.max() >= data.classes:
        raise GengapError(
            f"{path} holds labels that are none of the data's {data.classes} classes: give whole "
            f"numbers from 0 to {data.classes - 1}, or the names of classes."
        )
    return values.astype(np.int64)


def _built(network: Mapping[str, Any], train: Split, folder: Path) -> Network:
    """Build a network from the entry of a config."""
    if any(kind in network for kind in NAMED):
        return build(network_spec(network, train.inputs.shape[1:], train.classes or 1))
    code = _code_beside(folder)
    return build(copy_code(network, ".", code), example=train, folder=code)


def _spec_from(folder: Path, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a spec whose copied factory is relative to the network's folder."""
    if "factory" not in spec:
        return dict(spec)
    code = Path(os.path.relpath(_code_beside(folder), folder))
    return {**spec, "factory": (code / spec["factory"]).as_posix()}


def _code_beside(folder: Path) -> Path:
    """Return the folder of the factories that a task's networks are made by."""
    return folder.parents[1] / "code"
