"""The experiments on every architecture and dataset that the study names, much reduced."""

from __future__ import annotations

import inspect
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from gengap.datasets import Split, load
from gengap.errors import GengapError
from gengap.figures import save
from gengap.networks import Network, set_weights
from gengap.seeding import derive
from gengap.studies import (
    Context,
    Outcome,
    Run,
    draw,
    evaluate_claims,
    read_outcome,
    run_experiment,
    write_outcome,
)
from gengap.studies.ortizjimenez2021 import classtasks, directions, eigentasks, pretrained
from gengap.studies.ortizjimenez2021.arms import COLUMNS, initial_network, train_linear
from gengap.studies.ortizjimenez2021.panels import spearman
from gengap.tangent import empirical_ntk, scalar_outputs

STUDY = "ortizjimenez2021"
MODULES = {
    "eigentasks": eigentasks,
    "classtasks": classtasks,
    "directions": directions,
    "pretrained": pretrained,
}
SIZES = {"train_size": 30, "test_size": 20, "transforms": [{"name": "normalise"}]}
DIGITS = {"name": "digits", **SIZES}
SHORT = {"epochs": 2, "batch_size": 10}
EIGEN = {"dataset": DIGITS, "indices": [1, 4], "saved": 6, **SHORT}
DIRECTIONS = {
    "input_shape": [4, 4, 1],
    "indices": [0, 7],
    "batch_sigma": 1.0,
    "batch": 3,
    "train_size": 20,
    "test_size": 10,
    **SHORT,
}
WIDTHS = {"mlp": 8, "lenet": None, "resnet18": 2}


def context(place: int = 0, data_dir: Path | None = None) -> Context:
    folder = None if data_dir is None else str(data_dir)
    return Context(derive(0, STUDY, place), folder, torch.device("cpu"))


def runs(experiment: str, seeds: int = 2, **settings: Any) -> list[Run]:
    return [
        Run(seed, settings, run_experiment(STUDY, experiment, context(seed), settings))
        for seed in range(seeds)
    ]


def spied(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[tuple[Any, ...]]:
    """The arguments of each call of a module's function, which goes on to be called."""
    calls: list[tuple[Any, ...]] = []
    function = getattr(module, name)

    def remember(*arguments: Any, **keywords: Any) -> Any:
        calls.append(arguments)
        return function(*arguments, **keywords)

    monkeypatch.setattr(module, name, remember)
    return calls


def restored(outcome: Outcome, architecture: str, prefix: str = "weights.") -> Network:
    """The network of digits that the weights of an outcome belong to."""
    network = initial_network(context(), architecture, WIDTHS[architecture], (8, 8, 1), "torch")
    weights = {
        name.removeprefix(prefix): torch.from_numpy(value)
        for name, value in outcome.arrays.items()
        if name.startswith(prefix)
    }
    set_weights(network, weights, source="the outcome")
    return network.eval()


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Training and test inputs of the runs of digits, and their ten classes, jointly."""
    data = load(**DIGITS, seed=context().seed)
    return (
        np.concatenate([data.train.inputs, data.test.inputs]),
        np.concatenate([data.train.labels, data.test.labels]),
    )


def check(
    outcome: Outcome,
    experiment: str,
    settings: Mapping[str, Any],
    folder: Path,
    drawn: bool = False,
) -> None:
    """The outcome can be kept, judged and drawn."""
    write_outcome(folder / "run.npz", outcome)
    again = read_outcome(folder / "run.npz")
    assert again.values == dict(outcome.values)
    curves = again.arrays["curves"]
    assert curves.shape[-2:] == (settings["epochs"], len(COLUMNS))
    assert np.isfinite(curves).all()
    run = Run(0, settings, again)
    for name, figure in draw(STUDY, experiment, [run]).items() if drawn else ():
        save(figure, folder / f"{name}.png")
        assert (folder / f"{name}.png").stat().st_size > 0
    for claim in evaluate_claims(STUDY, {experiment: [run]}):
        assert claim.holds is None  # one seed decides nothing


@pytest.mark.parametrize(
    ("architecture", "changes"),
    [
        ("mlp", {}),
        ("mlp", {"labelling": "extended"}),
        ("lenet", {}),
        ("lenet", {"initialisation": "torch"}),
        ("resnet18", {}),
    ],
)
def test_eigentasks(architecture: str, changes: dict[str, Any], tmp_path: Path) -> None:
    settings = {
        **EIGEN, "architecture": architecture, "width": WIDTHS[architecture], **changes,
    }  # fmt: skip
    outcome = run_experiment(STUDY, "eigentasks", context(), settings)
    check(outcome, "eigentasks", settings, tmp_path, drawn=settings["architecture"] == "resnet18")
    arrays = outcome.arrays
    assert arrays["curves"].shape == (2, 2, 2, 4)
    assert arrays["eigenfunctions"].shape == (50, 6)
    assert (np.diff(arrays["eigenvalues"]) <= 0).all()
    assert outcome.values["largest_residual"] < 1e-4
    np.testing.assert_allclose(arrays["profile_after"].shape, (2, 6))
    for key in ("alignment_before", "alignment_after"):
        assert ((arrays[key] > 0) & (arrays[key] <= 1)).all()


def test_the_saved_eigenfunctions_belong_to_the_saved_weights() -> None:
    outcome = run_experiment(STUDY, "eigentasks", context(), {**EIGEN, "architecture": "lenet"})
    network, (inputs, _) = restored(outcome, "lenet"), digits()
    functions = outcome.arrays["eigenfunctions"]
    kernel = empirical_ntk(network, inputs)
    residual = kernel @ functions - functions * outcome.arrays["eigenvalues"]
    assert np.abs(residual).max() < 1e-4 * outcome.arrays["eigenvalues"][0]
    shares = np.einsum("ik,ij,jk->k", functions, kernel, functions) / np.trace(kernel)
    np.testing.assert_allclose(outcome.arrays["profile_before"], shares, rtol=1e-3)


@pytest.mark.parametrize("labelling", ["joint", "extended"])
def test_both_arms_learn_the_signs_of_the_saved_eigenfunctions(
    labelling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    linear = spied(monkeypatch, eigentasks, "train_linear")
    network = spied(monkeypatch, eigentasks, "train_network")
    settings = {**EIGEN, "architecture": "lenet", "labelling": labelling}
    outcome = run_experiment(STUDY, "eigentasks", context(), settings)
    start, (inputs, _) = restored(outcome, "lenet"), digits()
    kernel, functions = empirical_ntk(start, inputs), outcome.arrays["eigenfunctions"]
    if labelling == "extended":
        extended = kernel[30:, :30] @ functions[:30] / outcome.arrays["eigenvalues"]
        np.testing.assert_allclose(functions[30:], extended, atol=1e-3)
    for index, mine, other in zip(settings["indices"], network, linear, strict=True):
        expected = functions[:, index] > 0
        np.testing.assert_allclose(other[0], kernel, rtol=1e-5)
        np.testing.assert_allclose(other[1], scalar_outputs(start, inputs), rtol=1e-5)
        for train_labels, test_labels in ((mine[1].labels, mine[2].labels), other[2:4]):
            assert np.array_equal(train_labels, expected[:30])
            assert np.array_equal(test_labels, expected[30:])


def test_the_alignments_are_those_before_and_after_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inputs, _ = digits()
    for module, experiment in ((eigentasks, "eigentasks"), (classtasks, "classtasks")):
        after: list[float] = []

        def learn(
            *arguments: Any, train: Any = module.train_network, after: list[float] = after
        ) -> Any:
            network, data, held = arguments[:3]
            before = share(network, data, held)
            curve = train(*arguments)
            after += [before, share(network, data, held)]
            return curve

        def share(network: Network, data: Split, held: Split, module: Any = module) -> float:
            """y' K y / (y' y tr K), on the training inputs alone for groups of classes."""
            known = 30 if module is classtasks else 50
            labels = np.concatenate([data.labels, held.labels])[:known]
            kernel = empirical_ntk(network.eval(), inputs[:known], double=True)
            return float((2 * labels - 1) @ kernel @ (2 * labels - 1) / known / np.trace(kernel))

        monkeypatch.setattr(module, "train_network", learn)
        settings = {"dataset": DIGITS, "architecture": "lenet", **SHORT}
        if module is eigentasks:
            settings |= {"indices": [1], "saved": 6}
        outcome = run_experiment(STUDY, experiment, context(), settings)
        found = {**outcome.values, **outcome.arrays}
        np.testing.assert_allclose(found["alignment_before"], after[0], rtol=1e-4)
        np.testing.assert_allclose(found["alignment_after"], after[1], rtol=1e-4)
        assert after[1] != pytest.approx(after[0], rel=1e-2)


def test_the_published_mlp_has_two_hidden_layers_of_100_units() -> None:
    network = initial_network(context(), "mlp", None, (8, 8, 1), "lecun")
    shapes = [tuple(layer.weight.shape) for layer in network.modules() if type(layer) is nn.Linear]
    assert shapes == [(100, 64), (100, 100), (1, 100)]


@pytest.mark.parametrize(
    ("task", "labels"), [("halves", [0] * 5 + [1] * 5), ("parity", [0, 1] * 5)]
)
def test_the_classes_are_grouped_by_halves_and_by_parity(
    task: str, labels: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    linear = spied(monkeypatch, classtasks, "train_linear")
    network = spied(monkeypatch, classtasks, "train_network")
    settings = {"dataset": DIGITS, "task": task, "architecture": "lenet", **SHORT}
    run_experiment(STUDY, "classtasks", context(), settings)
    (mine,), ((_, outputs, *theirs, _),) = network, linear
    inputs, classes = digits()
    assert set(classes) == set(range(10))
    for found in (theirs, [mine[1].labels, mine[2].labels]):
        assert np.array_equal(np.concatenate(found), np.array(labels)[classes])
    assert np.array_equal(np.concatenate([mine[1].inputs, mine[2].inputs]), inputs)
    start = initial_network(context(), "lenet", None, (8, 8, 1), "lecun")
    np.testing.assert_allclose(outputs, scalar_outputs(start, inputs), rtol=1e-5)


@pytest.mark.parametrize("architecture", WIDTHS)
@pytest.mark.parametrize("task", classtasks.GROUPS)
def test_classtasks(architecture: str, task: str, tmp_path: Path) -> None:
    settings = {
        "dataset": DIGITS, "task": task, "architecture": architecture,
        "width": WIDTHS[architecture], **SHORT,
    }  # fmt: skip
    outcome = run_experiment(STUDY, "classtasks", context(), settings)
    check(
        outcome, "classtasks", settings, tmp_path, drawn=(architecture, task) == ("mlp", "halves")
    )
    assert outcome.arrays["curves"].shape == (1, 2, 2, 4)


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
    network = spied(monkeypatch, classtasks, "train_network")
    settings = {"dataset": {"name": name, **SIZES}, "architecture": "lenet", **SHORT}
    outcome = run_experiment(STUDY, "classtasks", context(data_dir=tmp_path), settings)
    check(outcome, "classtasks", settings, tmp_path)
    assert network[0][1].inputs.shape == (30, *shape)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"architecture": "mlp", "width": 8},
        {"architecture": "resnet18", "width": 2},
        {"batch_sigma": 0.0, "batch": 1, "initialisation": "torch"},
        {"count": 8, "memory_gib": 1e-3},
        {"input_shape": [4, 4, 3]},
    ],
    ids=str,
)
def test_directions(changes: dict[str, Any], tmp_path: Path) -> None:
    settings = {**DIRECTIONS, **changes}
    outcome = run_experiment(STUDY, "directions", context(), settings)
    check(outcome, "directions", settings, tmp_path, drawn="input_shape" in changes)
    found = outcome.arrays["directions"].reshape(len(outcome.arrays["directions"]), -1)
    np.testing.assert_allclose(found @ found.T, np.eye(len(found)), atol=1e-4)


def test_each_task_is_separable_along_the_direction_of_its_index(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = spied(monkeypatch, directions, "separable_along")
    linear = spied(monkeypatch, directions, "train_linear")
    network = spied(monkeypatch, directions, "train_network")
    outcome = run_experiment(STUDY, "directions", context(), DIRECTIONS)
    start = initial_network(context(), "lenet", None, (4, 4, 1), "lecun")
    for index, points, mine, other in zip(
        DIRECTIONS["indices"], drawn, network, linear, strict=True
    ):
        direction = outcome.arrays["directions"][index]
        np.testing.assert_allclose(points[0], direction, atol=1e-6)
        inputs = np.concatenate([mine[1].inputs, mine[2].inputs])
        labels = np.concatenate([mine[1].labels, mine[2].labels])
        # Half of the distance epsilon = 1 on either side, along the direction alone.
        along = (inputs * direction).sum((1, 2, 3))
        np.testing.assert_allclose(along, labels - 0.5, atol=1e-5)
        assert np.array_equal(np.concatenate(other[2:4]), labels)
        np.testing.assert_allclose(other[1], scalar_outputs(start, inputs), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("architecture", WIDTHS)
def test_pretrained(architecture: str, tmp_path: Path) -> None:
    settings = {
        "dataset": DIGITS, "index": 3, "architecture": architecture,
        "width": WIDTHS[architecture], **SHORT,
    }  # fmt: skip
    outcome = run_experiment(STUDY, "pretrained", context(), settings)
    check(outcome, "pretrained", settings, tmp_path, drawn=architecture == "lenet")
    assert outcome.arrays["curves"].shape == (4, 2, 4)
    assert outcome.values["trace_growth"] > 0


def test_only_the_scale_of_the_kernel_sets_the_last_two_arms_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernels: list[np.ndarray] = []

    def remember(kernel: np.ndarray, *rest: Any) -> np.ndarray:
        kernels.append(kernel)
        return train_linear(kernel, *rest)

    monkeypatch.setattr(pretrained, "train_linear", remember)
    settings = {"dataset": DIGITS, "index": 3, "architecture": "lenet", **SHORT}
    outcome = run_experiment(STUDY, "pretrained", context(), settings)
    first, turned, rescaled = kernels
    assert np.trace(rescaled) == pytest.approx(np.trace(first), rel=1e-5)
    growth = outcome.values["trace_growth"]
    np.testing.assert_allclose(rescaled * growth, turned, rtol=1e-5)
    assert not np.allclose(turned, first, rtol=1e-2)


def test_the_claims_about_the_trained_kernel_tell_its_scale_from_its_shape() -> None:
    done = []
    for seed in range(3):
        curves = np.zeros((4, 2, len(COLUMNS)))
        curves[:, :, 0] = np.array([1.0, 0.9, 0.2 + seed / 50, 0.8 + seed / 50])[:, None]
        curves[:, -1, -1] = [1.0, 0.7, 0.6 + seed / 50, 0.75 + seed / 100]
        outcome = Outcome({"trace_growth": 10.0 ** (1 + seed / 2)}, {"curves": curves})
        done.append(Run(seed, {"architecture": "mlp"}, outcome))
    found = evaluate_claims(STUDY, {"pretrained": done})
    assert [claim.holds for claim in found] == [True, True, True, False]
    assert "divided by 31.6 for MLP" in found[1].measured
    np.testing.assert_allclose(found[1].estimates["MLP"], [0.1, 0.08, 0.06])


def test_fewer_points_than_saved_are_all_decomposed() -> None:
    for labelling, count in (("joint", 50), ("extended", 30)):
        settings = {**EIGEN, "architecture": "lenet", "saved": 200, "labelling": labelling}
        arrays = run_experiment(STUDY, "eigentasks", context(), settings).arrays
        assert arrays["eigenfunctions"].shape == (50, count)


def test_a_run_is_decided_by_its_seed() -> None:
    settings = {**EIGEN, "architecture": "mlp", "width": 8}
    one, same, other = (
        run_experiment(STUDY, "eigentasks", context(s), settings) for s in (0, 0, 1)
    )
    for name, array in one.arrays.items():
        assert np.array_equal(array, same.arrays[name]), name
    assert not np.array_equal(one.arrays["curves"], other.arrays["curves"])


def test_all_seeds_and_groups_are_drawn(tmp_path: Path) -> None:
    done = [
        run
        for width in (4, 8)
        for run in runs("eigentasks", 3, **EIGEN, architecture="mlp", width=width)
    ]
    for name, figure in draw(STUDY, "eigentasks", done).items():
        save(figure, tmp_path / f"{name}.png")
    claims = evaluate_claims(STUDY, {"eigentasks": done})
    assert len(claims) == 3
    for claim in claims:
        assert {name: len(values) for name, values in claim.estimates.items()} == {"4": 3, "8": 3}


def test_the_arms_of_a_trained_network_start_from_zero_with_the_initial_statistics(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    linear = spied(monkeypatch, pretrained, "train_linear")
    settings = {
        "dataset": DIGITS, "index": 3, "architecture": "resnet18", "width": 2, **SHORT,
    }  # fmt: skip
    outcome = run_experiment(STUDY, "pretrained", context(), settings)
    first, last = restored(outcome, "resnet18"), restored(outcome, "resnet18", "trained_weights.")
    inputs, _ = digits()
    for (kernel, outputs, *labels, _), network in zip(linear, (first, last), strict=False):
        assert not outputs.any()
        np.testing.assert_allclose(kernel, empirical_ntk(network, inputs), rtol=1e-4)
        function = outcome.arrays["eigenfunction"]
        assert np.array_equal(np.concatenate(labels), function > 0)
    function, values = outcome.arrays["eigenfunction"], outcome.arrays["eigenvalues"]
    assert values.shape == (4,)
    residual = linear[0][0] @ function - values[3] * function
    assert np.abs(residual).max() < 1e-4 * values[0]
    statistics = dict(last.named_buffers())
    assert any(name.endswith("running_mean") for name in statistics)
    for name, buffer in first.named_buffers():
        assert torch.equal(buffer, statistics[name]), name
    moved = dict(last.named_parameters())
    assert all(not torch.equal(value, moved[name]) for name, value in first.named_parameters())


def made_up(linear: list[float], network: list[float], before: float, after: float) -> Outcome:
    curves = np.zeros((len(linear), 2, 1, len(COLUMNS)))
    curves[:, 0, 0, -1], curves[:, 1, 0, -1] = network, linear
    count = len(linear)
    return Outcome(
        arrays={
            "curves": curves,
            "alignment_before": np.full(count, before),
            "alignment_after": np.full(count, after),
            "majority": np.full(count, 0.55),
        }
    )


@pytest.mark.parametrize(
    ("outcomes", "verdicts"),
    [
        # Both fall together, the linearisation is better, and the alignment rises.
        ([made_up([0.9, 0.8, 0.7], [0.8 + e, 0.7, 0.5], 0.1, 0.2 + e) for e in (0, 0.01, 0.02)],
         [True, True, True]),
        # They fall the other way about, the network is better, and the alignment falls.
        ([made_up([0.5, 0.6, 0.7], [0.9, 0.8 + e, 0.75], 0.3, 0.2 + e) for e in (0, 0.01, 0.02)],
         [False, False, False]),
        # Seeds disagree.
        ([made_up([0.5, 0.6 + e, 0.7], [0.55, 0.6, 0.6 + e / 2], 0.3, 0.3 + e)
          for e in (-0.2, 0.1, 0.25)], [None, None, None]),
        # No difference at all says nothing about its sign.
        ([made_up([0.5, 0.6, 0.7], [0.5, 0.6, 0.7], 0.3, 0.3) for _ in range(3)],
         [True, None, None]),
    ],
)  # fmt: skip
def test_verdicts_follow_from_the_intervals(
    outcomes: list[Outcome], verdicts: list[bool | None]
) -> None:
    settings = {"architecture": "mlp", "indices": [1, 2, 3]}
    done = [Run(seed, settings, outcome) for seed, outcome in enumerate(outcomes)]
    claims = evaluate_claims(STUDY, {"eigentasks": done})
    assert [claim.holds for claim in claims] == verdicts
    assert "over the indices 1, 2, 3 (above 0 for a like order" in claims[0].measured
    titles = [claim.title for claim in evaluate_claims(STUDY, {"eigentasks_mnist": done})]
    assert titles == [f"{claim.title} (mnist)" for claim in claims]


AGREES, DISAGREES, UNDECIDED = (
    [made_up([0.9, 0.8, 0.7], [0.8 + e, 0.7, 0.5], 0.1, 0.2 + e) for e in (0, 0.01, 0.02)],
    [made_up([0.5, 0.6, 0.7], [0.9, 0.8 + e, 0.75], 0.3, 0.2 + e) for e in (0, 0.01, 0.02)],
    [made_up([0.5, 0.6 + e, 0.7], [0.55, 0.6, 0.6 + e / 2], 0.3, 0.3 + e)
     for e in (-0.2, 0.1, 0.25)],
)  # fmt: skip


@pytest.mark.parametrize(
    ("mlp", "lenet", "verdict"),
    [
        (AGREES, AGREES, True),
        (AGREES, UNDECIDED, None),
        (AGREES, DISAGREES, False),
        (UNDECIDED, UNDECIDED, None),
        (UNDECIDED, DISAGREES, False),
        (DISAGREES, DISAGREES, False),
    ],
)
def test_every_group_must_agree_and_one_may_disagree(
    mlp: list[Outcome], lenet: list[Outcome], verdict: bool | None
) -> None:
    done = [
        Run(seed, {"architecture": architecture, "indices": [1, 2, 3]}, outcome)
        for architecture, outcomes in (("mlp", mlp), ("lenet", lenet))
        for seed, outcome in enumerate(outcomes)
    ]
    for some in (done, done[::-1]):
        for claim in evaluate_claims(STUDY, {"eigentasks": some}):
            assert claim.holds is verdict
            assert set(claim.estimates) == {"MLP", "LeNet"}


def test_a_network_at_chance_is_named_with_its_indices() -> None:
    chance, learnt = [0.9, 0.56, 0.55], [0.9, 0.8, 0.7]
    done = [
        Run(seed, {"architecture": architecture, "indices": [1, 20, 100]}, outcome)
        for seed, shift in enumerate((-0.03, 0.0, 0.03))
        for architecture, outcome in (
            ("mlp", made_up(learnt, learnt, 0.1, 0.2)),
            ("lenet", made_up(learnt, [a + shift for a in chance], 0.1, 0.2)),
        )
    ]
    rank, *_ = evaluate_claims(STUDY, {"eigentasks": done})
    assert "not above the share of the larger class, by its interval, at 20, 100 for LeNet):" in (
        rank.measured
    )
    good = [run for run in done if run.settings["architecture"] == "mlp"]
    assert "larger class" not in evaluate_claims(STUDY, {"eigentasks": good})[0].measured


@pytest.mark.parametrize("network_leads", [True, False])
@pytest.mark.parametrize("kernel_turns", [True, False])
def test_the_claims_about_classes(network_leads: bool, kernel_turns: bool) -> None:
    done = []
    for seed in range(3):
        curves = np.zeros((1, 2, 1, len(COLUMNS)))
        curves[0, :, 0, -1] = [0.9 + seed / 100, 0.8] if network_leads else [0.8, 0.9 + seed / 100]
        before, after = (0.1, 0.3 + seed / 100) if kernel_turns else (0.3, 0.1 + seed / 100)
        values = {"alignment_before": before, "alignment_after": after}
        done.append(Run(seed, {"architecture": "mlp"}, Outcome(values, {"curves": curves})))
    lead, growth = evaluate_claims(STUDY, {"classtasks": done})
    assert (lead.holds, growth.holds) == (network_leads, kernel_turns)
    signed = np.array([0.1, 0.11, 0.12]) * (1 if network_leads else -1)
    np.testing.assert_allclose(lead.estimates["MLP"], signed)
    expected = (
        np.log([3, 3.1, 3.2]) if kernel_turns else np.log([0.1 / 0.3, 0.11 / 0.3, 0.12 / 0.3])
    )
    np.testing.assert_allclose(growth.estimates["MLP"], expected)


@pytest.mark.parametrize(
    ("network", "linear", "verdicts"),
    [
        ([0.9, 0.8, 0.7], [0.8, 0.7, 0.6], [True, True, True]),
        ([0.7, 0.8, 0.9], [0.6, 0.7, 0.8], [False, False, True]),
        ([0.9, 0.8, 0.7], [0.6, 0.7, 0.8], [True, False, False]),
        ([0.7, 0.8, 0.9], [0.8, 0.7, 0.6], [False, True, False]),
    ],
)
def test_the_claims_about_directions(
    network: list[float], linear: list[float], verdicts: list[bool]
) -> None:
    settings = {"indices": [0, 5, 63]}
    done = [Run(seed, settings, made_up(linear, network, 0.1, 0.1)) for seed in range(3)]
    assert [claim.holds for claim in evaluate_claims(STUDY, {"directions": done})] == verdicts


def test_the_rank_correlation_of_a_constant_is_undefined() -> None:
    assert np.isnan(spearman(np.ones(3), np.arange(3.0)))
    assert spearman(np.array([1.0, 2, 9]), np.array([4.0, 5, 6])) == 1


@pytest.mark.parametrize(
    ("experiment", "settings", "sentence"),
    [
        ("eigentasks", {**EIGEN, "architecture": "lenet", "indices": [1, 50]},
         "51 eigenfunctions of a kernel on 50 points"),
        ("eigentasks", {**EIGEN, "architecture": "lenet", "indices": [1, -1]},
         "index -1 is asked for, but 6 were computed"),
        ("eigentasks", {**EIGEN, "architecture": "lenet", "labelling": "all"},
         "labelling is 'all': choose joint or extended"),
        ("eigentasks", {**EIGEN, "architecture": "vgg"}, "'vgg' with width None is not known"),
        ("eigentasks", {**EIGEN, "architecture": "lenet", "width": 3}, "choose mlp, lenet"),
        ("eigentasks", {**EIGEN, "architecture": "lenet", "memory_gib": 1e-6},
         "needs a memory_budget of at least"),
        ("classtasks", {"dataset": DIGITS, "task": "primes", "architecture": "lenet"},
         "The task is 'primes': choose one of halves, parity"),
        ("directions", {**DIRECTIONS, "indices": [0, 16]},
         "indices name the direction 16, but 16 were computed"),
        ("directions", {**DIRECTIONS, "indices": [0, -1]},
         "indices name the direction -1, but 16 were computed"),
        ("directions", {**DIRECTIONS, "batch_sigma": 0.0}, "vanishes for sigma=0.0"),
        ("pretrained", {"dataset": DIGITS, "architecture": "lenet", "index": 50},
         "51 eigenfunctions of a kernel on 50 points"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(
    experiment: str, settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(GengapError, match=sentence):
        run_experiment(STUDY, experiment, context(), settings)


@pytest.mark.parametrize("setting", ["small", "paper"])
def test_the_config_names_settings_that_there_are(setting: str, root: Path) -> None:
    config = yaml.safe_load((root / "studies" / f"{STUDY}.yaml").read_text())
    for experiment in config[setting]["experiments"]:
        module = MODULES[experiment.get("experiment", experiment["name"])]
        known = inspect.signature(module.run).parameters
        given = {*experiment.get("grid", {}), *experiment.get("settings", {})}
        needed = {
            name for name, p in known.items()
            if p.kind is p.KEYWORD_ONLY and p.default is p.empty
        }  # fmt: skip
        assert needed <= given <= set(known), experiment["name"]
