"""Comparison of a few feature sets: R2 of each, and the 5x2cv test of each pair."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd

from gengap.errors import GengapError
from gengap.evaluation.comparison import holm
from gengap.evaluation.five_by_two import R2_COLUMNS, REPEATS, paired_t_test
from gengap.evaluation.rank_statistics import STATISTICS

SET_COLUMNS = ("components", "underdetermined", *R2_COLUMNS, *STATISTICS, "networks")


def compare_feature_sets(
    scores: pd.DataFrame, folds: pd.DataFrame, feature_sets: Mapping[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare the chosen measures on the ten folds of 5x2 cross-validation.

    Every pair is tested by Dietterich's 5x2cv paired t test on the held-out R2
    (:func:`gengap.evaluation.paired_t_test`); Holm's correction is over all pairs.

    Args:
        scores: the table of :func:`gengap.evaluation.five_by_two`.
        folds: its folds.
        feature_sets: the measure that each label stands for.

    Returns:
        feature_set, measure, and the columns of ``scores``, in the order of the labels; and
        first, second (labels), difference (mean R2 of the first less that of the second), t
        (positive where the first scored higher in the first fold), p, p_holm.

    Raises:
        GengapError: there are fewer than two feature sets, or a measure has no score.
    """
    if len(feature_sets) < 2:
        raise GengapError("'feature_sets' names fewer than two measures: there is no pair to test.")
    rows = scores.set_index("measure")
    r2 = {}
    for label, measure in feature_sets.items():
        if measure not in rows.index:
            raise GengapError(
                f"'feature_sets' names the measure '{measure}' ({label}), which has no "
                "score: add its family to 'families' or correct the name, unless left_out.csv says "
                "why it is not compared."
            )
        ordered = folds[folds["measure"] == measure].sort_values(["repeat", "fold"])
        r2[label] = ordered["r2"].to_numpy().reshape(REPEATS, 2)
    table = rows.loc[list(feature_sets.values()), list(SET_COLUMNS)].reset_index()
    table.insert(0, "feature_set", list(feature_sets))
    return table, pair_tests(r2)


def pair_tests(scores: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Test all pairs of feature sets, from (repeats, 2) held-out R2 by label."""
    tests = []
    for first, second in itertools.combinations(scores, 2):
        difference = scores[first].mean() - scores[second].mean()
        tests.append((first, second, difference, *paired_t_test(scores[first], scores[second])))
    table = pd.DataFrame(tests, columns=["first", "second", "difference", "t", "p"])
    return table.assign(p_holm=holm(table["p"].to_numpy()))
