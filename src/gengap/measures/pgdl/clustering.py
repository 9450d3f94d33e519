"""How well the first layer's features of the training inputs cluster by class."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.measures.pgdl.drawing import draw
from gengap.measures.pgdl.mixup import label_wise_mixup_error
from gengap.measures.pgdl.outputs import observed_in_batches
from gengap.measures.registry import measure
from gengap.measures.results import LeftOut
from gengap.measures.subject import Subject
from gengap.networks import observed_layers, weight_layers
from gengap.networks.layout import IMAGE_RANK

log = logging.getLogger(__name__)

POOL = 4
ROUNDS = 10
ROUND = 120
"""Number of inputs of one round: the published code joins three batches of 40."""


@measure("interpex", "davies_bouldin_index", "mixup_error", needs={"classes"}, draws=2)
def interpex(subject: Subject) -> dict[str, float | LeftOut]:
    """Compute the Davies-Bouldin index, the label-wise mixup error, and their product.

    The product is the winning entry of the competition, of team Interpex. For all three, larger
    predicts a larger gap. Tokens have no mean, so they have the index alone.

    The index is that of the outputs of the first convolution, with its activation, 4x4 max-pooled,
    or less where the output is smaller; mean over 10 disjoint rounds of 120 inputs, or as many as
    the training data give. Networks without a convolution: outputs of the first layer with weights.
    It is at least 0, and 0 where features are constant, as published. The error, in [0, 1], is on
    at most 100 inputs of each class, in groups of 10, all 45 pairs of each. The published factor
    alone is the accuracy.

    Equation:
        - ``davies_bouldin_index``: the mean over classes i of max_{j != i} (s_i + s_j) / d_ij, with
          s the mean distance of a class's first-layer features from their centroid and d the
          distance of two centroids.
        - ``mixup_error``: the share of the means (x + x') / 2 of two inputs of one class that the
          network takes for another class, mean over classes.
        - ``interpex``: the Davies-Bouldin index times the mixup error.

    Source:
        Natekar and Sharma 2020, "Representation based complexity measures for predicting
        generalization in deep learning".

    Returns:
        The three measures by name. The index is left out where the training data are of one class,
        and the error where no class has two training inputs; the product is with either.
    """
    network, train, rng = subject.network, subject.train, subject.rng
    index = _or_left_out(_first_layer_index, network, train, rng)
    error = _or_left_out(label_wise_mixup_error, network, train, rng)
    if isinstance(index, LeftOut) or isinstance(error, LeftOut):
        product: float | LeftOut = index if isinstance(index, LeftOut) else error
    else:
        product = index * error
    return {"interpex": product, "davies_bouldin_index": index, "mixup_error": error}


def _or_left_out(
    function: Callable[[nn.Module, Split, np.random.Generator], float],
    network: nn.Module,
    train: Split,
    rng: np.random.Generator,
) -> float | LeftOut:
    """Compute a factor, or the reason why it cannot be computed."""
    try:
        return function(network, train, rng)
    except GengapError as error:
        return LeftOut(str(error))


def _first_layer_index(network: nn.Module, train: Split, rng: np.random.Generator) -> float:
    inputs, labels = draw(train, ROUNDS * ROUND, rng, network)
    if len(torch.unique(labels)) < 2:
        raise GengapError(
            "The Davies-Bouldin index needs training inputs of two classes: give such data."
        )
    used = len(labels) // ROUND * ROUND or len(labels)
    rounds = zip(torch.split(inputs[:used], ROUND), torch.split(labels[:used], ROUND), strict=True)
    # A rare class may be missing from a round.
    compared = [(part, classes) for part, classes in rounds if len(torch.unique(classes)) > 1]
    layer = _first_layer(network)
    indices = [
        davies_bouldin(_features(network, layer, part), classes)
        for part, classes in compared or [(inputs, labels)]
    ]
    log.info("Davies-Bouldin index: %d rounds", len(indices))
    return float(np.mean(indices))


def _features(network: nn.Module, layer: nn.Module, inputs: Tensor) -> Tensor:
    """Return a layer's outputs (n, features), pooled batch by batch."""
    return torch.cat(
        observed_in_batches(network, [layer], inputs, lambda parts: _pooled(parts[0]).flatten(1))
    )


def _first_layer(network: nn.Module) -> nn.Module:
    """Return the output of the first convolution if there is one, else of the first layer."""
    observed = observed_layers(network)
    convolutions = {
        name for name, layer in weight_layers(network) if not isinstance(layer, nn.Linear)
    }
    return next((module for name, module in observed if name in convolutions), observed[0][1])


def _pooled(outputs: Tensor) -> Tensor:
    if outputs.ndim != IMAGE_RANK:
        return outputs
    height, width = outputs.shape[2:]
    return functional.max_pool2d(outputs, (min(POOL, height), min(POOL, width)))


def davies_bouldin(features: Tensor, labels: Tensor) -> float:
    """Compute the Davies-Bouldin index of features (n, f) clustered by label (n,).

    Davies and Bouldin 1979, "A cluster separation measure": the mean over classes i of
    max_j (s_i + s_j) / d_ij, where s is the mean distance of a class from its centroid and d the
    distance of two centroids. Classes whose centroids coincide are not compared.

    Returns:
        The index, at least 0; 0 if all s or all d are 0.
    """
    centres, deviations = [], []
    for label in torch.unique(labels):  # in double precision, one class at a time
        group = features[labels == label].double()
        centres.append(group.mean(0))
        deviations.append((group - centres[-1]).norm(dim=1).mean())
    centroids, spreads = torch.stack(centres), torch.stack(deviations)
    distances = torch.cdist(centroids, centroids, compute_mode="donot_use_mm_for_euclid_dist")
    none = torch.zeros((), dtype=centroids.dtype, device=centroids.device)
    if torch.allclose(spreads, none) or torch.allclose(distances, none):
        return 0.0
    distances[distances == 0] = torch.inf
    return float(((spreads[:, None] + spreads) / distances).amax(1).mean())
