"""Weights as they are used: the same function without parametrisations, and differences."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

from gengap.errors import GengapError
from gengap.networks import difference, effective_copy
from gengap.networks.masks import MaskedLinear

WRAPPERS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "plain": lambda layer: layer,
    "weight normalisation": parametrizations.weight_norm,
    "spectral normalisation": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
    "old weight normalisation": weight_norm,
    "old spectral normalisation": spectral_norm,
    "pruned": lambda layer: prune.l1_unstructured(layer, "weight", 0.5),  # type: ignore[no-untyped-call]
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_the_copy_computes_the_same_with_weights_of_its_own(name: str) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(WRAPPERS[name](nn.Linear(4, 4)), nn.ReLU(), nn.Linear(4, 2)).eval()
    inputs = torch.randn(5, 4)
    before = network(inputs)
    copied = effective_copy(network)
    assert [key for key, _ in copied.named_parameters()] in (
        ["0.weight", "0.bias", "2.weight", "2.bias"],
        ["0.bias", "0.weight", "2.weight", "2.bias"],
    )
    torch.testing.assert_close(copied(inputs.double()).float(), before)
    torch.testing.assert_close(network(inputs), before, rtol=0, atol=0)


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_weight_that_is_made_of_frozen_parameters_is_frozen(name: str) -> None:
    network = nn.Sequential(WRAPPERS[name](nn.Linear(4, 4)), nn.Linear(4, 2))
    network[0].requires_grad_(False)
    network[1].bias.requires_grad_(False)
    flags = {key: value.requires_grad for key, value in effective_copy(network).named_parameters()}
    assert flags == {"0.weight": False, "0.bias": False, "1.weight": True, "1.bias": False}
    network[0].requires_grad_()
    flags = {key: value.requires_grad for key, value in effective_copy(network).named_parameters()}
    assert flags == {"0.weight": True, "0.bias": True, "1.weight": True, "1.bias": False}


def test_a_difference_is_that_of_the_weights_in_use() -> None:
    torch.manual_seed(0)
    last, first = (parametrizations.weight_norm(nn.Linear(3, 2)) for _ in range(2))
    moved = difference(last, first)
    for name in ("weight", "bias"):
        trained, initial = (getattr(layer, name).detach().double() for layer in (last, first))
        # Float64 weights are normalised anew.
        torch.testing.assert_close(
            moved.get_parameter(name).detach(), trained - initial, rtol=0, atol=1e-6
        )


def test_another_network_has_no_difference() -> None:
    with pytest.raises(GengapError, match=r"no parameter weight .* give those of the same network"):
        difference(nn.Linear(3, 2), nn.Linear(4, 2))


def test_a_masked_weight_has_the_zeros_of_its_mask() -> None:
    layer = MaskedLinear(5, 4, 0.5, torch.Generator().manual_seed(1))
    effective = effective_copy(nn.Sequential(layer)).get_parameter("0.weight")
    torch.testing.assert_close(effective, (layer.weight * layer.mask).double())
    assert (effective == 0).any()
    assert (layer.weight != 0).all()
