"""A zoo whose replicates are each trained on a draw of their own, from the pool to its measures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors import safe_open
from sklearn.datasets import load_digits
from tests.workflow.runs import REDUCED, Run, planned
from tests.workflow.test_reruns import weights_by_network

from gengap import tasks
from gengap.activations import choose_inputs, sample
from gengap.datasets import draw_rows
from gengap.measures import Subject, compute
from gengap.seeding import generator
from gengap.topology import draw_diagrams, read_diagrams
from gengap.training import loss_and_accuracy

pytestmark = pytest.mark.slow

SIZE = 60
DATASET = {
    "from": "mine.npz", "train_size": SIZE, "test_size": 0.3, "balanced": True,
    "resample": "replicate",
}  # fmt: skip


def config_of(folder: Path, dataset: dict[str, Any] = DATASET, **zoo: Any) -> Path:
    """The reduced config with draws of a user's own data, which lie beside it."""
    images, labels = load_digits(n_class=4, return_X_y=True)
    np.savez(folder / "mine.npz", inputs=images.astype(np.float32), labels=labels)
    config = yaml.safe_load(REDUCED.read_text())
    config["tasks"][0]["zoo"] |= {"dataset": dataset, **zoo}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def drawn(snakemake: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with draws, up to the measures of its task."""
    folder = tmp_path_factory.mktemp("drawn")
    wanted = ("results/reduced/measures.csv", "results/reduced/curvature/3.npz")
    result = snakemake(folder, *wanted, config=config_of(folder))
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="module")
def task(drawn: Path) -> tasks.Task:
    return tasks.load(drawn / "results" / "reduced")


def test_each_replicate_has_its_own_rows_at_every_point_of_the_grid(task: tasks.Task) -> None:
    draws = task.data_draws()
    assert draws is not None
    assert list(draws) == ["replicate 0", "replicate 1"] * 4
    pool = task.train
    assert len(pool.labels) > 2 * SIZE
    rows = {name: np.load(network.folder / "rows.npy") for name, network in task.networks.items()}
    for name, network in task.networks.items():
        expected = draw_rows(pool, SIZE, network.metrics.replicate, balanced=True, seed=0)
        np.testing.assert_array_equal(rows[name], expected)
        assert set(np.bincount(pool.labels[rows[name]])) == {SIZE // 4}
    assert len(np.union1d(rows["0"], rows["1"])) == 2 * SIZE


def test_no_test_input_is_in_the_pool(task: tasks.Task) -> None:
    pool = {row.tobytes() for row in task.train.inputs}
    assert len(pool) == len(task.train.inputs)
    assert pool.isdisjoint({row.tobytes() for row in task.test.inputs})


def test_the_pool_names_its_source(task: tasks.Task) -> None:
    sources = set()
    for part in ("train", "test"):
        with safe_open(task.folder / "dataset" / f"{part}.safetensors", "numpy") as file:
            sources.add(json.loads(file.metadata()["gengap.split"])["source"])
    assert [len(source) for source in sources] == [64]


def test_every_stage_sees_the_rows_of_the_network_alone(task: tasks.Task) -> None:
    network = task.networks["3"]
    own = network.train(task.train)
    assert own.inputs.shape == (SIZE, 64)
    loss, accuracy = loss_and_accuracy(network.network(), own)
    assert accuracy == network.metrics.train_accuracy
    assert loss == pytest.approx(network.metrics.train_loss)
    with np.load(task.folder / "curvature" / "3.npz") as curvature:
        assert float(curvature["loss"]) == pytest.approx(loss, rel=1e-4)

    measured = pd.read_csv(task.folder / "measures.csv", dtype={"network": str})
    measured = measured[(measured["network"] == "3") & (measured["family"] == "baseline")]
    subject = Subject(
        network.network(), network.initial(), own, generator(0, "reduced", "baseline"),
        loss="cross_entropy",
    )  # fmt: skip
    values = compute("baseline", subject)
    assert set(measured["measure"]) == set(values)
    for _, row in measured.iterrows():
        assert row["value"] == pytest.approx(values[row["measure"]], rel=1e-5), row["measure"]

    seen = sample(
        network.network(),
        choose_inputs(own, 50, generator(0, "reduced", "inputs")),
        neurons=16,
        draws=2,
        rng=generator(0, "reduced", "activations"),
    )
    diagrams, _ = read_diagrams(task.folder / "topology" / "diagrams" / "0.npz", "3")
    for expected, stored in zip(draw_diagrams(seen, max_dim=1), diagrams, strict=True):
        for births_and_deaths, written in zip(expected, stored, strict=True):
            np.testing.assert_allclose(births_and_deaths, written, rtol=1e-5, atol=1e-6)


def test_results_do_not_depend_on_shards(drawn: Path, snakemake: Run, tmp_path: Path) -> None:
    path = config_of(tmp_path)
    config = yaml.safe_load(path.read_text())
    config["tasks"][0]["networks_per_job"] = 8
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    result = snakemake(tmp_path, "results/reduced/measures.csv", config=path, cores=1)
    assert result.returncode == 0, result.stderr
    for name in ("measures.csv", "standard_errors.csv", "task.json", "networks/3/rows.npy"):
        expected = (drawn / "results" / "reduced" / name).read_bytes()
        assert (tmp_path / "results" / "reduced" / name).read_bytes() == expected, name
    weights = [
        {name: content for name, (content, _) in weights_by_network(folder).items()}
        for folder in (tmp_path, drawn)
    ]
    assert weights[0] == weights[1]


def test_a_further_replicate_trains_only_its_own_networks(
    drawn: Path, snakemake: Run, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(drawn, run)
    kept = weights_by_network(run)
    after = config_of(run, replicates=3)
    result = snakemake(run, "results/reduced/task.json", config=after)
    assert result.returncode == 0, result.stderr
    grown = weights_by_network(run)
    assert len(grown) == 12
    assert {name: grown[name] for name in kept} == kept

    # Larger draws come from the same pool, but no network is what it was.
    larger = config_of(run, DATASET | {"train_size": SIZE + 4}, replicates=3)
    assert planned(snakemake(run, "-n", config=larger).stdout)["train"] == 3
    result = snakemake(run, "results/reduced/task.json", config=larger)
    assert result.returncode == 0, result.stderr
    assert not {weights for weights, _ in weights_by_network(run).values()} & {
        weights for weights, _ in grown.values()
    }


def test_a_pool_that_is_too_small_is_refused_before_anything_is_trained(
    snakemake: Run, tmp_path: Path
) -> None:
    config = config_of(tmp_path, DATASET | {"train_size": 504})
    result = snakemake(tmp_path, "results/reduced/task.json", config=config)
    assert result.returncode != 0
    log = (tmp_path / "results" / "reduced" / "logs" / "dataset.log").read_text()
    assert "A replicate is to draw train_size=504 samples from a pool of" in log
    assert not (tmp_path / "results" / "reduced" / "dataset" / "train.safetensors").exists()
