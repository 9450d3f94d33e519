"""Steps of many parameters as one vector: the same bytes as torch's steps of each."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn, optim

from gengap.datasets import Split
from gengap.networks import TEMPLATES, build, weights_of
from gengap.training import Recipe, optimisers, train
from gengap.training.blocks import over_blocks

Kind = type[optim.Adam] | type[optim.SGD]
KINDS: list[tuple[Kind, dict[str, Any]]] = [
    (optim.Adam, {}),
    (optim.Adam, {"weight_decay": 0.01}),
    (optim.AdamW, {"weight_decay": 0.03}),
    (optim.SGD, {}),
    (optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
]
SHAPES = [(1,), (3, 5), (10, 16), (7,), (2, 3, 5, 7), (64, 9), ()]


def parameters(dtypes: list[torch.dtype], seed: int) -> list[Tensor]:
    """One parameter of each shape and type."""
    chance = torch.Generator().manual_seed(seed)
    return [
        nn.Parameter(torch.randn(shape, generator=chance, dtype=dtype))
        for dtype in dtypes
        for shape in SHAPES
    ]


def run(
    steps: optim.Optimizer, trained: list[Tensor], *, absent: float, number: int, seed: int
) -> None:
    """Take steps with random gradients; a fraction of the parameters has none at each."""
    chance = torch.Generator().manual_seed(seed)
    for _ in range(number):
        steps.zero_grad()
        for one in trained:
            gradient = torch.randn(one.shape, generator=chance, dtype=one.dtype)
            if float(torch.rand((), generator=chance)) >= absent:
                one.grad = gradient
        steps.step()


@pytest.mark.parametrize(("kind", "keywords"), KINDS)
@pytest.mark.parametrize("absent", [0.0, 0.2])
@pytest.mark.parametrize("seed", [0, 1])
def test_steps_are_those_of_torch(
    kind: Kind, keywords: dict[str, Any], absent: float, seed: int
) -> None:
    dtypes = [torch.float32, torch.float64]
    ours, theirs = parameters(dtypes, seed), parameters(dtypes, seed)
    for trained, steps in (
        (ours, over_blocks(kind, ours, lr=0.05, **keywords)),
        (theirs, kind(theirs, lr=0.05, **keywords)),
    ):
        run(steps, trained, absent=absent, number=40, seed=seed)
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))
    assert not torch.equal(ours[2], parameters(dtypes, seed)[2])


def test_a_parameter_that_never_has_a_gradient_keeps_its_value() -> None:
    """Weight decay would shrink it, if its gradient counted as zero."""
    trained = parameters([torch.float32], 3)
    steps = over_blocks(optim.AdamW, trained, lr=0.1, weight_decay=0.5)
    before = trained[1].detach().clone()
    for one in (trained[0], trained[2]):
        one.grad = torch.ones_like(one)
    steps.step()
    assert torch.equal(trained[1], before)


@pytest.mark.parametrize(("kind", "keywords"), KINDS)
def test_a_restored_state_goes_on_to_the_same_bytes(kind: Kind, keywords: dict[str, Any]) -> None:
    whole, halves = parameters([torch.float32], 4), parameters([torch.float32], 4)
    steps = over_blocks(kind, whole, lr=0.05, **keywords)
    first = over_blocks(kind, halves, lr=0.05, **keywords)
    for trained, of in ((whole, steps), (halves, first)):
        run(of, trained, absent=0.3, number=5, seed=5)
    stream = io.BytesIO()
    torch.save(first.state_dict(), stream)
    stream.seek(0)
    second = over_blocks(kind, halves, lr=0.05, **keywords)
    second.load_state_dict(torch.load(stream, weights_only=True))
    for trained, of in ((whole, steps), (halves, second)):
        run(of, trained, absent=0.3, number=5, seed=6)
    assert all(torch.equal(one, other) for one, other in zip(whole, halves, strict=True))


@pytest.mark.parametrize("template", ["dense", "convolutional"])
@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_trained_weights_are_those_of_steps_of_each_parameter(
    template: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = np.random.default_rng(0)
    shape = (6, 6, 1)
    data = Split(chance.normal(size=(12, *shape)).astype(np.float32), np.arange(12) % 3, 3)
    recipe = Recipe(optimiser=name, epochs=4, batch_size=5, weight_decay=0.01, seed=1)
    spec = TEMPLATES[template](shape, 3, width=5, depth=2)
    ours = train(build(spec), data, recipe).weights
    monkeypatch.setattr(optimisers, "over_blocks", lambda kind, *of, **how: kind(*of, **how))
    network = build(spec)
    train(network, data, recipe)
    assert all(torch.equal(ours[key], value) for key, value in weights_of(network).items())
