"""The four questions against statsmodels, direct loops, and simulations of level and power."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.linalg import fractional_matrix_power, orth
from sklearn.linear_model import Ridge
from statsmodels.regression.linear_model import OLS

from gengap.errors import GengapError
from gengap.evaluation.designs import Design, Designs
from gengap.evaluation.permutations import permuted_networks
from gengap.evaluation.questions import (
    ADDS_TO_ADDITIVE,
    ADDS_TO_PAIRWISE,
    BEATS_MEAN,
    VARIANCE_RATIOS,
    WITHIN_ENVIRONMENTS,
    Nuisance,
    additive_columns,
    answer,
    ask,
    beta_p,
    family_wise,
    interactions,
    leverage_adjusted,
    orthonormal,
    shrinkage,
    strongest_hyper_parameter,
)

LEVELS = {"depth": (1, 2), "width": (16, 64), "rate": (0.001, 0.005, 0.02)}
QUESTIONS = (BEATS_MEAN, ADDS_TO_ADDITIVE, ADDS_TO_PAIRWISE, WITHIN_ENVIRONMENTS)


def grid_of(replicates: int, levels: dict[str, tuple[float, ...]] | None = None) -> pd.DataFrame:
    levels = LEVELS if levels is None else levels
    cells = list(itertools.product(*levels.values()))
    grid = pd.DataFrame(cells, columns=list(levels))
    return grid.loc[np.repeat(grid.index, replicates)].reset_index(drop=True)


def designs_of(
    gaps: np.ndarray,
    grid: pd.DataFrame,
    measures: dict[str, np.ndarray],
    draws: np.ndarray | None = None,
) -> Designs:
    made = tuple(
        Design(name, "made", tuple(map(str, range(columns.shape[1]))), columns)
        for name, values in measures.items()
        for columns in [np.reshape(values, (len(gaps), -1))]
    )
    return Designs(
        networks=tuple(map(str, range(len(gaps)))),
        gaps=gaps,
        grid=grid,
        training=np.ones(len(gaps)),
        gap_of="accuracy",
        measures=made,
        left_out=pd.DataFrame(columns=["kind", "name", "reason"]),
        draws=draws,
    )


@pytest.fixture
def designs() -> Designs:
    """12 grid points, three draws of the data; the gap depends on all that there is."""
    rng = np.random.default_rng(0)
    grid = grid_of(3)
    draw = np.tile([0, 1, 2], 12)
    signal = rng.normal(size=36)
    gaps = 0.3 * grid["depth"].to_numpy() + 0.2 * draw + 0.1 * signal + 0.1 * rng.normal(size=36)
    measures = {
        "signal": signal,
        "noise": rng.normal(size=36),
        "pair": rng.normal(size=(36, 2)),
    }
    return designs_of(gaps, grid, measures, np.array([f"draw {d}" for d in draw], dtype=object))


def answers(designs: Designs, permutations: int = 99, seed: int = 0) -> Any:
    return ask(
        designs, environments=["depth"], permutations=permutations, rng=np.random.default_rng(seed)
    ).set_index(["question", "measure"])


def dummies(*columns: np.ndarray | pd.Series) -> np.ndarray:
    """A basis of an intercept and the indicators of the values of each column."""
    tables = [pd.get_dummies(pd.Series(c).reset_index(drop=True), drop_first=True) for c in columns]
    table = pd.concat(tables, axis=1).astype(float).to_numpy()
    return np.asarray(orth(np.column_stack([np.ones(len(table)), table])))


def nuisance_columns(designs: Designs, question: str) -> np.ndarray:
    draws = designs.draws
    assert draws is not None
    grid = designs.grid
    if question == BEATS_MEAN:
        return dummies(draws)
    if question == WITHIN_ENVIRONMENTS:
        return dummies(pd.Series(draws) + grid["depth"].astype(str))
    main = dummies(draws, *(grid[name] for name in grid))
    if question == ADDS_TO_ADDITIVE:
        return main
    pairs = itertools.combinations(grid, 2)
    cells = [dummies(grid[a].astype(str) + grid[b].astype(str)) for a, b in pairs]
    return np.asarray(orth(np.hstack([main, *cells])))


def test_the_statistic_is_the_partial_r2_of_statsmodels(designs: Designs) -> None:
    table = answers(designs)
    for question, design in itertools.product(QUESTIONS, designs.measures):
        nuisance = nuisance_columns(designs, question)
        without = OLS(designs.gaps, nuisance).fit().ssr
        together = OLS(designs.gaps, np.hstack([nuisance, design.values])).fit().ssr
        expected = 1 - together / without
        assert table.loc[(question, design.name), "statistic"] == pytest.approx(expected, rel=1e-9)
    assert (table["networks"] == 36).all()


def test_p_of_exact_questions_counts_permutations_of_the_gaps(designs: Designs) -> None:
    table = answers(designs)
    signal = designs.measures[0].values[:, 0]
    draws = np.tile([0, 1, 2], 12)
    rng = np.random.default_rng(0)
    depth = (designs.grid["depth"] == 2).to_numpy().astype(np.int64)
    everywhere = permuted_networks(designs.points, draws, np.zeros_like(depth), 99, rng)
    inside = permuted_networks(designs.points, draws, depth, 99, rng)
    for question, sources in ((BEATS_MEAN, everywhere), (WITHIN_ENVIRONMENTS, inside)):
        nuisance = nuisance_columns(designs, question)
        explained = []
        for source in sources:
            gaps = designs.gaps[source]
            without = OLS(gaps, nuisance).fit().ssr
            explained.append(1 - OLS(gaps, np.column_stack([nuisance, signal])).fit().ssr / without)
        expected = np.mean(np.array(explained) >= explained[0] - 1e-9)
        assert table.loc[(question, "signal"), "p"] == pytest.approx(expected)


def test_p_beside_hyper_parameters_is_freedman_and_lanes(designs: Designs) -> None:
    table = answers(designs)
    draws = np.tile([0, 1, 2], 12)
    sources = permuted_networks(
        designs.points, draws, np.zeros_like(draws), 99, np.random.default_rng(0)
    )
    for question in (ADDS_TO_ADDITIVE, ADDS_TO_PAIRWISE):
        nuisance = nuisance_columns(designs, question)
        fit = OLS(designs.gaps, nuisance).fit()
        hat = nuisance @ np.linalg.pinv(nuisance)
        errors = np.zeros(36)
        for point in range(12):
            rows = np.flatnonzero(designs.points == point)
            block = np.eye(3) - hat[np.ix_(rows, rows)]
            errors[rows] = fractional_matrix_power(block, -0.5).real @ fit.resid[rows]
        for design in designs.measures:
            explained = []
            for permutation, source in enumerate(sources):
                made = fit.fittedvalues + errors[source]
                gaps = made if permutation else designs.gaps
                without = OLS(gaps, nuisance).fit().ssr
                together = OLS(gaps, np.hstack([nuisance, design.values])).fit().ssr
                explained.append(1 - together / without)
            expected = np.mean(np.array(explained) >= explained[0] - 1e-9)
            assert table.loc[(question, design.name), "p"] == pytest.approx(expected)


def test_residuals_without_freedom_stay_zero() -> None:
    points = np.repeat(np.arange(4), 2)
    # A mean for each point leaves the difference of its two networks alone.
    nuisance = Nuisance(orthonormal(np.eye(4)[points]))
    residuals = nuisance.residuals(np.random.default_rng(0).normal(size=8))
    np.testing.assert_allclose(leverage_adjusted(residuals, nuisance, points), residuals)


def test_ridge_whitens_by_the_restricted_likelihood() -> None:
    rng = np.random.default_rng(1)
    grid = grid_of(1, {"a": (0, 1, 2, 3), "b": (0, 1, 2, 3), "c": (0, 1)})
    additive = additive_columns(grid, np.zeros(32, dtype=np.int64))
    products = interactions(grid)
    gaps = additive @ rng.normal(size=additive.shape[1]) + rng.normal(size=32)
    gaps += 0.5 * products @ rng.normal(size=products.shape[1])
    whitening = shrinkage(gaps, orthonormal(additive), products)

    def restricted_likelihood(ratio: float) -> float:
        """Of Patterson and Thompson, with the errors' variance maximised over."""
        covariance = np.eye(32) + ratio / products.shape[1] * products @ products.T
        inverse = np.linalg.inv(covariance)
        fixed = orthonormal(additive)
        information = fixed.T @ inverse @ fixed
        projection = inverse - inverse @ fixed @ np.linalg.solve(information, fixed.T @ inverse)
        free = 32 - fixed.shape[1]
        return -0.5 * float(
            np.linalg.slogdet(covariance)[1]
            + np.linalg.slogdet(information)[1]
            + free * np.log(gaps @ projection @ gaps)
        )

    ratio = max(VARIANCE_RATIOS, key=restricted_likelihood)
    assert ratio > 0
    model = Ridge(alpha=products.shape[1] / ratio, fit_intercept=False).fit(products, gaps)
    np.testing.assert_allclose(
        whitening @ whitening @ gaps, gaps - model.predict(products), atol=1e-9
    )


def test_family_wise_p_is_westfall_and_youngs() -> None:
    rng = np.random.default_rng(2)
    statistics = rng.beta(0.5, 10, size=(200, 6))
    statistics[0, [1, 4]] = 0.6, 0.35
    p = np.empty_like(statistics)
    for column in range(6):
        rest = np.sort(statistics[:, column])[:-1]
        mean, variance = rest.mean(), rest.var()
        size = mean * (1 - mean) / variance - 1
        p[:, column] = stats.beta(mean * size, (1 - mean) * size).sf(statistics[:, column])
    np.testing.assert_allclose(beta_p(statistics), p, rtol=1e-9)
    expected, highest = np.empty(6), 0.0
    order = list(np.argsort(p[0]))
    for position, measure in enumerate(order):
        least = p[:, order[position:]].min(axis=1)
        highest = max(highest, float(np.mean(least <= p[0, measure])))
        expected[measure] = highest
    np.testing.assert_allclose(family_wise(statistics), expected)
    np.testing.assert_allclose(
        family_wise(statistics[:, :1]), np.mean(statistics[:, 0] >= statistics[0, 0])
    )


def test_duplicates_scale_and_order_of_measures_change_nothing(designs: Designs) -> None:
    plain = answers(designs)
    signal, noise, pair = designs.measures
    twin = replace(signal, name="twin", values=-1e6 * signal.values + 3)
    rotated = replace(pair, name="rotated", values=pair.values @ np.array([[1, 2], [0, 5]]) + 1)
    more = replace(designs, measures=(twin, rotated, pair, noise, signal))
    table = answers(more)
    for name in ("signal", "noise", "pair"):
        for question in QUESTIONS:
            own, other = plain.loc[(question, name)], table.loc[(question, name)]
            np.testing.assert_allclose(own.to_numpy(float), other.to_numpy(float), rtol=1e-9)
    for name, original in (("twin", "signal"), ("rotated", "pair")):
        own, other = table.xs(name, level="measure"), table.xs(original, level="measure")
        np.testing.assert_allclose(own.to_numpy(float), other.to_numpy(float), rtol=1e-9)
    assert (plain["p_family"] >= plain["p"]).all()


def test_a_measure_that_the_hyper_parameters_determine_adds_nothing(designs: Designs) -> None:
    grid = designs.grid
    product = (grid["depth"] * grid["width"]).to_numpy(float)
    measures = {"depth": grid["depth"].to_numpy(float), "product": product, "flat": np.ones(36)}
    # Networks compute in float32.
    rounded = {name: values.astype(np.float32) * 0.1 for name, values in measures.items()}
    table = answers(designs_of(designs.gaps, grid, rounded, designs.draws))
    for question, name in (
        (ADDS_TO_ADDITIVE, "depth"), (ADDS_TO_PAIRWISE, "depth"), (ADDS_TO_PAIRWISE, "product"),
        (WITHIN_ENVIRONMENTS, "depth"), *((question, "flat") for question in QUESTIONS),
    ):  # fmt: skip
        statistic, p, p_family, _ = table.loc[(question, name)]
        assert (statistic, p, p_family) == (0, 1, 1)
    assert table.loc[(BEATS_MEAN, "depth"), "p"] == 0.01


def test_gaps_that_the_hyper_parameters_determine_leave_nothing_to_add_to(designs: Designs) -> None:
    gaps = 0.1 * designs.grid["depth"].to_numpy() + 0.3 * designs.grid["width"].to_numpy()
    table = answers(replace(designs, gaps=gaps))
    assert (table.loc[[ADDS_TO_ADDITIVE, ADDS_TO_PAIRWISE], "p"] == 1).all()
    assert (table.loc[[ADDS_TO_ADDITIVE, ADDS_TO_PAIRWISE], "statistic"] == 0).all()


def test_questions_that_cannot_be_asked_have_no_rows(designs: Designs) -> None:
    rng = np.random.default_rng(3)
    bare = replace(designs, grid=pd.DataFrame(index=range(36)), draws=None)
    table = ask(bare, environments=[], permutations=20, rng=rng)
    assert set(table["question"]) == {BEATS_MEAN}
    one = designs_of(
        rng.normal(size=4), pd.DataFrame({"a": [1, 2, 3, 4]}), {"x": rng.normal(size=4)}
    )
    table = ask(one, environments=["a"], permutations=20, rng=rng)
    assert set(table["question"]) == {BEATS_MEAN}
    assert ask(replace(designs, measures=()), environments=[], permutations=9, rng=rng).empty
    with pytest.raises(GengapError, match="Unknown hyper-parameter 'colour' to make environments"):
        ask(designs, environments=["colour"], permutations=9, rng=rng)


def test_the_strongest_hyper_parameter_is_the_environment_where_none_is_named(
    designs: Designs,
) -> None:
    assert strongest_hyper_parameter(designs) == "depth"
    unnamed = ask(designs, environments=[], permutations=30, rng=np.random.default_rng(0))
    named = ask(designs, environments=["depth"], permutations=30, rng=np.random.default_rng(0))
    pd.testing.assert_frame_equal(unnamed, named)


def test_a_vector_of_many_columns_does_not_dominate() -> None:
    rng = np.random.default_rng(4)
    grid = grid_of(3)
    signal = rng.normal(size=36)
    measures = {
        "signal": signal + 0.5 * rng.normal(size=36),
        **{f"wide {index}": rng.normal(size=(36, 300)) for index in range(10)},
    }
    table = answers(designs_of(signal + rng.normal(size=36) / 2, grid, measures), 199)
    for question in QUESTIONS:
        rows = table.loc[question]
        # In size, the partial R2 of any vector would hide a scalar's.
        assert rows["statistic"].drop("signal").max() > 0.3
        assert rows.loc["signal", "p_family"] < 0.05 < rows["p_family"].drop("signal").min()


@pytest.mark.slow
def test_level_and_power_by_simulation() -> None:
    grid = grid_of(3)
    code = (grid["depth"] == 2).to_numpy().astype(float)
    points = np.repeat(np.arange(12), 3)
    draws = np.tile([0, 1, 2], 12)
    labels = draws.astype(str).astype(object)
    p, family = [], []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        interaction = rng.normal(size=12)[points]
        noise = rng.normal(size=36)
        gaps = 2 * code + 0.5 * interaction + noise + rng.normal(size=3)[draws]
        measures = {
            "null": rng.normal(size=36),
            "null of points": rng.normal(size=12)[points] + 0.3 * rng.normal(size=36),
            "null vector": rng.normal(size=(36, 3)),
            "detector": code + 0.3 * rng.normal(size=36),
            "good": noise + rng.normal(size=36),
        }
        made = designs_of(gaps, grid, measures, labels)
        table = ask(made, environments=["depth"], permutations=99, rng=rng)
        p.append(table.pivot(index="measure", columns="question", values="p"))
        nulls = replace(made, measures=made.measures[:3])
        table = ask(nulls, environments=["depth"], permutations=99, rng=rng)
        family.append(table.groupby("question")["p_family"].min())
    rejected: Any = pd.concat(p).le(0.05).groupby(level="measure").mean()
    # Of 100, at most 11 are rejected with a probability of 0.995 where the level is 0.05.
    assert rejected.loc[["null", "null of points", "null vector"]].to_numpy().max() <= 0.11
    assert rejected.loc["detector", BEATS_MEAN] > 0.95
    assert rejected.loc["detector"].drop(BEATS_MEAN).max() <= 0.11
    assert rejected.loc["good"].drop(BEATS_MEAN).min() > 0.8
    assert (pd.concat(family) <= 0.05).groupby(level="question").mean().max() <= 0.11


def test_one_measure_alone_keeps_its_permutation_p(designs: Designs) -> None:
    points = designs.points
    sources = permuted_networks(
        points, np.zeros(36, dtype=np.int64), np.zeros(36, dtype=np.int64), 60,
        np.random.default_rng(5),
    )  # fmt: skip
    nuisance = Nuisance(orthonormal(np.ones((36, 1))))
    table: Any = answer(BEATS_MEAN, designs.measures[:1], designs.gaps, nuisance, sources)
    assert table.loc[0, "p"] == table.loc[0, "p_family"]
    correlation = stats.pearsonr(designs.measures[0].values[:, 0], designs.gaps).statistic
    # `answer` takes columns as they are; centred ones give the squared correlation.
    assert table.loc[0, "statistic"] == pytest.approx(correlation**2, rel=1e-9)
