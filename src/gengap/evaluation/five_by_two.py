"""The design of Ballester et al. (2023): 5x2 cross-validation, and Dietterich's test of its folds.

It is kept to reproduce the paper's tables (arXiv:2203.12330). Its ten folds train on half of the
networks, so which measure comes first depends on the seed; rankings are made from repeated K-fold
cross-validation instead (:mod:`gengap.evaluation.folds`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from gengap.evaluation.designs import (
    HYPER_PARAMETERS,
    MEAN,
    REFERENCE,
    Design,
    Designs,
    hyper_parameter_design,
    natural_key,
)
from gengap.evaluation.rank_statistics import STATISTICS, weighted
from gengap.evaluation.regression import (
    CONSTANT_TOLERANCE,
    RANK_TOLERANCE,
    principal_components,
    span,
)
from gengap.seeding import generator

REPEATS = 5
"""Number of random halvings of the networks (Dietterich 1998)."""
EQUAL_TOLERANCE = 1e-10
"""Scores that differ by less than this fraction of their size are equal up to rounding."""
TIE_DIGITS = 12
"""Measures whose mean R2 agree to this many digits are sorted by name."""
R2_COLUMNS = ("r2_mean", "r2_std", "r2_median", "r2_min", "r2_max")
COLUMNS = (
    "measure", "family", "kind", "components", "underdetermined", "eligible",
    *R2_COLUMNS, *STATISTICS, "networks",
)  # fmt: skip
FOLD_COLUMNS = ("measure", "repeat", "fold", "r2")


def halves(networks: int, rng: np.random.Generator) -> np.ndarray:
    """Halve the networks at random, five times.

    With an odd number of networks the first half is the smaller one. Fold 0 is tested on the first
    half, fold 1 on the second; either is trained on the other.

    Args:
        networks: how many there are.
        rng: draws the halvings.

    Returns:
        (5, networks) bool: whether a network is in the first half.
    """
    order = np.argsort(rng.random((REPEATS, networks)), axis=1)
    first = np.zeros((REPEATS, networks), dtype=bool)
    np.put_along_axis(first, order[:, : networks // 2], True, axis=1)
    return first


def held_out_r2(
    train: np.ndarray, train_gaps: np.ndarray, test: np.ndarray, test_gaps: np.ndarray
) -> float:
    """Compute R2 on held-out networks of ordinary least squares with an intercept.

    R2 = 1 - sum (y - prediction)^2 / sum (y - mean of the held-out y)^2, as scikit-learn's
    ``r2_score``; where the held-out gaps are all equal it is 1 for a perfect prediction and 0
    otherwise, as there.

    The coefficients are those of minimum norm on columns standardised over the training networks
    (scikit-learn's ``StandardScaler`` before ``LinearRegression``). Where the solution is unique,
    that is ordinary least squares; where it is not, the result still does not depend on the units
    of the columns. Constant columns have no influence.

    Args:
        train: (training networks, columns); zero columns predict the training mean.
        train_gaps: (training networks,).
        test: (held-out networks, columns).
        test_gaps: (held-out networks,).

    Returns:
        R2, at most 1.
    """
    mean = train.mean(axis=0)
    centred = train - mean
    spread = np.sqrt(np.mean(centred**2, axis=0))
    varies = spread > CONSTANT_TOLERANCE * np.abs(mean)
    scale = np.where(varies, 1.0 / np.where(varies, spread, 1.0), 0.0)
    level = train_gaps.mean()
    prediction = np.full(len(test), level)
    if varies.any():
        coefficients, *_ = np.linalg.lstsq(
            centred * scale, train_gaps - level, rcond=RANK_TOLERANCE
        )
        prediction += ((test - mean) * scale) @ coefficients
    error = float(np.sum((test_gaps - prediction) ** 2))
    total = float(np.sum((test_gaps - test_gaps.mean()) ** 2))
    if total == 0:
        return 1.0 if error == 0 else 0.0
    return 1.0 - error / total


def cross_validate(designs: Sequence[Design], gaps: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Compute the held-out R2 of each design in each fold.

    Args:
        designs: what to regress on.
        gaps: (networks,).
        first: (repeats, networks) bool from ``halves``, shared by all designs.

    Returns:
        (designs, repeats, 2).
    """
    scores = np.empty((len(designs), len(first), 2))
    for index, design in enumerate(designs):
        matrix = span(design.values) if design.reduced else design.values
        for repeat, half in enumerate(first):
            for fold, test in enumerate((half, ~half)):
                inside, outside = matrix[~test], matrix[test]
                if design.reduced:
                    inside, outside = principal_components(inside, outside)
                scores[index, repeat, fold] = held_out_r2(inside, gaps[~test], outside, gaps[test])
    return scores


def paired_t_test(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Compare two predictors' scores on the same folds by Dietterich's 5x2cv paired t test.

    With d_ij the difference of the scores in fold j of repeat i and s_i^2 = sum_j (d_ij - mean_j
    d_ij)^2, the statistic t = d_11 / sqrt(mean_i s_i^2) has approximately a t distribution. It has
    as many degrees of freedom as there are repeats (Dietterich, "Approximate statistical tests for
    comparing supervised classification learning algorithms", Neural Computation 10, 1998, section
    3.5). The score here is the held-out R2.

    Args:
        first: (repeats, 2) scores.
        second: (repeats, 2) scores.

    Returns:
        t, positive when ``first`` scored higher in the first fold, and the two-sided p. Equal
        scores give t = 0 and p = 1; a difference without any variance gives an infinite t and
        p = 0.
    """
    from scipy import stats

    difference = first - second
    size = np.maximum(1.0, np.maximum(np.abs(first), np.abs(second)))
    difference = np.where(np.abs(difference) <= EQUAL_TOLERANCE * size, 0.0, difference)
    variance = np.sum((difference - difference.mean(axis=1, keepdims=True)) ** 2, axis=1).mean()
    lead = float(difference[0, 0])
    if lead == 0:
        return 0.0, 1.0
    if variance == 0:
        return float(np.copysign(np.inf, lead)), 0.0
    t = lead / float(np.sqrt(variance))
    return t, float(2 * stats.t.sf(abs(t), df=len(first)))


def references(designs: Designs) -> list[Design]:
    """Return the paper's reference rows: the mean, the hyper-parameters, the training accuracy."""
    training = f"training_{designs.gap_of}"
    rows = [
        Design(MEAN, REFERENCE, (), np.zeros((len(designs.gaps), 0))),
        Design(f"{REFERENCE}.{training}", REFERENCE, (training,), designs.training[:, None]),
    ]
    if len(designs.grid.columns):
        rows.insert(1, hyper_parameter_design(designs.grid))
    return rows


def five_by_two(designs: Designs, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score every measure and reference row as the paper does.

    Each measure's components are regressed on by ordinary least squares under 5x2 cross-validation
    (:func:`held_out_r2`) whose seeded halvings all measures share. A measure with more coefficients
    than training networks is ``underdetermined`` and not eligible for best; neither is a constant.

    Args:
        designs: the measures of a task.
        seed: of the halvings.

    Returns:
        One row for each measure: measure, family, kind (scalar, vector, reference), components,
        underdetermined, eligible, r2_mean, r2_std (n - 1), r2_median, r2_min, r2_max over the ten
        folds, kendall, spearman, pearson (of scalars), networks; by falling r2_mean. And one row
        for each fold: measure, repeat, fold, r2.
    """
    rows = [*designs.measures, *references(designs)]
    networks = len(designs.gaps)
    first = halves(networks, generator(seed, "evaluation", "halves", "all"))
    scores = cross_validate(rows, designs.gaps, first)
    keys = [
        (-round(mean, TIE_DIGITS), natural_key(row.name))
        for mean, row in zip(scores.reshape(len(rows), -1).mean(axis=1), rows, strict=True)
    ]
    order = sorted(range(len(rows)), key=keys.__getitem__)
    table = pd.DataFrame(
        [_table_row(rows[index], scores[index].ravel(), designs.gaps) for index in order],
        columns=list(COLUMNS),
    )
    folds = pd.DataFrame(
        [
            (rows[index].name, repeat, fold, value)
            for index in order
            for (repeat, fold), value in np.ndenumerate(scores[index])
        ],
        columns=list(FOLD_COLUMNS),
    )
    return table, folds


def _table_row(row: Design, folds: np.ndarray, gaps: np.ndarray) -> tuple[object, ...]:
    """Return the cells of one row of the table, in the order of ``COLUMNS``."""
    underdetermined = row.underdetermined(len(gaps) // 2)
    correlations = np.full(len(STATISTICS), np.nan)
    # The hyper-parameters may fill only one column, but are no measure with a sign.
    if len(row.components) == 1 and row.name != HYPER_PARAMETERS:
        correlations = weighted(row.values.T, gaps, np.ones((1, len(gaps))))[0, 0]
    return (
        row.name,
        row.family,
        row.kind,
        len(row.components),
        underdetermined,
        row.kind != REFERENCE and not underdetermined and not row.constant,
        folds.mean(),
        folds.std(ddof=1),
        np.median(folds),
        folds.min(),
        folds.max(),
        *correlations,
        len(gaps),
    )
