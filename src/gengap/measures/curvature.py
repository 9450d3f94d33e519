"""The family ``curvature``: sharpness and spectrum of the training loss.

The loss is the mean of the loss that the network was trained on, on at most 1000 training inputs,
at the labels or numbers trained on. Its curvature depends on how the network's function is written,
so batch normalisation is folded into the kernel before it first, see
:func:`gengap.networks.folded`. Which parameters count says ``subject.parameters``.
"""

from __future__ import annotations

import copy
import logging
import math
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from gengap.bisection import bisect
from gengap.curvature.effective_dimension import filter_factors, outliers
from gengap.curvature.gauss_newton import gauss_newton_g_theta
from gengap.curvature.operators import hessian
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.limits import G_THETA_BYTES
from gengap.measures.pac_bayes import error_of_size
from gengap.measures.plain import plain_network
from gengap.measures.registry import measure
from gengap.measures.results import Estimate
from gengap.measures.subject import Subject
from gengap.networks import device_of, input_batches, tensor_of
from gengap.networks.differentiation import counted_parameters
from gengap.training.losses import check_fit, loss_and_accuracy_of

log = logging.getLogger(__name__)

INPUTS = 1000

TOP = 20
"""Number of eigenvalues that are computed; sums over the others are estimated."""
RUNS, STEPS = 2, 30
"""Number of random vectors of the estimate, and of Lanczos steps from each."""
ALPHAS = {"tenth": 0.1, "one": 1.0, "ten": 10.0}
"""Weight decays by their words in the measures' names.

Smaller ones would need more steps, since the quadrature of lambda / (lambda + alpha) is biased
upwards where many eigenvalues lie within alpha of zero.
"""

SPECTRAL_MEASURES = (
    "lambda_max", "hessian_trace", *(f"effective_dimensionality_{name}" for name in ALPHAS),
    "hessian_negatives", "hessian_negative_mass", "hessian_outliers",
)  # fmt: skip

G_THETA_INPUTS = 50

LOSS_INCREASE = 0.1
DRAWS = 5
SMALLEST, LARGEST = 1e-5, 10.0
"""Standard deviations of the weights' noise between which the bisection starts."""
BISECTIONS = 14


@measure(
    *SPECTRAL_MEASURES,
    needs={"fitting_outputs", "twice_differentiable"},
    sign={"hessian_negatives": "?", "hessian_negative_mass": "?"},
    slow=True,
)
def hessian_spectrum(subject: Subject) -> dict[str, Estimate]:
    """Compute sums over the spectrum of the Hessian of the mean loss.

    Larger predicts a larger gap: of sharp minima, of many determined directions among networks that
    fit, and of a complex decision boundary. The two measures of negative eigenvalues have no known
    sign. The 20 largest eigenvalues are computed. Sums over the others are estimated by stochastic
    Lanczos quadrature from two random vectors of 30 steps, so the number of negative eigenvalues,
    too, is an estimate over the whole spectrum, good to about a third.

    Equation:
        - ``lambda_max``: the largest eigenvalue lambda_1 of the Hessian of the mean loss.
        - ``hessian_trace``: sum_i lambda_i.
        - ``effective_dimensionality_tenth``: the sum of lambda_i / (lambda_i + alpha) over the
          positive lambda_i, with alpha = 0.1 the weight decay of a mean loss.
        - ``effective_dimensionality_one``: the sum of lambda_i / (lambda_i + alpha) over the
          positive lambda_i, with alpha = 1 the weight decay of a mean loss.
        - ``effective_dimensionality_ten``: the sum of lambda_i / (lambda_i + alpha) over the
          positive lambda_i, with alpha = 10 the weight decay of a mean loss.
        - ``hessian_negatives``: the number of lambda_i below -0.01 lambda_1.
        - ``hessian_negative_mass``: the sum of |lambda_i| over the negative lambda_i.
        - ``hessian_outliers``: the number of eigenvalues above the largest gap of the logarithms
          of the 20 largest, see :func:`gengap.curvature.outliers`.

    Source:
        - ``lambda_max``, ``hessian_trace``: Keskar et al. 2017, "On large-batch training for deep
          learning: generalization gap and sharp minima" (that sharp minima generalise worse).
        - ``effective_dimensionality_tenth``, ``effective_dimensionality_one``,
          ``effective_dimensionality_ten``: Maddox, Benton and Wilson 2020, "Rethinking parameter
          counting in deep models: effective dimensionality revisited".
        - ``hessian_negatives``, ``hessian_negative_mass``: features of the spectrum, of this
          library.
        - ``hessian_outliers``: Sabanayagam et al. 2023, "Unveiling the Hessian's connection to the
          decision boundary"; gap by Lam and Yao 2012, "Factor modeling for high-dimensional time
          series".

    Returns:
        The eight measures by name.

    Raises:
        GengapError: the loss is 0 in float32, or the eigenvalues do not converge.
    """
    rng = subject.rng
    operator = hessian(
        plain_network(subject),
        subject.loss,
        some_inputs(subject.train, rng),
        parameters=subject.parameters,
    )
    top = operator.eigsh(min(TOP, operator.size), seed=_seed(rng))
    density = operator.spectral_density(RUNS, STEPS, known=top, seed=_seed(rng))
    number, mass = density.negatives()
    sums = {
        "hessian_trace": density.total(lambda nodes: nodes),
        "hessian_negatives": number,
        "hessian_negative_mass": mass,
        **{
            f"effective_dimensionality_{name}": density.total(partial(filter_factors, alpha=alpha))
            for name, alpha in ALPHAS.items()
        },
    }
    return {
        "lambda_max": Estimate(float(top.values[0]), 0.0),
        "hessian_outliers": Estimate(float(outliers(top.values)), 0.0),
        **{name: Estimate(total.value, total.standard_error) for name, total in sums.items()},
    }


@measure(needs={"fitting_outputs"})
def loss_sharpness(subject: Subject) -> Estimate:
    """Compute how little Gaussian noise on all trainable weights raises the loss by 0.1.

    The increase is the mean over five fixed directions of noise of standard deviation sigma, and
    sigma is found by bisection of its logarithm between 1e-5 and 10. This is the sharpness of
    PAC-Bayesian bounds, of the loss in place of the error. Unlike the ``sharpness`` of the family
    ``competition``, it neither looks for the worst direction nor scales with the weights. Larger
    predicts a larger gap.

    Equation:
        -log sigma, with E[L(w + sigma z)] = L(w) + 0.1 for the mean loss L and standard normal z.

    Source:
        Neyshabur et al. 2017, "Exploring generalization in deep learning".

    Scale:
        logarithm.

    Returns:
        -log sigma, and its standard error, see
        :func:`gengap.measures.pac_bayes.error_of_size`.

    Raises:
        GengapError: the training loss is not finite.
    """
    network, rng = plain_network(subject), subject.rng
    data = some_inputs(subject.train, rng)
    noisy = copy.deepcopy(network)
    weights = list(counted_parameters(noisy, subject.parameters).values())
    centres = [weight.detach().clone() for weight in weights]
    draws = [
        [
            tensor_of(rng.standard_normal(tuple(centre.shape), np.float32), centre.device)
            for centre in centres
        ]
        for _ in range(DRAWS)
    ]
    check_fit(network, data, subject.loss)
    labels = tensor_of(data.labels, device_of(network))
    _, inputs = next(input_batches(network, data.inputs, len(labels)))
    target = loss_and_accuracy_of(network, inputs, labels, subject.loss)[0] + LOSS_INCREASE
    if not math.isfinite(target):
        raise GengapError(
            f"The training loss is {target - LOSS_INCREASE}, so it cannot be perturbed: look at "
            "the network's weights."
        )

    tried: dict[float, np.ndarray] = {}

    def may_be_larger(log_sigma: float) -> bool:
        losses = []
        for draw in draws:
            _move(weights, centres, draw, math.exp(log_sigma))
            losses.append(loss_and_accuracy_of(noisy, inputs, labels, subject.loss)[0])
        tried[log_sigma] = np.array(losses) - (target - LOSS_INCREASE)
        # A loss that overflowed compares as false, and is too large.
        return sum(losses) / DRAWS <= target

    low, high = bisect(may_be_larger, math.log(SMALLEST), math.log(LARGEST), BISECTIONS)
    log_sigma = (low + high) / 2
    return Estimate(-log_sigma, error_of_size(tried, log_sigma))


@measure(needs={"classes"}, slow=True, draws=2)
def g_theta(subject: Subject) -> float:
    """Count the eigenvectors that the gradients of training inputs reach.

    The eigenvectors are those of the Gauss-Newton matrix of at most 50 training inputs, in place of
    the Hessian of all, so that all of them are computed (see
    :func:`gengap.curvature.gauss_newton.gauss_newton_g_theta`). There are fewer inputs where their
    outputs' gradients would take more than a gigabyte. More eigenvectors mean a more complex
    decision boundary, and so predict a larger gap.

    Equation:
        The number of eigenvectors v of the Gauss-Newton matrix with max_x |<v, g(x)>| / ||g(x)||
        above its mean over random v, with g(x) the gradients of training inputs x.

    Source:
        Sabanayagam et al. 2023, "Unveiling the Hessian's connection to the decision boundary".

    Returns:
        The number of eigenvectors.

    Raises:
        GengapError: the loss has no Gauss-Newton matrix, as the hinge loss.
    """
    network, train, rng = plain_network(subject), subject.train, subject.rng
    counted = counted_parameters(network, subject.parameters)
    gradients = 4 * sum(values.numel() for values in counted.values()) * train.classes
    count = max(2, min(G_THETA_INPUTS, len(train.labels), G_THETA_BYTES // gradients))
    inputs = train.sample(count, rng).inputs
    reached = gauss_newton_g_theta(
        network, inputs, rng, loss=subject.loss, parameters=subject.parameters
    )
    return float(reached.count)


def some_inputs(train: Split, rng: np.random.Generator) -> Split:
    """Draw at most :data:`INPUTS` of the training inputs, without replacement, in their order."""
    return train if len(train.labels) <= INPUTS else train.sample(INPUTS, rng)


def _seed(rng: np.random.Generator) -> np.random.SeedSequence:
    return np.random.SeedSequence(int(rng.integers(2**32)))


@torch.no_grad()
def _move(
    weights: list[nn.Parameter], centres: list[Tensor], draw: list[Tensor], sigma: float
) -> None:
    for weight, centre, noise in zip(weights, centres, draw, strict=True):
        weight.copy_(centre + sigma * noise)
