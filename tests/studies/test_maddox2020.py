"""Every architecture, dataset and experiment of the study in one real reduced job."""

from __future__ import annotations

import copy
import hashlib
import importlib
import re
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from matplotlib.figure import Figure
from matplotlib.text import Text

from gengap.cli import main
from gengap.curvature import CurvatureOperator, effective_dimensionality, hessian, spectra
from gengap.datasets import registry
from gengap.datasets.sources import File
from gengap.errors import GengapError
from gengap.measures import curvature
from gengap.networks import build, parameter_count
from gengap.planning.grid import grid_points
from gengap.seeding import generator
from gengap.studies.claims import NEGATIVE, POSITIVE
from gengap.studies.claims_page import claims_page
from gengap.studies.context import Context, load_dataset
from gengap.studies.estimates import format_interval
from gengap.studies.maddox2020.experiments import (
    bayesian_network,
    degenerate_directions,
    double_descent,
    posterior_contraction,
    random_features,
    width_depth,
)
from gengap.studies.maddox2020.experiments.double_descent import DoubleDescentRun
from gengap.studies.maddox2020.experiments.width_depth import WidthDepthRun
from gengap.studies.maddox2020.measurements import Measurements, hessian_of, join, measure
from gengap.studies.maddox2020.sweeps import Grid, Sweep, correlations_by_seed
from gengap.studies.outcomes import AnyRun, ExperimentResult, Run
from gengap.studies.planes import plane_around
from gengap.studies.result_files import ResultFiles
from gengap.studies.running import (
    build_settings,
    evaluate_claims,
    plot_experiment,
    run_experiment,
)
from gengap.studies.solving import solve
from gengap.training import loss_and_accuracy

STUDY = "maddox2020"
SMALL_GREY = [{"name": "grey"}, {"name": "resize", "size": 8}]
DATASETS: dict[str, dict[str, Any]] = {
    "digits": {"name": "digits", "train_size": 40, "test_size": 20},
    "fake_images": {
        "name": "fake_images",
        "train_size": 20,
        "test_size": 10,
        "transforms": SMALL_GREY,
    },
    "two_spirals": {"name": "two_spirals", "train_size": 40, "test_size": 20},
}
TRAINING = {"optimiser": "adam", "learning_rate": 0.01, "batch_size": 20, "epochs": 2}
SWEPT = {
    "small MLP": {"template": "dense", "depth": 1},
    "ResNet18(k)": {"architecture": "preact_resnet18"},
    "PreResNet": {"architecture": "preresnet", "depth": 8},
    "masked": {"architecture": "masked_dense", "depth": 1},
}


def context(seed: int = 0) -> Context:
    return Context(seed, None, torch.device("cpu"))


def reduced(
    experiment: str, seeds: int = 2, *, data_dir: str | None = None, **settings: Any
) -> list[AnyRun]:
    """Real runs of an experiment."""
    module = importlib.import_module(f"gengap.studies.{STUDY}.experiments.{experiment}")
    return [
        Run(
            seed,
            build_settings(module.Settings, settings, experiment),
            run_experiment(STUDY, experiment, replace(context(seed), data_dir=data_dir), settings),
        )
        for seed in range(seeds)
    ]


def figures(experiment: str, runs: Sequence[AnyRun]) -> list[str]:
    """The names of an experiment's figures, each of which is plotted and says numbers alone."""
    plotted = plot_experiment(STUDY, experiment, runs)
    for figure in plotted.values():
        assert isinstance(figure, Figure)
        said = " ".join(text.get_text() for text in figure.findobj(Text))
        assert not re.search(r"\b(nan|inf)\b", said), said
    return list(plotted)


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute eigenvalues and sharpness with low accuracy, for networks of many layers."""
    monkeypatch.setattr(spectra, "TOLERANCE", {"float32": 0.05, "float64": 0.05})
    monkeypatch.setattr(curvature, "BISECTIONS", 3)


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize(
    ("name", "dataset"),
    [
        ("small MLP", "digits"),
        ("masked", "two_spirals"),
        pytest.param("ResNet18(k)", "fake_images", marks=pytest.mark.slow),
        pytest.param("PreResNet", "digits", marks=pytest.mark.slow),
    ],
)
def test_double_descent(name: str, dataset: str) -> None:
    runs = reduced(
        "double_descent",
        seeds=1,
        dataset=DATASETS[dataset],
        network=SWEPT[name],
        training={**TRAINING, "epochs": 1},
        widths=[1, 2],
        eigenvalues=3,
    )
    networks = runs[0].result.networks
    assert networks.eigenvalues.shape == (2, 3)
    assert (networks.lambda_min <= networks.lambda_max).all()
    assert (np.diff(networks.parameters) > 0).all()
    assert figures("double_descent", runs) == ["double_descent", "spectra"]


@pytest.mark.usefixtures("coarse")
def test_a_sweep_may_be_split_over_runs() -> None:
    settings: dict[str, Any] = {
        "dataset": DATASETS["digits"],
        "network": SWEPT["small MLP"],
        "training": TRAINING,
        "eigenvalues": 2,
    }
    (whole,) = reduced("double_descent", seeds=1, widths=[1, 2, 3], **settings)
    parts = [
        reduced("double_descent", seeds=1, widths=widths, **settings)[0] for widths in ([3], [1, 2])
    ]
    together, apart = Sweep.of([whole]), Sweep.of(parts)
    np.testing.assert_array_equal(apart.widths, [1, 2, 3])
    assert len(vars(together.networks)) == 16
    for name, values in vars(together.networks).items():
        np.testing.assert_array_equal(getattr(apart.networks, name), values)
    with pytest.raises(GengapError, match="different 'widths': run every one of them with every"):
        Sweep.of([whole, replace(parts[0], seed=1)])


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize("experiment", ["double_descent", "degenerate_directions"])
def test_interrupted_iterations_go_on(
    experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is stopped within its products gives the same bytes, and computes each once."""
    settings: dict[str, Any] = {
        "dataset": DATASETS["digits"],
        "network": {"template": "dense", "width": 3, "depth": 1},
        "training": TRAINING,
    }
    if experiment == "double_descent":
        settings |= {"widths": [2, 3], "eigenvalues": 3}
    else:
        monkeypatch.setattr(degenerate_directions, "DENSE_LIMIT", 10)
        settings |= {"leading": 3, "scales": [0.1], "draws": 1, "surface_side": 3, "plane_side": 3}
    multiply = CurvatureOperator._computed
    computed: list[int] = []

    def attempt(resume_from: Path | None, most: int = 10_000) -> ExperimentResult:
        def limited(self: CurvatureOperator, vectors: np.ndarray, many: bool) -> np.ndarray:
            if len(computed) == most:
                raise KeyboardInterrupt
            computed.append(1)
            return multiply(self, vectors, many)

        monkeypatch.setattr(CurvatureOperator, "_computed", limited)
        return run_experiment(
            STUDY, experiment, replace(context(), resume_from=resume_from), settings
        )

    plain = attempt(None)
    whole = len(computed)
    computed.clear()
    for most in (whole // 4, whole - 2):
        with pytest.raises(KeyboardInterrupt):
            attempt(tmp_path, most)
    resumed = attempt(tmp_path)
    assert len(computed) == whole
    expected, outcome = plain.to_outcome(), resumed.to_outcome()
    assert outcome.values == expected.values
    for name, array in expected.arrays.items():
        assert outcome.arrays[name].tobytes() == array.tobytes()
    if experiment == "double_descent":
        assert not list(tmp_path.glob("products_*"))
        assert len(list(tmp_path.glob("measured_*"))) == 2


def test_a_grid_may_be_split_by_depths_and_into_single_networks() -> None:
    networks = Measurements(**{entry.name: np.ones((1, 2)) for entry in fields(Measurements)})
    settings = width_depth.Settings({}, {}, {}, [1, 2], [1])

    def part(seed: int, depth: int, widths: Sequence[int] = (1, 2)) -> WidthDepthRun:
        layer = join([networks], lambda arrays: depth * arrays[0])
        result = width_depth.Result(layer, np.array(widths), np.array([depth]))
        return Run(seed, settings, result)

    grid = Grid.of([part(0, 2), part(0, 1), part(1, 1), part(1, 2)])
    np.testing.assert_array_equal(grid.depths, [1, 2])
    np.testing.assert_array_equal(grid.networks.test_loss, [[[1, 1], [2, 2]]] * 2)
    with pytest.raises(GengapError, match="no network of width 1 and depth 2: run every one"):
        Grid.of([part(0, 2), part(0, 1), part(1, 1)])
    halves = [(0, 1, (2,)), (0, 2, (1,)), (0, 1, (1,)), (0, 2, (2,))]
    apart = []
    for seed, depth, widths in halves:
        run = part(seed, depth, widths)
        networks_of = replace(
            run.result.networks,
            **{
                entry.name: getattr(run.result.networks, entry.name)[:, : len(widths)]
                for entry in fields(Measurements)
            },
        )
        apart.append(replace(run, result=replace(run.result, networks=networks_of)))
    np.testing.assert_array_equal(Grid.of(apart).networks.test_loss, [[[1, 1], [2, 2]]])


def test_quantities_are_of_their_splits_and_of_both_ends_of_the_spectrum() -> None:
    data = load_dataset(context(), {"name": "digits", "train_size": 60, "test_size": 40})
    network = {"template": "dense", "width": 3, "depth": 1}
    training = {**TRAINING, "epochs": 30, "label_corruption": 0.3}
    solution = solve(context(), data, network, training)
    measured = measure(context(), solution, 20)
    for split, name in ((solution.train, "train"), (data.test, "test")):
        loss, accuracy = loss_and_accuracy(solution.network, split, "cross_entropy")
        assert getattr(measured, f"{name}_loss") == loss
        assert getattr(measured, f"{name}_error") == 1 - accuracy
    assert measured.train_loss != measured.test_loss
    exact = hessian(solution.network, "cross_entropy", solution.train, dtype="float64").spectrum()
    assert exact[-1] < 0
    assert measured.lambda_max == pytest.approx(exact[0], rel=1e-4)
    assert measured.lambda_min == pytest.approx(exact[-1], abs=1e-4 * exact[0])
    np.testing.assert_allclose(measured.eigenvalues, exact[:20], atol=1e-4 * exact[0])
    assert measured.negative_mass == pytest.approx(-exact[exact < 0].sum(), rel=0.3)
    assert measured.negatives == pytest.approx((exact < -0.01 * exact[0]).sum(), rel=0.3)
    weights = torch.nn.utils.parameters_to_vector(solution.network.parameters())
    assert measured.parameters == len(weights)
    assert measured.squared_norm == pytest.approx(float(weights.detach().square().sum()))
    alphas = [0.1, 1.0, 10.0]
    expected = [effective_dimensionality(exact, alpha) for alpha in alphas]
    np.testing.assert_allclose(measured.spectrum.dimensions(alphas), expected, rtol=0.03)
    assert measured.dimension == pytest.approx(expected[1], rel=0.03)
    assert measured.spectrum.leading_dimensions([0.1])[0] < 0.97 * expected[0]


def test_a_spectrum_of_fewer_eigenvalues_than_asked_for() -> None:
    """The others are known to be none, and the quadrature has none left."""
    data = load_dataset(context(), DATASETS["two_spirals"])
    network = {"template": "dense", "width": 1, "depth": 1}
    solution = solve(context(), data, network, TRAINING)
    measured = measure(context(), solution, 10)
    exact = hessian(solution.network, "cross_entropy", solution.train, dtype="float64").spectrum()
    assert np.isnan(measured.eigenvalues[len(exact) :]).all()
    assert not measured.weights.any()
    expected = effective_dimensionality(exact, 0.1)
    assert measured.spectrum.dimensions([0.1]) == pytest.approx([expected], rel=1e-3)


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize("name", [pytest.param("convnet", marks=pytest.mark.slow), "masked_dense"])
def test_width_and_depth(name: str) -> None:
    runs = reduced(
        "width_depth",
        seeds=1,
        dataset=DATASETS["digits"],
        network={"architecture": name},
        training=TRAINING,
        widths=[2, 3],
        depths=[1, 2],
        eigenvalues=3,
    )
    networks = runs[0].result.networks
    assert networks.eigenvalues.shape == (2, 2, 3)
    assert (np.diff(networks.parameters[1]) > 0).all()  # widths along the last axis
    assert figures("width_depth", runs) == ["width_depth", "explanations"]
    judged = evaluate_claims(STUDY, {"width_depth": runs})
    place = "(figure 2, ConvNets on CIFAR-100, colours read off; not comparable)"
    assert claims_page(STUDY, "small", judged).count(f"training loss up to 0.1 {place} |") == 1
    assert [claim.title for claim in judged] == [
        "N_eff explains the test loss over width and depth",
        "N_eff explains more than counting parameters, norms and sharpness do",
        "N_eff follows the test loss beyond the number of parameters, over width and depth",
        "N_eff is a better guide than a PAC-Bayes bound and the path norm, over width and depth",
        "The order by N_eff does not depend on alpha, over width and depth",
    ]


@pytest.mark.parametrize(
    ("dataset", "network"),
    [
        ("two_spirals", {"template": "dense", "width": 6, "depth": 2}),
        ("digits", {"template": "dense", "width": 4, "depth": 1}),
        pytest.param(
            "fake_images",
            {"architecture": "preresnet", "width": 2, "depth": 8},
            marks=pytest.mark.slow,
        ),
        ("digits", {"architecture": "lenet"}),
        ("two_spirals", {"architecture": "masked_dense", "width": 6, "depth": 2}),
    ],
)
def test_degenerate_directions(
    dataset: str, network: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(degenerate_directions, "DENSE_LIMIT", 700)
    runs = reduced(
        "degenerate_directions",
        seeds=1,
        dataset=DATASETS[dataset],
        network=network,
        training=TRAINING,
        leading=3,
        scales=[0.1, 0.5],
        draws=2,
        surface_side=3,
        plane_side=5,
    )
    result = runs[0].result
    known = ["top", "rest"] + (["bottom"] if result.parameters <= 700 else [])
    assert list(result.moves) == known
    assert list(result.surfaces) == ["top", known[-1], "random"]
    for moves in result.moves.values():
        assert ((moves.test_agreement >= 0) & (moves.test_agreement <= 1)).all()
    assert result.surfaces["top"][1, 1] == pytest.approx(result.loss, rel=1e-5)
    expected = ["moves", "surfaces"] + (["planes"] if dataset == "two_spirals" else [])
    assert figures("degenerate_directions", runs) == expected
    (claim,) = evaluate_claims(STUDY, {f"degenerate_{dataset}": runs})
    assert claim.verdict.word == "undecided"  # one seed has no interval
    assert "0.51 along high, at length 1 (the figure" in claims_page(STUDY, "small", [claim])
    assert dataset.replace("_", " ") in claim.title


def test_the_map_of_predictions_starts_from_the_trained_network() -> None:
    network = {"template": "dense", "width": 6, "depth": 1}
    (run,) = reduced(
        "degenerate_directions",
        seeds=1,
        dataset=DATASETS["two_spirals"],
        network=network,
        training=TRAINING,
        scales=[2.0],
        draws=1,
        surface_side=3,
        plane_side=9,
        plane_scale=2.0,
    )
    shown = run.result.plane
    solution = solve(context(), load_dataset(context(), DATASETS["two_spirals"]), network, TRAINING)
    plane = plane_around(solution.train.inputs, 9, margin=0.1)
    np.testing.assert_array_equal(shown.x, plane.x)
    np.testing.assert_array_equal(shown.unmoved, plane.regions(solution.network).predicted)
    assert list(shown.moved) == ["top", "rest", "bottom"]
    assert (shown.moved["top"] != shown.unmoved).any()


@pytest.mark.slow
@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("fashion_mnist", {"architecture": "lenet"}),
        ("cifar10", {"architecture": "preresnet", "width": 2, "depth": 8}),
    ],
)
def test_degenerate_directions_of_real_images(
    name: str,
    network: dict[str, Any],
    shared: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data_dir = str(shared(f"data/{name}").parent)
    monkeypatch.setattr(degenerate_directions, "DENSE_LIMIT", 700)
    runs = reduced(
        "degenerate_directions",
        seeds=1,
        data_dir=data_dir,
        dataset={"name": name, "train_size": 20, "test_size": 10},
        network=network,
        training=TRAINING,
        leading=3,
        scales=[0.1],
        draws=1,
        surface_side=3,
    )
    assert runs[0].result.parameters > 700
    assert list(runs[0].result.moves) == ["top", "rest"]
    assert runs[0].result.moves["rest"].train_agreement.shape == (1,)
    assert figures("degenerate_directions", runs) == ["moves", "surfaces"]


@pytest.mark.slow
@pytest.mark.usefixtures("coarse")
def test_double_descent_on_cifar100(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On files in the official format: a coarse and a fine label, then the pixels."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "cifar100"
    folder.mkdir()
    members = []
    for name, count in (("train.bin", 30), ("test.bin", 20)):
        records = rng.integers(0, 256, (count, 2 + 3072), np.uint8)
        records[:, 1] = np.arange(count)
        content = records.tobytes()
        (folder / name).write_bytes(content)
        members.append(File(name, len(content), hashlib.sha256(content).hexdigest()))
    entry = registry.DATASETS["cifar100"]
    assert isinstance(entry, registry.Official)
    source = (replace(entry.source[0], members=tuple(members)),)
    monkeypatch.setitem(registry.DATASETS, "cifar100", replace(entry, source=source))
    runs = reduced(
        "double_descent",
        seeds=1,
        data_dir=str(tmp_path),
        dataset={
            "name": "cifar100",
            "transforms": [{"name": "normalise"}, {"name": "resize", "size": 8}],
        },
        network={"architecture": "preact_resnet18"},
        training={**TRAINING, "epochs": 1, "augmentation": ["crop", "flip"]},
        widths=[1],
        eigenvalues=2,
    )
    networks = runs[0].result.networks
    assert networks.parameters[0] > 100 * 8  # the last layer's weights, for 100 classes
    assert 0 < networks.train_loss[0] < np.inf
    assert figures("double_descent", runs) == ["double_descent", "spectra"]


def test_directions_are_of_their_subspaces() -> None:
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((30, 10)))[0]
    top, bottom = basis[:, :5], basis[:, 5:]
    subspaces = degenerate_directions.Subspaces(top, bottom)
    rest, other = subspaces.directions("rest", 2, rng)
    assert np.linalg.norm(rest) == pytest.approx(1)
    assert np.abs(top.T @ rest).max() < 1e-14
    assert abs(rest @ other) < 0.9
    (low,) = subspaces.directions("bottom", 1, rng)
    assert np.abs(top.T @ low).max() < 1e-14
    assert np.linalg.norm(bottom.T @ low) == pytest.approx(1)
    (high,) = subspaces.directions("top", 1, rng)
    assert np.linalg.norm(top.T @ high) == pytest.approx(np.linalg.norm(high)) == pytest.approx(1)


def test_the_loss_rises_along_eigenvectors_by_their_eigenvalues() -> None:
    """By h s^2 / 2 at a distance of s, as the mean of both ways."""
    data = load_dataset(context(), DATASETS["digits"])
    network = {"template": "dense", "width": 3, "depth": 1, "activation": "tanh"}
    training = {**TRAINING, "epochs": 300, "weight_decay": 0.0}
    solution = solve(context(), data, network, training)
    top = degenerate_directions.subspaces_of(context(), solution, 2).top
    surface = degenerate_directions.MovableNetwork.of(solution).surface(0.02 * top, 3)
    values = hessian(solution.network, "cross_entropy", solution.train).eigsh(2).values
    rises = [surface[1, 0] + surface[1, 2], surface[0, 1] + surface[2, 1]]
    for rise, value in zip(rises, values, strict=True):
        assert rise / 2 - surface[1, 1] == pytest.approx(value * 0.02**2 / 2, rel=0.1)


def test_posterior_contraction_has_the_papers_numbers() -> None:
    runs = reduced("posterior_contraction", seeds=7, counts=[10, 100, 200, 300])
    covariance = np.mean([run.result.covariance for run in runs], axis=0)
    hessian = np.mean([run.result.hessian for run in runs], axis=0)
    np.testing.assert_allclose(covariance[[0, 1, 3]], [71, 38, 0.03], rtol=0.12)
    assert 1 < covariance[2] < 8
    np.testing.assert_allclose(hessian, [10, 100, 191, 200], rtol=0.05)
    assert figures("posterior_contraction", runs) == ["posterior_contraction"]
    (claim,) = evaluate_claims(STUDY, {"posterior_contraction": runs})
    assert claim.verdict.word == "agrees"
    published = "71, 37, 4 and 0 (10, 100, 200 and 300 data) (figure 4, read off; comparable)"
    assert published in claims_page(STUDY, "small", [claim])
    others = reduced("posterior_contraction", counts=[10, 20], prior_variance=1.0)
    (claim,) = evaluate_claims(STUDY, {"posterior_contraction": others})
    assert claim.published is not None
    assert not claim.published.comparable


def test_contraction_needs_as_many_points_as_data() -> None:
    with pytest.raises(GengapError, match="'counts' has 301 but there are 300 points"):
        run_experiment(STUDY, "posterior_contraction", context(), {"counts": [301]})


def test_fourier_features_in_their_order() -> None:
    x = np.array([0.25])
    features = posterior_contraction.fourier_features(x, 4)[0]
    half = np.pi / 4
    expected = [np.cos(half), np.sin(half), np.cos(2 * half), 1]
    np.testing.assert_allclose(features, expected, atol=1e-12)


def test_a_bayesian_network() -> None:
    hmc = {"burn_in": 20, "samples": 30, "leapfrogs": 5}
    runs = reduced("bayesian_network", counts=[3, 30], width=3, hmc=hmc)
    assert figures("bayesian_network", runs) == ["bayesian_network"]
    (claim,) = evaluate_claims(STUDY, {"bayesian_network": runs})
    assert claim.title == "Posterior contraction: a small Bayesian network"
    assert "43 (5000 data) (figure 4, a larger network," in claims_page(STUDY, "small", [claim])
    for run in runs:
        assert (run.result.acceptance > 0.05).all()
        assert (run.result.negatives <= 10).all()
    first = [run.result.negatives[0] for run in runs]
    assert claim.estimates["eigenvalues below zero, n = 3"].values == first
    assert max(first) > 0
    masses = [run.result.negative_mass[1] for run in runs]
    assert claim.estimates["mass below zero, n = 30"].values == masses
    assert "leaves out its eigenvalues below zero" in claim.measured


def test_the_posterior_equals_its_formula_by_torch() -> None:
    rng = np.random.default_rng(0)
    x, y, weights = rng.standard_normal(12), rng.standard_normal(12), rng.standard_normal(10)
    posterior = bayesian_network.Posterior(x, y, 0.3, 2.0)

    normal: Any = torch.distributions.Normal
    hessian_of: Any = torch.autograd.functional.hessian

    def likelihood(flat: torch.Tensor) -> torch.Tensor:
        inner, shift, outer = flat[:-1].reshape(3, 3)
        fit = torch.tanh(torch.tensor(x)[:, None] * inner + shift) @ outer + flat[-1]
        total: torch.Tensor = normal(fit, 0.3).log_prob(torch.tensor(y)).sum()
        return total

    flat = torch.tensor(weights, requires_grad=True)
    prior = normal(0, 2.0**0.5).log_prob(flat).sum()
    (slope,) = torch.autograd.grad(likelihood(flat) + prior, flat)
    np.testing.assert_allclose(posterior.density(weights)[1], slope.numpy(), rtol=1e-6)
    other = torch.zeros(10, dtype=torch.float64)
    difference = float(likelihood(flat) - likelihood(other))
    computed = posterior.likelihood(weights)[0] - posterior.likelihood(np.zeros(10))[0]
    assert computed == pytest.approx(difference)
    exact = -hessian_of(likelihood, flat.detach())
    np.testing.assert_allclose(posterior.hessian(weights), exact.numpy(), atol=1e-4)


def test_a_chain_without_data_samples_the_prior() -> None:
    posterior = bayesian_network.Posterior(np.zeros(0), np.zeros(0), 1.0, 3.0)
    settings = bayesian_network.ChainSettings(burn_in=300, samples=1500, leapfrogs=10)
    chain = bayesian_network.hamiltonian(posterior, 7, generator(0, "test"), settings)
    assert chain.acceptance == pytest.approx(0.8, abs=0.15)
    np.testing.assert_allclose(chain.samples.var(axis=0), 3.0, rtol=0.35)
    np.testing.assert_allclose(chain.samples.mean(axis=0), 0.0, atol=0.35)


def test_random_features() -> None:
    runs = reduced(
        "random_features", seeds=7, samples=40, test_samples=50, features=[10, 40, 60, 120]
    )
    result = runs[0].result
    assert result.test_error[1] == result.test_error.max()
    total = result.effective_dimensionality + result.published
    np.testing.assert_allclose(total, [10, 40, 40, 40])
    assert (np.diff(result.effective_dimensionality) > 0).all()
    assert figures("random_features", runs) == ["random_features"]
    (claim,) = evaluate_claims(STUDY, {"random_features": runs})
    assert claim.verdict.word == "disagrees"
    published = claim.estimates["min(n, d) - N_eff with test error"]
    assert POSITIVE.shown(published)


def test_random_features_are_described_by_their_signs() -> None:
    result = random_features.Result(
        features=np.array([10.0, 20, 30, 40]),
        effective_dimensionality=np.array([9.0, 3, 2, 1]),
        published=np.array([1.0, 7, 8, 9]),
        test_error=np.array([0.9, 0.3, 0.2, 0.1]),
        train_error=np.zeros(4),
        norm=np.ones(4),
    )
    for alpha, comparable in ((0.001, "comparable"), (0.1, "not comparable")):
        settings = random_features.Settings(samples=20, alpha=alpha)
        runs = [Run(seed, settings, result) for seed in range(7)]
        (claim,) = evaluate_claims(STUDY, {"random_features": runs})
        shown = f"α = 0.001, n = 200, read off; {comparable})"
        assert shown in claims_page(STUDY, "small", [claim])
    assert claim.verdict.word == "agrees"
    assert NEGATIVE.shown(claim.estimates["min(n, d) - N_eff with test error"])


def swept(
    seed: int, test_loss: list[float], sizes: list[float], **further: Any
) -> DoubleDescentRun:
    """A run of double descent whose N_eff grows with ``sizes``; the last four networks fit."""
    count = len(test_loss)
    arrays = {entry.name: np.ones(count) for entry in fields(Measurements)}
    arrays |= {
        "parameters": np.arange(1.0, count + 1),
        "train_error": np.r_[np.ones(count - 4), np.zeros(4)],
        "test_loss": np.array(test_loss) * (1 + 0.01 * seed),
        "eigenvalues": np.array(sizes)[:, None] * np.ones((count, 3)),
        "nodes": np.zeros((count, 1)),
        "weights": np.zeros((count, 1)),
    }
    arrays |= {name: np.array(values, float) for name, values in further.items()}
    widths = np.arange(1, count + 1)
    settings = double_descent.Settings({}, {}, {}, widths.tolist())
    return Run(seed, settings, double_descent.Result(Measurements(**arrays), widths))


def test_claims_of_double_descent() -> None:
    losses, sizes = [2.0, 1.0, 3.0, 2.5, 2.0, 0.5], [1.0, 2.0, 9.0, 7.0, 5.0, 3.0]
    runs = [swept(seed, losses, sizes) for seed in range(7)]
    descends, *judged = evaluate_claims(STUDY, {"double_descent": runs})
    assert [claim.verdict.word for claim in (descends, *judged)][:3] == ["agrees"] * 3
    # Given the number of parameters nothing is left, and the bounds of all networks are equal.
    assert [claim.verdict.word for claim in judged[2:]] == ["undecided", "undecided", "agrees"]
    (alone, *_) = evaluate_claims(STUDY, {"double_descent": runs[:1]})
    assert not any("best narrower" in name for name in alone.estimates)
    against = [swept(seed, losses, sorted(sizes)) for seed in range(7)]
    judged = evaluate_claims(STUDY, {"double_descent": against})
    words = [claim.verdict.word for claim in judged][:3]
    assert words == ["agrees", "disagrees", "disagrees"]
    assert format_interval(judged[2].estimates["N_eff with test loss"]) == "-1 (all 7 equal)"


def test_a_descent_without_networks_that_fit_has_a_premise_that_fails() -> None:
    losses, sizes = [2.0, 1.0, 3.0, 2.5, 2.0, 0.5], [1.0, 2.0, 9.0, 7.0, 5.0, 3.0]
    errors = [1.0, 1.0, 1.0, 1.0, 0.5, 0.0]
    runs = [swept(seed, losses, sizes, train_error=errors) for seed in range(7)]
    (claim,) = evaluate_claims(STUDY, {"double_descent": runs})
    assert claim.estimates["widths that fit"].values == [1.0] * 7
    assert claim.verdict.explained == "premise fails: widths that fit"
    # Three widths do at every seed, but not the same ones.
    others = [
        swept(seed, losses, sizes, train_error=np.roll([0.0, 0.0, 0.0, 1, 1, 1], seed % 2 * 3))
        for seed in range(7)
    ]
    (claim,) = evaluate_claims(STUDY, {"double_descent": others})
    assert claim.verdict.word == "undecided"


def test_numbers_of_figure_1_stand_beside_sweeps_of_widths() -> None:
    runs = [swept(seed, [2.0, 1.0, 3.0, 2.5, 2.0, 0.5], [1.0, 2, 9, 7, 5, 3]) for seed in range(3)]
    page = claims_page(STUDY, "small", evaluate_claims(STUDY, {"double_descent": runs}))
    place = "(figure 1, ResNet18 on CIFAR-100, read off; not comparable)"
    assert page.count(place) == 3
    assert f"| test loss 1.63 at width 7, 2.32 at width 19, 1.45 at width 65 {place} |" in page
    settings = replace(runs[0].settings, along="depth")
    in_depth = [Run(run.seed, settings, run.result) for run in runs]
    judged = evaluate_claims(STUDY, {"double_descent": in_depth})
    assert place not in claims_page(STUDY, "small", judged)


def test_other_quantities_and_what_is_left_out_stand_beside_n_eff() -> None:
    run = swept(
        0,
        test_loss=[2.0, 1.0, 3.0, 2.5, 2.0, 0.5],
        sizes=[1.0, 2.0, 9.0, 7.0, 5.0, 3.0],
        lambda_max=[0, 0, 1, 2, 3, 4],
        lambda_min=[-99, 0, -0.5, 0, 0, 0],
        negatives=[99, 0, 7, 0, 0, 0],
        negative_mass=[99, 0, 1, 3, 3, 8],
    )
    runs = [replace(run, seed=seed) for seed in range(2)]
    tracks = evaluate_claims(STUDY, {"double_descent": runs})[2]
    assert tracks.estimates["N_eff with test loss"].values == pytest.approx([1.0, 1.0])
    assert tracks.estimates["largest eigenvalue with test loss"].values == pytest.approx(
        [-1.0, -1.0]
    )
    assert tracks.estimates["parameters with test loss"].values == pytest.approx([-1.0, -1.0])
    assert tracks.estimates["N_eff with parameters"].values == pytest.approx([-1.0, -1.0])
    assert "the most negative one is -0.5. At most 7 are below" in tracks.measured
    assert "an estimated mass of 3 (median; 8 at most)" in tracks.measured


def test_the_best_width_of_a_seed_is_chosen_by_the_others() -> None:
    """Each seed has its least loss at a width of its own, by noise alone: there is no fall."""
    losses = [[2.0, 1.0, 2.0], [2.0, 2.0, 1.0], [1.0, 2.0, 2.0]]
    sizes = [1.0, 1.0, 1.0, 9.0, 7.0, 5.0, 3.0]
    runs = [swept(0, [*row, 3.0, 2.5, 2.0, 0.5], sizes) for row in losses]
    runs = [replace(run, seed=seed) for seed, run in enumerate(runs)]
    descends = evaluate_claims(STUDY, {"double_descent": runs})[0]
    narrower = descends.estimates["test loss, first fitting minus best narrower"].values
    assert narrower == pytest.approx([3 - 2.0, 3 - 2.0, 3 - 2.0])
    fall = descends.estimates["test loss, narrowest minus best narrower"].values
    assert fall == pytest.approx([0.0, 0.0, -1.0])
    assert descends.verdict.word == "undecided"


def test_correlations_are_among_networks_that_fit() -> None:
    shape = (1, 2, 3)
    quantities = {entry.name: np.ones(shape) for entry in fields(Measurements)}
    quantities["train_loss"] = np.array([[[0.0, 0.01, 0.05], [0.09, 5.0, 5.0]]])
    quantities["test_loss"] = np.array([[[1.0, 2.0, 3.0], [4.0, 0.0, 0.0]]])
    quantities["eigenvalues"] = np.array([[[1.0, 3.0, 5.0], [9.0, 99.0, 99.0]]])[..., None]
    quantities |= dict.fromkeys(("nodes", "weights"), np.zeros((*shape, 1)))
    networks = Measurements(**quantities)
    grid = Grid(np.array([1, 2, 3]), np.array([1, 2]), networks)
    with_loss = {
        title: correlations_by_seed(values, networks.test_loss, grid.fitting)
        for title, values in grid.explanations().items()
    }
    assert with_loss["effective dimensionality"] == pytest.approx([1.0])
    assert np.isnan(with_loss["largest eigenvalue"]).all()
    first_row = correlations_by_seed(
        networks.dimension[:, 1], networks.test_loss[:, 1], np.ones(3, dtype=bool)
    )
    assert first_row[0] < 0


@pytest.mark.parametrize("setting", ["small", "medium", "paper"])
def test_settings_fit_their_experiments(root: Path, setting: str) -> None:
    config = yaml.safe_load((root / "studies" / f"{STUDY}.yaml").read_text())[setting]
    for entry in config["experiments"]:
        name = entry.get("experiment", entry["name"])
        module = importlib.import_module(f"gengap.studies.{STUDY}.experiments.{name}")
        for point in grid_points(entry.get("grid", {})):
            del point["replicate"]
            build_settings(module.Settings, {**entry["settings"], **point}, name)
        if setting == "small":
            assert entry["seeds"] >= 3


def test_a_descent_in_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectra, "TOLERANCE", {"float32": 0.05, "float64": 0.05})
    runs = reduced(
        "double_descent",
        seeds=1,
        dataset={**DATASETS["two_spirals"], "noise": 0.1},
        network={"template": "dense", "width": 3},
        training=TRAINING,
        widths=[1, 3],
        along="depth",
        eigenvalues=3,
    )
    assert runs[0].result.networks.parameters.tolist() == [9 + 8, 9 + 2 * 12 + 8]
    assert figures("double_descent", runs) == ["double_descent", "spectra"]


def test_networks_are_written_on_request_and_read_by_the_command(tmp_path: Path) -> None:
    settings = {
        "dataset": {**DATASETS["digits"], "classes": [0, 1]},
        "network": {"template": "dense", "depth": 1},
        "training": TRAINING,
        "widths": [1, 2],
        "eigenvalues": 2,
    }
    files = ResultFiles(tmp_path, ["weights"])
    result: Any = run_experiment(STUDY, "double_descent", replace(context(), files=files), settings)
    assert {path.name for path in tmp_path.iterdir()} == {"width_1", "width_2"}
    read = [str(tmp_path / "width_2" / name) for name in ("config.json", "weights.safetensors")]
    where = ["--dataset", str(tmp_path / "width_2" / "train.safetensors")]
    output = ["--top", "2", "--output", str(tmp_path / "top.npz")]
    assert main(["eigenvalues", *read, *where, *output]) == 0
    with np.load(tmp_path / "top.npz") as file:
        largest = result.networks.lambda_max[1]
        assert file["eigenvalues"][0] == pytest.approx(largest, rel=1e-4)


def test_a_convnet_of_depth_0_has_its_first_convolution_alone() -> None:
    spec = {"architecture": "convnet", "input_shape": [8, 8, 3], "classes": 10}
    network = build({**spec, "width": 4, "depth": 0})
    # A 3x3 convolution with biases, scale and shift of the normalisation, and the dense layer.
    assert parameter_count(network) == (27 * 4 + 4) + 2 * 4 + (4 * 10 + 10)


def test_the_published_hessian_is_that_of_weights_with_batch_statistics() -> None:
    """Against torch's own Hessian of a pass in training mode, of all parameters but vectors."""
    data = load_dataset(context(), {"name": "digits", "train_size": 20, "test_size": 10})
    network = {"template": "dense", "width": 3, "depth": 1, "batch_normalisation": True}
    solution = solve(context(), data, network, TRAINING)
    operator = hessian_of(solution, "published")
    module = copy.deepcopy(solution.network).double().train()
    named = dict(module.named_parameters())
    names = [name for name, value in named.items() if value.dim() > 1]
    sizes = [named[name].numel() for name in names]
    inputs = torch.from_numpy(solution.train.inputs).double()
    labels = torch.from_numpy(solution.train.labels)

    def loss(flat: torch.Tensor) -> torch.Tensor:
        parts = zip(names, torch.split(flat, sizes), strict=True)
        moved = {name: part.view(named[name].shape) for name, part in parts}
        outputs = torch.func.functional_call(module, moved, (inputs,))
        return torch.nn.functional.cross_entropy(outputs, labels)

    start = torch.cat([named[name].detach().flatten() for name in names])
    hessian_by_torch: Any = torch.autograd.functional.hessian
    expected = hessian_by_torch(loss, start).numpy()
    vector = np.random.default_rng(0).standard_normal(len(start))
    scale = np.abs(expected @ vector).max()
    np.testing.assert_allclose(operator @ vector, expected @ vector, atol=1e-4 * scale)
    measured = measure(context(), solution, 3, "published")
    top = np.linalg.eigvalsh(expected)[-1]
    assert measured.lambda_max == pytest.approx(top, rel=1e-3)
    assert measured.parameters == sum(value.numel() for value in named.values())
    assert all(value.requires_grad for value in solution.network.parameters())


@pytest.mark.slow
def test_the_leading_eigenvalues_alpha_and_the_gap_are_shown() -> None:
    data = load_dataset(context(), DATASETS["digits"])
    solution = solve(context(), data, {"template": "dense", "width": 3, "depth": 1}, TRAINING)
    measured = measure(context(), solution, 150)
    exact = hessian(solution.network, "cross_entropy", solution.train, dtype="float64").spectrum()
    for alpha in (0.01, 1.0):
        expected = effective_dimensionality(exact[:100], alpha)
        assert measured.leading_dimension_at(alpha) == pytest.approx(expected, rel=1e-3)
    assert measured.gap == measured.test_loss - measured.train_loss
    assert np.isfinite([measured.path_norm, measured.pac_bayes]).all()
    weights = [value for value in solution.network.parameters() if value.dim() > 1]
    paths = (weights[1] ** 2) @ (weights[0] ** 2)
    # Paths from biases come on top of those from inputs.
    assert measured.path_norm >= float(paths.sum().sqrt().detach())


def test_alpha_is_a_setting_of_the_figures() -> None:
    run = swept(0, [2.0, 1.0, 3.0, 2.5, 2.0, 0.5], [1.0, 2.0, 9.0, 7.0, 5.0, 3.0])
    plotted = plot_experiment(STUDY, "double_descent", [run], {"alpha": 0.1})["double_descent"]
    assert plotted.axes[2].get_ylabel() == "N_eff, α = 0.1"
    drawn = plotted.axes[2].get_lines()[0].get_ydata()
    np.testing.assert_allclose(
        np.asarray(drawn, float), [3 * s / (s + 0.1) for s in (1, 2, 9, 7, 5, 3)]
    )


def test_the_function_space_of_bayesian_regression() -> None:
    """Against the covariance of the outputs formed as the published notebook does."""
    result = reduced("posterior_contraction", seeds=1, counts=[10, 300])[0].result
    x = np.linspace(0, posterior_contraction.INTERVAL, 300)
    design = posterior_contraction.fourier_features(x, 200)
    precision = design.T @ design / 0.1 + np.eye(200) / 3.0
    values = np.linalg.eigvalsh(design @ np.linalg.inv(precision) @ design.T).clip(0)
    assert result.function[1] == pytest.approx((values / (values + 5)).sum(), rel=1e-6)
    assert result.function[0] > result.function[1]


def test_outputs_of_sampled_networks() -> None:
    rng = np.random.default_rng(0)
    samples, x = rng.standard_normal((4, 7)), np.array([-1.0, 0.5])
    inner, shift, outer = samples[:, :2], samples[:, 2:4], samples[:, 4:6]
    expected = [
        [outer[m] @ np.tanh(inner[m] * point + shift[m]) + samples[m, 6] for point in x]
        for m in range(4)
    ]
    np.testing.assert_allclose(bayesian_network.outputs_of(samples, x), expected)


def test_random_features_by_the_published_formulas() -> None:
    rng = np.random.default_rng(0)
    inputs, targets = rng.standard_normal((9, 14)), rng.standard_normal(9)
    test = rng.standard_normal((6, 20)), rng.standard_normal(6)
    test_error, train_error, norm, dimension = random_features.fit((inputs, targets), test, 0.1)
    weights = np.linalg.lstsq(inputs, targets, rcond=None)[0]
    assert train_error == pytest.approx(0.0, abs=1e-10)
    residual = test[0][:, :14] @ weights - test[1]
    assert test_error == pytest.approx(np.linalg.norm(residual) / np.linalg.norm(test[1]))
    ridge = np.linalg.solve(inputs @ inputs.T + 9 * 0.1 * np.eye(9), targets)
    assert norm == pytest.approx((ridge @ inputs @ inputs.T @ ridge) ** 0.5)
    values = np.linalg.eigvalsh(inputs @ inputs.T / 9)
    assert dimension == pytest.approx(effective_dimensionality(values, 0.1))


def test_maps_over_samples_and_features() -> None:
    runs = reduced("random_features", samples=20, features=[5, 20, 40], map_counts=[5, 10, 40])
    maps = runs[0].result.maps
    assert maps is not None
    assert maps.test_error.shape == (3, 3)
    assert (maps.train_error[0, 1:] < 1e-8).all()  # 5 samples, more features
    assert (maps.train_error[2, :2] > 1e-2).all()
    assert figures("random_features", runs) == ["random_features", "maps"]
