"""Measure what one network of PGDL's largest tasks costs at the published settings.

    python benchmarks/pgdl_scale.py
    python benchmarks/pgdl_scale.py --network nin --only brain interpex

Two networks have random weights and random data of the tasks' sizes: a VGG of the shape of task 1's
largest (three blocks of two convolutions of 512 channels, two dense layers; 50,000 images of
32x32x3) and a network in network of the shape of task 2's (twelve convolutions of 256 channels;
73,257 images). Each stage is a process of its own on one thread. A stage that takes long runs on a
part of its inputs, and its CPU seconds are extrapolated in proportion; whatever it holds for all
inputs has its full size, or is added. The table is written to results/benchmarks/pgdl_scale/.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from gengap.datasets import Split, read_split, write_split
from gengap.measures import Subject
from gengap.measures.pgdl.outputs import all_scores
from gengap.networks import Network, build
from gengap.seeding import generator

FOLDER = Path("results/benchmarks/pgdl_scale")
IMAGE, CLASSES = (32, 32, 3), 10
INPUTS, NEURONS, DRAWS = 2000, 3000, 20
MEGABYTE = 1_000_000
SECONDS_PER_HOUR = 3600
PREPARE = "data"

PASSES, OBSERVED, SCORED = 400, 200, 40
"""Inputs of a stage over all data, of the activations, and of each pass of Always Generalize."""


class Case(NamedTuple):
    """A network of a task: how many networks the task has, and its numbers of images."""

    networks: int
    train: int
    test: int
    layers: list[dict[str, Any]]


def convolution(filters: int, side: int, stride: int = 1) -> dict[str, Any]:
    """Return the entry of a convolution of square kernels with ReLU."""
    return {
        "layer_name": "Conv2D",
        "filters": filters,
        "kernel_size": [side, side],
        "strides": [stride, stride],
        "padding": "same",
        "activation": "relu",
    }


def vgg(width: int = 512, blocks: int = 3, dense: int = 128) -> list[dict[str, Any]]:
    """Return the layers of a VGG of the shape of task 1's networks."""
    layers: list[dict[str, Any]] = []
    for _ in range(blocks):
        layers += [convolution(width, 3), convolution(width, 3)]
        layers.append({"layer_name": "MaxPooling2D", "pool_size": [2, 2]})
    layers.append({"layer_name": "Flatten"})
    layers += [{"layer_name": "Dense", "units": dense, "activation": "relu"} for _ in range(2)]
    return [*layers, {"layer_name": "Dense", "units": CLASSES}]


def nin(width: int = 256, blocks: int = 4) -> list[dict[str, Any]]:
    """Return the layers of a network in network of the shape of task 2's."""
    layers: list[dict[str, Any]] = []
    for block in range(blocks):
        layers.append(convolution(width, 3, stride=1 if block == 0 else 2))
        layers += [convolution(width, 1), convolution(width, 1)]
    return [
        *layers,
        {"layer_name": "GlobalAveragePooling2D"},
        {"layer_name": "Dense", "units": CLASSES},
    ]


CASES = {
    "vgg": Case(96, 50_000, 10_000, vgg()),
    "nin": Case(54, 73_257, 26_032, nin()),
}


class Part(NamedTuple):
    """A part of what a measure does in one draw.

    Attributes:
        constants: of the family's modules, with other values than the published ones.
        share: what the part costs of the whole; a gradient counts as two forward passes.
    """

    constants: Mapping[str, int]
    share: float


PARTS = {
    "always_generalize": Part({}, SCORED / INPUTS),
    "interpex": Part({"clustering.ROUNDS": 1, "mixup.PER_CLASS": 10}, 1 / 10),
    "manifold_mixup_error": Part({"mixup.PER_CLASS": 10}, 1 / 10),
    "negative_augmented_margin": Part({"augmentation.MARGIN_INPUTS": 50}, 50 / 500),
    "jacobian_norm": Part({"perturbation.JACOBIAN_INPUTS": 32}, 32 / 512),
    "brain": Part({"smoothness.EXAMPLES": 100}, 100 / 500),
    "label_variation": Part({"smoothness.EXAMPLES": 100}, 100 / 500),
    # 64 inputs in one step of 64, of 640 in ten times twenty steps of 64.
    "sharpness": Part(
        {
            "perturbation.SHARPNESS_INPUTS": 64,
            "perturbation.BISECTIONS": 1,
            "perturbation.ASCENT_STEPS": 1,
        },
        (2 * 64 + 3 * 64) / (11 * 640 + 10 * 20 * 3 * 64),
    ),
}


class Cost(NamedTuple):
    """What a stage cost: the CPU seconds that were measured, and those of the whole stage.

    Attributes:
        measured: CPU seconds.
        whole: CPU seconds, extrapolated where only a part was run.
        more_bytes: memory that the whole stage takes beside that of the part.
    """

    measured: float
    whole: float
    more_bytes: int = 0


def import_dataset(name: str) -> Cost:
    """Read the training data from records, and write them as a split."""
    from gengap.tasks.pgdl.records import read_examples

    start = time.process_time()
    inputs, labels = read_examples(sorted((FOLDER / name).iterdir()))
    write_split(Split(inputs, labels, CLASSES), FOLDER / "imported.safetensors")
    seconds = time.process_time() - start
    return Cost(seconds, seconds)


def import_network(name: str) -> Cost:
    """Run a network over a part of all data."""
    from gengap.training import loss_and_accuracy

    network, train = network_of(name), read_split(data_path(name))
    start = time.process_time()
    loss_and_accuracy(network, train.take(slice(0, PASSES)))
    seconds = time.process_time() - start
    return Cost(seconds, seconds * (CASES[name].train + CASES[name].test) / PASSES)


def activations(name: str) -> Cost:
    """Sample the activations on a part of the inputs, and write them."""
    from gengap.activations import choose_inputs, sample, write_sample

    network, train = network_of(name), read_split(data_path(name))
    start = time.process_time()
    inputs = choose_inputs(train, OBSERVED, generator(0, "inputs"))
    sampled = sample(network, inputs, neurons=NEURONS, draws=DRAWS, rng=generator(0, "activations"))
    write_sample(sampled, FOLDER / "sample.safetensors")
    seconds = time.process_time() - start
    more = sampled.activations.nbytes * (INPUTS - OBSERVED) // OBSERVED
    return Cost(seconds, seconds * INPUTS / OBSERVED, more)


def baseline(name: str) -> Cost:
    """Compute the family ``baseline`` on a part of the training data."""
    from gengap.measures import compute
    from gengap.networks import batched_outputs

    network, train = network_of(name), read_split(data_path(name)).take(slice(0, PASSES))
    start = time.process_time()
    compute("baseline", Subject(network, network_of(name), train, generator(0, "baseline")))
    middle = time.process_time()
    batched_outputs(network, train)
    of_passes = time.process_time() - middle
    seconds = middle - start
    return Cost(seconds, seconds + of_passes * (CASES[name].train / PASSES - 1))


def competition(name: str, measure: str) -> Cost:
    """Compute a part of one draw of a measure of the competition."""
    from gengap.measures.pgdl import augmentation
    from gengap.measures.registry import declaration, members

    network, train = network_of(name), read_split(data_path(name))
    function, part = members("competition")[measure], PARTS[measure]
    for constant, value in part.constants.items():
        module, _, attribute = constant.partition(".")
        setattr(importlib.import_module(f"gengap.measures.pgdl.{module}"), attribute, value)
    of_passes = 0.0

    def some_scores(network: nn.Module, inputs: Tensor) -> Tensor:
        """Score a part of the inputs, and say the same of the others."""
        nonlocal of_passes
        start = time.process_time()
        scores = all_scores(network, inputs[:SCORED])
        of_passes += time.process_time() - start
        return scores.repeat(len(inputs) // SCORED, 1)

    vars(augmentation)["all_scores"] = some_scores
    start = time.process_time()
    function(Subject(network, None, train, generator(0, "competition")))
    seconds = time.process_time() - start
    # For Always Generalize all inputs are augmented, and a part of them is scored.
    whole = seconds + of_passes * (1 / part.share - 1) if of_passes else seconds / part.share
    return Cost(seconds, whole * declaration(function).draws)


STAGES: dict[str, Callable[[str], Cost]] = {
    "import of the training data": import_dataset,
    "import of a network": import_network,
    "activations": activations,
    "baseline": baseline,
    **{measure: partial(competition, measure=measure) for measure in PARTS},
}


def network_of(name: str) -> Network:
    """Build a network with random weights."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return build({"model_config": CASES[name].layers, "input_shape": list(IMAGE)})


def data_path(name: str) -> Path:
    """Return the file of a network's training data."""
    return FOLDER / f"{name}.safetensors"


def prepare(name: str) -> None:
    """Write random training data of a task's size, as a split and as records."""
    from gengap.tasks.pgdl.records import write_examples

    rng = generator(0, "pgdl_scale", name)
    inputs = rng.random((CASES[name].train, *IMAGE), dtype=np.float32)
    labels = rng.integers(0, CLASSES, CASES[name].train)
    write_examples(inputs, labels, FOLDER / name)
    write_split(Split(inputs, labels, CLASSES), data_path(name))


def in_a_process(name: str, stage: str) -> None:
    """Run a stage in a process of its own, on one thread.

    Raises:
        SystemExit: the stage fails.
    """
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, __file__, "--network", name, "--stage", stage]
    if subprocess.run(command, env={**os.environ, **single}).returncode:
        raise SystemExit(f"The stage '{stage}' of {name} failed.")


def run(name: str, stage: str) -> None:
    """Run a stage in this process, and write what it cost."""
    if stage == PREPARE:
        prepare(name)
        return
    cost = STAGES[stage](name)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + cost.more_bytes
    data = data_path(name).stat().st_size
    row = {
        "network": name,
        "stage": stage,
        "measured CPU seconds": cost.measured,
        "CPU seconds": cost.whole,
        "peak MB": peak / MEGABYTE,
        "MB beside the data": (peak - data) / MEGABYTE,
    }
    with (FOLDER / "rows.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")


def main() -> None:
    """Measure all stages, or run one in this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=CASES, nargs="*", default=[*CASES])
    parser.add_argument("--stage", choices=[*STAGES, PREPARE], help="run one in this process")
    parser.add_argument("--only", nargs="*", choices=STAGES, default=[*STAGES], metavar="STAGE")
    arguments = parser.parse_args()
    if arguments.stage:
        (name,) = arguments.network
        run(name, arguments.stage)
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows = FOLDER / "rows.jsonl"
    rows.unlink(missing_ok=True)
    for name in arguments.network:
        if not data_path(name).exists():
            in_a_process(name, PREPARE)
        for stage in arguments.only:
            in_a_process(name, stage)
    table = pd.read_json(rows, lines=True)
    table.to_csv(FOLDER / "pgdl_scale.csv", index=False)
    print(table.round(1).to_string(index=False))
    for name in arguments.network:
        seconds = table.loc[table["network"] == name, "CPU seconds"].sum()
        hours, networks = seconds / SECONDS_PER_HOUR, CASES[name].networks
        print(f"{name}: {hours:.2f} CPU hours a network, {hours * networks:.0f} for {networks}")


if __name__ == "__main__":
    main()
