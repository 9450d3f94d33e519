"""Held-out predictions of the gap by least squares, for all cells of a cross-validation at once.

The fit to the training networks of a cell (:class:`gengap.evaluation.folds.Folds`) maps their gaps
to a prediction for every network, ``F F^T (train * gaps)`` with a matrix F of few columns, the
*factor*. The mean has the factor 1 / sqrt(training networks). Columns beside others add the columns
R G^(-1/2) to it, where R is what remains of them after the others' fit and G = X^T R over the
training networks (Frisch and Waugh, "Partial time regressions as compared with individual trends",
Econometrica 1, 1933). A ridge penalty shrinks the columns of F.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.special import ndtri

from gengap.evaluation.designs import Design, most_principal_components
from gengap.evaluation.folds import Folds
from gengap.evaluation.permutations import blocks

EXPLAINED_VARIANCE = 0.95
"""Fraction of the training networks' variance that the principal components keep."""
RANK_TOLERANCE = 1e-6
"""Directions below this fraction of the largest singular value count as rounding.

Most measures come from float32 networks, and scikit-learn's ``LinearRegression`` draws the line
there too.
"""
CONSTANT_TOLERANCE = 1e-12
"""A column whose spread is below this fraction of its size does not vary."""
MOST_SKEWNESS = 1.0
"""A sample whose skewness exceeds this is "highly skewed" (Bulmer, Principles of Statistics, 1979,
chapter 4)."""
MARGIN = 1.0
"""A scalar, or a predicted gap, that is outside the range of the training networks by more than
this many of their standard deviations counts as that far outside."""
PENALTIES = np.logspace(-4, 2, 25)
"""Ridge penalties to choose from, for each training network and standardised column."""
IDENTITY, LOG, RANK = range(3)
TRANSFORMS = ("identity", "log", "rank")
"""What a scalar is transformed by, in the order of the constants above."""


@dataclass(frozen=True)
class Basis:
    """What columns of numbers can express in the cells of a cross-validation.

    Attributes:
        factors: for each repeat, (cells, networks, columns) float64: F in the prediction
            ``F F^T (train * gaps)`` of every network.
    """

    factors: tuple[np.ndarray, ...]

    def first(self, repeats: int) -> Basis:
        """Return the basis in the first repeats alone."""
        return Basis(self.factors[:repeats])


def least_training(folds: Folds) -> int:
    """Return the number of training networks of the cell that has the fewest."""
    return min(int(train.sum(axis=1).min()) for train, _ in folds.masks)


def mean_basis(folds: Folds) -> Basis:
    """Return the basis of the means of the draws of training data.

    Each draw that a cell trains on has a level of its own, and a network of another draw is
    predicted by the mean of these levels. So what is fitted beside it rests on differences between
    networks of one draw (a fixed-effects or within estimator; Mundlak, "On the pooling of time
    series and cross section data", Econometrica 46, 1978): the few draws of a task cannot tell how
    the levels of draws depend on a measure. With one draw it is the basis of the constant.
    """
    return Basis(tuple(level_factor(train, folds.draws) for train, _ in folds.masks))


def level_factor(train: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Return the factor of the levels of draws, as in :func:`mean_basis`.

    Args:
        train: (cells, networks) bool.
        draws: (networks,) int64 number of each network's draw.

    Returns:
        (cells, networks, draws).
    """
    membership = np.eye(int(draws.max()) + 1)[draws]
    counts = train @ membership
    used = counts > 0
    scale = np.where(used, 1 / np.sqrt(np.where(used, counts, 1.0)), 0.0)
    # A network of a draw that the cell does not train on gets the mean of all levels.
    levels = used / used.sum(axis=1, keepdims=True)
    shares = np.where(used[:, draws][:, :, None], membership, levels[:, None, :])
    return np.asarray(shares * scale[:, None, :])


def extended(basis: Basis, design: Design, folds: Folds) -> Basis:
    """Add a design's columns to a basis, by ordinary least squares.

    The coefficients are those of minimum norm on columns standardised over the training networks
    (scikit-learn's ``StandardScaler`` before ``LinearRegression``). Where the solution is unique,
    that is ordinary least squares; where it is not, the result still does not depend on the units
    of the columns. Constant columns have no influence, nor has what the basis expresses already.

    Args:
        basis: what is fitted beside the columns, at least the constant.
        design: its columns are replaced by principal components where it is ``reduced``, and
            transformed where it is a scalar (:func:`transformed`).
        folds: the cells.

    Returns:
        The basis of both together.
    """
    return Basis(
        tuple(
            np.concatenate([factor, added_factor(factor, columns, train)], axis=2)
            for factor, (columns, train) in zip(
                basis.factors, cell_columns(design, folds), strict=True
            )
        )
    )


def ridge_extended(basis: Basis, design: Design, gaps: np.ndarray, folds: Folds) -> Basis:
    """Add a design's columns to a basis, by ridge regression that does not shrink the basis.

    In each cell the penalty is the one of ``PENALTIES`` with the least generalised cross-validation
    score on the training networks, RSS / (n - degrees of freedom)^2 (Golub, Heath and Wahba,
    "Generalized cross-validation as a method for choosing a good ridge parameter", Technometrics
    21, 1979). Networks with equal columns, i.e. replicates, count as one of n, with the mean of
    their gaps: they would predict each other, but whole grid points are held out. Columns are
    standardised over the training networks.

    Args:
        basis: what is fitted by least squares beside the columns.
        design: (networks, columns).
        gaps: (networks,); only those of a cell's training networks choose its penalty.
        folds: the cells.

    Returns:
        The basis of both together, with the penalties fixed.
    """
    _, points = np.unique(design.values, axis=0, return_inverse=True)
    membership = csr_array(
        (np.ones(len(gaps)), points.reshape(-1), np.arange(len(gaps) + 1)),
        shape=(len(gaps), int(points.max()) + 1),
    )
    factors = []
    for factor, (train, _) in zip(basis.factors, folds.masks, strict=True):
        cells, networks, known = factor.shape
        joined = np.empty((cells, networks, known + min(design.values.shape)))
        joined[:, :, :known] = factor
        for block in blocks(cells, design.values.size):
            joined[block, :, known:] = ridge_factor(
                factor[block], design, gaps, train[block], membership
            )
        factors.append(joined)
    return Basis(tuple(factors))


def ridge_factor(
    factor: np.ndarray,
    design: Design,
    gaps: np.ndarray,
    train: np.ndarray,
    membership: csr_array,
) -> np.ndarray:
    """Return the columns that join a factor in some cells, as :func:`ridge_extended` says.

    Args:
        factor: (cells, networks, columns of the factor).
        design: (networks, columns).
        gaps: (networks,).
        train: (cells, networks) bool.
        membership: (networks, points) of zeros and ones: which networks have equal columns.

    Returns:
        (cells, networks, as many as there are columns, or networks if these are fewer).
    """
    size = train.sum(axis=1)[:, None]
    columns = standardised_columns(design_columns(design, design.values, train), train)
    scores = rotated(columns, train)
    inside = scores * train[:, :, None]
    residual = scores - factor @ (factor.mT @ inside)
    product = inside.mT @ residual
    square, vectors = np.linalg.eigh((product + product.mT) / 2)
    positive = square > RANK_TOLERANCE**2 * np.sum(inside**2, axis=(1, 2))[:, None]
    square = np.where(positive, square, 1.0)
    directions = np.where(positive[:, None, :], residual @ vectors, 0.0)
    unexplained = (gaps - fitted(factor, train, gaps)) * train
    along = np.einsum("cnk,cn->ck", directions, unexplained) / np.sqrt(square)
    counts = train @ membership
    means = (unexplained @ membership) / np.maximum(counts, 1)
    shrinkage = square / (square + PENALTIES[:, None, None] * size)
    error = np.sum(counts * means**2, axis=1) - np.sum(
        along**2 * (1 - (1 - shrinkage) ** 2), axis=2
    )
    known = np.sum((factor * train[:, :, None]) ** 2, axis=(1, 2))
    freedom = (counts > 0).sum(axis=1) - known - np.sum(shrinkage * positive, axis=2)
    enough = freedom > RANK_TOLERANCE * size[:, 0]
    score = np.where(enough, error / np.where(enough, freedom, 1.0) ** 2, np.inf)
    penalty = PENALTIES[np.argmin(score, axis=0)][:, None] * size
    return np.asarray(directions / np.sqrt(square + penalty)[:, None, :])


def predict(basis: Basis, gaps: np.ndarray, folds: Folds) -> np.ndarray:
    """Predict the gap of every network while it is held out.

    Args:
        basis: what is fitted.
        gaps: (networks,).
        folds: the cells.

    Returns:
        (repeats, networks) float64.
    """
    return np.array(
        [
            held_out(fitted(factor, train, gaps)[:, :, None], gaps, train, test)[:, 0]
            for factor, (train, test) in zip(basis.factors, folds.masks, strict=True)
        ]
    )


def fitted(factor: np.ndarray, train: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Return (cells, networks): the prediction of each network in each cell."""
    coefficients = (train * gaps)[:, None, :] @ factor
    return np.asarray((factor @ coefficients.mT)[:, :, 0])


def predict_scalars(
    values: np.ndarray, gaps: np.ndarray, folds: Folds, bases: Sequence[Basis]
) -> tuple[list[np.ndarray], np.ndarray]:
    """Predict the gap from each of many scalars, beside each of some bases.

    What :func:`extended` and :func:`predict` do for one scalar, for all of them at once.

    Args:
        values: (networks, scalars).
        gaps: (networks,).
        folds: the cells.
        bases: what each scalar is fitted beside, in all repeats or in the first ones.

    Returns:
        For each basis, (scalars, its repeats, networks) predictions; and (scalars, 3) how many
        cells use each of ``TRANSFORMS``.
    """
    count = values.shape[1]
    predictions = [np.zeros((count, len(basis.factors), len(gaps))) for basis in bases]
    used = np.zeros((count, len(TRANSFORMS)), dtype=np.int64)
    for repeat, (train, test) in enumerate(folds.masks):
        alone = [
            fitted(basis.factors[repeat], train, gaps) if repeat < len(basis.factors) else None
            for basis in bases
        ]
        for block in blocks(count, train.size):
            columns, kinds = transformed(values[:, block], train)
            columns = standardised_columns(columns, train)
            used[block] += (kinds[:, :, None] == np.arange(len(TRANSFORMS))).sum(axis=0)
            inside = columns * train[:, :, None]
            for own, basis, known in zip(predictions, bases, alone, strict=True):
                if known is None:
                    continue
                factor = basis.factors[repeat]
                residual = columns - factor @ (factor.mT @ inside)
                square = np.sum(inside * residual, axis=1)
                independent = square > RANK_TOLERANCE**2 * train.sum(axis=1)[:, None]
                slope = ((train * gaps)[:, None, :] @ residual)[:, 0]
                slope = np.where(independent, slope / np.where(independent, square, 1.0), 0.0)
                prediction = known[:, :, None] + residual * slope[:, None, :]
                own[block, repeat] = held_out(prediction, gaps, train, test).T
    return predictions, used


def predict_vector(
    design: Design, gaps: np.ndarray, folds: Folds, bases: Sequence[Basis]
) -> list[np.ndarray]:
    """Predict the gap from one design beside each of some bases.

    What :func:`extended` and :func:`predict` do, with the design's columns computed once.

    Args:
        design: (networks, columns).
        gaps: (networks,).
        folds: the cells.
        bases: what the design is fitted beside, in all repeats or in the first ones.

    Returns:
        For each basis, (its repeats, networks).
    """
    predictions = [np.zeros((len(basis.factors), len(gaps))) for basis in bases]
    values = span(design.values) if design.reduced else design.values
    for repeat, (all_train, all_test) in enumerate(folds.masks):
        for block in blocks(len(all_train), values.size):
            train, test = all_train[block], all_test[block]
            columns = standardised_columns(design_columns(design, values, train), train)
            for own, basis in zip(predictions, bases, strict=True):
                if repeat >= len(basis.factors):
                    continue
                factor = basis.factors[repeat][block]
                added = added_factor(factor, columns, train)
                prediction = fitted(factor, train, gaps) + fitted(added, train, gaps)
                own[repeat] += held_out(prediction[:, :, None], gaps, train, test)[:, 0]
    return predictions


def held_out(
    predictions: np.ndarray, gaps: np.ndarray, train: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """Gather the predictions of all networks from the cells that hold them out.

    A prediction far outside the range of the gaps of the cell's training networks is moved towards
    it (``MARGIN``), as in the truncated least squares estimate (Györfi et al., A Distribution-Free
    Theory of Nonparametric Regression, 2002, chapter 11). So one wild extrapolation does not decide
    a score.

    Args:
        predictions: (cells, networks, rows) of every network in every cell.
        gaps: (networks,).
        train: (cells, networks) bool.
        test: (cells, networks) bool; each network is in one cell.

    Returns:
        (networks, rows).
    """
    known = np.broadcast_to(gaps[:, None], (*train.shape, 1))
    low, high = bounds(known, train)
    return np.asarray(np.sum(np.clip(predictions, low, high) * test[:, :, None], axis=0))


def cell_columns(design: Design, folds: Folds) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Iterate over the repeats: a design's standardised columns in each cell, and its networks.

    Args:
        design: its columns are replaced by principal components, or transformed, from the training
            networks of each cell alone.
        folds: the cells.

    Yields:
        (cells, networks, columns) values, and (cells, networks) bool: the networks to train on.
    """
    values = span(design.values) if design.reduced else design.values
    for train, _ in folds.masks:
        columns = design_columns(design, values, train)
        yield standardised_columns(columns, train), train


def design_columns(design: Design, values: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return (cells, networks, columns): what a design has in each cell, before standardisation.

    Args:
        design: what is done to its columns.
        values: (networks, columns) of it, in the :func:`span` of the networks if it is reduced.
        train: (cells, networks) bool.
    """
    if design.reduced:
        return principal_component_scores(values, train)
    if design.kind == "scalar":
        return transformed(values, train)[0]
    return np.broadcast_to(values, (len(train), *values.shape))


def standardised_columns(columns: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Give columns zero mean and unit spread over the training networks of each cell.

    Args:
        columns: (cells, networks, columns).
        train: (cells, networks) bool.

    Returns:
        (cells, networks, columns); zeros where a column does not vary.
    """
    weights = (train / train.sum(axis=1, keepdims=True))[:, None, :]
    mean = weights @ columns
    centred = columns - mean
    # Divided by the largest first, since squares of very large or small values would overflow.
    low, high = extremes(centred, train)
    largest = np.maximum(np.maximum(-low, high), 0.0)
    varies = largest > CONSTANT_TOLERANCE * np.abs(mean)
    centred *= np.where(varies, 1.0 / np.where(varies, largest, 1.0), 0.0)
    spread = np.sqrt(weights @ (centred * centred))
    centred *= np.where(varies, 1.0 / np.where(varies, spread, 1.0), 0.0)
    return np.asarray(centred)


def rotated(columns: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Rotate columns so that they are orthogonal over the training networks of each cell.

    A rotation changes neither the norm of coefficients nor a ridge penalty. There are at most as
    many columns afterwards as networks.

    Args:
        columns: (cells, networks, columns), of zero mean over the training networks.
        train: (cells, networks) bool.

    Returns:
        (cells, networks, directions).
    """
    inside = columns * train[:, :, None]
    if columns.shape[2] <= columns.shape[1]:
        return np.asarray(columns @ np.linalg.eigh(inside.mT @ inside)[1])
    square, vectors = np.linalg.eigh(inside @ inside.mT)
    positive = square > RANK_TOLERANCE**2 * square[:, -1:]
    scale = np.where(positive, 1 / np.sqrt(np.where(positive, square, 1.0)), 0.0)
    return np.asarray(columns @ (inside.mT @ (vectors * scale[:, None, :])))


def added_factor(factor: np.ndarray, columns: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return the columns that join a factor when further columns are fitted beside it.

    Args:
        factor: (cells, networks, columns of the factor).
        columns: (cells, networks, columns), standardised over the training networks.
        train: (cells, networks) bool.

    Returns:
        (cells, networks, directions); zeros for directions that the factor expresses already.
    """
    scores = rotated(columns, train) if columns.shape[2] > columns.shape[1] else columns
    inside = scores * train[:, :, None]
    residual = scores - factor @ (factor.mT @ inside)
    product = inside.mT @ residual
    square, vectors = np.linalg.eigh((product + product.mT) / 2)
    # The sum of all squares is at most as many times the largest as there are columns.
    total = np.sum(inside**2, axis=(1, 2))[:, None]
    independent = square > RANK_TOLERANCE**2 * total
    scale = np.where(independent, 1 / np.sqrt(np.where(independent, square, 1.0)), 0.0)
    return np.asarray(residual @ (vectors * scale[:, None, :]))


def principal_component_scores(values: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Project all networks on the first principal components of each cell's training networks.

    As many components as explain 95 % of the training variance, at least one and at most a quarter
    of the training networks. Columns keep their unit: they are pixels of one image, or values of
    one landscape, and those that hardly vary should not count as much as the others.

    Args:
        values: (networks, columns).
        train: (cells, networks) bool.

    Returns:
        (cells, networks, components); zeros beyond a cell's number of components.
    """
    if values.shape[1] < len(values):
        return scores_by_columns(values, train)
    rows, present = training_rows(train)
    weights = present / present.sum(axis=1, keepdims=True)
    # Products of networks, less the means over the training networks in both directions.
    products = (values @ values.T)[:, rows].transpose(1, 0, 2)
    products = products - np.einsum("cnm,cm->cn", products, weights)[:, :, None]
    inside = np.take_along_axis(products, rows[:, :, None], axis=1)
    products -= np.einsum("cmk,cm->ck", inside, weights)[:, None, :]
    products *= present[:, None, :]
    inside = np.take_along_axis(products, rows[:, :, None], axis=1) * present[:, :, None]
    square, vectors = np.linalg.eigh((inside + inside.mT) / 2)
    square, vectors = np.maximum(square[:, ::-1], 0.0), vectors[:, :, ::-1]
    used = used_components(square, present.sum(axis=1))
    width = used.shape[1]
    square, vectors = square[:, :width], vectors[:, :, :width]
    scale = np.where(used, 1 / np.sqrt(np.where(used, square, 1.0)), 0.0)
    return np.asarray(products @ (vectors * scale[:, None, :]))


def scores_by_columns(values: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Do what :func:`principal_component_scores` does, by products of columns, not of networks.

    Both have the same eigenvalues; this way costs less where there are fewer columns than networks.

    Returns:
        (cells, networks, components).
    """
    weights = train / train.sum(axis=1, keepdims=True)
    centred = values - (weights @ values)[:, None, :]
    inside = centred * train[:, :, None]
    square, vectors = np.linalg.eigh(inside.mT @ inside)
    square, vectors = np.maximum(square[:, ::-1], 0.0), vectors[:, :, ::-1]
    used = used_components(square, train.sum(axis=1))
    return np.asarray(centred @ (vectors[:, :, : used.shape[1]] * used[:, None, :]))


def used_components(square: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Choose principal components: as many as :func:`principal_component_scores` says.

    Args:
        square: (cells, components) variances, falling.
        training: (cells,) number of training networks.

    Returns:
        (cells, most components of a cell) bool.
    """
    variance = np.cumsum(square, axis=1)
    enough = 1 + np.sum(variance < EXPLAINED_VARIANCE * variance[:, -1:], axis=1)
    most = np.array([most_principal_components(int(count)) for count in training])
    width = int(np.minimum(enough, most).max())
    counted: np.ndarray = np.arange(width) < np.minimum(enough, most)[:, None]
    return counted & (square[:, :width] > 0)


def training_rows(train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of each cell's training networks, padded to one length.

    Args:
        train: (cells, networks) bool.

    Returns:
        (cells, most training networks) int64, and bool: false where the index is padding.
    """
    counts = train.sum(axis=1)
    rows = np.argsort(~train, axis=1, kind="stable")[:, : int(counts.max())]
    return rows, np.arange(rows.shape[1]) < counts[:, None]


def span(values: np.ndarray) -> np.ndarray:
    """Return the same points in at most as many coordinates as there are points.

    Principal components of any subset do not change under a rotation, so long vectors are rotated
    into the span of the networks once instead of in each fold.

    Args:
        values: (networks, columns).

    Returns:
        (networks, at most networks).
    """
    if values.shape[1] <= len(values):
        return values
    left, singular, _ = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    return np.asarray(left * singular)


def transformed(values: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Transform scalars so that those of the training networks are not highly skewed.

    A scalar whose skewness over the training networks is at most ``MOST_SKEWNESS`` in size stays as
    it is. Otherwise its logarithm is taken, if all training values have one sign and the skewness
    of the logarithm is within that limit; and if not, its normal scores, Phi^-1((rank - 3/8) / (n +
    1/4)) (Blom, Statistical Estimates and Transformed Beta-Variables, 1958), between which other
    values are interpolated. The gaps have no part in the choice. A value far outside the range of
    the training networks is moved towards it (``MARGIN``), so that one wild value does not decide
    a score.

    Args:
        values: (networks, scalars).
        train: (cells, networks) bool.

    Returns:
        (cells, networks, scalars) transformed values, and (cells, scalars) indices of
        ``TRANSFORMS``.
    """
    # Squares and cubes of very large or small values would overflow.
    largest = np.abs(values).max(axis=0)
    values = values / np.where(largest > 0, largest, 1.0)
    sign = np.sign(np.median(values, axis=0))
    size = values * sign
    logarithms = sign * np.log(np.maximum(size, np.finfo(float).tiny))
    one_sign = np.all((size > 0)[None] | ~train[:, :, None], axis=1)
    kinds = np.where(
        np.abs(skewness(values, train)) <= MOST_SKEWNESS,
        IDENTITY,
        np.where(one_sign & (np.abs(skewness(logarithms, train)) <= MOST_SKEWNESS), LOG, RANK),
    )
    columns = np.where((kinds == LOG)[:, None, :], logarithms, values)
    for scalar in np.flatnonzero((kinds == RANK).any(axis=0)):
        cells = kinds[:, scalar] == RANK
        columns[cells, :, scalar] = normal_scores(values[:, scalar], train[cells])
    low, high = bounds(columns, train)
    return np.clip(columns, low, high), kinds


def skewness(values: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return (cells, scalars): third moment over the cube of the spread; 0 without spread."""
    weights = train / train.sum(axis=1, keepdims=True)
    centred = values - (weights @ values)[:, None, :]
    powers = centred * centred
    second = (weights[:, None, :] @ powers)[:, 0]
    powers *= centred
    third = (weights[:, None, :] @ powers)[:, 0]
    varies = second > CONSTANT_TOLERANCE**2 * np.max(np.abs(values), axis=0) ** 2
    return np.asarray(np.where(varies, third / np.where(varies, second, 1.0) ** 1.5, 0.0))


def normal_scores(values: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return normal scores; others than those of training networks are interpolated.

    Args:
        values: (networks,).
        train: (cells, networks) bool.

    Returns:
        (cells, networks).
    """
    distinct, index, sizes = np.unique(values, return_inverse=True, return_counts=True)
    by_value = train[:, np.argsort(index, kind="stable")]
    counts = np.add.reduceat(by_value, np.cumsum(sizes) - sizes, axis=1, dtype=np.int64)
    # Equal values share the average of their ranks.
    ranks = np.cumsum(counts, axis=1) - (counts - 1) / 2
    scores = ndtri((ranks - 3 / 8) / (train.sum(axis=1, keepdims=True) + 1 / 4))
    # The nearest training values on both sides, or the last one beyond the range.
    present, place = counts > 0, np.arange(len(distinct))
    below = np.maximum.accumulate(np.where(present, place, -1), axis=1)
    above = np.minimum.accumulate(np.where(present, place, len(place))[:, ::-1], axis=1)[:, ::-1]
    below = np.where(below < 0, above, below)
    above = np.where(above == len(place), below, above)
    low, high = np.take_along_axis(scores, below, 1), np.take_along_axis(scores, above, 1)
    width = distinct[above] - distinct[below]
    share = (distinct - distinct[below]) / np.where(width > 0, width, 1.0)
    between = np.where(width > 0, low + share * (high - low), low)
    return np.asarray(between[:, index])


def bounds(columns: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the range of the training networks, widened by ``MARGIN`` standard deviations.

    Args:
        columns: (cells, networks, columns).
        train: (cells, networks) bool.

    Returns:
        Two (cells, 1, columns) arrays.
    """
    low, high = extremes(columns, train)
    weights = (train / train.sum(axis=1, keepdims=True))[:, None, :]
    deviations = columns - weights @ columns
    deviations *= deviations
    spread = MARGIN * np.sqrt(weights @ deviations)
    return low - spread, high + spread


def extremes(columns: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the largest value of the training networks.

    Args:
        columns: (cells, networks, columns).
        train: (cells, networks) bool.

    Returns:
        Two (cells, 1, columns) arrays.
    """
    inside = [own[chosen] for own, chosen in zip(columns, train, strict=True)]
    low = np.array([own.min(axis=0, initial=np.inf) for own in inside])
    high = np.array([own.max(axis=0, initial=-np.inf) for own in inside])
    return low[:, None, :], high[:, None, :]


def without_levels(values: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Subtract from each value the mean of its draw of the training data, if there are several.

    Args:
        values: (..., networks).
        draws: (networks,) number of each network's draw.

    Returns:
        (..., networks); the values themselves where all networks saw the same data.
    """
    labels, index = np.unique(draws, return_inverse=True)
    if len(labels) < 2:
        return values
    membership = np.eye(len(labels))[index]
    return np.asarray(values - values @ (membership / membership.sum(axis=0)) @ membership.T)


def pooled_r2(
    predictions: np.ndarray, gaps: np.ndarray, draws: np.ndarray | None = None
) -> np.ndarray:
    """Compute one R2 from all held-out predictions of a repeat.

    Where networks saw several draws of the training data, the mean gap of each draw is taken as
    known: a few draws cannot tell which measure follows their levels, so a score with the levels
    would depend on which draws there are.

    Args:
        predictions: (..., networks).
        gaps: (networks,), not all equal.
        draws: (networks,) number of each network's draw; None to count the levels of draws, too.

    Returns:
        (...) float64: 1 - sum (y - prediction)^2 / sum (y - mean y)^2, as scikit-learn's
        ``r2_score`` of all networks, of values less the means of their draws if there are several.
    """
    if draws is not None:
        predictions, gaps = without_levels(predictions, draws), without_levels(gaps, draws)
    error = np.sum((predictions - gaps) ** 2, axis=-1)
    return np.asarray(1 - error / np.sum((gaps - gaps.mean()) ** 2))


def fold_scores(predictions: np.ndarray, gaps: np.ndarray, folds: Folds) -> np.ndarray:
    """Split the pooled R2 of each repeat into one score for each fold.

    Args:
        predictions: (..., repeats, networks), of all repeats or of the first ones.
        gaps: (networks,), not all equal.
        folds: the folds.

    Returns:
        (..., repeats, folds) float64: 1 less the number of folds times the fold's share of the
        squared error, over sum (y - mean y)^2. Their mean is the pooled R2.
    """
    predictions = without_levels(predictions, folds.draws)
    gaps = without_levels(gaps, folds.draws)
    error = (predictions - gaps) ** 2 / np.sum((gaps - gaps.mean()) ** 2)
    inside = np.eye(folds.count)[folds.labels[: error.shape[-2]]]
    return np.asarray(1 - folds.count * np.einsum("...rn,rnk->...rk", error, inside))


def principal_components(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Project both halves on the first principal components of the training half.

    As many components as explain 95 % of the training variance, at least one and at most a quarter
    of the training networks. Columns keep their unit: they are pixels of one image, or values of
    one landscape, and those that hardly vary should not count as much as the others.

    Args:
        train: (training networks, columns).
        test: (other networks, columns).

    Returns:
        (training networks, components) and (other networks, components) scores.
    """
    mean = train.mean(axis=0)
    _, singular, directions = np.linalg.svd(train - mean, full_matrices=False)
    variance = np.cumsum(singular**2)
    enough = int(np.searchsorted(variance, EXPLAINED_VARIANCE * variance[-1])) + 1
    chosen = directions[: min(enough, most_principal_components(len(train)))]
    return (train - mean) @ chosen.T, (test - mean) @ chosen.T
