"""Robustness over environments: a hand-worked example, direct loops over pairs, invariance."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gengap.evaluation.designs import Design, Designs
from gengap.evaluation.environments import (
    ENVIRONMENT_COLUMNS,
    NOISE_MULTIPLE,
    partial_tau,
    robustness,
)


def designs_of(
    grid: pd.DataFrame,
    gaps: np.ndarray,
    measures: Mapping[str, np.ndarray],
    *,
    draws: np.ndarray | None = None,
    gap_errors: np.ndarray | None = None,
) -> Designs:
    names = [str(row) for row in range(len(grid))]
    made = [
        Design(name, "made", tuple(map(str, range(table.shape[1]))), table)
        for name, table in ((n, v.reshape(len(grid), -1)) for n, v in measures.items())
    ]
    return Designs(
        networks=tuple(names),
        gaps=gaps,
        grid=grid.set_axis(pd.Index(names, name="network", dtype=object)),
        training=np.ones(len(grid)),
        gap_of="accuracy",
        measures=tuple(made),
        left_out=pd.DataFrame(columns=["kind", "name", "reason"]),
        draws=draws,
        gap_errors=gap_errors,
    )


def random_designs(rng: np.random.Generator, *, drawn: bool) -> Designs:
    """Three hyper-parameters, three replicates, one point lost, ties in gap and measure."""
    levels = itertools.product(["a", "b"], [1, 2, 4], [True, False], range(3))
    cells = [cell for cell in levels if cell[:3] != ("b", 4, True)]
    order = rng.permutation(len(cells))
    table = pd.DataFrame([cells[row] for row in order], columns=["kind", "size", "flag", "draw"])
    n = len(table)
    return designs_of(
        table[["kind", "size", "flag"]],
        rng.integers(0, 12, n) / 12,
        {
            "one": rng.normal(size=n).round(1),
            "two": table["size"].to_numpy() + rng.normal(size=n),
            "vector": rng.normal(size=(n, 2)),
        },
        draws=np.array([f"d{draw}" for draw in table["draw"]], dtype=object) if drawn else None,
        gap_errors=rng.uniform(0.02, 0.1, n),
    )


def test_hand_worked_example() -> None:
    grid = pd.DataFrame({"depth": [1, 1, 2, 2], "width": [8, 16, 8, 16]})
    gaps, values = np.array([0.1, 0.2, 0.3, 0.1]), np.array([1.0, 2.0, 3.0, 2.0])
    found = robustness(designs_of(grid, gaps, {"m": values})).set_index("hyper_parameter")
    # Depth: (1, 8)-(2, 8) agree, (1, 16)-(2, 16) tie in the measure. Width: depth 1 agrees, depth 2
    # agrees.
    assert list(found.index) == ["depth", "width", "all"]
    np.testing.assert_allclose(found["psi"], [0.5, 1.0, 0.75])
    np.testing.assert_allclose(found["sign_error_mean"], [0.25, 0.0, 0.125])
    np.testing.assert_allclose(found["sign_error_worst"], [0.5, 0.0, 0.5])
    np.testing.assert_array_equal(found["environments"], [2, 2, 4])
    np.testing.assert_array_equal(found["pairs"], [2, 2, 4])
    np.testing.assert_array_equal(found["pairs_left_out"], 0)


def test_noise_leaves_out_pairs_and_environments() -> None:
    grid = pd.DataFrame({"depth": [1, 1, 2, 2], "width": [8, 16, 8, 16]})
    gaps, values = np.array([0.1, 0.2, 0.3, 0.1]), np.array([1.0, 2.0, 3.0, 2.0])
    # The noise of a pair is 2 sqrt(2) 0.04 = 0.113: only differences of 0.2 are above it.
    errors = np.full(4, 0.04)
    found = robustness(designs_of(grid, gaps, {"m": values}, gap_errors=errors))
    found = found.set_index("hyper_parameter")
    np.testing.assert_array_equal(found["pairs"], [1, 1, 2])
    np.testing.assert_array_equal(found["pairs_left_out"], [1, 1, 2])
    np.testing.assert_array_equal(found["environments"], [1, 1, 2])
    np.testing.assert_allclose(found["sign_error_worst"], 0.0)
    np.testing.assert_allclose(found["psi"], [0.5, 1.0, 0.75])
    drowned = robustness(designs_of(grid, gaps, {"m": values}, gap_errors=np.ones(4)))
    assert drowned["sign_error_mean"].isna().all()
    np.testing.assert_array_equal(drowned["environments"], 0)


@pytest.mark.parametrize("drawn", [False, True])
def test_psi_and_sign_errors_are_those_of_direct_loops(drawn: bool) -> None:
    designs = random_designs(np.random.default_rng(0), drawn=drawn)
    found = robustness(designs)
    assert list(found) == list(ENVIRONMENT_COLUMNS)
    assert set(found["measure"]) == {"one", "two"}
    assert designs.gap_errors is not None
    rows = [tuple(row) for row in designs.grid.itertuples(index=False)]
    n, names = len(rows), list(designs.grid)
    for measure in designs.measures[:2]:
        values = measure.values[:, 0]
        psis, all_errors = [], []
        for position, name in enumerate(names):
            cells: dict[object, list[float]] = {}
            environments: dict[object, list[float]] = {}
            pairs = left_out = 0
            for i, j in itertools.combinations(range(n), 2):
                if designs.draws is not None and designs.draws[i] != designs.draws[j]:
                    continue
                differing = [k for k in range(3) if rows[i][k] != rows[j][k]]
                if differing != [position]:
                    continue
                sign = np.sign(values[i] - values[j]) * np.sign(designs.gaps[i] - designs.gaps[j])
                others = tuple(rows[i][k] for k in range(3) if k != position)
                draw = None if designs.draws is None else designs.draws[i]
                cells.setdefault((others, draw), []).append(sign)
                error = np.sqrt(designs.gap_errors[i] ** 2 + designs.gap_errors[j] ** 2)
                size = abs(designs.gaps[i] - designs.gaps[j])
                if size == 0 or size < NOISE_MULTIPLE * error:
                    left_out += 1
                    continue
                pairs += 1
                environments.setdefault(frozenset([rows[i], rows[j]]), []).append((1 - sign) / 2)
            psis.append(np.mean([np.mean(signs) for signs in cells.values()]))
            errors = [float(np.mean(values)) for values in environments.values()]
            all_errors += errors
            row = found[(found["measure"] == measure.name) & (found["hyper_parameter"] == name)]
            expected = [psis[-1], np.mean(errors), max(errors), len(errors), pairs, left_out]
            np.testing.assert_allclose(row.iloc[0, 2:].to_numpy(dtype=float), expected)
        total = found[(found["measure"] == measure.name) & (found["hyper_parameter"] == "all")]
        expected = [np.mean(psis), np.mean(all_errors), max(all_errors), len(all_errors)]
        np.testing.assert_allclose(total.iloc[0, 2:6].to_numpy(dtype=float), expected)


def test_granulated_tau_of_a_complete_grid_is_the_mean_of_scipys() -> None:
    rng = np.random.default_rng(1)
    cells = list(itertools.product(range(4), range(3)))
    grid = pd.DataFrame(cells, columns=["depth", "width"])
    gaps, values = rng.normal(size=12), rng.normal(size=12)
    found = robustness(designs_of(grid, gaps, {"m": values})).set_index("hyper_parameter")["psi"]
    for name, other in (("depth", "width"), ("width", "depth")):
        taus = [
            stats.kendalltau(values[rows], gaps[rows]).statistic
            for rows in (grid[other] == level for level in grid[other].unique())
        ]
        assert found[name] == pytest.approx(np.mean(taus))


def test_a_measure_that_follows_one_hyper_parameter_fails_in_the_others() -> None:
    rng = np.random.default_rng(2)
    grid = pd.DataFrame(list(itertools.product([0, 1], repeat=4)), columns=list("abcd"))
    gaps = 5 * grid["a"].to_numpy() + rng.normal(size=16)
    detectors = {str(k): grid["a"].to_numpy() + 0.001 * rng.normal(size=16) for k in range(60)}
    found = robustness(designs_of(grid, gaps, {**detectors, "best": gaps}))
    own = found[found["measure"] != "best"].groupby("hyper_parameter")
    assert (own["psi"].min()["a"], own["sign_error_worst"].max()["a"]) == (1, 0)
    assert (own["sign_error_worst"].min()["all"]) == 1
    # The standard deviation of psi over eight pairs is about 0.35.
    assert (own["psi"].mean()[["b", "c", "d"]].abs() < 0.15).all()
    assert own["psi"].mean()["all"] == pytest.approx(0.25, abs=0.1)
    best = found[found["measure"] == "best"]
    np.testing.assert_array_equal(best["psi"], 1)
    np.testing.assert_array_equal(best["sign_error_worst"], 0)


@pytest.mark.parametrize("drawn", [False, True])
def test_order_and_increasing_maps_do_not_matter_and_decreasing_maps_turn(drawn: bool) -> None:
    designs = random_designs(np.random.default_rng(3), drawn=drawn)
    order = np.random.default_rng(4).permutation(len(designs.networks))
    turned = replace(
        designs,
        gaps=designs.gaps[order],
        grid=designs.grid.iloc[order],
        measures=tuple(design.rows(order) for design in designs.measures),
        draws=None if designs.draws is None else designs.draws[order],
        gap_errors=None if designs.gap_errors is None else designs.gap_errors[order],
    )
    pd.testing.assert_frame_equal(robustness(designs), robustness(turned))
    pd.testing.assert_series_equal(partial_tau(designs), partial_tau(turned))

    def mapped(designs: Designs, sign: int) -> Designs:
        measures = [replace(d, values=sign * np.exp(d.values)) for d in designs.measures]
        return replace(designs, measures=tuple(measures))

    pd.testing.assert_frame_equal(robustness(designs), robustness(mapped(designs, 1)))
    pd.testing.assert_series_equal(partial_tau(designs), partial_tau(mapped(designs, 1)))
    opposite = robustness(mapped(designs, -1))
    np.testing.assert_allclose(opposite["psi"], -robustness(designs)["psi"])
    mean = robustness(designs)["sign_error_mean"]
    np.testing.assert_allclose(opposite["sign_error_mean"], 1 - mean)
    np.testing.assert_allclose(partial_tau(mapped(designs, -1)), -partial_tau(designs))


def test_without_hyper_parameters_there_is_no_environment() -> None:
    grid = pd.DataFrame({"fixed": [1] * 6})
    rng = np.random.default_rng(5)
    gaps, values = rng.normal(size=6), rng.normal(size=6)
    designs = designs_of(grid, gaps, {"m": values})
    found = robustness(designs)
    assert list(found["hyper_parameter"]) == ["all"]
    assert found[["psi", "sign_error_mean", "sign_error_worst"]].isna().all(axis=None)
    tau = stats.kendalltau(values, gaps).statistic
    assert partial_tau(designs)["m"] == pytest.approx(tau)


def test_partial_tau_is_that_of_statsmodels_residuals() -> None:
    import statsmodels.formula.api as models

    designs = random_designs(np.random.default_rng(6), drawn=True)
    table = designs.grid.assign(gap=designs.gaps, draw=designs.draws)
    gaps = models.ols("gap ~ C(kind) + C(size) + C(flag) + C(draw)", table).fit().resid
    for measure in designs.measures[:2]:
        ranks = stats.rankdata(measure.values[:, 0])
        table["x"] = stats.norm.ppf((ranks - 0.375) / (len(ranks) + 0.25))
        own = models.ols("x ~ C(kind) + C(size) + C(flag) + C(draw)", table).fit().resid
        expected = stats.kendalltau(own.round(9), gaps.round(9)).statistic
        assert partial_tau(designs)[measure.name] == pytest.approx(expected, abs=1e-12)


def test_partial_tau_is_near_zero_where_only_hyper_parameters_connect() -> None:
    rng = np.random.default_rng(7)
    levels = np.array(list(itertools.product([0, 1], repeat=5)))
    grid = pd.DataFrame(np.repeat(levels, 3, axis=0), columns=list("abcde"))
    effect = grid.sum(axis=1).to_numpy()
    measures = {str(k): np.exp(3 * effect + rng.normal(size=96)) for k in range(40)}
    gaps = effect + 0.3 * rng.normal(size=96)
    taus = partial_tau(designs_of(grid, gaps, measures))
    plain = [stats.kendalltau(values, gaps).statistic for values in measures.values()]
    assert min(plain) > 0.6
    # The standard deviation of the mean is 0.07 / sqrt(40), plus what the shared gaps give.
    assert abs(taus.mean()) < 0.06


def test_partial_tau_of_what_hyper_parameters_determine_is_missing() -> None:
    grid = pd.DataFrame(list(itertools.product([0, 1], [0, 1], range(3))), columns=list("abr"))
    rng = np.random.default_rng(8)
    gaps = rng.normal(size=12)
    measures = {"a": grid["a"].to_numpy(dtype=float), "constant": np.full(12, 0.1)}
    assert partial_tau(designs_of(grid[["a", "b"]], gaps, measures)).isna().all()
