"""G_theta over all directions that matter, from the Gram matrix of the outputs' gradients.

This is for networks too large to compute all eigenvectors of the Hessian. Where the training data
are fitted, the Hessian is near the generalised Gauss-Newton matrix. Its eigenvectors of non-zero
eigenvalues follow exactly from a matrix whose size is the number of outputs.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from gengap.curvature.alignment import RANDOM_VECTORS, GTheta, output_direction
from gengap.curvature.per_sample import batch_size, pull_back
from gengap.networks import device_of, logits, parameter_count, tensor_of

NOISE = 1e-10
"""Eigenvalues below this, relative to the largest, are rounding errors."""


def gauss_newton_g_theta(
    network: nn.Module,
    inputs: np.ndarray,
    rng: np.random.Generator,
    *,
    random_vectors: int = RANDOM_VECTORS,
) -> GTheta:
    """Compute G_theta with the eigenvectors of the cross-entropy's Gauss-Newton matrix.

    With the Jacobian J of all n k outputs, and R_i R_i^T = diag(p_i) - p_i p_i^T of the softmax,
    the matrix is J^T R R^T J / n. If u is an eigenvector of R^T J J^T R / n with the eigenvalue
    lambda, then J^T R u / sqrt(n lambda) is one of the matrix, with the same eigenvalue. Its
    alignment with a gradient J^T c follows from J J^T alone.

    Args:
        network: a network in eval mode.
        inputs: (n, *input_shape), training inputs; a thousand outputs (n k) take seconds.
        rng: draws the random vectors whose alignment is the threshold.
        random_vectors: number of random vectors; the threshold is the mean of their largest
            alignments.

    Returns:
        The result of :func:`gengap.curvature.alignment.g_theta` for the eigenvectors whose
        eigenvalues are above :data:`NOISE` times the largest.

    Raises:
        GengapError: a part of the network cannot be differentiated for single inputs.
    """
    size = parameter_count(network)
    random = rng.standard_normal((size, random_vectors))
    random /= np.linalg.norm(random, axis=0)
    batch = tensor_of(inputs, device_of(network)).to(next(network.parameters()).dtype)
    with torch.no_grad():
        outputs = logits(network, batch).double()
    jacobian = _jacobian(network, batch, outputs.shape[1])
    kernel = (jacobian @ jacobian.T).double()
    directions = _blocks(output_direction(outputs)[:, :, None])
    lengths = torch.einsum("ij,ij->j", directions, kernel @ directions).clamp_min(0).sqrt()
    lengths = torch.where(lengths > 0, lengths, 1.0)
    factors = _blocks(_factors(outputs))
    values, vectors = torch.linalg.eigh(factors.T @ kernel @ factors / len(outputs))
    significant = values > NOISE * values[-1].clamp_min(torch.finfo(torch.float64).tiny)
    scaled = factors @ vectors[:, significant] / (len(outputs) * values[significant]).sqrt()
    aligned = (directions / lengths).T @ kernel @ scaled
    reached = directions.T @ (jacobian.double() @ torch.from_numpy(random).to(kernel))
    limit = float((reached / lengths[:, None]).abs().amax(0).mean())
    largest = aligned.abs().amax(0).clamp_max(1.0).flip(0).numpy(force=True)
    count = int((largest > limit).sum())
    return GTheta(count, count / size, limit, largest)


def _jacobian(network: nn.Module, inputs: Tensor, outputs: int) -> Tensor:
    """Return J, (n k, p), with the rows of one input together."""
    repeated = inputs.repeat_interleave(outputs, dim=0)
    units = torch.eye(outputs, dtype=inputs.dtype, device=inputs.device).repeat(len(inputs), 1)
    step = batch_size(network)
    return torch.cat(
        [
            pull_back(network, some, unit).detach()
            for some, unit in zip(
                torch.split(repeated, step), torch.split(units, step), strict=True
            )
        ]
    )


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
