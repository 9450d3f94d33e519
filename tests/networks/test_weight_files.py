"""Weights from the files that people keep them in."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file, save_model
from torch import Tensor, nn

from gengap.errors import GengapError
from gengap.networks import Network, adopt, read_weights, weights_of, write_weights

VECTORS = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 5)
        self.norm = nn.BatchNorm1d(5)
        self.head = nn.Linear(5, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.norm(self.layer(inputs)).relu())
        return outputs


@pytest.fixture
def trained() -> nn.Module:
    torch.manual_seed(1)
    module = Net()
    for _ in range(3):
        module(torch.rand(8, 4))  # so that statistics and counts are not the first ones
    return module


@pytest.fixture
def network() -> Network:
    torch.manual_seed(2)
    return adopt(Net(), VECTORS)


def assert_read(network: Network, trained: nn.Module) -> None:
    expected = trained.state_dict()
    assert network.state_dict().keys() == expected.keys()
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, expected[name]), name
    assert network.state_dict()["norm.num_batches_tracked"] == 3


def prefixed(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in state.items()}


Wrap = Callable[[dict[str, Tensor]], Any]
WRAPS: dict[str, tuple[Wrap, str]] = {
    "plain": (lambda state: state, ""),
    "of DataParallel": (lambda state: prefixed("module.", state), "'module.' is removed"),
    "of Lightning": (
        lambda state: {"epoch": 3, "state_dict": prefixed("model.", state)},
        "'model.' is removed",
    ),
    "compiled": (
        lambda state: {"model": prefixed("_orig_mod.module.", state), "optimizer": {"lr": 0.1}},
        "'_orig_mod.module.' is removed",
    ),
    "in a checkpoint": (
        lambda state: {"model_state_dict": state, "loss": 0.5},
        "that under 'model_state_dict'",
    ),
}


@pytest.mark.parametrize("name", WRAPS)
@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".ckpt"])
def test_state_dicts_are_read_however_they_are_wrapped(
    network: Network,
    trained: nn.Module,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    name: str,
    suffix: str,
) -> None:
    wrap, message = WRAPS[name]
    path = tmp_path / f"weights{suffix}"
    torch.save(wrap(dict(trained.state_dict())), path)
    with caplog.at_level(logging.INFO):
        read_weights(network, path)
    assert_read(network, trained)
    assert message in caplog.text
    assert bool(caplog.text) == bool(message)


def test_prefixes_of_safetensors_are_removed_too(
    network: Network, trained: nn.Module, tmp_path: Path
) -> None:
    save_file(prefixed("module.", dict(trained.state_dict())), tmp_path / "w.safetensors")
    read_weights(network, tmp_path / "w.safetensors")
    assert_read(network, trained)


def test_a_networks_own_prefix_stays(trained: nn.Module, tmp_path: Path) -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = Net()

        def forward(self, inputs: Tensor) -> Tensor:
            outputs: Tensor = self.model(inputs)
            return outputs

    network = adopt(Outer(), VECTORS)
    torch.save(prefixed("model.", dict(trained.state_dict())), tmp_path / "w.pt")
    read_weights(network, tmp_path / "w.pt")
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, trained.state_dict()[name.removeprefix("model.")])


def test_a_module_that_is_one_part_reads_its_own_names(tmp_path: Path) -> None:
    network, module = adopt(nn.Linear(4, 60), VECTORS), nn.Linear(4, 60)
    assert list(network.state_dict()) == ["whole.weight", "whole.bias"]
    for state in (module.state_dict(), prefixed("module.", module.state_dict())):
        torch.save(state, tmp_path / "w.pt")
        read_weights(network, tmp_path / "w.pt")
        assert torch.equal(network.state_dict()["whole.weight"], module.weight)
    write_weights(network, tmp_path / "own.safetensors")
    read_weights(network, tmp_path / "own.safetensors")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_precisions_are_converted_and_counts_are_kept(
    network: Network,
    trained: nn.Module,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    dtype: torch.dtype,
) -> None:
    converted = trained.to(dtype)
    torch.save(converted.state_dict(), tmp_path / "w.pt")
    with caplog.at_level(logging.INFO):
        read_weights(network, tmp_path / "w.pt")
    assert f"converted from {dtype} to torch.float32" in caplog.text
    assert_read(network, converted.float())


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(7, 5)
        self.head = nn.Linear(5, 7, bias=False)
        self.head.weight = self.table.weight

    def forward(self, tokens: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.table(tokens).mean(1))
        return outputs


def test_one_of_two_tied_weights_is_enough(tmp_path: Path) -> None:
    tokens = np.ones((3, 2), np.int64)
    module, network = Tied(), adopt(Tied(), tokens)
    save_model(module, str(tmp_path / "w.safetensors"))
    read_weights(network, tmp_path / "w.safetensors")
    assert torch.equal(network.state_dict()["head.weight"], module.table.weight)


def save(content: Callable[[nn.Module], Any]) -> Callable[[nn.Module, Path], None]:
    return lambda module, path: torch.save(content(module), path)


def without(module: nn.Module, part: str) -> dict[str, Tensor]:
    return {name: one for name, one in module.state_dict().items() if not name.startswith(part)}


def script(module: nn.Module, path: Path) -> None:
    torch.jit.script(module).save(str(path))  # type: ignore[no-untyped-call]


def damage(module: nn.Module, path: Path) -> None:
    torch.save(module.state_dict(), path)
    path.write_bytes(path.read_bytes()[:500])


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (
            save(lambda module: module),
            r'pickled module .*network = torch\.load\("w\.pt", weights_only=False\) and '
            r'torch\.save\(network\.state_dict\(\), "weights\.pt"\)',
        ),
        (script, r'is TorchScript, .*network = torch\.jit\.load\("w\.pt"\) and torch\.save'),
        (damage, r"w\.pt is damaged"),
        (save(lambda module: [1, 2]), "holds a list instead of a state dict"),
        (
            save(lambda module: {"epoch": 1, "lr": 2}),
            "holds a mapping with the keys epoch, lr instead of a state dict",
        ),
        (
            save(lambda module: without(module, "norm")),
            r"no tensor norm\.weight, norm\.bias, norm\.running_mean and 2 more",
        ),
        (
            save(lambda module: {**module.state_dict(), "extra": torch.ones(1)}),
            "has a tensor extra that the network does not",
        ),
        (
            save(lambda module: {**module.state_dict(), "head.bias": torch.ones(2)}),
            r"head\.bias .* has the shape \[2\] instead of \[3\]",
        ),
        (
            save(lambda module: {**module.state_dict(), "head.bias": torch.ones(3).long()}),
            r"head\.bias .* is torch\.int64 instead of torch\.float32",
        ),
        (
            save(lambda module: {**module.state_dict(), "head.bias": torch.full((3,), np.nan)}),
            r"head\.bias in .*w\.pt holds NaN",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_files_are_refused_and_nothing_changes(
    network: Network,
    trained: nn.Module,
    tmp_path: Path,
    write: Callable[[nn.Module, Path], None],
    reason: str,
) -> None:
    write(trained, tmp_path / "w.pt")
    before = weights_of(network)
    with pytest.raises(GengapError, match=reason):
        read_weights(network, tmp_path / "w.pt")
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("absent.pt", "Cannot read the weights .*absent"),
        ("w.onnx", "is ONNX"),
        ("absent.keras", "fit a network that is a list of Keras' layers, not a AdoptedNetwork"),
    ],
)
def test_missing_files_and_other_formats(
    network: Network, tmp_path: Path, name: str, reason: str
) -> None:
    with pytest.raises(GengapError, match=reason):
        read_weights(network, tmp_path / name)
