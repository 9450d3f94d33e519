"""A zoo whose networks are trained together, against the same zoo trained one at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file
from tests.workflow.runs import REDUCED, Run

TASK = "results/reduced/task.json"


@pytest.fixture(scope="module")
def folder(snakemake: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that trains together."""
    folder = tmp_path_factory.mktemp("together")
    result = snakemake(folder, TASK, config=config_of(folder, together=True))
    assert result.returncode == 0, result.stderr
    return folder


def config_of(folder: Path, *, together: bool) -> Path:
    config = yaml.safe_load(REDUCED.read_text())
    # Shards of four, with all networks of one width, which varies fastest.
    config["tasks"][0]["zoo"]["grid"] = {"label_corruption": [0.0, 0.3], "width": [8, 16]}
    config["tasks"][0]["zoo"]["training"]["together"] = together
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


@pytest.mark.slow
def test_networks_agree_and_the_setting_trains_them_anew(snakemake: Run, folder: Path) -> None:
    results = folder / "results" / "reduced"
    shards = [json.loads((results / "shards" / f"{n}.json").read_text()) for n in range(2)]
    assert [list(shard["networks"]) for shard in shards] == [list("0145"), list("2367")]
    joint = read(results)
    result = snakemake(folder, TASK, config=config_of(folder, together=False))
    assert result.returncode == 0, result.stderr
    alone = read(results)
    assert list(joint) == list(alone) == list("01234567")
    for network, (metrics, weights, digest) in joint.items():
        expected, others, digest_alone = alone[network]
        assert digest != digest_alone
        assert metrics.pop("train_loss") == pytest.approx(expected.pop("train_loss"), rel=1e-3)
        assert metrics.pop("test_loss") == pytest.approx(expected.pop("test_loss"), rel=1e-3)
        assert metrics == expected
        for name, values in weights.items():
            assert values == pytest.approx(others[name], rel=1e-2, abs=1e-4)


def read(results: Path) -> dict[str, tuple[dict[str, Any], dict[str, np.ndarray], str]]:
    """Return metrics, weights and the digest of every network."""
    folders = sorted(path for path in (results / "networks").iterdir() if path.name.isdigit())
    return {
        path.name: (
            json.loads((path / "metrics.json").read_text()),
            load_file(path / "weights.safetensors"),
            json.loads((path / "receipt.json").read_text())["digest"],
        )
        for path in folders
    }
