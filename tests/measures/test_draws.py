"""Draws of stochastic measures: means, standard errors, common inputs, and what is stochastic."""

from __future__ import annotations

import math
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as formulas
from scipy import stats
from statsmodels.stats.anova import anova_lm
from torch import nn

from gengap import measures as package
from gengap.datasets import Split, load
from gengap.errors import GengapError
from gengap.measures import Estimate, LeftOut, Subject, attempt, compute, measure, tidy, to_frame
from gengap.measures.draws import WatchedGenerator, exact, mean_of_draws
from gengap.measures.gathering import gather
from gengap.measures.registry import declaration, members
from gengap.names import FAMILIES, STAGED_FAMILY
from gengap.networks import build, convolutional, dense

FEW = 20
"""Inputs that a measure takes at most in these tests: fewer than there are."""


@pytest.fixture
def train() -> Split:
    return load("digits", train_size=60, test_size=20, seed=0).train


@pytest.fixture
def network() -> nn.Module:
    return build(dense((8, 8, 1), 10, width=8, depth=1)).eval()


def subject_of(network: nn.Module, train: Split, *seed: int) -> Subject:
    return Subject(network, network, train, np.random.default_rng(seed))


@measure("number", "vector", "named", "constant", draws=4)
def noisy(subject: Subject) -> dict[str, Any]:
    rng = subject.rng
    return {
        "number": rng.standard_normal(),
        "vector": rng.standard_normal(3),
        "named": {"b": rng.standard_normal(), "a": 0.1},
        "constant": 0.1,
    }


def test_a_mean_of_draws_has_the_standard_error_of_scipy() -> None:
    rng = np.random.default_rng(0)
    numbers, vectors = rng.standard_normal(5).tolist(), list(rng.standard_normal((5, 3)))
    estimate = mean_of_draws(numbers)
    assert estimate.value == pytest.approx(np.mean(numbers))
    assert estimate.standard_error == pytest.approx(stats.sem(numbers))
    estimate = mean_of_draws(vectors)
    np.testing.assert_allclose(np.asarray(estimate.value), np.mean(vectors, axis=0))
    np.testing.assert_allclose(np.asarray(estimate.standard_error), stats.sem(vectors))
    named = mean_of_draws([{"a": 1.0, "b": 0.1}, {"b": 0.1, "a": 3.0}])
    assert named.value == {"a": 2.0, "b": 0.1}
    assert named.standard_error == {"a": 1.0, "b": 0.0}


@pytest.mark.parametrize(
    "draws",
    [[np.ones(2), np.ones(3)], [{"a": 1.0}, {"b": 1.0}], [{"a": 1.0}, 1.0], [1.0, np.ones(1)]],
)
def test_draws_of_different_components_are_refused(draws: list[Any]) -> None:
    with pytest.raises(GengapError, match=r"declare draws=1"):
        mean_of_draws(draws)


def test_the_squared_error_is_the_variance_of_repeated_computations(
    network: nn.Module, train: Split
) -> None:
    repeated = [compute(noisy, subject_of(network, train, seed)) for seed in range(600)]
    values = np.array([float(np.asarray(results["number"])) for results in repeated])
    errors = np.array([float(np.asarray(r.standard_errors["number"])) for r in repeated])
    assert values.var(ddof=1) == pytest.approx(1 / 4, rel=0.2)
    assert (errors**2).mean() == pytest.approx(values.var(ddof=1), rel=0.2)
    assert repeated[0]["constant"] == 0.1
    assert repeated[0].standard_errors["constant"] == 0


def test_the_table_has_errors_and_draws_of_every_component(
    network: nn.Module, train: Split
) -> None:
    results = compute(noisy, subject_of(network, train, 0))
    table = to_frame(results)
    draws = table[[f"draw_{number}" for number in range(4)]]
    np.testing.assert_allclose(draws.mean(axis=1), table["value"])
    np.testing.assert_allclose(stats.sem(draws, axis=1), table["standard_error"], atol=1e-15)
    assert list(table["component"]) == [0, 0, 1, 2, "b", "a", 0]


def test_what_draws_nothing_is_computed_once_and_is_exact(network: nn.Module, train: Split) -> None:
    calls = []

    @measure(draws=8)
    def spread(subject: Subject) -> float:
        calls.append(subject)
        return float(subject.train.sample(60, subject.rng).inputs.std())

    results = compute(spread, subject_of(network, train, 0))
    assert len(calls) == 1
    assert results.standard_errors == {"spread": 0.0}
    sampled = compute(spread, subject_of(network, train.take(np.arange(60)), 0))
    assert sampled == results

    @measure(draws=8)
    def children(subject: Subject) -> float:
        calls.append(subject)
        return subject.rng.spawn(2)[1].random()

    calls.clear()
    compute(children, subject_of(network, train, 0))
    assert len(calls) == 8
    assert exact({"a": 1.0}).standard_error == {"a": 0.0}


def test_a_draw_without_a_value_leaves_the_measure_out(network: nn.Module, train: Split) -> None:
    @measure("rare", "other", draws=8)
    def failing(subject: Subject) -> dict[str, float | LeftOut]:
        number = subject.rng.random()
        return {"rare": number if number < 0.5 else LeftOut("It is large."), "other": number}

    results = attempt(failing, subject_of(network, train, 0))
    assert list(results) == ["other"]
    assert results.left_out == {"rare": "It is large."}


def test_every_draw_sees_the_network_in_eval_mode(network: nn.Module, train: Split) -> None:
    @measure(draws=3)
    def careless(subject: Subject) -> float:
        was_training = subject.network.training
        subject.network.train()
        return was_training + subject.rng.random()

    value = compute(careless, subject_of(network, train, 0))["careless"]
    assert float(np.asarray(value)) < 1


def test_an_estimate_reports_its_own_error(network: nn.Module, train: Split) -> None:
    @measure()
    def mean(subject: Subject) -> Estimate:
        return Estimate(2.0, 0.5)

    results = compute(mean, subject_of(network, train, 0))
    assert results == {"mean": 2.0}
    assert results.standard_errors == {"mean": 0.5}
    with pytest.raises(GengapError, match="draws is 0"):
        measure(draws=0)


def test_errors_between_networks_are_those_of_the_interaction(tmp_path: Path) -> None:
    """Against the residual mean square of a two-way analysis of variance in statsmodels.

    What a draw adds to all networks is a hundred times as large as the rest, and no error.
    """
    rng = np.random.default_rng(3)
    shared = 100 * rng.standard_normal(5)
    values = rng.standard_normal(6)[:, None] + shared + rng.standard_normal((6, 5))
    tables = []
    for network, draws in enumerate(values):
        estimate = mean_of_draws(draws.tolist())
        results = package.MeasureResults(
            {"noisy": estimate.value, "exact": 1.0},
            standard_errors={"noisy": estimate.standard_error, "exact": 0.0},
            draws={"noisy": np.asarray(estimate.draws)},
        )
        table = tidy(to_frame(results), "digits", str(network), "mine")
        table.to_csv(tmp_path / f"{network}.csv", index=False)
        tables.append(tmp_path / f"{network}.csv")
    errors = gather(tables, [])["errors"].set_index("measure")["standard_error"]
    rows = [(n, d, values[n, d]) for n in range(6) for d in range(5)]
    frame = pd.DataFrame(rows, columns=["network", "draw", "value"])
    anova = anova_lm(formulas.ols("value ~ C(network) + C(draw)", frame).fit())
    expected = anova.loc["Residual", "mean_sq"] / 5
    assert (errors["noisy"] ** 2).mean() == pytest.approx(expected)
    assert (errors["exact"] == 0).all()
    # A network on its own has nothing to be compared with.
    alone = gather(tables[:1], [])["errors"].set_index("measure")["standard_error"]
    assert alone["noisy"] == pytest.approx(stats.sem(values[0]))


def test_equal_networks_have_equal_values_and_no_error_between_them(train: Split) -> None:
    """With the streams of one task, a network and its copy are measured on the same draws."""
    network = build(convolutional((8, 8, 1), 10, width=2, depth=1)).eval()
    copy = build(convolutional((8, 8, 1), 10, width=2, depth=1)).eval()
    copy.load_state_dict(network.state_dict())
    for name in ("competition:brain", "competition:always_generalize", "response"):
        one, other = (compute(name, subject_of(each, train, 7)) for each in (network, copy))
        pd.testing.assert_frame_equal(to_frame(one), to_frame(other))


@pytest.fixture
def few_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every measure draw fewer inputs than there are."""
    for module in _modules(package):
        for name, value in vars(module).items():
            if name.endswith("INPUTS") and isinstance(value, int):
                monkeypatch.setattr(module, name, min(value, FEW))


def _modules(parent: types.ModuleType) -> Iterator[types.ModuleType]:
    import importlib
    import pkgutil

    for info in pkgutil.walk_packages(parent.__path__, f"{parent.__name__}."):
        yield importlib.import_module(info.name)


@pytest.mark.usefixtures("few_inputs")
def test_every_measure_that_draws_has_standard_errors(network: nn.Module, train: Split) -> None:
    """Those that draw, and only those, declare several draws or know their own error."""
    stochastic = set()
    for family in FAMILIES:
        if family == STAGED_FAMILY:
            continue
        for function in dict.fromkeys(members(family).values()):
            declared = declaration(function)
            if declared.slow or declared.needs & {"history", "snapshots", "unlabelled"}:
                continue
            watched = WatchedGenerator(np.random.default_rng(0).bit_generator)
            siblings = (network,) if "siblings" in declared.needs else ()
            subject = replace(subject_of(network, train, 0), rng=watched, siblings=siblings)
            try:
                result: Any = function(subject)
            except GengapError:  # an untrained network has no margin
                result = None
            outcomes = result.values() if isinstance(result, dict) else [result]
            estimated = all(isinstance(outcome, Estimate | LeftOut) for outcome in outcomes)
            if watched.is_used:
                stochastic.add(declared.names[0])
                assert declared.draws > 1 or estimated, declared.names
    assert {"brain", "loss_sharpness", "pac_bayes_init", "gi_score_intra_class_input"} <= stochastic


@pytest.mark.parametrize("name", ["pac_bayes:pac_bayes_loss_orig", "competition:brain"])
def test_standard_errors_of_the_library_against_repetition(
    name: str, network: nn.Module, train: Split
) -> None:
    results = [compute(name, subject_of(network, train, 1, seed)) for seed in range(24)]
    _, _, measured = name.partition(":")
    values = np.array([float(np.asarray(result[measured])) for result in results])
    errors = [float(np.asarray(result.standard_errors[measured])) for result in results]
    # The ratio of two variances of 23 and at least 90 degrees of freedom.
    ratio = values.var(ddof=1) / np.mean(np.square(errors))
    assert 0.35 < ratio < 2.2
    assert math.isfinite(ratio)
