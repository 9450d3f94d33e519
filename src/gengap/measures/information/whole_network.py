"""Criteria of all parameters: Takeuchi's, and the Laplace approximation of the evidence."""

from __future__ import annotations

import logging
import math

import numpy as np
import torch
from torch import Tensor, nn

from gengap.curvature import CurvatureOperator, SpectralDensity, ggn
from gengap.curvature.gauss_newton import FACTORS
from gengap.curvature.lanczos import KrylovBasis
from gengap.curvature.per_sample import (
    batch_size,
    per_sample_gradients,
    pull_back,
    squared_lengths,
)
from gengap.curvature.stochastic import Estimate as SpectralSum
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.measures.draws import mean_of_draws
from gengap.measures.information.evidence import best_precision, check_loss, occam_factor
from gengap.measures.plain import plain_network
from gengap.measures.registry import measure
from gengap.measures.results import Estimate
from gengap.measures.subject import Subject
from gengap.networks import batch_size_for, device_of, input_batches, tensor_of
from gengap.networks.differentiation import (
    CountedParameters,
    counted_parameters,
    counting,
    twice_differentiable,
)
from gengap.training import loss_inputs, sample_losses
from gengap.training.losses import final_activation_of

log = logging.getLogger(__name__)

RATIO_INPUTS = 200
"""Number of training inputs of the traces' ratio; all, if there are fewer."""
DRAWS = 1
"""Random vectors in each input's outputs that estimate the trace of the Gauss-Newton matrix; the
measure has several draws of them."""

INPUTS = 1000
"""Number of training inputs of the other two criteria; all, if there are fewer."""
RUNS, STEPS = 2, 25
"""Number of random vectors of each estimate, and of Lanczos steps from each."""
ROUNDING = {"float32": 1e-6, "float64": 1e-12}
"""Eigenvalues below this, relative to the largest, are rounding errors of a matrix of this type."""


@measure(needs={"fitting_outputs"}, estimates_gap=True, draws=2)
def takeuchi_trace_ratio(subject: Subject) -> float:
    """Compute the ratio of the traces of the gradients' second moment and of the curvature.

    It is Takeuchi's criterion where one matrix is a multiple of the other, and an estimate of the
    gap of losses. Both traces are over at most 200 training inputs. That of the curvature is
    estimated from a random vector in the outputs of each input, in each of two draws.

    Equation:
        tr(C) / tr(H) / n, with C the second moment of the gradients g_i of the inputs' losses
        (tr(C) = mean_i |g_i|^2), H the Gauss-Newton matrix of the mean loss, and n the number of
        training inputs.

    Source:
        Thomas et al. 2020, "On the interplay between noise and curvature and its effect on
        optimization and generalization".

    Scale: linear, in the units of the loss.

    Returns:
        The estimate, at least 0.

    Raises:
        GengapError: the loss is piecewise linear, or its curvature is 0.
    """
    check_loss(subject.loss)
    network, train = plain_network(subject), subject.train.sample(RATIO_INPUTS, subject.rng)
    parameters = subject.parameters
    gradients = per_sample_gradients(network, train, subject.loss, parameters=parameters)
    noise = sum(float(squared_lengths(part).sum()) for _, part in gradients) / len(train.labels)
    curvature = gauss_newton_trace(network, train, subject.loss, subject.rng, parameters)
    if curvature == 0:
        raise GengapError(
            f"Takeuchi's criterion needs a curvature, and that of the loss {subject.loss} is 0 for "
            "this network: use weights from an earlier epoch."
        )
    return noise / curvature / len(subject.train.labels)


def gauss_newton_trace(
    network: nn.Module,
    data: Split,
    loss: str,
    rng: np.random.Generator,
    parameters: CountedParameters = "trainable",
    draws: int = DRAWS,
) -> float:
    r"""Estimate the trace of the Gauss-Newton matrix of the mean loss, input by input.

    With R_i R_i^T the second derivative of the loss in an input's outputs, and z random signs,
    $|J_i^T R_i z|^2$ has the expectation $\mathrm{tr}(J_i^T R_i R_i^T J_i)$.

    Args:
        network: a network in eval mode.
        data: n inputs.
        loss: one of :data:`gengap.curvature.gauss_newton.FACTORS`.
        rng: draws the signs.
        parameters: which ones count.
        draws: vectors of signs for each input.

    Returns:
        The trace, at least 0.
    """
    total = 0.0
    for _, inputs in input_batches(network, data.inputs, batch_size(network, parameters)):
        with torch.no_grad():
            outputs = loss_inputs(network, inputs, loss)
        factors = FACTORS[loss](outputs.double())
        for _ in range(draws):
            signs = tensor_of(rng.choice([-1.0, 1.0], outputs.shape), outputs.device)
            cotangents = torch.einsum("nab,nb->na", factors, signs).to(outputs.dtype)
            pulled = pull_back(network, inputs, cotangents, loss, parameters=parameters)
            total += float(squared_lengths(pulled).sum())
    return total / draws / len(data.labels)


@measure(
    "laplace_marginal_likelihood", "takeuchi_full",
    needs={"fitting_outputs", "twice_differentiable"}, slow=True, estimates_gap=True,
)  # fmt: skip
def whole_network_criteria(subject: Subject) -> dict[str, Estimate]:
    """Compute the cost of the parameters by the Laplace evidence, and Takeuchi's full criterion.

    Both estimate the gap of losses, with the Gauss-Newton matrix of at most 1000 training inputs,
    in proportion to all n. The first is the mean loss of predicting the inputs one after the other,
    less the training loss. Its log determinant is estimated by stochastic Lanczos quadrature, from
    two random vectors of 25 steps. The second is damped by the precision that the first finds: of a
    network with more parameters than n outputs, it would depend on the outputs alone otherwise. It
    is estimated from two combinations of the inputs' gradients with random signs, by 25 Lanczos
    steps from each. Where parameters are many, one is good to a per cent, since the inverse makes
    gradients of different inputs nearly orthogonal; with fewer parameters than inputs, two are good
    to a fifth.

    Equation:
        With H the Gauss-Newton matrix of the mean loss, theta the parameters, and N(0, I / delta)
        the prior of the largest evidence:
        - ``laplace_marginal_likelihood``: (delta |theta|^2 + log det(I + n H / delta)) / (2 n),
          minus the log evidence per input less the training loss.
        - ``takeuchi_full``: tr(C (H + (delta / n) I)^-1) / n, with C the second moment of the
          gradients of the inputs' losses.

    Source:
        - ``laplace_marginal_likelihood``: MacKay 1992, "A practical Bayesian framework for
          backpropagation networks"; Immer et al. 2021, "Scalable marginal likelihood estimation for
          model selection in deep learning".
        - ``takeuchi_full``: Thomas et al. 2020, "On the interplay between noise and curvature and
          its effect on optimization and generalization".

    Scale: linear, in the units of the loss (nats for the cross-entropy).

    Returns:
        The two measures by name.

    Raises:
        GengapError: the loss is piecewise linear, 0 in float32, or not finite.
    """
    check_loss(subject.loss)
    network, rng = plain_network(subject), subject.rng
    train, total = subject.train.sample(INPUTS, rng), len(subject.train.labels)
    operator = ggn(network, subject.loss, train, parameters=subject.parameters)
    density = operator.spectral_density(
        RUNS, STEPS, seed=np.random.SeedSequence(int(rng.integers(2**32)))
    )
    counted = counted_parameters(network, subject.parameters)
    squared_norm = sum(float(value.detach().double().square().sum()) for value in counted.values())

    def of_all(precision: float) -> float:
        return log_determinant(density, precision / total).value

    precision = best_precision(squared_norm, of_all)
    criteria = []
    for _ in range(RUNS):
        signs = rng.choice([-1.0, 1.0], len(train.labels)) / math.sqrt(len(train.labels))
        combined = combined_gradient(network, train, subject.loss, signs, subject.parameters)
        criteria.append(inverse_form(operator, combined, precision / total, rng) / total)
    log.info("prior precision %.4g", precision)
    # At the best precision the evidence does not depend on the precision to first order.
    evidence = Estimate(
        occam_factor(precision, squared_norm, of_all) / total,
        log_determinant(density, precision / total).standard_error / (2 * total),
    )
    return {
        "laplace_marginal_likelihood": evidence,
        "takeuchi_full": mean_of_draws(criteria),
    }


def log_determinant(density: SpectralDensity, damping: float) -> SpectralSum:
    """Estimate log det(I + H / damping) from the spectral density of H."""
    return density.total(lambda nodes: np.log1p(np.maximum(nodes, 0.0) / damping))


def combined_gradient(
    network: nn.Module,
    data: Split,
    loss: str,
    weights: np.ndarray,
    parameters: CountedParameters = "trainable",
) -> np.ndarray:
    """Compute the gradient (p,) of a weighted sum of the inputs' losses.

    Args:
        network: a network in eval mode.
        data: n inputs, and labels or numbers.
        loss: one of :data:`gengap.names.LOSSES`.
        weights: (n,).
        parameters: which ones count.

    Returns:
        The gradient in the parameters that count, each flattened; zeros where one is not used.
    """
    device = device_of(network)
    total: list[Tensor] = []
    with counting(network, parameters), twice_differentiable(network), torch.enable_grad():
        counted = list(counted_parameters(network, parameters).values())
        total = [torch.zeros_like(value) for value in counted]
        size = batch_size_for(network, data.inputs)
        for rows, inputs in input_batches(network, data.inputs, size):
            losses = sample_losses(
                loss_inputs(network, inputs, loss),
                tensor_of(data.labels[rows], device),
                loss,
                final_activation=final_activation_of(network),
            )
            combined = losses @ tensor_of(weights[rows], device).to(losses.dtype)
            parts = torch.autograd.grad(combined, counted, materialize_grads=True)
            for sum_of_parts, part in zip(total, parts, strict=True):
                sum_of_parts += part
    return torch.cat([part.detach().flatten() for part in total]).numpy(force=True)


def inverse_form(
    operator: CurvatureOperator,
    start: np.ndarray,
    damping: float,
    rng: np.random.Generator,
    steps: int = STEPS,
) -> float:
    r"""Compute $v^T (H + d I)^{-1} v$ by Lanczos steps from v.

    Args:
        operator: H, (p, p), symmetric and positive semi-definite.
        start: v, (p,).
        damping: d. Without any, the inverse is the pseudo-inverse: eigenvalues up to
            :data:`ROUNDING` times the largest count as 0.
        rng: draws nothing that reaches the result.
        steps: most products with H; the result is exact from the dimension of v's Krylov space on.

    Returns:
        The value, at least 0.
    """
    squared = float(np.square(start, dtype=np.float64).sum())
    if squared == 0:
        return 0.0
    capacity = min(steps, operator.size)
    basis = KrylovBasis(operator.matvec, operator.size, capacity, rng, operator.dtype)
    basis.restart(np.zeros(0), np.zeros((0, 0)), start)
    basis.extend(1)
    while basis.coupling > 0 and basis.filled < capacity:
        basis.extend(basis.filled + 1)
    values, coordinates, _ = basis.ritz()
    damped = np.maximum(values, 0.0) + damping
    significant = damped > ROUNDING[operator.dtype.name] * damped.max()
    return squared * float((coordinates[0, significant] ** 2 / damped[significant]).sum())
