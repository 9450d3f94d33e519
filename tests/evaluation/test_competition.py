"""Scoring folders of predictions, as a call and from the command line."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gengap.cli import main
from gengap.errors import GengapError
from gengap.evaluation import score_folder

REFERENCE: dict[str, Any] = {
    str(index): {
        "hparams": {
            "only": {"possible_values": [1], "current_value": 1},
            "width": {"possible_values": [1, 2], "current_value": 1 + index % 2},
        },
        "metrics": {"train_acc": index / 10, "test_acc": 0.0},
    }
    for index in range(6)
}


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """One measure that is the gap itself, for two tasks."""
    for task in ("task10", "task2"):
        (tmp_path / "reference" / task).mkdir(parents=True)
        (tmp_path / "reference" / task / "model_configs.json").write_text(json.dumps(REFERENCE))
        (tmp_path / "made" / "perfect").mkdir(parents=True, exist_ok=True)
        values = {
            f"model_{name}": model["metrics"]["train_acc"] for name, model in REFERENCE.items()
        }
        (tmp_path / "made" / "perfect" / f"{task}.predict").write_text(json.dumps(values))
    return tmp_path / "made", tmp_path / "reference"


def test_a_folder_of_measures_and_one_of_files_score_alike(folders: tuple[Path, Path]) -> None:
    predictions, reference = folders
    table = score_folder(predictions, reference)
    assert list(table["task"]) == ["task2", "task10"]
    assert list(table["measure"]) == ["perfect", "perfect"]
    assert list(table["networks"]) == [6, 6]
    assert table["score"].to_list() == pytest.approx([1.0, 1.0])
    pd.testing.assert_frame_equal(score_folder(predictions / "perfect", reference), table)


def test_published_folder(shared: Callable[[str], Path]) -> None:
    published = shared("pgdl/published")
    table = score_folder(published / "predictions", published / "reference_data")
    expected = pd.read_csv(published / "cmi.csv", index_col="measure")
    assert len(table) == 8
    for measure, task, score in zip(table["measure"], table["task"], table["score"], strict=True):
        assert score == pytest.approx(expected[task][measure], abs=1e-9)


def test_command_prints_scores_times_100(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", *map(str, folders)]) == 0
    table = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert list(table.columns) == ["measure", "task", "networks", "score"]
    assert table["score"].to_list() == pytest.approx([100.0, 100.0])


def test_command_fails_with_one_sentence_and_no_traceback(folders: tuple[Path, Path]) -> None:
    predictions, reference = folders
    (reference / "task2" / "model_configs.json").unlink()
    ran = subprocess.run(
        [sys.executable, "-m", "gengap", "score", str(predictions), str(reference)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr.startswith("error: ")
    assert "model_configs.json cannot be read" in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_bad_files_are_named(folders: tuple[Path, Path], tmp_path: Path) -> None:
    predictions, reference = folders
    file = predictions / "perfect" / "task2.predict"
    for content, message in (
        ('{"model_0": 1.0', r"task2\.predict is not valid JSON"),
        ("[1, 2]", r"task2\.predict is not a JSON object"),
        ('{"model_0": 1.0}', r"task2\.predict: Network 1 \(and 4 more\) has no prediction"),
    ):
        file.write_text(content)
        with pytest.raises(GengapError, match=message):
            score_folder(predictions, reference)
    empty = tmp_path / "empty"
    with pytest.raises(GengapError, match=r"empty holds no \.predict file"):
        score_folder(empty, reference)
