"""Measuring leaves networks as they were, and sees them in eval mode whatever their mode is."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.measures import FAMILIES, MeasureResults, Subject, compute, measure
from gengap.networks import build, convolutional


@pytest.fixture
def train() -> Split:
    rng = np.random.default_rng(0)
    return Split(rng.random((40, 6, 6, 1), dtype=np.float32), rng.integers(0, 3, 40), 3)


@pytest.fixture
def network(train: Split) -> nn.Module:
    """A network with dropout and batch normalisation, whose statistics are those of the data."""
    spec = convolutional((6, 6, 1), 3, width=3, depth=1, dropout=0.5, batch_normalisation=True)
    made = build(spec).train()
    with torch.no_grad():
        made(torch.from_numpy(train.inputs))
    return made.eval()


def in_training(network: nn.Module) -> nn.Module:
    """Return a copy as training leaves it: in its mode, with gradients, and a part frozen."""
    left = copy.deepcopy(network).train()
    first, *others = left.parameters()
    first.requires_grad_(False)
    for parameter in others:
        parameter.grad = torch.ones_like(parameter)
    next(module for module in left.modules() if isinstance(module, nn.Dropout)).eval()
    return left


def state(network: nn.Module) -> list[object]:
    """List everything that a measure must leave as it is."""
    return [
        [module.training for module in network.modules()],
        [tensor.tolist() for tensor in network.state_dict().values()],
        [parameter.requires_grad for parameter in network.parameters()],
        [None if p.grad is None else p.grad.tolist() for p in network.parameters()],
        [id(value) for value in (*network.parameters(), *network.buffers())],
    ]


def listed(results: MeasureResults) -> dict[str, object]:
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in results.items()
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_sees_eval_mode_and_leaves_no_trace(
    family: str, network: nn.Module, train: Split
) -> None:
    quiet = copy.deepcopy(network)
    next(quiet.parameters()).requires_grad_(False)
    more = train.inputs[::-1]

    def measured(given: nn.Module) -> MeasureResults:
        rng = np.random.default_rng(0)
        return compute(
            family, Subject(given, given, train, rng, siblings=(given,), unlabelled=more)
        )

    expected = measured(quiet)
    left = in_training(network)
    before = state(left)
    results = measured(left)
    assert listed(results) == listed(expected)
    assert state(left) == before


def test_all_networks_of_a_subject_are_left_alone_also_after_an_error(
    network: nn.Module, train: Split
) -> None:
    subject = Subject(
        in_training(network),
        in_training(network),
        train,
        np.random.default_rng(0),
        snapshots={1: in_training(network)},
        siblings=(in_training(network),),
    )
    before = [state(left) for left in subject.networks]
    assert len(before) == 4

    @measure()
    def careless(subject: Subject) -> float:
        for left in subject.networks:
            assert not any(module.training for module in left.modules())
            left.train()
            left.requires_grad_()
            loss = left(torch.from_numpy(subject.train.inputs)).sum()
            loss.backward()
            for name, buffer in list(left.named_buffers()):
                owner, _, own = name.rpartition(".")
                left.get_submodule(owner).register_buffer(own, buffer + 1)
        raise GengapError("This measure fails: do without it.")

    with pytest.raises(GengapError, match="This measure fails"):
        compute(careless, subject)
    assert [state(left) for left in subject.networks] == before


def wrapped(wrapper: str) -> nn.Module:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3)).eval()
    if wrapper == "parallel":
        return nn.DataParallel(network)
    if wrapper == "pruned":
        prune.l1_unstructured(network[0], "weight", amount=0.5)  # type: ignore[no-untyped-call]
    elif wrapper == "weight_norm of hooks":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            nn.utils.weight_norm(network[0])
        network(torch.zeros(1, 4))
    elif wrapper == "weight_norm":
        parametrizations.weight_norm(network[0])
    return network


@pytest.mark.parametrize("wrapper", ["parallel", "pruned", "weight_norm of hooks", "weight_norm"])
def test_wrapped_networks_and_weights_are_measured(wrapper: str) -> None:
    inputs = np.random.default_rng(0).standard_normal((12, 4)).astype(np.float32)
    train = Split(inputs, np.arange(12) % 3, 3)
    network, bare = wrapped(wrapper), wrapped("none")
    same = wrapper != "pruned"
    for name in ("log_spectral_norm_product", "training_accuracy", "negative_training_loss"):
        what = f"baseline:{name}"
        (value,), (expected,) = (
            compute(what, Subject(each, each, train, np.random.default_rng(0))).values()
            for each in (network, bare)
        )
        assert isinstance(value, float)
        assert not same or value == pytest.approx(expected, rel=1e-5)
    for family in ("competition", "curvature", "tangent"):
        assert compute(family, Subject(network, network, train, np.random.default_rng(0)))


def test_torchscript_is_refused_in_a_sentence() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = torch.jit.trace(nn.Linear(4, 3), torch.zeros(2, 4))  # type: ignore[no-untyped-call]
    train = Split(np.eye(4, dtype=np.float32), np.arange(4) % 3, 3)
    with pytest.raises(GengapError, match="The network is TorchScript"):
        compute("baseline", Subject(network, None, train, np.random.default_rng(0)))


def test_half_precision_is_measured_in_float32(network: nn.Module, train: Split) -> None:
    half = copy.deepcopy(network).bfloat16()
    whole = copy.deepcopy(half).float()
    results = compute("baseline", Subject(half, half, train, np.random.default_rng(0)))
    assert results == compute("baseline", Subject(whole, whole, train, np.random.default_rng(0)))
    assert next(half.parameters()).dtype == torch.bfloat16
