"""Each need: when it is met, and the sentence where it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from gengap import names
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.measures import Subject, compute, measure
from gengap.measures.needs import NEEDS
from gengap.networks import build, convolutional, dense

IMAGES = Split(np.random.default_rng(0).random((4, 6, 6, 1)).astype(np.float32), np.arange(4), 4)
VECTORS = Split(np.eye(3, dtype=np.float32), np.array([0, 1, 1]), 2)


class OnceDifferentiable(torch.autograd.Function):
    """The identity, whose derivative has none."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor) -> Tensor:
        return inputs.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.clone()


class Kinked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = OnceDifferentiable.apply(self.layer(inputs).tanh())  # type: ignore[no-untyped-call]
        return outputs


def subject(network: nn.Module, train: Split) -> Subject:
    return Subject(network.eval(), None, train, np.random.default_rng(0))


@pytest.fixture
def vectors() -> Subject:
    return subject(build(dense((3,), 2, width=4, depth=1)), VECTORS)


@pytest.fixture
def images() -> Subject:
    network = build(convolutional((6, 6, 1), 4, width=2, depth=1))
    siblings = (build(convolutional((6, 6, 1), 4, width=2, depth=1)).eval(),)
    return replace(
        subject(network, IMAGES),
        initial=siblings[0],
        history=pd.DataFrame({"epoch": [1]}),
        snapshots={1: network},
        siblings=siblings,
        unlabelled=IMAGES.inputs[:1],
        diagrams=[[np.zeros((0, 2))]],
    )


def needing(need: str) -> Any:
    @measure(needs={need})
    def one(subject: Subject) -> float:
        return 1.0

    return one


def test_the_needs_are_those_that_have_a_name() -> None:
    assert tuple(NEEDS) == names.NEEDS


@pytest.mark.parametrize("need", names.NEEDS)
def test_a_subject_that_has_everything_meets_every_need(need: str, images: Subject) -> None:
    assert compute(needing(need), images) == {"one": 1.0}


@pytest.mark.parametrize(
    ("need", "sentence"),
    [
        ("initial", "initial weights of the network, which are not known: add them"),
        ("images", r"images \(n, height, width, channels\) as training inputs: give the inputs"),
        ("history", "history of the training, which was not recorded: add it"),
        ("snapshots", "snapshots of the network .* none was kept: add some"),
        ("siblings", "networks that differ .* seed alone, and there is none: add replicates"),
        ("unlabelled", "unlabelled inputs, and there are none: add some"),
        ("diagrams", "persistence diagrams .* not computed: add the family 'topology'"),
    ],
)
def test_what_a_bare_subject_lacks(need: str, sentence: str, vectors: Subject) -> None:
    with pytest.raises(GengapError, match=f"The measure 'one' needs (the )?{sentence}"):
        compute(needing(need), vectors)


@pytest.mark.parametrize(
    ("outputs", "classes", "met"), [(2, 2, True), (3, 2, True), (1, 2, True), (2, 3, False)]
)
def test_class_outputs_are_as_many_as_classes_or_one_for_two(
    outputs: int, classes: int, met: bool
) -> None:
    train = Split(VECTORS.inputs, np.array([0, 1, 1]), classes)
    tried = subject(nn.Sequential(nn.Linear(3, outputs)), train)
    if met:
        assert compute(needing("classes"), tried) == {"one": 1.0}
    else:
        with pytest.raises(GengapError, match="one output for each of at least two classes"):
            compute(needing("classes"), tried)


def test_a_single_class_or_outputs_in_a_grid_are_no_class_outputs() -> None:
    one = Split(VECTORS.inputs, np.zeros(3, np.int64), 1)
    with pytest.raises(GengapError, match="one output for each of at least two classes"):
        compute(needing("classes"), subject(nn.Linear(3, 1), one))
    two = Split(VECTORS.inputs, np.zeros(3, np.int64), 2)
    grid = nn.Sequential(nn.Linear(3, 2), nn.Unflatten(1, (2, 1)))
    with pytest.raises(GengapError, match=r"shape \[1, 2, 1\] instead of numbers \(n, outputs\)"):
        compute(needing("classes"), subject(grid, two))


def test_where_targets_are_numbers_there_are_no_classes() -> None:
    numbers = Split(VECTORS.inputs, np.array([0.5, 1.0, -2.0], np.float32), 0)
    tried = subject(nn.Linear(3, 1), numbers)
    assert compute(needing("fitting_outputs"), tried) == {"one": 1.0}
    with pytest.raises(GengapError, match="needs classes, and the targets of these data are num"):
        compute(needing("classes"), tried)
    with pytest.raises(GengapError, match="needs a network with one output, since each target"):
        compute(needing("fitting_outputs"), subject(nn.Linear(3, 2), numbers))


def test_tokens_are_no_inputs_to_change() -> None:
    tokens = Split(np.array([[1, 2], [0, 3], [2, 2]]), np.array([0, 1, 1]), 2)
    tried = subject(nn.EmbeddingBag(4, 2), tokens)
    assert compute(needing("fitting_outputs"), tried) == {"one": 1.0}
    with pytest.raises(GengapError, match="changes or mixes inputs, which makes no sense for tok"):
        compute(needing("float_inputs"), tried)


def test_a_part_without_a_second_derivative_costs_the_hessian_alone() -> None:
    tried = subject(Kinked(), VECTORS)
    results = compute("curvature", tried)
    assert {"loss_sharpness"} <= set(results)
    hessian = {name for name in results.left_out if name.startswith(("hessian", "lambda"))}
    assert len(hessian) == 5
    for name in hessian:
        assert results.left_out[name] == (
            f"The measure '{name}' needs second derivatives in the weights, which a part of the "
            "network does not have: replace that part, or do without this measure."
        )


def test_looking_at_derivatives_leaves_the_network_as_it_is() -> None:
    network = nn.Linear(3, 2)
    network.weight.requires_grad_(False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    compute(needing("twice_differentiable"), subject(network, VECTORS))
    assert not network.weight.requires_grad
    assert network.weight.grad is None
    assert network.bias.grad is None
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
