"""A zoo on a user's own arrays, which a config in another folder names by a relative path."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.datasets import load_digits
from tests.workflow.runs import REDUCED, Run, planned

from gengap.datasets import read_split

pytestmark = pytest.mark.slow

BOARD = "results/reduced/evaluation/leaderboard.csv"
NAMES = np.array(["zero", "one", "two", "three"])


def written(folder: Path) -> Path:
    """Digits of four classes, channels first and with names as labels, and a config beside them."""
    images, labels = load_digits(n_class=4, return_X_y=True)
    pixels = (images * 15.9).astype(np.uint8).reshape(-1, 1, 8, 8)
    folder.mkdir()
    np.savez(folder / "mine.npz", x=pixels, y=NAMES[labels])
    config = yaml.safe_load(REDUCED.read_text())
    config["tasks"][0]["zoo"]["dataset"] = {
        "from": "mine.npz", "inputs": "x", "labels": "y", "train_size": 80, "test_size": 0.3
    }  # fmt: skip
    config["tasks"][0]["networks_per_job"] = 8
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config | {"families": ["baseline"]}, sort_keys=False))
    return path


def test_a_zoo_of_ones_own_data_gets_a_leaderboard(snakemake: Run, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    config = written(here / "project")
    result = snakemake(here / "run", BOARD, config=config)
    assert result.returncode == 0, result.stderr
    task = here / "run" / "results" / "reduced"
    train = read_split(task / "dataset" / "train.safetensors")
    test = read_split(task / "dataset" / "test.safetensors")
    assert train.class_names == test.class_names == ("one", "three", "two", "zero")
    assert train.inputs.shape == (80, 8, 8, 1)
    assert len(test.labels) == 216  # three tenths of 720
    assert "are taken to be NCHW" in (task / "logs" / "dataset.log").read_text()
    leaderboard = pd.read_csv(here / "run" / BOARD)
    assert "parameter_count" in set(leaderboard["measure"])

    # The same content elsewhere is the same data; another content is not.
    moved = here.rename(tmp_path / "there")
    project, run = moved / "project", moved / "run"
    data, config = project / "mine.npz", project / "config.yaml"
    same = snakemake(run, "-n", BOARD, config=config)
    assert "Nothing to be done" in same.stdout + same.stderr, same.stdout
    arrays = dict(np.load(data))
    arrays["x"][0, 0, 0, 0] ^= 1
    np.savez(data, **arrays)
    stale = snakemake(run, "-n", BOARD, config=config)
    assert planned(stale.stdout + stale.stderr)["dataset"] == 1
    data.unlink()
    absent = snakemake(run, "-n", BOARD, config=config)
    assert absent.returncode != 0
    assert (
        "names '../project/mine.npz' as 'from', but there is no file"
        in absent.stdout + absent.stderr
    )
