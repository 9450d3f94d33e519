"""Training a linearised network, f0(x) + J(x) (theta - theta0), in dual form.

Gradient descent on its loss keeps theta - theta0 = J' a, with one coefficient a_i for each training
input. So a step costs a product with rows of the kernel, whatever the number of parameters: f(x) =
f0(x) + Theta(x, training inputs) a. Momentum is linear in past gradients and acts on a alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gengap.errors import GengapError
from gengap.networks import predictions
from gengap.networks.differentiation import CountedParameters, full_precision
from gengap.seeding import torch_generator
from gengap.tangent.eigenfunctions import check_positive
from gengap.tangent.kernel import Kernel, jacobian_product
from gengap.tangent.outputs import (
    OutputSelection,
    as_function,
    check_network,
    inputs_tensor,
    parameters_of,
)
from gengap.training import Recipe, sample_losses
from gengap.training.optimisers import Schedule, optimiser
from gengap.training.trainer import batches

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Inputs on which a linearised network is evaluated while it trains.

    Attributes:
        kernel: (m, n), between them and the n training inputs.
        start: (m,), f0 there.
        labels: (m,), 0 or 1.
    """

    kernel: Kernel
    start: Floats
    labels: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LinearisedResult:
    """The result of training a linearised network.

    Attributes:
        coefficients: (n,), a in theta - theta0 = J' a.
        outputs: (n,), at the training inputs.
        history: one row per epoch 1, 2, ...: ``epoch``, ``train_loss``, ``train_accuracy`` and
            ``learning_rate`` as :func:`gengap.training.train` has them, and ``test_loss`` and
            ``test_accuracy`` where held-out inputs were given.
    """

    coefficients: Floats
    outputs: Floats
    history: list[dict[str, Any]]


def train_linearised(
    kernel: Kernel,
    start: np.ndarray,
    labels: NDArray[np.int64],
    recipe: Recipe,
    *,
    held: HeldOut | None = None,
) -> LinearisedResult:
    """Train a linearised network with one output as :func:`gengap.training.train` would.

    Loss, optimiser, schedule, batches and their order are the recipe's. A network that is linear in
    its parameters has the same outputs after each step in both, up to rounding.

    Args:
        kernel: (n, n), of the training inputs.
        start: (n,), f0 there; zeros leave it out ("differential" linearisation).
        labels: (n,), 0 or 1.
        recipe: ``sgd`` without weight decay, augmentation or label corruption; its
            ``initialisation`` has no effect.
        held: held-out inputs to evaluate after each epoch.

    Returns:
        The coefficients, the outputs at the training inputs, and the history.

    Raises:
        GengapError: the recipe asks for what has no dual form, the shapes do not fit, or training
            diverged.
    """
    _check_recipe(recipe)
    _check_shapes(kernel, start, labels)
    matrix, first = torch.from_numpy(kernel), torch.from_numpy(start.astype(np.float64))
    classes = torch.from_numpy(labels.astype(np.int64))
    coefficients = nn.Parameter(torch.zeros(len(labels), dtype=torch.float64))
    steps = optimiser([coefficients], recipe)
    schedule = Schedule(steps, recipe)
    order = torch_generator(recipe.seed, "order")
    history: list[dict[str, Any]] = []
    for epoch in range(1, recipe.epochs + 1):
        rate = float(steps.param_groups[0]["lr"])
        shuffled = torch.randperm(len(labels), generator=order)
        for batch in batches(shuffled, recipe.inputs_per_step(len(labels))):
            outputs = first[batch] + _times(matrix[batch], coefficients)
            gradient = torch.zeros_like(coefficients)
            gradient[batch] = _loss_gradient(outputs, classes[batch], recipe.loss)
            coefficients.grad = gradient
            steps.step()
        row = _row(coefficients, matrix, first, classes, recipe.loss, "train")
        if not math.isfinite(row["train_loss"]):
            raise GengapError(
                f"Training of the linearised network diverged after epoch {epoch}: "
                f"lower the recipe's learning_rate, now {recipe.learning_rate}."
            )
        if held is not None:
            row |= _row(
                coefficients,
                torch.from_numpy(held.kernel),
                torch.from_numpy(held.start.astype(np.float64)),
                torch.from_numpy(held.labels.astype(np.int64)),
                recipe.loss,
                "test",
            )
        schedule.end_of_epoch(row["train_loss"])
        history.append({"epoch": epoch, **row, "learning_rate": rate})
        if recipe.is_reached(row["train_loss"], row["train_accuracy"]):
            break
    outputs = first + _times(matrix, coefficients)
    return LinearisedResult(coefficients.detach().numpy(), outputs.numpy(), history)


def ridge_regression(kernel: Kernel, residuals: np.ndarray, ridge: float) -> Floats:
    """Compute the coefficients a = (K + ridge I)^-1 (y - f0) of kernel ridge regression.

    They minimise |K a - (y - f0)|^2 + ridge a' K a. As ``ridge`` goes to 0, they become the limit
    of gradient descent on the squared error.

    Args:
        kernel: (n, n).
        residuals: y - f0, (n,).
        ridge: above 0, in the units of the kernel.

    Returns:
        a, (n,).

    Raises:
        GengapError: the ridge is not above 0, or the kernel not positive semi-definite.
    """
    if not ridge > 0:
        raise GengapError(f"The ridge is {ridge}: give a number above 0.")
    matrix = kernel.astype(np.float64) + ridge * np.eye(len(kernel))
    try:
        coefficients: Floats = scipy.linalg.solve(matrix, residuals, assume_a="pos")
    except scipy.linalg.LinAlgError as error:
        raise GengapError(
            f"The kernel plus the ridge {ridge} is not positive definite: give a kernel that is "
            "positive semi-definite, or a larger ridge."
        ) from error
    return coefficients


def gradient_flow(kernel: Kernel, residuals: np.ndarray, time: float) -> Floats:
    """Compute the coefficients a(t) of gradient flow on the mean squared error from f0.

    df/dt = -(2/n) K (f - y) at the training inputs (Lee et al. 2019, "Wide neural networks of any
    depth evolve as linear models", equation 8), so a(t) = K^-1 (I - exp(-2 K t / n)) (y - f0).
    Gradient descent of learning rate h follows it at t = h times its number of steps, for small h.

    Args:
        kernel: (n, n).
        residuals: y - f0, (n,).
        time: t, at least 0.

    Returns:
        a(t), (n,).

    Raises:
        GengapError: the time is below 0, or the kernel not positive semi-definite.
    """
    if not time >= 0:
        raise GengapError(f"The time is {time}: give a number of at least 0.")
    spectrum, vectors = scipy.linalg.eigh(kernel.astype(np.float64))
    check_positive(spectrum, len(kernel), kernel.dtype)
    values = np.maximum(spectrum, 0.0)
    rate = 2 * time / len(kernel)
    slow = values * rate < np.finfo(np.float64).eps
    safe = np.where(slow, 1.0, values)
    gain = np.where(slow, rate, -np.expm1(-safe * rate) / safe)
    coefficients: Floats = vectors @ (gain * (vectors.T @ residuals))
    return coefficients


def linearised_outputs(
    network: nn.Module,
    inputs: np.ndarray,
    displacement: Mapping[str, Tensor],
    *,
    of: OutputSelection = "scalar",
    parameters: CountedParameters = "trainable",
) -> Floats:
    """Compute f0 + J (theta - theta0) for a displacement of the parameters.

    Args:
        network: a network at theta0, in eval mode.
        inputs: (n, *input_shape) float32.
        displacement: theta - theta0 of each parameter that counts, by its name.
        of: as for :func:`gengap.tangent.empirical_ntk`.
        parameters: as for :func:`gengap.tangent.empirical_ntk`.

    Returns:
        (n, k) float64; k is 1 except for ``trace``.
    """
    network = full_precision(network)
    check_network(network)
    points = inputs_tensor(network, inputs)
    function, counted = as_function(network, of), parameters_of(network, parameters)
    with torch.no_grad():
        start = function(counted, points)
    moved = jacobian_product(function, counted, points, dict(displacement))
    outputs: Floats = (start + moved).double().numpy(force=True)
    return outputs


def _row(
    coefficients: Tensor, matrix: Tensor, start: Tensor, labels: Tensor, loss: str, part: str
) -> dict[str, float]:
    outputs = (start + _times(matrix, coefficients))[:, None]
    return {
        f"{part}_loss": float(sample_losses(outputs, labels, loss).mean()),
        f"{part}_accuracy": float((predictions(outputs) == labels).double().mean()),
    }


def _loss_gradient(outputs: Tensor, labels: Tensor, loss: str) -> Tensor:
    leaf = outputs.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(sample_losses(leaf[:, None], labels, loss).mean(), leaf)
    return gradient


def _times(matrix: Tensor, coefficients: Tensor) -> Tensor:
    """Multiply in the kernel's own type, since the kernel may be too large to convert."""
    return (matrix @ coefficients.detach().to(matrix.dtype)).double()


def _check_recipe(recipe: Recipe) -> None:
    unfit = {
        "optimiser": recipe.optimiser != "sgd",
        "weight_decay": recipe.weight_decay != 0,
        "augmentation": bool(recipe.augmentation),
        "label_corruption": recipe.label_corruption != 0,
    }
    for key, refused in unfit.items():
        if refused:
            raise GengapError(
                f"The recipe's {key} is {getattr(recipe, key)!r}, which training in dual form "
                "cannot do: use sgd without weight decay, augmentation and label corruption."
            )


def _check_shapes(kernel: Kernel, start: np.ndarray, labels: np.ndarray) -> None:
    count = len(labels)
    if kernel.shape != (count, count) or start.shape != (count,):
        raise GengapError(
            f"A kernel of shape {list(kernel.shape)}, outputs of shape {list(start.shape)} and "
            f"{count} labels do not belong together: give one of each for each training input."
        )
    if not np.isin(labels, (0, 1)).all():
        raise GengapError("A linearised network has one output: give labels 0 and 1 alone.")
