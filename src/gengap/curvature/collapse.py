"""Neural collapse: how far the last features are from one point per class in a simplex.

V. Papyan, X. Y. Han, D. L. Donoho, "Prevalence of neural collapse during the terminal phase of deep
learning training", PNAS 117 (2020), arXiv:2008.08186.
"""

from __future__ import annotations

import numpy as np
from torch import nn

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.networks import (
    batched_outputs,
    input_batches,
    kernels,
    last_layer,
    penultimate,
    predicted_classes,
)
from gengap.networks.inference import BATCH


def neural_collapse(
    features: np.ndarray, labels: np.ndarray, kernel: np.ndarray, predicted: np.ndarray
) -> dict[str, float]:
    """Compute the four quantities of Papyan et al. (2020); all are 0 at complete collapse.

    With C classes, M the (C, d) class means less the mean of these means, and the covariances
    S_W within and S_B between classes (of the means, over C):

    - ``nc1``: tr(S_W S_B^+) / C, variability within classes;
    - ``nc2_norms``: standard deviation over mean of the lengths of M's rows;
    - ``nc2_angles``: mean |cos + 1/(C-1)| over pairs of M's rows, from maximal equal angles;
    - ``nc3``: |W/|W| - M/|M||^2 (Frobenius) of the last kernel W, self-duality;
    - ``nc4``: fraction of inputs whose prediction is not the class of the nearest mean.

    Args:
        features: penultimate features (n, d).
        labels: (n,), in 0..C-1.
        kernel: kernel of the last layer, (C, d).
        predicted: the classes that the network predicts, (n,).

    Returns:
        The quantities by the names above.

    Raises:
        GengapError: a class has no inputs, there are fewer than two, or all means are equal.
    """
    features, kernel = features.astype(np.float64), kernel.astype(np.float64)
    classes = len(kernel)
    counts = np.bincount(labels, minlength=classes)
    if classes < 2 or counts.min() == 0:
        raise GengapError(
            f"Neural collapse needs inputs of each of two or more classes, but the {classes} "
            f"classes have {counts.tolist()} inputs: use a larger training set or fewer classes."
        )
    means = np.stack([features[labels == label].mean(axis=0) for label in range(classes)])
    centred = means - means.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1)
    if lengths.min() == 0:
        raise GengapError(
            "A class mean of the last features is the mean of all classes, so angles between them "
            "are not defined: train the network further."
        )
    within = features - means[labels]
    between = centred.T @ centred / classes
    cosines = (centred / lengths[:, np.newaxis]) @ (centred / lengths[:, np.newaxis]).T
    pairs = cosines[np.triu_indices(classes, 1)]
    duality = kernel / np.linalg.norm(kernel) - centred / np.linalg.norm(centred)
    distances = np.linalg.norm(features[:, np.newaxis] - means, axis=2)
    spread = within.T @ within / len(features)
    return {
        "nc1": float(np.trace(spread @ np.linalg.pinv(between, hermitian=True)) / classes),
        "nc2_norms": float(lengths.std() / lengths.mean()),
        "nc2_angles": float(np.abs(pairs + 1 / (classes - 1)).mean()),
        "nc3": float(np.square(duality).sum()),
        "nc4": float((distances.argmin(axis=1) != predicted).mean()),
    }


def collapse_of(network: nn.Module, data: Split) -> dict[str, float]:
    """Compute :func:`neural_collapse` of a network's penultimate features on data.

    Args:
        network: a network in eval mode whose last layer has one unit per class.
        data: inputs (n, *input_shape) and labels (n,) of every class.

    Returns:
        The quantities ``nc1``, ``nc2_norms``, ``nc2_angles``, ``nc3`` and ``nc4``.

    Raises:
        GengapError: as for :func:`neural_collapse`, the last layer does not have one unit per
            class, the layer that is called last has no single kernel, or the targets are numbers.
    """
    if data.has_numbers:
        raise GengapError(
            "Neural collapse is of classes, but the targets are numbers: give data with classes."
        )
    _, example = next(input_batches(network, data.inputs, 1))
    last = last_layer(network, example)
    weights = [kernel.weight for kernel in kernels(network) if kernel.module is last]
    if len(weights) != 1:
        raise GengapError(
            "Neural collapse is of the kernel of the last layer, but the layer that is called "
            f"last, a {type(last).__name__}, has {len(weights)} of them: end in a linear layer."
        )
    kernel = weights[0].detach().flatten(1).numpy(force=True)
    if len(kernel) != data.classes:
        raise GengapError(
            f"Neural collapse needs a last layer of {data.classes} units, one per class, not "
            f"{len(kernel)}: change the last layer of the network's spec."
        )
    features = batched_outputs(network, data, penultimate).numpy(force=True)
    predicted = predicted_classes(network, data, batch_size=BATCH)
    return neural_collapse(features, data.labels, kernel, predicted)
