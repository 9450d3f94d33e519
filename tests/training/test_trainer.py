"""The trainer against closed forms, and what it promises about seeds, stopping and starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.networks import Network, build, convolutional, weights_of, write_weights
from gengap.seeding import generator, torch_generator
from gengap.training import (
    Recipe,
    TrainingResult,
    corrupt_labels,
    loss_and_accuracy,
    train,
    trainer,
)
from gengap.training.trainer import batches

IMAGE = [8, 8, 1]
CNN = convolutional(IMAGE, 3, width=4, depth=2, dropout=0.2, batch_normalisation=True)


def linear(features: int, outputs: int) -> Network:
    layer = {"layer_name": "Dense", "units": outputs}
    return build({"model_config": [layer], "input_shape": [features]})


def points(n: int = 40, features: int = 3, classes: int = 2) -> Split:
    """Gaussian clouds on the axes, far enough apart for a linear network."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % classes
    inputs = 3.0 * np.eye(features)[labels] + 0.7 * rng.normal(size=(n, features))
    return Split(inputs.astype(np.float32), labels, classes)


def images(n: int = 50) -> Split:
    rng = np.random.default_rng(0)
    return Split(rng.random((n, *IMAGE)).astype(np.float32), np.arange(n) % 3, 3)


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return list(first) == list(second) and all(torch.equal(first[k], second[k]) for k in first)


def affine(weights: dict[str, torch.Tensor]) -> np.ndarray:
    """Weights of a linear network with the bias as the last column, in float64."""
    kernel, bias = weights["dense_0.weight"], weights["dense_0.bias"]
    return torch.cat([kernel, bias[:, None]], 1).double().numpy()


def test_linear_regression_follows_the_iteration_and_reaches_the_normal_equations() -> None:
    """Full-batch gradient descent on (f(x) - y)^2, y = -1 or +1: w -= 2 lr X'(Xw - y)/n."""
    data = points(60)
    network = linear(3, 1)
    recipe = Recipe(loss="mse", learning_rate=0.05, momentum=0.0, batch_size=60, epochs=1200)
    result = train(network, data, recipe, snapshots=[1, 2, 10])
    x = np.c_[data.inputs.astype(np.float64), np.ones(60)]
    y = 2.0 * data.labels - 1.0
    w = affine(result.initial)[0]
    for epoch in range(1, 11):
        w = w - 0.05 * 2.0 / 60 * x.T @ (x @ w - y)
        if epoch in result.snapshots:
            np.testing.assert_allclose(affine(result.snapshots[epoch])[0], w, atol=1e-5)
            loss = result.history[epoch - 1]["train_loss"]
            assert loss == pytest.approx(np.mean((x @ w - y) ** 2), rel=1e-4)
    solution = np.linalg.lstsq(x, y, rcond=None)[0]
    np.testing.assert_allclose(affine(result.weights)[0], solution, atol=1e-3)


def test_softmax_regression_with_momentum_and_decay_follows_the_iteration() -> None:
    """Gradient of the mean cross-entropy: (softmax - one-hot)' x / n; v = m v + g + decay w."""
    data = points(30, classes=3)
    recipe = Recipe(learning_rate=0.1, momentum=0.8, weight_decay=0.05, batch_size=30, epochs=6)
    result = train(linear(3, 3), data, recipe)
    x = np.c_[data.inputs.astype(np.float64), np.ones(30)]
    w = affine(result.initial)
    velocity = np.zeros_like(w)
    for _ in range(6):
        scores = np.exp(x @ w.T)
        residual = scores / scores.sum(1, keepdims=True) - np.eye(3)[data.labels]
        velocity = 0.8 * velocity + residual.T @ x / 30 + 0.05 * w
        w = w - 0.1 * velocity
    np.testing.assert_allclose(affine(result.weights), w, atol=1e-5)


def test_minibatches_pass_over_everything_once_in_the_seeds_order() -> None:
    data = points(25)
    recipe = Recipe(loss="mse", learning_rate=0.02, momentum=0.0, batch_size=8, epochs=2, seed=4)
    result = train(linear(3, 1), data, recipe)
    x = np.c_[data.inputs.astype(np.float64), np.ones(25)]
    y = 2.0 * data.labels - 1.0
    w = affine(result.initial)[0]
    order = torch_generator(4, "order")
    for _ in range(2):
        shuffled = torch.randperm(25, generator=order).numpy()
        assert sorted(shuffled) == list(range(25))
        for batch in (shuffled[:8], shuffled[8:16], shuffled[16:]):
            w = w - 0.02 * 2.0 * x[batch].T @ (x[batch] @ w - y[batch]) / len(batch)
    np.testing.assert_allclose(affine(result.weights)[0], w, atol=1e-5)


@pytest.mark.parametrize(
    ("n", "size", "lengths"),
    [(10, 3, [3, 3, 4]), (10, 4, [4, 4, 2]), (3, 1, [1, 1, 1]), (1, 4, [1]), (5, 9, [5])],
)
def test_a_rest_of_one_joins_the_batch_before(n: int, size: int, lengths: list[int]) -> None:
    parts = batches(torch.arange(n), size)
    assert [len(part) for part in parts] == lengths
    assert torch.equal(torch.cat(parts), torch.arange(n))


EVERYTHING: dict[str, Any] = {
    "epochs": 3,
    "batch_size": 16,
    "augmentation": ("crop", "flip"),
    "label_corruption": 0.2,
    "seed": 7,
}


@pytest.mark.parametrize("optimiser", ["sgd", "adam", "adamw"])
def test_same_recipe_same_bytes_whatever_the_global_state(optimiser: str, tmp_path: Path) -> None:
    recipe = Recipe(**EVERYTHING, optimiser=optimiser, learning_rate=0.01)
    contents = []
    for run in range(2):
        torch.manual_seed(run)
        state = torch.get_rng_state()
        result = train(build(CNN), images(), recipe)
        assert torch.equal(state, torch.get_rng_state())
        write_weights(result.weights, tmp_path / f"{run}.safetensors")
        contents.append((tmp_path / f"{run}.safetensors").read_bytes())
        contents.append(repr(result.history).encode())
    assert contents[0] == contents[2]
    assert contents[1] == contents[3]


def test_bytes_do_not_depend_on_how_the_array_lies_in_memory() -> None:
    data = images()
    recipe = Recipe(**EVERYTHING)
    wanted = train(build(CNN), data, recipe)
    added_axis = Split(data.inputs[..., 0].copy()[..., None], data.labels, 3)
    fortran = Split(np.asfortranarray(data.inputs), data.labels, 3)
    for other in (added_axis, fortran):
        found = train(build(CNN), other, recipe)
        assert same(found.weights, wanted.weights)
        assert found.history == wanted.history


@pytest.mark.parametrize(
    "change", [{"seed": 8}, {"augmentation": ()}, {"label_corruption": 0.0}, {"batch_size": 17}]
)
def test_every_choice_matters(change: dict[str, Any]) -> None:
    before = train(build(CNN), images(), Recipe(**EVERYTHING))
    after = train(build(CNN), images(), Recipe(**{**EVERYTHING, **change}))
    assert not same(before.weights, after.weights)
    assert same(before.initial, after.initial) == ("seed" not in change)


def test_the_result_tells_the_truth_about_the_network() -> None:
    network = build(CNN)
    data = images()
    recipe = Recipe(**EVERYTHING)
    rows: list[dict[str, Any]] = []
    result = train(network, data, recipe, snapshots=[0, 2, 3], on_epoch=rows.append)
    assert not network.training
    assert same(weights_of(network), result.weights)
    assert rows == result.history
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert set(result.snapshots) == {0, 2, 3}
    assert same(result.snapshots[0], result.initial)
    assert same(result.snapshots[3], result.weights)
    assert result.epochs == 3
    assert not result.reached_target
    assert (result.labels != data.labels).sum() == 10
    loss, accuracy = loss_and_accuracy(network, Split(data.inputs, result.labels, 3))
    assert (rows[-1]["train_loss"], rows[-1]["train_accuracy"]) == (loss, accuracy)


def test_snapshots_do_not_disturb_training() -> None:
    recipe = Recipe(**EVERYTHING)
    plain = train(build(CNN), images(), recipe)
    watched = train(build(CNN), images(), recipe, snapshots=[0, 1, 2, 3])
    assert same(plain.weights, watched.weights)
    assert not same(watched.snapshots[1], watched.snapshots[2])


def interrupted_after(epoch: int, recipe: Recipe, folder: Path) -> None:
    def stop(row: dict[str, Any]) -> None:
        if row["epoch"] == epoch:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(build(CNN), images(), recipe, snapshots=[0, 2, 4], on_epoch=stop, resume_from=folder)


@pytest.mark.parametrize(
    "change",
    [
        # So fast a fall of the learning rate that the schedule's own count matters.
        {"schedule": {"name": "plateau", "factor": 0.5, "patience": 1}, "learning_rate": 0.3},
        {"optimiser": "adam", "learning_rate": 0.01},
        {"optimiser": "adamw", "schedule": {"name": "cosine"}, "learning_rate": 0.01},
        {"schedule": {"name": "step", "every": 3, "factor": 0.5}},
    ],
    ids=lambda change: (
        change.get("optimiser", "sgd") + "_" + change.get("schedule", {}).get("name", "constant")
    ),
)
@pytest.mark.parametrize("epoch", [2, 3, 4])
def test_an_interrupted_training_ends_as_an_undisturbed_one(
    change: dict[str, Any], epoch: int, tmp_path: Path
) -> None:
    """Momentum, schedule, batches, crops, flips and dropout go on from the last snapshot."""
    recipe = Recipe(**{**EVERYTHING, "epochs": 6, **change})
    wanted = train(build(CNN), images(), recipe, snapshots=[0, 2, 4])
    interrupted_after(epoch, recipe, tmp_path)
    rows: list[dict[str, Any]] = []
    network = build(CNN)
    found = train(
        network,
        images(),
        recipe,
        snapshots=[0, 2, 4],
        on_epoch=rows.append,
        resume_from=tmp_path,
    )
    assert [row["epoch"] for row in rows] == ([3, 4, 5, 6] if epoch < 4 else [5, 6])
    assert same(found.weights, wanted.weights)
    assert same(weights_of(network), wanted.weights)
    assert same(found.initial, wanted.initial)
    assert found.history == wanted.history
    assert list(found.snapshots) == [0, 2, 4]
    assert all(same(found.snapshots[at], wanted.snapshots[at]) for at in (0, 2, 4))
    assert (found.labels == wanted.labels).all()


def test_a_long_training_keeps_its_state_between_snapshots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(**{**EVERYTHING, "epochs": 6})
    wanted = train(build(CNN), images(), recipe)

    def stop(row: dict[str, Any]) -> None:
        if row["epoch"] == 4:
            raise KeyboardInterrupt

    short = tmp_path / "short"
    with pytest.raises(KeyboardInterrupt):
        train(build(CNN), images(), recipe, on_epoch=stop, resume_from=short)
    assert not short.exists()
    monkeypatch.setattr(trainer, "STATE_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        train(build(CNN), images(), recipe, on_epoch=stop, resume_from=tmp_path / "long")
    rows: list[dict[str, Any]] = []
    again: dict[str, Any] = {"on_epoch": rows.append, "resume_from": tmp_path / "long"}
    found = train(build(CNN), images(), recipe, **again)
    assert [row["epoch"] for row in rows] == [5, 6]
    assert same(found.weights, wanted.weights)
    assert found.history == wanted.history


def test_a_training_that_was_done_is_not_trained_again(tmp_path: Path) -> None:
    recipe = Recipe(batch_size=10, epochs=200, stop_at_loss=0.05)
    every = range(201)
    first = train(linear(3, 2), points(), recipe, snapshots=every, resume_from=tmp_path)
    rows: list[dict[str, Any]] = []
    again = train(
        linear(3, 2), points(), recipe, snapshots=every, on_epoch=rows.append, resume_from=tmp_path
    )
    assert rows == []
    assert again.reached_target
    assert again.history == first.history
    assert same(again.weights, first.weights)


@pytest.mark.parametrize("what", ["recipe", "data", "start", "network", "snapshots"])
def test_the_state_of_another_training_is_not_continued(what: str, tmp_path: Path) -> None:
    recipe = Recipe(**EVERYTHING)
    keywords: dict[str, Any] = {"snapshots": [1, 2]}
    train(build(CNN), images(), recipe, **keywords, resume_from=tmp_path)
    network, data = CNN, images()
    if what == "recipe":
        recipe = Recipe(**{**EVERYTHING, "learning_rate": 0.02})
    elif what == "data":
        data.inputs[0, 0, 0] += 1
    elif what == "start":
        keywords["start"] = train(build(CNN), data, Recipe(epochs=1)).weights
    elif what == "network":
        network = convolutional(IMAGE, 3, width=4, depth=2, dropout=0.3, batch_normalisation=True)
    else:
        keywords["snapshots"] = [1, 3]
    wanted = train(build(network), data, recipe, **keywords)
    found = train(build(network), data, recipe, **keywords, resume_from=tmp_path)
    assert same(found.weights, wanted.weights)
    assert list(found.snapshots) == keywords["snapshots"]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    recipe = Recipe(**EVERYTHING)
    train(build(CNN), images(), recipe, snapshots=[1], resume_from=tmp_path)
    (path,) = tmp_path.iterdir()
    for content in (path.read_bytes()[:500], b"", b"nothing"):
        path.write_bytes(content)
        with pytest.raises(GengapError, match=rf"{path.name} is not a readable state.*delete it"):
            train(build(CNN), images(), recipe, snapshots=[1], resume_from=tmp_path)


def test_corruption_is_by_the_seed_alone() -> None:
    data = points(30, classes=3)
    first = Recipe(label_corruption=0.5, epochs=1, seed=2)
    labels = [
        train(linear(3, 3), data, recipe).labels
        for recipe in (first, replace(first, batch_size=7, optimiser="adam"))
    ]
    assert (labels[0] == labels[1]).all()
    wanted = corrupt_labels(data.labels, 3, 0.5, generator(2, "label corruption"))
    assert (labels[0] == wanted).all()


def test_training_stops_at_the_first_epoch_below_the_target() -> None:
    recipe = Recipe(batch_size=10, epochs=200, stop_at_loss=0.05)
    result = train(linear(3, 2), points(), recipe)
    losses = [row["train_loss"] for row in result.history]
    assert result.reached_target
    assert result.epochs == len(losses) < 200
    assert losses[-1] <= 0.05 < min(losses[:-1])
    longer = train(linear(3, 2), points(), Recipe(batch_size=10, epochs=result.epochs))
    assert same(longer.weights, result.weights)


def test_an_unreached_target_uses_up_the_budget() -> None:
    result = train(linear(3, 2), points(), Recipe(epochs=4, stop_at_loss=0.0))
    assert (result.epochs, result.reached_target) == (4, False)


def test_training_stops_at_the_first_epoch_of_the_accuracy() -> None:
    recipe = Recipe(batch_size=10, epochs=200, stop_at_accuracy=1.0)
    result = train(linear(3, 2), points(), recipe)
    accuracies = [row["train_accuracy"] for row in result.history]
    assert result.reached_target
    assert accuracies[-1] == 1.0 > max(accuracies[:-1], default=0.0)
    both = train(linear(3, 2), points(), replace(recipe, stop_at_loss=0.05))
    assert both.history[-1]["train_loss"] <= 0.05 < both.history[-2]["train_loss"]
    assert both.epochs > result.epochs


def test_a_full_batch_is_the_whole_training_set() -> None:
    full = train(linear(3, 2), points(), Recipe(batch_size="full", epochs=3))
    number = train(linear(3, 2), points(), Recipe(batch_size=len(points().labels), epochs=3))
    assert same(full.weights, number.weights)


def test_start_weights_by_name_and_by_file(tmp_path: Path) -> None:
    recipe = Recipe(**EVERYTHING)
    first = train(build(CNN), images(), recipe)
    write_weights(first.initial, tmp_path / "start.safetensors")
    for start in (
        first.initial,
        tmp_path / "start.safetensors",
        str(tmp_path / "start.safetensors"),
    ):
        again = train(build(CNN), images(), recipe, start=start)
        assert same(again.initial, first.initial)
        assert same(again.weights, first.weights)
    assert not same(first.initial, first.weights)


def test_training_goes_on_from_where_it_stopped() -> None:
    """Full-batch descent without momentum has no memory: 3 + 4 epochs are 7."""
    recipe: dict[str, Any] = {"batch_size": 40, "momentum": 0.0}
    half = train(linear(3, 2), points(), Recipe(epochs=3, **recipe))
    rest = train(linear(3, 2), points(), Recipe(epochs=4, **recipe), start=half.weights)
    whole = train(linear(3, 2), points(), Recipe(epochs=7, **recipe))
    np.testing.assert_allclose(affine(rest.weights), affine(whole.weights), atol=1e-6)


def test_the_schedule_is_in_the_history() -> None:
    schedule = {"name": "step", "every": 2, "factor": 0.5}
    recipe = Recipe(epochs=5, learning_rate=0.4, schedule=schedule)
    result = train(linear(3, 2), points(), recipe)
    assert [row["learning_rate"] for row in result.history] == [0.4, 0.4, 0.2, 0.2, 0.1]


def test_a_schedule_of_several_steps_lowers_the_rate_after_each() -> None:
    schedule = {"name": "multistep", "milestones": [1, 3], "factor": 0.5}
    result = train(linear(3, 2), points(), Recipe(epochs=5, learning_rate=0.4, schedule=schedule))
    assert [row["learning_rate"] for row in result.history] == [0.4, 0.2, 0.2, 0.1, 0.1]


@pytest.mark.parametrize(
    ("loss", "outputs"),
    [(loss, outputs) for loss in ("cross_entropy", "mse", "hinge") for outputs in (1, 2)]
    + [("nll", 2)],
)
def test_every_loss_learns_separable_points(loss: str, outputs: int) -> None:
    activation = "softmax" if loss == "nll" else None
    layer = {"layer_name": "Dense", "units": outputs, "activation": activation}
    network = build({"model_config": [layer], "input_shape": [3]})
    result = train(network, points(), Recipe(loss=loss, batch_size=10, epochs=60))
    losses = [row["train_loss"] for row in result.history]
    assert losses[-1] < losses[0]
    assert result.history[-1]["train_accuracy"] >= 0.95


def test_dropout_and_batch_statistics_work_in_training_only() -> None:
    network = build(CNN)
    result = train(network, images(), Recipe(epochs=1))
    mean = next(name for name in result.weights if name.endswith("running_mean"))
    assert not result.initial[mean].any()
    assert result.weights[mean].any()
    inputs = torch.from_numpy(images().inputs)
    assert torch.equal(network(inputs), network(inputs))


def test_frozen_parameters_stay() -> None:
    network = linear(3, 2)
    network.get_parameter("dense_0.bias").requires_grad_(False)
    result = train(network, points(), Recipe(epochs=2, initialisation="torch"))
    assert torch.equal(result.weights["dense_0.bias"], result.initial["dense_0.bias"])
    assert not torch.equal(result.weights["dense_0.weight"], result.initial["dense_0.weight"])


def test_frozen_layers_keep_every_bit() -> None:
    """Neither decay, nor the scheme of initialisation, nor batch statistics touch them."""
    network = build(CNN)
    first = next(module for module in network.modules() if isinstance(module, torch.nn.Conv2d))
    norm = next(m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d))
    for module in (first, norm):
        module.requires_grad_(False)
    norm.running_mean.fill_(0.3)  # type: ignore[union-attr]
    before = weights_of(network)
    recipe = Recipe(epochs=2, batch_size=16, weight_decay=0.1, initialisation="he")
    result = train(network, images(), recipe)
    frozen = {id(value) for m in (first, norm) for value in (*m.parameters(), *m.buffers())}
    names = [
        name
        for name, value in (*network.named_parameters(), *network.named_buffers())
        if id(value) in frozen
    ]
    assert len(names) == 7
    assert all(torch.equal(before[name], result.weights[name]) for name in names)
    assert all(torch.equal(before[name], result.initial[name]) for name in names)
    others = [name for name, _ in network.named_parameters() if name not in names]
    assert not any(torch.equal(result.initial[name], result.weights[name]) for name in others)
    free = train(build(CNN), images(), recipe)
    assert all(torch.equal(free.initial[name], result.initial[name]) for name in others)


def test_a_frozen_normalisation_uses_its_running_statistics() -> None:
    """Of one frozen normalisation with mean 1 and a dense layer: the outputs of the first step."""
    layers = [
        {"layer_name": "BatchNormalization", "epsilon": 0.0},
        {"layer_name": "Dense", "units": 1},
    ]
    network = build({"model_config": layers, "input_shape": [2]})
    norm = next(m for m in network.modules() if isinstance(m, torch.nn.BatchNorm1d))
    norm.requires_grad_(False)
    norm.running_mean.fill_(1.0)  # type: ignore[union-attr]
    data = Split(np.array([[2, 0], [5, 1]], np.float32), np.array([1.0, 3.0], np.float32), 0)
    recipe = Recipe(loss="mse", learning_rate=0.1, momentum=0.0, batch_size=2, epochs=1)
    result = train(network, data, recipe)
    x = np.c_[data.inputs - 1.0, np.ones(2)]
    kernel, bias = result.initial["dense_1.weight"], result.initial["dense_1.bias"]
    w = torch.cat([kernel, bias[:, None]], 1).double().numpy()[0]
    w = w - 0.1 * 2 / 2 * x.T @ (x @ w - data.labels)
    np.testing.assert_allclose(result.weights["dense_1.weight"][0], w[:2], rtol=1e-5)


def test_regression_reaches_the_normal_equations_and_stops_at_a_loss() -> None:
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(50, 3)).astype(np.float32)
    targets = (inputs @ np.array([1.0, -2.0, 0.5]) + 3 + 0.1 * rng.normal(size=50)).astype(
        np.float32
    )
    data = Split(inputs, targets, 0)
    recipe = Recipe(loss="mse", learning_rate=0.1, momentum=0.0, batch_size=50, epochs=400)
    result = train(linear(3, 1), data, recipe)
    x = np.c_[inputs.astype(float), np.ones(50)]
    solution = np.linalg.lstsq(x, targets.astype(float), rcond=None)[0]
    np.testing.assert_allclose(affine(result.weights)[0], solution, atol=1e-4)
    residual = np.square(x @ solution - targets).mean()
    assert result.history[-1]["train_loss"] == pytest.approx(residual, rel=1e-3)
    assert np.isnan(result.history[-1]["train_accuracy"])
    assert result.labels.dtype == np.float32
    stopped = train(linear(3, 1), data, replace(recipe, stop_at_loss=0.5))
    assert stopped.reached_target
    assert stopped.history[-1]["train_loss"] <= 0.5 < stopped.history[-2]["train_loss"]


def test_what_numbers_and_frozen_networks_cannot_do() -> None:
    data = Split(points().inputs, np.ones(40, np.float32), 0)
    with pytest.raises(GengapError, match=r"cross_entropy takes classes.*use the loss mse"):
        train(linear(3, 1), data, Recipe())
    with pytest.raises(GengapError, match=r"label_corruption is 0\.1.*no other class"):
        train(linear(3, 1), data, Recipe(loss="mse", label_corruption=0.1))
    network = linear(3, 2)
    network.requires_grad_(False)
    with pytest.raises(GengapError, match="No parameter of the network is trainable"):
        train(network, points(), Recipe())


def diverging() -> TrainingResult:
    return train(linear(3, 1), points(), Recipe(loss="mse", learning_rate=1e6, epochs=50))


def test_divergence_names_the_learning_rate() -> None:
    with pytest.raises(GengapError, match=r"diverged.*learning_rate, now 1000000\.0"):
        diverging()


def test_bad_requests_are_refused_before_training() -> None:
    network = linear(3, 2)
    before = weights_of(network)
    with pytest.raises(GengapError, match=r"epoch 6.*5 epochs"):
        train(network, points(), Recipe(epochs=5), snapshots=[6])
    with pytest.raises(GengapError, match=r"crop.*images.*\[3\]"):
        train(network, points(), Recipe(augmentation=("crop",)))
    with pytest.raises(GengapError, match=r"\[3\], not \[4\]"):
        train(network, points(features=4), Recipe())
    with pytest.raises(GengapError, match=r"batch_size"):
        train(build(CNN), images(), Recipe(batch_size=1))
    with pytest.raises(GengapError, match=r"nll.*softmax"):
        train(network, points(), Recipe(loss="nll"))
    with pytest.raises(GengapError, match=r"2 outputs.*3 classes"):
        train(network, points(classes=3), Recipe())
    with pytest.raises(GengapError, match=r"given start weights.*dense_0\.bias"):
        train(network, points(), Recipe(), start={"dense_0.weight": torch.zeros(2, 3)})
    with pytest.raises(GengapError, match=r"nowhere\.safetensors"):
        train(network, points(), Recipe(), start=Path("nowhere.safetensors"))
    assert same(weights_of(network), before)
