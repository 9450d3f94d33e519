"""A zoo's networks: specs, checks before training, training to the files of the task folder."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import load_file

from gengap.datasets import Split, load
from gengap.errors import GengapError
from gengap.names import TEST_LABELS
from gengap.planning.grid import canonical_point
from gengap.tasks import zoo
from gengap.tasks.folder import Metrics, TrainedNetwork
from gengap.tasks.timing import mean_seconds

RECIPE = {"optimiser": "adam", "learning_rate": 0.01, "batch_size": 32, "epochs": 4}
POINT = {"width": 4, "label_corruption": 0.25, "replicate": 0}


@pytest.fixture(scope="module")
def data() -> tuple[Split, Split]:
    digits = load("digits", train_size=160, test_size=200, balanced=True, seed=0)
    return digits.train, digits.test


def trained(folder: Path, data: tuple[Split, Split], **changes: Any) -> TrainedNetwork:
    point = POINT | changes
    zoo.ZooNetwork.of(
        folder,
        {"template": "convolutional", "depth": 1, "width": point["width"]},
        RECIPE | {"label_corruption": point["label_corruption"]},
        point,
        data,
        seed=0,
    ).train()
    return TrainedNetwork("0", folder, Metrics.read(folder / "metrics.json"))


def test_the_folder_of_a_trained_network_tells_what_happened(
    data: tuple[Split, Split], tmp_path: Path
) -> None:
    network = trained(tmp_path, data)
    train, test = data
    own = network.train(train)
    assert np.sum(own.labels != train.labels) == 40
    with torch.inference_mode():
        on_train = network.network()(torch.from_numpy(train.inputs)).argmax(1).numpy()
        on_test = network.network()(torch.from_numpy(test.inputs)).argmax(1).numpy()
    assert network.metrics.train_accuracy == np.mean(on_train == own.labels)
    assert network.metrics.test_accuracy == np.mean(on_test == test.labels)
    assert network.gap == np.mean(on_train == own.labels) - np.mean(on_test == test.labels)
    assert network.metrics.hyper_parameters == {"width": 4, "label_corruption": 0.25}
    assert len(network.history()) == network.metrics.epochs == 4
    assert network.history()["train_loss"].iloc[-1] < network.history()["train_loss"].iloc[0]
    moved = [
        not torch.equal(first, last)
        for first, last in zip(
            network.initial().parameters(), network.network().parameters(), strict=True
        )
    ]
    assert all(moved)


def test_the_same_point_gives_the_same_bytes_and_another_seed_does_not(
    data: tuple[Split, Split], tmp_path: Path
) -> None:
    trained(tmp_path / "a", data)
    trained(tmp_path / "b", data)
    trained(tmp_path / "c", data, replicate=1)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == [
        "config.json", "history.csv", "labels.npy", "metrics.json", "weights.safetensors",
        "weights_init.safetensors",
    ]  # fmt: skip
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    for name in ("weights_init.safetensors", "weights.safetensors", "labels.npy"):
        assert (tmp_path / "a" / name).read_bytes() != (tmp_path / "c" / name).read_bytes()


def test_a_network_with_a_draw_of_its_own_sees_only_its_rows(
    data: tuple[Split, Split], tmp_path: Path
) -> None:
    rows = np.array([5, 150, 8, 33, 71, 90, 12, 140])
    pool, test = data
    network_keys, point = {"template": "dense", "width": 4, "depth": 1}, {"replicate": 0}
    zoo.ZooNetwork.of(tmp_path / "drawn", network_keys, RECIPE, point, data, 0, rows=rows).train()
    alone = pool.take(rows), test
    zoo.ZooNetwork.of(tmp_path / "alone", network_keys, RECIPE, point, alone, 0).train()
    files = {path.name for path in (tmp_path / "drawn").iterdir()}
    assert files - {path.name for path in (tmp_path / "alone").iterdir()} == {"rows.npy"}
    for path in (tmp_path / "alone").iterdir():
        assert path.read_bytes() == (tmp_path / "drawn" / path.name).read_bytes()
    network = TrainedNetwork(
        "0", tmp_path / "drawn", Metrics.read(tmp_path / "drawn" / "metrics.json")
    )
    np.testing.assert_array_equal(network.train(pool).inputs, pool.inputs[rows])
    np.testing.assert_array_equal(network.train(pool).labels, pool.labels[rows])


def test_the_target_loss_is_recorded_where_there_is_one(
    data: tuple[Split, Split], tmp_path: Path
) -> None:
    network = {"template": "dense", "width": 4, "depth": 1}
    for target, reached in ((None, None), (100.0, True), (1e-6, False)):
        training = RECIPE | {"epochs": 1, "stop_at_loss": target}
        zoo.ZooNetwork.of(tmp_path, network, training, {"replicate": 0}, data, 0).train()
        assert Metrics.read(tmp_path / "metrics.json").reached_target is reached


def test_test_labels_are_corrupted_like_the_training_labels_if_asked_for(
    data: tuple[Split, Split], tmp_path: Path
) -> None:
    _, test = data
    network, point = {"template": "dense", "width": 8, "depth": 1}, {"replicate": 0}
    for name, fraction in (("clean", 0.5), ("corrupted", 0.5), ("corrupted", 0.0)):
        folder = tmp_path / f"{name} {fraction}"
        training = RECIPE | {"label_corruption": fraction}
        zoo.ZooNetwork.of(folder, network, training, point, data, 0, test_labels=name).train()
    clean, corrupted, none = (
        TrainedNetwork("0", tmp_path / name, Metrics.read(tmp_path / name / "metrics.json"))
        for name in ("clean 0.5", "corrupted 0.5", "corrupted 0.0")
    )
    # What is learnt is the same, and so is what it is learnt from.
    for name in ("weights.safetensors", "labels.npy"):
        assert (clean.folder / name).read_bytes() == (corrupted.folder / name).read_bytes()
    assert clean.metrics.train_accuracy == corrupted.metrics.train_accuracy
    with torch.inference_mode():
        classes = clean.network()(torch.from_numpy(test.inputs)).argmax(1).numpy()
    assert clean.metrics.test_accuracy == np.mean(classes == test.labels)
    # Half of the 200 labels are wrong; of those predictions hit one of nine wrong classes.
    accuracy = corrupted.metrics.test_accuracy
    assert accuracy is not None
    hit = np.mean(classes == test.labels)
    assert abs(accuracy - (0.5 * hit + 0.5 * (1 - hit) / 9)) < 4 * np.sqrt(0.25 / 200)
    assert accuracy != clean.metrics.test_accuracy
    with torch.inference_mode():
        classes = none.network()(torch.from_numpy(test.inputs)).argmax(1).numpy()
    assert none.metrics.test_accuracy == np.mean(classes == test.labels)


def test_test_labels_are_those_of_the_schema(root: Path) -> None:
    schema = yaml.safe_load((root / "workflow" / "schemas" / "config.schema.yaml").read_text())
    assert tuple(schema["$defs"]["zoo"]["properties"]["test_labels"]["enum"]) == TEST_LABELS
    assert zoo.CORRUPTED in TEST_LABELS


def test_how_a_number_is_written_changes_no_network(
    data: tuple[Split, Split], tmp_path: Path
) -> None:
    trained(tmp_path / "a", data, label_corruption=0.0)
    trained(tmp_path / "b", data, label_corruption=0, width=4.0)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("key", "given", "expected"),
    [
        ("label_corruption", 0, "0.0"),
        ("label_corruption", 0.1, "0.1"),
        ("learning_rate", 1, "1.0"),
        ("dropout", 0, "0.0"),
        ("weight_decay", 0.0, "0.0"),
        ("momentum", 0, "0.0"),
        ("kept", 1, "1.0"),
        ("stop_at_loss", None, "None"),
        ("width", 32.0, "32"),
        ("width", 32, "32"),
        ("depth", 2.5, "2.5"),
        ("batch_size", 32.0, "32"),
        ("epochs", 3.0, "3"),
        ("batch_normalisation", False, "False"),
        ("nesterov", True, "True"),
        ("dropout", True, "True"),
        ("template", "dense", "'dense'"),
    ],
)
def test_values_have_the_type_of_their_key(key: str, given: Any, expected: str) -> None:
    assert repr(canonical_point({key: given})[key]) == expected


def test_the_seeds_of_the_default_zoo_are_those_of_its_config_as_written(root: Path) -> None:
    grid = yaml.safe_load((root / "config.yaml").read_text())["tasks"][0]["zoo"]["grid"]
    for values in itertools.product(*grid.values()):
        point = dict(zip(grid, values, strict=True))
        assert repr(canonical_point(point)) == repr(point)


@pytest.mark.parametrize(
    ("network", "training", "sentence"),
    [
        ({"template": "conv"}, {}, r"Unknown network template 'conv'"),
        ({"template": "dense", "width": 4, "depth": 1, "knobs": 2}, {}, r"'dense'.*knobs"),
        ({"model_config": [{"layer_name": "Konv"}]}, {}, r"Konv"),
        ({"architecture": "lenett"}, {}, r"lenett"),
        ({"width": 3}, {}, r"'template', an 'architecture' or a 'model_config'"),
        ({"template": "dense", "width": 4, "depth": 1}, {"loss": "l1"}, r"loss is 'l1'"),
        (
            {"model_config": [{"layer_name": "Flatten"}, {"layer_name": "Dense", "units": 7}]},
            {},
            r"shape \(7,\) for 10 classes: make its last layer a Dense layer of 10 units",
        ),
    ],
)
def test_a_point_that_cannot_work_is_refused_before_training(
    data: tuple[Split, Split],
    network: dict[str, Any],
    training: dict[str, Any],
    sentence: str,
) -> None:
    with pytest.raises(GengapError, match=sentence):
        zoo.check(network, RECIPE | training, data[0])


@pytest.mark.parametrize(
    "network",
    [
        {"template": "convolutional", "width": 4, "depth": 2},
        {"template": "dense", "width": 8, "depth": 2, "dropout": 0.1},
        {"architecture": "lenet"},
        {"model_config": [{"layer_name": "Flatten"}, {"layer_name": "Dense", "units": 10}]},
    ],
)
def test_every_way_to_name_a_network_passes_the_check(
    data: tuple[Split, Split], network: dict[str, Any]
) -> None:
    zoo.check(network, RECIPE, data[0])


def test_divergence_is_said_with_the_learning_rate(
    data: tuple[Split, Split], tmp_path: Path
) -> None:
    with pytest.raises(GengapError, match=r"diverged.*learning_rate"):
        zoo.ZooNetwork.of(
            tmp_path / "0",
            {"template": "dense", "width": 8, "depth": 2},
            {"optimiser": "sgd", "learning_rate": 1e12, "epochs": 5},
            {"width": 8, "replicate": 0},
            data,
            seed=0,
        ).train()
    assert not (tmp_path / "0").exists()


def test_a_network_of_numbers_has_errors_and_no_accuracies(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(80, 5)).astype(np.float32)
    whole = Split(inputs, inputs.sum(1), 0)
    data = whole.take(slice(0, 50)), whole.take(slice(50, 80))
    network = {"template": "dense", "depth": 1, "width": 8}
    recipe = {**RECIPE, "loss": "mse"}
    zoo.check(network, recipe, data[0])
    zoo.ZooNetwork.of(tmp_path, network, recipe, {"width": 8, "replicate": 0}, data, seed=0).train()
    made = TrainedNetwork("0", tmp_path, Metrics.read(tmp_path / "metrics.json"), "error")
    with torch.inference_mode():
        outputs = [made.network()(torch.from_numpy(part.inputs))[:, 0].numpy() for part in data]
    squares = [np.mean((z - part.labels) ** 2) for z, part in zip(outputs, data, strict=True)]
    assert made.metrics.train_accuracy is None
    assert [made.metrics.train_loss, made.metrics.test_loss] == pytest.approx(squares, rel=1e-5)
    assert made.gap == pytest.approx(float(np.sqrt(squares[1]) - np.sqrt(squares[0])), rel=1e-4)
    assert made.history()["train_accuracy"].isna().all()
    with pytest.raises(
        GengapError, match="The loss cross_entropy takes classes, but the targets a"
    ):
        zoo.check(network, RECIPE, data[0])
    with pytest.raises(GengapError, match="for numbers: make its last layer a Dense layer of 1 un"):
        zoo.check({"model_config": [{"layer_name": "Dense", "units": 3}]}, recipe, data[0])


def layer(kind: str, /, **keywords: Any) -> dict[str, Any]:
    return {"layer_name": kind, **keywords}


@pytest.mark.slow
def test_a_vision_transformer_learns_digits(data: tuple[Split, Split], tmp_path: Path) -> None:
    network = {"architecture": "vit", "width": 32, "depth": 2, "heads": 4, "patch": 2}
    recipe = {"optimiser": "adam", "learning_rate": 0.004, "batch_size": 16, "epochs": 20}
    zoo.check(network, recipe, data[0])
    zoo.ZooNetwork.of(tmp_path, network, recipe, {"patch": 2, "replicate": 0}, data, seed=0).train()
    trained = TrainedNetwork("0", tmp_path, Metrics.read(tmp_path / "metrics.json"))
    assert trained.metrics.train_accuracy is not None
    assert trained.metrics.train_accuracy > 0.9
    with torch.inference_mode():
        classes = trained.network()(torch.from_numpy(data[1].inputs)).argmax(1).numpy()
    assert trained.metrics.test_accuracy == np.mean(classes == data[1].labels)


def test_series_and_tokens_are_trained_on(tmp_path: Path) -> None:
    rng = np.random.default_rng([8, 1])
    labels = rng.integers(2, size=80)
    tokens = 3 * labels[:, None] + rng.integers(3, size=(80, 5))
    series = (rng.normal(size=(80, 12, 2)) + 2 * labels[:, None, None]).astype(np.float32)
    embedding = layer("Embedding", input_dim=6, output_dim=4)
    dense = layer("Dense", units=2)
    networks = {
        "series": [layer("Conv1D", filters=4, kernel_size=3, activation="relu"),
                   layer("GlobalMaxPooling1D"), dense],
        "tokens": [embedding, layer("LSTM", units=4), dense],
        "one output": [embedding, layer("LSTM", units=4), layer("Dense", units=1)],
    }  # fmt: skip
    recipe = {"optimiser": "adam", "learning_rate": 0.05, "batch_size": 20, "epochs": 15}
    for name, layers in networks.items():
        split = Split(series if name == "series" else tokens, labels, 2)
        network = {"model_config": layers}
        zoo.check(network, recipe, split)
        folder = tmp_path / name
        zoo.ZooNetwork.of(folder, network, recipe, {"replicate": 0}, (split, split), seed=0).train()
        accuracy = Metrics.read(folder / "metrics.json").train_accuracy
        assert accuracy is not None, name
        assert accuracy > 0.9, name


def test_tokens_and_networks_of_numbers_do_not_go_together() -> None:
    tokens = Split(np.ones((4, 5), np.int64), np.arange(4) % 2, 2)
    with pytest.raises(GengapError, match="takes float32 inputs, but the data hold int64"):
        zoo.check({"template": "dense", "width": 2, "depth": 1}, RECIPE, tokens)
    vectors = Split(np.ones((4, 5), np.float32), np.arange(4) % 2, 2)
    layers = [layer("Embedding", input_dim=6, output_dim=4), layer("Flatten"),
              layer("Dense", units=2)]  # fmt: skip
    with pytest.raises(GengapError, match="takes int64 inputs, but the data hold float32"):
        zoo.check({"model_config": layers}, RECIPE, vectors)


OWN_NETWORK = """
import torch
from torch import nn


class Net(nn.Module):
    # A parameter of its own beside its layers, which no scheme of the library draws.
    def __init__(self, width=4):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(1) + 0.5)
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU())
        self.head = nn.Linear(width, 10)

    def forward(self, images):
        return self.head(self.scale * self.body(images))
"""


def test_networks_of_a_factory_are_trained_from_what_its_code_draws(
    data: tuple[Split, Split], tmp_path: Path
) -> None:
    (tmp_path / "mynets.py").write_text(OWN_NETWORK)
    factory = f"{tmp_path}/mynets.py:Net"
    network = {"factory": factory, "keywords": {"width": 16}, "layout": "channels_first"}
    recipe = {**RECIPE, "initialisation": "own", "epochs": 10}
    zoo.check(network, recipe, data[0])
    starts: list[dict[str, np.ndarray]] = []
    for replicate in (0, 1, 0):
        folder = tmp_path / "task" / "networks" / str(len(starts))
        point = {"width": 16, "replicate": replicate}
        zoo.ZooNetwork.of(folder, network, recipe, point, data, seed=0).train()
        starts.append(load_file(folder / "weights_init.safetensors"))
    assert np.array_equal(starts[0]["head.weight"], starts[2]["head.weight"])
    assert not np.array_equal(starts[0]["head.weight"], starts[1]["head.weight"])
    # As torch draws them: uniform, within 1/sqrt(fan_in).
    assert 0.2 < np.abs(starts[0]["head.weight"]).max() <= 0.25
    (tmp_path / "mynets.py").unlink()
    trained = TrainedNetwork("0", folder, Metrics.read(folder / "metrics.json"))
    with torch.inference_mode():
        classes = trained.network()(torch.from_numpy(data[0].inputs)).argmax(1).numpy()
    accuracy = np.mean(classes == data[0].labels)
    assert trained.metrics.train_accuracy == accuracy
    assert accuracy > 0.5
    assert trained.network().state_dict()["scale"] != starts[0]["scale"]


def test_a_factory_that_does_not_fit_the_data_is_refused(
    data: tuple[Split, Split], tmp_path: Path
) -> None:
    (tmp_path / "mynets.py").write_text(OWN_NETWORK.replace("width, 10", "width, 7"))
    network = {"factory": f"{tmp_path}/mynets.py:Net", "layout": "channels_first"}
    with pytest.raises(GengapError, match=r"gives outputs of shape \(7,\) for 10 classes"):
        zoo.check(network, RECIPE, data[0])
    (tmp_path / "mynets.py").write_text(OWN_NETWORK)
    with pytest.raises(GengapError, match="has parameters that cannot be initialised"):
        zoo.ZooNetwork.of(
            tmp_path / "t" / "networks" / "0", network, RECIPE, {"replicate": 0}, data, seed=0
        ).train()


def test_training_is_timed_by_one_epoch(data: tuple[Split, Split]) -> None:
    dataset = {"name": "digits", "train_size": 160, "test_size": 200}
    entries = [{"network": {"template": "dense", "width": 4, "depth": 1}, "training": recipe}
               for recipe in (RECIPE, {**RECIPE, "epochs": 400})]  # fmt: skip
    short, long = (mean_seconds(dataset, None, [entry], data_dir=None, seed=0) for entry in entries)
    assert 10 < long / short < 1000
