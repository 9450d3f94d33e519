"""The numbers of a finished run, each against a computation of its own."""

from __future__ import annotations

import csv
import html
import json
import re
import shutil
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from ripser import ripser
from scipy import stats
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from tests.workflow.runs import REDUCED, Run

from gengap import tasks
from gengap.activations import choose_inputs, sample
from gengap.evaluation.folds import repeated_folds
from gengap.seeding import derive, generator
from gengap.topology import read_diagrams

SEED = 0


@pytest.fixture(scope="module")
def task(finished: Path) -> tasks.Task:
    return tasks.load(finished / "results" / "reduced")


@pytest.fixture(scope="module")
def measures(finished: Path) -> pd.DataFrame:
    path = finished / "results" / "reduced" / "measures.csv"
    return pd.read_csv(path, dtype={"network": str, "component": str})


@pytest.fixture(scope="module")
def leaderboard(finished: Path) -> pd.DataFrame:
    return pd.read_csv(finished / "results" / "reduced" / "evaluation" / "leaderboard.csv")


def test_every_network_is_what_the_grid_says(task: tasks.Task) -> None:
    points = [
        (network.metrics.hyper_parameters["width"],
         network.metrics.hyper_parameters["label_corruption"],
         network.metrics.replicate)
        for network in task.networks.values()
    ]  # fmt: skip
    assert points == [(w, c, r) for w in (8, 16) for c in (0.0, 0.3) for r in (0, 1)]
    labels = task.train.labels
    for network in task.networks.values():
        fraction = np.mean(network.train(task.train).labels != labels)
        assert fraction == network.metrics.hyper_parameters["label_corruption"]


def test_accuracies_are_those_of_the_saved_weights(task: tasks.Task) -> None:
    for network in task.networks.values():
        module = network.network()
        for split, stated in (
            (network.train(task.train), network.metrics.train_accuracy),
            (task.test, network.metrics.test_accuracy),
        ):
            with torch.inference_mode():
                predicted = module(torch.from_numpy(split.inputs)).argmax(dim=1).numpy()
            assert np.mean(predicted == split.labels) == pytest.approx(stated, abs=1e-12)


def test_diagrams_are_ripsers_on_the_networks_own_activations(
    finished: Path, task: tasks.Task
) -> None:
    network = task.networks["5"]
    inputs = choose_inputs(task.train, 50, generator(SEED, "reduced", "inputs"))
    drawn = sample(
        network.network(), inputs, neurons=16, draws=2,
        rng=generator(SEED, "reduced", "activations"),
    )  # fmt: skip
    path = finished / "results" / "reduced" / "topology" / "diagrams" / "1.npz"
    draws, metadata = read_diagrams(path, "5")
    assert metadata["population"] == 26
    for rows, diagrams in zip(drawn.draws, draws, strict=True):
        with np.errstate(invalid="ignore", divide="ignore"):
            r = np.nan_to_num(np.corrcoef(drawn.activations[rows].astype(float)))
        dissimilarity = 1 - np.abs(r)
        np.fill_diagonal(dissimilarity, 0)
        for ours, theirs in zip(
            diagrams, ripser(dissimilarity, distance_matrix=True, maxdim=1)["dgms"], strict=True
        ):
            kept = theirs[theirs[:, 1] - theirs[:, 0] > 1e-6]
            kept = kept[np.lexsort((kept[:, 1], kept[:, 0]))]
            ours = ours[ours[:, 1] - ours[:, 0] > 1e-6]
            np.testing.assert_allclose(ours, kept, atol=1e-6)


def test_every_network_has_every_measure(task: tasks.Task, measures: pd.DataFrame) -> None:
    assert list(measures.columns) == [
        "task", "network", "family", "measure", "component", "value",
    ]  # fmt: skip
    counts = measures.groupby("network").size()
    assert sorted(counts.index, key=int) == list(task.networks)
    assert counts.nunique() == 1
    assert np.isfinite(measures["value"]).all()
    assert set(measures["family"]) == {"topology", "baseline"}
    count = measures[measures["measure"] == "parameter_count"].set_index("network")["value"]
    assert count["0"] == 64 * 8 + 8 + 8 * 10 + 10
    assert count["7"] == 64 * 16 + 16 + 16 * 10 + 10
    stated = measures[measures["measure"] == "training_accuracy"].set_index("network")["value"]
    np.testing.assert_allclose(stated, task.training_outcomes())


def test_r2_is_that_of_scikit_learn_on_the_same_folds(
    task: tasks.Task, measures: pd.DataFrame, finished: Path
) -> None:
    repeats = pd.read_csv(finished / "results" / "reduced" / "evaluation" / "repeats.csv")
    name = "average_births_and_deaths.H0"
    table = measures[measures["measure"] == name].pivot(
        index="network", columns="component", values="value"
    )
    networks = list(task.networks)
    x, y = table.loc[networks].to_numpy(), task.gaps().loc[networks].to_numpy()
    seed = derive(SEED, "reduced", "evaluation")
    folds = repeated_folds(
        task.hyper_parameters().loc[networks], None, generator(seed, "evaluation", "folds")
    )
    predictions = np.empty((folds.repeats, len(networks)))
    for repeat, train, test in folds.cells():
        model = LinearRegression().fit(x[train], y[train])
        inside = y[train]
        low, high = inside.min() - inside.std(), inside.max() + inside.std()
        predictions[repeat, test] = np.clip(model.predict(x[test]), low, high)
    np.testing.assert_allclose(
        repeats[repeats["measure"] == name]["r2"],
        [r2_score(y, own) for own in predictions],
        rtol=1e-6,
    )


def test_rank_correlations_are_those_of_scipy(
    task: tasks.Task, measures: pd.DataFrame, leaderboard: pd.DataFrame
) -> None:
    for name in ("sum_of_squared_weights", "persistent_entropy.H1", "negative_training_loss"):
        values = measures[measures["measure"] == name].set_index("network")["value"]
        gaps = task.gaps().loc[values.index]
        row = leaderboard.set_index("measure").loc[name]
        assert row["kendall"] == pytest.approx(stats.kendalltau(values, gaps).statistic)
        assert row["spearman"] == pytest.approx(stats.spearmanr(values, gaps).statistic)
        assert row["pearson"] == pytest.approx(stats.pearsonr(values, gaps).statistic)
        assert row["kendall_low"] <= row["kendall"] <= row["kendall_high"]


def test_standard_errors_belong_to_the_topological_summaries(finished: Path) -> None:
    errors = pd.read_csv(finished / "results" / "reduced" / "standard_errors.csv")
    assert set(errors["family"]) == {"topology"}
    assert (errors["standard_error"] >= 0).all()
    assert (errors["standard_error"] > 0).any()


def test_figures_are_pictures_of_this_run(finished: Path) -> None:
    folder = finished / "results" / "reduced" / "figures"
    names = sorted(path.stem for path in folder.glob("*.png"))
    assert names == sorted(path.stem for path in folder.glob("*.svg"))
    assert {"leaderboard", "r2_heatmap", "scatter", "barcodes", "training"} <= set(names)
    for path in folder.glob("*.png"):
        content = path.read_bytes()
        assert content[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = struct.unpack(">II", content[16:24])
        assert width > 500
        assert height > 190  # the lowest figure is 1.375 inches high
    assert "the mean gap" in (folder / "leaderboard.svg").read_text()


def test_the_run_ends_with_what_the_evaluation_says(finished: Path) -> None:
    folder = finished / "results" / "reduced" / "evaluation"
    with (folder / "leaderboard.csv").open() as file:
        best = next(row for row in csv.DictReader(file) if row["eligible"] == "True")
    output = " ".join((finished / "output.txt").read_text().split())
    assert " ".join((folder / "summary.txt").read_text().split()) in output
    assert f"the best, {best['measure']}, reaches R2" in output
    assert "results/reduced/figures" in output


def test_nothing_failed(finished: Path) -> None:
    failed = (finished / "results" / "reduced" / "failed.csv").read_text()
    assert failed == "network,stage,reason\n"
    plan = json.loads((finished / "results" / "reduced" / "plan.json").read_text())
    assert len(plan) == 8


def test_a_run_prints_its_stages_and_no_files(finished: Path) -> None:
    printed = (finished / "output.txt").read_text()
    stages = re.findall(r"^\d\d:\d\d:\d\d +(\d+)/(\d+)  reduced: (.*) \(\d.*\)$", printed, re.M)
    assert {"evaluating the measures", "dashboard"} <= {name for _, _, name in stages}
    places = [int(place) for place, _, _ in stages]
    assert places == sorted(set(places))
    assert {int(total) for _, total, _ in stages} == {places[-1] + 1}  # the last job asks for all
    assert not re.search(r"^ *(input|output|Reason|wildcards): ", printed, re.M)
    assert "INFO" not in printed
    logged = next((finished / ".snakemake" / "log").iterdir()).read_text()
    assert re.search(r"^Reason: Missing output files", logged, re.M)


def test_report_is_one_offline_page(finished: Path, snakemake: Run) -> None:
    result = snakemake(finished, "--report", str(finished / "report.html"))
    assert result.returncode == 0, result.stderr
    page = (finished / "report.html").read_text()
    # The page of the default run is some 400 kB larger, and is to stay under 5 MB.
    assert len(page) < 4_600_000
    assert "Which measures predict the generalisation gap" in page
    written = re.search(r"var workflow_desc = (.*);\n", page)
    assert written is not None
    front = " ".join(json.loads(written[1]).split())
    summary = (finished / "results" / "reduced" / "evaluation" / "summary.txt").read_text()
    assert html.escape(" ".join(summary.split("\n\n")[0].split()), quote=False) in front
    for figure in ("leaderboard", "held_out"):
        name = f"results/reduced/figures/{figure}.png"
        assert f"results['{name}'].data_uri" in front
        assert f'"{name}": {{' in page
    assert re.search(r"data:image/png;[^,]*base64,", page)
    # Neither in its tags nor in what its scripts and styles make of it.
    loaded = r"""(?:\b(?:src|href)["']?\s*[:=]|\burl\()\s*\\?["']?(?:https?:)?//"""
    assert re.search(loaded, '<script src="https://cdn.example/page.js">')
    assert re.findall(loaded, page) == []


@pytest.mark.slow
def test_the_eigenvalues_of_any_network_are_a_target(
    finished: Path, snakemake: Run, tmp_path: Path
) -> None:
    shutil.copytree(finished, tmp_path / "run")
    result = snakemake(tmp_path / "run", "results/reduced/curvature/0.npz")
    assert result.returncode == 0, result.stderr
    folder = tmp_path / "run" / "results" / "reduced"
    task = tasks.load(folder)
    network = task.networks["0"].network()
    labels = torch.from_numpy(np.load(folder / "networks" / "0" / "labels.npy"))
    inputs = torch.from_numpy(task.train.inputs)
    parameters = [p.detach() for p in network.parameters()]
    flat = torch.nn.utils.parameters_to_vector(parameters)

    def loss(vector: torch.Tensor) -> torch.Tensor:
        pieces = torch.split(vector, [p.numel() for p in parameters])
        named = {
            name: piece.view_as(p)
            for (name, p), piece in zip(network.named_parameters(), pieces, strict=True)
        }
        logits = torch.func.functional_call(network, named, (inputs,))
        return torch.nn.functional.cross_entropy(logits, labels)

    hessian = torch.func.hessian(loss)(flat)
    expected = torch.linalg.eigvalsh(hessian).flip(0).double().numpy()
    with np.load(folder / "curvature" / "0.npz") as found:
        values = found["eigenvalues"]
        np.testing.assert_allclose(values, expected[: len(values)], atol=1e-4 * expected[0])
        positive = values[values > 0]
        np.testing.assert_allclose(
            found["effective_dimensionality"],
            [(positive / (positive + alpha)).sum() for alpha in found["alphas"]],
        )


@pytest.mark.slow
def test_architectures_may_vary_in_a_grid(snakemake: Run, tmp_path: Path) -> None:
    config = yaml.safe_load(REDUCED.read_text())
    task = config["tasks"][0]
    task["zoo"]["network"] = {}
    architectures = ["lenet", "lenet_300_100"]
    task["zoo"]["grid"] = {"architecture": architectures, "label_corruption": [0.0, 0.3]}
    task["correlate_within"] = "architecture"
    path = tmp_path / "architectures.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    result = snakemake(tmp_path, "results/reduced/plan.json", config=path)
    assert result.returncode == 0, result.stderr
    plan = json.loads((tmp_path / "results" / "reduced" / "plan.json").read_text())
    assert [entry["network"] for entry in plan] == [
        {"architecture": name} for name in architectures for _ in range(4)
    ]
