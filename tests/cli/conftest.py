"""A small network with its files, its data, and the same as a network of a task."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gengap.datasets import Split, write_split
from gengap.networks import Network, convolutional, write_weights
from gengap.tasks.folder import Metrics

SPEC = convolutional((6, 6, 1), 3, width=4, depth=1)


@dataclass(frozen=True)
class Saved:
    """A network's files, and what they hold.

    Attributes:
        network: the trained network.
        initial: the network before training.
        train: the data with the labels trained on.
        spec, weights, first, data: the files of the spec, both weights and the data.
        folder: a network's folder of a task with the same files.
    """

    network: Network
    initial: Network
    train: Split
    spec: str
    weights: str
    first: str
    data: str
    folder: str


@pytest.fixture
def saved(tmp_path: Path, seeded: Callable[..., Any], random_split: Callable[..., Split]) -> Saved:
    network, initial = seeded(SPEC, 1), seeded(SPEC, 2)
    train = random_split(24, (6, 6, 1), 3)
    folder = tmp_path / "small" / "networks" / "3"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(SPEC))
    write_weights(network, folder / "weights.safetensors")
    write_weights(initial, folder / "weights_init.safetensors")
    # The labels of the dataset are others: those in the network's folder count.
    other = train.with_labels(np.roll(train.labels, 1))
    write_split(other, tmp_path / "small" / "dataset" / "train.safetensors")
    np.save(folder / "labels.npy", train.labels)
    Metrics({"width": 4}, train_accuracy=1.0, test_accuracy=0.5).write(folder / "metrics.json")
    write_split(train, tmp_path / "train.safetensors")
    return Saved(
        network,
        initial,
        train,
        spec=str(folder / "config.json"),
        weights=str(folder / "weights.safetensors"),
        first=str(folder / "weights_init.safetensors"),
        data=str(tmp_path / "train.safetensors"),
        folder=str(folder),
    )
