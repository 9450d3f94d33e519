"""Adversarial images: the fast gradient sign method and projected gradient descent."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from gengap.networks import logits


def fgsm(
    network: nn.Module, inputs: Tensor, labels: Tensor, epsilon: float, limits: tuple[float, float]
) -> Tensor:
    """Return x + epsilon sign(gradient of the cross-entropy), (n, *input_shape), within limits.

    Goodfellow, Shlens and Szegedy, "Explaining and harnessing adversarial examples" (2015). The
    network is in eval mode, and the labels (n,) are the classes to lead away from.

    Returns:
        The attacked inputs.
    """
    return (inputs + epsilon * _slope(network, inputs, labels).sign()).clamp(*limits)


def pgd(
    network: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    epsilon: float,
    limits: tuple[float, float],
    steps: int,
    generator: torch.Generator,
) -> Tensor:
    """Take steps along the gradient's sign from a random start, held within epsilon.

    Madry et al., "Towards deep learning models resistant to adversarial attacks" (2018): each step
    is of 2.5 epsilon / steps. A generator on the CPU draws the start; the other arguments are those
    of :func:`fgsm`.

    Returns:
        The attacked inputs (n, *input_shape).
    """
    start = 2 * torch.rand(inputs.shape, generator=generator) - 1
    changed = (inputs + epsilon * start.to(inputs.device)).clamp(*limits)
    for _ in range(steps):
        stepped = changed + 2.5 * epsilon / steps * _slope(network, changed, labels).sign()
        changed = torch.minimum(torch.maximum(stepped, inputs - epsilon), inputs + epsilon)
        changed = changed.clamp(*limits)
    return changed


def noise(
    inputs: Tensor, epsilon: float, limits: tuple[float, float], generator: torch.Generator
) -> Tensor:
    """Return x + epsilon times random signs: as large a change as :func:`fgsm` makes."""
    signs = 2 * torch.randint(0, 2, inputs.shape, generator=generator) - 1
    return (inputs + epsilon * signs.to(inputs.device)).clamp(*limits)


def _slope(network: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    with torch.enable_grad():
        leaves = inputs.detach().clone().requires_grad_()
        loss = functional.cross_entropy(logits(network, leaves), labels, reduction="sum")
        return torch.autograd.grad(loss, leaves)[0]
