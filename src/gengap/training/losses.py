"""Losses of each input, and how often a network is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from gengap.errors import GengapError
from gengap.networks import Network, device_of, logits, tensor_of

if TYPE_CHECKING:
    from gengap.datasets import Split

MARGIN = 1.0
"""Of the hinge loss."""


def loss_inputs(network: nn.Module, inputs: Tensor, loss: str) -> Tensor:
    """What the loss looks at, (n, outputs): the network's outputs for ``mse``, logits otherwise."""
    outputs: Tensor = network(inputs) if loss == "mse" else logits(network, inputs)
    return outputs


def sample_losses(outputs: Tensor, labels: Tensor, loss: str) -> Tensor:
    """The loss of each input.

    Args:
        outputs: (n, k) as from :func:`loss_inputs`; with k = 1 the two classes are -1 and +1, and
            cross-entropy is that of the logistic model.
        labels: (n,) int64.
        loss: one of :data:`gengap.training.recipe.LOSSES`; ``nll`` of a softmax equals
            ``cross_entropy`` of its logits, which is how it is computed.

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


def predictions(outputs: Tensor) -> Tensor:
    """The predicted class (n,) of outputs (n, k): the largest, or the sign if k is 1."""
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > 0).long()
    return outputs.argmax(1)


def loss_and_accuracy(
    network: nn.Module, data: Split, loss: str = "cross_entropy", batch_size: int = 1024
) -> tuple[float, float]:
    """Mean loss and accuracy of a network on data, in eval mode.

    Args:
        network: any classifier; its mode is as before afterwards.
        data: inputs (n, *input_shape) and labels (n,).
        loss: one of :data:`gengap.training.recipe.LOSSES`.
        batch_size: inputs per forward pass.

    Returns:
        Mean loss over the inputs, and the fraction of right predictions in [0, 1].

    Raises:
        GengapError: the network does not fit the data or the loss.
    """
    check_fit(network, data, loss)
    device = device_of(network)
    inputs, labels = tensor_of(data.inputs, device), tensor_of(data.labels, device)
    return loss_and_accuracy_of_tensors(network, inputs, labels, loss, batch_size)


def loss_and_accuracy_of_tensors(
    network: nn.Module, inputs: Tensor, labels: Tensor, loss: str, batch_size: int
) -> tuple[float, float]:
    """:func:`loss_and_accuracy` for tensors on the network's device."""
    was_training = network.training
    network.eval()
    total = torch.zeros((), dtype=torch.float64, device=inputs.device)
    right = torch.zeros((), dtype=torch.int64, device=inputs.device)
    with torch.inference_mode():
        for some, wanted in zip(
            torch.split(inputs, batch_size), torch.split(labels, batch_size), strict=True
        ):
            outputs = loss_inputs(network, some, loss)
            total += sample_losses(outputs, wanted, loss).sum(dtype=torch.float64)
            right += (predictions(outputs) == wanted).sum()
    network.train(was_training)
    return total.item() / len(labels), right.item() / len(labels)


def check_fit(network: nn.Module, data: Split, loss: str) -> None:
    """Refuse a network that does not fit the data's inputs and classes, or the loss.

    A network with one output is for two classes.
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
