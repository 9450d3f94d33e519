"""Seven networks of a user's own with their data, trained here as a user trains them.

Nothing of the library is used: data are arrays in ``.npz`` files, weights are state dicts that
``torch.save`` writes, and a table has one row for each network.
"""

from __future__ import annotations

import csv
import importlib
import inspect
import itertools
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from torch import Tensor, nn

HERE = Path(__file__).parent
TRAIN = 64
TEXT_LENGTH = 24
LEARNING_RATES = (0.003, 0.01)
SEEDS = (0, 1)

Arrays = dict[str, NDArray[Any]]


def _halved(inputs: NDArray[Any], targets: NDArray[Any]) -> Arrays:
    order = np.random.default_rng(4).permutation(len(inputs))
    train, test = order[:TRAIN], order[TRAIN:]
    return {
        "inputs": inputs[train],
        "labels": targets[train],
        "test_inputs": inputs[test],
        "test_labels": targets[test],
    }


def images() -> Arrays:
    """Digits (n, 1, 8, 8)."""
    digits = load_digits()
    return _halved((digits.images[:, None] / 16).astype(np.float32), digits.target)


def vectors() -> Arrays:
    """Measurements of tumours (n, 30), standardised."""
    tumours = load_breast_cancer()
    return _halved(_standardised(tumours.data), tumours.target)


def series() -> Arrays:
    """The rows of digits as series of eight steps: (n, 8 channels, 8 steps)."""
    digits = load_digits()
    return _halved((digits.images / 16).astype(np.float32), digits.target)


def numbers() -> Arrays:
    """Progression of diabetes, standardised, and ten measurements (n, 10)."""
    patients = load_diabetes()
    return _halved(_standardised(patients.data), _standardised(patients.target))


def texts() -> Arrays:
    """Stretches of characters of three modules of the standard library, as tokens (n, length)."""
    tokens: list[NDArray[np.int64]] = []
    labels: list[int] = []
    for label, module in enumerate((inspect, csv, shutil)):
        source = Path(inspect.getfile(module)).read_bytes()
        characters = np.frombuffer(source, np.uint8).astype(np.int64).clip(max=127)
        count = min(200, len(characters) // TEXT_LENGTH)
        tokens.append(characters[: count * TEXT_LENGTH].reshape(count, TEXT_LENGTH))
        labels += [label] * count
    return _halved(np.concatenate(tokens), np.array(labels))


def _standardised(values: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray((values - values.mean(0)) / values.std(0), np.float32)


@dataclass(frozen=True)
class Kind:
    """One kind of network and its data.

    Attributes:
        factory: its name in ``foreign_networks.py``.
        data: makes the arrays.
        layout: of the arrays; None where there is nothing to say.
        epochs: of training.
        widths: of the networks; the narrowest has 50 neurons to observe.
    """

    factory: str
    data: Callable[[], Arrays]
    layout: str | None = None
    epochs: int = 15
    widths: tuple[int, int] = (8, 32)

    @property
    def is_regression(self) -> bool:
        """Whether the targets are numbers."""
        return self.data is numbers


KINDS = {
    "resnet": Kind("SmallResNet", images, "NCHW", epochs=25, widths=(8, 16)),
    "layer_norm": Kind("LayerNormMLP", vectors, widths=(32, 64)),
    "vit": Kind("SmallViT", images, "NCHW", epochs=40, widths=(8, 16)),
    "series": Kind("SeriesCNN", series, "NCL", epochs=40),
    "bag": Kind("BagOfWords", texts, epochs=40),
    "lstm": Kind("TextLSTM", texts, epochs=25),
    "regressor": Kind("tabular_regressor", numbers, epochs=40, widths=(32, 64)),
}


def factory(kind: Kind) -> Callable[..., nn.Module]:
    """Import a user's factory as a user does, with its folder on the path."""
    sys.path.insert(0, str(HERE))
    try:
        foreign_networks = importlib.import_module("foreign_networks")
    finally:
        sys.path.remove(str(HERE))
    make: Callable[..., nn.Module] = getattr(foreign_networks, kind.factory)
    return make


def logits_of(outputs: Tensor | tuple[Tensor, ...]) -> Tensor:
    """Return the first output."""
    return outputs if isinstance(outputs, Tensor) else outputs[0]


def train(
    make: Callable[..., nn.Module], kind: Kind, arrays: Arrays, width: int, rate: float, seed: int
) -> tuple[nn.Module, dict[str, Tensor]]:
    """Train one network; return it and its initial state."""
    torch.manual_seed(seed)
    network = make(width=width)
    initial = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    inputs, labels = torch.from_numpy(arrays["inputs"]), torch.from_numpy(arrays["labels"])
    for _ in range(kind.epochs):
        for rows in torch.split(torch.randperm(len(inputs)), 25):
            outputs = logits_of(network(inputs[rows]))
            if kind.is_regression:
                loss = nn.functional.mse_loss(outputs[:, 0], labels[rows])
            else:
                loss = nn.functional.cross_entropy(outputs, labels[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return network.eval(), initial


def accuracy(network: nn.Module, inputs: NDArray[Any], labels: NDArray[Any]) -> float:
    """Return the fraction of right predictions."""
    with torch.no_grad():
        outputs = logits_of(network(torch.from_numpy(inputs)))
    return float((outputs.argmax(1).numpy() == labels).mean())


def write_checkpoints(name: str, folder: Path) -> dict[str, Any]:
    """Train eight networks of a kind and write all that a task of checkpoints needs.

    Args:
        name: the kind.
        folder: where ``<kind>.npz``, ``<kind>.csv``, weights and the code go.

    Returns:
        The task's entry in a config that lies in the folder.
    """
    kind = KINDS[name]
    arrays, make = kind.data(), factory(kind)
    folder.mkdir(parents=True, exist_ok=True)
    for source in ("foreign_networks.py", "blocks.py"):
        shutil.copy(HERE / source, folder / source)
    np.savez(folder / f"{name}.npz", **arrays)  # type: ignore[arg-type]
    rows: list[dict[str, Any]] = []
    for seed in SEEDS:
        for width, rate in itertools.product(kind.widths, LEARNING_RATES):
            network, initial = train(make, kind, arrays, width, rate, seed)
            weights, start = f"{name}/{len(rows)}.pt", f"{name}/{len(rows)}.start.pt"
            (folder / name).mkdir(exist_ok=True)
            torch.save(network.state_dict(), folder / weights)
            torch.save(initial, folder / start)
            row = {"weights": weights, "initial": start, "width": width, "learning_rate": rate}
            if not kind.is_regression:
                row["train_accuracy"] = accuracy(network, arrays["inputs"], arrays["labels"])
                row["test_accuracy"] = accuracy(
                    network, arrays["test_inputs"], arrays["test_labels"]
                )
            rows.append(row)
    with (folder / f"{name}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    dataset: dict[str, Any] = {"from": f"{name}.npz"}
    network_spec = {"factory": f"foreign_networks.py:{kind.factory}"}
    if kind.layout:
        dataset["layout"] = kind.layout
        network_spec["layout"] = "channels_first"
    if kind.data is texts:
        dataset["kind"] = "tokens"
    if kind.is_regression:
        dataset["target"] = "number"
    return {
        "name": name,
        "networks_per_job": len(rows),
        "checkpoints": {
            "table": f"{name}.csv",
            "network": network_spec,
            "dataset": dataset,
            "gap": "error" if kind.is_regression else "accuracy",
        },
    }
