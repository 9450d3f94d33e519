"""Training on the binarised eigenfunctions of the tangent kernel at initialisation.

The kernel of the initial network is decomposed on training and test inputs jointly, as in the
paper, or on training inputs alone, with Nystrom's extension for the test labels. The sign of each
chosen eigenfunction is a task for the network and for its linearisation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from gengap.datasets import Split, load
from gengap.errors import GengapError
from gengap.networks import weights_of
from gengap.seeding import generator
from gengap.studies import Context, Outcome, Run
from gengap.studies.ortizjimenez2021 import figures
from gengap.studies.ortizjimenez2021.models_compared import (
    Training,
    initial_network,
    train_linear,
    train_network,
)
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
from gengap.tangent.kernel import GIB
from gengap.tangent.storage import weight_arrays


def run(
    context: Context,
    *,
    dataset: Mapping[str, Any],
    architecture: str,
    width: int | None = None,
    indices: Sequence[int],
    labelling: str = "joint",
    saved: int = 200,
    epochs: int = 100,
    learning_rate: float = 0.05,
    batch_size: int = 128,
    initialisation: str = "lecun",
    memory_gib: float = 2.0,
) -> Outcome:
    """One network, and all its tasks.

    Args:
        context: seed, data and device.
        dataset: keywords of :func:`gengap.datasets.load`; the labels are not used.
        architecture, width: of the network, see :func:`.arms.initial_network`.
        indices: of the eigenfunctions that are learnt, from 0, by falling eigenvalue.
        labelling: ``joint`` decomposes the kernel of training and test inputs together;
            ``extended`` that of the training inputs, and extends the eigenfunctions.
        saved: how many eigenfunctions are kept, and alignments with them computed; all, if there
            are fewer.
        epochs, learning_rate, batch_size, initialisation: of the training of both arms.
        memory_gib: budget for the kernel.

    Returns:
        Values ``spectral_gap`` (lambda_0 / lambda_1) and ``largest_residual`` (of the kept
        eigenfunctions, over lambda_0). Arrays ``eigenvalues`` (k,), ``eigenfunctions`` (n, k),
        ``weights.<name>``; by task ``curves`` (tasks, 2 arms, epochs, 4), ``majority`` (tasks,)
        the larger share of a class among test labels, ``alignment_before`` and ``alignment_after``
        (tasks,) normalised, with the labels; ``profile_before`` (k,) and ``profile_after``
        (tasks, k): the kernel's raw alignment with each initial eigenfunction over its trace, a
        share of it where these are orthogonal (``joint``).

    Raises:
        GengapError: an index that no eigenfunction has, or an unknown labelling.
    """
    data = load(**dataset, data_dir=context.data_dir, seed=context.seed)
    count = len(data.train.labels)
    inputs = np.concatenate([data.train.inputs, data.test.inputs])
    network = initial_network(context, architecture, width, data.input_shape, initialisation)
    start, weights = weights_of(network), weight_arrays(network)
    budget = int(memory_gib * GIB)
    kernel = empirical_ntk(network, inputs, memory_budget=budget)
    outputs = scalar_outputs(network, inputs)
    points = count if labelling == "extended" else len(inputs)
    wanted = max(min(saved, points), max(indices) + 1)
    found, functions = _decompose(context, kernel, count, labelling, wanted)
    for index in indices:
        check_index(index, len(found.values))
    training = Training(epochs, learning_rate, batch_size, initialisation)
    curves, after, profiles, labels_of = [], [], [], []
    for index in indices:
        labels = (functions[:, index] > 0).astype(np.int64)
        recipe = training.recipe(context.seed, f"eigenfunction {index}")
        train_split = Split(data.train.inputs, labels[:count], 2)
        test_split = Split(data.test.inputs, labels[count:], 2)
        mine = train_network(network, train_split, test_split, recipe, start)
        other = train_linear(kernel, outputs, labels[:count], labels[count:], recipe)
        last = empirical_ntk(network, inputs, memory_budget=budget)
        curves.append([mine, other])
        labels_of.append(labels)
        after.append(normalised_alignment(last, signs(labels)))
        profiles.append(
            raw_alignments(last, functions[:, :saved]) / np.trace(last, dtype=np.float64)
        )
    shares = np.array([labels[count:].mean() for labels in labels_of])
    trace = np.trace(kernel, dtype=np.float64)
    return Outcome(
        {
            "spectral_gap": float(found.values[0] / found.values[1]),
            "largest_residual": float(found.residuals.max() / found.values[0]),
        },
        {
            "eigenvalues": found.values[:saved],
            "eigenfunctions": functions[:, :saved].astype(np.float32),
            **weights,
            "curves": np.array(curves),
            "majority": np.maximum(shares, 1 - shares),
            "alignment_before": np.array(
                [normalised_alignment(kernel, signs(labels)) for labels in labels_of]
            ),
            "alignment_after": np.array(after),
            "profile_before": raw_alignments(kernel, functions[:, :saved]) / trace,
            "profile_after": np.array(profiles),
        },
    )


def _decompose(
    context: Context, kernel: np.ndarray, count: int, labelling: str, wanted: int
) -> tuple[Eigenfunctions, np.ndarray]:
    """The eigenfunctions, and their values (n, k) at all inputs."""
    if labelling not in ("joint", "extended"):
        raise GengapError(f"labelling is '{labelling}': choose joint or extended.")
    rng = generator(context.seed, "eigenfunctions")
    if labelling == "joint":
        found = eigenfunctions(kernel, wanted, rng=rng)
        return found, found.functions
    found = eigenfunctions(kernel[:count, :count], wanted, rng=rng)
    return found, np.concatenate([found.functions, extend(found, kernel[count:, :count])])


def draw(runs: Sequence[Run]) -> dict[str, Figure]:
    """Accuracy by index, alignment by index, and both arms' ranking of the tasks."""
    return {
        "accuracy": figures.accuracy_by_index(runs, "index of the eigenfunction"),
        "alignment": figures.alignment_by_index(runs),
        "ranking": figures.ranking(runs),
    }
