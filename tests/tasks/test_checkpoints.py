"""Networks that are there already, as networks of a task: files, outcomes, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.tasks.checkpoints import adopt_network, read_labels, source_digest
from gengap.tasks.disagreements import disagreements
from gengap.tasks.folder import Metrics, TrainedNetwork
from gengap.tasks.outcomes import check_gap
from gengap.tasks.shards import ShardReceipt, make_network

MYNETS = """
from torch import nn
from layers import hidden

def make(width=8, outputs=3):
    return nn.Sequential(*hidden(4, width), nn.Linear(width, outputs))
"""
LAYERS = """
from torch import nn

def hidden(inputs, width):
    return nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.ReLU()
"""


def mine(width: int, outputs: int = 3) -> nn.Module:
    """The same network, made here."""
    return nn.Sequential(
        nn.Linear(4, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, outputs)
    )


def split(rows: int, seed: int, *, numbers: bool = False) -> Split:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(rows, 4)).astype(np.float32)
    targets = inputs.sum(1) if numbers else (inputs[:, :3].argmax(1)).astype(np.int64)
    return Split(inputs, targets, 0 if numbers else 3)


@pytest.fixture
def data() -> tuple[Split, Split]:
    return split(60, 0), split(40, 1)


@pytest.fixture
def entry(tmp_path: Path) -> dict[str, Any]:
    """A network whose final weights are known, with a running mean that is not zero."""
    (tmp_path / "mynets.py").write_text(MYNETS)
    (tmp_path / "layers.py").write_text(LAYERS)
    torch.manual_seed(3)
    network = mine(6)
    network(torch.randn(32, 4) + 1)
    torch.save(network.state_dict(), tmp_path / "final.pt")
    return {
        "name": "run 7",
        "files": {"weights": str(tmp_path / "final.pt")},
        "stated": {},
        "hyper_parameters": {"width": 6},
        "network": {"factory": f"{tmp_path / 'mynets.py'}:make", "keywords": {"width": 6}},
        "replicate": 1,
    }


def adopted(tmp_path: Path, entry: dict[str, Any], data: tuple[Split, Split]) -> TrainedNetwork:
    folder = tmp_path / "results" / "mine" / "networks" / "7"
    files = make_network(folder, "7", "digest", lambda: adopt_network(folder, entry, data))
    ShardReceipt(folder.parents[1], {"7": files}).write(folder.parents[1] / "shards" / "0.json")
    return TrainedNetwork("7", folder, Metrics.read(folder / "metrics.json"))


def outputs_of(entry: dict[str, Any], inputs: np.ndarray, outputs: int = 3) -> torch.Tensor:
    """What the user's own network computes."""
    network = mine(6, outputs)
    network.load_state_dict(torch.load(entry["files"]["weights"], weights_only=True))
    with torch.inference_mode():
        result: torch.Tensor = network.eval()(torch.from_numpy(inputs))
    return result


def test_it_is_rebuilt_from_its_folder_without_the_users_files(
    entry: dict[str, Any], data: tuple[Split, Split], tmp_path: Path
) -> None:
    expected = outputs_of(entry, data[1].inputs)
    network = adopted(tmp_path, entry, data)
    for path in tmp_path.glob("*.*"):
        path.unlink()
    with torch.inference_mode():
        torch.testing.assert_close(network.network()(torch.from_numpy(data[1].inputs)), expected)
    accuracies = [
        np.mean(outputs.argmax(1).numpy() == part.labels)
        for outputs, part in ((expected, data[1]),)
    ]
    assert network.metrics.test_accuracy == accuracies[0]
    assert network.metrics.test_loss == pytest.approx(
        float(nn.functional.cross_entropy(expected, torch.from_numpy(data[1].labels))), rel=1e-5
    )
    assert network.metrics.hyper_parameters == {"width": 6}
    assert (network.metrics.source_id, network.metrics.replicate) == ("run 7", 1)
    (code,) = (tmp_path / "results" / "mine" / "code").iterdir()
    assert sorted(path.name for path in code.iterdir()) == ["layers.py", "mynets.py"]


def test_without_initial_weights_it_says_so_and_with_them_has_them(
    entry: dict[str, Any], data: tuple[Split, Split], tmp_path: Path
) -> None:
    network = adopted(tmp_path, entry, data)
    receipt = ShardReceipt.read(tmp_path / "results" / "mine" / "shards" / "0.json")
    assert receipt.initial("7") is None
    with pytest.raises(GengapError, match="initial weights of network 7 are not known: add the"):
        network.initial()
    torch.manual_seed(5)
    initial = mine(6)
    torch.save(initial.state_dict(), tmp_path / "initial.pt")
    entry["files"]["initial"] = str(tmp_path / "initial.pt")
    other = adopted(tmp_path / "other", entry, data)
    weights = dict(other.initial().named_parameters())
    for name, tensor in initial.named_parameters():
        torch.testing.assert_close(weights[name], tensor)
    receipt = ShardReceipt.read(tmp_path / "other" / "results" / "mine" / "shards" / "0.json")
    assert receipt.initial("7") is not None


def test_what_is_stated_is_held_against_what_is_recomputed(
    entry: dict[str, Any], data: tuple[Split, Split], tmp_path: Path
) -> None:
    network = adopted(tmp_path / "first", entry, data)
    found = network.metrics
    assert found.test_accuracy is not None
    assert found.train_loss is not None
    entry["stated"] = {
        "train_accuracy": found.train_accuracy,
        "test_accuracy": found.test_accuracy - 0.006,
        "train_loss": found.train_loss + 0.004,
        "test_error": 3.0,
    }
    again = adopted(tmp_path / "second", entry, data)
    assert disagreements([network.folder]) == []
    assert disagreements([again.folder]) == [
        f"Network run 7 has test accuracy {found.test_accuracy:.4f}, recomputed from its weights "
        f"and data, but {found.test_accuracy - 0.006:.4f} is stated: its files may not belong "
        "together."
    ]
    # What is stated is not what is measured with.
    assert again.metrics == found


def test_labels_that_it_was_trained_on_take_the_place_of_the_datas(
    entry: dict[str, Any], data: tuple[Split, Split], tmp_path: Path
) -> None:
    labels = (data[0].labels + 1) % 3
    np.save(tmp_path / "labels.npy", labels)
    entry["files"]["labels"] = str(tmp_path / "labels.npy")
    network = adopted(tmp_path, entry, data)
    np.testing.assert_array_equal(network.train(data[0]).labels, labels)
    predicted = outputs_of(entry, data[0].inputs).argmax(1).numpy()
    assert network.metrics.train_accuracy == np.mean(predicted == labels)


def test_numbers_have_errors_in_the_place_of_accuracies(
    entry: dict[str, Any], tmp_path: Path
) -> None:
    data = split(60, 0, numbers=True), split(40, 1, numbers=True)
    torch.manual_seed(4)
    torch.save(mine(6, 1).state_dict(), entry["files"]["weights"])
    entry["network"]["keywords"]["outputs"] = 1
    metrics = adopted(tmp_path, entry, data).metrics
    assert metrics.train_accuracy is None
    squares = [
        np.mean((outputs_of(entry, part.inputs, 1).numpy()[:, 0] - part.labels) ** 2)
        for part in data
    ]
    assert [metrics.train_loss, metrics.test_loss] == pytest.approx(squares, rel=1e-5)
    assert [metrics.train_error, metrics.test_error] == pytest.approx(np.sqrt(squares), rel=1e-5)
    assert metrics.gap("error") == pytest.approx(float(np.diff(np.sqrt(squares))[0]), rel=1e-4)


def test_a_named_network_needs_no_code(data: tuple[Split, Split], tmp_path: Path) -> None:
    torch.manual_seed(2)
    network = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
    spec = {"template": "dense", "depth": 1, "width": 6}
    from gengap.networks import build, dense

    names = list(build(dense((4,), 3, width=6, depth=1)).state_dict())
    tensors = dict(zip(names, network.state_dict().values(), strict=True))
    torch.save({"state_dict": tensors}, tmp_path / "final.pt")
    entry = {
        "name": "7",
        "files": {"weights": str(tmp_path / "final.pt")},
        "stated": {},
        "hyper_parameters": {"width": 6},
        "network": spec,
        "replicate": 0,
    }
    made = adopted(tmp_path, entry, data)
    inputs = torch.from_numpy(data[1].inputs)
    with torch.inference_mode():
        torch.testing.assert_close(made.network()(inputs), network(inputs))
    assert made.metrics.source_id is None
    assert not (tmp_path / "results" / "mine" / "code").exists()
    assert "model_config" in json.loads((made.folder / "config.json").read_text())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda e: e["network"]["keywords"].update(width=7), r"final\.pt .* shape"),
        (lambda e: e["network"]["keywords"].update(wide=7), "mynets.py: make.*wide"),
        (lambda e: e["files"].update(labels=e["files"]["weights"]), "is not a readable .npy file"),
    ],
)
def test_files_that_do_not_fit_together_are_refused(
    change: Any, sentence: str, entry: dict[str, Any], data: tuple[Split, Split], tmp_path: Path
) -> None:
    change(entry)
    with pytest.raises(GengapError, match=sentence):
        adopted(tmp_path, entry, data)


def test_labels_may_be_names_and_nothing_else_that_is_no_class(tmp_path: Path) -> None:
    path = tmp_path / "labels.npy"
    named = Split(np.zeros((3, 2), np.float32), np.array([0, 1, 1]), 2, class_names=("1", "cat"))
    for given, expected in (
        (np.array(["cat", "1", "1"]), [1, 0, 0]),
        (np.array([0, 1, 0]), [0, 1, 0]),
        (np.array([1, 1, 1]), [0, 0, 0]),
    ):
        np.save(path, given)
        labels = read_labels(path, named)
        assert labels.tolist() == expected
        assert labels.dtype == np.int64
    for wrong in (np.array([0, 1, 2]), np.array([-1, 0, 0]), np.array(["dog"] * 3), np.ones(3) / 2):
        np.save(path, wrong)
        with pytest.raises(GengapError, match="holds labels that are none of the data's 2 classes"):
            read_labels(path, named)
    np.save(path, np.array([0, 1]))
    with pytest.raises(GengapError, match=r"labels of shape \(2,\) for 3 training inputs"):
        read_labels(path, named)
    numbers = Split(np.zeros((3, 2), np.float32), np.zeros(3, np.float32), 0)
    np.save(path, np.array([1, 2, 3]))
    assert read_labels(path, numbers).dtype == np.float32
    np.save(path, np.array([1, np.nan, 3]))
    with pytest.raises(GengapError, match="give finite numbers"):
        read_labels(path, numbers)


def test_the_digest_is_of_contents_not_of_places(entry: dict[str, Any], tmp_path: Path) -> None:
    first = source_digest(entry, "", "code")
    moved = tmp_path / "moved.pt"
    moved.write_bytes(Path(entry["files"]["weights"]).read_bytes())
    assert source_digest({**entry, "files": {"weights": str(moved)}}, "", "code") == first
    moved.write_bytes(b"other")
    assert source_digest({**entry, "files": {"weights": str(moved)}}, "", "code") != first
    assert source_digest({**entry, "hyper_parameters": {}}, "", "code") != first
    assert source_digest(entry, "mse", "code") != first
    assert source_digest(entry, "", "other") != first


def test_a_gap_that_the_targets_do_not_have_is_refused() -> None:
    classes, numbers = split(5, 0), split(5, 0, numbers=True)
    for gap, fitting, other in (("accuracy", classes, numbers), ("error", numbers, classes)):
        check_gap(gap, fitting)
        with pytest.raises(GengapError, match=f"'gap' is {gap}, but the targets of the data are"):
            check_gap(gap, other)
    for data in (classes, numbers):
        check_gap("loss", data)
        check_gap(None, data)


def test_a_keras_file_needs_no_more_than_itself(data: tuple[Split, Split], tmp_path: Path) -> None:
    keras = pytest.importorskip("tensorflow").keras
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(6, activation="relu"), keras.layers.Dense(3)]
    )
    path = str(tmp_path / "model.keras")
    model.save(path)
    entry = {
        "name": "7",
        "files": {"weights": path},
        "stated": {},
        "hyper_parameters": {},
        "network": {"keras": path},
        "replicate": 0,
    }
    made = adopted(tmp_path, entry, data)
    inputs = data[1].inputs
    with torch.inference_mode():
        outputs = made.network()(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(outputs, model(inputs), atol=1e-6)


def test_without_test_data_only_the_training_outcomes_are_known(
    entry: dict[str, Any], data: tuple[Split, Split], tmp_path: Path
) -> None:
    known, blind = tmp_path / "a" / "networks" / "0", tmp_path / "b" / "networks" / "0"
    adopt_network(known, entry, data)
    adopt_network(blind, entry, (data[0], None))
    before, after = (Metrics.read(folder / "metrics.json") for folder in (known, blind))
    assert (after.test_accuracy, after.test_loss) == (None, None)
    assert (after.train_accuracy, after.train_loss) == (before.train_accuracy, before.train_loss)
