"""Bad input: one clear sentence, as early as possible, and no half-written result."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.numpy import load_file, save_file
from tests.workflow.runs import REDUCED, Run

from gengap.datasets.catalogue.mnist import MNIST

pytestmark = pytest.mark.slow

SEVEN_OUTPUTS = [{"layer_name": "Flatten"}, {"layer_name": "Dense", "units": 7}]

Change = Callable[[dict[str, Any]], Any]


def with_change(folder: Path, change: Change) -> Path:
    """The reduced config after a change."""
    config = yaml.safe_load(REDUCED.read_text())
    change(config)
    path = folder / "changed.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def zoo(config: dict[str, Any]) -> dict[str, Any]:
    return config["tasks"][0]["zoo"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c.update(sead=1), "'sead' was unexpected"),
        (lambda c: zoo(c)["grid"].update(width=[8, 8]), "The grid's 'width' is [8, 8]"),
        (lambda c: c.update(data_dir="absent"), "'data_dir' is 'absent', which is no folder"),
    ],
)
def test_a_config_that_cannot_work_is_refused_before_any_job(
    change: Change, sentence: str, snakemake: Run, tmp_path: Path
) -> None:
    result = snakemake(tmp_path, "-n", config=with_change(tmp_path, change))
    assert result.returncode != 0
    said = [line for line in (result.stdout + result.stderr).splitlines() if sentence in line]
    assert len(said) == 1, result.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda c: zoo(c).update(
                network={
                    "model_config": [{"layer_name": "Flatten"}, {"layer_name": "Dense", "units": 7}]
                }
            ),
            "make its last layer a Dense layer of 10 units",
        ),
        (lambda c: zoo(c)["dataset"].update(train_size=9999), "digits"),
    ],
)
def test_a_network_or_dataset_that_cannot_be_made_stops_the_run(
    change: Change, sentence: str, snakemake: Run, tmp_path: Path
) -> None:
    config = yaml.safe_load(REDUCED.read_text())
    zoo(config)["grid"] = {"label_corruption": [0.0, 0.3], "learning_rate": [0.01, 0.02]}
    zoo(config)["network"]["width"] = 8
    config["tasks"][0]["correlate_within"] = None
    path = tmp_path / "changed.yaml"
    change(config)
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    result = snakemake(tmp_path, cores=1, config=path)
    assert result.returncode != 0
    said = [
        line for line in result.stderr.splitlines()
        if line.startswith("gengap ERROR") and sentence in line
    ]  # fmt: skip
    assert len(said) == 1, result.stderr
    assert not list((tmp_path / "results").rglob("metrics.json"))


@pytest.mark.parametrize("damage", ["truncated", "altered"])
def test_a_damaged_dataset_file_is_named(damage: str, snakemake: Run, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    # An official name promises the official content: the first file that is read is found out, the
    # altered one by its SHA-256 alone.
    for download in MNIST:
        size = download.file.size if damage == "altered" else 20
        (folder / download.file.name).write_bytes(
            gzip.compress(bytes(60000))[:20].ljust(size, b"\0")
        )

    def change(config: dict[str, Any]) -> None:
        zoo(config)["dataset"] = {"name": "mnist", "train_size": 50, "test_size": 50}
        config["data_dir"] = str(tmp_path / "data")

    config = with_change(tmp_path, change)
    target = "results/reduced/dataset/train.safetensors"
    result = snakemake(tmp_path, target, config=config)
    assert result.returncode != 0
    said = [line for line in result.stderr.splitlines() if line.startswith("gengap ERROR")]
    assert len(said) == 1
    assert "-ubyte.gz is damaged or not the official file" in said[0]
    assert not list((tmp_path / "results").rglob("*.safetensors"))


@pytest.fixture
def broken(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run in which network 3 has a weight that is not a number."""
    shutil.copytree(finished, tmp_path / "run")
    path = tmp_path / "run" / "results" / "reduced" / "networks" / "3" / "weights.safetensors"
    weights = load_file(path)
    name = next(name for name, tensor in weights.items() if tensor.dtype == np.float32)
    weights[name].flat[0] = np.nan
    save_file(weights, path)
    return tmp_path / "run"


def test_a_network_whose_weights_have_changed_is_left_out_and_listed(
    broken: Path, snakemake: Run
) -> None:
    # Eight networks are the least that the evaluation takes, so the table is as far as this goes.
    # What a job reads of a network is held against the receipt of its training.
    # Measures of the network as it was would be kept.
    shutil.rmtree(broken / "results" / "reduced" / "measures")
    forced = ("--forcerun", "activations")
    result = snakemake(broken, "results/reduced/measures.csv", *forced)
    assert result.returncode == 0, result.stderr
    failed = pd.read_csv(broken / "results" / "reduced" / "failed.csv", dtype=str)
    assert set(failed["network"]) == {"3"}
    assert failed["reason"].str.contains("weights.safetensors").all()
    measures = pd.read_csv(broken / "results" / "reduced" / "measures.csv", dtype=str)
    assert sorted(set(measures["network"])) == ["0", "1", "2", "4", "5", "6", "7"]

    refused = snakemake(broken, "results/reduced/evaluation/leaderboard.csv")
    assert refused.returncode != 0
    said = [line for line in refused.stderr.splitlines() if line.startswith("gengap ERROR")]
    assert len(said) == 1
    assert "7 networks" in said[0]
    results = broken / "results" / "reduced"
    assert not (results / "evaluation" / "leaderboard.csv").exists()
    assert not list(results.rglob(".part-*"))


def test_changed_weights_are_refused_where_failures_stop(broken: Path, snakemake: Run) -> None:
    target = "results/reduced/measures/0.json"
    config = with_change(broken, lambda c: c.update(failures="stop"))
    forced = ("--rerun-triggers", "mtime", "--forcerun", "measure")
    result = snakemake(broken, target, *forced, config=config)
    assert result.returncode != 0
    said = [line for line in result.stderr.splitlines() if line.startswith("gengap ERROR")]
    assert len(said) == 1
    assert "networks/3/weights.safetensors" in said[0]
    assert not (broken / target).exists()
    assert not list((broken / "results").rglob(".part-*"))


def test_failures_stop_makes_it_an_error(snakemake: Run, tmp_path: Path) -> None:
    def diverge(config: dict[str, Any]) -> None:
        config["failures"] = "stop"
        zoo(config)["training"] = {"optimiser": "sgd", "learning_rate": 1e12, "epochs": 5}

    result = snakemake(tmp_path, cores=1, config=with_change(tmp_path, diverge))
    assert result.returncode != 0
    said = [line for line in result.stderr.splitlines() if line.startswith("gengap ERROR")]
    assert len(said) == 1
    assert "diverged" in said[0]
    trained = list((tmp_path / "results").rglob("metrics.json"))
    assert len(trained) < 8


def test_a_read_only_results_folder_is_said_at_once(snakemake: Run, tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    # Root writes to any folder that is not immutable, and may not be allowed to make it so.
    immutable = (
        os.geteuid() == 0
        and shutil.which("chattr") is not None
        and subprocess.run(["chattr", "+i", str(results)], capture_output=True).returncode == 0
    )
    if not immutable:
        results.chmod(0o555)
    try:
        if os.access(results, os.W_OK) and not immutable:
            pytest.skip("this user may write to read-only folders")
        result = snakemake(tmp_path)
    finally:
        if immutable:
            subprocess.run(["chattr", "-i", str(results)], check=True)
        else:
            results.chmod(0o755)
    assert result.returncode != 0
    said = [
        line for line in (result.stdout + result.stderr).splitlines()
        if "Cannot write" in line and "writable" in line
    ]  # fmt: skip
    assert len(said) == 1, result.stderr
    assert list(results.iterdir()) == []


def test_without_the_packages_of_pgdl_nothing_is_trained_in_vain(
    snakemake: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['tensorflow'] = None")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    planned = snakemake(tmp_path, "ballester2023", "--dry-run", config=None)
    assert planned.returncode == 0, planned.stderr
    result = snakemake(tmp_path, "ballester2023", config=None)
    assert result.returncode != 0
    sentence = "cannot be read or written without tensorflow: install it by 'make pgdl'"
    assert sentence in result.stdout + result.stderr
    assert not list((tmp_path / "results").iterdir())
    # What needs none of them runs.
    data = "results/ballester2023/zoo_dense/dataset/train.safetensors"
    assert snakemake(tmp_path, data, config=None).returncode == 0
    assert (tmp_path / data).exists()
