"""Alignment of single inputs' gradients with vectors in parameter space, mostly eigenvectors.

After M. Sabanayagam, F. Behrens, U. Adomaityte, A. Dawid, "Unveiling the Hessian's connection to
the decision boundary" (2023), arXiv:2306.07104.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gengap.curvature.per_sample import batch_size, gradient_size, pull_back
from gengap.errors import GengapError
from gengap.networks import Network, device_of, input_batches, predictions, tensor_of
from gengap.networks.differentiation import CountedParameters, full_precision, input_array
from gengap.training import loss_inputs, sample_losses
from gengap.training.losses import EVEN_ODDS, final_activation_of

RANDOM_VECTORS = 5
"""Number of random unit vectors for the threshold of G_theta, as in the published code."""

UNIT_TOLERANCE = 1e-3

Statistic = Literal["mean", "min", "max"]
STATISTICS: dict[str, Callable[[np.ndarray], Any]] = {
    "mean": np.mean,
    "min": np.min,
    "max": np.max,
}


def output_direction(outputs: Tensor, classes: Tensor | None = None) -> Tensor:
    """Compute the direction of a class's cross-entropy gradient in the outputs.

    With the softmax p of the logits and c the class, by default the predicted one, the gradient is
    p - e_c = (1 - p_c) (q - e_c), where q is the softmax over the other classes. Its length 1 - p_c
    vanishes as the network becomes certain. q - e_c does not vanish, so the direction is exact
    however saturated the loss is. q is computed in float64.

    Args:
        outputs: logits (n, k); with k = 1 the logits of the two classes are 0 and this one.
        classes: (n,), the class of each; None takes the predicted one.

    Returns:
        q - e_c, (n, k), in the type of ``outputs``; differentiable in them where k > 2.
    """
    if outputs.shape[1] == 1:
        second = outputs > 0 if classes is None else classes[:, None] == 1
        return torch.where(second, -1.0, 1.0).to(outputs.dtype)
    own = outputs.argmax(1, keepdim=True) if classes is None else classes[:, None]
    others = outputs.double().scatter(1, own, -torch.inf)
    return torch.softmax(others, 1).scatter(1, own, -1.0).to(outputs.dtype)


def loss_direction(
    network: nn.Module, outputs: Tensor, loss: str, classes: Tensor | None = None
) -> Tensor:
    """Compute the gradient of a class's loss in the outputs, up to a positive factor.

    Args:
        network: the network that the outputs are of.
        outputs: (n, k), see :func:`gengap.training.loss_inputs`.
        loss: one of :data:`gengap.names.LOSSES`.
        classes: (n,), the class of each; None takes the predicted one.

    Returns:
        (n, k): :func:`output_direction` for ``cross_entropy`` and ``nll``; the gradient itself for
        any other loss. Differentiable in the outputs where they have a graph.
    """
    if loss in ("cross_entropy", "nll"):
        return output_direction(outputs, classes)
    at = outputs if outputs.requires_grad else outputs.detach().requires_grad_()
    kind = final_activation_of(network)
    if classes is None:
        classes = predictions(at - EVEN_ODDS if (loss, kind) == ("mse", "sigmoid") else at)
    with torch.enable_grad():
        total = sample_losses(at, classes, loss, final_activation=kind).sum()
    (gradient,) = torch.autograd.grad(total, at, create_graph=outputs.requires_grad)
    return gradient


def gradient_direction(
    network: nn.Module,
    inputs: Tensor,
    loss: str = "cross_entropy",
    *,
    classes: Tensor | None = None,
    parameters: CountedParameters = "trainable",
) -> Tensor:
    """Compute g(x), the gradient of the predicted class's loss, up to a positive factor.

    Args:
        network: a network in eval mode.
        inputs: (n, *input_shape).
        loss: one of :data:`gengap.names.LOSSES`.
        classes: (n,), the class of each input in place of the predicted one.
        parameters: see :func:`gengap.curvature.per_sample.pull_back`.

    Returns:
        J^T u with the u of :func:`loss_direction`, (n, p); differentiable in the inputs.
    """
    direction = loss_direction(network, loss_inputs(network, inputs, loss), loss, classes)
    return pull_back(network, inputs, direction, loss, parameters=parameters)


def unit_gradients(
    network: nn.Module,
    inputs: np.ndarray,
    loss: str = "cross_entropy",
    *,
    classes: NDArray[np.integer] | None = None,
    parameters: CountedParameters = "trainable",
) -> Iterator[tuple[slice, Tensor]]:
    """Compute g(x) / |g(x)| of inputs in batches, see :func:`gradient_direction`.

    A gradient that is zero (an output without bias that no unit reaches) stays zero.

    Args:
        network: a network in eval mode.
        inputs: (n, *input_shape).
        loss: one of :data:`gengap.names.LOSSES`.
        classes: (n,), the class of each input whose loss's gradient is taken; None takes the
            predicted one.
        parameters: see :func:`gengap.curvature.per_sample.pull_back`.

    Yields:
        Rows of the inputs, and their unit gradients (b, p) in float64.

    Raises:
        GengapError: the inputs do not fit the network, or a gradient is not finite.
    """
    network = full_precision(network)
    inputs = input_array(inputs)
    if isinstance(network, Network):
        network.check_inputs(inputs.shape)
    for rows, batch in input_batches(network, inputs, batch_size(network, parameters)):
        own = None if classes is None else tensor_of(classes[rows], batch.device).long()
        gradients = gradient_direction(network, batch, loss, classes=own, parameters=parameters)
        gradients = gradients.detach().double()
        lengths = gradients.norm(dim=1, keepdim=True)
        if not bool(torch.isfinite(lengths).all()):
            raise GengapError(
                "A gradient of this network is not finite: look at its weights, and at the inputs "
                "that they meet."
            )
        yield rows, gradients / torch.where(lengths > 0, lengths, 1.0)


def alignments(
    network: nn.Module,
    inputs: np.ndarray,
    vectors: np.ndarray,
    *,
    loss: str = "cross_entropy",
    classes: NDArray[np.integer] | None = None,
    parameters: CountedParameters = "trainable",
) -> NDArray[np.float64]:
    """Compute the alignment A_i(x) = <v_i, g(x)> / |g(x)| of each input with each unit vector.

    Args:
        network: a classifier in eval mode.
        inputs: (n, *input_shape).
        vectors: unit vectors, (p, m), parameters in the order of ``network.parameters()``.
        loss: the loss whose gradient g is.
        classes: (n,), the class of each input, such as its label; None takes the predicted one.
        parameters: see :func:`gengap.curvature.per_sample.pull_back`.

    Returns:
        (n, m), in [-1, 1].

    Raises:
        GengapError: the vectors are not (p, m) or not of unit length, or the inputs do not fit.
    """
    (aligned,) = _alignments(network, inputs, [vectors], loss, parameters, classes)
    return aligned


def _alignments(
    network: nn.Module,
    inputs: np.ndarray,
    several: Sequence[np.ndarray],
    loss: str,
    parameters: CountedParameters,
    classes: NDArray[np.integer] | None = None,
) -> list[NDArray[np.float64]]:
    """Return the alignments (n, m) with each of several sets of vectors (p, m)."""
    size, device = gradient_size(network, parameters), device_of(network)
    bases = [torch.from_numpy(_checked(vectors, size)).to(device) for vectors in several]
    batches = unit_gradients(network, inputs, loss, classes=classes, parameters=parameters)
    parts = [[(part @ basis).numpy(force=True) for basis in bases] for _, part in batches]
    return [np.clip(np.concatenate(own), -1.0, 1.0) for own in zip(*parts, strict=True)]


@dataclass(frozen=True)
class GTheta:
    """Number of vectors that the gradients of the training data reach.

    Attributes:
        count: vectors whose largest |alignment| over the inputs exceeds the threshold.
        fraction: count / p, with all p parameters; vectors that were not given count as not
            reached.
        threshold: what random unit vectors reach.
        largest: largest |alignment| of each given vector, (m,).
    """

    count: int
    fraction: float
    threshold: float
    largest: NDArray[np.float64]


def g_theta(
    network: nn.Module,
    inputs: np.ndarray,
    eigenvectors: np.ndarray,
    rng: np.random.Generator,
    *,
    threshold: Statistic | float = "mean",
    random_vectors: int = RANDOM_VECTORS,
    loss: str = "cross_entropy",
    parameters: CountedParameters = "trainable",
) -> GTheta:
    """Compute the generalisation measure G_theta of Sabanayagam et al. (2023).

    The definition is that of their figures: an eigenvector counts if max over x of |A_i(x)| exceeds
    the mean, over five random unit vectors, of the same maximum. Their code has two others: the
    smallest of the five in place of the mean (``threshold="min"``), and a fixed number (1e-6
    there).

    Args:
        network: a network in eval mode.
        inputs: training inputs (n, *input_shape).
        eigenvectors: all p of the Hessian, or the leading m: (p, m) columns of unit length.
        rng: draws the random vectors, Gaussian and normalised.
        threshold: ``mean``, ``min`` or ``max`` over the random vectors, or a number.
        random_vectors: number of random vectors.
        loss: as for :func:`alignments`.
        parameters: as for :func:`alignments`.

    Returns:
        The count and the fraction of vectors that are reached, and the threshold.

    Raises:
        GengapError: as for :func:`alignments`, or the threshold is unknown.
    """
    if isinstance(threshold, str) and threshold not in STATISTICS:
        raise GengapError(
            f"The threshold of G_theta is {threshold!r}: give {', '.join(STATISTICS)} or a number."
        )
    size = gradient_size(network, parameters)
    random = rng.standard_normal((size, random_vectors))
    random /= np.linalg.norm(random, axis=0)
    aligned = _alignments(network, inputs, [eigenvectors, random], loss, parameters)
    given, reached = (np.abs(own).max(axis=0) for own in aligned)
    limit = (
        float(STATISTICS[threshold](reached)) if isinstance(threshold, str) else float(threshold)
    )
    count = int((given > limit).sum())
    return GTheta(count, count / size, limit, given)


def _checked(vectors: np.ndarray, size: int) -> NDArray[np.float64]:
    """Return the vectors in float64, as torch takes them; whole matrices are not copied."""
    if vectors.ndim != 2 or vectors.shape[0] != size or vectors.shape[1] < 1:
        raise GengapError(
            f"The vectors have the shape {vectors.shape}, but the network has {size} parameters: "
            f"give one column of {size} numbers per vector."
        )
    checked = np.asarray(vectors, dtype=np.float64)
    if any(stride < 0 for stride in checked.strides):
        checked = np.ascontiguousarray(checked)
    lengths = np.sqrt(np.einsum("ij,ij->j", checked, checked))
    if not np.allclose(lengths, 1.0, atol=UNIT_TOLERANCE):
        raise GengapError(
            "Vectors to align gradients with are not of unit length: divide each by its norm."
        )
    return checked
