"""How long the networks of a zoo take to train, by one epoch of some of them.

``python -m gengap.tasks.timing`` reads a job as JSON (see :func:`mean_seconds`) and prints the
seconds.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gengap.datasets import Split, draw_rows, load_described
from gengap.errors import GengapError
from gengap.planning.grid import canonical_point
from gengap.tasks.zoo import build_network
from gengap.training import Recipe, train

BATCHES = 2
"""Batches of the epoch that is timed; the first such epoch, which warms up, is not."""


def mean_seconds(
    dataset: Mapping[str, Any],
    draw: Mapping[str, Any] | None,
    entries: Sequence[Mapping[str, Any]],
    *,
    data_dir: str | None,
    seed: int,
) -> float:
    """Return how long one network takes for all epochs of its recipe, on average.

    A recipe that stops at a loss may take fewer.

    Args:
        dataset: as in a config.
        draw: how a replicate's data are drawn, see :func:`gengap.datasets.draw_rows`; None for all.
        entries: ``network`` and ``training`` of each network that is timed.
        data_dir: folder of official data.
        seed: the config's seed.

    Returns:
        Seconds.

    Raises:
        GengapError: the data cannot be read, or a network cannot be built or trained.
    """
    keys = {name: value for name, value in dataset.items() if value is not None}
    data, _, _ = load_described(keys, data_dir=data_dir, seed=seed)
    if draw:
        data = data.take(draw_rows(data, replicate=0, seed=seed, **draw))
    return float(np.mean([_seconds(data, entry) for entry in entries]))


def _seconds(data: Split, entry: Mapping[str, Any]) -> float:
    recipe = Recipe.from_mapping(canonical_point(entry["training"]))
    once = replace(recipe, epochs=1, stop_at_loss=None, stop_at_accuracy=None)
    part = data.take(slice(0, BATCHES * recipe.inputs_per_step(len(data.labels))))
    with tempfile.TemporaryDirectory() as folder:
        network = build_network(entry["network"], data, Path(folder, "networks", "0"))
        train(network, part, once)
        start = time.perf_counter()
        train(network, part, once)
        seconds = time.perf_counter() - start
    return seconds * recipe.epochs * len(data.labels) / len(part.labels)


def main() -> None:
    """Print the seconds of the job on standard input."""
    import torch

    torch.set_num_threads(1)
    job = json.load(sys.stdin)
    try:
        print(mean_seconds(**job))
    except GengapError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
