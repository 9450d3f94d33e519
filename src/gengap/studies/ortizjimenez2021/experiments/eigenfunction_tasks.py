"""Training on the binarised eigenfunctions of the tangent kernel at initialisation.

The kernel of the initial network is decomposed on training and test inputs jointly, as in the
paper, or on training inputs alone, with Nystrom's extension for the test labels. The sign of each
chosen eigenfunction is a task for the network and for its linearisation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gengap.limits import GIB
from gengap.networks import weights_of
from gengap.studies.context import Context, load_dataset
from gengap.studies.ortizjimenez2021.models_compared import (
    TRAINING,
    NetworkSettings,
    TrainingSettings,
    binary_task,
    initial_network,
    train_linearisation,
    train_network,
)
from gengap.studies.outcomes import ExperimentResult, Floats, Floats32, Run
from gengap.tangent import (
    Eigenfunctions,
    eigenfunctions,
    empirical_ntk,
    extend,
    normalised_alignment,
    raw_alignments,
    scalar_outputs,
    signs,
)
from gengap.tangent.eigenfunctions import check_index
from gengap.tangent.storage import weight_arrays


@dataclass(frozen=True)
class Settings:
    """One network, and a task for each of several eigenfunctions.

    Attributes:
        dataset: its labels are not used.
        indices: of the eigenfunctions that are learnt, from 0, by falling eigenvalue.
        labelling: ``joint`` decomposes the kernel of training and test inputs together;
            ``extended`` that of the training inputs, and extends the eigenfunctions.
        saved: how many eigenfunctions are kept, and alignments with them computed; all, if there
            are fewer.
    """

    dataset: Mapping[str, Any]
    network: NetworkSettings
    indices: Sequence[int]
    labelling: Literal["joint", "extended"] = "joint"
    saved: int = 200
    training: TrainingSettings = TRAINING
    memory_gib: float = 2.0


@dataclass(frozen=True)
class Result(ExperimentResult):
    """What both models learnt, and how the kernel changed.

    Attributes:
        spectral_gap: lambda_0 / lambda_1.
        largest_residual: of the kept eigenfunctions, over lambda_0.
        eigenvalues: (k,), descending.
        eigenfunctions: at training and test inputs, (n, k).
        weights: the initial weights, by name.
        curves: (tasks, 2 models, epochs, 4).
        majority: the larger fraction of a class among test labels, (tasks,).
        alignment_before, alignment_after: normalised, of the kernel with the labels, (tasks,).
        profile_before: the kernel's raw alignment with each initial eigenfunction over its trace,
            (k,); a fraction of it where the eigenfunctions are orthogonal (``joint``).
        profile_after: the same after each task, (tasks, k).
    """

    spectral_gap: float
    largest_residual: float
    eigenvalues: Floats
    eigenfunctions: Floats32
    weights: Mapping[str, Floats32]
    curves: Floats
    majority: Floats
    alignment_before: Floats
    alignment_after: Floats
    profile_before: Floats
    profile_after: Floats


EigenfunctionTasksRun = Run[Settings, Result]


def run(context: Context, settings: Settings) -> Result:
    """Train one network and its linearisation on all tasks.

    Returns:
        The curves, alignments and eigenfunctions.

    Raises:
        GengapError: an index that no eigenfunction has, or a budget that is too small.
    """
    training = settings.training
    data = load_dataset(context, settings.dataset, seed=context.seed)
    count = len(data.train.labels)
    inputs = np.concatenate([data.train.inputs, data.test.inputs])
    network = initial_network(context, settings.network, data.input_shape, training.initialisation)
    start, weights = weights_of(network), weight_arrays(network, "")
    budget = int(settings.memory_gib * GIB)
    kernel = empirical_ntk(network, inputs, memory_budget=budget)
    outputs = scalar_outputs(network, inputs)
    spectrum, functions = _decompose(context, settings, kernel, count)
    labels = [(functions[:, index] > 0).astype(np.int64) for index in settings.indices]
    saved = functions[:, : settings.saved]
    curves, alignments, profiles = [], [], []
    for index, task_labels in zip(settings.indices, labels, strict=True):
        purpose = f"eigenfunction {index}"
        task = binary_task(data, task_labels)
        curves.append(
            [
                train_network(context, network, task, training, purpose, start),
                train_linearisation(context, kernel, outputs, task, training, purpose),
            ]
        )
        trained = empirical_ntk(network, inputs, memory_budget=budget)
        alignments.append(normalised_alignment(trained, signs(task_labels)))
        profiles.append(raw_alignments(trained, saved) / np.trace(trained, dtype=np.float64))
    fractions = np.array([task_labels[count:].mean() for task_labels in labels])
    return Result(
        spectral_gap=float(spectrum.values[0] / spectrum.values[1]),
        largest_residual=float(spectrum.residuals.max() / spectrum.values[0]),
        eigenvalues=spectrum.values[: settings.saved],
        eigenfunctions=saved.astype(np.float32),
        weights=weights,
        curves=np.array(curves),
        majority=np.maximum(fractions, 1 - fractions),
        alignment_before=np.array(
            [normalised_alignment(kernel, signs(task_labels)) for task_labels in labels]
        ),
        alignment_after=np.array(alignments),
        profile_before=raw_alignments(kernel, saved) / np.trace(kernel, dtype=np.float64),
        profile_after=np.array(profiles),
    )


def _decompose(
    context: Context, settings: Settings, kernel: NDArray[np.floating], count: int
) -> tuple[Eigenfunctions, Floats]:
    """The eigenfunctions, and their values at all inputs; ``count`` of these are trained on."""
    joint = settings.labelling == "joint"
    points = len(kernel) if joint else count
    computed = max(min(settings.saved, points), max(settings.indices) + 1)
    rng = context.generator("eigenfunctions")
    if joint:
        spectrum = eigenfunctions(kernel, computed, rng=rng)
        functions = spectrum.functions
    else:
        spectrum = eigenfunctions(kernel[:count, :count], computed, rng=rng)
        extended = extend(spectrum, kernel[count:, :count])
        functions = np.concatenate([spectrum.functions, extended])
    for index in settings.indices:
        check_index(index, len(spectrum.values))
    return spectrum, functions
