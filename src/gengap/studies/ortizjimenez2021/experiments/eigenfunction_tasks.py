"""Training on the binarised eigenfunctions of the tangent kernel at initialisation.

The kernel of the initial network is decomposed on training and test inputs jointly, as in the
paper, or on training inputs alone, with Nystrom's extension for the test labels. The sign of each
chosen eigenfunction is a task for the network and for its linearisation.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gengap.datasets import Dataset
from gengap.limits import GIB
from gengap.networks import Network, set_weights, weights_of
from gengap.studies.context import Context, load_dataset
from gengap.studies.ortizjimenez2021.experiments.class_tasks import GROUPS, PURPOSE
from gengap.studies.ortizjimenez2021.models_compared import (
    TRAINING,
    Learnt,
    NetworkSettings,
    TrainingSettings,
    binary_task,
    initial_network,
    train_linearisation,
    train_network,
)
from gengap.studies.ortizjimenez2021.reuse import (
    kernel_of,
    leading_eigenfunctions,
    passing_kernel,
    read_saved_eigenfunctions,
    write_saved_eigenfunctions,
)
from gengap.studies.outcomes import ExperimentResult, Floats, Floats32, Integers, Run
from gengap.tangent import (
    Eigenfunctions,
    extend,
    normalised_alignment,
    nystrom,
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
        landmarks: the inputs of Nystrom's method, drawn at random, from which the eigenfunctions
            are found; None decomposes the kernel itself.
        baseline: two groups of the dataset's classes (``halves`` of CIFAR-10 is CIFAR-2) that both
            models learn besides; None for none.
        reuse: a folder of runs that saved ``kernels`` and ``eigenfunctions``, which are read
            instead: then further indices cost their training alone.
    """

    dataset: Mapping[str, Any]
    network: NetworkSettings
    indices: Sequence[int]
    labelling: Literal["joint", "extended"] = "joint"
    saved: int = 200
    training: TrainingSettings = TRAINING
    memory_gib: float = 2.0
    landmarks: int | None = None
    baseline: Literal["halves", "parity"] | None = None
    reuse: str | None = None


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
        parts_before, parts_after: the normalised alignment within training and within test inputs,
            (tasks, 2).
        profile_parts_before, profile_parts_after: the profiles within each part, over its trace,
            (2, k) and (tasks, 2, k).
        norms: of the network along training, (tasks, epochs, 3).
        baseline_curves: of the groups of classes, (1, 2 models, epochs, 4); None without them.
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
    parts_before: Floats
    parts_after: Floats
    profile_parts_before: Floats
    profile_parts_after: Floats
    norms: Floats
    baseline_curves: Floats | None = None


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
    kernel = kernel_of(context, network, inputs, memory_budget=budget, reuse=settings.reuse)
    outputs = scalar_outputs(network, inputs)
    spectrum, functions = _decompose(context, settings, network, inputs, kernel, count)
    labels = [(functions[:, index] > 0).astype(np.int64) for index in settings.indices]
    saved = functions[:, : settings.saved]

    def learn(task_labels: Integers, purpose: str) -> tuple[Learnt, Floats]:
        task = binary_task(data, task_labels)
        set_weights(network, start, source="the initial network")
        linear = train_linearisation(
            context, kernel, outputs, task, training, purpose, network=network.eval()
        )
        return train_network(context, network, task, training, purpose, start), linear

    def learn_eigenfunction(index: int, task_labels: Integers) -> dict[str, NDArray[Any]]:
        learnt, linear = learn(task_labels, f"eigenfunction {index}")
        target = signs(task_labels)
        with passing_kernel(context, network, inputs, memory_budget=budget) as trained:
            return {
                "curves": np.array([learnt.curve, linear]),
                "norms": learnt.norms,
                "alignment": np.array(normalised_alignment(trained, target)),
                "profile": _profile(trained, saved),
                "parts": np.array(_parts(trained, target, count)),
                "profile_parts": _profile_parts(trained, saved, count),
            }

    def learn_groups(groups: Sequence[Sequence[int]]) -> dict[str, NDArray[Any]]:
        learnt, linear = learn(_grouped_labels(data, groups), PURPOSE)
        return {"curves": np.array([[learnt.curve, linear]])}

    learnt = [
        context.kept(
            f"eigenfunction_{index}", functools.partial(learn_eigenfunction, index, task_labels)
        )
        for index, task_labels in zip(settings.indices, labels, strict=True)
    ]
    baseline = None
    if settings.baseline is not None:
        groups = GROUPS[settings.baseline]
        baseline = context.kept("baseline", lambda: learn_groups(groups))["curves"]

    def of_all(name: str) -> Floats:
        return np.array([arrays[name] for arrays in learnt])

    fractions = np.array([task_labels[count:].mean() for task_labels in labels])
    return Result(
        spectral_gap=float(spectrum.values[0] / spectrum.values[1]),
        largest_residual=float(spectrum.residuals.max() / spectrum.values[0]),
        eigenvalues=spectrum.values[: settings.saved],
        eigenfunctions=saved.astype(np.float32),
        weights=weights,
        curves=of_all("curves"),
        majority=np.maximum(fractions, 1 - fractions),
        alignment_before=np.array(
            [normalised_alignment(kernel, signs(task_labels)) for task_labels in labels]
        ),
        alignment_after=of_all("alignment"),
        profile_before=_profile(kernel, saved),
        profile_after=of_all("profile"),
        parts_before=np.array([_parts(kernel, signs(one), count) for one in labels]),
        parts_after=of_all("parts"),
        profile_parts_before=_profile_parts(kernel, saved, count),
        profile_parts_after=of_all("profile_parts"),
        norms=of_all("norms"),
        baseline_curves=baseline,
    )


def _profile(kernel: NDArray[np.floating], functions: Floats) -> Floats:
    """The kernel's raw alignment with each function over its trace."""
    return np.asarray(raw_alignments(kernel, functions) / np.trace(kernel, dtype=np.float64))


def _parts(kernel: NDArray[np.floating], target: Floats, count: int) -> list[float]:
    """The normalised alignment within the first ``count`` inputs, and within the others."""
    rows = slice(count), slice(count, None)
    return [normalised_alignment(kernel[part, part], target[part]) for part in rows]


def _profile_parts(kernel: NDArray[np.floating], functions: Floats, count: int) -> Floats:
    """The profile within the first ``count`` inputs, and within the others, (2, k)."""
    rows = slice(count), slice(count, None)
    return np.array([_profile(kernel[part, part], functions[part]) for part in rows])


def _grouped_labels(data: Dataset, groups: Sequence[Sequence[int]]) -> Integers:
    """0 or 1 by the group that the class of each training and test input is in."""
    classes = np.concatenate([data.train.labels, data.test.labels])
    return np.isin(classes, groups[1]).astype(np.int64)


def _decompose(
    context: Context,
    settings: Settings,
    network: Network,
    inputs: Floats32,
    kernel: NDArray[np.floating],
    count: int,
) -> tuple[Eigenfunctions, Floats]:
    """The eigenfunctions, and their values at all inputs; ``count`` of these are trained on."""
    joint = settings.labelling == "joint"
    points = len(kernel) if joint else count
    computed = max(min(settings.saved, points), max(settings.indices) + 1)
    words = (settings.labelling, settings.landmarks)
    spectrum = read_saved_eigenfunctions(network, inputs, settings.reuse, *words)
    if spectrum is None:
        rng = context.generator("eigenfunctions")
        if settings.landmarks is not None:
            spectrum = nystrom(
                network,
                inputs[:points],
                min(computed, settings.landmarks),
                landmarks=settings.landmarks,
                rng=rng,
                memory_budget=int(settings.memory_gib * GIB),
            )
        else:
            spectrum = leading_eigenfunctions(context, kernel[:points, :points], computed, rng)
    write_saved_eigenfunctions(context, spectrum, network, inputs, *words)
    functions = spectrum.functions
    if not joint:
        extended = extend(spectrum, kernel[count:, :count])
        functions = np.concatenate([spectrum.functions, extended])
    for index in settings.indices:
        check_index(index, len(spectrum.values))
    return spectrum, functions
