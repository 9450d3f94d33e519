"""What a run that computes and decomposes tangent kernels asks for, from its settings alone.

The kernel of n inputs is a file of n^2 numbers that is mapped into memory; its eigenfunctions are
sought in a basis beside it. Time is counted in multiplications, at rates that were measured on one
core (studies/ortizjimenez2021.md says how), and requested twice.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gengap import limits

STUDY = "ortizjimenez2021"
"""The study whose experiments compute such kernels."""

SHAPES = {"digits": (8, 8, 1), "mnist": (28, 28, 1), "fashion_mnist": (28, 28, 1)}
COLOUR = (32, 32, 3)
"""Shape of an input of any other dataset."""
WHOLE = (60_000, 10_000)
"""Training and test inputs of a dataset whose sizes are not set."""

MLP_UNITS = (100, 100)
RESIDUAL = {
    "resnet18": (11_200_000, 560_000_000),
    "resnet34": (21_300_000, 1_160_000_000),
    "resnet50": (23_500_000, 1_300_000_000),
    "resnet101": (42_500_000, 2_500_000_000),
    "resnet152": (58_100_000, 3_740_000_000),
}
"""Parameters, and multiplications of a pass of one image of 32 x 32, at a width of 64."""
LENET = (4307, 1_000_000)
"""Multiplications for one entry of the kernel; and for a pass as many as its time is worth, since
small layers are slow: 0.42 ms for the training, the gradient and the evaluation of an image."""
WIDTH = 64

CORE = 15e9
"""Multiplications a second of one core: 26e9 in kernels, 18e9 in products with eigenfunctions."""
GPU = 1e12
"""Multiplications a second of a GPU in training and in features: assumed, not measured."""
PASSES = 7
"""Passes of an epoch: three to train, three for the norm of the gradient, one to evaluate."""
DUAL_SECONDS = 2.5e-9
"""Of an entry of the kernel, in an epoch of the linearisation: memory is the limit."""
PRODUCTS = 4
"""Products with the kernel for each eigenfunction that is sought: 2.8 to 3.8 were measured."""
ALIGNED = 200
"""Eigenfunctions with which the kernel's alignment is computed, unless a setting says otherwise."""
EPOCHS = 100
MARGIN = 2
"""Requested time over the estimate."""
LEAST_MINUTES = 240
DAY = 24 * 60
COPIES_OF_DATA = 3


@dataclass(frozen=True)
class Cost:
    """What a run takes: seconds that threads share, seconds of one thread, and megabytes."""

    shared: float
    alone: float
    megabytes: float

    def minutes(self, threads: int) -> int:
        """Return the minutes to request: the estimate twice, from four hours to a day.

        An estimate of more than a day is requested as it is.
        """
        estimate = math.ceil((self.shared / threads + self.alone) / 60)
        return max(LEAST_MINUTES, min(MARGIN * estimate, max(DAY, estimate)))


def cost_of_kernels(module: str, settings: Mapping[str, Any], *, on_gpu: bool) -> Cost:
    """Estimate what one run of an experiment of :data:`STUDY` takes.

    Args:
        module: the experiment's module.
        settings: its keywords.
        on_gpu: whether networks and kernels are computed on a GPU.

    Returns:
        The cost; memory without the libraries and the budget of the blocks.
    """
    train, test, shape = _data(settings)
    entries, forward = _network(settings.get("network", {}), shape)
    rate, cores = (GPU, 0.0) if on_gpu else (CORE, 1.0)
    points, size = train + test, math.prod(shape)
    epochs = settings.get("training", {}).get("epochs", EPOCHS)
    budget = settings.get("memory_gib", limits.KERNEL_BYTES / limits.GIB) * limits.GIB
    # Features that do not fit the budget are computed once more for each part of the rows.
    parts = max(1.0, points * 4 * _features(settings, entries) / (0.75 * budget))
    one_kernel = (points**2 / 2 * entries + points * parts * 3 * forward) / rate
    tasks, found, saved = _tasks(module, settings, points)
    kernels = 1 + tasks if module in ("eigenfunction_tasks", "pretrained") else 2 * tasks
    learning = epochs * train * PASSES * forward / rate
    linear = epochs * train * (2 * train + test) * DUAL_SECONDS
    linear *= 3 if module == "pretrained" else 1
    products = points**2 * (saved * (2 * kernels if saved else 0) + (PRODUCTS + 1) * found)
    basis = limits.lanczos_basis(points, found) if found else 0
    if points <= limits.MOST_EXACT:
        basis = min(basis, 1)
        products += 10 * points**3 if found else 0
    shared = products / CORE + 4 * points * basis**2 / CORE + kernels * one_kernel * cores
    alone = tasks * (learning + linear) + 15 * basis**3 / CORE
    alone += kernels * one_kernel * (1 - cores)
    memory = 4 * points**2 + COPIES_OF_DATA * 4 * points * size
    if found and points <= limits.MOST_EXACT:
        memory += 4 * 8 * points**2
    elif found:
        block = limits.lanczos_block(found)
        # A restart has the old basis and the new one; afterwards there are the eigenfunctions.
        memory += 8 * points * (2 * (basis + block) + 2 * found) + 4 * 8 * basis**2
    return Cost(shared, alone, memory / 1e6)


def _data(settings: Mapping[str, Any]) -> tuple[int, int, Sequence[int]]:
    """Training and test inputs, and the shape of one."""
    if "points" in settings:
        points = settings["points"]
        return points["train_size"], points["test_size"], settings["input_shape"]
    dataset = settings.get("dataset", {})
    train, test = (
        dataset.get(key) or whole
        for key, whole in zip(("train_size", "test_size"), WHOLE, strict=True)
    )
    return train, test, SHAPES.get(dataset.get("name", ""), COLOUR)


def _network(network: Mapping[str, Any], shape: Sequence[int]) -> tuple[float, float]:
    """Multiplications of an entry of the kernel, and of a forward pass."""
    name = network.get("architecture", "lenet")
    if name in RESIDUAL:
        wider = ((network.get("width") or WIDTH) / WIDTH) ** 2
        parameters, forward = RESIDUAL[name]
        return parameters * wider, forward * wider * math.prod(shape[:2]) / math.prod(COLOUR[:2])
    if name == "mlp":
        width = network.get("width")
        hidden = network.get("features") or [width or MLP_UNITS[0]] * len(MLP_UNITS)
        units = [math.prod(shape), *hidden, 1]
        sums = sum(first + second + 1 for first, second in itertools.pairwise(units))
        passed = sum(first * second for first, second in itertools.pairwise(units))
        return sums, passed
    return LENET


def _features(settings: Mapping[str, Any], entries: float) -> float:
    """Numbers that an input's features have; a residual network has fewer than parameters."""
    name = settings.get("network", {}).get("architecture", "lenet")
    return entries * (0.3 if name in RESIDUAL else 1.0)


def _tasks(module: str, settings: Mapping[str, Any], points: int) -> tuple[int, int, int]:
    """Tasks, eigenfunctions that are sought, and those with which kernels are aligned."""
    if module == "eigenfunction_tasks":
        saved = min(settings.get("saved", ALIGNED), points)
        found = max(saved, max(settings["indices"]) + 1)
        tasks = len(settings["indices"]) + (settings.get("baseline") is not None)
        return tasks, min(settings.get("landmarks") or found, found), saved
    if module == "pretrained":
        return 1, settings.get("index", 10) + 1, 0
    if module == "training_sizes":
        return len(settings["sizes"]), 0, 0
    return len(settings.get("indices", [0])), 0, 0
