"""How inputs of convolutions lie in memory."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gengap.networks import adopt, build

KINDS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
NARROW: dict[str, dict[str, Any]] = {
    "resnet18": {"architecture": "resnet18", "width": 2},
    "preresnet": {"architecture": "preresnet", "width": 3},
    "preact_resnet18": {"architecture": "preact_resnet18", "width": 2},
    "layers": {
        "model_config": [
            {"layer_name": "Conv2D", "filters": 4, "kernel_size": 3},
            {"layer_name": "Conv2D", "filters": 8, "kernel_size": 1, "strides": 2},
            {"layer_name": "Flatten"},
            {"layer_name": "Dense", "units": 3},
        ]
    },
}


class Shortcut(nn.Module):
    """A module of one's own, whose shortcut has a stride."""

    def __init__(self, named: bool) -> None:
        super().__init__()
        self.named = named
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.shortcut = nn.Conv2d(6, 8, 1, stride=2)
        self.head = nn.Linear(8, 3)

    def forward(self, images: Tensor) -> Tensor:
        stem = self.stem(images).relu()
        maps: Tensor = self.shortcut(input=stem) if self.named else self.shortcut(stem)
        return self.head(maps.mean((2, 3)))  # type: ignore[no-any-return]


def own_strides(values: Tensor) -> bool:
    return values.stride() == torch.empty(values.shape).stride()


def inputs_of_shortcuts(network: nn.Module, images: Tensor) -> list[Tensor]:
    """Return what 1x1 convolutions with a stride take."""
    taken: list[Tensor] = []
    for part in network.modules():
        if isinstance(part, KINDS) and max(part.kernel_size) == 1 and max(part.stride) > 1:
            part.register_forward_hook(
                lambda _, inputs, named, __: taken.extend((*inputs, *named.values())),
                with_kwargs=True,
            )
    network(images)
    return taken


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", NARROW)
def test_narrow_shortcuts_read_torchs_own_order(name: str, channels: int) -> None:
    classes = {"classes": 3} if "architecture" in NARROW[name] else {}
    spec = {**NARROW[name], "input_shape": [8, 8, channels], **classes}
    images = torch.randn(4, 8, 8, channels, generator=torch.Generator().manual_seed(0))
    taken = inputs_of_shortcuts(copy.deepcopy(build(spec)), images)
    assert taken
    assert all(own_strides(values) for values in taken if values.shape[1] < 16)


@pytest.mark.parametrize("named", [False, True])
def test_so_do_those_of_modules_made_elsewhere(named: bool) -> None:
    module = Shortcut(named)
    images = torch.randn(4, 8, 8, 3, generator=torch.Generator().manual_seed(0))
    expected = module(images.movedim(-1, 1))
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert not own_strides(module.shortcut.weight)
    network = adopt(adopt(module, images, layout="channels_first"), images)
    torch.testing.assert_close(network(images), expected, rtol=0, atol=1e-6)
    assert len(module.shortcut._forward_pre_hooks) == 1
    assert own_strides(module.shortcut.weight)
    (taken,) = inputs_of_shortcuts(network, images)
    assert own_strides(taken)
    assert not own_strides(module.stem(images.movedim(-1, 1)))


@pytest.mark.parametrize("channels", [2, 4, 6, 12])
def test_gradients_of_narrow_shortcuts_are_right(channels: int) -> None:
    """In the other order oneDNN wrote beyond its memory: a crash, or wrong gradients."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(32, 32, 32, channels, generator=generator)
    layers = [
        {"layer_name": "Conv2D", "filters": 16, "kernel_size": 1, "strides": 2},
        {"layer_name": "GlobalAveragePooling2D"},
        {"layer_name": "Dense", "units": 3},
    ]
    network = build({"model_config": layers, "input_shape": [32, 32, channels]})
    single, double = (
        torch.autograd.grad(copied(images.to(kind)).square().sum(), list(copied.parameters()))
        for kind in (torch.float32, torch.float64)
        for copied in [copy.deepcopy(network).to(kind)]
    )
    for ours, exact in zip(single, double, strict=True):
        torch.testing.assert_close(ours.double(), exact, rtol=1e-4, atol=1e-4)
