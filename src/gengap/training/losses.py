"""The loss of each input, and the mean loss, accuracy and error of a network."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from gengap.errors import GengapError
from gengap.networks import (
    Network,
    batch_size_for,
    device_of,
    evaluating,
    input_batches,
    logits,
    predictions,
    tensor_of,
)
from gengap.networks.differentiation import check_outputs, counted_parameters
from gengap.networks.inference import BATCH, stating_inputs

if TYPE_CHECKING:
    import numpy as np

    from gengap.datasets import Split

MARGIN = 1.0
"""The margin of the hinge loss."""

EVEN_ODDS = 0.5
"""The probability of the second class above which it is predicted."""


def loss_inputs(network: nn.Module, inputs: Tensor, loss: str) -> Tensor:
    """Return what the loss is a function of, (n, k): outputs for ``mse``, and logits otherwise."""
    outputs: Tensor = network(inputs) if LOSSES[loss].of_outputs else logits(network, inputs)
    return outputs


def final_activation_of(network: nn.Module) -> str | None:
    """Return the name of the function at the end of a network; None where there is none known."""
    return network.final_activation if isinstance(network, Network) else None


def sample_losses(
    outputs: Tensor, labels: Tensor, loss: str, *, final_activation: str | None = None
) -> Tensor:
    """Return the loss of each input.

    Args:
        outputs: (n, k), see :func:`loss_inputs`. With k = 1 the targets of the two classes are -1
            and +1, and the cross-entropy is that of the logistic model, with the logits 0 and z.
        labels: (n,), int64 classes; or numbers of a floating-point type, of which ``mse`` takes the
            square of the difference to a single output.
        loss: one of :data:`gengap.names.LOSSES`; ``nll`` of a softmax or a sigmoid is computed as
            the ``cross_entropy`` of its logits, to which it is equal.
        final_activation: see :func:`final_activation_of`. Outputs of a sigmoid are probabilities,
            whose targets under ``mse`` are 0 and 1, as in Keras.

    Returns:
        (n,), twice differentiable almost everywhere.

    Raises:
        GengapError: the targets are numbers, and the loss is another or there are several outputs.
    """
    kind = LOSSES[loss]
    if labels.is_floating_point():
        _check_numbers(loss, outputs.shape[1])
        return kind.one_output(outputs[:, 0], labels.to(outputs.dtype))
    if outputs.shape[1] == 1:
        targets = labels.to(outputs.dtype)
        if not (kind.of_outputs and final_activation == "sigmoid"):
            targets = 2.0 * targets - 1.0
        return kind.one_output(outputs[:, 0], targets)
    return kind.classes(outputs, labels)


def _cross_entropy(outputs: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(outputs, labels, reduction="none")


def _logistic(outputs: Tensor, signs: Tensor) -> Tensor:
    return functional.softplus(-signs * outputs)


def _squared_error(outputs: Tensor, labels: Tensor) -> Tensor:
    targets = functional.one_hot(labels, outputs.shape[1]).to(outputs.dtype)
    return (outputs - targets).square().mean(1)


def _squared_difference(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).square()


def _hinge(outputs: Tensor, labels: Tensor) -> Tensor:
    right = outputs.gather(1, labels[:, None])
    margins = functional.relu(MARGIN - right + outputs)
    return (margins.sum(1) - MARGIN) / outputs.shape[1]


def _hinge_of_signs(outputs: Tensor, signs: Tensor) -> Tensor:
    return functional.relu(MARGIN - signs * outputs)


@dataclass(frozen=True)
class Loss:
    """How a loss is computed.

    Attributes:
        classes: maps outputs (n, k) and labels (n,) to each input's loss (n,).
        one_output: maps a network's single output (n,) and targets (n,) of -1 and +1 to the same.
        of_outputs: whether it is a function of the network's outputs; of its logits otherwise.
        takes_numbers: whether the targets of ``one_output`` may be any numbers.
        flat_at_zero: whether its second derivative in the outputs vanishes where it is 0 itself.
    """

    classes: Callable[[Tensor, Tensor], Tensor]
    one_output: Callable[[Tensor, Tensor], Tensor]
    of_outputs: bool = False
    takes_numbers: bool = False
    flat_at_zero: bool = True


LOSSES = {
    "cross_entropy": Loss(_cross_entropy, _logistic),
    "mse": Loss(
        _squared_error, _squared_difference, of_outputs=True, takes_numbers=True, flat_at_zero=False
    ),
    "hinge": Loss(_hinge, _hinge_of_signs),
    "nll": Loss(_cross_entropy, _logistic),
}


def loss_and_accuracy(
    network: nn.Module,
    data: Split,
    loss: str = "cross_entropy",
    batch_size: int = BATCH,
    *,
    outputs: Tensor | None = None,
) -> tuple[float, float]:
    """Return the mean loss and the accuracy of a network on data, in eval mode.

    Args:
        network: any classifier; its mode is as before afterwards.
        data: inputs (n, *input_shape) and labels (n,).
        loss: one of :data:`gengap.names.LOSSES`.
        batch_size: most inputs of one forward pass, see :func:`gengap.networks.batch_size_for`.
        outputs: what the loss is a function of (n, k), see :func:`loss_inputs`, where it is known
            already: then the network does not run.

    Returns:
        Mean loss over the inputs, and the fraction of right predictions in [0, 1].

    Raises:
        GengapError: the network does not fit the data or the loss, or the targets are numbers.
    """
    if data.has_numbers:
        raise GengapError(
            "The targets are numbers, of which there is no accuracy: use "
            "gengap.training.mean_loss or gengap.training.root_mean_square_error."
        )
    check_fit(network, data, loss)
    labels = tensor_of(data.labels, device_of(network))
    return loss_and_accuracy_of(network, data.inputs, labels, loss, batch_size, outputs=outputs)


def mean_loss(network: nn.Module, data: Split, loss: str, batch_size: int = BATCH) -> float:
    """Return the mean loss of a network on data, in eval mode.

    Args:
        network: any network; its mode is as before afterwards.
        data: inputs (n, *input_shape) and labels or numbers (n,).
        loss: one of :data:`gengap.names.LOSSES`; ``mse`` where the targets are numbers.
        batch_size: most inputs of one forward pass, see :func:`gengap.networks.batch_size_for`.

    Returns:
        The mean over the inputs.

    Raises:
        GengapError: the network does not fit the data or the loss.
    """
    check_fit(network, data, loss)
    labels = tensor_of(data.labels, device_of(network))
    return loss_and_accuracy_of(network, data.inputs, labels, loss, batch_size)[0]


def root_mean_square_error(network: nn.Module, data: Split, batch_size: int = BATCH) -> float:
    """Return the root of the mean squared difference of outputs and numbers, in eval mode.

    Args:
        network: any network with one output; its mode is as before afterwards.
        data: inputs (n, *input_shape) and numbers (n,).
        batch_size: most inputs of one forward pass, see :func:`gengap.networks.batch_size_for`.

    Returns:
        The error, in the units of the numbers.

    Raises:
        GengapError: the targets are classes, or the network does not fit the data.
    """
    if not data.has_numbers:
        raise GengapError(
            "The targets are classes, of which there is no root-mean-square error: use "
            "gengap.training.loss_and_accuracy."
        )
    return math.sqrt(mean_loss(network, data, "mse", batch_size))


def loss_and_accuracy_of(
    network: nn.Module,
    inputs: np.ndarray | Tensor,
    labels: Tensor,
    loss: str,
    batch_size: int = BATCH,
    *,
    outputs: Tensor | None = None,
) -> tuple[float, float]:
    """Return mean loss and accuracy for inputs and labels on the network's device.

    Args:
        network: a network that fits the inputs, the labels and the loss.
        inputs: (n, *input_shape).
        labels: (n,), int64 classes or numbers.
        loss: one of :data:`gengap.names.LOSSES`.
        batch_size: most inputs of one forward pass.
        outputs: see :func:`loss_and_accuracy`.

    Returns:
        Mean loss, and the fraction of right predictions; NaN where the labels are numbers.
    """
    total = torch.zeros((), dtype=torch.float64, device=labels.device)
    right = torch.zeros((), dtype=torch.int64, device=labels.device)
    size = batch_size_for(network, inputs, batch_size)
    final_activation = final_activation_of(network)
    probabilities = LOSSES[loss].of_outputs and final_activation == "sigmoid"
    with torch.inference_mode(), evaluating(network):
        for start in range(0, len(labels), size):
            rows = slice(start, min(start + size, len(labels)))
            if outputs is None:
                _, batch = next(input_batches(network, inputs[rows], size))
                of_batch = loss_inputs(network, batch, loss)
            else:
                of_batch = outputs[rows]
            losses = sample_losses(of_batch, labels[rows], loss, final_activation=final_activation)
            total += losses.sum(dtype=torch.float64)
            if probabilities:  # the class is 1 where the logit is above 0
                of_batch = of_batch - EVEN_ODDS
            right += (predictions(of_batch) == labels[rows]).sum()
    accuracy = math.nan if labels.is_floating_point() else right.item() / len(labels)
    return total.item() / len(labels), accuracy


def check_fit(network: nn.Module, data: Split, loss: str) -> None:
    """Refuse a network that does not fit the data's inputs and targets, or the loss.

    Args:
        network: a network with one output is for two classes, or for numbers. A foreign module is
            run on one input, since nothing else tells its outputs.
        data: inputs (n, *input_shape) and labels or numbers (n,).
        loss: one of :data:`gengap.names.LOSSES`.

    Raises:
        GengapError: they do not fit, or the loss is unknown.
    """
    if loss not in LOSSES:
        raise GengapError(f"Unknown loss {loss!r}: choose one of {', '.join(LOSSES)}.")
    if not hasattr(data, "has_numbers"):
        raise GengapError(
            f"The data are a {type(data).__name__}: give a gengap.datasets.Split of inputs and "
            "labels."
        )
    if data.has_numbers and not LOSSES[loss].takes_numbers:
        _check_numbers(loss, 1)
    if isinstance(network, Network):
        network.check_inputs(data.inputs.shape)
        outputs = network.outputs
        if loss == "nll" and network.final_activation is None:
            raise GengapError(
                "The loss nll needs a network that ends in softmax: add a Softmax layer or use "
                "cross_entropy."
            )
    else:
        outputs = _foreign_outputs(network, data)
    if data.has_numbers:
        _check_numbers(loss, outputs)
    elif outputs < data.classes and (outputs, data.classes) != (1, 2):
        raise GengapError(
            f"The network has {outputs} outputs but the data have {data.classes} classes: "
            "change the last layer of its spec."
        )


def _check_numbers(loss: str, outputs: int) -> None:
    """Refuse a loss, or a number of outputs, that does not go with numbers as targets."""
    if not LOSSES[loss].takes_numbers:
        known = ", ".join(name for name, kind in LOSSES.items() if kind.takes_numbers)
        raise GengapError(
            f"The loss {loss} takes classes, but the targets are numbers: use the loss {known}."
        )
    if outputs != 1:
        raise GengapError(
            f"The network has {outputs} outputs, but the targets are numbers, one per input: give "
            "its last layer one unit."
        )


def _foreign_outputs(network: nn.Module, data: Split) -> int:
    """Return the number of outputs of any module, from the first input."""
    counted_parameters(network)  # refuses a module without any
    _, example = next(input_batches(network, data.inputs, 1))
    with torch.no_grad(), evaluating(network), stating_inputs(network, data.inputs):
        outputs = network(example[:1])
    return int(check_outputs(outputs).shape[1])
