"""The family ``gradients``: how the gradients of single training inputs agree with each other.

The gradients are those of the loss that the network was trained on, at its final weights, at the
labels or numbers trained on. They depend on how the network's function is written, so batch
normalisation is folded into the kernel before it first, see :func:`gengap.networks.folded`. Which
parameters count says ``subject.parameters``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gengap.curvature.per_sample import gradient_size, per_sample_gradients
from gengap.errors import GengapError
from gengap.limits import SAMPLE_GRADIENT_BYTES
from gengap.measures.plain import plain_network
from gengap.measures.registry import measure
from gengap.measures.results import LeftOut
from gengap.measures.subject import Subject
from gengap.networks.differentiation import full_precision, weight_type

INPUTS = 200
"""Number of training inputs whose gradients are taken; all, if there are fewer."""
LEAST_INPUTS = 2

COLUMNS = 2**11
"""Parameters whose gradients are taken in float64 at a time."""

ROUNDING = 1e-5
"""A standard deviation below this share of the root mean square is a rounding error."""

WITHIN = ("negative_stiffness_cosine_within", "negative_stiffness_sign_within")
BETWEEN = ("stiffness_cosine_between", "stiffness_sign_between")

EQUAL = LeftOut(
    "The noise of gradients needs gradients that differ, and those of all training inputs are "
    "equal: give inputs that differ."
)


@measure(
    "log_gradient_noise", "negative_gradient_coherence", "negative_gradient_signal_to_noise",
    *WITHIN, *BETWEEN, needs={"fitting_outputs"}, sign=dict.fromkeys(BETWEEN, "?"),
    draws=2,
)  # fmt: skip
def gradient_agreement(subject: Subject) -> dict[str, float | LeftOut]:
    """Compute noise, coherence, signal-to-noise ratio and stiffness of single inputs' gradients.

    The gradients are those of at most 200 training inputs, fewer where they would take more than
    half a gigabyte. Larger predicts a larger gap: noisy gradients, and, negated, gradients that
    agree, since a step along them helps many inputs at once, and new ones too. The sign of the
    stiffness between classes is not known: classes that are told apart well have gradients against
    each other. Stiffness is left out where the targets are numbers.

    Equation:
        With the gradients g_i of the losses of m inputs, and their mean g:
        - ``log_gradient_noise``: log tr Cov(g_i), the logarithm of the mean of |g_i - g|^2.
        - ``negative_gradient_coherence``: -|g|^2 / mean_i |g_i|^2, from -1 (equal gradients) to 0;
          -1/m for orthogonal gradients of one length.
        - ``negative_gradient_signal_to_noise``: minus the mean of g_j^2 / Var_i(g_ij) over the
          parameters j whose gradients vary.
        - ``negative_stiffness_cosine_within``: minus the mean over classes of the mean of
          cos(g_i, g_l) over pairs of different inputs of the class; a gradient of 0 has the cosine
          0 with all others.
        - ``negative_stiffness_sign_within``: minus the mean over classes of the mean of
          sign(g_i . g_l) over pairs of different inputs of the class.
        - ``stiffness_cosine_between``: the mean over pairs of different classes of the mean of
          cos(g_i, g_l) over pairs of one input of each.
        - ``stiffness_sign_between``: the mean over pairs of different classes of the mean of
          sign(g_i . g_l) over pairs of one input of each.

    Source:
        - ``log_gradient_noise``: Jiang et al. 2020, "Fantastic generalization measures and where to
          find them".
        - ``negative_gradient_coherence``: Chatterjee 2020, "Coherent gradients: an approach to
          understanding generalization in gradient descent-based optimization", in the form of
          Chatterjee and Zielinski 2020, "Making coherence out of nothing at all".
        - ``negative_gradient_signal_to_noise``: Liu et al. 2020, "Understanding why neural networks
          generalize well through GSNR of parameters".
        - ``negative_stiffness_cosine_within``, ``negative_stiffness_sign_within``,
          ``stiffness_cosine_between``, ``stiffness_sign_between``: Fort et al. 2019, "Stiffness: a
          new perspective on generalization in neural networks".

    Scale:
        - ``log_gradient_noise``: logarithm.

    Returns:
        The seven measures by name.

    Raises:
        GengapError: all gradients are zero, or one is not finite.
    """
    network = full_precision(plain_network(subject))
    size = weight_type(network).itemsize * gradient_size(network, subject.parameters)
    count = max(LEAST_INPUTS, min(INPUTS, SAMPLE_GRADIENT_BYTES // size))
    train = subject.train.sample(count, subject.rng)
    batches = per_sample_gradients(network, train, subject.loss, parameters=subject.parameters)
    moments = moments_of(torch.cat([gradients for _, gradients in batches]))
    return {
        "log_gradient_noise": EQUAL if moments.noise is None else math.log(moments.noise),
        "negative_gradient_coherence": -moments.coherence,
        "negative_gradient_signal_to_noise": EQUAL if moments.ratio is None else -moments.ratio,
        **_stiffnesses(moments.products, None if train.has_numbers else train.labels),
    }


@dataclass(frozen=True, eq=False)
class Moments:
    """What the measures need to know of the gradients of m inputs.

    Attributes:
        products: scalar products (m, m).
        noise: the trace of the gradients' covariance, a sum over parameters of variances; None
            where all gradients are equal.
        coherence: squared length of the mean over mean squared length, in [0, 1].
        ratio: mean over parameters of squared mean over variance; None where no gradient varies.
    """

    products: np.ndarray
    noise: float | None
    coherence: float
    ratio: float | None


def moments_of(gradients: Tensor) -> Moments:
    """Compute the moments of gradients, in float64.

    Args:
        gradients: (m, p).

    Returns:
        Scalar products, noise, coherence and signal-to-noise ratio.

    Raises:
        GengapError: all gradients are zero.
    """
    count = len(gradients)
    products = torch.zeros(count, count, dtype=torch.float64, device=gradients.device)
    noise, signal, ratios, varying = 0.0, 0.0, 0.0, 0
    for part in torch.split(gradients, COLUMNS, dim=1):
        columns = part.double()
        products += columns @ columns.T
        mean = columns.mean(0)
        variance = (columns - mean).square().mean(0)
        squares = mean.square()
        varies = variance > ROUNDING**2 * (squares + variance)
        noise += float(variance.sum())
        signal += float(squares.sum())
        ratios += float((squares[varies] / variance[varies]).sum())
        varying += int(varies.sum())
    if noise + signal == 0:
        raise GengapError(
            "The agreement of gradients needs some that are not zero, and those of all training "
            "inputs are zero: use weights from an earlier epoch."
        )
    return Moments(
        products.numpy(force=True),
        noise if noise > ROUNDING**2 * (noise + signal) else None,
        signal / (noise + signal),
        ratios / varying if varying else None,
    )


def _stiffnesses(products: np.ndarray, labels: np.ndarray | None) -> dict[str, float | LeftOut]:
    """Compute the four measures of stiffness from scalar products (m, m) and classes (m,)."""
    if labels is None:
        missing = LeftOut(
            "Stiffness needs classes, and the targets of these data are numbers: do without this "
            "measure."
        )
        return dict.fromkeys((*WITHIN, *BETWEEN), missing)
    lengths = np.sqrt(np.diag(products))
    lengths = np.where(lengths > 0, lengths, 1.0)
    lone = LeftOut(
        "Stiffness needs pairs of training inputs, of one class or of two, and there is none: give "
        "more inputs."
    )
    values: dict[str, float | LeftOut] = {}
    kinds = products / lengths[:, np.newaxis] / lengths, np.sign(products)
    for matrix, inside, outside in zip(kinds, WITHIN, BETWEEN, strict=True):
        within, between = stiffness(matrix, labels)
        values[inside] = lone if within is None else -within
        values[outside] = lone if between is None else between
    return values


def stiffness(matrix: np.ndarray, labels: np.ndarray) -> tuple[float | None, float | None]:
    """Average a quantity of pairs of inputs within classes and between them.

    Args:
        matrix: the quantity, (m, m), symmetric.
        labels: classes (m,).

    Returns:
        The mean over classes of the means over their pairs of different inputs, and the mean over
        pairs of classes of the means over their pairs; None where there is no pair.
    """
    _, places = np.unique(labels, return_inverse=True)
    members = np.eye(places.max() + 1)[places]
    counts = members.sum(axis=0)
    sums = members.T @ matrix @ members
    inside = np.diag(sums) - members.T @ np.diag(matrix)
    several = counts > 1
    own = inside[several] / (counts * (counts - 1))[several]
    means = sums / np.outer(counts, counts)
    others = means[~np.eye(len(counts), dtype=bool)]
    return (
        float(own.mean()) if len(own) else None,
        float(others.mean()) if len(others) else None,
    )
