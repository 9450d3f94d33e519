"""5x2 cross-validation against scikit-learn, Dietterich's test against its formula."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.evaluation.conftest import Zoo

from gengap.evaluation import five_by_two
from gengap.evaluation.designs import Design, prepare
from gengap.evaluation.five_by_two import (
    COLUMNS,
    cross_validate,
    halves,
    held_out_r2,
    paired_t_test,
)
from gengap.evaluation.regression import principal_components
from gengap.seeding import generator


def design(values: np.ndarray, *, reduced: bool = False) -> Design:
    names = tuple(map(str, range(values.shape[1])))
    return Design("made", "made", names, values, reduced)


def folds_of(first: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The halvings as scikit-learn takes them: indices to train and to test on."""
    return [
        (np.flatnonzero(~test), np.flatnonzero(test)) for half in first for test in (half, ~half)
    ]


@pytest.mark.parametrize("networks", [8, 23, 40])
def test_halves_are_fair_and_differ(networks: int) -> None:
    first = halves(networks, np.random.default_rng(0))
    assert first.shape == (5, networks)
    assert (first.sum(axis=1) == networks // 2).all()
    assert len({row.tobytes() for row in first}) == 5
    often = np.mean([halves(8, np.random.default_rng(s)) for s in range(400)], axis=(0, 1))
    # 2000 halvings: the standard error of each network's share is 0.011.
    np.testing.assert_allclose(often, 0.5, atol=0.06)


@pytest.mark.parametrize("columns", [1, 2, 7])
def test_r2_is_that_of_scikit_learn_on_the_same_splits(columns: int) -> None:
    rng = np.random.default_rng(columns)
    values = rng.normal(5.0, 3.0, size=(40, columns)) * 10.0 ** rng.integers(-1, 2, columns)
    gaps = 0.1 + values @ (rng.normal(size=columns) / values.std(axis=0)) + rng.normal(size=40)
    first = halves(40, rng)
    splits = folds_of(first)
    expected = cross_val_score(LinearRegression(), values, gaps, cv=splits, scoring="r2")
    alone = cross_validate([design(values)], gaps, first)
    np.testing.assert_allclose(alone.ravel(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("further", [0, 20])
def test_r2_is_that_of_scikit_learn_where_columns_depend_on_each_other(further: int) -> None:
    rng = np.random.default_rng(9)
    values = rng.normal(size=(40, 4)) * 10.0 ** np.array([-6, 0, 3, 8])
    twin = 3 * values[:, :1] + 1e-14 * rng.normal(size=(40, 1))
    values = np.hstack([values, twin, np.ones((40, 1)), rng.normal(size=(40, further))])
    gaps, first = rng.normal(size=40), halves(40, rng)
    model = make_pipeline(StandardScaler(), LinearRegression())
    expected = cross_val_score(model, values, gaps, cv=folds_of(first), scoring="r2")
    alone = cross_validate([design(values)], gaps, first)
    np.testing.assert_allclose(alone.ravel(), expected, rtol=1e-6)


def test_more_columns_than_networks_give_the_solution_of_minimum_norm() -> None:
    rng = np.random.default_rng(1)
    train, test = rng.normal(2.0, 4.0, size=(10, 30)), rng.normal(2.0, 4.0, size=(9, 30))
    gaps, held = rng.normal(size=10), rng.normal(size=9)
    mean, spread = train.mean(axis=0), train.std(axis=0)
    solution = np.linalg.pinv((train - mean) / spread) @ (gaps - gaps.mean())
    prediction = gaps.mean() + (test - mean) / spread @ solution
    assert held_out_r2(train, gaps, test, held) == pytest.approx(r2_score(held, prediction))


def test_r2_does_not_depend_on_units_or_repeated_or_constant_columns() -> None:
    rng = np.random.default_rng(2)
    train, test = rng.normal(size=(12, 3)), rng.normal(size=(11, 3))
    gaps, held = rng.normal(size=12), rng.normal(size=11)
    plain = held_out_r2(train, gaps, test, held)
    scale, shift = np.array([1e-6, -3.0, 1e5]), np.array([4.0, -1.0, 1e6])
    moved = held_out_r2(train * scale + shift, gaps, test * scale + shift, held)
    assert moved == pytest.approx(plain, rel=1e-7)

    def widen(values: np.ndarray) -> np.ndarray:
        return np.column_stack([values, 2 * values[:, 0] + 1, np.full(len(values), 0.1)])

    # The second constant takes another value on held-out networks: nothing was learnt about it.
    strange = np.column_stack([widen(test), np.ones(len(test))])
    usual = np.column_stack([widen(train), np.zeros(len(train))])
    assert held_out_r2(usual, gaps, strange, held) == pytest.approx(plain, rel=1e-9)


def test_a_large_column_that_hardly_varies_has_no_influence() -> None:
    rng = np.random.default_rng(3)
    train, test = rng.normal(size=(12, 3)), rng.normal(size=(11, 3))
    gaps, held = rng.normal(size=12), rng.normal(size=11)
    # It varies by a part in 1e13 of its size; held-out networks are far from it.
    usual = np.column_stack([train, 1e9 + 1e-4 * rng.normal(size=12)])
    strange = np.column_stack([test, 1e9 + rng.normal(size=11)])
    plain = held_out_r2(train, gaps, test, held)
    assert held_out_r2(usual, gaps, strange, held) == pytest.approx(plain, rel=1e-9)


def test_a_long_vector_that_is_not_reduced_is_regressed_on_as_it_is() -> None:
    rng = np.random.default_rng(8)
    values = rng.normal(size=(20, 30)) * 10.0 ** rng.integers(-3, 3, 30)
    gaps, first = rng.normal(size=20), halves(20, rng)
    model = make_pipeline(StandardScaler(), LinearRegression())
    expected = cross_val_score(model, values, gaps, cv=folds_of(first), scoring="r2")
    alone = cross_validate([design(values)], gaps, first)
    np.testing.assert_allclose(alone.ravel(), expected, rtol=1e-6)


def test_without_columns_the_training_mean_is_predicted() -> None:
    gaps, held = np.array([1.0, 2.0, 6.0]), np.array([0.0, 1.0])
    # Hand-worked: prediction 3, errors 9 + 4; about the held-out mean 0.5: 0.25 + 0.25.
    assert held_out_r2(np.zeros((3, 0)), gaps, np.zeros((2, 0)), held) == pytest.approx(1 - 26.0)


def test_equal_held_out_gaps_follow_scikit_learn() -> None:
    train, test = np.array([[0.0], [1.0], [2.0]]), np.array([[5.0], [6.0]])
    constant = np.array([2.0, 2.0])
    for gaps, prediction in ((np.full(3, 2.0), constant), (np.arange(3.0), np.array([5.0, 6.0]))):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = held_out_r2(train, gaps, test, constant)
        assert found == r2_score(constant, prediction)


def test_reduction_sees_the_training_half_only() -> None:
    rng = np.random.default_rng(7)
    values, gaps = rng.normal(size=(20, 12)), rng.normal(size=20)
    first = halves(20, rng)
    alone = cross_validate([design(values, reduced=True)], gaps, first)
    test = first[2]
    inside, outside = principal_components(values[~test], values[test])
    fitted = LinearRegression().fit(inside, gaps[~test])
    assert alone[0, 2, 0] == pytest.approx(fitted.score(outside, gaps[test]), rel=1e-9)


def naive(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """The formula of the paper with loops."""
    lead, variances = None, 0.0
    for i in range(5):
        p1, p2 = first[i][0] - second[i][0], first[i][1] - second[i][1]
        lead = p1 if lead is None else lead
        mean = (p1 + p2) / 2.0
        variances += (p1 - mean) ** 2 + (p2 - mean) ** 2
    assert lead is not None
    t = lead / math.sqrt(variances / 5.0)
    return t, 2 * (1 - stats.t.cdf(abs(t), 5))


def test_paired_t_test_follows_the_paper() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        first, second = rng.random((5, 2)), rng.random((5, 2))
        t, p = paired_t_test(first, second)
        assert (t, p) == pytest.approx(naive(first, second), rel=1e-9)
        assert paired_t_test(second, first) == pytest.approx((-t, p))


def test_paired_t_test_by_hand() -> None:
    # Differences (0.3, 0.1), then (0.2, 0.2): s^2 = 0.02, 0, 0, 0, 0 and t = 0.3 / sqrt(0.004).
    first = np.array([[0.8, 0.6], *[[0.7, 0.7]] * 4])
    t, p = paired_t_test(first, np.full((5, 2), 0.5))
    assert t == pytest.approx(0.3 / math.sqrt(0.004))
    # The two-sided 1 % point of t with 5 degrees of freedom is 4.0321.
    assert t == pytest.approx(4.7434, abs=1e-4)
    assert 0.005 < p < 0.01


def test_equal_scores_are_no_evidence_and_constant_leads_are_certain() -> None:
    scores = np.random.default_rng(1).random((5, 2)) * 1e4
    assert paired_t_test(scores, scores) == (0.0, 1.0)
    assert paired_t_test(scores, scores * (1 + 1e-14)) == (0.0, 1.0)
    halves = np.full((5, 2), 0.5)
    assert paired_t_test(halves, halves - 0.25) == (math.inf, 0.0)
    assert paired_t_test(halves, halves + 0.25) == (-math.inf, 0.0)


def test_the_table_is_of_the_ten_folds_and_of_all_networks(zoo: Zoo) -> None:
    designs = prepare(
        zoo.measures, zoo.gaps, zoo.grid, zoo.training_accuracy, ("persistence",), "accuracy"
    )
    table, folds = five_by_two(designs, 7)
    assert tuple(table.columns) == COLUMNS
    assert table["r2_mean"].is_monotonic_decreasing
    assert len(folds) == 10 * len(table) == 10 * (7 + 3)
    rows = table.set_index("measure")
    assert set(rows.index[rows["kind"] == "reference"]) == {
        "reference.mean", "reference.hyper_parameters", "reference.training_accuracy",
    }  # fmt: skip
    # Twenty columns are more than twelve training networks; a constant cannot be best.
    assert list(rows.index[rows["underdetermined"]]) == ["wide"]
    assert set(rows.index[rows["eligible"]]) == {
        "pair", "signal", "noise", "corruption_detector", "persistence_image.H0",
    }  # fmt: skip
    signal = zoo.measures.loc[zoo.measures["measure"] == "signal", "value"].to_numpy()
    first = halves(24, generator(7, "evaluation", "halves", "all"))
    expected = cross_val_score(
        LinearRegression(), signal[:, None], designs.gaps, cv=folds_of(first), scoring="r2"
    )
    own = folds[folds["measure"] == "signal"].sort_values(["repeat", "fold"])["r2"]
    np.testing.assert_allclose(own, expected, rtol=1e-9)
    summary = [
        expected.mean(),
        expected.std(ddof=1),
        np.median(expected),
        *np.sort(expected)[[0, -1]],
    ]
    columns = ["r2_mean", "r2_std", "r2_median", "r2_min", "r2_max"]
    np.testing.assert_allclose(rows.loc["signal", columns].astype(float), summary, rtol=1e-9)
    correlations = [
        function(signal, designs.gaps).statistic
        for function in (stats.kendalltau, stats.spearmanr, stats.pearsonr)
    ]
    columns = ["kendall", "spearman", "pearson"]
    np.testing.assert_allclose(rows.loc["signal", columns].astype(float), correlations, rtol=1e-9)
    assert rows.loc["pair", columns].isna().all()


def test_a_measure_is_underdetermined_above_the_smaller_half(zoo: Zoo) -> None:
    designs = prepare(zoo.measures, zoo.gaps, zoo.grid, zoo.training_accuracy, (), "accuracy")
    values = np.random.default_rng(0).normal(size=(24, 12))
    # Half of the 24 networks: an intercept and eleven coefficients can be fitted, twelve cannot.
    most = replace(design(values[:, :11]), name="most")
    more = replace(design(values), name="more")
    table, _ = five_by_two(replace(designs, measures=(most, more)), 0)
    rows = table.set_index("measure")
    assert not rows.loc["most", "underdetermined"]
    assert rows.loc["most", "eligible"]
    assert rows.loc["more", "underdetermined"]
    assert not rows.loc["more", "eligible"]
