"""The experiments on every architecture and dataset that the study names, much reduced."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from gengap.datasets import load
from gengap.errors import GengapError
from gengap.figures import save
from gengap.networks import set_weights
from gengap.seeding import derive
from gengap.studies import Context, Outcome, Run, draw, judge, perform, read_outcome, write_outcome
from gengap.studies.ortizjimenez2021 import classtasks, directions, eigentasks, pretrained
from gengap.studies.ortizjimenez2021.arms import COLUMNS, initial_network, train_linear
from gengap.studies.ortizjimenez2021.panels import spearman
from gengap.tangent import empirical_ntk

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
        Run(seed, settings, perform(STUDY, experiment, context(seed), settings))
        for seed in range(seeds)
    ]


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
    for claim in judge(STUDY, {experiment: [run]}):
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
    outcome = perform(STUDY, "eigentasks", context(), settings)
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
    outcome = perform(STUDY, "eigentasks", context(), {**EIGEN, "architecture": "lenet"})
    network = initial_network(context(), "lenet", None, (8, 8, 1), "torch")
    weights = {
        name.removeprefix("weights."): torch.from_numpy(value)
        for name, value in outcome.arrays.items()
        if name.startswith("weights.")
    }
    set_weights(network, weights, source="the outcome")
    data = load(**DIGITS, seed=context().seed)
    inputs = np.concatenate([data.train.inputs, data.test.inputs])
    functions = outcome.arrays["eigenfunctions"]
    kernel = empirical_ntk(network, inputs)
    residual = kernel @ functions - functions * outcome.arrays["eigenvalues"]
    assert np.abs(residual).max() < 1e-4 * outcome.arrays["eigenvalues"][0]
    shares = np.einsum("ik,ij,jk->k", functions, kernel, functions) / np.trace(kernel)
    np.testing.assert_allclose(outcome.arrays["profile_before"], shares, rtol=1e-3)


@pytest.mark.parametrize("architecture", WIDTHS)
@pytest.mark.parametrize("task", classtasks.GROUPS)
def test_classtasks(architecture: str, task: str, tmp_path: Path) -> None:
    settings = {
        "dataset": DIGITS, "task": task, "architecture": architecture,
        "width": WIDTHS[architecture], **SHORT,
    }  # fmt: skip
    outcome = perform(STUDY, "classtasks", context(), settings)
    check(
        outcome, "classtasks", settings, tmp_path, drawn=(architecture, task) == ("mlp", "halves")
    )
    assert outcome.arrays["curves"].shape == (1, 2, 2, 4)


@pytest.mark.parametrize("name", ["cifar10", "mnist", "fashion_mnist"])
def test_the_papers_datasets(name: str, shared: Path, tmp_path: Path) -> None:
    settings = {"dataset": {"name": name, **SIZES}, "architecture": "lenet", **SHORT}
    outcome = perform(STUDY, "classtasks", context(data_dir=shared / "data"), settings)
    check(outcome, "classtasks", settings, tmp_path)


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
    outcome = perform(STUDY, "directions", context(), settings)
    check(outcome, "directions", settings, tmp_path, drawn="input_shape" in changes)
    found = outcome.arrays["directions"].reshape(len(outcome.arrays["directions"]), -1)
    np.testing.assert_allclose(found @ found.T, np.eye(len(found)), atol=1e-4)


@pytest.mark.parametrize("architecture", WIDTHS)
def test_pretrained(architecture: str, tmp_path: Path) -> None:
    settings = {
        "dataset": DIGITS, "index": 3, "architecture": architecture,
        "width": WIDTHS[architecture], **SHORT,
    }  # fmt: skip
    outcome = perform(STUDY, "pretrained", context(), settings)
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
    outcome = perform(STUDY, "pretrained", context(), settings)
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
    found = judge(STUDY, {"pretrained": done})
    assert [claim.holds for claim in found] == [True, True, True, False]
    assert "divided by 31.6 for MLP" in found[1].measured
    np.testing.assert_allclose(found[1].estimates["MLP"], [0.1, 0.08, 0.06])


def test_fewer_points_than_saved_are_all_decomposed() -> None:
    for labelling, count in (("joint", 50), ("extended", 30)):
        settings = {**EIGEN, "architecture": "lenet", "saved": 200, "labelling": labelling}
        arrays = perform(STUDY, "eigentasks", context(), settings).arrays
        assert arrays["eigenfunctions"].shape == (50, count)


def test_a_run_is_decided_by_its_seed() -> None:
    settings = {**EIGEN, "architecture": "mlp", "width": 8}
    one, same, other = (perform(STUDY, "eigentasks", context(s), settings) for s in (0, 0, 1))
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
    claims = judge(STUDY, {"eigentasks": done})
    assert len(claims) == 3
    for claim in claims:
        assert {name: len(values) for name, values in claim.estimates.items()} == {"4": 3, "8": 3}


def made_up(linear: list[float], network: list[float], before: float, after: float) -> Outcome:
    curves = np.zeros((len(linear), 2, 1, len(COLUMNS)))
    curves[:, 0, 0, -1], curves[:, 1, 0, -1] = network, linear
    count = len(linear)
    return Outcome(
        arrays={
            "curves": curves,
            "alignment_before": np.full(count, before),
            "alignment_after": np.full(count, after),
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
    claims = judge(STUDY, {"eigentasks": done})
    assert [claim.holds for claim in claims] == verdicts
    assert "1, 2, 3" in claims[0].measured
    titles = [claim.title for claim in judge(STUDY, {"eigentasks_mnist": done})]
    assert titles == [f"{claim.title} (mnist)" for claim in claims]


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
        perform(STUDY, experiment, context(), settings)


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
