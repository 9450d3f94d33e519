"""Gradients of single inputs against a loop over autograd, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gengap.curvature import per_sample
from gengap.curvature.per_sample import per_sample_gradients, pull_back
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.networks import Network, build, convolutional, dense, initialise, parameter_count
from gengap.training import loss_inputs, sample_losses

SPECS: dict[str, dict[str, Any]] = {
    "dense": dense((3,), 3, width=5, depth=2, activation="sigmoid"),
    "normalised": convolutional((6, 6, 2), 3, width=4, depth=2, batch_normalisation=True),
    "softmax": {
        "model_config": [
            {"layer_name": "Dense", "units": 4, "activation": "relu"},
            {"layer_name": "Dense", "units": 3, "activation": "softmax"},
        ],
        "input_shape": [3],
    },
    "lenet": {"architecture": "lenet", "input_shape": [8, 8, 1], "classes": 3},
    "resnet18": {"architecture": "resnet18", "input_shape": [8, 8, 3], "classes": 3, "width": 2},
    "scalar": dense((3,), 1, width=5, depth=1),
}


def made(name: str, count: int = 5) -> tuple[Network, Split]:
    network = build(SPECS[name])
    initialise(network, "he", torch.Generator().manual_seed(1))
    network.double()
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((count, *network.input_shape)).astype(np.float32)
    classes = max(network.outputs, 2)
    return network, Split(inputs, np.arange(count) % classes, classes)


def looped(network: nn.Module, data: Split, loss: str) -> Tensor:
    rows = []
    for one, label in zip(data.inputs, data.labels, strict=True):
        outputs = loss_inputs(network, torch.from_numpy(one[None]).double(), loss)
        value = sample_losses(outputs, torch.tensor([label]), loss).sum()
        parts = torch.autograd.grad(value, list(network.parameters()))
        rows.append(torch.cat([part.flatten() for part in parts]))
    return torch.stack(rows)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("loss", ["cross_entropy", "mse", "hinge"])
def test_gradients_are_those_of_a_loop(name: str, loss: str) -> None:
    network, data = made(name)
    joined = torch.cat([part for _, part in per_sample_gradients(network, data, loss)])
    expected = looped(network, data, loss)
    assert torch.allclose(joined, expected, rtol=1e-9, atol=1e-12 * float(expected.abs().max()))


def test_nll_is_the_cross_entropy_of_the_logits() -> None:
    network, data = made("softmax")
    joined = torch.cat([part for _, part in per_sample_gradients(network, data, "nll")])
    expected = looped(network, data, "nll")
    assert torch.allclose(joined, expected, rtol=1e-9, atol=1e-12 * float(expected.abs().max()))


def test_batches_cover_all_rows_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    network, data = made("dense", count=7)
    whole = torch.cat([part for _, part in per_sample_gradients(network, data)])
    size = 8 * parameter_count(network)
    monkeypatch.setattr(per_sample, "GRADIENT_BATCH_BYTES", 3 * size)
    parts = list(per_sample_gradients(network, data))
    assert [(rows.start, rows.stop) for rows, _ in parts] == [(0, 3), (3, 6), (6, 7)]
    assert torch.allclose(torch.cat([part for _, part in parts]), whole, rtol=1e-9, atol=1e-12)


def test_training_mode_is_refused() -> None:
    network, data = made("normalised")
    network.train()
    with pytest.raises(GengapError, match=r"call network\.eval\(\) first"):
        list(per_sample_gradients(network, data))


class Branching(nn.Module):
    """The sign of its outputs hangs on their sum, which inputs cannot pass together."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.layer(inputs)
        return outputs if outputs.sum().item() > 0 else -outputs


def test_inputs_that_cannot_go_through_together_go_one_by_one() -> None:
    """The gradient of |sum of outputs| by hand: sign times (x, x, 1, 1)."""
    network = Branching().eval()
    inputs = torch.tensor([[1.0, 2, 3], [-3, 1, 5], [-2, -1, -4]], requires_grad=True)
    found = pull_back(network, inputs, torch.ones(3, 2))
    signs = network.layer(inputs).sum(1).sign()
    by_hand = torch.cat([inputs, inputs, torch.ones(3, 2)], 1) * signs[:, None]
    torch.testing.assert_close(found, by_hand)
    (slope,) = torch.autograd.grad(found.sum(), inputs)
    torch.testing.assert_close(slope, 2 * signs[:, None].expand(3, 3))


def test_a_network_that_draws_numbers_has_no_gradients() -> None:
    class Noisy(Branching):
        def forward(self, inputs: Tensor) -> Tensor:
            outputs: Tensor = self.layer(inputs)
            return nn.functional.dropout(outputs, training=True)

    with pytest.raises(GengapError, match="random in eval mode"):
        pull_back(Noisy().eval(), torch.ones(2, 3), torch.ones(2, 2))


def test_a_part_without_a_derivative_is_refused() -> None:
    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, inputs: Tensor) -> Tensor:
            return inputs * 2

        @staticmethod
        def backward(ctx: Any, slope: Tensor) -> Tensor:
            raise RuntimeError("no derivative here.")

    class Blocked(Branching):
        def forward(self, inputs: Tensor) -> Tensor:
            outputs: Tensor = Once.apply(self.layer(inputs))  # type: ignore[no-untyped-call]
            return outputs

    with pytest.raises(GengapError, match=r"for single inputs \(no derivative here\)"):
        pull_back(Blocked().eval(), torch.ones(2, 3), torch.ones(2, 2))


def test_gradients_that_are_not_finite_are_refused() -> None:
    network, data = made("dense")
    with torch.no_grad():
        next(network.parameters()).fill_(float("nan"))
    with pytest.raises(GengapError, match="not finite"):
        list(per_sample_gradients(network, data))
