"""The loss of each input, and the mean loss and accuracy of a network."""

from __future__ import annotations

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
from gengap.networks.inference import BATCH

if TYPE_CHECKING:
    import numpy as np

    from gengap.datasets import Split

MARGIN = 1.0
"""The margin of the hinge loss."""


def loss_inputs(network: nn.Module, inputs: Tensor, loss: str) -> Tensor:
    """Return what the loss is a function of, (n, k): outputs for ``mse``, and logits otherwise."""
    outputs: Tensor = network(inputs) if LOSSES[loss].of_outputs else logits(network, inputs)
    return outputs


def sample_losses(outputs: Tensor, labels: Tensor, loss: str) -> Tensor:
    """Return the loss of each input.

    Args:
        outputs: (n, k), see :func:`loss_inputs`. With k = 1 the targets of the two classes are -1
            and +1, and the cross-entropy is that of the logistic model, with the logits 0 and z.
        labels: (n,) int64.
        loss: one of :data:`gengap.names.LOSSES`; ``nll`` of a softmax is computed as the
            ``cross_entropy`` of its logits, to which it is equal.

    Returns:
        (n,), twice differentiable almost everywhere.
    """
    if outputs.shape[1] == 1:
        signs = 2.0 * labels.to(outputs.dtype) - 1.0
        return LOSSES[loss].two_classes(outputs[:, 0], signs)
    return LOSSES[loss].classes(outputs, labels)


def _cross_entropy(outputs: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(outputs, labels, reduction="none")


def _logistic(outputs: Tensor, signs: Tensor) -> Tensor:
    return functional.softplus(-signs * outputs)


def _squared_error(outputs: Tensor, labels: Tensor) -> Tensor:
    targets = functional.one_hot(labels, outputs.shape[1]).to(outputs.dtype)
    return (outputs - targets).square().mean(1)


def _squared_error_of_signs(outputs: Tensor, signs: Tensor) -> Tensor:
    return (outputs - signs).square()


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
        two_classes: maps a network's single output (n,) and targets (n,) of -1 and +1 to the same.
        of_outputs: whether it is a function of the network's outputs; of its logits otherwise.
    """

    classes: Callable[[Tensor, Tensor], Tensor]
    two_classes: Callable[[Tensor, Tensor], Tensor]
    of_outputs: bool = False


LOSSES = {
    "cross_entropy": Loss(_cross_entropy, _logistic),
    "mse": Loss(_squared_error, _squared_error_of_signs, of_outputs=True),
    "hinge": Loss(_hinge, _hinge_of_signs),
    "nll": Loss(_cross_entropy, _logistic),
}


def loss_and_accuracy(
    network: nn.Module, data: Split, loss: str = "cross_entropy", batch_size: int = BATCH
) -> tuple[float, float]:
    """Return the mean loss and the accuracy of a network on data, in eval mode.

    Args:
        network: any classifier; its mode is as before afterwards.
        data: inputs (n, *input_shape) and labels (n,).
        loss: one of :data:`gengap.names.LOSSES`.
        batch_size: most inputs of one forward pass, see :func:`gengap.networks.batch_size_for`.

    Returns:
        Mean loss over the inputs, and the fraction of right predictions in [0, 1].

    Raises:
        GengapError: the network does not fit the data or the loss.
    """
    check_fit(network, data, loss)
    labels = tensor_of(data.labels, device_of(network))
    return loss_and_accuracy_of(network, data.inputs, labels, loss, batch_size)


def loss_and_accuracy_of(
    network: nn.Module,
    inputs: np.ndarray | Tensor,
    labels: Tensor,
    loss: str,
    batch_size: int = BATCH,
) -> tuple[float, float]:
    """Return mean loss and accuracy for inputs and labels on the network's device.

    Args:
        network: a network that fits the inputs, the labels and the loss.
        inputs: (n, *input_shape).
        labels: (n,) int64.
        loss: one of :data:`gengap.names.LOSSES`.
        batch_size: most inputs of one forward pass.

    Returns:
        Mean loss, and the fraction of right predictions.
    """
    total = torch.zeros((), dtype=torch.float64, device=labels.device)
    right = torch.zeros((), dtype=torch.int64, device=labels.device)
    size = batch_size_for(network, inputs, batch_size)
    with torch.inference_mode(), evaluating(network):
        for rows, batch in input_batches(network, inputs, size):
            outputs = loss_inputs(network, batch, loss)
            total += sample_losses(outputs, labels[rows], loss).sum(dtype=torch.float64)
            right += (predictions(outputs) == labels[rows]).sum()
    return total.item() / len(labels), right.item() / len(labels)


def check_fit(network: nn.Module, data: Split, loss: str) -> None:
    """Refuse a network that does not fit the data's inputs and classes, or the loss.

    Args:
        network: a network with one output is for two classes; foreign modules are not checked.
        data: inputs (n, *input_shape) and labels (n,).
        loss: one of :data:`gengap.names.LOSSES`.

    Raises:
        GengapError: they do not fit, or the loss is unknown.
    """
    if loss not in LOSSES:
        raise GengapError(f"Unknown loss {loss!r}: choose one of {', '.join(LOSSES)}.")
    if not isinstance(network, Network):
        return
    network.check_inputs(data.inputs.shape)
    if loss == "nll" and network.final_activation is None:
        raise GengapError(
            "The loss nll needs a network that ends in softmax: add a Softmax layer or use "
            "cross_entropy."
        )
    if network.outputs < data.classes and (network.outputs, data.classes) != (1, 2):
        raise GengapError(
            f"The network has {network.outputs} outputs but the data have {data.classes} classes: "
            "change the last layer of its spec."
        )
