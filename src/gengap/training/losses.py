"""The loss of each input, and the mean loss and accuracy of a network."""

from __future__ import annotations

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
    """Return what the loss looks at, (n, k): the outputs for ``mse``, and logits otherwise."""
    outputs: Tensor = network(inputs) if loss == "mse" else logits(network, inputs)
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
        return _scalar_losses(outputs[:, 0], 2.0 * labels.to(outputs.dtype) - 1.0, loss)
    if loss == "mse":
        targets = functional.one_hot(labels, outputs.shape[1]).to(outputs.dtype)
        return (outputs - targets).square().mean(1)
    if loss == "hinge":
        right = outputs.gather(1, labels[:, None])
        margins = functional.relu(MARGIN - right + outputs)
        return (margins.sum(1) - MARGIN) / outputs.shape[1]
    return functional.cross_entropy(outputs, labels, reduction="none")


def _scalar_losses(outputs: Tensor, signs: Tensor, loss: str) -> Tensor:
    if loss == "mse":
        return (outputs - signs).square()
    if loss == "hinge":
        return functional.relu(MARGIN - signs * outputs)
    return functional.softplus(-signs * outputs)


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
    """Return what :func:`loss_and_accuracy` does, of inputs and of labels on the network's device.

    Args:
        network: fits the inputs, the labels and the loss.
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
        GengapError: they do not fit.
    """
    if not isinstance(network, Network):
        return
    network.check_inputs(data.inputs.shape)
    if loss == "nll" and not network.ends_in_softmax:
        raise GengapError(
            "The loss nll needs a network that ends in softmax: add a Softmax layer or use "
            "cross_entropy."
        )
    if network.outputs < data.classes and (network.outputs, data.classes) != (1, 2):
        raise GengapError(
            f"The network has {network.outputs} outputs but the data have {data.classes} classes: "
            "change the last layer of its spec."
        )
