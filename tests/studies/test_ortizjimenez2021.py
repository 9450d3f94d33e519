"""The experiments on every architecture and dataset that the study names, much reduced."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from numpy.typing import NDArray
from torch import nn

from gengap.datasets import Dataset, load
from gengap.errors import GengapError
from gengap.figures import save
from gengap.networks import Network, set_weights
from gengap.planning.grid import grid_points
from gengap.seeding import derive
from gengap.studies.context import Context
from gengap.studies.ortizjimenez2021 import models_compared
from gengap.studies.ortizjimenez2021.experiments import (
    class_tasks,
    directions,
    eigenfunction_tasks,
    pretrained,
    training_sizes,
)
from gengap.studies.ortizjimenez2021.models_compared import (
    COLUMNS,
    NetworkSettings,
    grouped,
    initial_network,
    train_linearisation,
)
from gengap.studies.outcomes import AnyRun, ExperimentResult, Run, read_outcome, write_outcome
from gengap.studies.result_files import ResultFiles
from gengap.studies.running import (
    build_settings,
    evaluate_claims,
    plot_experiment,
    run_experiment,
)
from gengap.tangent import empirical_ntk, krylov, read_eigenfunctions, scalar_outputs
from gengap.tangent.kernel_file import KernelFile

STUDY = "ortizjimenez2021"
MODULES: dict[str, Any] = {
    "eigenfunction_tasks": eigenfunction_tasks,
    "class_tasks": class_tasks,
    "directions": directions,
    "pretrained": pretrained,
    "training_sizes": training_sizes,
}
SIZES: dict[str, Any] = {
    "train_size": 30,
    "test_size": 20,
    "transforms": [{"name": "normalise"}],
}
DIGITS: dict[str, Any] = {"name": "digits", **SIZES}
SHORT: dict[str, Any] = {"training": {"epochs": 2, "batch_size": 10}}
NETWORKS: dict[str, dict[str, Any]] = {
    "mlp": {"architecture": "mlp", "width": 8},
    "lenet": {"architecture": "lenet"},
    "resnet18": {"architecture": "resnet18", "width": 2},
}
EIGEN: dict[str, Any] = {"dataset": DIGITS, "indices": [1, 4], "saved": 6, **SHORT}
DIRECTIONS: dict[str, Any] = {
    "input_shape": [4, 4, 1],
    "indices": [0, 7],
    "averaging": {"sigma": 1.0, "inputs": 3},
    "points": {"train_size": 20, "test_size": 10},
    **SHORT,
}


Floats = NDArray[np.float64]


def context(place: int = 0, data_dir: Path | None = None) -> Context:
    folder = None if data_dir is None else str(data_dir)
    return Context(derive(0, STUDY, place), folder, torch.device("cpu"))


def settings_of(experiment: str, settings: Mapping[str, Any]) -> Any:
    return build_settings(MODULES[experiment].Settings, settings, experiment)


def result_of(experiment: str, settings: Mapping[str, Any], place: int = 0) -> Any:
    """The result of a real run."""
    return run_experiment(STUDY, experiment, context(place), settings)


def spied(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[tuple[Any, ...]]:
    """The arguments of each call of a module's function, which goes on to be called."""
    calls: list[tuple[Any, ...]] = []
    function = getattr(module, name)

    def remember(*arguments: Any, **keywords: Any) -> Any:
        calls.append(arguments)
        return function(*arguments, **keywords)

    monkeypatch.setattr(module, name, remember)
    return calls


def restored(weights: Mapping[str, NDArray[np.float32]], architecture: str) -> Network:
    """The network of digits that the weights of a result belong to."""
    settings = NetworkSettings(**NETWORKS[architecture])
    network = initial_network(context(), settings, (8, 8, 1), "torch")
    tensors = {name: torch.from_numpy(value) for name, value in weights.items()}
    set_weights(network, tensors, source="the result")
    return network.eval()


def digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Training and test inputs of the runs of digits, and their ten classes, jointly."""
    data = load(**DIGITS, seed=context().seed)
    return joined_inputs(data), joined_labels(data)


def joined_inputs(data: Dataset) -> NDArray[np.float32]:
    return np.concatenate([data.train.inputs, data.test.inputs])


def joined_labels(data: Dataset) -> NDArray[np.int64]:
    return np.concatenate([data.train.labels, data.test.labels])


def check(
    result: ExperimentResult,
    experiment: str,
    settings: Mapping[str, Any],
    folder: Path,
    plotted: bool = False,
) -> None:
    """The result can be kept, judged and plotted."""
    write_outcome(folder / "run.npz", result.to_outcome())
    outcome = read_outcome(folder / "run.npz")
    again = MODULES[experiment].Result.from_outcome(outcome)
    assert outcome.values == again.to_outcome().values == result.to_outcome().values
    assert again.curves.shape[-2:] == (settings["training"]["epochs"], len(COLUMNS))
    assert np.isfinite(again.curves).all()
    run = Run(0, settings_of(experiment, settings), again)
    for name, figure in plot_experiment(STUDY, experiment, [run]).items() if plotted else ():
        save(figure, folder / f"{name}.png")
        assert (folder / f"{name}.png").stat().st_size > 0
    for claim in evaluate_claims(STUDY, {experiment: [run]}):
        # One seed decides nothing; a network without a loss has none to explain.
        assert claim.verdict.word in {"undecided", "none seen"}


@pytest.mark.parametrize(
    ("architecture", "changes"),
    [
        ("mlp", {}),
        ("mlp", {"labelling": "extended"}),
        ("lenet", {}),
        ("lenet", {"training": {**SHORT["training"], "initialisation": "torch"}}),
        pytest.param("resnet18", {}, marks=pytest.mark.slow),
        ("lenet", {"training": {**SHORT["training"], "optimiser": "adam"}}),
        pytest.param(
            "lenet",
            {"landmarks": 20, "indices": [1, 3], "baseline": "halves"},
            marks=pytest.mark.slow,
        ),
        ("lenet", {"landmarks": 20, "labelling": "extended"}),
    ],
)
def test_eigenfunction_tasks(architecture: str, changes: dict[str, Any], tmp_path: Path) -> None:
    settings = {**EIGEN, "network": NETWORKS[architecture], **changes}
    result = result_of("eigenfunction_tasks", settings)
    check(
        result,
        "eigenfunction_tasks",
        settings,
        tmp_path,
        plotted=architecture == "resnet18" or "baseline" in changes,
    )
    assert result.curves.shape == (2, 2, 2, 4)
    assert result.eigenfunctions.shape == (50, 6)
    assert (np.diff(result.eigenvalues) <= 0).all()
    assert result.largest_residual < (0.2 if "landmarks" in changes else 1e-4)
    assert result.norms.shape == (2, 2, 3)
    assert (result.baseline_curves is not None) == ("baseline" in changes)
    assert result.profile_after.shape == (2, 6)
    for alignments in (result.alignment_before, result.alignment_after):
        assert ((alignments > 0) & (alignments <= 1)).all()


def test_the_saved_eigenfunctions_belong_to_the_saved_weights() -> None:
    result = result_of("eigenfunction_tasks", {**EIGEN, "network": NETWORKS["lenet"]})
    network, (inputs, _) = restored(result.weights, "lenet"), digits()
    functions = result.eigenfunctions
    kernel = empirical_ntk(network, inputs)
    residual = kernel @ functions - functions * result.eigenvalues
    assert np.abs(residual).max() < 1e-4 * result.eigenvalues[0]
    fractions = np.einsum("ik,ij,jk->k", functions, kernel, functions) / np.trace(kernel)
    np.testing.assert_allclose(result.profile_before, fractions, rtol=1e-3)


@pytest.mark.parametrize("labelling", ["joint", "extended"])
def test_both_models_learn_the_signs_of_the_saved_eigenfunctions(
    labelling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    linear = spied(monkeypatch, eigenfunction_tasks, "train_linearisation")
    network = spied(monkeypatch, eigenfunction_tasks, "train_network")
    settings = {**EIGEN, "network": NETWORKS["lenet"], "labelling": labelling}
    result = result_of("eigenfunction_tasks", settings)
    start, (inputs, _) = restored(result.weights, "lenet"), digits()
    kernel, functions = empirical_ntk(start, inputs), result.eigenfunctions
    if labelling == "extended":
        extended = kernel[30:, :30] @ functions[:30] / result.eigenvalues
        np.testing.assert_allclose(functions[30:], extended, atol=1e-3)
    for index, of_network, of_linear in zip(settings["indices"], network, linear, strict=True):
        expected = functions[:, index] > 0
        np.testing.assert_allclose(of_linear[1], kernel, rtol=1e-5)
        np.testing.assert_allclose(of_linear[2], scalar_outputs(start, inputs), rtol=1e-5)
        for data in (of_network[2], of_linear[3]):
            assert np.array_equal(data.train.labels, expected[:30])
            assert np.array_equal(data.test.labels, expected[30:])


def alignment(network: Network, data: Dataset, count: int) -> float:
    """y' K y / (y' y tr K) on the first inputs."""
    labels = 2 * joined_labels(data)[:count] - 1
    kernel = empirical_ntk(network.eval(), digits()[0][:count], double=True)
    return float(labels @ kernel @ labels / count / np.trace(kernel))


@pytest.mark.parametrize(
    ("experiment", "module", "changes", "count"),
    [
        ("eigenfunction_tasks", eigenfunction_tasks, {"indices": [1], "saved": 6}, 50),
        ("class_tasks", models_compared, {}, 30),  # on the training inputs alone
    ],
)
def test_the_alignments_are_those_before_and_after_training(
    experiment: str,
    module: Any,
    changes: dict[str, Any],
    count: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train: Callable[..., Floats] = module.train_network
    alignments: list[float] = []

    def learn(context: Context, network: Network, data: Dataset, *rest: Any) -> Floats:
        alignments.append(alignment(network, data, count))
        curve = train(context, network, data, *rest)
        alignments.append(alignment(network, data, count))
        return curve

    monkeypatch.setattr(module, "train_network", learn)
    result = result_of(
        experiment, {"dataset": DIGITS, "network": NETWORKS["lenet"], **SHORT, **changes}
    )
    before, after = alignments
    np.testing.assert_allclose(result.alignment_before, before, rtol=1e-4)
    np.testing.assert_allclose(result.alignment_after, after, rtol=1e-4)
    assert after != pytest.approx(before, rel=1e-2)


def test_the_published_mlp_has_two_hidden_layers_of_100_units() -> None:
    network = initial_network(context(), NetworkSettings("mlp"), (8, 8, 1), "lecun")
    shapes = [tuple(layer.weight.shape) for layer in network.modules() if type(layer) is nn.Linear]
    assert shapes == [(100, 64), (100, 100), (1, 100)]


@pytest.mark.parametrize(
    ("task", "labels"), [("halves", [0] * 5 + [1] * 5), ("parity", [0, 1] * 5)]
)
def test_the_classes_are_grouped_by_halves_and_by_parity(
    task: str, labels: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    linear = spied(monkeypatch, models_compared, "train_linearisation")
    network = spied(monkeypatch, models_compared, "train_network")
    result_of(
        "class_tasks", {"dataset": DIGITS, "task": task, "network": NETWORKS["lenet"], **SHORT}
    )
    ((_, _, data, *_),), ((_, _, outputs, same, *_),) = network, linear
    inputs, classes = digits()
    assert set(classes) == set(range(10))
    for learnt in (data, same):
        assert np.array_equal(joined_labels(learnt), np.array(labels)[classes])
        assert np.array_equal(joined_inputs(learnt), inputs)
    start = initial_network(context(), NetworkSettings("lenet"), (8, 8, 1), "lecun")
    np.testing.assert_allclose(outputs, scalar_outputs(start, inputs), rtol=1e-5)


@pytest.mark.parametrize("architecture", NETWORKS)
@pytest.mark.parametrize("task", class_tasks.GROUPS)
def test_class_tasks(architecture: str, task: str, tmp_path: Path) -> None:
    settings = {"dataset": DIGITS, "task": task, "network": NETWORKS[architecture], **SHORT}
    result = result_of("class_tasks", settings)
    plotted = (architecture, task) == ("mlp", "halves")
    check(result, "class_tasks", settings, tmp_path, plotted=plotted)
    assert result.curves.shape == (1, 2, 2, 4)


def official_files(folder: Path, name: str) -> None:
    """40 training and 30 test images of noise, in the format of the official files."""
    folder = folder / name
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, count in (("train", 40), ("t10k", 30)):
        labels = (np.arange(count) % 10).astype(np.uint8)[:, None]
        if name == "cifar10":
            images = rng.integers(0, 256, (count, 3 * 32 * 32), dtype=np.uint8)
            records = np.concatenate([labels, images], 1).tobytes()
            file = "data_batch_part.bin" if part == "train" else "test_batch_part.bin"
            (folder / file).write_bytes(records)
            continue
        images = rng.integers(0, 256, (count, 28 * 28), dtype=np.uint8)
        heads = struct.pack(">4I", 0x803, count, 28, 28), struct.pack(">2I", 0x801, count)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(heads[0] + images.tobytes())
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(heads[1] + labels.tobytes())


@pytest.mark.parametrize(
    ("name", "shape"),
    [("cifar10", (32, 32, 3)), ("mnist", (28, 28, 1)), ("fashion_mnist", (28, 28, 1))],
)
def test_the_papers_datasets(
    name: str, shape: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    official_files(tmp_path, name)
    network = spied(monkeypatch, models_compared, "train_network")
    settings = {"dataset": {"name": name, **SIZES}, "network": NETWORKS["lenet"], **SHORT}
    result = run_experiment(STUDY, "class_tasks", context(data_dir=tmp_path), settings)
    check(result, "class_tasks", settings, tmp_path)
    assert network[0][2].train.inputs.shape == (30, *shape)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"network": NETWORKS["mlp"]},
        {"network": NETWORKS["resnet18"]},
        {
            "averaging": {"sigma": 0.0, "inputs": 1},
            "training": {**SHORT["training"], "initialisation": "torch"},
        },
        {
            "network": {**NETWORKS["lenet"], "activation": "gelu"},
            "averaging": {"sigma": 0.0, "inputs": 1},
        },
        {
            "network": {**NETWORKS["mlp"], "activation": "gelu"},
            "averaging": {"sigma": 0.0, "inputs": 1},
        },
        {"count": 8, "memory_gib": 1e-3},
        {"input_shape": [4, 4, 3]},
    ],
    ids=str,
)
def test_directions(changes: dict[str, Any], tmp_path: Path) -> None:
    settings = {**DIRECTIONS, **changes}
    result = result_of("directions", settings)
    check(result, "directions", settings, tmp_path, plotted="input_shape" in changes)
    flat = result.directions.reshape(len(result.directions), -1)
    np.testing.assert_allclose(flat @ flat.T, np.eye(len(flat)), atol=1e-4)


def test_each_task_is_separable_along_the_direction_of_its_index(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = spied(monkeypatch, directions, "separable_along")
    linear = spied(monkeypatch, models_compared, "train_linearisation")
    network = spied(monkeypatch, models_compared, "train_network")
    result = result_of("directions", DIRECTIONS)
    start = initial_network(context(), NetworkSettings("lenet"), (4, 4, 1), "lecun")
    for index, points, of_network, of_linear in zip(
        DIRECTIONS["indices"], drawn, network, linear, strict=True
    ):
        direction = result.directions[index]
        np.testing.assert_allclose(points[0], direction, atol=1e-6)
        data = of_network[2]
        inputs, labels = joined_inputs(data), joined_labels(data)
        assert len(data.train.labels) == 20
        # Half of the distance epsilon = 1 on either side, along the direction alone.
        along = (inputs * direction).sum((1, 2, 3))
        np.testing.assert_allclose(along, labels - 0.5, atol=1e-5)
        assert np.array_equal(joined_labels(of_linear[3]), labels)
        np.testing.assert_allclose(
            of_linear[2], scalar_outputs(start, inputs), rtol=1e-4, atol=1e-6
        )


PRETRAINED: dict[str, Any] = {"dataset": DIGITS, "index": 3, **SHORT}


@pytest.mark.parametrize("architecture", NETWORKS)
def test_pretrained(architecture: str, tmp_path: Path) -> None:
    settings = {**PRETRAINED, "network": NETWORKS[architecture]}
    result = result_of("pretrained", settings)
    check(result, "pretrained", settings, tmp_path, plotted=architecture == "lenet")
    assert result.curves.shape == (4, 2, 4)
    assert result.trace_growth > 0


def test_only_the_scale_of_the_kernel_sets_the_last_two_learners_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The last one learns as from the trained network's kernel over the growth of its trace."""
    linear = spied(monkeypatch, pretrained, "train_linearisation")
    result = result_of("pretrained", {**PRETRAINED, "network": NETWORKS["lenet"]})
    initial, trained, rescaled = (call[1] for call in linear)
    assert np.array_equal(rescaled, trained)
    assert np.trace(trained) == pytest.approx(result.trace_growth * np.trace(initial), rel=1e-5)
    assert not np.allclose(trained, initial, rtol=1e-2)
    _, kernel, outputs, data, training, purpose = linear[-1]
    expected = train_linearisation(
        context(), kernel / np.float32(result.trace_growth), outputs, data, training, purpose,
        network=restored(result.trained_weights, "lenet"),
    )  # fmt: skip
    np.testing.assert_allclose(result.curves[3], expected, rtol=1e-4, atol=1e-5)
    assert not np.allclose(result.curves[3], result.curves[2], rtol=1e-3)


def test_the_linearisations_start_from_zero_with_the_initial_statistics(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    linear = spied(monkeypatch, pretrained, "train_linearisation")
    result = result_of("pretrained", {**PRETRAINED, "network": NETWORKS["resnet18"]})
    first = restored(result.weights, "resnet18")
    last = restored(result.trained_weights, "resnet18")
    inputs, _ = digits()
    for (_, kernel, outputs, data, *_), network in zip(linear, (first, last), strict=False):
        assert not outputs.any()
        np.testing.assert_allclose(kernel, empirical_ntk(network, inputs), rtol=1e-4)
        assert np.array_equal(joined_labels(data), result.eigenfunction > 0)
    assert result.eigenvalues.shape == (4,)
    kernel, function = linear[0][1], result.eigenfunction
    residual = kernel @ function - result.eigenvalues[3] * function
    assert np.abs(residual).max() < 1e-4 * result.eigenvalues[0]
    statistics = dict(last.named_buffers())
    assert any(name.endswith("running_mean") for name in statistics)
    for name, buffer in first.named_buffers():
        assert torch.equal(buffer, statistics[name]), name
    moved = dict(last.named_parameters())
    assert all(not torch.equal(value, moved[name]) for name, value in first.named_parameters())


def test_fewer_points_than_saved_are_all_decomposed() -> None:
    for labelling, count in (("joint", 50), ("extended", 30)):
        settings = {**EIGEN, "network": NETWORKS["lenet"], "saved": 200, "labelling": labelling}
        result = result_of("eigenfunction_tasks", settings)
        assert result.eigenfunctions.shape == (50, count)


def test_a_run_is_decided_by_its_seed() -> None:
    settings = {**EIGEN, "network": NETWORKS["mlp"]}
    one, same, other = (
        result_of("eigenfunction_tasks", settings, place).to_outcome() for place in (0, 0, 1)
    )
    for name, array in one.arrays.items():
        assert np.array_equal(array, same.arrays[name]), name
    assert not np.array_equal(one.arrays["curves"], other.arrays["curves"])


@pytest.mark.slow
def test_all_seeds_and_groups_are_plotted(tmp_path: Path) -> None:
    runs = []
    for width in (4, 8):
        settings = {**EIGEN, "network": {"architecture": "mlp", "width": width}}
        runs += [
            Run(
                seed,
                settings_of("eigenfunction_tasks", settings),
                result_of("eigenfunction_tasks", settings, seed),
            )
            for seed in range(3)
        ]
    for name, figure in plot_experiment(STUDY, "eigenfunction_tasks", runs).items():
        save(figure, tmp_path / f"{name}.png")
    claims = evaluate_claims(STUDY, {"eigenfunction_tasks": runs})
    assert len(claims) == 3
    for claim in claims:
        seeds = {name: len(own.values) for name, own in claim.estimates.items()}
        assert seeds == {"width 4": 3, "width 8": 3}


NONE = np.zeros(0)
NO_IMAGES = np.zeros((0, 2, 2, 1), np.float32)


def curves_of(linear: Sequence[float], network: Sequence[float]) -> Floats:
    """Curves of one epoch whose test accuracies on the tasks are given."""
    curves = np.zeros((len(linear), 2, 1, len(COLUMNS)))
    curves[:, 0, 0, -1], curves[:, 1, 0, -1] = network, linear
    return curves


Made = eigenfunction_tasks.Result


def made_up(linear: Sequence[float], network: Sequence[float], before: float, after: float) -> Made:
    """A result on eigenfunctions of given accuracies and alignments."""
    count = len(linear)
    return Made(
        spectral_gap=1.0,
        largest_residual=0.0,
        eigenvalues=NONE,
        eigenfunctions=NO_IMAGES,
        weights={},
        curves=curves_of(linear, network),
        majority=np.full(count, 0.55),
        alignment_before=np.full(count, before),
        alignment_after=np.full(count, after),
        profile_before=NONE,
        profile_after=NONE,
        parts_before=NONE,
        parts_after=NONE,
        profile_parts_before=NONE,
        profile_parts_after=NONE,
        norms=NONE,
    )


def made_up_runs(
    results: Sequence[Made], architecture: str = "mlp", indices: Sequence[int] = (1, 2, 3)
) -> list[AnyRun]:
    settings = eigenfunction_tasks.Settings(
        DIGITS, NetworkSettings(**{**NETWORKS[architecture], "width": None}), indices
    )
    return [Run(seed, settings, result) for seed, result in enumerate(results)]


SHIFTS = (0, 0.01, 0.02) * 3

AGREES, DISAGREES, UNDECIDED, NO_DIFFERENCE = (
    # Both fall together, the linearisation is better, and the alignment rises.
    [made_up([0.9, 0.8, 0.7], [0.8 + e, 0.7, 0.5], 0.1, 0.2 + e) for e in SHIFTS],
    # They fall the other way about, the network is better, and the alignment falls.
    [made_up([0.5, 0.6, 0.7], [0.9, 0.8 + e, 0.75], 0.3, 0.2 + e) for e in SHIFTS],
    # Seeds disagree.
    [made_up([0.5, 0.6 + e, 0.7], [0.55, 0.6, 0.6 + e / 2], 0.3, 0.3 + e)
     for e in (-0.2, 0.1, 0.25) * 3],
    # No difference at all says nothing about its sign.
    [made_up([0.5, 0.6, 0.7], [0.5, 0.6, 0.7], 0.3, 0.3) for _ in range(9)],
)  # fmt: skip


@pytest.mark.parametrize(
    ("results", "verdicts"),
    [
        (AGREES, ["agrees"] * 3),
        (DISAGREES, ["disagrees"] * 3),
        (UNDECIDED, ["undecided"] * 3),
        (NO_DIFFERENCE, ["agrees", "none seen", "none seen"]),
    ],
)
def test_verdicts_follow_from_the_intervals(results: list[Made], verdicts: list[str]) -> None:
    runs = made_up_runs(results)
    claims = evaluate_claims(STUDY, {"eigenfunction_tasks": runs})
    assert [claim.verdict.word for claim in claims] == verdicts
    assert "over the indices 1, 2, 3." in claims[0].measured
    others = evaluate_claims(STUDY, {"eigenfunction_tasks_mnist": runs})
    assert [claim.title for claim in others] == [f"{claim.title} (mnist)" for claim in claims]


@pytest.mark.parametrize(
    ("mlp", "lenet", "verdict"),
    [
        (AGREES, AGREES, "agrees"),
        (AGREES, UNDECIDED, "undecided"),
        (AGREES, DISAGREES, "mixed"),
        (UNDECIDED, UNDECIDED, "undecided"),
        (UNDECIDED, DISAGREES, "undecided"),
        (DISAGREES, DISAGREES, "disagrees"),
    ],
)
def test_groups_decide_together(mlp: list[Made], lenet: list[Made], verdict: str) -> None:
    runs = [*made_up_runs(mlp, "mlp"), *made_up_runs(lenet, "lenet")]
    for ordered in (runs, runs[::-1]):
        for claim in evaluate_claims(STUDY, {"eigenfunction_tasks": ordered}):
            assert claim.verdict.word == verdict
            assert set(claim.estimates) == {"MLP", "LeNet"}


def test_a_network_at_chance_is_named_with_its_indices() -> None:
    chance, learnt = [0.9, 0.56, 0.55], [0.9, 0.8, 0.7]
    shifts = (-0.03, 0.0, 0.03) * 2
    good = made_up_runs(
        [made_up(learnt, [a + shift / 100 for a in learnt], 0.1, 0.2) for shift in shifts],
        "mlp",
        [1, 20, 100],
    )
    bad = made_up_runs(
        [made_up(learnt, [a + shift for a in chance], 0.1, 0.2) for shift in shifts],
        "lenet",
        [1, 20, 100],
    )
    rank, *_ = evaluate_claims(STUDY, {"eigenfunction_tasks": [*good, *bad]})
    assert "above the fraction of the larger class: 20, 100 for LeNet." in rank.measured
    (rank, *_) = evaluate_claims(STUDY, {"eigenfunction_tasks": good})
    assert "larger class" not in rank.measured


@pytest.mark.parametrize("network_leads", [True, False])
@pytest.mark.parametrize("kernel_turns", [True, False])
def test_the_claims_about_classes(network_leads: bool, kernel_turns: bool) -> None:
    settings = class_tasks.Settings(DIGITS, NetworkSettings("mlp"))
    runs = []
    for seed in range(3):
        ahead, behind = 0.9 + seed / 1000, 0.8
        curves = curves_of([behind], [ahead]) if network_leads else curves_of([ahead], [behind])
        before, after = (0.1, 0.3 + seed / 1000) if kernel_turns else (0.3, 0.1 + seed / 1000)
        runs.append(
            Run(seed, settings, class_tasks.Result(before, after, 0.5, curves, 0.1, 0.1, NONE))
        )
    lead, growth = evaluate_claims(STUDY, {"class_tasks": runs})
    words = {True: "agrees", False: "disagrees"}
    assert lead.verdict.word == words[network_leads]
    assert growth.verdict.word == words[kernel_turns]
    signed = np.array([0.1, 0.101, 0.102]) * (1 if network_leads else -1)
    np.testing.assert_allclose(lead.estimates["MLP"].values, signed)
    expected = (
        np.log([3, 3.01, 3.02]) if kernel_turns else np.log([0.1 / 0.3, 0.101 / 0.3, 0.102 / 0.3])
    )
    np.testing.assert_allclose(growth.estimates["MLP"].values, expected)


@pytest.mark.parametrize(
    ("network", "linear", "verdicts"),
    [
        ([0.9, 0.8, 0.7], [0.8, 0.7, 0.6], ["agrees", "agrees", "agrees"]),
        ([0.7, 0.8, 0.9], [0.6, 0.7, 0.8], ["disagrees", "disagrees", "agrees"]),
        ([0.9, 0.8, 0.7], [0.6, 0.7, 0.8], ["agrees", "disagrees", "disagrees"]),
        ([0.7, 0.8, 0.9], [0.8, 0.7, 0.6], ["disagrees", "agrees", "disagrees"]),
    ],
)
def test_the_claims_about_directions(
    network: list[float], linear: list[float], verdicts: list[str]
) -> None:
    settings = settings_of("directions", {**DIRECTIONS, "indices": [0, 5, 63]})
    result = directions.Result(NONE, NO_IMAGES, {}, curves_of(linear, network), NONE)
    claims = evaluate_claims(
        STUDY, {"directions": [Run(seed, settings, result) for seed in range(7)]}
    )
    assert [claim.verdict.word for claim in claims] == verdicts
    assert list(claims[0].estimates) == ["LeNet"]


def test_the_claims_about_the_trained_kernel_tell_its_scale_from_its_shape() -> None:
    settings = pretrained.Settings(DIGITS, NetworkSettings("mlp"))
    runs = []
    for seed in range(3):
        curves = np.zeros((4, 2, len(COLUMNS)))
        curves[:, :, 0] = np.array([1.0, 0.9, 0.2 + seed / 50, 0.8 + seed / 500])[:, None]
        curves[:, -1, -1] = [1.0, 0.7, 0.6 + seed / 500, 0.75 + seed / 1000]
        growth = 10.0 ** (1 + seed / 2)
        result = pretrained.Result(0.0, 0.0, growth, curves, NONE, NO_IMAGES, {}, {}, NONE)
        runs.append(Run(seed, settings, result))
    claims = evaluate_claims(STUDY, {"pretrained": runs})
    words = [claim.verdict.word for claim in claims]
    assert words[:4] == ["agrees", "agrees", "agrees", "disagrees"]
    assert "divided by 31.6 for MLP" in claims[1].measured
    np.testing.assert_allclose(claims[1].estimates["MLP"].values, [0.1, 0.098, 0.096])


LENET = {"network": NETWORKS["lenet"]}


@pytest.mark.parametrize(
    ("experiment", "settings", "sentence"),
    [
        ("eigenfunction_tasks", {**EIGEN, **LENET, "indices": [1, 50]},
         "51 eigenfunctions of a kernel on 50 points"),
        ("eigenfunction_tasks", {**EIGEN, **LENET, "indices": [1, -1]},
         "index -1 is asked for, but 6 were computed"),
        ("eigenfunction_tasks", {**EIGEN, **LENET, "labelling": "all"},
         "'labelling' of the experiment .* is 'all': give joint or extended"),
        ("eigenfunction_tasks", {**EIGEN, "network": {"architecture": "vgg"}},
         r"'network\.architecture' .* is 'vgg': give mlp or lenet or resnet18"),
        ("eigenfunction_tasks",
         {**EIGEN, "network": {"architecture": "mlp", "width": 4, "features": [4]}},
         r"'network\.features' is \[4\]: give it to mlp alone"),
        ("eigenfunction_tasks", {**EIGEN, **LENET, "reuse": "nowhere"},
         "names nowhere, which has no eigenfunctions-[0-9a-f]{16}.safetensors"),
        ("training_sizes", {"dataset": DIGITS, **LENET, "sizes": [10, 40]},
         "'sizes' is .10, 40.: give ascending numbers from 1 to the 30"),
        ("eigenfunction_tasks", {**EIGEN, "network": {"architecture": "lenet", "width": 3}},
         r"'network\.width' is 3, but lenet has no width"),
        ("eigenfunction_tasks", {**EIGEN, **LENET, "memory_gib": 1e-6},
         "needs a memory_budget of at least"),
        ("eigenfunction_tasks", {**EIGEN, **LENET, "dataset": {"name": "digits", "trian_size": 3}},
         "'dataset' has an unknown key 'trian_size'"),
        ("eigenfunction_tasks", {**EIGEN, **LENET, "training": {"epoch": 2}},
         r"has no setting 'training\.epoch': choose among epochs, learning_rate"),
        ("class_tasks", {"dataset": DIGITS, "task": "primes", **LENET},
         "'task' of the experiment .* is 'primes': give halves or parity"),
        ("directions", {**DIRECTIONS, "indices": [0, 16]},
         "indices name the direction 16, but 16 were computed"),
        ("directions", {**DIRECTIONS, "indices": [0, -1]},
         "indices name the direction -1, but 16 were computed"),
        ("directions", {**DIRECTIONS, "averaging": {"sigma": 0.0, "inputs": 3}},
         "vanishes for sigma=0.0"),
        ("pretrained", {"dataset": DIGITS, **LENET, "index": 50},
         "51 eigenfunctions of a kernel on 50 points"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(
    experiment: str, settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(GengapError, match=sentence):
        run_experiment(STUDY, experiment, context(), settings)


@pytest.mark.parametrize("setting", ["small", "medium", "paper"])
def test_the_config_names_settings_that_there_are(setting: str, root: Path) -> None:
    config = yaml.safe_load((root / "studies" / f"{STUDY}.yaml").read_text())
    for experiment in config[setting]["experiments"]:
        for point in grid_points(experiment.get("grid", {})):
            del point["replicate"]
            module = experiment.get("experiment", experiment["name"])
            settings_of(module, {**experiment.get("settings", {}), **point})


def saving(folder: Path, *kinds: str) -> Context:
    return replace(context(), files=ResultFiles(folder, kinds))


def test_further_indices_are_learnt_from_files_without_decomposing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**EIGEN, "network": NETWORKS["lenet"]}
    files = saving(tmp_path / "runs" / "0", "kernels", "eigenfunctions")
    run_experiment(STUDY, "eigenfunction_tasks", files, settings)
    (path,) = (tmp_path / "runs" / "0").glob("eigenfunctions-*.safetensors")
    assert read_eigenfunctions(path)[0].functions.shape == (50, 6)
    further = {**settings, "indices": [2, 5]}
    expected = result_of("eigenfunction_tasks", further)
    monkeypatch.setattr(eigenfunction_tasks, "leading_eigenfunctions", None)
    read = result_of("eigenfunction_tasks", {**further, "reuse": str(tmp_path)})
    for name, array in expected.to_outcome().arrays.items():
        assert np.array_equal(array, read.to_outcome().arrays[name]), name
    with pytest.raises(GengapError, match="index 7 is asked for, but 6 were computed"):
        result_of("eigenfunction_tasks", {**settings, "indices": [7], "reuse": str(tmp_path)})
    with pytest.raises(GengapError, match="the file of this network, seed and dataset"):
        result_of("eigenfunction_tasks", {**further, "reuse": str(tmp_path)}, place=1)


def test_an_eigenfunction_of_a_file_is_learnt_by_a_pretrained_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**PRETRAINED, "network": NETWORKS["mlp"]}
    expected = result_of("pretrained", settings)
    files = saving(tmp_path, "kernels", "eigenfunctions")
    run_experiment(STUDY, "eigenfunction_tasks", files, {**EIGEN, "network": NETWORKS["mlp"]})
    monkeypatch.setattr(pretrained, "leading_eigenfunctions", None)
    read = result_of("pretrained", {**settings, "reuse": str(tmp_path)})
    np.testing.assert_allclose(read.curves, expected.curves, rtol=1e-6)


def test_further_directions_are_learnt_from_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_experiment(STUDY, "directions", saving(tmp_path, "directions"), DIRECTIONS)
    further = {**DIRECTIONS, "indices": [1, 12]}
    expected = result_of("directions", further)
    monkeypatch.setattr(directions, "anisotropy_directions", None)
    read = result_of("directions", {**further, "reuse": str(tmp_path)})
    np.testing.assert_allclose(read.curves, expected.curves, rtol=1e-6)


def test_norms_are_those_of_the_trained_network() -> None:
    """Against torch's own gradient of the mean loss, and the weights of the result."""
    settings = {**PRETRAINED, "network": NETWORKS["mlp"]}
    result = result_of("pretrained", settings)
    first = {name: value.astype(float) for name, value in result.weights.items()}
    last = {name: value.astype(float) for name, value in result.trained_weights.items()}
    weight_norm, distance, gradient_norm = result.norms[-1]
    assert weight_norm == pytest.approx(sum((v**2).sum() for v in last.values()) ** 0.5, rel=1e-5)
    way = sum(((last[name] - first[name]) ** 2).sum() for name in first) ** 0.5
    assert distance == pytest.approx(way, rel=1e-4)
    network, (inputs, _) = restored(result.trained_weights, "mlp"), digits()
    targets = torch.from_numpy((result.eigenfunction > 0)[:30].astype(np.float32))
    outputs = network(torch.from_numpy(inputs[:30]))[:, 0]
    torch.autograd.backward(nn.functional.binary_cross_entropy_with_logits(outputs, targets))
    squares = sum(float((p.grad**2).sum()) for p in network.parameters() if p.grad is not None)
    assert gradient_norm == pytest.approx(squares**0.5, rel=1e-4)


def test_alignments_within_training_and_test_inputs() -> None:
    result = result_of("eigenfunction_tasks", {**EIGEN, "network": NETWORKS["lenet"]})
    kernel = empirical_ntk(restored(result.weights, "lenet"), digits()[0], double=True)
    for task, index in enumerate(EIGEN["indices"]):
        target = np.where(result.eigenfunctions[:, index] > 0, 1.0, -1.0)
        for part, rows in enumerate((slice(30), slice(30, None))):
            block, y = kernel[rows, rows], target[rows]
            expected = y @ block @ y / len(y) / np.trace(block)
            assert result.parts_before[task, part] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("activation", ["gelu", "sigmoid", "tanh", "softplus"])
@pytest.mark.parametrize("schedule", ["linear", "cyclic", "fixed"])
def test_activations_and_schedules_are_settings(activation: str, schedule: str) -> None:
    settings = {
        "dataset": DIGITS,
        "network": {"architecture": "mlp", "features": [7, 5, 3], "activation": activation},
        "training": {"epochs": 2, "batch_size": 10, "schedule": schedule, "momentum": 0.5},
    }
    result = result_of("class_tasks", settings)
    assert np.isfinite(result.curves).all()
    network = initial_network(
        context(), settings_of("class_tasks", settings).network, (8, 8, 1), "lecun"
    )
    shapes = [layer.out_features for layer in network.modules() if type(layer) is nn.Linear]
    assert shapes == [7, 5, 3, 1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "changes"),
    [("resnet18", {"activation": "gelu"}), ("resnet34", {}), ("resnet50", {"activation": "gelu"})],
)
def test_residual_networks_of_other_depths_and_activations(
    architecture: str, changes: dict[str, Any]
) -> None:
    settings = {
        "dataset": {**DIGITS, "train_size": 10, "test_size": 6},
        "network": {"architecture": architecture, "width": 1, **changes},
        "training": {"epochs": 1, "batch_size": 5},
    }
    assert np.isfinite(result_of("class_tasks", settings).curves).all()


def test_both_models_learn_from_growing_training_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt = spied(monkeypatch, models_compared, "train_network")
    settings = {"dataset": DIGITS, **LENET, "sizes": [10, 30], **SHORT}
    result = result_of("training_sizes", settings)
    check(result, "training_sizes", settings, tmp_path, plotted=True)
    small, large = (call[2] for call in learnt)
    assert (len(small.train.labels), len(large.train.labels)) == (10, 30)
    assert np.array_equal(large.train.inputs[:10], small.train.inputs)
    assert np.array_equal(large.test.inputs, small.test.inputs)


def test_the_lead_by_training_size_is_judged() -> None:
    settings = settings_of("training_sizes", {"dataset": DIGITS, **LENET, "sizes": [10, 30]})
    runs = [
        Run(seed, settings, training_sizes.Result(curves_of([0.6, 0.7], [0.6, 0.8 + seed / 1000])))
        for seed in range(3)
    ]
    (claim,) = evaluate_claims(STUDY, {"training_sizes": runs})
    assert claim.verdict.word == "agrees"
    np.testing.assert_allclose(claim.estimates["LeNet"].values, [0.1, 0.101, 0.102])


def test_datasets_are_named_in_titles() -> None:
    def group(*datasets: dict[str, Any]) -> list[str]:
        runs = [
            Run(0, class_tasks.Settings(dataset, NetworkSettings("mlp")), AGREES[0])
            for dataset in datasets
        ]
        return list(grouped(runs))

    assert group(DIGITS, {**DIGITS, "name": "mnist"}) == ["digits", "mnist"]
    sizes = group(DIGITS, {**DIGITS, "train_size": 40})
    assert sizes == ["digits, train_size 30", "digits, train_size 40"]


def test_groups_are_named_by_what_tells_them_apart() -> None:
    lenet, narrow, wide = (
        NetworkSettings("lenet"),
        NetworkSettings("resnet18", 4),
        NetworkSettings("resnet18", 8),
    )

    def group(*networks: NetworkSettings) -> list[str]:
        runs = [Run(0, class_tasks.Settings(DIGITS, each), AGREES[0]) for each in networks]
        return list(grouped(runs))

    assert group(lenet, lenet) == ["LeNet"]
    assert group(lenet, narrow) == ["LeNet", "ResNet-18"]
    assert group(narrow, wide) == ["width 4", "width 8"]
    names = ["LeNet, default width", "ResNet-18, width 4", "ResNet-18, width 8"]
    assert group(lenet, narrow, wide) == names


KILLED: dict[str, tuple[dict[str, Any], str, int]] = {
    "eigenfunction_tasks": ({**EIGEN, "baseline": "halves"}, "train_network", 2),
    "pretrained": (PRETRAINED, "train_linearisation", 2),
    "class_tasks": ({"dataset": DIGITS, **SHORT}, "normalised_alignment", 3),
    "training_sizes": ({"dataset": DIGITS, "sizes": [10, 20, 30], **SHORT}, "both_trained", 2),
    "directions": (DIRECTIONS, "both_trained", 2),
}


@pytest.mark.slow
@pytest.mark.parametrize("experiment", KILLED)
def test_a_killed_run_goes_on_to_the_same_bytes(
    experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the middle; what was finished before is not computed again."""
    settings, function, last = KILLED[experiment]
    settings = {**settings, "network": NETWORKS["lenet"]}
    # The eigenfunctions of few points, too, are found by products.
    monkeypatch.setattr(import_module("gengap.tangent.eigenfunctions"), "MOST_EXACT", 10)
    expected = result_of(experiment, settings).to_outcome()
    module, calls = MODULES[experiment], [0]
    original = getattr(module, function)

    def killed(*arguments: Any, **keywords: Any) -> Any:
        calls[0] += 1
        if calls[0] == last:
            raise KeyboardInterrupt
        return original(*arguments, **keywords)

    monkeypatch.setattr(module, function, killed)
    kept = replace(context(), resume_from=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run_experiment(STUDY, experiment, kept, settings)
    assert any(tmp_path.iterdir())
    before, calls[0] = calls[0], last
    found = run_experiment(STUDY, experiment, kept, settings).to_outcome()
    if experiment != "class_tasks":
        monkeypatch.setattr(module, function, original)
        total = spied(monkeypatch, module, function)
        result_of(experiment, settings)
        # The call in which the run was killed is the only one that was made twice.
        assert calls[0] - last + before == len(total) + 1
    assert found.values == expected.values
    assert found.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        assert np.array_equal(found.arrays[name], array), name


@pytest.mark.parametrize("part", ["kernel", "eigenfunctions"])
def test_a_run_that_is_killed_in_its_kernel_or_its_decomposition_goes_on(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**EIGEN, "network": NETWORKS["mlp"]}
    monkeypatch.setattr(import_module("gengap.tangent.eigenfunctions"), "MOST_EXACT", 10)
    monkeypatch.setattr("gengap.tangent.kernel.LARGEST_TILE", 4)
    monkeypatch.setattr("gengap.tangent.kernel.STRIP", 2)
    expected = result_of("eigenfunction_tasks", settings).to_outcome()
    kind, method, last = {
        "kernel": (KernelFile, "finish", 3),
        "eigenfunctions": (krylov._Basis, "expand", 4),
    }[part]
    original, calls = getattr(kind, method), [0]

    def killed(*arguments: Any, **keywords: Any) -> Any:
        calls[0] += 1
        if calls[0] == last:
            raise KeyboardInterrupt
        return original(*arguments, **keywords)

    monkeypatch.setattr(kind, method, killed)
    kept = replace(context(), resume_from=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run_experiment(STUDY, "eigenfunction_tasks", kept, settings)
    assert list(tmp_path.rglob("*.npy"))
    found = run_experiment(STUDY, "eigenfunction_tasks", kept, settings).to_outcome()
    assert found.values == expected.values
    for name, array in expected.arrays.items():
        assert np.array_equal(found.arrays[name], array), name
