"""A task of small networks whose gaps follow the size of their weights, and references of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.conftest import seeded_network
from tests.prediction.measured_tasks import measures_of, write_measures

from gengap.datasets import Split, write_split
from gengap.measures import Subject
from gengap.networks import Network, dense, write_weights
from gengap.prediction import Reference, freeze
from gengap.seeding import generator
from gengap.tasks.folder import Metrics, write_task
from gengap.training import loss_and_accuracy

SPEC = dense((5,), 3, width=6, depth=1)
FAMILIES = ("baseline", "norms", "sharpness")
SEED = 3
DRAW = 40
"""Training inputs of a network."""

MakeTask = Callable[..., Path]


def pool(count: int = 120) -> Split:
    """The inputs that every draw is from."""
    inputs = np.random.default_rng(0).normal(size=(count, 5)).astype(np.float32)
    return Split(inputs, np.arange(count) % 3, 3)


def fitted_network(seed: int, data: Split, size: float) -> tuple[Network, Split]:
    """A network of weights of some size, and data whose labels it fits."""
    network: Network = seeded_network(SPEC, seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(size)
        outputs = network(torch.from_numpy(data.inputs))
    return network, data.with_labels(outputs.argmax(dim=1).numpy())


def gap_of_size(size: float, rng: np.random.Generator) -> float:
    """The gap that follows from the size of the weights."""
    return float(0.1 + 0.1 * np.log(size / 3) + 0.005 * rng.normal())


@pytest.fixture(scope="session")
def make_task(tmp_path_factory: pytest.TempPathFactory) -> MakeTask:
    """A function that gives the folder of a measured task, which a test may change."""
    made: dict[str, Path] = {}

    def copied(name: str = "small", **keywords: Any) -> Path:
        key = repr((name, sorted(keywords.items())))
        if key not in made:
            made[key] = make(name, **keywords)
        copy = tmp_path_factory.mktemp("copy") / name
        shutil.copytree(made[key], copy)
        return copy

    def make(
        name: str = "small",
        replicates: int = 3,
        points: int = 9,
        own_draws: bool = True,
        gaps: Callable[[float, np.random.Generator], float] = gap_of_size,
        chosen: Sequence[str] = FAMILIES,
    ) -> Path:
        folder, data, rng = tmp_path_factory.mktemp("task") / name, pool(), generator(SEED, name)
        write_split(data, folder / "dataset" / "train.safetensors")
        write_split(data, folder / "dataset" / "test.safetensors")
        metrics, tables = {}, []
        sizes = np.geomspace(3.0, 6.0, points)
        for number in range(points * replicates):
            point, replicate = divmod(number, replicates)
            network_folder = folder / "networks" / str(number)
            network_folder.mkdir(parents=True)
            rows = np.arange(DRAW) + (40 * replicate if own_draws else 0)
            size = float(sizes[point] * np.exp(0.05 * rng.normal()))
            network, train = fitted_network(number, data.take(rows), size)
            initial = seeded_network(SPEC, number)
            np.save(network_folder / "labels.npy", train.labels)
            if own_draws:
                np.save(network_folder / "rows.npy", rows)
            (network_folder / "config.json").write_text(json.dumps(SPEC))
            write_weights(network, network_folder / "weights.safetensors")
            write_weights(initial, network_folder / "weights_init.safetensors")
            loss, accuracy = loss_and_accuracy(network, train, "cross_entropy")
            metrics[str(number)] = Metrics(
                {"size": point % 3, "rate": point // 3},
                train_accuracy=accuracy,
                test_accuracy=accuracy - gaps(size, rng),
                train_loss=loss,
                test_loss=1.0,
                replicate=replicate,
            )
            metrics[str(number)].write(network_folder / "metrics.json")
            tables.append(
                measures_of(network, initial, train, chosen, task=name, name=str(number), seed=SEED)
            )
        if not own_draws:
            write_split(data.take(np.arange(DRAW)), folder / "dataset" / "train.safetensors")
        grid = {"size": [0, 1, 2], "rate": list(range(-(-points // 3)))}
        write_task(folder / "task.json", name, grid, metrics)
        write_measures(folder, tables, chosen, task=name, seed=SEED)
        return folder

    return copied


@pytest.fixture
def task(make_task: MakeTask) -> Path:
    """Twenty-seven networks on three draws of the data."""
    return make_task()


@pytest.fixture(scope="session")
def reference(make_task: MakeTask) -> Reference:
    """What these networks predict."""
    return freeze(make_task())


@pytest.fixture
def new_subject() -> Callable[..., Subject]:
    """A function that makes a network that is not of the task, on a draw of its own."""

    def make(size: float = 4.0, seed: int = 500, data: Split | None = None) -> Subject:
        rows = np.random.default_rng(seed).permutation(120)[:DRAW]
        data = pool().take(np.sort(rows)) if data is None else data
        network, train = fitted_network(seed, data, size)
        return Subject(network, seeded_network(SPEC, seed), train, np.random.default_rng(0))

    return make
