"""The task folder: what is written is read, and what is broken is said."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gengap import tasks
from gengap.datasets import Split, write_split
from gengap.errors import GengapError
from gengap.tasks.folder import Metrics, TrainedNetwork, trained_on


def metrics(width: int, train: float = 1.0, test: float = 0.9) -> Metrics:
    return Metrics({"width": width}, train_accuracy=train, test_accuracy=test, epochs=3)


def test_metrics_round_trip(tmp_path: Path) -> None:
    written = metrics(4, 0.975, 0.5)
    written.write(tmp_path / "metrics.json")
    assert Metrics.read(tmp_path / "metrics.json") == written


def test_a_task_is_read_as_it_was_gathered(tmp_path: Path) -> None:
    entries = {str(i): metrics(width, 1.0, 1.0 - i / 20) for i, width in enumerate([4, 8] * 6)}
    tasks.write_task(tmp_path / "task.json", "zoo", {"width": [4, 8]}, entries)
    task = tasks.load(tmp_path)
    assert task.name == "zoo"
    assert list(task.networks) == [str(i) for i in range(12)]
    np.testing.assert_allclose(task.gaps(), np.arange(12) / 20)
    assert task.gaps().index[10] == "10"
    assert list(task.hyper_parameters()["width"]) == [4, 8] * 6
    assert task.networks["3"].folder == tmp_path / "networks" / "3"


def test_a_task_of_accuracies_is_written_as_ever(tmp_path: Path) -> None:
    tasks.write_task(tmp_path / "task.json", "zoo", {"width": [4]}, {"0": metrics(4)})
    assert json.loads((tmp_path / "task.json").read_text()) == {
        "name": "zoo",
        "grid": {"width": [4]},
        "networks": {
            "0": {
                "hyper_parameters": {"width": 4},
                "train_accuracy": 1.0,
                "test_accuracy": 0.9,
                "train_loss": None,
                "test_loss": None,
                "epochs": 3,
                "replicate": 0,
                "source_id": None,
            }
        },
    }


@pytest.mark.parametrize(
    ("given", "gap_of", "gaps"),
    [(None, "loss", [0.25, 0.5]), ("loss", "loss", [0.25, 0.5]), ("error", "error", [0.125, 2.0])],
)
def test_gaps_of_losses_and_errors_are_test_less_train(
    given: str | None, gap_of: str, gaps: list[float], tmp_path: Path
) -> None:
    entries = {
        str(position): Metrics(
            {}, None, None, train_loss=1.0, test_loss=1.0 + loss, train_error=1.0,
            test_error=1.0 + error,
        )
        for position, (loss, error) in enumerate([(0.25, 0.125), (0.5, 2.0)])
    }  # fmt: skip
    tasks.write_task(tmp_path / "task.json", "mine", {}, entries, gap_of=given)
    task = tasks.load(tmp_path)
    assert task.gap_of == gap_of
    assert list(task.gaps()) == gaps
    assert list(task.training_outcomes()) == [1.0, 1.0]
    assert list(task.outcomes()) == [f"train_{gap_of}", f"test_{gap_of}"]
    assert task.hyper_parameters().shape == (2, 0)
    assert list(task.hyper_parameters().index) == ["0", "1"]
    assert task.networks["1"].metrics == entries["1"]


def test_a_gap_that_no_network_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GengapError, match="No network of task 'zoo' has a training err"):
        tasks.write_task(tmp_path / "task.json", "zoo", {}, {"0": metrics(4)}, gap_of="error")
    assert np.isnan(metrics(4).gap("loss"))


def test_a_hyper_parameter_outside_the_grid_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GengapError, match=r"Network 0 of task 'zoo' has width = 5.*\[4, 8\]"):
        tasks.write_task(tmp_path / "task.json", "zoo", {"width": [4, 8]}, {"0": metrics(5)})
    with pytest.raises(GengapError, match=r"'zoo' has no network that was trained"):
        tasks.write_task(tmp_path / "task.json", "zoo", {"width": [4, 8]}, {})
    assert not (tmp_path / "task.json").exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, r"is no folder of a task, for it has no task\.json: name one, such as"),
        ("{", r"task\.json is not valid JSON"),
        ("[]", r"task\.json is not a JSON object"),
    ],
)
def test_a_broken_task_file_is_named(tmp_path: Path, content: str | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / "task.json").write_text(content)
    with pytest.raises(GengapError, match=sentence):
        tasks.load(tmp_path)


def test_metrics_with_a_missing_key_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps({"hyper_parameters": {}, "train_accuracy": 1.0}))
    with pytest.raises(GengapError, match=r"metrics\.json: key 'test_accuracy' is missing"):
        Metrics.read(path)


def test_labels_replace_those_of_the_split(tmp_path: Path) -> None:
    split = Split(np.zeros((3, 2), np.float32), np.array([0, 1, 2]), 3)
    np.save(tmp_path / "labels.npy", np.array([2, 2, 0]))
    assert list(trained_on(split, tmp_path / "labels.npy").labels) == [2, 2, 0]
    np.save(tmp_path / "labels.npy", np.array([2, 2]))
    with pytest.raises(GengapError, match=r"labels\.npy holds \(2,\) labels for 3"):
        trained_on(split, tmp_path / "labels.npy")
    (tmp_path / "labels.npy").write_bytes(b"not an array")
    with pytest.raises(GengapError, match=r"labels\.npy is not a readable"):
        trained_on(split, tmp_path / "labels.npy")


def test_rows_choose_the_inputs_that_labels_belong_to(tmp_path: Path) -> None:
    pool = Split(np.arange(8, dtype=np.float32).reshape(4, 2), np.array([0, 1, 2, 1]), 3)
    labels, rows = tmp_path / "labels.npy", tmp_path / "rows.npy"
    np.save(labels, np.array([2, 2]))
    np.save(rows, np.array([3, 0]))
    drawn = trained_on(pool, labels, rows)
    assert drawn.inputs.tolist() == [[6, 7], [0, 1]]
    assert drawn.labels.tolist() == [2, 2]
    network = TrainedNetwork("0", tmp_path, metrics(4))
    assert network.has_own_draw
    assert network.train(pool).inputs.tolist() == drawn.inputs.tolist()
    for wrong in ([0, 4], [-1, 0], [0.0, 1.0], [[0, 1]], []):
        np.save(rows, np.array(wrong))
        with pytest.raises(GengapError, match=r"rows\.npy does not hold rows of the 4 training"):
            trained_on(pool, labels, rows)


def test_draws_are_named_by_replicate_where_there_are_several(tmp_path: Path) -> None:
    entries = {
        str(i): Metrics({"width": 4 * (i // 2 + 1)}, 1.0, 0.5, replicate=i % 2) for i in range(4)
    }
    tasks.write_task(tmp_path / "task.json", "zoo", {"width": [4, 8]}, entries)
    task = tasks.load(tmp_path)
    assert task.data_draws() is None
    for name in entries:
        (tmp_path / "networks" / name).mkdir(parents=True)
        np.save(tmp_path / "networks" / name / "rows.npy", np.array([0]))
    draws = task.data_draws()
    assert draws is not None
    assert draws.to_dict() == {
        "0": "replicate 0", "1": "replicate 1", "2": "replicate 0", "3": "replicate 1"
    }  # fmt: skip
    one = {name: entry for name, entry in entries.items() if entry.replicate == 0}
    tasks.write_task(tmp_path / "task.json", "zoo", {"width": [4, 8]}, one)
    assert tasks.load(tmp_path).data_draws() is None


def fit(folder: Path, labels: list[int], **changes: Any) -> TrainedNetwork:
    np.save(folder / "labels.npy", np.array(labels))
    known: dict[str, Any] = {
        "train_accuracy": 1.0, "test_accuracy": 0.5, "train_loss": 0.01, "test_loss": 1.0,
        "epochs": 7,
    }  # fmt: skip
    return TrainedNetwork("0", folder, Metrics({}, **(known | changes)))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"reached_target": True}, None),
        ({"reached_target": False, "train_loss": 0.25}, "target loss in 7 epochs .* loss is 0.25"),
        ({"test_accuracy": None}, r"its gap is not finite \(nan\)"),
        ({"train_loss": float("nan")}, r"its training loss is not finite \(nan\)"),
        ({"test_loss": float("inf")}, r"its test loss is not finite \(inf\)"),
        # 40 of 100 are of the largest class: 0.4 + 2 sqrt(0.4 * 0.6 / 100) = 0.498.
        ({"train_accuracy": 0.5}, None),
        ({"train_accuracy": 0.49}, "accuracy of 0.49 is that of guessing .* has a share of 0.4"),
    ],
)
def test_networks_that_never_trained_are_unfit(
    changes: dict[str, Any], reason: str | None, tmp_path: Path
) -> None:
    network = fit(tmp_path, [0] * 40 + [1] * 30 + [2] * 30, **changes)
    told = network.unfit()
    if reason is None:
        assert told is None
    else:
        assert told is not None
        assert re.search(reason, told)


def test_a_gap_of_losses_needs_no_accuracy_to_be_fit(tmp_path: Path) -> None:
    metrics = Metrics({}, None, None, train_loss=0.5, test_loss=1.0)
    assert TrainedNetwork("0", tmp_path, metrics, "loss").unfit() is None
    worse = Metrics({}, None, None, train_loss=0.5, test_loss=float("inf"))
    assert TrainedNetwork("0", tmp_path, worse, "loss").unfit() == "its gap is not finite (inf)"


def test_a_task_lists_its_unfit_networks(tmp_path: Path) -> None:
    entries = {
        "0": metrics(4),
        "1": Metrics({"width": 8}, 1.0, 0.5, 1.5, epochs=3, reached_target=False),
    }
    tasks.write_task(tmp_path / "task.json", "zoo", {"width": [4, 8]}, entries)
    for name in entries:
        (tmp_path / "networks" / name).mkdir(parents=True)
        np.save(tmp_path / "networks" / name / "labels.npy", np.arange(10))
    reason = "it did not reach its target loss in 3 epochs (its training loss is 1.5)"
    task = tasks.load(tmp_path)
    assert task.unfit() == task.left_out("leave_out") == {"1": reason}
    assert task.left_out("keep") == {}


def test_errors_of_gaps_are_those_of_a_mean_over_the_test_set(tmp_path: Path) -> None:
    correct = np.arange(40) % 8 != 0
    entries = {"0": metrics(4, 1.0, float(correct.mean())), "1": metrics(4, 1.0, 1.0)}
    tasks.write_task(tmp_path / "task.json", "zoo", {"width": [4]}, entries)
    (tmp_path / "dataset").mkdir()
    split = Split(np.zeros((40, 1), np.float32), np.arange(40) % 2, 2)
    write_split(split, tmp_path / "dataset" / "test.safetensors")
    errors = tasks.load(tmp_path).gap_errors()
    assert errors is not None
    np.testing.assert_allclose(errors, [correct.std() / np.sqrt(40), 0])
    assert list(errors.index) == ["0", "1"]
    losses = {"0": Metrics({}, 1.0, 0.5, train_loss=0.5, test_loss=1.0)}
    tasks.write_task(tmp_path / "task.json", "zoo", {}, losses, gap_of="loss")
    assert tasks.load(tmp_path).gap_errors() is None


def test_a_history_is_read_and_one_that_is_missing_or_broken_is_refused(tmp_path: Path) -> None:
    network = TrainedNetwork("3", tmp_path, metrics(4))
    with pytest.raises(GengapError, match=r"history of network 3 is not known .* trained here"):
        network.history()
    path = tmp_path / "history.csv"
    path.write_text("epoch,train_loss\n1,0.5\n2,0.25\n")
    assert network.history()["train_loss"].tolist() == [0.5, 0.25]
    for content in ("", "epoch,train_loss\n", "epoch,loss\n1,2\n"):
        path.write_text(content)
        with pytest.raises(GengapError, match=r"history\.csv (is not a readable|does not hold)"):
            network.history()


def test_gaps_need_not_be_known(tmp_path: Path) -> None:
    metrics = {"0": Metrics({}, 0.9, None), "1": Metrics({}, 0.8, None)}
    tasks.write_task(tmp_path / "task.json", "blind", {}, metrics)
    task = tasks.load(tmp_path)
    assert task.gaps().isna().all()
    assert list(task.training_outcomes()) == [0.9, 0.8]
