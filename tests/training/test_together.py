"""Networks trained together against the same networks trained one at a time."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.networks import Network, build, convolutional, dense
from gengap.networks.stacks import stackable
from gengap.training import Recipe, TrainingResult, together, train
from gengap.training.together import Training, train_together

IMAGE = (8, 8, 2)
INPUTS, CLASSES = 23, 3
BASE = {"learning_rate": 0.02, "batch_size": 7, "epochs": 3, "momentum": 0.0}


def images(seed: int = 0) -> Split:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(INPUTS, *IMAGE)).astype(np.float32)
    return Split(inputs, np.arange(INPUTS) % CLASSES, CLASSES)


def numbers(seed: int = 0) -> Split:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(INPUTS, 5)).astype(np.float32)
    return Split(inputs, inputs.sum(1).astype(np.float32), 0)


def trainings(
    spec: Mapping[str, Any], recipes: list[dict[str, Any]], data: list[Split] | None = None
) -> list[Training]:
    """Networks of one spec with recipes of their own; two share data, the third has its own."""
    data = data or [images(), images(), images(1)]
    return [
        Training(build(spec), data[place % len(data)], Recipe(**BASE | recipe | {"seed": place}))
        for place, recipe in enumerate(recipes)
    ]


def both(planned: list[Training]) -> tuple[list[TrainingResult], list[TrainingResult]]:
    """Train copies one at a time and together."""
    alone = [train(*parts(one)) for one in copy.deepcopy(planned)]
    results = dict(train_together(planned))
    assert all(isinstance(result, TrainingResult) for result in results.values())
    return alone, [results[place] for place in range(len(planned))]  # type: ignore[misc]


def parts(training: Training) -> tuple[Network, Split, Recipe]:
    return training.network, training.data, training.recipe


def assert_equal(alone: list[TrainingResult], joint: list[TrainingResult], rtol: float) -> None:
    for one, other in zip(alone, joint, strict=True):
        assert list(one.weights) == list(other.weights)
        for name, values in one.initial.items():
            torch.testing.assert_close(other.initial[name], values, rtol=0, atol=0)
        for name, values in one.weights.items():
            torch.testing.assert_close(other.weights[name], values, rtol=rtol, atol=rtol)
        assert (one.epochs, one.reached_target) == (other.epochs, other.reached_target)
        np.testing.assert_array_equal(one.labels, other.labels)
        for row, expected in zip(other.history, one.history, strict=True):
            assert row == pytest.approx(expected, rel=1e-4, abs=1e-6, nan_ok=True)


SPECS = {
    "dense": dense(IMAGE, CLASSES, width=6, depth=2),
    "convolutional": convolutional(IMAGE, CLASSES, width=4, depth=2),
    "normalised": convolutional(IMAGE, CLASSES, width=4, depth=2, batch_normalisation=True),
    "dense_normalised": dense(IMAGE, CLASSES, width=6, depth=1, batch_normalisation=True),
    "dropout": convolutional(IMAGE, CLASSES, width=4, depth=2, dropout=0.3),
    "dense_dropout": dense(IMAGE, CLASSES, width=6, depth=1, dropout=0.3),
    "gelu": dense(IMAGE, CLASSES, width=6, depth=1, activation="gelu"),
    "layers": {
        "model_config": [
            {"layer_name": "Conv2D", "filters": 4, "kernel_size": 3, "strides": 2, "groups": 2},
            {"layer_name": "AveragePooling2D", "pool_size": 2},
            {"layer_name": "GlobalAveragePooling2D"},
            {"layer_name": "Dense", "units": CLASSES, "use_bias": False},
        ],
        "input_shape": list(IMAGE),
    },
}


@pytest.mark.parametrize("name", SPECS)
def test_every_kind_of_network_is_trained_as_alone(name: str) -> None:
    planned = trainings(SPECS[name], [{}, {"learning_rate": 0.05}, {}])
    assert all(stackable(one.network) for one in planned)
    assert_equal(*both(planned), rtol=2e-5)


RECIPES: dict[str, dict[str, Any]] = {
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "sgd_decay": {"momentum": 0.5, "weight_decay": 0.1},
    "adam": {"optimiser": "adam", "learning_rate": 0.003},
    "adam_decay": {"optimiser": "adam", "learning_rate": 0.003, "weight_decay": 0.05},
    "adamw": {"optimiser": "adamw", "learning_rate": 0.003, "weight_decay": 0.5},
    "step": {"schedule": {"name": "step", "every": 1, "factor": 0.3}},
    "plateau": {"schedule": {"name": "plateau", "factor": 0.3, "patience": 1}, "epochs": 5},
    "mse": {"loss": "mse"},
    "hinge": {"loss": "hinge"},
    "corruption": {"label_corruption": 0.4},
    "initialisation": {"initialisation": "he"},
    "augmentation": {"augmentation": ("crop", "flip")},
    "whole_set": {"batch_size": 100},
    "rest_of_one": {"batch_size": 11},
}


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_followed_as_alone(name: str) -> None:
    """Rates and decays differ between the networks of the stack."""
    recipe = BASE | RECIPES[name]
    decay = recipe.get("weight_decay", 0.0)
    recipes = [recipe, recipe | {"weight_decay": 2 * decay}]
    recipes.append(recipe | {"learning_rate": 2 * recipe["learning_rate"], "weight_decay": 0.0})
    assert_equal(*both(trainings(SPECS["convolutional"], recipes)), rtol=1e-4)


def test_numbers_and_single_outputs_are_learnt_as_alone() -> None:
    spec = dense((5,), 1, width=4, depth=1)
    planned = trainings(spec, [{"loss": "mse"}] * 3, [numbers(), numbers(1)])
    assert_equal(*both(planned), rtol=2e-5)


# Under Adam, biases before a normalisation would differ: their gradients are rounding alone.
@pytest.mark.parametrize(
    ("name", "optimiser", "rate"), [("dense", "adam", 0.01), ("normalised", "sgd", 0.1)]
)
def test_networks_leave_the_stack_when_they_reach_their_target_or_last_epoch(
    name: str, optimiser: str, rate: float
) -> None:
    shared = {"optimiser": optimiser, "learning_rate": rate, "epochs": 60, "stop_at_loss": 0.4}
    recipes = [
        shared,
        shared | {"learning_rate": rate / 5, "epochs": 2},
        shared | {"learning_rate": 2 * rate},
        shared | {"stop_at_loss": 0.8},
    ]
    alone, joint = both(trainings(SPECS[name], recipes))
    assert len({result.epochs for result in alone}) > 2
    assert [result.reached_target for result in alone] == [True, False, True, True]
    assert_equal(alone, joint, rtol=1e-3)


def test_the_networks_themselves_have_the_results() -> None:
    planned = trainings(SPECS["normalised"], [{}, {}])
    for place, result in train_together(planned):
        assert isinstance(result, TrainingResult)
        network = planned[place].network
        assert not network.training
        for name, values in network.state_dict().items():
            assert torch.equal(values, result.weights[name])


def test_a_network_that_diverges_leaves_the_others_alone() -> None:
    planned = trainings(SPECS["dense"], [{}, {"learning_rate": 1e30, "momentum": 0.0}, {}])
    alone = [train(*parts(planned[place])) for place in (0, 2)]
    results = dict(train_together(planned))
    assert isinstance(results[1], GengapError)
    assert "Training diverged" in str(results[1])
    joint = [results[place] for place in (0, 2)]
    assert_equal(alone, joint, rtol=2e-5)  # type: ignore[arg-type]


def test_what_cannot_be_stacked_is_trained_alone() -> None:
    """Residual networks and frozen layers come between networks of two shapes."""
    frozen = copy.deepcopy(SPECS["dense"])
    frozen["model_config"][1]["trainable"] = False
    residual = {"architecture": "preresnet", "input_shape": [8, 8, 2], "classes": CLASSES}
    residual |= {"width": 2}
    specs = [SPECS["dense"], residual, SPECS["convolutional"], frozen, SPECS["dense"]]
    planned = [trainings(spec, [{}])[0] for spec in specs]
    assert [stackable(one.network) for one in planned] == [True, False, True, False, True]
    alone, joint = both(planned)
    assert_equal(alone, joint, rtol=2e-5)
    for place in (1, 2, 3):  # byte for byte
        for name, values in alone[place].weights.items():
            assert torch.equal(values, joint[place].weights[name])


def test_a_fault_of_the_training_is_an_error_of_its_network() -> None:
    planned = trainings(SPECS["normalised"], [{"batch_size": 1}] * 2)
    errors = [result for _, result in train_together(planned)]
    assert all("batch normalisation, which cannot work on one" in str(error) for error in errors)


@pytest.mark.parametrize(("limit", "value"), [("GRAPH_BYTES", 1), ("PART_BYTES", 1)])
def test_results_do_not_depend_on_the_limits_of_memory(
    limit: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stacks of one network each, and inputs that are gathered batch by batch."""
    planned = trainings(SPECS["convolutional"], [{}] * 3)
    other = copy.deepcopy(planned)
    usual = dict(train_together(planned))
    monkeypatch.setattr(together, limit, value)
    limited = dict(train_together(other))
    pairs = [[results[place] for place in range(3)] for results in (usual, limited)]
    assert_equal(pairs[0], pairs[1], rtol=2e-5)  # type: ignore[arg-type]


def test_the_global_random_state_is_left_alone() -> None:
    state = torch.get_rng_state()
    list(train_together(trainings(SPECS["dropout"], [{}, {}])))
    assert torch.equal(state, torch.get_rng_state())
