"""Every dataset, network, start, loss and experiment of sabanayagam2023, in reduced jobs."""

from __future__ import annotations

import dataclasses
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from matplotlib.figure import Figure

from gengap.curvature.alignment import alignments
from gengap.curvature.margin import REACHED
from gengap.datasets import Dataset, Split, load
from gengap.errors import GengapError
from gengap.networks import Network, build, dense, logits, write_weights
from gengap.studies.claims import Claim
from gengap.studies.context import Context
from gengap.studies.outcomes import AnyRun, Run
from gengap.studies.planes import plane_around
from gengap.studies.running import (
    build_settings,
    evaluate_claims,
    plot_experiment,
    run_experiment,
)
from gengap.studies.sabanayagam2023 import claims as claims_module
from gengap.studies.sabanayagam2023 import figures, quantities, rescaling, starts
from gengap.studies.sabanayagam2023.experiments import (
    boundary,
    complexity,
    dynamics,
    images,
    intro,
    simplicity,
)
from gengap.studies.solving import Solution, build_network

STUDY = "sabanayagam2023"
MODULES: dict[str, Any] = {
    "boundary": boundary,
    "complexity": complexity,
    "dynamics": dynamics,
    "images": images,
    "intro": intro,
    "simplicity": simplicity,
}
CPU = torch.device("cpu")
CONTEXT = Context(seed=5, data_dir=None, device=CPU)
TINY = {"template": "dense", "width": 6, "depth": 2}
TRAINING = {"optimiser": "adam", "learning_rate": 0.02, "batch_size": 20, "epochs": 25}
GAUSS = {"name": "gauss_mixture", "train_size": 30, "test_size": 30, "balanced": True}
DIGITS = {
    "name": "digits",
    "groups": [[0], [1], [7]],
    "train_size": 30,
    "test_size": 30,
    "balanced": True,
    "transforms": [{"name": "resize", "size": 10}],
}


def run(experiment: str, seed: int = 0, context: Context = CONTEXT, **settings: Any) -> AnyRun:
    """A run as figures and claims see it: after its outcome was stored."""
    module = MODULES[experiment]
    context = dataclasses.replace(context, seed=context.seed + seed)
    outcome = run_experiment(STUDY, experiment, context, settings).to_outcome()
    built = build_settings(module.Settings, settings, experiment)
    return Run(seed, built, module.Result.from_outcome(outcome))


def plot(experiment: str, *runs: AnyRun) -> list[str]:
    return list(plot_experiment(STUDY, experiment, runs))


def train(
    data: Dataset, network: dict[str, Any], training: dict[str, Any], *setup: Any, **first: Any
) -> Solution:
    return starts.train_from(CONTEXT, data, network, training, *setup, **first)


@pytest.fixture
def few_eigenpairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leading eigenpairs only, also of small networks."""
    monkeypatch.setattr("gengap.curvature.spectra.DENSE_LIMIT", 50)


BOUNDARY = {"network": TINY, "training": TRAINING, "side": 12, "leading": 3}


@pytest.mark.parametrize(
    "dataset",
    [
        {"name": "gauss_mixture"},
        {"name": "hierarchical"},
        {"name": "hierarchical", "groups": [[0, 1], [2, 3]]},
        {"name": "circles"},
        {"name": "moons"},
        {"name": "checkerboard_linear"},
        {"name": "checkerboard_noisy"},
        {"name": "iris"},
    ],
)
def test_boundary_of_every_dataset(dataset: dict[str, Any]) -> None:
    settings = {**dataset, "train_size": 40, "test_size": 20}
    components = [2, 3] if dataset["name"] == "iris" else [0, 1]
    found = run("boundary", dataset=settings, components=components, **BOUNDARY)
    result: boundary.Result = found.result
    assert result.boundary_length > 0
    assert np.abs(result.maps.aligned).max() <= 1
    assert result.maps.aligned.shape == (3, 12, 12)
    assert plot("boundary", found) == ["boundary"]


@pytest.mark.parametrize(
    "network",
    [
        {"template": "dense", "width": 10, "depth": 1},
        *(
            {"template": "dense", "width": width, "depth": 2, "activation": activation}
            for width in (100, 50, 30)
            for activation in ("relu", "sigmoid")
        ),
    ],
)
def test_boundary_of_every_dense_network(few_eigenpairs: None, network: dict[str, Any]) -> None:
    found = run("boundary", dataset=GAUSS, **{**BOUNDARY, "network": network, "side": 6})
    measures: quantities.Measures = found.result.solution.measures
    assert np.isfinite(measures.lambda_1)
    assert measures.g_theta_count <= 3
    assert plot("boundary", found) == ["boundary"]


@pytest.mark.parametrize("loss", ["cross_entropy", "nll", "mse", "hinge"])
@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_boundary_of_every_loss_and_optimiser(loss: str, optimiser: str) -> None:
    other = {"optimiser": optimiser, "learning_rate": 0.05 if optimiser == "sgd" else 0.01}
    # A hinge loss of exactly 0 has no curvature.
    settings = {**BOUNDARY, "training": {**TRAINING, "stop_at_loss": 0.05}}
    found = run("boundary", dataset=GAUSS, loss=loss, optimiser=other, **settings)
    assert found.result.solution.fit.train_accuracy > 0.5
    assert found.result.top.flips > 0.5
    assert plot("boundary", found) == ["boundary"]


def test_a_file_of_weights_is_a_start(tmp_path: Path) -> None:
    spec = dense((2,), 3, width=6, depth=2)
    write_weights(build(spec), tmp_path / "first.safetensors")
    settings = {**BOUNDARY, "setup": "file", "start": str(tmp_path / "first.safetensors")}
    curve = run("boundary", dataset=GAUSS, **settings).result.curve
    assert np.array_equal(curve, run("boundary", dataset=GAUSS, **settings).result.curve)
    assert not np.array_equal(curve, run("boundary", dataset=GAUSS, **BOUNDARY).result.curve)
    with pytest.raises(GengapError, match="and its first weights do not fit: give them"):
        run("boundary", dataset=GAUSS, **{**BOUNDARY, "setup": "file"})


def test_boundary_of_random_labels() -> None:
    found = run("boundary", dataset=GAUSS, **BOUNDARY, setup="random_labels")
    true = run("boundary", dataset=GAUSS, **BOUNDARY)
    labels = found.result.labels
    assert sorted(labels) == sorted(true.result.labels)
    assert not np.array_equal(labels, true.result.labels)
    assert plot("boundary", found) == ["boundary"]


@pytest.mark.parametrize("from_file", [False, True])
def test_a_large_norm_is_that_of_the_parameters_alone(tmp_path: Path, from_file: bool) -> None:
    data = load("digits", seed=1, train_size=24, test_size=12)
    spec = {"architecture": "resnet18", "width": 2}
    training = {**TRAINING, "batch_size": 8, "epochs": 3}
    random = train(data, spec, training, "random_labels")
    first: Any = random.result.weights
    if from_file:
        first = tmp_path / "first.safetensors"
        write_weights(random.result.weights, first)
    start = {**training, "epochs": 1}
    normal = train(data, spec, start, "normal").result.initial
    large = train(data, spec, start, "large_norm", first=first).result.initial
    names = {name for name, _ in random.network.named_parameters()}
    buffers = set(normal) - names
    assert any(name.endswith("running_var") for name in buffers)
    assert all(torch.equal(large[name], normal[name]) for name in buffers)

    def length(weights: Any) -> float:
        return float(torch.cat([weights[name].flatten() for name in names]).norm())

    assert length(large) == pytest.approx(length(random.result.weights), rel=1e-5)
    assert length(large) != pytest.approx(length(normal), rel=1e-2)
    for name in names:
        assert torch.allclose(large[name] * length(normal), normal[name] * length(large), rtol=1e-4)


def test_introduction() -> None:
    training = {"optimiser": "adam", "learning_rate": 0.02, "batch_size": 6, "epochs": 200}
    network = {"template": "dense", "width": 10, "depth": 1}
    found = run("intro", network=network, training=training, points=40, surface=5)
    result: intro.Result = found.result
    assert result.surface.shape == (5, 5)
    assert result.surface[2, 2] == pytest.approx(result.fit.train_loss, rel=1e-4)
    assert result.flips.shape == (len(result.sections), 2)
    assert plot("intro", found) == ["introduction"]


def test_the_loss_surface_of_a_linear_network_is_that_of_the_formula() -> None:
    network = build({"model_config": [{"layer_name": "Dense", "units": 2}], "input_shape": [1]})
    network.double()
    with torch.no_grad():
        weight, bias = network.parameters()
        weight.copy_(torch.tensor([[0.5], [-1.0]]))
        bias.copy_(torch.tensor([0.25, 0.0]))
    x, y = np.array([[1.0], [2.0], [-3.0]]), np.array([0, 1, 1])
    plane, steps = np.eye(4)[:, [0, 3]], np.array([-2.0, 0.0, 1.0])
    found = intro._surface(network, Split(x, y, 2), plane, steps)
    for i, b in enumerate(steps):
        for j, a in enumerate(steps):
            # Logit of the class less that of the other one, along the first weight and second bias.
            margin = (1 - 2 * y) * (x[:, 0] * (0.5 + a) + 0.25 + x[:, 0] - b)
            assert found[i, j] == pytest.approx(np.log1p(np.exp(-margin)).mean(), rel=1e-12)
    assert torch.equal(weight[:, 0], torch.tensor([0.5, -1.0], dtype=torch.float64))


def test_alignments_flip_where_a_strong_one_changes_its_sign() -> None:
    aligned = np.array([[0.9, 0.3], [-0.2, -0.4], [0.7, -0.1], [0.2, 0.6], [0.9, -0.9]])
    found = intro._flips(aligned, np.array([0, 2]))
    assert found.tolist() == [[True, False], [False, True]]


COMPLEXITY = {
    "network": TINY,
    "training": {**TRAINING, "epochs": 150},
    "random_training": {"epochs": 60, "stop_at_loss": 0.1},
    "epochs": {"normal": 60, "adversarial": 60, "large_norm": 20},
    "side": 12,
    "loss": 0.3,
}
SIMPLICITY = {
    "dataset": {"name": "checkerboard_linear", "train_size": 40, "test_size": 20},
    "noisy": {"name": "checkerboard_noisy", "train_size": 40, "test_size": 20},
    "network": TINY,
    "training": {**TRAINING, "epochs": 60},
    "side": 12,
    "starts": 3,
    "steps": 5,
    "loss": 0.2,
}
IMAGES = {
    "dataset": DIGITS,
    "network": {"template": "small_cnn"},
    "training": {"learning_rate": 0.02, "batch_size": 16, "epochs": 6},
    "random_training": {"optimiser": "adam", "learning_rate": 0.003, "epochs": 4},
    "leading": 4,
}


@pytest.mark.parametrize("protocol", ["matched", "published"])
def test_complexity_of_every_start(protocol: str) -> None:
    found = run("complexity", dataset=GAUSS, protocol=protocol, **COMPLEXITY)
    result: complexity.Result = found.result
    assert list(result.solutions) == ["normal", "adversarial", "large_norm"]
    assert (result.matched_loss is None) == (protocol == "published")
    for solution in result.solutions.values():
        assert solution.rescaled_boundary_length == solution.boundary_length
        assert solution.rescaled.lambda_1 != pytest.approx(solution.measures.lambda_1)
        assert 0 < solution.measures.g_theta <= 1
    assert plot("complexity", found) == [
        "complex_boundaries",
        "spectra",
        "alignment_of_samples",
        "quantities",
        "outliers",
    ]


def test_complexity_says_how_far_random_labels_were_fitted() -> None:
    settings = {**COMPLEXITY, "network": {**TINY, "width": 30}}
    easy = {**settings, "random_training": {"epochs": 400, "stop_at_loss": 0.5}}
    labels = run("complexity", dataset=GAUSS, **easy).result.random_labels
    assert labels.reached
    assert labels.loss <= 0.5
    hard = {**settings, "random_training": {"epochs": 2, "stop_at_loss": 0.001}}
    labels = run("complexity", dataset=GAUSS, **hard).result.random_labels
    assert not labels.reached
    assert labels.loss > 0.001


def test_complexity_with_every_threshold() -> None:
    of_thresholds = {
        threshold: run("complexity", dataset=GAUSS, threshold=threshold, **COMPLEXITY)
        for threshold in ("mean", "min", 0.5)
    }
    measures: dict[Any, dict[str, quantities.Measures]] = {
        threshold: {name: own.measures for name, own in run_.result.solutions.items()}
        for threshold, run_ in of_thresholds.items()
    }
    assert measures[0.5]["normal"].threshold == 0.5
    for setup in complexity.COMPARED:
        least, mean = measures["min"][setup], measures["mean"][setup]
        assert least.threshold < mean.threshold
        assert least.g_theta_count >= mean.g_theta_count
    assert plot("complexity", of_thresholds[0.5])


def test_the_kept_ranking_is_that_of_sizes() -> None:
    before = np.array([[0.1, 0.5, 0.9], [-0.2, 0.5, -0.9], [0.3, -0.5, 0.9]])
    after = np.array([[-0.3, -0.6, 0.4], [0.2, 0.6, 0.4], [-0.1, 0.6, 0.4]])
    # Of vectors, ranks 1, 2, 3 against 1, 3, 2: 1 - 6 (0 + 1 + 1) / (3 * 8).
    rankings = complexity._kept_rankings(before.astype(np.float32), after.astype(np.float32))
    assert rankings == pytest.approx((-1, 0.5))


def test_simplicity_of_the_checkerboards() -> None:
    found = run("simplicity", **SIMPLICITY)
    result: simplicity.Result = found.result
    assert list(result.solutions) == ["normal", "noisy_start"]
    for solution in result.solutions.values():
        margins = solution.margins
        assert 0 < margins.least <= margins.mean
        assert 0 < margins.best_alignment <= 1
        assert margins.estimate > 0
    assert plot("simplicity", found) == ["simplicity_bias", "margin_estimation", "margins"]


@pytest.mark.parametrize(
    ("network", "training", "loss"),
    [
        ({"template": "small_cnn"}, {}, "cross_entropy"),
        ({"template": "small_cnn"}, {"augmentation": ["crop", "flip"]}, "nll"),
        ({"architecture": "lenet"}, {"optimiser": "adam", "learning_rate": 0.003}, "mse"),
        ({"architecture": "resnet18", "width": 2}, {}, "cross_entropy"),
    ],
)
def test_images_of_every_network(
    network: dict[str, Any], training: dict[str, Any], loss: str
) -> None:
    setups = ["normal", "adversarial", "large_norm"]
    settings = {**IMAGES, "network": network, "training": {**IMAGES["training"], **training}}
    found = run("images", setups=setups, loss=loss, **settings)
    result: images.Result = found.result
    assert result.embedding.shape == (30, 2)
    assert result.solutions["large_norm"].alignments.shape == (30, 4)
    assert plot("images", found) == ["tsne"]


def test_images_at_one_cross_entropy() -> None:
    settings = {**IMAGES, "training": {**IMAGES["training"], "epochs": 30}}
    trained = run("images", **settings).result
    found = run("images", matched_loss=0.5, **settings)
    assert trained.matched_loss is None
    assert found.result.matched_loss == 0.5
    normal, before = found.result.solutions["normal"], trained.solutions["normal"]
    assert normal.fit == before.fit
    assert normal.measures.lambda_1 != pytest.approx(before.measures.lambda_1, rel=1e-3)
    assert plot("images", found) == ["tsne"]


def test_images_from_a_file(tmp_path: Path) -> None:
    data = load("digits", **{key: DIGITS[key] for key in DIGITS if key != "name"})
    keywords = starts.network_keywords(IMAGES["network"], data, None)
    network = build_network(CONTEXT, data, keywords)
    write_weights(network, tmp_path / "first.safetensors")
    start = str(tmp_path / "first.safetensors")
    found = run("images", setups=["normal", "file"], start=start, **IMAGES)
    result: images.Result = found.result
    assert result.solutions["file"].fit != result.solutions["normal"].fit
    assert result.random_labels is None
    assert plot("images", found) == ["tsne"]


def test_the_share_between_classes_is_that_of_the_class_means() -> None:
    labels = np.array([0, 0, 1, 1])
    aligned = np.array([[1.0, 1.0, 3.0], [1.0, -1.0, 1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, -3.0]])
    # All of the first column's variance, none of the second's, 4 of the 5 of the third's.
    assert images._between(aligned, labels) == pytest.approx((1 + 0 + 0.8) / 3)


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """A data_dir with a few noisy images of each class in the formats of MNIST and CIFAR-10."""
    rng = np.random.default_rng(0)
    for name in ("mnist", "cifar10"):
        (tmp_path / name).mkdir()
    labels = np.tile(np.arange(10, dtype=np.uint8), 12)

    def pictures(shape: tuple[int, ...]) -> np.ndarray:
        patterns = rng.integers(0, 200, (10, *shape))
        return (patterns[labels] + rng.integers(0, 56, (len(labels), *shape))).astype(np.uint8)

    for part in ("train", "t10k"):
        header = struct.pack(">HBBIII", 0, 8, 3, len(labels), 28, 28)
        path = tmp_path / "mnist" / f"{part}-images-idx3-ubyte"
        path.write_bytes(header + pictures((28, 28)).tobytes())
        path = tmp_path / "mnist" / f"{part}-labels-idx1-ubyte"
        path.write_bytes(struct.pack(">HBBI", 0, 8, 1, len(labels)) + labels.tobytes())
    for part in ("data_batch_few", "test_batch_few"):
        records = np.concatenate([labels[:, np.newaxis], pictures((3072,))], axis=1)
        (tmp_path / "cifar10" / f"{part}.bin").write_bytes(records.tobytes())
    return tmp_path


@pytest.mark.parametrize("digits", ["017", "179", "0179", "1379", None])
def test_images_of_mnist(official: Path, digits: str | None) -> None:
    dataset: dict[str, Any] = {"name": "mnist", "train_size": 20, "test_size": 20}
    if digits:
        dataset["groups"] = [[int(digit)] for digit in digits]
    settings = {**IMAGES, "dataset": dataset, "leading": 2, "setups": ["normal"]}
    settings["training"] = {**IMAGES["training"], "epochs": 2}
    context = dataclasses.replace(CONTEXT, data_dir=str(official))
    found = run("images", context=context, **settings)
    assert plot("images", found) == ["tsne"]
    assert found.result.solutions["normal"].measures.lambda_1 > 0
    assert set(found.result.labels) <= set(range(len(digits) if digits else 10))
    assert len(set(found.result.labels)) > 1


@pytest.mark.parametrize(
    "network", [{"architecture": "lenet"}, {"architecture": "resnet18", "width": 2}]
)
def test_images_of_cifar10(official: Path, network: dict[str, Any]) -> None:
    dataset = {"name": "cifar10", "train_size": 12, "test_size": 12}
    settings = {**IMAGES, "dataset": dataset, "network": network, "leading": 2}
    settings["setups"] = ["normal"]
    settings["training"] = {**IMAGES["training"], "epochs": 1, "augmentation": ["crop", "flip"]}
    context = dataclasses.replace(CONTEXT, data_dir=str(official))
    found = run("images", context=context, **settings)
    assert found.result.solutions["normal"].alignments.shape == (12, 2)
    assert plot("images", found) == ["tsne"]


def test_too_many_images_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "LARGEST_EMBEDDED", 20)
    with pytest.raises(GengapError, match="set 'train_size' of the dataset to at most 20"):
        run("images", **IMAGES)


def test_dynamics_measures_every_checkpoint() -> None:
    setups = ("normal", "adversarial", "large_norm")
    settings = {
        "setups": setups,
        "network": TINY,
        "training": TRAINING,
        "random_training": {"epochs": 20},
        "checkpoints": [0, 5, 25],
    }
    found = run("dynamics", dataset=GAUSS, **settings)
    curves = found.result.curves
    assert list(curves) == list(setups)
    for of_setup in curves.values():
        assert set(figures.DYNAMICS_PANELS) <= set(of_setup)
        assert all(curve.shape == (3,) for curve in of_setup.values())
    assert curves["normal"]["train_loss"][0] > curves["normal"]["train_loss"][-1]
    assert plot("dynamics", found) == ["dynamics"]


def test_claims_of_reduced_runs() -> None:
    made = {
        "boundary": [run("boundary", k, dataset=GAUSS, **BOUNDARY) for k in range(2)],
        "complexity": [
            run("complexity", k, dataset=GAUSS, protocol=protocol, **COMPLEXITY)
            for protocol in ("matched", "published")
            for k in range(2)
        ],
        "simplicity": [run("simplicity", k, **SIMPLICITY) for k in range(2)],
        "images": [run("images", k, **IMAGES) for k in range(2)],
    }
    found = evaluate_claims(STUDY, made)
    assert len(found) == 10
    assert len({claim.title for claim in found}) == 10
    for claim in found:
        # Points moved five times only do not reach an alignment of 1 for every seed, and the three
        # solutions of a seed may have equally many outliers.
        few = claim.title.startswith(("Points of alignment 1", "The number of outliers"))
        assert all(len(values) == 2 or few for values in claim.estimates.values())
        assert "nan" not in claim.measured
    assert evaluate_claims(STUDY, {}) == []


def with_values(seed: int, settings: dict[str, Any], **values: float) -> Run:
    return Run(seed, settings, Outcome(values))


def margin_claims(estimate: list[float], best: list[float] | None = None) -> list[Claim]:
    runs = []
    for seed, value in enumerate(estimate):
        own = {"normal": 0.0, "noisy_init": value}
        reached = best[seed] if best else 1.0
        values = {"normal_best_alignment": 1.0, "noisy_init_best_alignment": reached}
        for setup, shift in own.items():
            values |= {
                f"{setup}_margin_estimate": 1 + shift,
                f"{setup}_margin_extremes": 1 + 0.01 * seed + (shift != 0),
                f"{setup}_margin_mean": 1.0 + (shift != 0),
                f"{setup}_aligned_to_boundary": 0.1,
                f"{setup}_g_theta_count": 10 + 5 * (shift != 0),
                f"{setup}_boundary_length": 1.0 + (shift != 0),
            }
        runs.append(with_values(seed, {"loss": 0.1}, **values))
    return evaluate_claims(STUDY, {"simplicity": runs})


@pytest.mark.parametrize(
    ("estimate", "margin", "selection"),
    [
        ([0.5, 0.6, 0.55, 0.5, 0.6, 0.55], True, True),
        ([0.5, 0.6, 0.55, 0.5, 0.6], True, None),
        ([-0.5, -0.6, -0.55, -0.5, -0.6, -0.55], False, False),
        ([0.5, -0.6, 0.1], None, None),
    ],
)
def test_verdicts_follow_the_intervals(
    estimate: list[float], margin: bool | None, selection: bool | None
) -> None:
    assert [claim.holds for claim in margin_claims(estimate)] == [margin, selection]


def test_seeds_without_a_point_of_alignment_1_do_not_enter_the_margin() -> None:
    margin, selection = margin_claims([0.5, 0.6, 0.55, -40.0], [1.0, 0.96, 0.97, 0.85])
    assert margin.estimates["estimated margin, noisy start less normal"] == pytest.approx(
        [0.5, 0.6, 0.55]
    )
    assert margin.holds
    assert "in 3 of 4 seeds" in margin.measured
    assert "in 3 of 4 seeds" in selection.measured
    without = margin_claims([0.5, 0.6], [0.3, 0.4])[0]
    assert without.holds is None
    assert "differs by unknown" in without.measured


def test_the_margins_mark_seeds_without_a_point_of_alignment_1() -> None:
    runs = []
    for seed, best in enumerate([1.0, 0.96, 0.8]):
        values = dict.fromkeys(
            (f"{setup}_{name}" for setup in simplicity.COMPARED for name in simplicity.PANELS),
            float(seed),
        )
        values |= {"normal_best_alignment": 1.0, "noisy_init_best_alignment": best}
        runs.append(with_values(seed, {}, **values))

    def drawn(figure: Figure, panel: str) -> tuple[list[float], list[float]]:
        """Heights of the full and of the open dots of the normal start."""
        (axes,) = [a for a in figure.axes if a.get_title() == simplicity.PANELS[panel]]
        heights: dict[str, list[float]] = {".": [], "o": []}
        for line in axes.lines:
            if line.get_marker() in heights:
                heights[str(line.get_marker())] += [
                    float(y) for x, y in line.get_xydata() if x == 0
                ]
        return heights["."], heights["o"]

    figure = simplicity.margins(runs)
    assert drawn(figure, "margin_estimate") == ([0, 1], [2])
    assert drawn(figure, "margin_least") == ([0, 1, 2], [])
    assert len(figure.legends) == 1
    assert not simplicity.margins(runs[:2]).legends


THREE = (0, 1, 2)
MIXED = {0: 1.0, 1: -1.0, 2: 0.5}
"""By seed: neither side of 0."""


def boundary_runs(**change: float | dict[int, float]) -> list[Run]:
    values: dict[str, Any] = {
        "flips_at_boundary": 0.98,
        "flips_elsewhere": 0.01,
        "flips_random": 0.97,
        "jump": 0.8,
        "jump_random": 0.1,
        **change,
    }
    return [with_values(seed, {}, **of_seed(values, seed)) for seed in THREE]


def of_seed(values: dict[str, Any], seed: int) -> dict[str, float]:
    return {k: v[seed] if isinstance(v, dict) else v for k, v in values.items()}


def complexity_runs(**change: float | dict[int, float]) -> list[Run]:
    """Runs in which all of the paper's claims hold, but for the change."""
    values: dict[str, Any] = {"random_labels_accuracy": 1.0, "random_labels_loss": 0.05}
    values |= {"random_labels_reached": 1.0, "matched_loss": 0.02}
    values |= {"normal_ranking_of_samples": 0.98, "normal_ranking_of_vectors": 0.97}
    values |= {"normal_rescaled_lambda_1": 80.0, "normal_rescaled_g_theta_count": 12.0}
    values["adversarial_rescaled_g_theta_count"] = 19.0
    # The adversarial solution is the more complex and the flatter one.
    for rank, setup in enumerate(("normal", "large_norm", "adversarial")):
        for name in ("g_theta_count", "outliers", "outliers_above_bulk", "boundary_length"):
            values[f"{setup}_{name}"] = 3.0 + rank
        for name in ("trace", "lambda_1", "train_loss", "test_accuracy"):
            values[f"{setup}_{name}"] = 8.0 / 2**rank
    return [
        with_values(seed, {"dataset": {"name": name}}, **of_seed(values | change, seed))
        for name in ("a", "b")
        for seed in THREE
    ]


def images_runs(**change: float | dict[int, float]) -> list[Run]:
    values: dict[str, Any] = {
        "random_labels_accuracy": 1.0,
        "random_labels_loss": 0.05,
        "random_labels_reached": 1.0,
        "normal_g_theta_count": 10.0,
        "adversarial_g_theta_count": 20.0,
        "normal_lambda_1": 3.0,
        "adversarial_lambda_1": 2.0,
        "normal_test_accuracy": 0.9,
        "adversarial_test_accuracy": 0.9,
        "normal_split": 0.9,
        "normal_split_random": 0.7,
        **change,
    }
    return [with_values(seed, {}, **of_seed(values, seed)) for seed in THREE]


@pytest.mark.parametrize(
    ("change", "holds"),
    [
        ({}, True),
        ({"flips_at_boundary": 0.8}, False),
        ({"flips_at_boundary": {0: 0.99, 1: 0.85, 2: 0.95}}, None),
        ({"flips_elsewhere": 0.2}, False),
        ({"flips_elsewhere": {0: 0.0, 1: 0.15, 2: 0.0}}, None),
        ({"jump": 0.05}, False),
        ({"jump": {0: 0.9, 1: -0.7, 2: 0.1}}, None),
    ],
)
def test_verdict_on_signs(change: dict[str, Any], holds: bool | None) -> None:
    (claim,) = evaluate_claims(STUDY, {"boundary": boundary_runs(**change)})
    assert claim.holds is holds


G = "adversarial_g_theta_count"
UP_AND_DOWN = {seed: 3 + shift for seed, shift in MIXED.items()}
OUTLIERS_REVERSED = {"normal_outliers": 6.0, "large_norm_outliers": 5.0, "adversarial_outliers": 4}


@pytest.mark.parametrize(
    ("title", "change", "holds"),
    [
        ("The number of outliers", {}, True),
        ("The number of outliers", OUTLIERS_REVERSED, False),
        ("The number of outliers", {"adversarial_outliers": {0: 9.0, 1: 0.0, 2: 3.5}}, None),
        ("G_theta ranks", {}, True),
        ("G_theta ranks", {G: 2.0}, False),
        ("G_theta ranks", {G: UP_AND_DOWN}, None),
        ("Trace and lambda_1", {}, True),
        ("Trace and lambda_1", {"adversarial_trace": 9.0}, False),
        ("Trace and lambda_1", {"adversarial_lambda_1": 9.0}, False),
        ("Trace and lambda_1", {"adversarial_trace": {0: 80.0, 1: 0.8, 2: 9.0}}, None),
        ("Scaling layers", {}, True),
        ("Scaling layers", {"normal_rescaled_lambda_1": 12.0}, False),
        ("Scaling layers", {"normal_ranking_of_samples": 0.8}, False),
        ("Scaling layers", {"normal_ranking_of_vectors": 0.8}, False),
        ("Scaling layers", {"adversarial_rescaled_g_theta_count": 9.0}, False),
        ("Scaling layers", {"normal_ranking_of_vectors": {0: 1.0, 1: 0.85, 2: 0.95}}, None),
    ],
)
@pytest.mark.parametrize("protocol", ["matched", "published"])
def test_verdicts_on_complexity(
    protocol: str, title: str, change: dict[str, Any], holds: bool | None
) -> None:
    made = [
        Run(each.seed, {**each.settings, "protocol": protocol}, each.outcome)
        for each in complexity_runs(**change)
    ]
    found = [c for c in evaluate_claims(STUDY, {"complexity": made}) if c.title.startswith(title)]
    of_both = title in ("G_theta ranks", "Trace and lambda_1")
    assert [claim.holds for claim in found] == [holds] * (protocol == "matched" or of_both)


@pytest.mark.parametrize("level", [None, 0.01])
@pytest.mark.parametrize(
    ("change", "holds"),
    [
        ({}, True),
        ({G: 9.0}, False),
        ({G: {0: 20.0, 1: 0.0, 2: 14.0}}, None),
        ({"normal_split": 0.6}, False),
        ({"normal_split": {0: 0.9, 1: 0.6, 2: 0.7}}, None),
    ],
)
def test_verdict_on_images(level: float | None, change: dict[str, Any], holds: bool | None) -> None:
    other = 0.5 if level is None else None
    made = [
        Run(each.seed, {"matched_loss": setting}, each.outcome)
        for setting, runs in ((level, images_runs(**change)), (other, images_runs()))
        for each in runs
    ]
    claim, unchanged = evaluate_claims(STUDY, {"images": made})
    assert claim.holds is holds
    assert unchanged.holds
    assert claim.title.endswith("as trained" if level is None else "at cross-entropy 0.01")


def test_claims_say_how_far_random_labels_were_fitted_and_what_was_matched() -> None:
    made = complexity_runs(
        random_labels_reached={0: 1.0, 1: 0.0, 2: 1.0},
        random_labels_accuracy={0: 1.0, 1: 0.75, 2: 0.9},
        random_labels_loss={0: 0.05, 1: 0.6, 2: 0.04},
        matched_loss={0: 0.02, 1: 0.02, 2: 0.11},
    )
    (claim,) = [
        c
        for c in evaluate_claims(STUDY, {"complexity": made})
        if c.title.startswith("G_theta ranks")
    ]
    assert (
        "accuracies from 0.75 to 1 and losses from 0.04 to 0.6; it reached its target in 4 of 6 "
        "runs. The cross-entropy is 0.02 in 4 of 6 runs, at up to 0.11 in the others."
    ) in claim.measured


def test_a_seed_of_equal_numbers_of_outliers_leaves_the_claim_undecided() -> None:
    equal = {f"{setup}_outliers": {0: 3.0, 1: 9.0, 2: 9.0} for setup in ("normal", "large_norm")}
    made = complexity_runs(**equal, adversarial_outliers={0: 3.0, 1: 10.0, 2: 10.0})
    claim = evaluate_claims(STUDY, {"complexity": made})[0]
    assert claim.title.startswith("The number of outliers")
    assert claim.holds is None
    for name, values in claim.estimates.items():
        few = name.startswith(("rank correlation of outliers", "outliers, ranks"))
        assert len(values) == (2 if few else 3)
    assert "nan" not in claim.measured
    assert "left out" in claim.measured


def test_outliers_that_grow_between_datasets_only_are_no_evidence() -> None:
    made = [
        Run(
            each.seed,
            each.settings,
            Outcome(
                {
                    key: value + 100 * (each.settings["dataset"]["name"] == "b")
                    for key, value in each.outcome.values.items()
                }
            ),
        )
        for each in complexity_runs(**OUTLIERS_REVERSED)
    ]
    claim = evaluate_claims(STUDY, {"complexity": made})[0]
    assert min(claim.estimates["rank correlation of outliers with the length of the boundary"]) > 0
    assert claim.holds is False


def test_ranks_within_datasets_leave_out_what_lies_between_them() -> None:
    # Both quantities are larger by far on the second dataset, and run against each other in each.
    runs = [
        with_values(
            0,
            {"dataset": {"name": name}},
            **{f"{setup}_one": shift + k for k, setup in enumerate(claims_module.COMPARED)},
            **{f"{setup}_two": shift - k for k, setup in enumerate(claims_module.COMPARED)},
        )
        for name, shift in (("a", 0.0), ("b", 100.0))
    ]
    assert claims_module._correlation(runs, "one", "two")[0] > 0
    assert claims_module._correlation_within(runs, "one", "two") == pytest.approx([-1.0])


def test_estimates_are_means_over_grid_points_by_seed() -> None:
    runs = [
        with_values(seed, {"dataset": name}, quantity=10.0 * seed + shift)
        for name, shift in (("a", 0.0), ("b", 2.0))
        for seed in (1, 0)
    ]
    assert claims_module._by_seed(runs, claims_module._value("quantity")) == [1.0, 11.0]


def gauss(count: int = 60) -> Dataset:
    return load("gauss_mixture", seed=1, train_size=count, test_size=20, balanced=True)


def test_matched_solutions_have_one_cross_entropy_and_their_own_boundaries() -> None:
    data = gauss()
    inputs, labels = torch.from_numpy(data.train.inputs), torch.from_numpy(data.train.labels)
    good = train(data, TINY, TRAINING, "normal").network
    bad = train(data, TINY, {**TRAINING, "epochs": 4}, "normal").network
    for loss, names in ((0.5, "good"), (0.1, "good"), (1e-4, "both")):
        networks = {"good": good} if names == "good" else {"good": good, "bad": bad}
        found, level = solutions.matched(networks, data.train, loss)
        assert level == loss if names == "good" else level > 0.1
        for name, network in found.items():
            outputs = logits(network, inputs).detach().double()
            value = torch.nn.functional.cross_entropy(outputs, labels)
            assert float(value) == pytest.approx(level, rel=1e-4)
            before = logits(networks[name], inputs)
            assert torch.equal(outputs.argmax(1), before.argmax(1))


def test_setups_start_where_they_should() -> None:
    data = gauss()
    random = train(data, TINY, TRAINING, "random_labels")
    assert sorted(random.train.labels) == sorted(data.train.labels)
    assert not np.array_equal(random.train.labels, data.train.labels)
    first = random.result.weights
    normal = train(data, TINY, TRAINING, "normal")
    adversarial = train(data, TINY, TRAINING, "adversarial", first=first)
    large = train(data, TINY, TRAINING, "large_norm", first=first)
    assert all(torch.equal(adversarial.result.initial[n], first[n]) for n in first)
    length = solutions.norm(normal.network, first)
    assert solutions.norm(large.network, large.result.initial) == pytest.approx(length, rel=1e-5)
    factor = length / solutions.norm(normal.network, normal.result.initial)
    for name, weight in normal.result.initial.items():
        assert torch.allclose(large.result.initial[name], factor * weight, rtol=1e-5)


def test_rescaled_networks_compute_the_same() -> None:
    data = gauss()
    network = solutions.network_of(CONTEXT, TINY, data)
    found = solutions.rescaled(network, 7.0)
    inputs = torch.from_numpy(data.train.inputs)
    assert torch.allclose(logits(network, inputs), logits(found, inputs), atol=1e-5)
    changed = [
        not torch.equal(one, other)
        for one, other in zip(found.parameters(), network.parameters(), strict=True)
    ]
    assert changed == [True, True, True, False, False, False]
    sigmoid = solutions.network_of(CONTEXT, {**TINY, "activation": "sigmoid"}, data)
    with pytest.raises(GengapError, match="Only a network with a ReLU"):
        solutions.rescaled(sigmoid, 2.0)
    spec = {"model_config": [{"layer_name": "Dense", "units": 2}], "input_shape": [2]}
    with pytest.raises(GengapError, match="Only a network with a ReLU"):
        solutions.rescaled(build(spec), 2.0)


def test_a_straight_boundary_has_its_length_and_flips_everywhere() -> None:
    network = build({"model_config": [{"layer_name": "Dense", "units": 2}], "input_shape": [2]})
    with torch.no_grad():
        weight, bias = network.parameters()
        weight.copy_(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
        bias.zero_()
    inputs = np.float32([[-1, -1], [1, 1], [0.5, -0.5]])
    plane = quantities.plane_of(network, inputs, 100)
    assert plane.length == pytest.approx(np.pi / 4, rel=0.02)
    vector = np.float64([[1], [0], [-1], [0], [0], [0]]) / np.sqrt(2)
    found = quantities.crossings(plane, alignments(network, plane.points, vector), 0.0)
    assert found.elsewhere <= 0.01
    with pytest.raises(GengapError, match="inputs of two or more components"):
        quantities.plane_of(network, inputs[:, :1], 10)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"setup": "hostile"}, "Unknown setup 'hostile'"),
        ({"dataset": {"train_size": 3}}, "has no 'name'"),
        ({"vectors_mapped": 3}, "has no setting 'vectors_mapped'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(GengapError, match=sentence):
        run("boundary", **{"dataset": GAUSS, **BOUNDARY, **settings})
    with pytest.raises(GengapError, match="choose matched or published"):
        run("complexity", dataset=GAUSS, protocol="both", **COMPLEXITY)


def test_the_committed_settings_are_keywords_of_their_experiments(root: Path) -> None:
    config = yaml.safe_load((root / "studies" / f"{STUDY}.yaml").read_text())
    for setting in ("small", "paper"):
        for entry in config[setting]["experiments"]:
            module = entry.get("experiment") or entry["name"]
            names = [*entry.get("settings", {}), *entry.get("grid", {})]
            with pytest.raises(GengapError, match="has no setting 'unknown'"):
                run_experiment(STUDY, module, CONTEXT, {**dict.fromkeys(names), "unknown": 1})
