"""Folding of batch normalisation: the same function, and kernels that take it in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gengap.networks import build, convolutional, folded
from gengap.networks.folding import ChannelAffine


def disturbed(network: nn.Module) -> nn.Module:
    """Give batch normalisation statistics, scales and shifts as training would."""
    draws = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            shape = module.running_mean.shape  # type: ignore[union-attr]
            with torch.no_grad():
                module.running_mean.copy_(torch.randn(shape, generator=draws))  # type: ignore[union-attr]
                module.running_var.copy_(torch.rand(shape, generator=draws) + 0.5)  # type: ignore[union-attr]
                for parameter in module.parameters():
                    parameter.copy_(torch.randn(shape, generator=draws))
    return network.eval()


def kinds(network: nn.Module) -> list[type[nn.Module]]:
    return [type(module) for module in network.modules() if not list(module.children())]


def count(network: nn.Module, kind: type[nn.Module]) -> int:
    return kinds(network).count(kind)


class Tapped(nn.Module):
    """A convolution whose output goes to batch normalisation and past it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, inputs: Tensor) -> Tensor:
        values = self.stem(inputs)
        outputs: Tensor = (values + self.conv(self.norm(values).relu())).mean((2, 3))
        return outputs


class Scrambled(nn.Module):
    """Batch normalisation of features that are not the channels of the kernel before it."""

    def __init__(self) -> None:
        super().__init__()
        self.dense, self.norm = nn.Linear(6, 4), nn.BatchNorm1d(4)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.norm(self.dense(inputs)).flatten(1)
        return outputs


class InPlace(nn.Module):
    """An activation in place between a kernel and its batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.dense, self.relu, self.norm = nn.Linear(6, 4), nn.ReLU(inplace=True), nn.BatchNorm1d(4)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.norm(self.relu(self.dense(inputs)))
        return outputs


class Twice(nn.Module):
    """One kernel before two batch normalisations."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(4, 4)
        self.first, self.second = nn.BatchNorm1d(4), nn.BatchNorm1d(4)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.second(self.dense(self.first(self.dense(inputs)).relu()))
        return outputs


def tied() -> nn.Module:
    network = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 4))
    network[3].weight = network[0].weight
    return network


def keras() -> nn.Module:
    """A dense layer on images, whose output is moved to (n, C, H, W) before it is normalised."""
    return build(
        {
            "model_config": [
                {"layer_name": "Dense", "units": 3},
                {"layer_name": "BatchNormalization"},
                {"layer_name": "Conv2D", "filters": 4, "kernel_size": 3, "use_bias": False},
                {"layer_name": "BatchNormalization", "scale": False},
                {"layer_name": "ReLU"},
                {"layer_name": "Flatten"},
                {"layer_name": "Dense", "units": 2},
            ],
            "input_shape": [5, 5, 2],
        }
    )


Case = tuple[Callable[[], nn.Module], tuple[int, ...], int, int]
CASES: dict[str, Case] = {
    # The network, the shape of its input, how many are folded, and how many stand alone.
    "conv": (lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4)), (2, 5, 5), 1, 0),
    "series": (lambda: nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4)), (2, 9), 1, 0),
    "volumes": (lambda: nn.Sequential(nn.Conv3d(2, 4, 2), nn.BatchNorm3d(4)), (2, 3, 3, 3), 1, 0),
    "grouped": (
        lambda: nn.Sequential(nn.Conv2d(4, 6, 3, groups=2, bias=False), nn.BatchNorm2d(6)),
        (4, 5, 5), 1, 0,
    ),
    "transposed": (
        lambda: nn.Sequential(nn.ConvTranspose2d(4, 6, 3, groups=2), nn.BatchNorm2d(6)),
        (4, 5, 5), 1, 0,
    ),
    "vectors": (
        lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, affine=False)), (3,), 1, 0,
    ),
    "dropout between": (
        lambda: nn.Sequential(nn.Linear(3, 4), nn.Dropout(), nn.Identity(), nn.BatchNorm1d(4)),
        (3,), 1, 0,
    ),
    "activation between": (
        lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.BatchNorm1d(4)), (3,), 0, 1,
    ),
    "at the start": (lambda: nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 4)), (3,), 0, 1),
    "two in a row": (
        lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.BatchNorm1d(4)), (3,), 1, 1,
    ),
    "tapped": (Tapped, (2, 5, 5), 0, 1),
    "scrambled": (Scrambled, (4, 6), 0, 1),
    "in place": (InPlace, (6,), 0, 1),
    "twice": (Twice, (4,), 0, 2),
    "tied": (tied, (4,), 0, 1),
    "keras": (keras, (5, 5, 2), 2, 0),
    "template": (
        lambda: build(convolutional((6, 6, 1), 3, width=3, depth=2, batch_normalisation=True)),
        (6, 6, 1), 2, 0,
    ),
    "preresnet": (
        lambda: build(
            {"architecture": "preresnet", "width": 2, "depth": 8, "input_shape": [8, 8, 1],
             "classes": 3}
        ),
        (8, 8, 1), 3, 4,
    ),
    "preact_resnet18": (
        lambda: build(
            {"architecture": "preact_resnet18", "width": 2, "input_shape": [8, 8, 1],
             "classes": 3}
        ),
        (8, 8, 1), 8, 8,
    ),
    "resnet18": (
        lambda: build(
            {"architecture": "resnet18", "width": 2, "input_shape": [8, 8, 1], "classes": 3}
        ),
        (8, 8, 1), 20, 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_folded_network_computes_the_same(name: str) -> None:
    torch.manual_seed(0)
    make, shape, into_kernels, alone = CASES[name]
    network = disturbed(make())
    before = {key: value.clone() for key, value in network.state_dict().items()}
    inputs = torch.randn(4, *shape)
    result = folded(network, inputs[:1])
    assert count(result, ChannelAffine) == alone
    identities = count(result, nn.Identity) - count(network, nn.Identity)
    assert identities == into_kernels
    assert not any(issubclass(kind, nn.modules.batchnorm._BatchNorm) for kind in kinds(result))
    with torch.no_grad():
        torch.testing.assert_close(result(inputs), network(inputs), rtol=1e-5, atol=1e-5)
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], before[key]) for key in before)


def test_folding_by_hand() -> None:
    network = nn.Sequential(nn.Linear(1, 2), nn.BatchNorm1d(2, eps=0.0)).eval()
    values = {
        "0.weight": [[1.0], [2.0]], "0.bias": [3.0, 4.0], "1.weight": [5.0, 6.0],
        "1.bias": [7.0, 8.0], "1.running_mean": [1.0, 1.0], "1.running_var": [4.0, 9.0],
    }  # fmt: skip
    state = {name: torch.tensor(numbers) for name, numbers in values.items()}
    network.load_state_dict({**state, "1.num_batches_tracked": torch.tensor(0)})
    kernel = folded(network, torch.zeros(1, 1))[0]  # type: ignore[index]
    # Scales 5/2 and 6/3; shifts 7 + (3 - 1) 5/2 and 8 + (4 - 1) 2.
    torch.testing.assert_close(kernel.weight, torch.tensor([[2.5], [4.0]]))
    torch.testing.assert_close(kernel.bias, torch.tensor([12.0, 14.0]))


def test_a_network_without_batch_normalisation_is_itself() -> None:
    network = build(convolutional((6, 6, 1), 3, width=3, depth=1))
    assert folded(network, torch.zeros(1, 6, 6, 1)) is network


def test_batch_normalisation_by_the_statistics_of_a_batch_stays() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, track_running_stats=False)).eval()
    assert folded(network, torch.zeros(1, 3)) is network


def test_the_same_module_in_two_places_is_replaced_in_both() -> None:
    torch.manual_seed(0)
    shared = nn.BatchNorm1d(3)
    network = disturbed(nn.Sequential(shared, nn.ReLU(), shared, nn.Linear(3, 2)))
    inputs = torch.randn(4, 3)
    result = folded(network, inputs[:1])
    assert result[0] is result[2]  # type: ignore[index]
    with torch.no_grad():
        torch.testing.assert_close(result(inputs), network(inputs), rtol=1e-5, atol=1e-5)


def test_what_was_frozen_stays_frozen() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.BatchNorm1d(4)).eval()
    network[0].requires_grad_(False)
    network[3].requires_grad_(False)
    result = folded(network, torch.zeros(1, 3))
    flags = {name: parameter.requires_grad for name, parameter in result.named_parameters()}
    assert flags == {"0.weight": True, "0.bias": True, "3.weight": False, "3.bias": False}
    network[1].requires_grad_(False)
    assert not any(p.requires_grad for p in folded(network, torch.zeros(1, 3)).parameters())
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_modes_flags_and_gradients_of_the_network_stay() -> None:
    network = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Dropout())
    network[0].weight.requires_grad_(False)
    network.train()
    folded(network, torch.randn(1, 2, 5, 5))
    assert all(module.training for module in network.modules())
    assert not network[0].weight.requires_grad
    assert all(parameter.grad is None for parameter in network.parameters())
    assert network.state_dict()["1.num_batches_tracked"] == 0
