"""Which predictors can be told apart: the corrected resampled t test, Holm's correction, groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

COLUMNS = (
    "measure", "against", "difference", "low", "high", "p", "p_holm",
    "probability_better", "probability_equal", "probability_worse",
)  # fmt: skip
EQUIVALENCE = 0.02
"""Differences of R2 up to this size are practically nothing."""
CONFIDENCE = 0.95
"""Of the intervals, and the probability at which a row counts as worse than another."""
EQUAL_TOLERANCE = 1e-10
"""Scores that differ by less than this fraction of their size are equal up to rounding."""


class Comparison(NamedTuple):
    """How a predictor's R2 differs from another's.

    Attributes:
        difference: mean difference of the scores.
        low: lower end of its 95 % interval.
        high: upper end.
        p: two-sided p of no difference.
        probability_better: posterior probability of a difference above ``EQUIVALENCE``.
        probability_equal: posterior probability of one within it.
        probability_worse: posterior probability of one below minus ``EQUIVALENCE``.
    """

    difference: float
    low: float
    high: float
    p: float
    probability_better: float
    probability_equal: float
    probability_worse: float


def compare(first: np.ndarray, second: np.ndarray, held_out_ratio: float) -> Comparison:
    """Compare two predictors' scores on the same folds by the corrected resampled t test.

    Folds of several repeats share their training networks, so the variance of the mean of J
    differences is (1 / J + n_test / n_train) times their sample variance (Nadeau and Bengio,
    "Inference for the generalization error", Machine Learning 52, 2003, section 3.2), and t has
    J - 1 degrees of freedom. With K folds that ratio is 1 / (K - 1); it is larger where a network's
    own draw of the data is kept from training, too. With a prior that says nothing, the posterior
    of the difference is the same shifted and scaled t distribution (Corani and Benavoli, "A
    Bayesian approach for comparing cross-validated algorithms on multiple data sets", Machine
    Learning 100, 2015; Benavoli et al., "Time for a change", JMLR 18, 2017, section 4).

    Args:
        first: (repeats, folds) scores whose mean is the R2 (``regression.fold_scores``).
        second: (repeats, folds) scores.
        held_out_ratio: n_test / n_train, see :attr:`gengap.evaluation.folds.Folds.held_out_ratio`.

    Returns:
        The comparison. Scores that are equal everywhere are equal for certain, with p = 1; so is
        the difference where it is the same in all folds, with p = 0.
    """
    difference = first - second
    size = np.maximum(1.0, np.maximum(np.abs(first), np.abs(second)))
    difference = np.where(np.abs(difference) <= EQUAL_TOLERANCE * size, 0.0, difference)
    mean = float(difference.mean())
    count = difference.size
    variance = (1 / count + held_out_ratio) * float(difference.var(ddof=1))
    if variance <= (EQUAL_TOLERANCE * mean) ** 2:
        better, worse = float(mean > EQUIVALENCE), float(mean < -EQUIVALENCE)
        p = float(mean == 0)
        return Comparison(mean, mean, mean, p, better, 1 - better - worse, worse)
    scale, freedom = np.sqrt(variance), count - 1
    half = scale * float(stdtrit(freedom, (1 + CONFIDENCE) / 2))
    better = float(stdtr(freedom, (mean - EQUIVALENCE) / scale))
    worse = float(stdtr(freedom, (-EQUIVALENCE - mean) / scale))
    p = 2 * float(stdtr(freedom, -abs(mean) / scale))
    return Comparison(mean, mean - half, mean + half, p, better, 1 - better - worse, worse)


def holm(p: np.ndarray) -> np.ndarray:
    """Adjust the p values of a family of tests by Holm's step-down method.

    The k-th smallest of m is multiplied by m - k + 1, then made monotone and truncated at 1 (Holm,
    "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6, 1979).

    Args:
        p: (tests,) p values.

    Returns:
        (tests,) adjusted p values.
    """
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(adjusted, 1.0)


def comparisons(
    scores: Mapping[str, np.ndarray],
    others: Sequence[str],
    family: Sequence[str],
    held_out_ratio: float,
) -> pd.DataFrame:
    """Compare every row with each of some others.

    Args:
        scores: (repeats, folds) scores of each row.
        others: the rows that all rows are compared with.
        family: the rows that Holm's correction is over, for each of the others; the remaining rows
            have no corrected p.
        held_out_ratio: see :func:`compare`.

    Returns:
        ``COLUMNS``, ordered by ``others`` and then as ``scores`` are.
    """
    tables = [pd.DataFrame(columns=list(COLUMNS))]
    for other in others:
        rows = [name for name in scores if name != other]
        table = pd.DataFrame(
            [compare(scores[name], scores[other], held_out_ratio) for name in rows],
            columns=Comparison._fields,
        )
        table.insert(0, "measure", rows)
        table.insert(1, "against", other)
        inside = table["measure"].isin(family)
        table["p_holm"] = np.nan
        table.loc[inside, "p_holm"] = holm(table.loc[inside, "p"].to_numpy())
        tables.append(table[list(COLUMNS)])
    return pd.concat([table for table in tables if len(table)] or tables, ignore_index=True)


def groups(scores: Mapping[str, np.ndarray], held_out_ratio: float) -> dict[str, int]:
    """Group rows that cannot be told apart.

    The first group has the row with the best mean, and every row that is not worse than it beyond
    the region of practical equivalence with a probability above ``CONFIDENCE``. The next groups are
    formed likewise from the remaining rows. Two rows of one group may still differ from each other.

    Args:
        scores: (repeats, folds) scores of each row, by falling mean.
        held_out_ratio: see :func:`compare`.

    Returns:
        The number of each row's group, from 1.
    """
    numbers: dict[str, int] = {}
    remaining = list(scores)
    group = 0
    while remaining:
        group += 1
        best = remaining[0]
        for name in remaining:
            if compare(scores[name], scores[best], held_out_ratio).probability_worse <= CONFIDENCE:
                numbers[name] = group
        remaining = [name for name in remaining if name not in numbers]
    return numbers
