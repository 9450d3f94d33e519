"""Networks that are there already become networks of a task folder (:mod:`gengap.tasks.folder`)."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.files import writing
from gengap.networks import read_weights, resolve_device, write_weights
from gengap.tasks.disagreements import RECOMPUTED_FILE, sentences
from gengap.tasks.folder import Metrics
from gengap.tasks.outcomes import default_loss, outcomes
from gengap.tasks.shards import INITIAL, WEIGHTS, digest_of, sha256
from gengap.tasks.zoo import build_network, write_spec

log = logging.getLogger(__name__)


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
    data: tuple[Split, Split | None],
    loss: str = "",
    device: str = "cpu",
) -> None:
    """Write ``networks/<i>`` of a task folder.

    Besides the files of every task folder, this writes ``recomputed.json``. The metrics are
    recomputed for all networks alike; what the table states is only held against them.

    Args:
        folder: ``networks/<i>``. A factory's code is copied to ``code/<digest>`` of the task.
        entry: see :attr:`gengap.planning.checkpoints.CheckpointsPlan.entries`.
        data: training and test split; the test split only serves to measure the gap, and is None
            where there are no test data.
        loss: the loss that the network was trained on; empty for the default of the data.
        device: where outputs are computed, see :func:`gengap.networks.resolve_device`.

    Raises:
        GengapError: the network cannot be built, or files and data do not fit together.
    """
    folder, (train, test), files = Path(folder), data, entry["files"]
    network = build_network(entry["network"], train, folder)
    if "initial" in files:
        read_weights(network, files["initial"])
        write_weights(network, folder / INITIAL)
    read_weights(network, files["weights"])
    write_weights(network, folder / WEIGHTS)
    write_spec(network, folder)
    if "labels" in files:
        train = train.with_labels(read_labels(files["labels"], train))
    with writing(folder / "labels.npy") as part:
        np.save(part, train.labels, allow_pickle=False)
    network.to(resolve_device(device))
    recomputed = outcomes(network, train, test, loss or default_loss(train))
    for sentence in sentences(entry["name"], entry["stated"], recomputed):
        log.warning("%s", sentence)
    known: dict[str, Any] = {"train_accuracy": None, "test_accuracy": None, **recomputed}
    Metrics(
        hyper_parameters=dict(entry["hyper_parameters"]),
        replicate=entry["replicate"],
        source_id=None if entry["name"] == folder.name else entry["name"],
        **known,
    ).write(folder / "metrics.json")
    content = {"name": entry["name"], "stated": entry["stated"], "recomputed": recomputed}
    with writing(folder / RECOMPUTED_FILE) as part:
        part.write_text(json.dumps(content, indent=1) + "\n")


def read_labels(path: str | Path, data: Split) -> NDArray[Any]:
    """Read the labels that a network was trained on.

    Args:
        path: an .npy file with one label for each training input of the task, in the order of the
            user's data: numbers, classes from 0, or the names of classes that the data have.
        data: the training split.

    Returns:
        The labels (n,) in the type of the split's.

    Raises:
        GengapError: the file does not hold such labels.
    """
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise GengapError(f"{path} is not a readable .npy file: write it by numpy.save.") from error
    if not isinstance(values, np.ndarray):
        raise GengapError(f"{path} is not a readable .npy file: write it by numpy.save.")
    if values.shape != data.labels.shape:
        raise GengapError(
            f"{path} holds labels of shape {values.shape} for {len(data.labels)} training inputs: "
            "give one for each, in the order of the task's training data."
        )
    if data.has_numbers:
        if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
            raise GengapError(f"{path} holds {values.dtype} labels: give finite numbers.")
        return np.asarray(values, dtype=np.float32)
    codes = {name: code for code, name in enumerate(data.class_names)}
    named = [codes.get(str(value), -1) for value in values.tolist()]
    if codes and min(named) >= 0:
        return np.array(named, dtype=np.int64)
    if values.dtype.kind not in "iu" or values.min() < 0 or values.max() >= data.classes:
        raise GengapError(
            f"{path} holds labels that are none of the data's {data.classes} classes: give whole "
            f"numbers from 0 to {data.classes - 1}, or the names of classes."
        )
    return np.asarray(values, dtype=np.int64)
