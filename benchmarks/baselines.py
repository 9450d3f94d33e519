"""Measure the CPU seconds of each measure of the family ``competition`` on one network.

    python benchmarks/baselines.py

There are two settings, on one thread: 2000 random images of 16x16x3 and scikit-learn's digits. On
the first, the published TensorFlow code takes 33 CPU seconds for Always Generalize, Interpex and
BrAIn together.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import torch

from gengap.datasets import Split, load
from gengap.measures import Subject, compute
from gengap.measures.registry import members
from gengap.networks import build, convolutional
from gengap.seeding import generator
from gengap.training import Recipe, train

FAMILY = "competition"
PUBLISHED = ("always_generalize", "interpex", "brain")


def settings() -> dict[str, Split]:
    """Return the training data of each setting by its name."""
    rng = generator(0, "benchmark")
    images = rng.random((2000, 16, 16, 3), dtype=np.float32)
    return {
        "2000 images of 16x16x3": Split(images, rng.integers(0, 10, 2000), 10),
        "600 digits of 8x8x1": load("digits", train_size=600, balanced=True).train,
    }


def seconds(data: Split) -> pd.Series[float]:
    """Measure each function of the family, named by the first measure that it gives."""
    network = build(convolutional(data.inputs.shape[1:], data.classes, width=32, depth=3)).eval()
    train(network, data, Recipe(epochs=2))
    functions = {function: name for name, function in reversed(members(FAMILY).items())}
    taken: dict[str, float] = {}
    for name in reversed(functions.values()):
        start = time.process_time()
        subject = Subject(network, None, data, generator(0, "benchmark", name))
        compute(f"{FAMILY}:{name}", subject)
        taken[name] = time.process_time() - start
    return pd.Series(taken)


def main() -> None:
    """Print the table of both settings."""
    torch.set_num_threads(1)
    table = pd.DataFrame({name: seconds(data) for name, data in settings().items()})
    table.loc["the three published entries"] = table.loc[list(PUBLISHED)].sum()
    table.loc["the family"] = table.drop(index="the three published entries").sum()
    print(table.round(2).to_string())


if __name__ == "__main__":
    main()
