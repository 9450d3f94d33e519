"""Steps of a stack against torch's optimisers of each network."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gengap.training import Recipe
from gengap.training.optimisers import optimiser
from gengap.training.stacked_steps import StackedSteps

SHAPES = ((3, 2), (2,), (4, 1, 2))
RATES, DECAYS = (0.1, 0.02, 0.3), (0.0, 0.2, 0.05)


@pytest.mark.parametrize("decaying", [False, True])
@pytest.mark.parametrize(
    "keywords",
    [
        {"momentum": 0.0},
        {"momentum": 0.8},
        {"momentum": 0.8, "nesterov": True},
        {"optimiser": "adam"},
        {"optimiser": "adamw"},
    ],
)
def test_each_network_steps_as_torch_does(keywords: dict[str, Any], decaying: bool) -> None:
    """In float64, with rates that change and a network that leaves."""
    chance = torch.Generator().manual_seed(0)
    recipes = [
        Recipe(**keywords, learning_rate=rate, weight_decay=decay * decaying)
        for rate, decay in zip(RATES, DECAYS, strict=True)
    ]
    first = [
        torch.randn(len(recipes), *shape, generator=chance, dtype=torch.float64) for shape in SHAPES
    ]
    own = [
        [values[place].clone().requires_grad_() for values in first]
        for place in range(len(recipes))
    ]
    optimisers = [optimiser(one, recipe) for one, recipe in zip(own, recipes, strict=True)]
    steps, present = StackedSteps(first, recipes), [0, 1, 2]
    for step in range(6):
        gradients = [
            torch.randn(values.shape, generator=chance, dtype=torch.float64) for values in first
        ]
        if step == 3:
            present = [0, 2]
            steps.select(torch.tensor(present))
            steps.set_rates([RATES[place] / 2 for place in present])
            for place in present:
                optimisers[place].param_groups[0]["lr"] = RATES[place] / 2
        for place in present:
            for values, gradient in zip(own[place], gradients, strict=True):
                values.grad = gradient[place].clone()
            optimisers[place].step()
        steps.step([gradient[present] for gradient in gradients])
        for position, place in enumerate(present):
            for values, expected in zip(steps.parameters, own[place], strict=True):
                torch.testing.assert_close(
                    values[position], expected, rtol=1e-9, atol=1e-12, check_dtype=True
                )
