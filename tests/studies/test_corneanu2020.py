"""The study of Corneanu et al.: reduced jobs, the law and the rules by hand, attacks."""

from __future__ import annotations

import importlib
import inspect
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image
from scipy.io import savemat
from scipy.ndimage import gaussian_filter1d
from sklearn.linear_model import LinearRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

from gengap.datasets import Dataset, Split
from gengap.datasets.sources import SOURCES
from gengap.errors import GengapError
from gengap.figures import save
from gengap.networks import build, dense
from gengap.studies import (
    Claim,
    Context,
    Outcome,
    Run,
    draw,
    evaluate_claims,
    run_experiment,
    write_outcome,
)
from gengap.studies.corneanu2020 import attacks, functional_graphs, gap_law
from gengap.studies.corneanu2020.experiments.adversarial import ATTACKS, HARMLESS, _detect, auc, roc
from gengap.studies.corneanu2020.claims import _nonzero, verdict
from gengap.studies.corneanu2020.early_stopping import lowest_checkpoint, stopping_checkpoint
from gengap.studies.corneanu2020.experiments.law import networks_table
from gengap.studies.corneanu2020.experiments.partitions import GRAPHS, PARTITIONS
from gengap.studies.corneanu2020.experiments.training_curves import density_bars, modes
from gengap.topology import betti_curve, correlation_dissimilarity, persistence_diagrams
from gengap.topology.betti import SUMMARIES
from gengap.topology.budget import OverBudgetError
from gengap.training import Recipe, TrainingResult, train

DIGITS = {"name": "digits", "train_size": 60, "test_size": 60}
ADAM = {"optimiser": "adam", "learning_rate": 0.005, "batch_size": 20}
SMALL_NETWORKS = [
    {"architecture": "lenet_300_100"},
    {"architecture": "lenet"},
    {"architecture": "conv_2", "width": 2},
    {"architecture": "conv_4", "width": 2},
    {"architecture": "conv_6", "width": 2},
    {"architecture": "alexnet", "width": 2},
    {"architecture": "vgg16", "width": 2},
    {"architecture": "resnet18", "width": 2},
    {"architecture": "densenet121", "growth": 2},
    {"architecture": "inception", "width": 4},
]


def context(seed: int = 0, data_dir: Path | None = None) -> Context:
    return Context(seed, None if data_dir is None else str(data_dir), torch.device("cpu"))


def curves_settings(**changes) -> dict:
    settings = {
        "dataset": DIGITS,
        "network": {"template": "dense", "width": 16, "depth": 2},
        "training": {**ADAM, "epochs": 2},
        "checkpoints": [0, 1, 2],
        "inputs": 40,
    }
    return settings | changes


def check_figures(study_experiment: str, runs: list[Run], names: list[str], folder: Path) -> None:
    figures = draw("corneanu2020", study_experiment, runs)
    assert sorted(figures) == sorted(names)
    for name, figure in figures.items():
        save(figure, folder / f"{name}.png")


@pytest.mark.parametrize("network", SMALL_NETWORKS, ids=lambda spec: spec["architecture"])
def test_training_curves_of_every_architecture(network: dict) -> None:
    settings = curves_settings(
        network=network, training={**ADAM, "epochs": 1}, checkpoints=[0, 1], max_dim=1
    )
    found = run_experiment("corneanu2020", "training_curves", context(), settings)
    assert found.arrays["curves"].shape == (2, 2, 121)
    assert np.isfinite(found.arrays["summaries"]).all()
    assert not np.array_equal(found.arrays["curves"][0], found.arrays["curves"][1])


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_training_curves_of_official_datasets(name: str, shared: Callable[[str], Path]) -> None:
    settings = curves_settings(
        dataset={"name": name, "train_size": 40, "test_size": 40},
        network={"architecture": "conv_2", "width": 2},
        training={**ADAM, "epochs": 1, "augmentation": ["crop", "flip"]},
        checkpoints=[0, 1],
        max_dim=1,
    )
    found = run_experiment(
        "corneanu2020", "training_curves", context(0, shared(f"data/{name}").parent), settings
    )
    assert found.arrays["nodes"].tolist() == [2 + 2 + 8 + 8 + 10] * 2


@pytest.fixture
def made_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A few images of SVHN and Tiny ImageNet, in their formats."""
    rng = np.random.default_rng(0)
    monkeypatch.setitem(SOURCES, "svhn", ())
    (tmp_path / "svhn").mkdir()
    for part in ("train", "test"):
        images = rng.integers(0, 256, (32, 32, 3, 20), dtype=np.uint8)
        labels = np.arange(20).reshape(-1, 1) % 10 + 1
        savemat(tmp_path / "svhn" / f"{part}_32x32.mat", {"X": images, "y": labels})
    root = tmp_path / "tiny_imagenet"
    (root / "val" / "images").mkdir(parents=True)
    lines = []
    for place in range(20):
        name = f"n{place % 2}"
        pixels = Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
        (root / "train" / name / "images").mkdir(parents=True, exist_ok=True)
        pixels.save(root / "train" / name / "images" / f"{place}.JPEG", "JPEG")
        pixels.save(root / "val" / "images" / f"{place}.JPEG", "JPEG")
        lines.append(f"{place}.JPEG\t{name}\t0\t0\t1\t1")
    (root / "val" / "val_annotations.txt").write_text("\n".join(lines))
    return tmp_path


@pytest.mark.parametrize("name", ["svhn", "tiny_imagenet"])
def test_training_curves_of_datasets_with_files(name: str, made_files: Path) -> None:
    settings = curves_settings(
        dataset={"name": name},
        network={"architecture": "alexnet", "width": 1},
        training={**ADAM, "epochs": 1},
        checkpoints=[0, 1],
        max_dim=1,
    )
    found = run_experiment("corneanu2020", "training_curves", context(0, made_files), settings)
    assert found.arrays["test_accuracy"].shape == (2,)


def test_training_curves_their_figures_and_claims(tmp_path: Path) -> None:
    runs = []
    for corruption in (0.0, 0.5):
        for seed in range(3):
            settings = curves_settings(label_corruption=corruption, max_dim=3)
            found = run_experiment("corneanu2020", "training_curves", context(seed), settings)
            runs.append(Run(seed, settings, found))
    arrays = runs[0].outcome.arrays
    assert arrays["curves"].shape == arrays["density_curves"].shape == (3, 4, 121)
    assert (arrays["curves"][:, 0, 0] <= 1).all()
    # A seed fixes the initial weights: they do not depend on the labels, what comes after does.
    other = runs[3].outcome.arrays
    np.testing.assert_array_equal(arrays["curves"][0], other["curves"][0])
    assert not np.array_equal(arrays["curves"][2], other["curves"][2])
    names = ["betti_0", "betti_1", "betti_2", "betti_3", "life_and_midlife", "early_stopping"]
    check_figures("training_curves", runs, names, tmp_path)
    claims = evaluate_claims("corneanu2020", {"training_curves": runs})
    assert len(claims) == 2 + 2 + 1 + 2 + 4
    assert all(len(values) == 3 for claim in claims for values in claim.estimates.values())


def test_curves_are_smoothed_on_request_where_they_are_drawn_only() -> None:
    settings = curves_settings(max_dim=1)
    run = Run(0, settings, run_experiment("corneanu2020", "training_curves", context(), settings))
    stored = {name: array.copy() for name, array in run.outcome.arrays.items()}

    def first_line(drawing: dict[str, float]) -> np.ndarray:
        figure = draw("corneanu2020", "training_curves", [run], drawing)["betti_0"]
        return np.asarray(figure.axes[0].lines[0].get_ydata())

    plain, window = first_line({}), first_line({"smoothing": 2.0})
    np.testing.assert_array_equal(plain, stored["curves"][0, 0])
    inside = slice(10, -10)
    wanted = gaussian_filter1d(plain, 2.0, truncate=3.0)[inside]
    np.testing.assert_allclose(window[inside], wanted, atol=1e-12)
    assert np.abs(window - plain).max() > 1e-3
    for name, array in run.outcome.arrays.items():
        np.testing.assert_array_equal(array, stored[name])
    with pytest.raises(GengapError, match=r"figures of training_curves .* no setting 'smooth'"):
        first_line({"smooth": 2.0})
    with pytest.raises(GengapError, match="smooths nothing"):
        first_line({"smoothing": 0.0})


def test_a_run_is_the_same_twice_and_another_with_another_seed_or_split() -> None:
    one, same, seed, split = (
        run_experiment("corneanu2020", "training_curves", context(seed), curves_settings(**changes))
        for seed, changes in ((0, {}), (0, {}), (1, {}), (0, {"split": "test"}))
    )
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, same.arrays[name])
    for other in (seed, split):
        assert not np.array_equal(one.arrays["curves"], other.arrays["curves"])
    np.testing.assert_array_equal(one.arrays["test_accuracy"], split.arrays["test_accuracy"])


def test_neurons_one_against_rest_and_the_plateau_schedule() -> None:
    settings = curves_settings(
        dataset={**DIGITS, "groups": [[3], [0, 1, 2, 4, 5, 6, 7, 8, 9]]},
        training={**ADAM, "epochs": 2, "schedule": {"name": "plateau"}},
        network={"architecture": "conv_2", "width": 1},
        nodes="neurons",
        max_dim=1,
    )
    found = run_experiment("corneanu2020", "training_curves", context(), settings)
    assert found.arrays["nodes"][0] == 8 * 8 * 2 + 4 + 4 + 2


def test_density_bars_are_those_of_the_filtration_by_rank() -> None:
    """Whole in H0 and H1, whatever the correlations; cavities up to a tenth of the edges."""
    rng = np.random.default_rng(0)
    graph = correlation_dissimilarity(rng.standard_normal((60, 20)) @ rng.standard_normal((20, 20)))
    edges = np.sort(graph[np.triu_indices(60, 1)])
    ranks = np.searchsorted(edges, graph, side="right") / len(edges)
    np.fill_diagonal(ranks, 0)
    found = density_bars(graph, 2)
    whole = persistence_diagrams(ranks.astype(np.float32), 2, engine="gudhi")
    grid = np.linspace(0.0003, 0.9997, 400)
    for dimension, top in ((0, 1), (1, 1), (2, 0.1)):
        places = grid[grid < top]
        np.testing.assert_array_equal(
            betti_curve(found[dimension], places), betti_curve(whole[dimension], places)
        )
    assert len(found[2]) > 0
    assert found[1][:, 1].max() > 0.3
    # A monotone change of the dissimilarity leaves the order of the edges, and so the bars.
    for one, other in zip(found, density_bars(graph**2, 2), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_checkpoint_without_loops_has_no_mode() -> None:
    summaries = np.zeros((2, 2, 8))
    summaries[1, 1, [3, 6]] = 0.1, 0.5
    arrays = {"summaries": summaries, "density_mode": np.array([np.nan, 0.2])}
    np.testing.assert_array_equal(modes(arrays, "epsilon"), [np.nan, 0.1])
    np.testing.assert_array_equal(modes(arrays, "density"), [np.nan, 0.2])


def test_large_networks_are_sampled() -> None:
    found = run_experiment(
        "corneanu2020", "training_curves", context(), curves_settings(nodes_at_most=12, max_dim=1)
    )
    assert found.arrays["nodes"].tolist() == [12, 12, 12]


@pytest.mark.parametrize(
    ("experiment", "settings"),
    [
        ("training_curves", {"seconds": 1e-9}),
        ("training_curves", {"memory_gib": 1e-9}),
        ("adversarial", {"seconds": 1e-9}),
        ("adversarial", {"memory_gib": 1e-9}),
        # Enough for the discriminant of 60 nodes on two images, not for a graph of all.
        ("adversarial", {"seconds": 1e-4, "share": 1.0, "images": 1}),
    ],
)
def test_a_graph_over_the_budget_is_refused_before_training(
    experiment: str, settings: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(functional_graphs, "train", never)
    whole = {"training_curves": curves_settings(), "adversarial": ATTACKED}[experiment] | settings
    with pytest.raises(OverBudgetError, match="more than the budget"):
        run_experiment("corneanu2020", experiment, context(), whole)


def test_an_interrupted_run_goes_on_from_its_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after epoch 3 of 4, with a checkpoint at epoch 2."""
    plateau = {"name": "plateau", "patience": 1}
    settings = curves_settings(
        training={**ADAM, "epochs": 4, "schedule": plateau}, checkpoints=[0, 2, 4], max_dim=1
    )
    wanted = run_experiment("corneanu2020", "training_curves", context(), settings)
    trained: list[int] = []
    stops = [3]

    def watched(*arguments: Any, **keywords: Any) -> TrainingResult:
        def stop(row: Mapping[str, Any]) -> None:
            trained.append(row["epoch"])
            if row["epoch"] in stops:
                raise KeyboardInterrupt

        return train(*arguments, **keywords, on_epoch=stop)

    monkeypatch.setattr(functional_graphs, "train", watched)
    own = replace(context(), resume_from=tmp_path / "0.unfinished")
    with pytest.raises(KeyboardInterrupt):
        run_experiment("corneanu2020", "training_curves", own, settings)
    stops.clear()
    found = run_experiment("corneanu2020", "training_curves", own, settings)
    assert trained == [1, 2, 3, 3, 4]
    for number, outcome in enumerate((wanted, found)):
        write_outcome(tmp_path / f"{number}.npz", outcome)
    assert (tmp_path / "0.npz").read_bytes() == (tmp_path / "1.npz").read_bytes()


@pytest.mark.parametrize(
    ("change", "sizes", "chunks"),
    [
        ({}, [128, 128, 8, 8, 10], 4 + 4 + 1 + 1 + 1),
        ({"nodes": "channels", "together": 2, "chunk": 4}, [4, 16, 10], 1 + 1 + 2 + 2 + 2),
    ],
    ids=["neurons", "channels in blocks of two layers"],
)
def test_partitions_of_a_network(
    change: dict, sizes: list[int], chunks: int, tmp_path: Path
) -> None:
    """Every partition has every graph, at the start and at the end."""
    settings = {
        "dataset": DIGITS,
        "network": {"architecture": "conv_2", "width": 2},
        "training": {**ADAM, "epochs": 1},
        "inputs": 40,
        "sampled": 20,
        "draws": 3,
        **change,
    }
    runs = [
        Run(seed, settings, run_experiment("corneanu2020", "partitions", context(seed), settings))
        for seed in range(2)
    ]
    values = runs[0].outcome.values
    graphs = ["whole", "sampled"] + [
        f"{partition}.{graph}" for partition in PARTITIONS for graph in GRAPHS
    ]
    keys = [f"{name}.H{dim}" for name in ("life", "midlife") for dim in (0, 1)]
    for graph, moment, key in itertools.product(graphs, ("start", "end"), keys):
        assert 0 <= values[f"{graph}.{moment}.{key}"] <= 0.3
    assert values["structure.end.count"] == len(sizes)
    assert values["equal.end.count"] == chunks
    assert values["communities.end.count"] > 1
    assert values["low.end.life.H0"] <= values["sampled.end.life.H0"] <= values["high.end.life.H0"]
    check_figures("partitions", runs, ["partitions"], tmp_path)
    claims = evaluate_claims("corneanu2020", {"partitions": runs})
    assert [set(claim.estimates) for claim in claims] == [set(PARTITIONS)] * len(GRAPHS)


LAW = {
    "dataset": {"name": "moons", "test_size": 100},
    "networks": [{"template": "dense", "width": 20, "depth": 2}],
    "training": {**ADAM, "epochs": 3},
    "train_sizes": [60],
    "label_corruptions": [0.0],
    "inputs": 30,
}
PARTS = {
    "dataset": DIGITS,
    "network": {"template": "dense", "width": 16, "depth": 2},
    "training": {**ADAM, "epochs": 1},
    "inputs": 40,
    "sampled": 20,
    "draws": 2,
}


@pytest.mark.parametrize(
    ("experiment", "settings", "numbers"),
    [
        ("training_curves", curves_settings(max_dim=1), ("curves", "summaries", "density_mode")),
        ("partitions", PARTS, ()),
        ("law", LAW, ("life.H0", "life.H1", "midlife.H1", "margin")),
    ],
)
def test_graphs_are_those_of_training_inputs(
    experiment: str, settings: dict, numbers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With other test inputs only the test accuracy is another, but where the split is ``test``."""
    module = importlib.import_module(f"gengap.studies.corneanu2020.experiments.{experiment}")
    before = run_experiment("corneanu2020", experiment, context(), settings)
    read = module.load_data

    def with_other_test_inputs(*arguments: Any) -> Dataset:
        data: Dataset = read(*arguments)
        other = np.random.default_rng(0).permuted(data.test.inputs, axis=0)
        return replace(data, test=Split(other, data.test.labels, data.classes))

    monkeypatch.setattr(module, "load_data", with_other_test_inputs)
    after = run_experiment("corneanu2020", experiment, context(), settings)
    if experiment == "partitions":
        assert after.values == before.values
    else:
        accuracies = (outcome.arrays["test_accuracy"] for outcome in (before, after))
        assert not np.array_equal(*accuracies)
    for name in numbers:
        np.testing.assert_array_equal(after.arrays[name], before.arrays[name])
    if experiment == "training_curves":
        monkeypatch.undo()
        one = run_experiment("corneanu2020", experiment, context(), {**settings, "split": "test"})
        assert not np.array_equal(one.arrays["curves"], before.arrays["curves"])


def test_large_networks_of_the_law_are_sampled() -> None:
    """Of 20 + 20 + 2 nodes, 12: the counts are per node, so those of H0 are multiples of 1/12."""
    some = run_experiment("corneanu2020", "law", context(), {**LAW, "nodes_at_most": 12}).arrays
    every = run_experiment("corneanu2020", "law", context(), LAW).arrays
    assert some["gap"] == every["gap"]
    for arrays, nodes in ((some, 12), (every, 42)):
        count = nodes * arrays["count.H0"][0]
        assert 0 < count < nodes
        assert count == pytest.approx(round(count))
    assert some["life.H0"] != every["life.H0"]


def test_graphs_over_the_budget_are_left_out() -> None:
    settings = {
        "dataset": DIGITS,
        "network": {"architecture": "conv_2", "width": 2},
        "training": {**ADAM, "epochs": 1},
        "inputs": 40,
        "sampled": 20,
        "draws": 2,
        # Of the 276 neurons the layers have 128, 128, 8, 8 and 10.
        "memory_gib": 8 * 80**2 / 2**30,
    }
    found = run_experiment("corneanu2020", "partitions", context(), settings)
    kinds = {key.split(".end")[0] for key in found.values if ".end.life" in key}
    assert {"sampled", "equal.parts", "equal.js", "structure.means"} <= kinds
    assert not kinds & {"whole", "communities.parts", "structure.parts", "structure.js"}
    assert evaluate_claims("corneanu2020", {"partitions": [Run(0, settings, found)]}) == []


def law_runs() -> list[Run]:
    runs = []
    for name in ("moons", "checkerboard"):
        for seed in range(2):
            settings = {
                "dataset": {"name": name, "test_size": 100},
                "networks": [
                    {"template": "dense", "width": 8, "depth": 1},
                    {"architecture": "lenet_300_100"},
                ],
                "training": {**ADAM, "epochs": 3},
                "train_sizes": [30, 60],
                "label_corruptions": [0.0, 0.3],
                "inputs": 30,
            }
            found = run_experiment("corneanu2020", "law", context(seed), settings)
            runs.append(Run(seed, settings, found))
    return runs


def test_the_law_over_a_grid(tmp_path: Path) -> None:
    runs = law_runs()
    arrays = runs[0].outcome.arrays
    assert len(arrays["gap"]) == 8
    np.testing.assert_allclose(arrays["gap"], arrays["train_accuracy"] - arrays["test_accuracy"])
    sizes = [2 * 8 + 8 + 8 * 2 + 2, 2 * 300 + 300 + 300 * 100 + 100 + 100 * 2 + 2]
    np.testing.assert_allclose(np.exp(arrays["log_parameters"]), np.repeat(sizes, 4))
    check_figures("law", runs, ["gap_law", "predicted_accuracy", "law_errors"], tmp_path)
    claims = evaluate_claims("corneanu2020", {"law_vectors": runs[:2], "law_other": runs[2:]})
    assert len(claims) == 1 + 2 * 3
    parity = {**runs[0].settings, "dataset": {"name": "moons", "groups": [[0], [1]]}}
    table = networks_table([runs[0], Run(0, parity, runs[0].outcome)])
    assert set(table["dataset"]) == {"moons"}
    assert set(table["task"]) == {"moons", "moons in 2 groups"}
    assert "dataset" not in gap_law.errors(table)
    one = draw("corneanu2020", "law", runs[:2])
    assert len(one["law_errors"].axes) == 2


def grid_table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.random((24, 4)), columns=["life.H1", "midlife.H1", "margin", "noise"])
    table["gap"] = 0.1 + 0.5 * table["life.H1"] - 0.3 * table["midlife.H1"] + 0.01 * table["noise"]
    table["train_accuracy"] = rng.random(24)
    table["log_parameters"] = rng.random(24)
    table["architecture"] = np.repeat(["a", "b", "c"], 8)
    table["dataset"] = np.tile(["x", "y"], 12)
    return table


@pytest.mark.parametrize("left_out", ["network", "architecture", "dataset"])
def test_left_out_predictions_are_scikit_learns(left_out: str) -> None:
    table = grid_table()
    groups = np.arange(24) if left_out == "network" else table[left_out]
    found = gap_law.left_out_predictions(table, left_out)
    for model, columns in gap_law.MODELS.items():
        features = table[list(columns)].to_numpy() if columns else np.zeros((24, 1))
        wanted = cross_val_predict(
            LinearRegression(), features, table["gap"], groups=groups, cv=LeaveOneGroupOut()
        )
        np.testing.assert_allclose(found[model], wanted)
    error = gap_law.errors(table)[left_out]
    assert error["life and midlife"] < 1 < error["constant gap"]


def test_a_law_needs_something_to_leave_out() -> None:
    table = grid_table().assign(dataset="x")
    assert set(gap_law.errors(table)) == {"network", "architecture"}
    with pytest.raises(GengapError, match="share one dataset"):
        gap_law.left_out_predictions(table, "dataset")
    with pytest.raises(GengapError, match="Unknown grouping 'seed'"):
        gap_law.left_out_predictions(table, "seed")


def test_the_stopping_rules_by_hand() -> None:
    falling = [0.9, 0.5, 0.4, 0.3]
    assert stopping_checkpoint(falling, [0, 1, 2, 3]) == 3
    back = [0.2, 0.5, 0.4, 0.6, 0.1]
    # Back to higher densities at position 3, with fewer cavities; with more it goes on.
    assert stopping_checkpoint(back, [0, 1, 2, 2, 0]) == 2
    assert stopping_checkpoint(back, [0, 1, 2, 3, 0]) == 4
    assert lowest_checkpoint(back, [0, 1, 2, 2, 0]) == 4
    assert lowest_checkpoint([0, 0.4, 0.4, 0.4], [0, 1, 3, 3]) == 2
    # A checkpoint without loops has no mode: it is neither a regression nor the lowest one.
    gaps = [0.2, np.nan, 0.3, np.nan, 0.4, 0.1]
    assert stopping_checkpoint(gaps, [0] * 6) == 2
    assert stopping_checkpoint([0.2, np.nan, 0.3, np.nan], [0] * 4) == 3
    assert lowest_checkpoint(gaps[:5], [0] * 5) == 2
    assert lowest_checkpoint([0.2, np.nan, np.nan], [0, 1, 2]) == 2
    with pytest.raises(GengapError, match="2 modes and 3 counts"):
        stopping_checkpoint([0, 1], [0, 1, 2])
    with pytest.raises(GengapError, match="1 modes"):
        lowest_checkpoint([0], [0])


ATTACKED = {
    "dataset": {"name": "digits", "train_size": 300, "test_size": 100},
    "network": {"template": "dense", "width": 24, "depth": 2},
    "training": {**ADAM, "epochs": 20},
    "epsilon": 0.15,
    "images": 40,
    "share": 0.3,
}


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({}, round(0.3 * 58)),
        (
            {"network": {"architecture": "conv_2", "width": 8}, "nodes": "channels", "share": 0.2},
            round(0.2 * (8 + 8 + 32 + 32 + 10)),
        ),
    ],
    ids=["neurons", "channels"],
)
def test_adversarial_detector(change: dict, kept: int, tmp_path: Path) -> None:
    settings = {**ATTACKED, **change}
    runs = [
        Run(seed, settings, run_experiment("corneanu2020", "adversarial", context(seed), settings))
        for seed in range(2)
    ]
    values = runs[0].outcome.values
    assert values["test_accuracy"] > 0.8
    assert values["success.pgd"] > 0.3
    assert len(runs[0].outcome.arrays["nodes"]) == kept
    for detector, attack, kind in itertools.product(("topology", "doubt"), ATTACKS, HARMLESS):
        assert 0 <= values[f"auc.{detector}.{attack}.{kind}"] <= 1
    check_figures("adversarial", runs, ["adversarial_curves", "adversarial_roc"], tmp_path)
    assert len(evaluate_claims("corneanu2020", {"adversarial": runs})) == 3


def test_attacks_that_fail_are_refused() -> None:
    with pytest.raises(GengapError, match="raise epsilon"):
        run_experiment("corneanu2020", "adversarial", context(), ATTACKED | {"epsilon": 1e-6})


def test_the_detector_finds_what_differs_and_nothing_where_nothing_does() -> None:
    """Attacked images lie apart from harmless ones on both splits, on one only, on none."""
    rng = np.random.default_rng(0)

    def found(shifts: Mapping[str, float], attack: str) -> dict[str, float]:
        features = {
            split: {
                kind: {"summaries": rng.standard_normal((300, 4)) + shift * (kind == attack)}
                for kind in ("clean", "noisy", "fgsm", "pgd")
            }
            for split, shift in shifts.items()
        }
        scores = _detect(features, attack)
        return {kind: auc(scores[attack], scores[kind]) for kind in HARMLESS}

    for attack in ATTACKS:
        assert min(found({"train": 2.0, "test": 2.0}, attack).values()) > 0.9
        # The other way round on test images: what was learnt is wrong there.
        assert max(found({"train": 2.0, "test": -2.0}, attack).values()) < 0.1
        for shifts in ({"train": 0.0, "test": 0.0}, {"train": 2.0, "test": 0.0}):
            assert all(abs(area - 0.5) < 0.1 for area in found(shifts, attack).values())


def test_attacks_on_a_linear_network() -> None:
    """There the gradient's sign is the same everywhere, so both attacks end in the same corner."""
    network = build({"model_config": [{"layer_name": "Dense", "units": 2}], "input_shape": [3]})
    weights = torch.tensor([[1.0, -2.0, 0.5], [0.0, 1.0, 2.0]])
    with torch.no_grad():
        network.get_submodule("dense_0").weight.copy_(weights)
    inputs = torch.tensor([[0.5, 0.5, 0.5], [0.05, 0.5, 0.95]])
    labels = torch.tensor([0, 1])
    signs = torch.stack([weights[1] - weights[0], weights[0] - weights[1]]).sign()
    wanted = (inputs + 0.1 * signs).clamp(0, 1)
    torch.testing.assert_close(attacks.fgsm(network, inputs, labels, 0.1, (0.0, 1.0)), wanted)
    generator = torch.Generator().manual_seed(0)
    found = attacks.pgd(network, inputs, labels, 0.1, (0.0, 1.0), 10, generator)
    torch.testing.assert_close(found, wanted)
    noisy = attacks.noise(inputs, 0.02, (0.0, 1.0), generator)
    torch.testing.assert_close((noisy - inputs).abs(), torch.full((2, 3), 0.02))


def test_pgd_raises_the_loss_within_its_bounds() -> None:
    network = build(dense((6,), 3, width=8, depth=2))
    rng = torch.Generator().manual_seed(1)
    inputs, labels = torch.rand(20, 6, generator=rng), torch.randint(0, 3, (20,), generator=rng)
    found = attacks.pgd(network, inputs, labels, 0.2, (0.0, 1.0), 10, rng)
    assert float((found - inputs).abs().max()) <= 0.2 + 1e-6
    assert 0 <= float(found.min()) <= float(found.max()) <= 1
    losses = [
        torch.nn.functional.cross_entropy(network(some), labels).item() for some in (inputs, found)
    ]
    assert losses[1] > losses[0]


def test_auc_is_scikit_learns_and_its_curve_ends_at_one() -> None:
    rng = np.random.default_rng(0)
    positive, negative = rng.integers(2, 9, 40), rng.integers(0, 7, 60)
    labels = np.repeat([1, 0], [40, 60])
    wanted = roc_auc_score(labels, np.concatenate([positive, negative]))
    assert auc(positive, negative) == pytest.approx(wanted)
    curve = roc(positive, negative)
    assert (np.diff(curve) >= 0).all()
    assert curve[-1] == 1
    assert auc(negative, negative) == pytest.approx(0.5)


def test_verdicts_come_from_the_intervals() -> None:
    assert verdict({"a": [1.0, 1.1, 0.9], "b": [2.0, 2.1, 1.9]}) is True
    assert verdict({"a": [1.0, 1.1, 0.9], "b": [-2.0, -2.1, -1.9]}) is False
    assert verdict({"a": [1.0, -1.1, 0.9], "b": [2.0, 2.1, 1.9]}) is None
    assert verdict({"a": [-0.01, -0.011, -0.009]}, at_least=-0.02) is True


def curves_run(
    seed: int, corruption: float, modes: tuple[float, float], density: tuple[float, float]
) -> Run:
    """Three checkpoints, the second the best; bars grow by 0.1, 0.2 and 0.3 per node in H1 to H3.

    Seeds differ by a thousandth, so that intervals are short, but no points.
    """
    shift = 0.001 * seed
    summaries = np.zeros((3, 4, 8))
    summaries[:, :, SUMMARIES.index("count")] = np.outer([0, 1, 2], [0.05, 0.05, 0.1, 0.15]) + 0.01
    summaries[:, 1, SUMMARIES.index("argmax")] = modes[0], modes[1], modes[1] + shift
    summaries[2, 2:, SUMMARIES.index("count")] += shift
    arrays = {
        "curves": np.zeros((3, 4, 121)),
        "summaries": summaries,
        "density_mode": np.array([density[0], density[0], density[1] + shift]),
        "test_accuracy": np.array([0.1, 0.8, 0.6]),
    }
    values = {"best_accuracy": 0.8, "last_accuracy": 0.6}
    for scale, stop, lowest in (("epsilon", 0.7, 0.5), ("density", 0.65, 0.4)):
        values |= {
            f"stop_accuracy.{scale}": stop + shift,
            f"lowest_accuracy.{scale}": lowest + shift,
        }
    return Run(seed, {"label_corruption": corruption}, Outcome(values, arrays))


def summarised(claims: Sequence[Claim]) -> list[tuple[list[float], bool | None]]:
    """Of each claim, the means of its estimates and what it says."""
    return [
        ([round(float(np.mean(some)), 2) for some in claim.estimates.values()], claim.holds)
        for claim in claims
    ]


def test_claims_about_learning_by_hand() -> None:
    """The mode falls by 0.1 in epsilon, rises by 0.3 in density; cavities grow by 0.2 and 0.3."""
    true = [curves_run(seed, 0.0, (0.3, 0.2), (0.1, 0.4)) for seed in range(3)]
    assert summarised(evaluate_claims("corneanu2020", {"training_curves": true})) == [
        ([0.10], True),
        ([-0.30], False),
        ([0.20], True),
        ([0.30], True),
        # Stopping at 0.7 and at 0.65 where the end has 0.6.
        ([0.10, 0.05], True),
    ]


def test_claims_about_memorising_by_hand() -> None:
    """From the best checkpoint to the end: in epsilon nothing but the shift, in density 0.3 up."""
    corrupted = [curves_run(seed, 0.5, (0.3, 0.2), (0.1, 0.4)) for seed in range(3)]
    found = evaluate_claims("corneanu2020", {"training_curves": corrupted})
    assert summarised(found) == [
        ([0.00], None),
        ([0.30], True),
        # The first regression against the end (0.6) and the best (0.8), then the lowest mode.
        ([0.10, 0.05], True),
        ([-0.10, -0.15], False),
        ([-0.10, -0.20], False),
        ([-0.30, -0.40], False),
    ]
    assert "falls by 0.2 from its best epoch" in found[0].measured


def test_claims_about_parts_by_hand() -> None:
    """The whole graph's life falls: parts that fall as well go along, means that rise do not."""

    def values(seed: int) -> dict[str, float]:
        found = {"whole.start.life.H0": 0.2, "whole.end.life.H0": 0.1}
        for partition, (graph, end) in itertools.product(
            PARTITIONS, zip(GRAPHS, (0.15, 0.25, 0.15, 0.25), strict=True)
        ):
            found[f"{partition}.{graph}.start.life.H0"] = 0.2
            found[f"{partition}.{graph}.end.life.H0"] = end + 0.001 * seed
        return found

    runs = [Run(seed, {}, Outcome(values(seed))) for seed in range(3)]
    assert (
        summarised(evaluate_claims("corneanu2020", {"partitions": runs}))
        == [
            ([0.05] * 3, True),
            ([-0.05] * 3, False),
        ]
        * 2
    )


def law_run(seed: int, sign: float) -> Run:
    """Eight networks whose gap is 0.3 + life - 2 midlife (or with the other sign), almost."""
    rng = np.random.default_rng(seed)
    life, midlife, other = rng.random((3, 8))
    arrays = {
        "life.H1": life,
        "midlife.H1": midlife,
        "gap": 0.3 + sign * (life - 2 * midlife) / 10 + 1e-4 * other,
        "corruption": np.zeros(8),
        "architecture": np.array(list("abcd") * 2),
        **{name: rng.random(8) for name in ("train_accuracy", "log_parameters", "margin")},
    }
    return Run(seed, {"dataset": {"name": "moons"}}, Outcome({}, arrays))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_claims_about_the_law_by_hand(sign: float) -> None:
    """Where the gap is the law, all else is worse; of correlations either sign is enough."""
    runs = [law_run(seed, sign) for seed in range(8)]
    first, *others = evaluate_claims("corneanu2020", {"law": runs})
    means = {name: np.mean(values) * sign for name, values in first.estimates.items()}
    assert means["life, all networks"] > 0.2
    assert means["midlife, all networks"] < -0.6
    assert first.holds
    assert "whatever the sign" in first.title
    assert len(others) == 2 * 2
    for claim in others:
        assert claim.holds
        for values in claim.estimates.values():
            assert min(values) > 1
    # One model's error less the law's, in points: the constant's, by hand.
    gaps = [run.outcome.arrays["gap"] for run in runs]
    wanted = [float(np.abs(gap - gap.mean()).mean() * 100 * 8 / 7) for gap in gaps]
    np.testing.assert_allclose(others[0].estimates["constant gap, all networks"], wanted, atol=0.1)


def test_correlations_count_with_either_sign_but_not_around_zero() -> None:
    positive, negative = [0.5, 0.51, 0.49], [-0.5, -0.51, -0.49]
    assert _nonzero({"a": positive, "b": negative}) is True
    assert _nonzero({"a": positive, "b": [0.5, -0.5, 0.1]}) is None
    # That there is no correlation is never shown.
    assert _nonzero({"a": [1e-9, -1e-9, 0.0]}) is None


def test_claims_about_the_detector_by_hand() -> None:
    """0.2 above chance against clean images, 0.1 below against noisy; doubt is better by 0.1."""
    areas = {"clean": 0.7, "noisy": 0.4}
    runs = []
    for seed in range(3):
        values = {}
        for attack, (kind, area) in itertools.product(ATTACKS, areas.items()):
            values[f"auc.topology.{attack}.{kind}"] = area + 0.001 * seed
            values[f"auc.doubt.{attack}.{kind}"] = area + 0.1 - 0.001 * seed
        runs.append(Run(seed, {}, Outcome(values)))
    assert summarised(evaluate_claims("corneanu2020", {"adversarial": runs})) == [
        ([0.2] * 2, True),
        ([-0.1] * 2, False),
        ([-0.1] * 4, False),
    ]


@pytest.mark.parametrize(
    ("experiment", "settings", "sentence"),
    [
        ("training_curves", curves_settings(dataset={}), "'dataset' has no 'name'"),
        ("training_curves", curves_settings(dataset={**DIGITS, "colour": 1}), "does not fit"),
        ("training_curves", curves_settings(split="valid"), "'split' is 'valid'"),
        ("training_curves", curves_settings(nodes="pixels"), "Unknown nodes 'pixels'"),
        ("training_curves", curves_settings(checkpoints=[0, 9]), "checkpoint is asked for"),
        ("training_curves", curves_settings(checkpoints=[0, 2, 1]), "ascending epochs, 0 first"),
        ("training_curves", curves_settings(checkpoints=[1, 2]), "ascending epochs, 0 first"),
        ("training_curves", curves_settings(training={"stop_at_loss": 1.0}), "has stop_at_loss"),
        ("training_curves", curves_settings(seconds=1e-9), "more than the budget"),
        ("training_curves", curves_settings(max_dim=4), "max_dim is 4"),
        ("training_curves", curves_settings(max_dim=0), "'max_dim' is 0"),
        ("training_curves", curves_settings(width=3), "no setting 'width'"),
        (
            "law",
            {
                "dataset": {"name": "moons"},
                "networks": [],
                "training": ADAM,
                "train_sizes": [30, 60],
                "label_corruptions": [0.0],
                "inputs": 31,
            },
            "'inputs' is 31, but the smallest of 'train_sizes' is 30",
        ),
    ],
)
def test_bad_settings_are_refused(experiment: str, settings: dict, sentence: str) -> None:
    with pytest.raises(GengapError, match=sentence):
        run_experiment("corneanu2020", experiment, context(), settings)


def test_the_committed_settings_fit_the_experiments(root: Path) -> None:
    config = yaml.safe_load((root / "studies" / "corneanu2020.yaml").read_text())
    assert set(config) == {"small", "paper"}
    for entry in [entry for part in config.values() for entry in part["experiments"]]:
        name = entry.get("experiment", entry["name"])
        module = importlib.import_module(f"gengap.studies.corneanu2020.experiments.{name}")
        parameters = inspect.signature(module.run).parameters
        known = {key for key, value in parameters.items() if value.kind is value.KEYWORD_ONLY}
        needed = {key for key in known if parameters[key].default is inspect.Parameter.empty}
        assert needed <= {*entry["settings"], *entry["grid"]} <= known
        assert entry["seeds"] >= 3
        Recipe.from_mapping(entry["settings"]["training"])
