"""``gengap reference`` and ``gengap predict``: what they print, and their exit status."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.prediction.conftest import MakeTask, fitted_network, make_task, pool

from gengap.cli import main
from gengap.datasets import Split, write_split
from gengap.names import PREDICTION_COLUMNS
from gengap.networks import write_weights
from gengap.prediction import Reference

__all__ = ["make_task"]


@pytest.fixture
def hand(tmp_path: Path) -> tuple[str, str, str, str]:
    """The arguments of a network in hand: spec, weights, and its data."""
    from tests.prediction.conftest import SPEC

    network, train = fitted_network(700, pool().take(np.arange(60, 100)), 4.0)
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    write_weights(network, tmp_path / "weights.safetensors")
    write_split(train, tmp_path / "train.safetensors")
    names = ("spec.json", "weights.safetensors", "train.safetensors")
    spec, weights, data = (str(tmp_path / name) for name in names)
    return spec, weights, "--data", data


def test_a_reference_is_written_and_predicts(
    make_task: MakeTask,
    hand: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    task, file = make_task(), tmp_path / "r.safetensors"
    assert main(["reference", str(task), "--output", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "networks of small, on 3 draw(s) of the training data" in printed
    assert "coverage" in printed
    assert Reference.load(file).tasks == ("small",)
    assert main(["predict", "--reference", str(file), *hand, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert tuple(row) == PREDICTION_COLUMNS
    assert row["verdict"] == "predicted"
    assert row["low"] <= row["gap"] <= row["high"]
    # A folder is frozen on the fly.
    assert main(["predict", "--reference", str(task), *hand]) == 0
    printed = capsys.readouterr().out
    assert f"gap of accuracy: {row['gap']:.3f}, 90 % interval {row['low']:.3f} to" in printed
    assert f"predicted test accuracy: {1 - row['gap']:.3f}" in printed
    given = ["--hyper-parameters", '{"size": 1, "rate": 1}']
    assert main(["predict", "--reference", str(file), *hand, *given]) == 0
    assert main(["reference", str(task), "--output", "r.npz"]) == 1
    assert "does not end in .safetensors" in capsys.readouterr().err


@pytest.mark.slow
def test_a_refusal_has_a_status_of_its_own(
    make_task: MakeTask,
    hand: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = pool().take(np.arange(40))
    other = Split(data.inputs + np.float32(2), data.labels, 3)
    write_split(other, tmp_path / "other.safetensors")
    command = ["predict", "--reference", str(make_task()), *hand[:2], "--data"]
    command.append(str(tmp_path / "other.safetensors"))
    assert main([*command, "--json"]) == 3
    row = json.loads(capsys.readouterr().out)
    assert row["gap"] is None
    assert row["verdict"] == "declined"
    assert "training data are not the reference's" in row["reason"]
    assert main(command) == 3
    said, reason = capsys.readouterr().out.splitlines()[:2]
    assert said == "declined: no gap is predicted (--force predicts it all the same)"
    assert reason.startswith("Its training data")
    assert main([*command, "--force"]) == 0
    printed = capsys.readouterr()
    assert "forced" in printed.out
    assert "training data are not the reference's" in printed.err


@pytest.mark.slow
def test_too_small_a_reference_is_a_refusal(
    make_task: MakeTask,
    hand: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    task = str(make_task(points=6))
    assert main(["predict", "--reference", task, *hand]) == 3
    assert "needs at least 20" in capsys.readouterr().out
    assert main(["reference", task]) == 0
    assert "It predicts nothing" in capsys.readouterr().out


def test_weights_and_data_are_needed(
    make_task: MakeTask,
    hand: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["predict", "--reference", str(make_task())]
    for words in ([hand[0], *hand[2:]], list(hand[:2])):
        with pytest.raises(SystemExit) as stopped:
            main([*command, *words])
        assert stopped.value.code == 2
        assert "a prediction needs the" in capsys.readouterr().err
