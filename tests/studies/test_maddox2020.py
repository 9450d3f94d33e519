"""Every architecture, dataset and experiment of the study in one real reduced job."""

from __future__ import annotations

import hashlib
import importlib
import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from matplotlib.figure import Figure

from gengap.curvature import effective_dimensionality, hessian, measures, spectra
from gengap.datasets import registry
from gengap.datasets.sources import File
from gengap.errors import GengapError
from gengap.seeding import generator
from gengap.studies import (
    Context,
    Outcome,
    Run,
    draw,
    evaluate_claims,
    exceeds,
    load_data,
    run_experiment,
)
from gengap.studies.maddox2020 import (
    bayesian_network,
    claims,
    degenerate_directions,
    double_descent,
    posterior_contraction,
    solutions,
    width_depth,
)
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
    "ResNet18(k)": {"architecture": "resnet18"},
    "PreResNet": {"architecture": "preresnet", "depth": 8},
    "masked": {"architecture": "masked_dense", "depth": 1},
}


def context(seed: int = 0) -> Context:
    return Context(seed, None, torch.device("cpu"))


def reduced(experiment: str, seeds: int = 2, **settings: Any) -> list[Run]:
    """Real runs of an experiment."""
    return [
        Run(seed, settings, run_experiment(STUDY, experiment, context(seed), settings))
        for seed in range(seeds)
    ]


def figures(experiment: str, runs: list[Run]) -> list[str]:
    """The names of an experiment's figures, each of which is drawn."""
    found = draw(STUDY, experiment, runs)
    assert all(isinstance(figure, Figure) for figure in found.values())
    return list(found)


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eigenvalues and sharpness of low accuracy, for networks of many layers."""
    monkeypatch.setattr(spectra, "TOLERANCE", {"float32": 0.05, "float64": 0.05})
    monkeypatch.setattr(measures, "BISECTIONS", 3)


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize(
    ("name", "dataset"),
    [
        ("small MLP", "digits"),
        ("masked", "two_spirals"),
        ("ResNet18(k)", "fake_images"),
        ("PreResNet", "digits"),
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
    arrays = runs[0].outcome.arrays
    assert arrays["eigenvalues"].shape == (2, 3)
    assert (arrays["lambda_min"] <= arrays["lambda_max"]).all()
    assert (np.diff(arrays["parameters"]) > 0).all()
    assert figures("double_descent", runs) == ["double_descent", "spectra"]


@pytest.mark.usefixtures("coarse")
def test_a_sweep_may_be_split_over_runs() -> None:
    settings = {
        "dataset": DATASETS["digits"],
        "network": SWEPT["small MLP"],
        "training": TRAINING,
        "eigenvalues": 2,
    }
    (whole,) = reduced("double_descent", seeds=1, widths=[1, 2, 3], **settings)
    parts = [
        reduced("double_descent", seeds=1, widths=widths, **settings)[0] for widths in ([3], [1, 2])
    ]
    together, apart = double_descent.Sweep.of([whole]), double_descent.Sweep.of(parts)
    np.testing.assert_array_equal(apart.widths, [1, 2, 3])
    for name in solutions.SPECTRA:
        one, other = getattr(apart.spectrum, name), getattr(together.spectrum, name)
        np.testing.assert_array_equal(one, other)
    for name, values in together.quantities.items():
        np.testing.assert_array_equal(apart.quantities[name], values)
    with pytest.raises(GengapError, match="run every width of every seed"):
        double_descent.Sweep.of([whole, Run(1, {}, parts[0].outcome)])


def test_quantities_are_of_their_splits_and_of_both_ends_of_the_spectrum() -> None:
    data = load_data(context(), {"name": "digits", "train_size": 60, "test_size": 40})
    network = {"template": "dense", "width": 3, "depth": 1}
    training = {**TRAINING, "epochs": 30, "label_corruption": 0.3}
    solution = solutions.solve(context(), data, network, training)
    numbers, spectrum = solutions.measured(context(), solution, 20)
    assert tuple(numbers) == solutions.QUANTITIES
    for name in ("train", "test"):
        loss, accuracy = loss_and_accuracy(
            solution.network, getattr(solution, name), "cross_entropy"
        )
        assert numbers[f"{name}_loss"] == loss
        assert numbers[f"{name}_error"] == 1 - accuracy
    assert solution.test is data.test
    assert numbers["train_loss"] != numbers["test_loss"]
    exact = hessian(solution.network, "cross_entropy", solution.train, dtype="float64").spectrum()
    assert exact[-1] < 0
    assert numbers["lambda_max"] == pytest.approx(exact[0], rel=1e-4)
    assert numbers["lambda_min"] == pytest.approx(exact[-1], abs=1e-4 * exact[0])
    np.testing.assert_allclose(spectrum.eigenvalues, exact[:20], atol=1e-4 * exact[0])
    assert numbers["negative_mass"] == pytest.approx(-exact[exact < 0].sum(), rel=0.3)
    assert numbers["negatives"] == pytest.approx((exact < -0.01 * exact[0]).sum(), rel=0.3)
    alphas = [0.1, 1.0, 10.0]
    expected = [effective_dimensionality(exact, alpha) for alpha in alphas]
    np.testing.assert_allclose(spectrum.dimensions(alphas), expected, rtol=0.03)
    assert spectrum.computed([0.1])[0] < 0.97 * expected[0]


def test_a_spectrum_of_fewer_eigenvalues_than_asked_for() -> None:
    """The others are known to be none, and the quadrature has none left."""
    data = load_data(context(), DATASETS["two_spirals"])
    network = {"template": "dense", "width": 1, "depth": 1}
    solution = solutions.solve(context(), data, network, TRAINING)
    _, spectrum = solutions.measured(context(), solution, 10)
    exact = hessian(solution.network, "cross_entropy", solution.train, dtype="float64").spectrum()
    assert np.isnan(spectrum.eigenvalues[len(exact) :]).all()
    assert not spectrum.weights.any()
    expected = effective_dimensionality(exact, 0.1)
    assert spectrum.dimensions([0.1]) == pytest.approx([expected], rel=1e-3)


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize("name", ["convnet", "masked_dense"])
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
    assert runs[0].outcome.arrays["eigenvalues"].shape == (2, 2, 3)
    assert figures("width_depth", runs) == ["width_depth", "explanations"]
    titles = [claim.title for claim in evaluate_claims(STUDY, {"width_depth": runs})]
    assert titles == [
        "N_eff explains the test loss over width and depth",
        "N_eff explains more than counting parameters, norms and sharpness do",
    ]


@pytest.mark.parametrize(
    ("dataset", "network"),
    [
        ("two_spirals", {"template": "dense", "width": 6, "depth": 2}),
        ("digits", {"template": "dense", "width": 4, "depth": 1}),
        ("fake_images", {"architecture": "preresnet", "width": 2, "depth": 8}),
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
    outcome = runs[0].outcome
    dense = outcome.values["parameters"] <= 700
    assert ("loss_bottom" in outcome.arrays) == dense
    for name in degenerate_directions.known(runs):
        agreement = outcome.arrays[f"test_agreement_{name}"]
        assert ((agreement >= 0) & (agreement <= 1)).all()
    centre = outcome.arrays["surface_top"][1, 1]
    assert centre == pytest.approx(outcome.values["loss"], rel=1e-5)
    expected = ["moves", "surfaces"] + (["planes"] if dataset == "two_spirals" else [])
    assert figures("degenerate_directions", runs) == expected
    (claim,) = evaluate_claims(STUDY, {f"degenerate_{dataset}": runs})
    assert claim.holds is None or not claim.holds  # one seed has no interval to hold by
    assert dataset.replace("_", " ") in claim.title


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
    data = shared(f"data/{name}").parent
    monkeypatch.setattr(degenerate_directions, "DENSE_LIMIT", 700)
    settings = {
        "dataset": {"name": name, "train_size": 20, "test_size": 10},
        "network": network,
        "training": TRAINING,
        "leading": 3,
        "scales": [0.1],
        "draws": 1,
        "surface_side": 3,
    }
    outcome = run_experiment(
        STUDY,
        "degenerate_directions",
        Context(0, str(data), torch.device("cpu")),
        settings,
    )
    assert outcome.values["parameters"] > degenerate_directions.DENSE_LIMIT
    assert "loss_bottom" not in outcome.arrays
    assert outcome.arrays["train_agreement_rest"].shape == (1,)
    runs = [Run(0, settings, outcome)]
    assert figures("degenerate_directions", runs) == ["moves", "surfaces"]


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
    settings = {
        "dataset": {
            "name": "cifar100",
            "transforms": [{"name": "normalise"}, {"name": "resize", "size": 8}],
        },
        "network": {"architecture": "resnet18"},
        "training": {**TRAINING, "epochs": 1, "augmentation": ["crop", "flip"]},
        "widths": [1],
        "eigenvalues": 2,
    }
    where = Context(0, str(tmp_path), torch.device("cpu"))
    outcome = run_experiment(STUDY, "double_descent", where, settings)
    assert outcome.arrays["parameters"][0] > 100 * 8  # the last layer's weights, for 100 classes
    assert 0 < outcome.arrays["train_loss"][0] < np.inf
    assert figures("double_descent", [Run(0, settings, outcome)]) == ["double_descent", "spectra"]


def test_directions_are_of_their_subspaces() -> None:
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((30, 10)))[0]
    top, bottom = basis[:, :5], basis[:, 5:]
    rest = degenerate_directions.direction(top, top, "rest", rng)
    assert np.linalg.norm(rest) == pytest.approx(1)
    assert np.abs(top.T @ rest).max() < 1e-14
    low = degenerate_directions.direction(bottom, top, "bottom", rng)
    assert np.abs(top.T @ low).max() < 1e-14
    assert np.linalg.norm(bottom.T @ low) == pytest.approx(1)


def test_the_loss_rises_along_eigenvectors_by_their_eigenvalues() -> None:
    """By h s^2 / 2 at a distance of s, as the mean of both ways."""
    data = load_data(context(), DATASETS["digits"])
    network = {"template": "dense", "width": 3, "depth": 1, "activation": "tanh"}
    training = {**TRAINING, "epochs": 300, "weight_decay": 0.0}
    solution = solutions.solve(context(), data, network, training)
    top = degenerate_directions.subspaces(context(), solution, 2)["top"]
    weights = torch.nn.utils.parameters_to_vector(solution.network.parameters()).detach().double()
    surface = degenerate_directions._surface(solution, weights, 0.02 * top, 3)
    degenerate_directions._place(solution, weights, np.zeros(len(weights)))
    values = hessian(solution.network, "cross_entropy", solution.train).eigsh(2).values
    rises = [surface[1, 0] + surface[1, 2], surface[0, 1] + surface[2, 1]]
    for rise, value in zip(rises, values, strict=True):
        assert rise / 2 - surface[1, 1] == pytest.approx(value * 0.02**2 / 2, rel=0.1)


def test_posterior_contraction_has_the_papers_numbers() -> None:
    runs = reduced("posterior_contraction", seeds=3, counts=[10, 100, 200, 300])
    arrays = [run.outcome.arrays for run in runs]
    covariance = np.mean([a["covariance"] for a in arrays], axis=0)
    hessian = np.mean([a["hessian"] for a in arrays], axis=0)
    np.testing.assert_allclose(covariance[[0, 1, 3]], [71, 38, 0.03], rtol=0.12)
    assert 1 < covariance[2] < 8
    np.testing.assert_allclose(hessian, [10, 100, 191, 200], rtol=0.05)
    assert figures("posterior_contraction", runs) == ["posterior_contraction"]
    (claim,) = evaluate_claims(STUDY, {"posterior_contraction": runs})
    assert claim.holds


def test_contraction_needs_as_many_points_as_data() -> None:
    with pytest.raises(GengapError, match="'counts' has 301 but there are 300 points"):
        run_experiment(STUDY, "posterior_contraction", context(), {"counts": [301]})


def test_fourier_features_in_their_order() -> None:
    x = np.array([0.25])
    found = posterior_contraction.fourier_features(x, 4)[0]
    half = np.pi / 4
    np.testing.assert_allclose(found, [np.cos(half), np.sin(half), np.cos(2 * half), 1], atol=1e-12)


def test_a_bayesian_network() -> None:
    runs = reduced("bayesian_network", counts=[3, 30], width=3, burn_in=20, samples=30, leapfrogs=5)
    assert figures("bayesian_network", runs) == ["bayesian_network"]
    (claim,) = evaluate_claims(STUDY, {"bayesian_network": runs})
    assert claim.title == "Posterior contraction: a small Bayesian network"
    for run in runs:
        assert (run.outcome.arrays["acceptance"] > 0.05).all()
        assert (run.outcome.arrays["negatives"] <= 10).all()
    first = [run.outcome.arrays["negatives"][0] for run in runs]
    assert claim.estimates["eigenvalues below zero, n = 3"] == first
    assert max(first) > 0
    masses = [run.outcome.arrays["negative_mass"][1] for run in runs]
    assert claim.estimates["mass below zero, n = 30"] == masses
    assert "leaves out its eigenvalues below zero" in claim.measured


def test_the_posterior_equals_its_formula_by_torch() -> None:
    rng = np.random.default_rng(0)
    x, y, weights = rng.standard_normal(12), rng.standard_normal(12), rng.standard_normal(10)
    posterior = bayesian_network.Posterior(x, y, 0.3, 2.0)

    def likelihood(flat: torch.Tensor) -> torch.Tensor:
        inner, shift, outer = flat[:-1].reshape(3, 3)
        fit = torch.tanh(torch.tensor(x)[:, None] * inner + shift) @ outer + flat[-1]
        return torch.distributions.Normal(fit, 0.3).log_prob(torch.tensor(y)).sum()

    flat = torch.tensor(weights, requires_grad=True)
    prior = torch.distributions.Normal(0, 2.0**0.5).log_prob(flat).sum()
    (slope,) = torch.autograd.grad(likelihood(flat) + prior, flat)
    np.testing.assert_allclose(posterior.density(weights)[1], slope.numpy(), rtol=1e-6)
    other = torch.zeros(10, dtype=torch.float64)
    difference = float(likelihood(flat) - likelihood(other))
    found = posterior.likelihood(weights)[0] - posterior.likelihood(np.zeros(10))[0]
    assert found == pytest.approx(difference)
    exact = -torch.autograd.functional.hessian(likelihood, flat.detach())
    np.testing.assert_allclose(posterior.hessian(weights), exact.numpy(), atol=1e-4)


def test_a_chain_without_data_samples_the_prior() -> None:
    posterior = bayesian_network.Posterior(np.zeros(0), np.zeros(0), 1.0, 3.0)
    chain = bayesian_network.hamiltonian(
        posterior, 7, generator(0, "test"), burn_in=300, samples=1500, leapfrogs=10
    )
    assert chain.acceptance == pytest.approx(0.8, abs=0.15)
    np.testing.assert_allclose(chain.samples.var(axis=0), 3.0, rtol=0.35)
    np.testing.assert_allclose(chain.samples.mean(axis=0), 0.0, atol=0.35)


def test_random_features() -> None:
    runs = reduced("random_features", samples=40, test_samples=50, features=[10, 40, 60, 120])
    arrays = runs[0].outcome.arrays
    assert arrays["test_error"][1] == arrays["test_error"].max()
    total = arrays["effective_dimensionality"] + arrays["published"]
    np.testing.assert_allclose(total, [10, 40, 40, 40])
    assert (np.diff(arrays["effective_dimensionality"]) > 0).all()
    assert figures("random_features", runs) == ["random_features"]
    (claim,) = evaluate_claims(STUDY, {"random_features": runs})
    assert claim.holds is False
    assert "N_eff moves against it; min(n, d) - N_eff follows the test error" in claim.measured


def test_random_features_are_described_by_their_signs() -> None:
    arrays = {
        "features": np.array([10, 20, 30, 40]),
        "effective_dimensionality": np.array([9.0, 3, 2, 1]),
        "published": np.array([1.0, 7, 8, 9]),
        "test_error": np.array([0.9, 0.3, 0.2, 0.1]),
    }
    runs = [Run(seed, {}, Outcome({"samples": 20.0}, arrays)) for seed in range(2)]
    (claim,) = evaluate_claims(STUDY, {"random_features": runs})
    assert claim.holds
    assert "N_eff follows the test error; min(n, d) - N_eff moves against it" in claim.measured


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1.0, 1.1, 0.9], True), ([-1.0, -1.1, -0.9], False), ([1.0, -1.0, 0.5], None), ([1.0], None)],
)
def test_a_claim_holds_by_its_interval(values: list[float], expected: bool | None) -> None:
    assert exceeds(values) is expected
    assert claims._holds({"x": 0.0, "sure": 0.0}, {"x": values, "sure": [5.0, 5.1]}) is expected


def swept(seed: int, test_loss: list[float], sizes: list[float]) -> Run:
    """A run of double descent whose N_eff grows with ``sizes``; the last four networks fit."""
    count = len(test_loss)
    arrays = {name: np.ones(count) for name in solutions.QUANTITIES}
    arrays |= {
        "widths": np.arange(1, count + 1),
        "parameters": np.arange(1.0, count + 1),
        "train_error": np.r_[np.ones(count - 4), np.zeros(4)],
        "test_loss": np.array(test_loss) * (1 + 0.01 * seed),
        "eigenvalues": np.array(sizes)[:, None] * np.ones((count, 3)),
        "nodes": np.zeros((count, 1)),
        "weights": np.zeros((count, 1)),
    }
    return Run(seed, {}, Outcome({}, arrays))


def test_claims_of_double_descent() -> None:
    losses, sizes = [2.0, 1.0, 3.0, 2.5, 2.0, 0.5], [1.0, 2.0, 9.0, 7.0, 5.0, 3.0]
    runs = [swept(seed, losses, sizes) for seed in range(3)]
    verdicts = [claim.holds for claim in evaluate_claims(STUDY, {"double_descent": runs})]
    assert verdicts == [True, True, True]
    (alone, *_) = evaluate_claims(STUDY, {"double_descent": runs[:1]})
    assert not any("best narrower" in name for name in alone.estimates)
    against = [swept(seed, losses, sorted(sizes)) for seed in range(3)]
    found = evaluate_claims(STUDY, {"double_descent": against})
    assert [claim.holds for claim in found] == [True, False, False]
    assert "N_eff with test loss -1 (-1 to -1)" in found[2].measured


def test_other_quantities_and_what_is_left_out_stand_beside_n_eff() -> None:
    run = swept(0, [2.0, 1.0, 3.0, 2.5, 2.0, 0.5], [1.0, 2.0, 9.0, 7.0, 5.0, 3.0])
    arrays = dict(run.outcome.arrays)
    arrays["lambda_max"] = np.array([0.0, 0, 1, 2, 3, 4])
    arrays["lambda_min"] = np.array([-99.0, 0, -0.5, 0, 0, 0])
    arrays["negatives"] = np.array([99.0, 0, 7, 0, 0, 0])
    arrays["negative_mass"] = np.array([99.0, 0, 1, 3, 3, 8])
    runs = [Run(seed, {}, Outcome({}, arrays)) for seed in range(2)]
    tracks = evaluate_claims(STUDY, {"double_descent": runs})[2]
    assert tracks.estimates["N_eff with test loss"] == pytest.approx([1.0, 1.0])
    assert tracks.estimates["largest eigenvalue with test loss"] == pytest.approx([-1.0, -1.0])
    assert tracks.estimates["parameters with test loss"] == pytest.approx([-1.0, -1.0])
    assert tracks.estimates["N_eff with parameters"] == pytest.approx([-1.0, -1.0])
    assert "the most negative one is -0.5, 7 at most are below" in tracks.measured
    assert "a mass of 3 (median; 8 at most)" in tracks.measured


def test_the_best_width_of_a_seed_is_chosen_by_the_others() -> None:
    """Each seed has its least loss at a width of its own, by noise alone: there is no fall."""
    losses = [[2.0, 1.0, 2.0], [2.0, 2.0, 1.0], [1.0, 2.0, 2.0]]
    sizes = [1.0, 1.0, 1.0, 9.0, 7.0, 5.0, 3.0]
    runs = [swept(0, [*row, 3.0, 2.5, 2.0, 0.5], sizes) for row in losses]
    runs = [Run(seed, {}, run.outcome) for seed, run in enumerate(runs)]
    descends = evaluate_claims(STUDY, {"double_descent": runs})[0]
    narrower = descends.estimates["test loss, first fitting minus best narrower"]
    assert narrower == pytest.approx([3 - 2.0, 3 - 2.0, 3 - 2.0])
    fall = descends.estimates["test loss, narrowest minus best narrower"]
    assert fall == pytest.approx([0.0, 0.0, -1.0])
    assert descends.holds is None


def test_correlations_are_among_networks_that_fit() -> None:
    shape = (1, 2, 3)
    quantities = {name: np.ones(shape) for name in solutions.QUANTITIES}
    quantities["train_loss"] = np.array([[[0.0, 0.01, 0.05], [0.09, 5.0, 5.0]]])
    quantities["test_loss"] = np.array([[[1.0, 2.0, 3.0], [4.0, 0.0, 0.0]]])
    quantities["effective_dimensionality"] = np.array([[[1.0, 3.0, 5.0], [9.0, 99.0, 99.0]]])
    grid = width_depth.Grid(np.array([1, 2, 3]), np.array([1, 2]), quantities)
    assert grid.correlations("effective_dimensionality") == pytest.approx([1.0])
    assert np.isnan(grid.correlations("lambda_max")).all()


@pytest.mark.parametrize("setting", ["small", "paper"])
def test_settings_name_experiments_and_their_keywords(root: Path, setting: str) -> None:
    config = yaml.safe_load((root / "studies" / f"{STUDY}.yaml").read_text())[setting]
    for entry in config["experiments"]:
        module = importlib.import_module(
            f"gengap.studies.{STUDY}.{entry.get('experiment', entry['name'])}"
        )
        known = inspect.signature(module.run).parameters
        assert set(entry["settings"]) | set(entry.get("grid", {})) <= set(known)
        if setting == "small":
            assert entry["seeds"] >= 3
