"""All measures together, against scikit-learn in a loop over the cells; nothing leaks."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gengap.evaluation.combination import (
    ALL,
    ALL_AND_HYPER_PARAMETERS,
    BEST_SINGLE,
    COMBINATION_COLUMNS,
    IMPORTANCE_COLUMNS,
    LEARNING_CURVE_COLUMNS,
    PERMUTATIONS,
    Combination,
    combine,
    held_out_table,
)
from gengap.evaluation.designs import HYPER_PARAMETERS, Design, Designs, hyper_parameter_design
from gengap.evaluation.duplicates import merged
from gengap.evaluation.folds import Folds, repeated_folds
from gengap.evaluation.learners import PENALTIES, Fitted, Training, fit
from gengap.evaluation.regression import extended, mean_basis, pooled_r2, predict

REPEATS = 3
STRONG = ("norms.a", "norms.b")


def scalar(name: str, values: np.ndarray) -> Design:
    return Design(name, name.partition(".")[0], (name,), values[:, None])


def known_levels_r2(designs: Designs, predictions: np.ndarray) -> float:
    """R2 of gaps and predictions (networks,) less the mean of their draw."""
    assert designs.draws is not None
    masks = [designs.draws == draw for draw in np.unique(designs.draws)]
    gaps, own = (
        np.concatenate([values[mask] - values[mask].mean() for mask in masks])
        for values in (designs.gaps, predictions)
    )
    return float(r2_score(gaps, own))


@pytest.fixture(scope="module")
def designs() -> Designs:
    """48 networks, two replicates on a draw each of 24 points; two measures of norms matter."""
    rng = np.random.default_rng(0)
    points = list(itertools.product([1, 2], ["x", "y"], range(6)))
    grid = pd.DataFrame(points * 2, columns=["depth", "template", "width"])
    names = [*STRONG, "norms.c", "margins.a", "margins.b", "noise.a", "noise.b", "noise.c"]
    # Uniform values are not skewed, so none is transformed.
    values = {name: rng.uniform(-1, 1, size=48) for name in names}
    gaps = 0.1 + 0.05 * values["norms.a"] + 0.04 * values["norms.b"] + 0.01 * grid["depth"]
    gaps += 0.02 * values["margins.a"] + 0.005 * rng.normal(size=48)
    measures = [scalar(name, column) for name, column in values.items()]
    measures.append(Design("norms.v", "norms", ("0", "1"), rng.normal(size=(48, 2))))
    measures.append(scalar("norms.constant", np.full(48, 2.0)))
    return Designs(
        networks=tuple(map(str, range(48))),
        gaps=gaps.to_numpy(),
        grid=grid,
        training=np.ones(48),
        gap_of="accuracy",
        measures=tuple(measures),
        left_out=pd.DataFrame(columns=["kind", "name", "reason"]),
        draws=np.repeat(np.array(["0", "1"], dtype=object), 24),
    )


@pytest.fixture(scope="module")
def folds(designs: Designs) -> Folds:
    folds = repeated_folds(designs.grid, designs.draws, np.random.default_rng(1))
    return folds.first(REPEATS)


def combined(designs: Designs, folds: Folds) -> Combination:
    return combine(designs, folds, np.random.default_rng(2))


@pytest.fixture(scope="module")
def combination(designs: Designs, folds: Folds) -> Combination:
    return combined(designs, folds)


def with_scalars(designs: Designs, scalars: dict[str, np.ndarray]) -> Designs:
    return replace(designs, measures=tuple(scalar(*item) for item in scalars.items()))


def scalars_of(designs: Designs) -> dict[str, np.ndarray]:
    return {
        design.name: design.values[:, 0]
        for design in designs.measures
        if design.kind == "scalar" and not design.constant
    }


def test_a_family_is_ridge_of_scikit_learn_on_the_same_cells(
    designs: Designs, folds: Folds, combination: Combination
) -> None:
    scalars = scalars_of(designs)
    values = np.column_stack([scalars[name] for name in (*STRONG, "norms.c")])
    expected = np.zeros((REPEATS, 48))
    for repeat, train, test in folds.cells():
        # The mean variance of a network is the number of standardised columns.
        model = make_pipeline(StandardScaler(), RidgeCV(3 * PENALTIES))
        model.fit(values[train], designs.gaps[train])
        low, high = designs.gaps[train].min(), designs.gaps[train].max()
        expected[repeat, test] = np.clip(model.predict(values[test]), low, high)
    predictions = combination.predictions["combination.norms"]
    np.testing.assert_allclose(predictions, expected, rtol=1e-7)
    row = combination.combination.set_index("name").loc["combination.norms"]
    scores = [known_levels_r2(designs, prediction) for prediction in expected]
    assert row["r2_mean"] == pytest.approx(np.mean(scores))
    assert row["r2_std"] == pytest.approx(np.std(scores, ddof=1))
    assert row["mean_error"] == pytest.approx(np.mean(np.abs(expected - designs.gaps)))
    errors = np.sort(np.abs(expected - designs.gaps), axis=1)
    # ceil(.9 * 49) = 45.
    assert row["width_90"] == pytest.approx(2 * errors[:, 44].mean())
    assert row["learner"] == "ridge"


def test_there_is_a_row_for_all_for_one_and_for_each_family(combination: Combination) -> None:
    table = combination.combination
    assert list(table.columns) == list(COMBINATION_COLUMNS)
    expected = {
        ALL: 8, ALL_AND_HYPER_PARAMETERS: 8, BEST_SINGLE: 8,
        "combination.norms": 3, "combination.margins": 2, "combination.noise": 3,
    }  # fmt: skip
    assert dict(zip(table["name"], table["measures"], strict=True)) == expected
    assert table["r2_mean"].is_monotonic_decreasing
    assert set(combination.predictions) == set(expected)
    r2 = table.set_index("name")["r2_mean"]
    assert r2[ALL] > r2["combination.norms"] > r2[BEST_SINGLE] > 0
    assert r2[ALL_AND_HYPER_PARAMETERS] > 0.9
    assert r2["combination.noise"] < 0.1


def test_gaps_that_are_held_out_change_no_prediction(
    designs: Designs, folds: Folds, combination: Combination
) -> None:
    cells = list(folds.cells())
    for repeat, train, test in (cells[0], cells[5], cells[-1]):
        changed = designs.gaps.copy()
        changed[~train] = np.random.default_rng(3).uniform(-9, 9, size=int((~train).sum()))
        other = combined(replace(designs, gaps=changed), folds)
        for name, predictions in combination.predictions.items():
            now = other.predictions[name][repeat]
            np.testing.assert_array_equal(now[test], predictions[repeat, test])
            assert (now[~test] != predictions[repeat, ~test]).any()


def test_gaps_that_are_held_out_change_nothing_in_the_learning_curve(
    designs: Designs, folds: Folds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Distinct gaps name the networks that each fit is given, cell by cell."""
    position = {gap: network for network, gap in enumerate(designs.gaps)}
    fits: list[set[int]] = []

    def watched(training: Training) -> list[Fitted]:
        for gaps, present in zip(training.gaps, training.present, strict=True):
            fits.append({position[gap] for gap in gaps[present]})
        return fit(training)

    monkeypatch.setattr("gengap.evaluation.combination.fit", watched)
    combined(designs, folds)
    repeats = [[set(np.flatnonzero(inside)) for inside in train] for train, _ in folds.masks]
    train = list(itertools.chain(*repeats))
    # All measures, without and with hyper-parameters; then the parts of the learning curve.
    assert fits[: 2 * len(train)] == [
        inside for repeat in repeats for _ in range(2) for inside in repeat
    ]
    parts = fits[2 * len(train) :]
    assert len(parts) == 3 * len(train)
    for index, part in enumerate(parts):
        assert part < train[index % len(train)]
    assert {len(part) for part in parts} == {6, 11, 16}


def test_importance_is_that_of_a_loop(
    designs: Designs, folds: Folds, combination: Combination
) -> None:
    scalars = scalars_of(designs)
    values, names = np.column_stack(list(scalars.values())), list(scalars)
    chosen = [name.startswith("margins") for name in names]
    rng = np.random.default_rng(2)
    orders = [[rng.permutation(48) for _ in range(PERMUTATIONS)] for _ in range(REPEATS)]
    permuted = np.zeros((REPEATS, PERMUTATIONS, 48))
    for repeat, train, test in folds.cells():
        scaler = StandardScaler().fit(values[train])
        known = scaler.transform(values[train])[None]
        [learner] = fit(Training.of(known, designs.gaps[train], draws=folds.draws[train]))
        low, high = designs.gaps[train].min(), designs.gaps[train].max()
        for permutation, order in enumerate(orders[repeat]):
            mixed = values.copy()
            mixed[:, chosen] = values[order][:, chosen]
            predictions = np.clip(learner.predict(scaler.transform(mixed[test])), low, high)
            permuted[repeat, permutation, test] = predictions
    whole = [known_levels_r2(designs, p) for p in combination.predictions[ALL]]
    loss = [
        score - np.mean([known_levels_r2(designs, p) for p in repeat])
        for score, repeat in zip(whole, permuted, strict=True)
    ]
    table = combination.importance.set_index("family")
    assert list(combination.importance.columns) == list(IMPORTANCE_COLUMNS)
    assert table.loc["margins", "importance"] == pytest.approx(np.mean(loss), rel=1e-6)
    low, high = np.quantile(loss, [0.05, 0.95])
    assert table.loc["margins", "low"] == pytest.approx(low, rel=1e-6)
    assert table.loc["margins", "high"] == pytest.approx(high, rel=1e-6)
    assert table["importance"]["norms"] > 0.5 > table["importance"]["margins"]
    assert abs(table["importance"]["noise"]) < 0.05


def test_the_learning_curve_ends_with_all_networks(
    designs: Designs, folds: Folds, combination: Combination
) -> None:
    curve = combination.learning_curve
    assert list(curve.columns) == list(LEARNING_CURVE_COLUMNS)
    together = curve[curve["name"] == ALL]
    # Quarters of the 21 points of the other draw, but for cells that hold out a point less or more.
    assert list(together["networks"]) == [6, 11, 16, 21]
    r2 = combination.combination.set_index("name")["r2_mean"]
    assert together["r2_mean"].iloc[-1] == pytest.approx(r2[ALL])
    assert together["r2_mean"].iloc[0] < together["r2_mean"].iloc[-1]
    assert (together["low"] <= together["r2_mean"]).all()
    assert (together["r2_mean"] <= together["high"]).all()
    known = extended(mean_basis(folds), hyper_parameter_design(designs.grid), folds)
    predictions = predict(known, designs.gaps, folds)
    expected = pooled_r2(predictions, designs.gaps, folds.draws).mean()
    additive = curve[curve["name"] == HYPER_PARAMETERS]
    assert list(additive["networks"]) == [6, 11, 16, 21]
    assert additive["r2_mean"].iloc[-1] == pytest.approx(expected)


def test_no_part_of_few_grid_points_counts_twice(designs: Designs) -> None:
    few = replace(designs, grid=designs.grid[["depth", "template"]], draws=None)
    folds = repeated_folds(few.grid, None, np.random.default_rng(1))
    curve = combined(few, replace(folds, labels=folds.labels[:2])).learning_curve
    # Four points in two folds: a cell trains on one or two of twelve networks each.
    assert list(curve.loc[curve["name"] == ALL, "networks"]) == [12, 24]


def test_units_duplicates_and_the_order_of_measures_change_nothing(
    designs: Designs, folds: Folds, combination: Combination
) -> None:
    scalars = scalars_of(designs)
    moved = {name: 3.0 - 1e4 * values for name, values in scalars.items()}
    moved["norms.copy"] = 2.0 * scalars["norms.a"] - 1.0
    backwards = dict(reversed(moved.items()))
    other, duplicates = merged(with_scalars(designs, backwards))
    assert duplicates == {"norms.a": ("norms.copy",)}
    result = combined(other, folds)
    for name, predictions in combination.predictions.items():
        np.testing.assert_allclose(result.predictions[name], predictions, rtol=1e-6)


def test_null_measures_promise_nothing(designs: Designs, folds: Folds) -> None:
    rng = np.random.default_rng(4)
    gaps = rng.normal(size=48)
    noise = {f"f{index % 3}.m{index}": rng.normal(size=48) for index in range(30)}
    result = combined(replace(with_scalars(designs, noise), gaps=gaps), folds)
    assert (result.combination["r2_mean"] < 0.1).all()
    assert (result.learning_curve["r2_mean"] < 0.1).all()
    assert (result.importance["low"] < 0.1).all()


def test_without_scalars_there_are_no_rows(designs: Designs, folds: Folds) -> None:
    vectors = tuple(design for design in designs.measures if design.kind == "vector")
    result = combined(replace(designs, measures=vectors), folds)
    assert result.combination.empty
    assert list(result.combination.columns) == list(COMBINATION_COLUMNS)
    assert result.importance.empty
    assert result.learning_curve.empty
    assert result.predictions == {}


def test_without_hyper_parameters_there_is_no_row_of_them(designs: Designs) -> None:
    bare = replace(designs, grid=designs.grid[[]], draws=None)
    folds = repeated_folds(bare.grid, None, np.random.default_rng(1))
    result = combined(bare, replace(folds, labels=folds.labels[:2]))
    assert ALL_AND_HYPER_PARAMETERS not in set(result.combination["name"])
    assert set(result.learning_curve["name"]) == {ALL}


def test_held_out_predictions_are_means_over_repeats(
    designs: Designs, combination: Combination
) -> None:
    table = held_out_table(designs.networks, designs.gaps, combination.predictions)
    rows = table[table["name"] == ALL]
    assert list(rows["network"]) == list(designs.networks)
    np.testing.assert_array_equal(rows["gap"], designs.gaps)
    np.testing.assert_allclose(rows["prediction"], combination.predictions[ALL].mean(axis=0))
    assert list(held_out_table((), np.zeros(0), {}).columns) == list(table.columns)
