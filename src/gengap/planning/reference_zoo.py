"""The zoo that a config's section ``reference`` stands for: networks around a user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gengap.names import FULL_BATCH
from gengap.planning.settings import Settings

TRAIN_FRACTION = 0.95
"""Share of the pool that each draw has. With a fifth held out it is three quarters of all data:
with fewer, the gap of a network that was trained on all is smaller than what is predicted."""
FACTOR = 2.0
"""Between the values of a learning rate or batch size that vary."""
WEIGHT_DECAY = 0.001
"""The second weight decay, beside none."""


def reference_task(reference: Mapping[str, Any]) -> Settings:
    """Return the task of a zoo that a validated section ``reference`` stands for.

    The training recipe's learning rate, batch size and weight decay vary too, unless the grid says
    how. Each replicate is trained on a draw of its own.

    Args:
        reference: the section, with its defaults.

    Returns:
        A task, to be validated.
    """
    training, dataset = reference["training"], dict(reference["dataset"])
    if dataset["train_size"] is None:
        dataset["train_size"] = TRAIN_FRACTION
    grid = {**reference["grid"]}
    for name, values in around(training).items():
        grid.setdefault(name, values)
    return {
        "name": reference["name"],
        "zoo": {
            "dataset": {**dataset, "resample": "replicate"},
            "network": reference["network"],
            "training": training,
            "grid": grid,
            "replicates": reference["draws"],
            "gap": reference.get("gap"),
        },
        "networks_per_job": reference["networks_per_job"],
    }


def around(training: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the values around those of a training recipe that a reference varies.

    Args:
        training: the recipe.

    Returns:
        Learning rates, batch sizes and weight decays, the recipe's own among them.
    """
    rate, size, decay = (training[name] for name in ("learning_rate", "batch_size", "weight_decay"))
    return {
        "learning_rate": [rate / FACTOR, rate, rate * FACTOR],
        "batch_size": [size] if size == FULL_BATCH else _batch_sizes(size),
        "weight_decay": [decay, decay * FACTOR] if decay else [decay, WEIGHT_DECAY],
    }


def _batch_sizes(size: int) -> list[int]:
    smaller = max(1, round(size / FACTOR))
    return [smaller, size] if smaller < size else [size, round(size * FACTOR)]
