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
    """How the R2 of predictors differs from that of another one, (...) float64 each.

    Attributes:
        difference: mean difference of the scores.
        low: lower end of its 95 % interval.
        high: upper end.
        p: two-sided p of no difference.
        probability_better: posterior probability of a difference above ``EQUIVALENCE``.
        probability_equal: posterior probability of one within it.
        probability_worse: posterior probability of one below minus ``EQUIVALENCE``.
    """

    difference: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    probability_better: np.ndarray
    probability_equal: np.ndarray
    probability_worse: np.ndarray


def compare(first: np.ndarray, second: np.ndarray, held_out_ratio: float) -> Comparison:
    """Compare predictors' scores on the same folds by the corrected resampled t test.

    Folds of several repeats share their training networks, so the variance of the mean of J
    differences is (1 / J + n_test / n_train) times their sample variance (Nadeau and Bengio,
    "Inference for the generalization error", Machine Learning 52, 2003, section 3.2), and t has
    J - 1 degrees of freedom. With K folds that ratio is 1 / (K - 1); it is larger where a network's
    own draw of the data is kept from training, too. With a prior that says nothing, the posterior
    of the difference is the same shifted and scaled t distribution (Corani and Benavoli, "A
    Bayesian approach for comparing cross-validated algorithms on multiple data sets", Machine
    Learning 100, 2015; Benavoli et al., "Time for a change", JMLR 18, 2017, section 4).

    Args:
        first: (..., repeats, folds) scores whose mean is the R2 (``regression.fold_scores``).
        second: (repeats, folds) scores. Where one has more repeats, the first ones are compared,
            which both have.
        held_out_ratio: n_test / n_train, see :attr:`gengap.evaluation.folds.Folds.held_out_ratio`.

    Returns:
        The comparisons. Scores that are equal everywhere are equal for certain, with p = 1; so is
        the difference where it is the same in all folds, with p = 0.
    """
    repeats = min(first.shape[-2], len(second))
    first, second = first[..., :repeats, :], second[:repeats]
    difference = first - second
    size = np.maximum(1.0, np.maximum(np.abs(first), np.abs(second)))
    difference = np.where(np.abs(difference) <= EQUAL_TOLERANCE * size, 0.0, difference)
    count = second.size
    mean = difference.mean(axis=(-2, -1))
    variance = (1 / count + held_out_ratio) * difference.var(axis=(-2, -1), ddof=1)
    certain = variance <= (EQUAL_TOLERANCE * mean) ** 2
    scale, freedom = np.sqrt(np.where(certain, 1.0, variance)), count - 1
    half = np.where(certain, 0.0, scale * stdtrit(freedom, (1 + CONFIDENCE) / 2))
    better = stdtr(freedom, (mean - EQUIVALENCE) / scale)
    better = np.where(certain, mean > EQUIVALENCE, better)
    worse = stdtr(freedom, (-EQUIVALENCE - mean) / scale)
    worse = np.where(certain, mean < -EQUIVALENCE, worse)
    p = np.where(certain, mean == 0, 2 * stdtr(freedom, -np.abs(mean) / scale))
    return Comparison(mean, mean - half, mean + half, p, better, 1 - better - worse, worse)


def compare_all(
    scores: Mapping[str, np.ndarray], other: np.ndarray, held_out_ratio: float
) -> pd.DataFrame:
    """Compare rows with one other.

    Args:
        scores: (repeats, folds) scores of each row.
        other: (repeats, folds) scores.
        held_out_ratio: see :func:`compare`.

    Returns:
        The fields of :class:`Comparison`, by row.
    """
    parts = []
    for repeats in {len(own) for own in scores.values()}:
        alike = [name for name, own in scores.items() if len(own) == repeats]
        compared = compare(np.array([scores[name] for name in alike]), other, held_out_ratio)
        parts.append(pd.DataFrame(compared._asdict(), index=alike))
    return pd.concat(parts).loc[list(scores)]


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

    Rows may have unequally many repeats, see :func:`compare`.

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
        rows = {name: own for name, own in scores.items() if name != other}
        if not rows:
            continue
        table = compare_all(rows, scores[other], held_out_ratio)
        table = table.rename_axis("measure").reset_index()
        table["against"] = other
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
        rows = {name: scores[name] for name in remaining}
        worse = compare_all(rows, scores[remaining[0]], held_out_ratio)["probability_worse"]
        alike = worse.index[worse <= CONFIDENCE]
        numbers |= dict.fromkeys([remaining[0], *alike], group)
        remaining = [name for name in remaining if name not in numbers]
    return numbers
