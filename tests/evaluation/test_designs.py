"""Natural order, and the model of the hyper-parameters alone."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gengap.evaluation.designs import hyper_parameter_design, levels, natural_key


def test_numbers_in_names_count_as_numbers() -> None:
    names = ["10", "9", "model_10", "model_2", "a", "2b", "2"]
    assert sorted(names, key=natural_key) == ["2", "2b", "9", "10", "a", "model_2", "model_10"]


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
