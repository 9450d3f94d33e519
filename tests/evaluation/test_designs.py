"""Natural order, and the model of the hyper-parameters alone."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from gengap.errors import GengapError
from gengap.evaluation.designs import (
    Designs,
    grid_points,
    hyper_parameter_design,
    level_like,
    levels,
    natural_key,
    prepare,
)

if TYPE_CHECKING:
    from tests.evaluation.conftest import Zoo


def test_numbers_in_names_count_as_numbers() -> None:
    names = ["10", "9", "model_10", "model_2", "a", "2b", "2"]
    assert sorted(names, key=natural_key) == ["2", "2b", "9", "10", "a", "model_2", "model_10"]
    assert sorted(["norm_2²", "norm_2"], key=natural_key) == ["norm_2", "norm_2²"]


def test_the_order_of_levels_is_that_of_no_set() -> None:
    """0.1, 0.01 and 0.001 have the same numbers in their texts."""
    decays = [0.1, 0.01, 0.001, None]
    for order in itertools.permutations(decays):
        assert levels(pd.Series(order, dtype=object))[0] == ["0.001", "0.01", "0.1", "None"]


def test_a_missing_value_is_one_level_and_changes_no_other() -> None:
    as_objects = levels(pd.Series([8, None, 16], dtype=object))
    as_floats = levels(pd.Series([8, None, 16]))
    assert as_objects[0] == as_floats[0] == ["8", "16", "None"]
    np.testing.assert_array_equal(as_objects[1], as_floats[1])


def test_a_value_is_found_among_the_levels_as_it_is_given() -> None:
    numbers, texts = [0.01, 8.0], ["0.01", "8", "None"]
    for value, place in (0.01, 0), ("0.01", 0), (8, 1), (8.0, 1), ("8", 1), (np.float64(8), 1):
        assert level_like(numbers, value) == level_like(texts, value) == place
    assert level_like(texts, None) == level_like(texts, math.nan) == 2
    assert level_like(numbers, None) is None
    assert level_like(numbers, 0.02) is None


def test_levels_are_in_order_and_keep_missing_values_and_lists() -> None:
    distinct, index = levels(pd.Series([512, 8, 32, 8]))
    assert distinct == [8, 32, 512]
    np.testing.assert_array_equal(index, [2, 0, 1, 0])
    assert levels(pd.Series(["w10", "w9", "w10"]))[0] == ["w9", "w10"]
    assert levels(pd.Series([None, "step", None], dtype=object))[0] == ["None", "step"]
    assert levels(pd.Series([[1, 2], [1]]))[0] == ["[1, 2]", "[1]"]


def test_hyper_parameters_become_indicators_or_numbers() -> None:
    grid = pd.DataFrame(
        {
            "rate": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
            "kind": ["b", "a", "c", "a", "b", "c"],
            "same": [1, 1, 1, 1, 1, 1],
            "dropout": [True, False, True, False, True, False],
        }
    )
    design = hyper_parameter_design(grid)
    assert design.components == ("dropout=True", "kind=b", "kind=c", "rate")
    expected = [
        [1, 1, 0, 0.1], [0, 0, 0, 0.2], [1, 0, 1, 0.3],
        [0, 0, 0, 0.4], [1, 1, 0, 0.5], [0, 0, 1, 0.6],
    ]  # fmt: skip
    np.testing.assert_array_equal(design.values, expected)
    assert hyper_parameter_design(grid[["same"]]).values.shape == (6, 0)


def test_replicates_share_a_grid_point_whatever_the_order() -> None:
    grid = pd.DataFrame({"width": [16, 8, 16, 8], "same": 1, "rate": [0.1, 0.1, 0.1, 0.2]})
    np.testing.assert_array_equal(grid_points(grid), [1, 0, 1, 2])
    np.testing.assert_array_equal(grid_points(grid.iloc[::-1]), [2, 1, 0, 1])
    np.testing.assert_array_equal(grid_points(grid[["same"]]), [0, 1, 2, 3])
    np.testing.assert_array_equal(grid_points(pd.DataFrame(index=range(3))), [0, 1, 2])


def test_draws_and_errors_are_of_the_compared_networks(zoo: Zoo) -> None:
    networks = list(zoo.gaps.index)
    numbered = pd.Series(np.arange(len(networks), dtype=float), index=networks)
    errors = zoo.measures[zoo.measures["measure"].isin(["signal", "pair", "noise"])]
    errors = errors.assign(standard_error=errors["network"].map(numbered))
    # "noise" does not report the error of every network.
    errors = errors[(errors["measure"] != "noise") | (errors["network"] != "5")]
    designs = prepare(
        zoo.measures, zoo.gaps, zoo.grid, zoo.training_accuracy, (), "accuracy",
        draws=pd.Series(["a", "b"] * 12, index=networks).iloc[::-1],
        gap_errors=numbered.iloc[::-1],
        standard_errors=errors.iloc[::-1],
        leave_out={"3": "training did not reach its target loss"},
    )  # fmt: skip
    expected = np.delete(np.arange(24.0), 3)
    assert designs.draws is not None
    np.testing.assert_array_equal(designs.draws, np.delete(np.array(["a", "b"] * 12), 3))
    np.testing.assert_array_equal(designs.gap_errors, expected)
    assert set(designs.standard_errors) == {"signal"}
    np.testing.assert_array_equal(designs.standard_errors["signal"], expected)
    assert designs.left_out.values.tolist() == [
        ["network", "3", "training did not reach its target loss"]
    ]
    assert len(designs.points) == 23


def test_one_draw_is_none_and_a_network_without_a_draw_is_refused(zoo: Zoo) -> None:
    networks = list(zoo.gaps.index)
    arguments = (zoo.measures, zoo.gaps, zoo.grid, zoo.training_accuracy, (), "accuracy")
    assert prepare(*arguments, draws=pd.Series("a", index=networks)).draws is None
    with pytest.raises(GengapError, match=r"Network 22 has no draw"):
        prepare(*arguments, draws=pd.Series(["a", "b"] * 11, index=networks[:22]))


def test_some_of_the_networks_are_as_if_the_others_had_been_left_out(zoo: Zoo) -> None:
    networks = list(zoo.gaps.index)
    numbered = pd.Series(np.arange(len(networks), dtype=float), index=networks)
    errors = zoo.measures.assign(standard_error=zoo.measures["network"].map(numbered))

    def prepared(leave_out: dict[str, str]) -> Designs:
        return prepare(
            zoo.measures, zoo.gaps, zoo.grid, zoo.training_accuracy, (), "accuracy",
            draws=pd.Series(["a", "b"] * 12, index=networks),
            gap_errors=numbered,
            standard_errors=errors,
            leave_out=leave_out,
        )  # fmt: skip

    whole, gone = prepared({}), ("0", "3", "17")
    kept = ~np.isin(whole.networks, gone)
    expected = prepared(dict.fromkeys(gone, "not wanted"))
    for some in (whole.rows(kept), whole.rows(np.flatnonzero(kept))):
        assert some.networks == expected.networks
        assert some.gap_of == expected.gap_of
        pd.testing.assert_frame_equal(some.grid, expected.grid)
        assert some.left_out.empty
        for one, other in zip(some.measures, expected.measures, strict=True):
            assert (one.name, one.components) == (other.name, other.components)
            np.testing.assert_array_equal(one.values, other.values)
        for name in ("gaps", "training", "draws", "gap_errors", "points"):
            np.testing.assert_array_equal(getattr(some, name), getattr(expected, name))
        assert set(some.standard_errors) == set(expected.standard_errors)
        for name, values in some.standard_errors.items():
            np.testing.assert_array_equal(values, expected.standard_errors[name])
