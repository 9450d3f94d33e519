"""Measure the topology of one large network at the settings of Ballester et al. 2023.

    python benchmarks/extraction.py

The network is a VGG of the size of PGDL's (three blocks of two convolutions, widths 64, 128 and
256, a dense layer of 512 units; 32x32x3 inputs; 230 thousand neurons) with its initial weights.
There are 2000 inputs and 20 draws of 3000 neurons. Each stage is a process of its own: two plain
forward passes, the activations, the diagrams (on one and on four threads) and the summaries. All
others run on one thread. The table of CPU seconds and peak memory is written to
results/benchmarks/extraction/.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gengap.activations import read_sample, sample, write_sample
from gengap.seeding import generator
from gengap.topology import draw_diagrams, read_diagrams, summarise, write_diagrams
from gengap.topology.engines.fast import warm

FOLDER = Path("results/benchmarks/extraction")
INPUTS, NEURONS, DRAWS = 2000, 3000, 20
IMAGE = (32, 32, 3)
CLASSES = 10
WIDTHS = (64, 128, 256)
DENSE = 512
PLAIN_BATCH = 256
KILOBYTES_PER_MB = 1024


def spec() -> dict[str, object]:
    """Return the spec of the network."""
    convolution = {"layer_name": "Conv2D", "kernel_size": [3, 3], "padding": "same"}
    layers: list[dict[str, object]] = []
    for width in WIDTHS:
        layers += [{**convolution, "filters": width, "activation": "relu"} for _ in range(2)]
        layers.append({"layer_name": "MaxPooling2D", "pool_size": [2, 2]})
    layers += [
        {"layer_name": "Flatten"},
        {"layer_name": "Dense", "units": DENSE, "activation": "relu"},
        {"layer_name": "Dense", "units": CLASSES},
    ]
    return {"model_config": layers, "input_shape": list(IMAGE)}


def plain_passes() -> None:
    """Run the network twice over all inputs, without anything else."""
    import torch

    from gengap.networks import build

    network, inputs = build(spec()).eval(), images()
    with torch.inference_mode():
        for _ in range(2):
            for batch in torch.split(torch.from_numpy(inputs), PLAIN_BATCH):
                network(batch)


def activations() -> None:
    """Sample the activations and write them."""
    from gengap.networks import build

    sampled = sample(
        build(spec()), images(), neurons=NEURONS, draws=DRAWS, rng=generator(0, "activations")
    )
    write_sample(sampled, FOLDER / "sample.safetensors")


def diagrams(threads: int) -> None:
    """Compute the diagrams of all draws and write them."""
    sampled = read_sample(FOLDER / "sample.safetensors")
    computed = draw_diagrams(sampled, threads=threads)
    write_diagrams({"0": (computed, sampled.metadata())}, FOLDER / "diagrams.npz")


def summaries() -> None:
    """Compute the summaries of the diagrams."""
    draws, _ = read_diagrams(FOLDER / "diagrams.npz", "0")
    summarise(draws)


STAGES: dict[str, Callable[[], None]] = {
    "two plain passes": plain_passes,
    "activations": activations,
    "diagrams, 1 thread": lambda: diagrams(1),
    "diagrams, 4 threads": lambda: diagrams(4),
    "summaries": summaries,
}


def images() -> NDArray[np.float32]:
    """Draw random images (n, 32, 32, 3)."""
    return generator(0, "images").random((INPUTS, *IMAGE), dtype=np.float32)


def measure(stage: str) -> dict[str, float | str]:
    """Run one stage in a process of its own.

    Args:
        stage: its name.

    Returns:
        Name, CPU seconds and peak memory of the stage.

    Raises:
        SystemExit: the stage fails.
    """
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, __file__, "--stage", stage]
    process = subprocess.Popen(command, env={**os.environ, **single})
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"The stage '{stage}' failed.")
    return {
        "stage": stage,
        "CPU seconds": usage.ru_utime + usage.ru_stime,
        "peak MB": usage.ru_maxrss / KILOBYTES_PER_MB,
    }


def main() -> None:
    """Measure all stages, or run one in this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stage", choices=STAGES, help="run one stage in this process")
    stage = parser.parse_args().stage
    if stage:
        STAGES[stage]()
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    warm()
    table = pd.DataFrame([measure(name) for name in STAGES]).set_index("stage")
    table.to_csv(FOLDER / "extraction.csv")
    print(table.round(1).to_string())
    plain, sampled = table["CPU seconds"].iloc[:2]
    print(f"activations take {sampled / plain:.2f} times the CPU time of two plain passes")


if __name__ == "__main__":
    main()
