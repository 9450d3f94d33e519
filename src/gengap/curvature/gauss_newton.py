"""G_theta over all directions that matter, from the Gram matrix of the outputs' gradients.

This is for networks too large to compute all eigenvectors of the Hessian. Where the training data
are fitted, the Hessian is near the generalised Gauss-Newton matrix. Its eigenvectors of non-zero
eigenvalues follow exactly from a matrix whose size is the number of outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from gengap.curvature.alignment import RANDOM_VECTORS, GTheta, loss_direction
from gengap.curvature.per_sample import batch_size, gradient_size, pull_back
from gengap.errors import GengapError
from gengap.networks import input_batches
from gengap.networks.differentiation import CountedParameters, full_precision, input_array
from gengap.training import loss_inputs

NOISE = 1e-10
"""Eigenvalues below this, relative to the largest, are rounding errors."""

GRAM_ROWS = 128
"""Rows whose scalar products with those that follow are computed together."""


def gauss_newton_g_theta(
    network: nn.Module,
    inputs: np.ndarray,
    rng: np.random.Generator,
    *,
    random_vectors: int = RANDOM_VECTORS,
    loss: str = "cross_entropy",
    parameters: CountedParameters = "trainable",
) -> GTheta:
    """Compute G_theta with the eigenvectors of the loss's Gauss-Newton matrix.

    With the Jacobian J of all n k outputs, and R_i R_i^T the second derivative of the loss in the
    outputs of an input (diag(p_i) - p_i p_i^T of the softmax for the cross-entropy), the matrix is
    J^T R R^T J / n. If u is an eigenvector of R^T J J^T R / n with the eigenvalue lambda, then
    J^T R u / sqrt(n lambda) is one of the matrix, with the same eigenvalue. Its alignment with a
    gradient J^T c follows from J J^T alone.

    Args:
        network: a classifier in eval mode.
        inputs: (n, *input_shape), training inputs; a thousand outputs (n k) take seconds.
        rng: draws the random vectors whose alignment is the threshold.
        random_vectors: number of random vectors; the threshold is the mean of their largest
            alignments.
        loss: ``cross_entropy``, ``nll`` or ``mse``; the hinge loss has no such matrix.
        parameters: see :func:`gengap.curvature.per_sample.pull_back`.

    Returns:
        The result of :func:`gengap.curvature.alignment.g_theta` for the eigenvectors whose
        eigenvalues are above :data:`NOISE` times the largest.

    Raises:
        GengapError: a part of the network cannot be differentiated for single inputs, the loss is
            piecewise linear, or the matrix vanishes.
    """
    if loss not in FACTORS:
        raise GengapError(
            f"The loss {loss!r} has no Gauss-Newton matrix with eigenvectors: choose one of "
            f"{', '.join(FACTORS)}."
        )
    network = full_precision(network)
    size = gradient_size(network, parameters)
    random = rng.standard_normal((size, random_vectors))
    random /= np.linalg.norm(random, axis=0)
    inputs = input_array(inputs)
    _, batch = next(input_batches(network, inputs, len(inputs)))
    with torch.no_grad():
        outputs = loss_inputs(network, batch, loss).double()
    jacobian = _jacobian(network, batch, outputs.shape[1], loss, parameters)
    kernel = _gram(jacobian).double()
    directions = _blocks(loss_direction(network, outputs, loss)[:, :, None])
    lengths = torch.einsum("ij,ij->j", directions, kernel @ directions).clamp_min(0).sqrt()
    lengths = torch.where(lengths > 0, lengths, 1.0)
    factors = _blocks(FACTORS[loss](outputs))
    values, vectors = torch.linalg.eigh(factors.T @ kernel @ factors / len(outputs))
    significant = values > NOISE * values[-1].clamp_min(torch.finfo(torch.float64).tiny)
    if not bool(significant.any()):
        raise GengapError(
            f"The Gauss-Newton matrix of the loss {loss} is 0 for this network, so it has no "
            "eigenvectors: use weights from an earlier epoch."
        )
    scaled = factors @ vectors[:, significant] / (len(outputs) * values[significant]).sqrt()
    aligned = (directions / lengths).T @ kernel @ scaled
    reached = directions.T @ (jacobian @ torch.from_numpy(random).to(jacobian)).double()
    limit = float((reached / lengths[:, None]).abs().amax(0).mean())
    largest = aligned.abs().amax(0).clamp_max(1.0).flip(0).numpy(force=True)
    count = int((largest > limit).sum())
    return GTheta(count, count / size, limit, largest)


def _jacobian(
    network: nn.Module, inputs: Tensor, outputs: int, loss: str, parameters: CountedParameters
) -> Tensor:
    """Return J, (n k, p), with the rows of one input together."""
    repeated = inputs.repeat_interleave(outputs, dim=0)
    kind = next(network.parameters()).dtype
    units = torch.eye(outputs, dtype=kind, device=inputs.device).repeat(len(inputs), 1)
    jacobian = units.new_empty(len(units), gradient_size(network, parameters))
    for rows in torch.split(torch.arange(len(units)), batch_size(network, parameters)):
        some = slice(int(rows[0]), int(rows[-1]) + 1)
        pulled = pull_back(network, repeated[some], units[some], loss, parameters=parameters)
        jacobian[some] = pulled.detach()
    return jacobian


def _gram(rows: Tensor) -> Tensor:
    """Return the scalar products (m, m) of rows (m, p), of which only one half is computed."""
    products = rows.new_empty(len(rows), len(rows))
    for start in range(0, len(rows), GRAM_ROWS):
        part = rows[start : start + GRAM_ROWS] @ rows[start:].T
        products[start : start + GRAM_ROWS, start:] = part
        products[start:, start : start + GRAM_ROWS] = part.T
    return products


def _blocks(parts: Tensor) -> Tensor:
    """Place blocks (n, a, b) along the diagonal of a matrix, (n a, n b)."""
    count, rows, columns = parts.shape
    joined = parts.new_zeros(count, rows, count, columns)
    index = torch.arange(count, device=parts.device)
    joined[index, :, index, :] = parts
    return joined.reshape(count * rows, count * columns)


def _factors(outputs: Tensor) -> Tensor:
    """Return R of each input, (n, k, k): R R^T = diag(p) - p p^T; k = 1 is the logistic model."""
    if outputs.shape[1] == 1:
        deviation = (torch.sigmoid(outputs) * torch.sigmoid(-outputs)).sqrt()
        return deviation[:, :, None]
    probabilities = torch.softmax(outputs, 1)
    roots = probabilities.sqrt()
    return torch.diag_embed(roots) - probabilities[:, :, None] * roots[:, None, :]


def _factors_of_squares(outputs: Tensor) -> Tensor:
    """Return R of the squared error, (n, k, k): R R^T = (2/k) I."""
    count, units = outputs.shape
    identity = torch.eye(units, dtype=outputs.dtype, device=outputs.device)
    return (identity * math.sqrt(2 / units)).expand(count, units, units)


FACTORS: dict[str, Callable[[Tensor], Tensor]] = {
    "cross_entropy": _factors,
    "nll": _factors,
    "mse": _factors_of_squares,
}
"""By loss, R of each input (n, k, k) from the outputs (n, k): R R^T is the second derivative."""
