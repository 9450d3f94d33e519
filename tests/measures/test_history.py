"""The family ``history``: by hand, and against derivatives and distances computed directly."""

from __future__ import annotations

import copy
import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial.distance import pdist, squareform
from torch import nn
from torch.nn.functional import cross_entropy

from gengap.datasets import Split
from gengap.measures import NothingComputedError, Subject, attempt, compute
from gengap.measures import history as family
from gengap.networks import build, convolutional, dense
from gengap.topology import lifetime_sum, magnitude

LOSSES = [2.0, 0.5, 0.1, 0.2, 0.05, 0.02, 0.01, 0.009]


@pytest.fixture
def train() -> Split:
    rng = np.random.default_rng(0)
    return Split(rng.random((40, 6, 6, 1), dtype=np.float32), rng.integers(0, 3, 40), 3)


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return build(convolutional((6, 6, 1), 3, width=4, depth=1)).eval()


def subject(network: nn.Module, train: Split, losses: list[float] | None = None) -> Subject:
    history = (
        None
        if losses is None
        else pd.DataFrame({"epoch": np.arange(1, len(losses) + 1), "train_loss": losses})
    )
    return Subject(network, None, train, np.random.default_rng(0), history=history)


def test_epochs_and_sums_by_hand(network: nn.Module, train: Split) -> None:
    results = attempt("history", subject(network, train, LOSSES))
    assert results["epochs_to_loss"] == 3
    assert results["epochs_from_loss"] == 7 - 3
    assert results["sum_of_training_losses"] == pytest.approx(sum(LOSSES))
    assert results["sum_of_last_training_losses"] == pytest.approx(sum(LOSSES[-5:]))
    shuffled = subject(network, train, LOSSES)
    assert shuffled.history is not None
    rows = shuffled.history.iloc[::-1]
    again = attempt(
        "history", Subject(network, None, train, np.random.default_rng(0), history=rows)
    )
    assert dict(again) == dict(results)


def test_a_loss_that_is_not_reached_leaves_out_the_epochs(network: nn.Module, train: Split) -> None:
    results = attempt("history", subject(network, train, LOSSES[:5]))
    assert results["epochs_to_loss"] == 3
    assert "never fell to 0.01 (its smallest value is 0.05)" in results.left_out["epochs_from_loss"]
    results = attempt("history", subject(network, train, LOSSES[:2]))
    assert {"epochs_to_loss", "epochs_from_loss"} <= set(results.left_out)
    assert results["sum_of_last_training_losses"] == pytest.approx(2.5)


def test_without_a_history_the_gradient_is_left(network: nn.Module, train: Split) -> None:
    results = attempt("history", subject(network, train))
    assert set(results) == {"final_gradient_norm"}
    assert results.unmet["epochs_to_loss"] == "history"
    with pytest.raises(NothingComputedError, match="history of the training"):
        compute("history:epochs_to_loss", subject(network, train))


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_gradient_is_that_of_the_mean_loss(
    size: int, network: nn.Module, train: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(family, "batch_size_for", lambda network, inputs: size)
    value = compute("history:final_gradient_norm", subject(network, train))["final_gradient_norm"]
    exact = copy.deepcopy(network).double()
    labels = torch.from_numpy(train.labels)
    cross_entropy(exact.logits(torch.from_numpy(train.inputs).double()), labels).backward()  # type: ignore[operator, no-untyped-call]
    squares = sum(float(p.grad.square().sum()) for p in exact.parameters() if p.grad is not None)
    assert value == pytest.approx(math.sqrt(squares), rel=1e-5)


def test_the_gradient_is_that_of_the_folded_network(train: Split) -> None:
    network = build(convolutional((6, 6, 1), 3, width=4, depth=1, batch_normalisation=True)).train()
    with torch.no_grad():
        network(torch.from_numpy(train.inputs))
    network.eval()
    halved = copy.deepcopy(network)
    kernel = next(part for part in halved.modules() if isinstance(part, nn.Conv2d))
    scale = next(part for part in halved.modules() if isinstance(part, nn.BatchNorm2d))
    with torch.no_grad():
        for parameter in kernel.parameters():
            parameter.div_(2)
        assert scale.running_mean is not None
        assert scale.running_var is not None
        scale.running_mean.div_(2)
        scale.running_var.div_(4)
        scale.eps /= 4
    one, other = (
        compute("history:final_gradient_norm", subject(net, train))["final_gradient_norm"]
        for net in (network, halved)
    )
    assert one == pytest.approx(other, rel=1e-3)


def test_a_trajectory_on_a_line(train: Split) -> None:
    network = build(dense((6, 6, 1), 3, width=4, depth=1)).eval()
    direction = [
        torch.randn(p.shape, generator=torch.Generator().manual_seed(1))
        for p in network.parameters()
    ]
    length = math.sqrt(sum(float(part.square().sum()) for part in direction))
    places = np.sort(np.random.default_rng(0).random(60)) / 10
    snapshots = {}
    for epoch, place in enumerate(places):
        snapshots[epoch] = copy.deepcopy(network)
        with torch.no_grad():
            for parameter, part in zip(snapshots[epoch].parameters(), direction, strict=True):
                parameter.add_(float(place) / length * part)
    known = Subject(network, None, train, np.random.default_rng(0), snapshots=snapshots)
    results = attempt("history", known)
    distances = np.asarray(squareform(pdist(places[:, None])))
    assert results["trajectory_lifetime_sum"] == pytest.approx(places[-1] - places[0], rel=1e-3)
    assert results["trajectory_lifetime_sum"] == pytest.approx(lifetime_sum(distances), rel=1e-3)
    expected = magnitude(math.sqrt(40) * distances, positive=True)
    assert results["trajectory_magnitude"] == pytest.approx(expected, rel=1e-3)
    assert results["trajectory_dimension"] == pytest.approx(1, rel=0.25)
    few = {epoch: snapshots[epoch] for epoch in range(4)}
    left_out = attempt(
        "history", Subject(network, None, train, np.random.default_rng(0), snapshots=few)
    ).left_out
    assert "4 distinct points" in left_out["trajectory_dimension"]
