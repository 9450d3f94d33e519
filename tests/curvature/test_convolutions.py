"""Convolutions whose gradients are linear: against torch's own, in one to three dimensions."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from gengap.curvature.convolutions import let_gradients_be_linear

LAYERS = {
    "series": (nn.Conv1d(4, 6, 3, stride=2, padding=1), (5, 4, 9)),
    "groups": (nn.Conv2d(4, 6, 3, groups=2, dilation=2, bias=False), (5, 4, 8, 7)),
    "volume": (nn.Conv3d(2, 3, 2, padding=(0, 1, 0)), (3, 2, 4, 3, 4)),
    "by a word": (nn.Conv2d(2, 3, 3, padding="same"), (3, 2, 4, 5)),
    "reflected": (nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"), (3, 2, 4, 5)),
    "a single input": (nn.Conv2d(2, 3, 3), (2, 4, 5)),
}


def products(layer: nn.Module, inputs: Tensor, vectors: list[Tensor]) -> tuple[Tensor, ...]:
    """Return outputs, the Jacobian's product with vectors, and the transposed one's with that."""
    sources = [inputs, *layer.parameters()]
    outputs = layer(inputs)
    dummy = torch.zeros_like(outputs, requires_grad=True)
    slopes = torch.autograd.grad(outputs, sources, dummy, create_graph=True)
    (image,) = torch.autograd.grad(slopes, dummy, vectors, retain_graph=True)
    return outputs, image, *torch.autograd.grad(outputs, sources, image)


@pytest.mark.parametrize("name", LAYERS)
def test_products_with_the_jacobian_are_those_of_torch(name: str) -> None:
    torch.manual_seed(0)
    layer, shape = LAYERS[name]
    layer = copy.deepcopy(layer).double()
    inputs = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    vectors = [torch.randn_like(source) for source in (inputs, *layer.parameters())]
    expected = products(layer, inputs, vectors)
    let_gradients_be_linear(layer)
    for found, known in zip(products(layer, inputs, vectors), expected, strict=True):
        torch.testing.assert_close(found, known, rtol=1e-12, atol=1e-12)
