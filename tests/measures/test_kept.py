"""A job reads each small network once, and each family sees it as it was read."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.measures import Subject, compute
from gengap.measures.kept import KeptSubjects
from gengap.networks import Network, adopt, build, dense

INPUT = 5


class Reader:
    """Makes a network of its own for each id and counts the readings."""

    def __init__(self, *, adopted: bool = False) -> None:
        self.calls: list[str] = []
        rng = np.random.default_rng(0)
        self.train = Split(rng.random((30, INPUT), dtype=np.float32), rng.integers(0, 2, 30), 2)
        self.adopted = adopted

    def __call__(self, network: str, rng: np.random.Generator) -> Subject:
        self.calls.append(network)
        history = pd.DataFrame({"epoch": [1, 2], "train_loss": [0.5, 0.1]})
        trained, initial = self.network(int(network)), self.network(int(network) + 100)
        return Subject(trained, initial, self.train, rng, history=history)

    def network(self, seed: int) -> Network:
        torch.manual_seed(seed)
        if self.adopted:
            return adopt(nn.Sequential(nn.Linear(INPUT, 3), nn.ReLU(), nn.Linear(3, 2)),
                         example=self.train.inputs)  # fmt: skip
        made = build(dense((INPUT,), 2, width=3, depth=1))
        with torch.no_grad():
            for parameter in made.parameters():
                parameter.normal_()
        return made.eval()


def bytes_of(network: nn.Module | None) -> bytes:
    assert network is not None
    return b"".join(tensor.numpy().tobytes() for tensor in network.state_dict().values())


def test_each_family_sees_what_was_read_whatever_another_did() -> None:
    reader = Reader()
    kept = KeptSubjects(reader)
    first = kept.subject("0", np.random.default_rng(1))
    assert first.initial is not None
    assert first.history is not None
    with torch.no_grad():
        for network in (first.network, first.initial):
            next(network.parameters()).zero_()
    first.history["train_loss"] = 0.0
    rng = np.random.default_rng(2)
    second, read = kept.subject("0", rng), Reader()("0", rng)
    assert reader.calls == ["0"]
    assert second.rng is rng
    assert bytes_of(second.network) == bytes_of(read.network)
    assert bytes_of(second.initial) == bytes_of(read.initial)
    assert second.history is not None
    assert second.history["train_loss"].tolist() == [0.5, 0.1]
    assert compute("baseline", second) == compute("baseline", read)


def test_networks_are_read_again_where_there_is_no_room() -> None:
    reader = Reader()
    # Kernels and biases, in float32, of the trained network and the initial one.
    size = 2 * 4 * (INPUT * 3 + 3 + 3 * 2 + 2)
    kept = KeptSubjects(reader, room=2 * size)
    for _ in range(2):
        for network in ("0", "1", "2"):
            kept.subject(network, np.random.default_rng(0))
    assert reader.calls == ["0", "1", "2", "2"]
    tight = KeptSubjects(reader, room=size - 1)
    tight.subject("0", np.random.default_rng(0))
    tight.subject("0", np.random.default_rng(0))
    assert reader.calls[4:] == ["0", "0"]


def test_adopted_networks_are_read_each_time() -> None:
    reader = Reader(adopted=True)
    kept = KeptSubjects(reader)
    kept.subject("0", np.random.default_rng(0))
    kept.subject("0", np.random.default_rng(0))
    assert reader.calls == ["0", "0"]


def test_a_network_that_cannot_be_read_fails_each_time() -> None:
    def read(network: str, rng: np.random.Generator) -> Subject:
        raise GengapError(f"{network} is gone: make it again.")

    kept = KeptSubjects(read)
    for _ in range(2):
        with pytest.raises(GengapError, match="7 is gone"):
            kept.subject("7", np.random.default_rng(0))
