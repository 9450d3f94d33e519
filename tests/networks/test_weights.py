"""Weight files: round trip, determinism and refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from gengap.errors import GengapError
from gengap.networks import (
    Network,
    build,
    convolutional,
    initialise,
    read_weights,
    set_weights,
    weights_of,
    write_weights,
)
from gengap.seeding import torch_generator

SPEC = convolutional([4, 4, 1], 2, width=2, depth=1, batch_normalisation=True)


@pytest.fixture
def network() -> Network:
    network = build(SPEC)
    initialise(network, "he", torch_generator(0))
    return network


def test_round_trip(network: Network, tmp_path: Path) -> None:
    write_weights(network, tmp_path / "a" / "weights.safetensors")
    other = build(SPEC)
    read_weights(other, tmp_path / "a" / "weights.safetensors")
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name])


def test_same_weights_same_bytes(network: Network, tmp_path: Path) -> None:
    tensors = weights_of(network)
    write_weights(network, tmp_path / "one.safetensors")
    backwards = dict(reversed(tensors.items()))
    strided = {
        name: tensor.t().contiguous().t() if tensor.ndim == 2 else tensor
        for name, tensor in backwards.items()
    }
    write_weights(strided, tmp_path / "two.safetensors")
    one, two = ((tmp_path / f"{name}.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two


def test_copies_do_not_follow_the_network(network: Network) -> None:
    before = weights_of(network)
    kept = {name: tensor.clone() for name, tensor in before.items()}
    initialise(network, "he", torch_generator(1))
    assert all(torch.equal(before[name], kept[name]) for name in before)


def broken(tensors: dict[str, Tensor], how: str) -> dict[str, Tensor]:
    name = "conv2d_0.weight"
    if how == "missing":
        del tensors[name]
    elif how == "extra":
        tensors["dense_9.weight"] = torch.zeros(1)
    elif how == "shape":
        tensors[name] = tensors[name].flatten()
    else:
        tensors[name][0, 0, 0, 0] = float(how)
    return tensors


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("missing", ["no tensor conv2d_0.weight"]),
        ("extra", ["dense_9.weight"]),
        ("shape", ["conv2d_0.weight", "[18]", "[2, 1, 3, 3]"]),
        ("nan", ["conv2d_0.weight", "NaN"]),
        ("-inf", ["conv2d_0.weight", "infinite"]),
    ],
)
def test_unfit_tensors_are_refused_and_nothing_changes(
    network: Network, tmp_path: Path, how: str, words: list[str]
) -> None:
    path = tmp_path / "w.safetensors"
    save_file(broken(weights_of(network), how), path)
    other = build(SPEC)
    before = weights_of(other)
    with pytest.raises(GengapError) as caught:
        read_weights(other, path)
    for word in [*words, str(path)]:
        assert word in str(caught.value)
    for name, tensor in other.state_dict().items():
        assert torch.equal(tensor, before[name])


@pytest.mark.parametrize("content", [None, b"", b"not a safetensors file at all"])
def test_missing_and_damaged_files_are_refused(
    network: Network, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "w.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(GengapError, match=r"w\.safetensors"):
        read_weights(network, path)


def test_a_truncated_file_is_refused(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write_weights(network, path)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(GengapError, match=r"w\.safetensors"):
        read_weights(network, path)


def test_nan_is_not_written(network: Network, tmp_path: Path) -> None:
    with pytest.raises(GengapError, match="NaN"):
        write_weights(broken(weights_of(network), "nan"), tmp_path / "w.safetensors")
    assert not list(tmp_path.iterdir())


def test_given_tensors_name_their_source(network: Network) -> None:
    with pytest.raises(GengapError, match=r"my tensors has no tensor conv2d_0.bias"):
        set_weights(network, {"conv2d_0.weight": torch.zeros(2, 1, 3, 3)}, source="my tensors")


def test_files_hold_tensors_only(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write_weights(network, path)
    assert set(load_file(path)) == set(network.state_dict())
