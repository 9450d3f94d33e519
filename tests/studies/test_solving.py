"""The training of one network of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gengap.errors import GengapError
from gengap.networks import build, weights_of
from gengap.seeding import derive
from gengap.studies.context import Context, load_dataset
from gengap.studies.solving import build_network, recipe_for, solve, untrained_network
from gengap.tasks.zoo import network_spec
from gengap.training import Recipe, loss_and_accuracy, train, trainer

CONTEXT = Context(3, None, torch.device("cpu"))
NETWORK = {"template": "dense", "width": 6, "depth": 1}
TRAINING: dict[str, Any] = {"epochs": 3, "batch_size": 8, "label_corruption": 0.25}
DATA = load_dataset(CONTEXT, {"name": "digits", "train_size": 24, "test_size": 12})


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return list(one) == list(other) and all(torch.equal(one[name], other[name]) for name in one)


def test_a_solution_is_what_the_trainer_leaves() -> None:
    solution = solve(CONTEXT, DATA, NETWORK, TRAINING)
    module = build(network_spec(NETWORK, (8, 8, 1), 10))
    recipe = Recipe(**TRAINING, seed=derive(3, "training"))
    expected = train(module, DATA.train, recipe)
    assert solution.recipe == recipe
    assert equal(weights_of(solution.network), weights_of(module))
    assert np.array_equal(solution.train.labels, expected.labels)
    assert (solution.train.labels != DATA.train.labels).sum() == 6
    losses = [row["train_loss"] for row in expected.history]
    assert solution.loss_curve.tolist() == losses
    assert solution.final_loss == losses[-1]
    assert solution.final_accuracy == expected.history[-1]["train_accuracy"]
    assert solution.on_train() == loss_and_accuracy(module, solution.train)
    assert solution.on_test() == loss_and_accuracy(module, DATA.test)


def test_a_purpose_and_a_start_change_the_training() -> None:
    first = solve(CONTEXT, DATA, NETWORK, TRAINING)
    other = solve(CONTEXT, DATA, NETWORK, TRAINING, purpose="direction 3")
    assert other.recipe.seed == derive(3, "direction 3")
    assert not equal(first.result.initial, other.result.initial)
    going_on = solve(CONTEXT, DATA, NETWORK, TRAINING, start=first.result.weights)
    assert equal(going_on.result.initial, first.result.weights)


def test_a_network_that_is_given_is_trained_in_place() -> None:
    module = build_network(CONTEXT, DATA, NETWORK)
    rows: list[int] = []
    solution = solve(
        CONTEXT, DATA, module, TRAINING, on_epoch=lambda row: rows.append(row["epoch"])
    )
    assert solution.network is module
    assert rows == [1, 2, 3]
    assert equal(weights_of(module), solve(CONTEXT, DATA, NETWORK, TRAINING).result.weights)


def test_the_untrained_network_is_the_one_that_training_starts_from() -> None:
    module = untrained_network(CONTEXT, DATA, NETWORK, TRAINING)
    assert not module.training
    assert equal(weights_of(module), solve(CONTEXT, DATA, NETWORK, TRAINING).result.initial)


def test_checkpoints_are_kept_and_an_interrupted_training_goes_on(tmp_path: Path) -> None:
    expected = solve(CONTEXT, DATA, NETWORK, TRAINING, checkpoints=[0, 2])
    expected.set_checkpoint(0)
    assert equal(weights_of(expected.network), expected.result.initial)
    keeping = Context(3, None, torch.device("cpu"), tmp_path / "states")

    def stop(row: dict[str, Any]) -> None:
        if row["epoch"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        solve(keeping, DATA, NETWORK, TRAINING, checkpoints=[0, 2], on_epoch=stop)
    assert len(list((tmp_path / "states").iterdir())) == 1
    epochs: list[int] = []
    resumed = solve(
        keeping, DATA, NETWORK, TRAINING, checkpoints=[0, 2],
        on_epoch=lambda row: epochs.append(row["epoch"]),
    )  # fmt: skip
    assert epochs == [3]
    assert equal(resumed.result.weights, expected.result.weights)


def test_without_checkpoints_the_state_of_a_short_training_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping = Context(3, None, torch.device("cpu"), tmp_path / "states")
    solve(keeping, DATA, NETWORK, TRAINING)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(trainer, "STATE_SECONDS", 0.0)
    # Whoever watches needs every row, so nothing is to be resumed.
    solve(keeping, DATA, NETWORK, TRAINING, on_epoch=lambda row: None)
    assert list(tmp_path.iterdir()) == []
    solve(keeping, DATA, NETWORK, TRAINING)
    assert len(list((tmp_path / "states").iterdir())) == 1


@pytest.mark.parametrize(
    ("checkpoints", "changes", "sentence"),
    [
        ([1, 2], {}, r"'checkpoints' is \[1, 2\]: give ascending epochs, 0 first"),
        ([0], {}, "give ascending epochs"),
        ([0, 3, 2], {}, "give ascending epochs"),
        ([0, 2], {"stop_at_loss": 0.1}, "'training' has stop_at_loss"),
        ([0, 4], {}, "snapshot is asked for at epoch 4"),
    ],
)
def test_checkpoints_that_training_may_not_reach_are_refused(
    checkpoints: list[int], changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(GengapError, match=sentence):
        solve(CONTEXT, DATA, NETWORK, TRAINING | changes, checkpoints=checkpoints)


def test_an_unknown_key_of_the_recipe_is_named() -> None:
    with pytest.raises(GengapError, match="Unknown key 'epoch' in a recipe"):
        recipe_for(CONTEXT, {"epoch": 3})


def test_a_network_made_elsewhere_starts_from_a_file(tmp_path: Path) -> None:
    code = "from torch import nn\n\ndef small():\n    return nn.Sequential(nn.Linear(2, 2))\n"
    (tmp_path / "nets.py").write_text(code)
    pretrained = torch.nn.Sequential(torch.nn.Linear(2, 2)).state_dict()
    torch.save(pretrained, tmp_path / "small.pth")
    data = load_dataset(CONTEXT, {"name": "moons", "train_size": 20, "test_size": 4})
    network = {"factory": f"{tmp_path / 'nets.py'}:small"}
    training = {"epochs": 1, "batch_size": 3}
    solution = solve(CONTEXT, data, network, training, start=tmp_path / "small.pth")
    first = next(iter(solution.result.initial.values()))
    assert torch.equal(first, pretrained["0.weight"])
    assert not torch.equal(next(iter(solution.result.weights.values())), first)
