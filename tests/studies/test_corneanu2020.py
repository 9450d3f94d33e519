"""The study of Corneanu et al.: reduced jobs, the law and the rules by hand, attacks."""

from __future__ import annotations

import importlib
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
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat
from scipy.ndimage import gaussian_filter1d
from sklearn.linear_model import LinearRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

from gengap.datasets import Dataset, Split, load
from gengap.datasets.registry import DATASETS, Official
from gengap.errors import GengapError
from gengap.figures import save
from gengap.networks import build, dense
from gengap.studies import solving
from gengap.studies.claims import Claim
from gengap.studies.claims_page import claims_page
from gengap.studies.context import Context
from gengap.studies.corneanu2020 import attacks, gap_law
from gengap.studies.corneanu2020.early_stopping import lowest_checkpoint, stopping_checkpoint
from gengap.studies.corneanu2020.experiments import adversarial, law, partitions, training_curves
from gengap.studies.corneanu2020.experiments.adversarial import ATTACKS, DETECTORS, HARMLESS
from gengap.studies.corneanu2020.experiments.partitions import GRAPHS, PARTITIONS, keys
from gengap.studies.corneanu2020.experiments.training_curves import RULES, Checkpoint, Scale
from gengap.studies.corneanu2020.figures import _CurvesLook
from gengap.studies.outcomes import AnyRun, Run, write_outcome
from gengap.studies.running import (
    build_settings,
    evaluate_claims,
    plot_experiment,
    run_experiment,
)
from gengap.topology import betti_curve, correlation_dissimilarity, persistence_diagrams
from gengap.topology.betti import SUMMARIES
from gengap.topology.budget import OverBudgetError
from gengap.training import Recipe, TrainingResult, train

DIGITS: dict[str, Any] = {"name": "digits", "train_size": 60, "test_size": 60}
ADAM: dict[str, Any] = {"optimiser": "adam", "learning_rate": 0.005, "batch_size": 20}
SMALL_NETWORKS: list[dict[str, Any]] = [
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

LAW: dict[str, Any] = {
    "dataset": {"name": "moons", "test_size": 100},
    "networks": [{"template": "dense", "width": 20, "depth": 2}],
    "training": {**ADAM, "epochs": 3},
    "train_sizes": [60],
    "label_corruptions": [0.0],
    "inputs": 30,
}
PARTS: dict[str, Any] = {
    "dataset": DIGITS,
    "network": {"template": "dense", "width": 16, "depth": 2},
    "training": {**ADAM, "epochs": 1},
    "inputs": 40,
    "sampled": 20,
    "draws": 2,
}
ATTACKED: dict[str, Any] = {
    "dataset": {"name": "digits", "train_size": 300, "test_size": 100},
    "network": {"template": "dense", "width": 24, "depth": 2},
    "training": {**ADAM, "epochs": 20},
    "epsilon": 0.15,
    "images": 40,
    "share": 0.3,
}


def context(seed: int = 0, data_dir: Path | None = None) -> Context:
    return Context(seed, None if data_dir is None else str(data_dir), torch.device("cpu"))


def run(experiment: str, settings: Mapping[str, Any], place: Context | None = None) -> Any:
    """The result of a run of an experiment."""
    return run_experiment("corneanu2020", experiment, place or context(), settings)


def finished(experiment: str, seed: int, settings: Mapping[str, Any]) -> AnyRun:
    """A run of an experiment, as figures and claims read it."""
    module = importlib.import_module(f"gengap.studies.corneanu2020.experiments.{experiment}")
    outcome = run(experiment, settings, context(seed)).to_outcome()
    typed = build_settings(module.Settings, settings, experiment)
    return Run(seed, typed, module.Result.from_outcome(outcome))


def curves_settings(**changes: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "dataset": DIGITS,
        "network": {"template": "dense", "width": 16, "depth": 2},
        "training": {**ADAM, "epochs": 2},
        "checkpoints": [0, 1, 2],
        "inputs": 40,
    }
    return settings | changes


def check_figures(
    experiment: str, runs: Sequence[AnyRun], names: Sequence[str], folder: Path
) -> None:
    figures = plot_experiment("corneanu2020", experiment, runs)
    assert sorted(figures) == sorted(names)
    for name, figure in figures.items():
        save(figure, folder / f"{name}.png")


@pytest.mark.slow
@pytest.mark.parametrize("network", SMALL_NETWORKS, ids=lambda spec: spec["architecture"])
def test_training_curves_of_every_architecture(network: dict[str, Any]) -> None:
    settings = curves_settings(
        network=network, training={**ADAM, "epochs": 1}, checkpoints=[0, 1], max_dim=1
    )
    result = run("training_curves", settings)
    curves = result.scales["epsilon"].curves
    assert curves.shape == (2, 2, 121)
    assert list(result.summaries) == list(SUMMARIES)
    assert all(np.isfinite(values).all() for values in result.summaries.values())
    assert not np.array_equal(curves[0], curves[1])


@pytest.mark.slow
def test_cavities_of_lenet_as_published() -> None:
    """All 1820 neurons, the published recipe, and H2, within the default budget."""
    settings = curves_settings(
        dataset={
            "name": "digits",
            "train_size": 300,
            "test_size": 100,
            "transforms": [{"name": "resize", "size": 28}],
        },
        network={"architecture": "lenet_10_20_50"},
        training={
            "optimiser": "sgd",
            "learning_rate": 0.05,
            "momentum": 0.9,
            "weight_decay": 5e-4,
            "batch_size": 30,
            "epochs": 2,
            "schedule": {"name": "plateau", "factor": 0.5},
        },
        checkpoints=[0, 2],
        nodes="neurons",
        inputs=300,
        max_dim=2,
    )
    result = run("training_curves", settings)
    assert result.nodes == 1820
    assert (result.summaries["count"][:, 2] > 0).all()
    assert result.scales["epsilon"].curves[:, 2].max() > 0


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_training_curves_of_official_datasets(name: str, shared: Callable[[str], Path]) -> None:
    settings = curves_settings(
        dataset={"name": name, "train_size": 40, "test_size": 40},
        network={"architecture": "conv_2", "width": 2},
        training={**ADAM, "epochs": 1, "augmentation": ["crop", "flip"]},
        checkpoints=[0, 1],
        max_dim=1,
    )
    result = run("training_curves", settings, context(0, shared(f"data/{name}").parent))
    assert result.nodes == 2 + 2 + 8 + 8 + 10


@pytest.fixture
def made_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A few images of SVHN and Tiny ImageNet, in their formats."""
    rng = np.random.default_rng(0)
    entry = DATASETS["svhn"]
    assert isinstance(entry, Official)
    monkeypatch.setitem(DATASETS, "svhn", replace(entry, source=()))
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
    result = run("training_curves", settings, context(0, made_files))
    assert result.test_accuracy.shape == (2,)


@pytest.mark.slow
def test_training_curves_their_figures_and_claims(tmp_path: Path) -> None:
    runs = [
        finished("training_curves", seed, curves_settings(label_corruption=corruption, max_dim=3))
        for corruption in (0.0, 0.5)
        for seed in range(3)
    ]
    one, other = runs[0].result, runs[3].result
    for scale in one.scales.values():
        assert scale.curves.shape == (3, 4, 121)
        assert (scale.curves[:, 0, 0] <= 1).all()
        for stop in scale.stops.values():
            assert one.test_accuracy[one.epochs == stop.epoch] == stop.accuracy
    assert one.best.accuracy == one.test_accuracy.max()
    assert one.last == Checkpoint(2, one.test_accuracy[2])
    # A seed fixes the initial weights: they do not depend on the labels, what comes after does.
    curves, others = (result.scales["epsilon"].curves for result in (one, other))
    np.testing.assert_array_equal(curves[0], others[0])
    assert not np.array_equal(curves[2], others[2])
    names = ["betti_0", "betti_1", "betti_2", "betti_3", "life_and_midlife", "early_stopping"]
    check_figures("training_curves", runs, names, tmp_path)
    claims = evaluate_claims("corneanu2020", {"training_curves": runs})
    # Modes and cavities, modes while memorising, against the accuracy, and beside true labels.
    assert len(claims) == 2 + 2 + 2 + 2 + 2
    assert all(len(own.values) == 3 for claim in claims for own in claim.estimates.values())


@pytest.mark.slow
def test_curves_are_smoothed_on_request_where_they_are_plotted_only() -> None:
    one = finished("training_curves", 0, curves_settings(max_dim=1))
    stored = one.result.scales["epsilon"].curves.copy()

    def first_line(plotting: dict[str, float]) -> NDArray[np.float64]:
        figure = plot_experiment("corneanu2020", "training_curves", [one], plotting)["betti_0"]
        return np.asarray(figure.axes[0].lines[0].get_ydata())

    plain, window = first_line({}), first_line({"smoothing": 2.0})
    np.testing.assert_array_equal(plain, stored[0, 0])
    inside = slice(10, -10)
    expected = gaussian_filter1d(plain, 2.0, truncate=3.0)[inside]
    np.testing.assert_allclose(window[inside], expected, atol=1e-12)
    assert np.abs(window - plain).max() > 1e-3
    np.testing.assert_array_equal(one.result.scales["epsilon"].curves, stored)
    with pytest.raises(GengapError, match=r"figures of training_curves .* no setting 'smooth'"):
        first_line({"smooth": 2.0})
    with pytest.raises(GengapError, match="smooths nothing"):
        first_line({"smoothing": 0.0})


def test_bands_are_intervals_over_the_seeds_that_have_bars() -> None:
    """Of four seeds one has no loops at the second checkpoint: the mean there is of three."""
    runs = [curves_run(seed, 0.0, (0.3, 0.2), (0.1, 0.4)) for seed in range(4)]
    for seed, one in enumerate(runs):
        one.result.summaries["life"][:, 1] = [seed, 10 * seed, 100]
        one.result.summaries["count"][:, 1] = 1
    runs[3].result.summaries["count"][1, 1] = 0
    figure = plot_experiment("corneanu2020", "training_curves", runs)["life_and_midlife"]
    axes = figure.axes[0]
    means = np.asarray(axes.lines[1].get_ydata(), dtype=float)
    np.testing.assert_allclose(means, [1.5, 10.0, 100.0])
    # Equal values have no band, so that the first dimension has none.
    heights = np.asarray(axes.collections[0].get_paths()[0].vertices)[:, 1]
    # 10 - t sd / sqrt(3), with t = 4.303 for two degrees of freedom and sd = 10.
    assert heights.min() == pytest.approx(10 - 4.302653 * 10 / np.sqrt(3))


def test_a_run_is_the_same_twice_and_another_with_another_seed_or_split() -> None:
    one, same, seed, split = (
        run("training_curves", curves_settings(**changes), context(seed))
        for seed, changes in ((0, {}), (0, {}), (1, {}), (0, {"split": "test"}))
    )
    again = same.to_outcome()
    assert one.to_outcome().values == again.values
    for name, array in one.to_outcome().arrays.items():
        np.testing.assert_array_equal(array, again.arrays[name])
    for other in (seed, split):
        curves = other.scales["epsilon"].curves
        assert not np.array_equal(one.scales["epsilon"].curves, curves)
    np.testing.assert_array_equal(one.test_accuracy, split.test_accuracy)


def test_neurons_one_against_rest_and_the_plateau_schedule() -> None:
    settings = curves_settings(
        dataset={**DIGITS, "groups": [[3], [0, 1, 2, 4, 5, 6, 7, 8, 9]]},
        training={**ADAM, "epochs": 2, "schedule": {"name": "plateau"}},
        network={"architecture": "conv_2", "width": 1},
        nodes="neurons",
        max_dim=1,
    )
    assert run("training_curves", settings).nodes == 8 * 8 * 2 + 4 + 4 + 2


def test_density_bars_are_those_of_the_filtration_by_rank() -> None:
    """Whole in H0 and H1, whatever the correlations; cavities up to a tenth of the edges."""
    rng = np.random.default_rng(0)
    graph = correlation_dissimilarity(rng.standard_normal((60, 20)) @ rng.standard_normal((20, 20)))
    edges = np.sort(graph[np.triu_indices(60, 1)])
    ranks = np.searchsorted(edges, graph, side="right") / len(edges)
    np.fill_diagonal(ranks, 0)
    diagrams = training_curves.density_bars(graph, 2)
    whole = persistence_diagrams(ranks.astype(np.float32), 2, engine="gudhi")
    grid = np.linspace(0.0003, 0.9997, 400)
    for dimension, top in ((0, 1.0), (1, 1.0), (2, 0.1)):
        places = grid[grid < top]
        np.testing.assert_array_equal(
            betti_curve(diagrams[dimension], places), betti_curve(whole[dimension], places)
        )
    assert len(diagrams[2]) > 0
    assert diagrams[1][:, 1].max() > 0.3
    # A monotone change of the dissimilarity leaves the order of the edges, and so the bars.
    for one, other in zip(diagrams, training_curves.density_bars(graph**2, 2), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_checkpoint_without_loops_has_no_mode() -> None:
    assert np.isnan(training_curves.mode(np.empty((0, 2))))
    assert np.isnan(training_curves.mode(np.array([[0.1, np.inf]])))
    # Two loops are alive from 0.2 to 0.3 only.
    assert training_curves.mode(np.array([[0.1, 0.3], [0.2, 0.5]])) == 0.2


def test_large_networks_are_sampled() -> None:
    assert run("training_curves", curves_settings(nodes_at_most=12, max_dim=1)).nodes == 12


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
    experiment: str, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(solving, "train", never)
    whole = {"training_curves": curves_settings(), "adversarial": ATTACKED}[experiment] | settings
    with pytest.raises(OverBudgetError, match="more than the budget"):
        run(experiment, whole)


def test_an_interrupted_run_goes_on_from_its_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after epoch 3 of 4, with a checkpoint at epoch 2."""
    plateau = {"name": "plateau", "patience": 1}
    settings = curves_settings(
        training={**ADAM, "epochs": 4, "schedule": plateau}, checkpoints=[0, 2, 4], max_dim=1
    )
    expected = run("training_curves", settings)
    trained: list[int] = []
    stops = [3]

    def watched(*arguments: Any, **keywords: Any) -> TrainingResult:
        def stop(row: Mapping[str, Any]) -> None:
            trained.append(row["epoch"])
            if row["epoch"] in stops:
                raise KeyboardInterrupt

        return train(*arguments, **{**keywords, "on_epoch": stop})

    monkeypatch.setattr(solving, "train", watched)
    own = replace(context(), resume_from=tmp_path / "0.unfinished")
    with pytest.raises(KeyboardInterrupt):
        run("training_curves", settings, own)
    stops.clear()
    resumed = run("training_curves", settings, own)
    assert trained == [1, 2, 3, 3, 4]
    for number, result in enumerate((expected, resumed)):
        write_outcome(tmp_path / f"{number}.npz", result.to_outcome())
    assert (tmp_path / "0.npz").read_bytes() == (tmp_path / "1.npz").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "sizes", "chunks"),
    [
        ({}, [128, 128, 8, 8, 10], 4 + 4 + 1 + 1 + 1),
        ({"nodes": "channels", "together": 2, "chunk": 4}, [4, 16, 10], 1 + 1 + 2 + 2 + 2),
    ],
    ids=["neurons", "channels in blocks of two layers"],
)
def test_partitions_of_a_network(
    change: dict[str, Any], sizes: list[int], chunks: int, tmp_path: Path
) -> None:
    """Every partition has every graph, at the start and at the end."""
    settings = {**PARTS, "network": {"architecture": "conv_2", "width": 2}, "draws": 3, **change}
    runs = [finished("partitions", seed, settings) for seed in range(2)]
    result = runs[0].result
    for moment in (result.start, result.end):
        graphs = [moment.graph(*pair) for pair in itertools.product(PARTITIONS, GRAPHS)]
        for graph in (moment.whole, moment.sampled, *graphs):
            assert list(graph) == keys(1)
            assert all(0 <= value <= 0.3 for value in graph.values())
    end = result.end
    assert end.partitions["structure"].count == len(sizes)
    assert end.partitions["equal"].count == chunks
    assert end.partitions["communities"].count > 1
    assert end.low["life.H0"] <= end.sampled["life.H0"] <= end.high["life.H0"]
    check_figures("partitions", runs, ["partitions"], tmp_path)
    claims = evaluate_claims("corneanu2020", {"partitions": runs})
    assert [set(claim.estimates) for claim in claims] == [set(PARTITIONS)] * len(GRAPHS)


@pytest.mark.parametrize(
    ("experiment", "settings", "numbers"),
    [
        (
            "training_curves",
            curves_settings(max_dim=1),
            ("scales.epsilon.curves", "summaries.life", "scales.density.modes"),
        ),
        ("partitions", PARTS, ()),
        ("law", LAW, ("summaries.life.H0", "summaries.midlife.H1", "margin")),
    ],
)
def test_graphs_are_those_of_training_inputs(
    experiment: str,
    settings: dict[str, Any],
    numbers: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With other test inputs only the test accuracy is another, but where the split is ``test``."""
    module = importlib.import_module(f"gengap.studies.corneanu2020.experiments.{experiment}")
    before = run(experiment, settings).to_outcome()
    load = module.load_dataset

    def with_other_test_inputs(*arguments: Any, **keywords: Any) -> Dataset:
        data: Dataset = load(*arguments, **keywords)
        other = np.random.default_rng(0).permuted(data.test.inputs, axis=0)
        return replace(data, test=Split(other, data.test.labels, data.classes))

    monkeypatch.setattr(module, "load_dataset", with_other_test_inputs)
    after = run(experiment, settings).to_outcome()
    if experiment == "partitions":
        assert after.values == before.values
    else:
        accuracies = (outcome.arrays["test_accuracy"] for outcome in (before, after))
        assert not np.array_equal(*accuracies)
    for name in numbers:
        np.testing.assert_array_equal(after.arrays[name], before.arrays[name])
    if experiment == "training_curves":
        monkeypatch.undo()
        one = run(experiment, {**settings, "split": "test"}).to_outcome()
        name = "scales.epsilon.curves"
        assert not np.array_equal(one.arrays[name], before.arrays[name])


def test_large_networks_of_the_law_are_sampled() -> None:
    """Of 20 + 20 + 2 nodes, 12: the counts are per node, so those of H0 are multiples of 1/12."""
    sampled, whole = run("law", {**LAW, "nodes_at_most": 12}), run("law", LAW)
    assert sampled.gap == whole.gap
    for result, nodes in ((sampled, 12), (whole, 42)):
        count = nodes * result.summaries["count.H0"][0]
        assert 0 < count < nodes
        assert count == pytest.approx(round(count))
    assert sampled.summaries["life.H0"] != whole.summaries["life.H0"]


def test_parts_and_subparts_at_each_epoch_with_one_partition_kept(tmp_path: Path) -> None:
    """Four parts of 42 nodes, those of the last epoch at every epoch, each cut in two again."""
    settings = {
        **PARTS,
        "training": {**ADAM, "epochs": 2},
        "checkpoints": [0, 1, 2],
        "parts": 4,
        "subparts": 2,
        "kept": True,
        "max_dim": 2,
        "shortest_bar": 0.0,
    }
    one = finished("partitions", 0, settings)
    assert list(one.result.moments) == ["0", "1", "2"]
    for moment in one.result.moments.values():
        kept = moment.partitions["communities"]
        assert kept.count == 4
        assert kept.curves.shape == (4, 3, 61)
        # At epsilon 0 every node of a part is a component by itself, but for equal activations.
        assert (kept.curves[:, 0, 0] <= 1).all()
        assert set(moment.graph("communities", "subparts")) == set(keys(2))
        # The graph of two means has at most one bar, from 0 to half their distance.
        assert moment.graph("communities", "subparts")["life.H0"] <= 0.3
    other = finished("partitions", 0, {**settings, "kept": False})
    curves, others = (run.result.end.partitions["communities"].curves for run in (one, other))
    np.testing.assert_array_equal(curves, others)
    first, elsewhere = (run.result.start.partitions["communities"].curves for run in (one, other))
    assert not np.array_equal(first, elsewhere)
    check_figures("partitions", [one], ["partitions", "parts_in_training"], tmp_path)


def test_graphs_over_the_budget_are_left_out() -> None:
    settings = {
        **PARTS,
        "network": {"architecture": "conv_2", "width": 2},
        # Of the 276 neurons the layers have 128, 128, 8, 8 and 10.
        "memory_gib": 8 * 80**2 / 2**30,
    }
    one = finished("partitions", 0, settings)
    end = one.result.end
    assert end.whole is None
    assert {"parts", "js"} <= set(end.partitions["equal"].graphs)
    assert "means" in end.partitions["structure"].graphs
    assert not {"parts", "js"} & set(end.partitions["structure"].graphs)
    assert "communities" not in end.partitions
    assert end.graph("communities", "parts") is None
    assert evaluate_claims("corneanu2020", {"partitions": [one]}) == []


@pytest.mark.slow
def test_the_law_over_a_grid(tmp_path: Path) -> None:
    settings = {
        **LAW,
        "networks": [
            {"template": "dense", "width": 8, "depth": 1},
            {"architecture": "lenet_300_100"},
        ],
        "train_sizes": [30, 60],
        "label_corruptions": [0.0, 0.3],
    }
    runs = [
        finished("law", seed, {**settings, "dataset": {"name": name, "test_size": 100}})
        for name in ("moons", "checkerboard")
        for seed in range(2)
    ]
    result = runs[0].result
    assert len(result.gap) == 8
    np.testing.assert_allclose(result.gap, result.train_accuracy - result.test_accuracy)
    sizes = [2 * 8 + 8 + 8 * 2 + 2, 2 * 300 + 300 + 300 * 100 + 100 + 100 * 2 + 2]
    np.testing.assert_allclose(np.exp(result.log_parameters), np.repeat(sizes, 4))
    check_figures("law", runs, ["gap_law", "predicted_accuracy", "law_errors"], tmp_path)
    claims = evaluate_claims("corneanu2020", {"law_vectors": runs[:2], "law_other": runs[2:]})
    # Networks of one seed that have loops are of one architecture, which leaves none out.
    assert len(claims) == 1 + 2 * 2
    parity = replace(runs[0].settings, dataset={"name": "moons", "groups": [[0], [1]]})
    table = gap_law.networks_table([runs[0], Run(0, parity, result)])
    assert set(table["dataset"]) == {"moons"}
    assert set(table["task"]) == {"moons", "moons in 2 groups"}
    assert "dataset" not in gap_law.groupings([table])
    one = plot_experiment("corneanu2020", "law", runs[:2])
    assert len(one["law_errors"].axes) == 1


@pytest.mark.slow
def test_figures_are_grouped_by_the_grid(tmp_path: Path) -> None:
    """Two networks and two fractions of corrupted labels: figures by network, columns by label.

    The architectures' curves are not averaged: each figure shows those of its own runs.
    """
    runs = []
    for height, network in enumerate(("lenet", "conv_2")):
        for corruption in (0.0, 0.5):
            for seed in range(2):
                one = curves_run(seed, corruption, (0.3, 0.2), (0.1, 0.4))
                one.result.scales["epsilon"].curves[:] = height
                settings = replace(one.settings, network={"architecture": network})
                runs.append(replace(one, settings=settings))
    figures = plot_experiment("corneanu2020", "training_curves", runs)
    assert len(figures) == 2 * 6
    for height, network in enumerate(("lenet", "conv_2")):
        figure = figures[f"betti_1_{network}"]
        titles = [axes.get_title() for axes in figure.axes]
        assert titles[:2] == ["true labels", "50% of the labels corrupted"]
        assert figure.get_suptitle() == network
        for line in figure.axes[0].lines:
            np.testing.assert_array_equal(line.get_ydata(), height)
        save(figure, tmp_path / f"{network}.png")


@pytest.mark.slow
def test_betti_curves_of_chosen_epochs_as_counts() -> None:
    runs = [curves_run(seed, 0.0, (0.3, 0.2), (0.1, 0.4)) for seed in range(2)]
    for one in runs:
        one.result.scales["epsilon"].curves[:] = np.arange(3)[:, None, None]
    plotting = {"epochs": [2], "counts": True}
    figure = plot_experiment("corneanu2020", "training_curves", runs, plotting)["betti_1"]
    (line,) = figure.axes[0].lines
    # Two per node of 100 nodes.
    np.testing.assert_array_equal(line.get_ydata(), 200)
    scale = runs[0].result.scales["epsilon"]
    assert figure.axes[0].get_xlim() == (scale.grid[0], scale.grid[-1])
    for one in runs:
        one.result.scales["epsilon"].curves[..., -3:] = np.nan
    shorter = plot_experiment("corneanu2020", "training_curves", runs, plotting)["betti_1"]
    assert shorter.axes[0].get_xlim() == (scale.grid[0], scale.grid[-4])
    epochs = np.array([0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 80, 120])
    look = _CurvesLook(None, None, False)
    assert epochs[look.shown(epochs)].tolist() == [0, 2, 5, 10, 20, 50, 120]
    assert look.shown(np.arange(3)) == [0, 1, 2]
    with pytest.raises(GengapError, match="names 7, which is no checkpoint: choose among 0, 1, 2"):
        plot_experiment("corneanu2020", "training_curves", runs, {"epochs": [7]})


def test_networks_without_loops_are_left_out_of_the_law_and_counted(tmp_path: Path) -> None:
    """Two of 8 networks have no bar in H1: their zeros do not enter the fit."""
    runs = [law_run(seed, 1.0) for seed in range(3)]
    whole = gap_law.Law.fitted([one.result for one in runs])
    expected = LinearRegression().fit(
        np.concatenate(
            [
                np.column_stack(
                    [one.result.summaries[f"{name}.H1"] for name in ("life", "midlife")]
                )
                for one in runs
            ]
        ),
        np.concatenate([one.result.gap for one in runs]),
    )
    assert whole.constant == pytest.approx(expected.intercept_)
    np.testing.assert_allclose([whole.life, whole.midlife], expected.coef_)
    assert (whole.networks, whole.left_out) == (24, 0)
    for values in runs[0].result.summaries.values():
        values[:2] = 0
    runs[0].result.gap[:2] = 1.0
    without = gap_law.Law.fitted([one.result for one in runs])
    assert (without.networks, without.left_out) == (22, 2)
    # The law of the other networks is exact up to 1e-4.
    assert without.gap(0.5, 0.25) == pytest.approx(0.3, abs=2e-4)
    assert without.equation() == "gap = 30.0 + 10 life − 20 midlife"
    assert len(gap_law.networks_table(runs)) == 22
    sentence = "2 of 24 networks have no bar in H1, and are left out"
    assert gap_law.left_out_sentence(runs) == sentence
    assert sentence in evaluate_claims("corneanu2020", {"law": runs})[0].measured
    figures = plot_experiment("corneanu2020", "law", runs)
    assert sentence in figures["gap_law"].legends[0].get_title().get_text()
    line = figures["gap_law"].axes[2].lines[0]
    np.testing.assert_array_equal(line.get_xdata(), line.get_ydata())
    save(figures["gap_law"], tmp_path / "gap_law.png")
    with pytest.raises(GengapError, match="only 3 networks have a bar in H1"):
        gap_law.Law.of_table(gap_law.networks_table(runs)[:3])


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
    predictions = gap_law.left_out_predictions(table, left_out)
    for model, columns in gap_law.MODELS.items():
        features = table[list(columns)].to_numpy() if columns else np.zeros((24, 1))
        expected = cross_val_predict(
            LinearRegression(), features, table["gap"], groups=groups, cv=LeaveOneGroupOut()
        )
        np.testing.assert_allclose(predictions[model], expected)
    error = gap_law.errors(table, left_out)
    assert error["life and midlife"] < 1 < error["constant gap"]


def test_a_law_needs_something_to_leave_out() -> None:
    table = grid_table().assign(dataset="x")
    assert set(gap_law.groupings([table])) == {"network", "architecture"}
    with pytest.raises(GengapError, match="share one dataset"):
        gap_law.left_out_predictions(table, "dataset")


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


@pytest.mark.slow
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
def test_adversarial_detector(change: dict[str, Any], kept: int, tmp_path: Path) -> None:
    runs = [finished("adversarial", seed, {**ATTACKED, **change}) for seed in range(2)]
    result = runs[0].result
    assert result.test_accuracy > 0.8
    assert result.attacks["pgd"].success > 0.3
    assert len(result.nodes) == kept
    for attack, detector, kind in itertools.product(ATTACKS, DETECTORS, HARMLESS):
        assert 0 <= result.attacks[attack].detectors[detector][kind].auc <= 1
    check_figures("adversarial", runs, ["adversarial_curves", "adversarial_roc"], tmp_path)
    assert len(evaluate_claims("corneanu2020", {"adversarial": runs})) == 3


@pytest.mark.slow
def test_images_of_another_attack_are_detected_from_files(tmp_path: Path) -> None:
    """Inverted digits, most of which lead the network astray: told from clean ones."""
    paths = {}
    for split, seed in (("train", 1), ("test", 2)):
        data = load("digits", seed=seed, train_size=60, test_size=60).train
        paths[f"own_{split}"] = str(tmp_path / f"{split}.npz")
        inverted = data.inputs.max() - data.inputs
        np.savez(paths[f"own_{split}"], inputs=inverted, labels=data.labels)
    one = finished("adversarial", 0, {**ATTACKED, **paths})
    assert set(one.result.attacks) == {*ATTACKS, "own"}
    assert one.result.attacks["own"].detectors["topology"]["clean"].auc > 0.6
    check_figures("adversarial", [one], ["adversarial_curves", "adversarial_roc"], tmp_path)
    with pytest.raises(GengapError, match="'own_test' is missing: give both"):
        run("adversarial", {**ATTACKED, "own_train": paths["own_train"]})
    _, first = np.unique(data.labels, return_index=True)
    np.savez(tmp_path / "clean.npz", inputs=data.inputs[first], labels=data.labels[first])
    with pytest.raises(GengapError, match=r"of 10 images of .*clean.npz lead the network astray"):
        run("adversarial", {**ATTACKED, **paths, "own_test": str(tmp_path / "clean.npz")})


def test_attacks_that_fail_are_refused() -> None:
    with pytest.raises(GengapError, match="raise epsilon"):
        run("adversarial", ATTACKED | {"epsilon": 1e-6})


def test_the_detector_finds_what_differs_and_nothing_where_nothing_does() -> None:
    """Attacked images lie apart from harmless ones on both splits, on one only, on none."""
    rng = np.random.default_rng(0)

    def features(attack: str, shift: float) -> dict[str, adversarial._Features]:
        return {
            kind: adversarial._Features(
                rng.standard_normal((300, 4)) + shift * (kind == attack), np.empty(0)
            )
            for kind in (*HARMLESS, *ATTACKS)
        }

    def areas(attack: str, train_shift: float, test_shift: float) -> list[float]:
        train, test = features(attack, train_shift), features(attack, test_shift)
        scores = adversarial._topology_scores(train, test, attack)
        return [adversarial.auc(scores[attack], scores[kind]) for kind in HARMLESS]

    for attack in ATTACKS:
        assert min(areas(attack, 2.0, 2.0)) > 0.9
        # The other way round on test images: what was learnt is wrong there.
        assert max(areas(attack, 2.0, -2.0)) < 0.1
        for train_shift in (0.0, 2.0):
            assert all(abs(area - 0.5) < 0.1 for area in areas(attack, train_shift, 0.0))


def test_the_confidence_score_is_one_minus_the_largest_probability() -> None:
    network = build({"model_config": [{"layer_name": "Dense", "units": 2}], "input_shape": [1]})
    with torch.no_grad():
        network.get_parameter("dense_0.weight").copy_(torch.tensor([[0.0], [1.0]]))
        network.get_parameter("dense_0.bias").zero_()
    inputs = np.array([[0.0], [np.log(3)], [-np.log(9)]], dtype=np.float32)
    scores = adversarial.confidence_scores(network, inputs)
    np.testing.assert_allclose(scores, [0.5, 0.25, 0.1], rtol=1e-6)


def test_attacks_on_a_linear_network() -> None:
    """There the gradient's sign is the same everywhere, so both attacks end in the same corner."""
    network = build({"model_config": [{"layer_name": "Dense", "units": 2}], "input_shape": [3]})
    weights = torch.tensor([[1.0, -2.0, 0.5], [0.0, 1.0, 2.0]])
    with torch.no_grad():
        network.get_parameter("dense_0.weight").copy_(weights)
    inputs = torch.tensor([[0.5, 0.5, 0.5], [0.05, 0.5, 0.95]])
    labels = torch.tensor([0, 1])
    signs = torch.stack([weights[1] - weights[0], weights[0] - weights[1]]).sign()
    expected = (inputs + 0.1 * signs).clamp(0, 1)
    torch.testing.assert_close(attacks.fgsm(network, inputs, labels, 0.1, (0.0, 1.0)), expected)
    generator = torch.Generator().manual_seed(0)
    changed = attacks.pgd(network, inputs, labels, 0.1, (0.0, 1.0), 10, generator)
    torch.testing.assert_close(changed, expected)
    noisy = attacks.noise(inputs, 0.02, (0.0, 1.0), generator)
    torch.testing.assert_close((noisy - inputs).abs(), torch.full((2, 3), 0.02))


def test_pgd_raises_the_loss_within_its_bounds() -> None:
    network = build(dense((6,), 3, width=8, depth=2))
    rng = torch.Generator().manual_seed(1)
    inputs, labels = torch.rand(20, 6, generator=rng), torch.randint(0, 3, (20,), generator=rng)
    changed = attacks.pgd(network, inputs, labels, 0.2, (0.0, 1.0), 10, rng)
    assert float((changed - inputs).abs().max()) <= 0.2 + 1e-6
    assert 0 <= float(changed.min()) <= float(changed.max()) <= 1
    losses = [
        torch.nn.functional.cross_entropy(network(images), labels).item()
        for images in (inputs, changed)
    ]
    assert losses[1] > losses[0]


def test_auc_is_scikit_learns_and_its_curve_ends_at_one() -> None:
    rng = np.random.default_rng(0)
    positive, negative = (rng.integers(*ends).astype(float) for ends in ((2, 9, 40), (0, 7, 60)))
    labels = np.repeat([1, 0], [40, 60])
    expected = roc_auc_score(labels, np.concatenate([positive, negative]))
    assert adversarial.auc(positive, negative) == pytest.approx(expected)
    curve = adversarial.roc(positive, negative)
    assert (np.diff(curve) >= 0).all()
    assert curve[-1] == 1
    assert adversarial.auc(negative, negative) == pytest.approx(0.5)


def curves_run(
    seed: int, corruption: float, modes: tuple[float, float], density: tuple[float, float]
) -> AnyRun:
    """Three checkpoints, the second the best; bars grow by 0.1, 0.2 and 0.3 per node in H1 to H3.

    Seeds differ by a thousandth, so that intervals are short, but no points.
    """
    shift = 0.001 * seed
    counts = np.outer([0, 1, 2], [0.05, 0.05, 0.1, 0.15]) + 0.01
    counts[2, 2:] += shift

    def scale(places: list[float], regression: float, lowest: float) -> Scale:
        accuracies = zip(RULES, (regression + shift, lowest + shift), strict=True)
        stops = {rule: Checkpoint(1, accuracy) for rule, accuracy in accuracies}
        return Scale(
            np.linspace(0.1, 1, 5), np.zeros((3, 4, 5)), np.array(places), np.zeros(3), stops
        )

    settings = build_settings(
        training_curves.Settings, curves_settings(label_corruption=corruption), ""
    )
    result = training_curves.Result(
        epochs=np.arange(3),
        train_accuracy=np.ones(3),
        test_accuracy=np.array([0.1, 0.8, 0.6]),
        nodes=100,
        summaries={name: np.zeros((3, 4)) for name in SUMMARIES} | {"count": counts},
        scales={
            "epsilon": scale([modes[0], modes[1], modes[1] + shift], 0.7, 0.5),
            "density": scale([density[0], density[0], density[1] + shift], 0.65, 0.4),
        },
        best=Checkpoint(1, 0.8),
        last=Checkpoint(2, 0.6),
    )
    return Run(seed, settings, result)


def summarised(claims: Sequence[Claim]) -> list[tuple[list[float], str]]:
    """Of each claim, the means of its estimates and its verdict."""
    return [
        (
            [round(float(np.mean(own.values)), 2) for own in claim.estimates.values()],
            claim.verdict.word,
        )
        for claim in claims
    ]


def test_claims_about_learning_by_hand() -> None:
    """The mode falls by 0.1 in epsilon, rises by 0.3 in density; cavities grow by 0.2 and 0.3."""
    true = [curves_run(seed, 0.0, (0.3, 0.2), (0.1, 0.4)) for seed in range(7)]
    judged = evaluate_claims("corneanu2020", {"training_curves": true})
    assert summarised(judged) == [
        ([0.10], "agrees"),
        ([-0.30], "disagrees"),
        ([0.20], "agrees"),
        ([0.30], "agrees"),
    ]
    page = claims_page("corneanu2020", "small", judged)
    place = "(README of the authors' repository, LeNet on MNIST, read off; not comparable)"
    assert f"| mode of beta_1 at epsilon 0.23 at the start, 0.15 after 50 epochs {place} |" in page
    assert f"| largest beta_2 12 at the start, 60 after 50 epochs {place} |" in page
    assert page.count(place) == 2


def test_claims_about_memorising_by_hand() -> None:
    """From the best checkpoint to the end: in epsilon nothing but the shift, in density 0.3 up."""
    corrupted = [curves_run(seed, 0.5, (0.3, 0.2), (0.1, 0.4)) for seed in range(3)]
    claims = evaluate_claims("corneanu2020", {"training_curves": corrupted})
    assert summarised(claims[:2]) == [([0.00], "undecided"), ([0.30], "agrees")]
    # Two checkpoints after the start have no rank correlation of mode and accuracy.
    assert [claim.verdict.word for claim in claims[2:]] == ["undecided"] * 2
    assert "falls by 0.2 from its best epoch" in claims[0].measured


def test_claims_about_parts_by_hand() -> None:
    """The whole graph's life falls: parts that fall as well go along, means that rise do not."""

    def moment(whole: float, lives: Sequence[float]) -> partitions.Moment:
        graphs = {kind: {"life.H0": life} for kind, life in zip(GRAPHS, lives, strict=True)}
        parts = {name: partitions.Partition(2, graphs, None) for name in PARTITIONS}
        return partitions.Moment({"life.H0": whole}, {}, {}, {}, parts)

    settings = build_settings(partitions.Settings, PARTS, "")
    runs = []
    for seed in range(3):
        end = moment(0.1, [life + 0.001 * seed for life in (0.15, 0.25, 0.15, 0.25)])
        runs.append(Run(seed, settings, partitions.Result({"0": moment(0.2, [0.2] * 4), "1": end})))
    assert (
        summarised(evaluate_claims("corneanu2020", {"partitions": runs}))
        == [
            ([0.05] * 3, "agrees"),
            ([-0.05] * 3, "disagrees"),
        ]
        * 2
    )


def law_run(seed: int, sign: float) -> Run[law.Settings, law.Result]:
    """Eight networks whose gap is 0.3 + life - 2 midlife (or with the other sign), almost."""
    rng = np.random.default_rng(seed)
    life, midlife, other = rng.random((3, 8))
    result = law.Result(
        gap=0.3 + sign * (life - 2 * midlife) / 10 + 1e-4 * other,
        train_accuracy=rng.random(8),
        test_accuracy=np.zeros(8),
        log_parameters=rng.random(8),
        margin=rng.random(8),
        summaries={"life.H1": life, "midlife.H1": midlife, "count.H1": np.ones(8)},
        size=np.full(8, 60),
        corruption=np.zeros(8),
        architecture=np.array(list("abcd") * 2),
        inputs=30,
        nodes_at_most=None,
        largest_epsilon=0.3,
        shortest_bar=0.02,
    )
    return Run(seed, build_settings(law.Settings, LAW, ""), result)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_claims_about_the_law_by_hand(sign: float) -> None:
    """Where the gap is the law, all else is worse; of correlations either sign is enough."""
    runs = [law_run(seed, sign) for seed in range(8)]
    first, *others = evaluate_claims("corneanu2020", {"law": runs})
    means = {name: np.mean(own.values) * sign for name, own in first.estimates.items()}
    assert means["life, all networks"] > 0.2
    assert means["midlife, all networks"] < -0.6
    assert first.verdict.word == "agrees"
    assert "whatever the sign" in first.title
    *others, families = others
    assert families.title.startswith("In each family")
    assert len(others) == 2 * 2
    for claim in others:
        assert claim.verdict.word == "agrees"
        for own in claim.estimates.values():
            assert min(own.values) > 1
    # One model's error less the law's, in points: the constant's, by hand.
    gaps = [run.result.gap for run in runs]
    expected = [float(np.abs(gap - gap.mean()).mean() * 100 * 8 / 7) for gap in gaps]
    differences = others[0].estimates["constant gap, all networks"].values
    np.testing.assert_allclose(differences, expected, atol=0.1)


def test_claims_about_the_detector_by_hand() -> None:
    """0.2 above chance against clean images, 0.1 below against noisy; 0.1 below confidence."""

    def detections(shift: float) -> dict[str, adversarial.Detection]:
        areas = zip(HARMLESS, (0.7, 0.4), strict=True)
        return {kind: adversarial.Detection(area + shift, np.zeros(101)) for kind, area in areas}

    settings = build_settings(adversarial.Settings, ATTACKED, "")
    runs = []
    for seed in range(3):
        shift = 0.001 * seed
        detectors = {"topology": detections(shift), "confidence": detections(0.1 - shift)}
        attacked = {attack: adversarial.Attack(1.0, detectors) for attack in ATTACKS}
        grid = adversarial.GRID
        result = adversarial.Result(1.0, 1.0, attacked, np.arange(2), grid, {})
        runs.append(Run(seed, settings, result))
    assert summarised(evaluate_claims("corneanu2020", {"adversarial": runs})) == [
        ([0.2] * 2, "agrees"),
        ([-0.1] * 2, "disagrees"),
        ([-0.1] * 4, "disagrees"),
    ]


@pytest.mark.parametrize(
    ("experiment", "settings", "sentence"),
    [
        ("training_curves", curves_settings(dataset={}), "'dataset' has no 'name'"),
        (
            "training_curves",
            curves_settings(dataset={**DIGITS, "colour": 1}),
            "unknown key 'colour'",
        ),
        (
            "training_curves",
            curves_settings(split="valid"),
            "'split' of the experiment .* give train or test",
        ),
        (
            "training_curves",
            curves_settings(nodes="pixels"),
            "'nodes' of the experiment .* is 'pixels'",
        ),
        ("training_curves", curves_settings(checkpoints=[0, 9]), "snapshot is asked for"),
        ("training_curves", curves_settings(checkpoints=[0, 2, 1]), "ascending epochs, 0 first"),
        ("training_curves", curves_settings(checkpoints=[1, 2]), "ascending epochs, 0 first"),
        ("training_curves", curves_settings(training={"stop_at_loss": 1.0}), "has stop_at_loss"),
        ("training_curves", curves_settings(seconds=1e-9), "more than the budget"),
        ("training_curves", curves_settings(max_dim=4), "'max_dim' of .* is 4: give 1 or 2 or 3"),
        ("training_curves", curves_settings(max_dim=0), "'max_dim' of .* is 0: give 1 or 2 or 3"),
        ("training_curves", curves_settings(width=3), "no setting 'width'"),
        (
            "law",
            {**LAW, "train_sizes": [30, 60], "inputs": 31},
            "'inputs' is 31, but the smallest of 'train_sizes' is 30",
        ),
    ],
)
def test_bad_settings_are_refused(experiment: str, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(GengapError, match=sentence):
        run(experiment, settings)


def test_the_committed_settings_fit_the_experiments(root: Path) -> None:
    config = yaml.safe_load((root / "studies" / "corneanu2020.yaml").read_text())
    assert set(config) == {"small", "medium", "paper"}
    for entry in [entry for part in config.values() for entry in part["experiments"]]:
        name = entry.get("experiment", entry["name"])
        module = importlib.import_module(f"gengap.studies.corneanu2020.experiments.{name}")
        for values in itertools.product(*entry.get("grid", {}).values()):
            point = dict(zip(entry.get("grid", {}), values, strict=True))
            build_settings(module.Settings, {**entry["settings"], **point}, name)
        assert entry["seeds"] >= 3
        Recipe.from_mapping(entry["settings"]["training"])
