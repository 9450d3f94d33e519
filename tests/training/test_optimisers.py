"""Optimisers and schedules of a recipe: steps and rates by hand."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim

from gengap.training import Recipe
from gengap.training.optimisers import Schedule, optimiser, without_compiler


def step(parameter: nn.Parameter, steps: optim.Optimizer, gradient: Tensor) -> None:
    parameter.grad = gradient
    steps.step()


def parameter(*values: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values, dtype=torch.float64))


def test_momentum_and_weight_decay_by_hand() -> None:
    """theta = 1, gradients 1 and 2, rate 0.1, momentum 0.5, decay 0.1.

    g1 = 1 + 0.1 = 1.1, v1 = 1.1, theta = 0.89; g2 = 2 + 0.089 = 2.089, v2 = 0.55 + 2.089 = 2.639,
    theta = 0.89 - 0.2639 = 0.6261.
    """
    theta = parameter(1.0)
    steps = optimiser([theta], Recipe(learning_rate=0.1, momentum=0.5, weight_decay=0.1))
    step(theta, steps, torch.ones_like(theta))
    assert theta.item() == pytest.approx(0.89, abs=1e-12)
    step(theta, steps, 2 * torch.ones_like(theta))
    assert theta.item() == pytest.approx(0.6261, abs=1e-12)


def test_nesterov_steps_by_the_gradient_and_the_momentum_to_come() -> None:
    """theta = 1, gradient 1, rate 0.1, momentum 0.5: v = 1, theta = 1 - 0.1 (1 + 0.5)."""
    theta = parameter(1.0)
    steps = optimiser([theta], Recipe(learning_rate=0.1, momentum=0.5, nesterov=True))
    step(theta, steps, torch.ones_like(theta))
    assert theta.item() == pytest.approx(0.85, abs=1e-12)


def test_first_step_of_adam_has_the_size_of_the_learning_rate() -> None:
    theta = parameter(0.0, 0.0, 0.0)
    gradient = torch.tensor([5.0, -0.1, 1e3], dtype=torch.float64)
    step(theta, optimiser([theta], Recipe(optimiser="adam", learning_rate=0.01)), gradient)
    wanted = torch.tensor([-0.01, 0.01, -0.01], dtype=torch.float64)
    torch.testing.assert_close(theta.detach(), wanted)


def test_weight_decay_of_adamw_is_decoupled() -> None:
    """Without a gradient Adam's decay is a gradient (a full step), AdamW's a shrinking."""
    coupled, decoupled = parameter(2.0), parameter(2.0)
    for name, theta in (("adam", coupled), ("adamw", decoupled)):
        recipe = Recipe(optimiser=name, learning_rate=0.1, weight_decay=0.5)
        step(theta, optimiser([theta], recipe), torch.zeros_like(theta))
    assert coupled.item() == pytest.approx(1.9, abs=1e-6)
    assert decoupled.item() == pytest.approx(2.0 * (1 - 0.05), abs=1e-12)


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, optim.AdamW])
def test_without_the_compiler_steps_are_those_of_torch(kind: type[optim.Optimizer]) -> None:
    keywords: dict[str, Any] = {"lr": 0.1, "weight_decay": 0.01}
    keywords |= {"momentum": 0.9} if kind is optim.SGD else {}
    ours, theirs = parameter(1.0, -2.0), parameter(1.0, -2.0)
    pairs = [
        (ours, without_compiler(kind)([ours], **keywords)),
        (theirs, kind([theirs], **keywords)),
    ]
    for number in range(5):
        for theta, steps in pairs:
            steps.zero_grad()
            torch.autograd.backward((theta.pow(4) * (number + 1)).sum())
            steps.step()
    assert torch.equal(ours, theirs)


@pytest.mark.slow
def test_training_does_not_load_the_compiler() -> None:
    code = """
import sys
import tempfile
from pathlib import Path
import numpy as np
from gengap.datasets import Split
from gengap.networks import build
from gengap.training import Recipe, train

network = build({"model_config": [{"layer_name": "Dense", "units": 2}], "input_shape": [3]})
data = Split(np.ones((4, 3), np.float32), np.array([0, 1, 0, 1]), 2)
schedule = {"name": "step", "every": 1, "factor": 0.5}
for name in ("sgd", "adam", "adamw"):
    recipe = Recipe(optimiser=name, epochs=2, schedule=schedule)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            train(network, data, recipe, snapshots=[1], resume_from=Path(folder))
    assert "torch._dynamo" not in sys.modules, name
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def rates(schedule: dict[str, Any] | None, losses: list[float]) -> list[float]:
    """The learning rate of each epoch."""
    recipe = Recipe(learning_rate=0.4, epochs=len(losses), schedule=schedule)
    theta = parameter(0.0)
    steps = optimiser([theta], recipe)
    plan = Schedule(steps, recipe)
    found = []
    for loss in losses:
        found.append(steps.param_groups[0]["lr"])
        step(theta, steps, torch.zeros_like(theta))
        plan.end_of_epoch(loss)
    return found


def test_schedules_by_hand() -> None:
    falling = [float(10 - epoch) for epoch in range(6)]
    assert rates(None, falling) == [0.4] * 6
    step_wise = rates({"name": "step", "every": 2, "factor": 0.5}, falling)
    assert step_wise == pytest.approx([0.4, 0.4, 0.2, 0.2, 0.1, 0.1])
    cosine = rates({"name": "cosine", "lowest": 0.1}, falling)
    expected = [0.1 + 0.15 * (1 + math.cos(math.pi * epoch / 6)) for epoch in range(6)]
    assert cosine == pytest.approx(expected)
    plateau = {"name": "plateau", "factor": 0.5, "patience": 1}
    assert rates(plateau, falling) == [0.4] * 6
    assert rates(plateau, [5, 5, 5, 5, 5, 4]) == pytest.approx([0.4, 0.4, 0.4, 0.2, 0.2, 0.1])
