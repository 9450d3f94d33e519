"""How well all scalar measures together predict the gap, and what each family contributes.

Everything that is chosen is chosen inside a cell of the cross-validation, from its training
networks alone: transforms, penalties, learners, and the best single measure.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gengap.evaluation.designs import (
    COMBINATION,
    HYPER_PARAMETERS,
    Designs,
    hyper_parameter_design,
)
from gengap.evaluation.folds import Folds
from gengap.evaluation.learners import (
    Fitted,
    Training,
    fit,
    fit_best_single,
    fit_ridge,
    prepared,
)
from gengap.evaluation.permutations import blocks
from gengap.evaluation.regression import (
    added_factor,
    fitted,
    held_out,
    level_factor,
    pooled_r2,
    standardised_columns,
)
from gengap.evaluation.scoring import COVERAGE, interval_width

ALL = f"{COMBINATION}.all"
ALL_AND_HYPER_PARAMETERS = f"{COMBINATION}.all_and_hyper_parameters"
BEST_SINGLE = f"{COMBINATION}.best_single"
PERMUTATIONS = 5
"""Permutations of each family's columns in each repeat."""
FRACTIONS = (1.0, 0.75, 0.5, 0.25)
"""Fractions of the training grid points, for the learning curve, falling."""
LEAST_TRAINING = 4
"""Fewest training networks of a cell in the learning curve."""

COMBINATION_COLUMNS = (
    "name", "learner", "measures", "r2_mean", "r2_std", "mean_error", "width_90"
)  # fmt: skip
IMPORTANCE_COLUMNS = ("family", "importance", "low", "high")
LEARNING_CURVE_COLUMNS = ("name", "networks", "r2_mean", "low", "high", "width_90")
HELD_OUT_COLUMNS = ("name", "network", "gap", "prediction")


@dataclass(frozen=True)
class Combination:
    """What all scalar measures together reach.

    Attributes:
        combination: name, learner (the one that most cells chose), measures (how many there are to
            use), r2_mean, r2_std (over repeats), mean_error (mean absolute error), width_90.
        importance: family, importance (loss of R2 when the family's columns are permuted), low and
            high (where the repeats lie, :data:`COVERAGE` of them).
        learning_curve: name, networks (to learn from, mean over cells), r2_mean, low, high, the
            same, width_90.
        predictions: by name, (repeats, networks) predictions of the networks while held out.
    """

    combination: pd.DataFrame
    importance: pd.DataFrame
    learning_curve: pd.DataFrame
    predictions: dict[str, np.ndarray]


@dataclass(frozen=True)
class Ingredients:
    """What is combined.

    Attributes:
        values: (networks, measures) of the scalar measures that vary.
        families: (measures,) the family of each.
        hyper_parameters: (networks, columns) indicators; no columns where none varies.
        gaps: (networks,).
        points: (networks,) the grid point of each.
        draws: (networks,) the draw of training data of each.
    """

    values: np.ndarray
    families: np.ndarray
    hyper_parameters: np.ndarray
    gaps: np.ndarray
    points: np.ndarray
    draws: np.ndarray

    def selections(self) -> dict[str, np.ndarray]:
        """Return what each combination that is fitted by learners uses.

        Returns:
            By name, indices of columns: those of the measures, then those of the hyper-parameters.
        """
        count = len(self.families)
        names = {ALL: np.arange(count)}
        if self.hyper_parameters.shape[1]:
            names[ALL_AND_HYPER_PARAMETERS] = np.arange(count + self.hyper_parameters.shape[1])
        for family in sorted(set(self.families)):
            names[f"{COMBINATION}.{family}"] = np.flatnonzero(self.families == family)
        return names


def combine(designs: Designs, folds: Folds, rng: np.random.Generator) -> Combination:
    """Predict the gap from all scalar measures together, and from those of each family.

    In each cell scalars are transformed and standardised over the training networks.
    ``combination.all`` has all of them, fitted by the learner of
    :data:`gengap.evaluation.learners.LEARNERS` with the least leave-one-out error on the training
    networks. ``combination.all_and_hyper_parameters`` has the indicators of the hyper-parameters as
    further columns. ``combination.<family>`` has the measures of one family, fitted by ridge
    regression alone, since a choice of learners would double the cost of the whole.
    ``combination.best_single`` is least squares on the one scalar with the least leave-one-out
    error. Vectors take no part, and constants neither.

    Args:
        designs: the measures of a task, none the duplicate of another
            (:func:`gengap.evaluation.duplicates.merged`): a duplicate would count twice.
        folds: the cells of the cross-validation.
        rng: draws the permutations and the grid points of the learning curve.

    Returns:
        The tables, with no rows where there is no scalar measure that varies.
    """
    scalars = [d for d in designs.measures if d.kind == "scalar" and not d.constant]
    if not scalars:
        return Combination(
            pd.DataFrame(columns=list(COMBINATION_COLUMNS)),
            pd.DataFrame(columns=list(IMPORTANCE_COLUMNS)),
            pd.DataFrame(columns=list(LEARNING_CURVE_COLUMNS)),
            {},
        )
    ingredients = Ingredients(
        values=np.hstack([design.values for design in scalars]),
        families=np.array([design.family for design in scalars], dtype=object),
        hyper_parameters=hyper_parameter_design(designs.grid).values,
        gaps=designs.gaps,
        points=designs.points,
        draws=folds.draws,
    )
    cells = folds.masks
    predictions, learners, importance = cross_validate(ingredients, cells, rng)
    return Combination(
        combination_table(ingredients, predictions, learners),
        importance,
        learning_curve(ingredients, cells, predictions[ALL], rng),
        predictions,
    )


def cross_validate(
    ingredients: Ingredients,
    cells: Sequence[tuple[np.ndarray, np.ndarray]],
    rng: np.random.Generator,
) -> tuple[dict[str, np.ndarray], dict[str, str], pd.DataFrame]:
    """Predict every network while it is held out, by every combination.

    Permuting the columns of one family over all networks, together (Breiman, "Random forests",
    Machine Learning 45, 2001, section 10), moves the family's contributions to the predictions, for
    all learners are sums of functions of one column. Each network is held out once in a repeat, so
    a permutation of all networks is one of those that are held out.

    Args:
        ingredients: what is combined.
        cells: for each repeat two (cells, networks) bool arrays: to train on, and to predict.
        rng: draws the permutations.

    Returns:
        (repeats, networks) predictions and the learner that most cells chose, by name; and the
        importance of each family.
    """
    selections, gaps = ingredients.selections(), ingredients.gaps
    names = [*selections, BEST_SINGLE]
    predictions = {name: np.zeros((len(cells), len(gaps))) for name in names}
    chosen: dict[str, Counter[str]] = {name: Counter() for name in names}
    families = sorted(set(ingredients.families))
    families_columns = [np.flatnonzero(ingredients.families == family) for family in families]
    losses = np.zeros((len(cells), len(families)))
    for repeat, (train, test) in enumerate(cells):
        order = np.array([rng.permutation(len(gaps)) for _ in range(PERMUTATIONS)])
        permuted = np.zeros((len(families), PERMUTATIONS, len(gaps)))
        for cells_of_block, everything in cell_values(ingredients, train):
            training = Training.of(everything, gaps, train[cells_of_block], ingredients.draws)
            for name, columns in [*selections.items(), (BEST_SINGLE, selections[ALL])]:
                learners = learner_of(name)(training.chosen(columns))
                chosen[name].update(learner.learner for learner in learners)
                for learner, values, inside, outside in zip(
                    learners, everything, train[cells_of_block], test[cells_of_block], strict=True
                ):
                    used, known = values[:, columns], gaps[inside]
                    if name != ALL:
                        predicted = learner.predict(used[outside])
                    else:
                        parts = learner.contributions(used, families_columns)
                        whole = learner.intercept + parts.sum(axis=0)
                        predicted = whole[outside]
                        moved = predicted + parts[:, order[:, outside]] - parts[:, None, outside]
                        permuted[:, :, outside] = np.clip(moved, known.min(), known.max())
                    predictions[name][repeat, outside] = np.clip(
                        predicted, known.min(), known.max()
                    )
        whole = pooled_r2(predictions[ALL][repeat], gaps, ingredients.draws)
        losses[repeat] = whole - pooled_r2(permuted, gaps, ingredients.draws).mean(axis=1)
    low, high = over_repeats(losses)
    importance = pd.DataFrame(
        {"family": families, "importance": losses.mean(axis=0), "low": low, "high": high}
    )
    most = {name: counts.most_common(1)[0][0] for name, counts in chosen.items()}
    return predictions, most, importance


def cell_values(ingredients: Ingredients, train: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield cells, and what is combined in them: measures, then hyper-parameters.

    Yields:
        Some of the cells, and (cells, networks, columns).
    """
    columns = ingredients.values.shape[1] + ingredients.hyper_parameters.shape[1]
    for block in blocks(len(train), len(ingredients.gaps) * columns):
        own = train[block]
        measures = prepared(ingredients.values, own)
        beside = standardised_columns(per_cell(ingredients.hyper_parameters, own), own)
        yield block, np.concatenate([measures, beside], axis=2)


def per_cell(columns: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return (cells, networks, columns): the same columns in each cell."""
    return np.broadcast_to(columns, (len(train), *columns.shape))


def learner_of(name: str) -> Callable[[Training], Sequence[Fitted]]:
    """Return what fits a combination."""
    if name == BEST_SINGLE:
        return fit_best_single
    return fit if name in (ALL, ALL_AND_HYPER_PARAMETERS) else fit_ridge


def learning_curve(
    ingredients: Ingredients,
    cells: Sequence[tuple[np.ndarray, np.ndarray]],
    complete: np.ndarray,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Tell how the prediction improves with the number of networks to learn from.

    Of the grid points of each cell's training networks a random part is used, with all replicates;
    smaller parts are parts of the larger ones. A fraction that leaves a cell with fewer than
    ``LEAST_TRAINING`` networks has no row, nor has one that keeps what a larger one keeps.

    Args:
        ingredients: what is combined.
        cells: for each repeat two (cells, networks) bool arrays: to train on, and to predict.
        complete: (repeats, networks) predictions of all measures from all training networks.
        rng: draws the grid points.

    Returns:
        ``LEARNING_CURVE_COLUMNS``, for all measures and for the additive hyper-parameters.
    """
    gaps, points = ingredients.gaps, ingredients.points
    order = [rng.permutation(int(points.max()) + 1) for _ in cells]
    rows = []
    larger = 0
    for fraction in FRACTIONS:
        parts = [
            np.array([part_of(inside, rank[points], fraction) for inside in train])
            for (train, _), rank in zip(cells, order, strict=True)
        ]
        sizes = np.concatenate([part.sum(axis=1) for part in parts])
        if sizes.min() < LEAST_TRAINING or sizes.sum() == larger:
            continue
        larger = sizes.sum()
        measures, additive = np.zeros_like(complete), np.zeros_like(complete)
        for repeat, (part, (_, test)) in enumerate(zip(parts, cells, strict=True)):
            additive[repeat] = additive_predictions(ingredients, part, test)
            if fraction == 1:
                continue
            for block in blocks(len(part), ingredients.values.size):
                used = np.flatnonzero((part[block] | test[block]).any(axis=0))
                learned, held = part[block][:, used], test[block][:, used]
                columns = prepared(ingredients.values[used], learned)
                learners = fit(Training.of(columns, gaps[used], learned, ingredients.draws[used]))
                for learner, values, inside, outside in zip(
                    learners, columns, learned, held, strict=True
                ):
                    predicted, known = learner.predict(values[outside]), gaps[used[inside]]
                    measures[repeat, used[outside]] = np.clip(predicted, known.min(), known.max())
        predictions = {ALL: complete if fraction == 1 else measures}
        if ingredients.hyper_parameters.shape[1]:
            predictions[HYPER_PARAMETERS] = additive
        for name, values in predictions.items():
            r2 = pooled_r2(values, gaps, ingredients.draws)
            low, high = over_repeats(r2)
            width = interval_width(values, gaps)
            rows.append((name, round(sizes.mean()), r2.mean(), low, high, width))
    table = pd.DataFrame(rows, columns=list(LEARNING_CURVE_COLUMNS))
    return table.sort_values(["name", "networks"], ignore_index=True)


def part_of(inside: np.ndarray, rank: np.ndarray, fraction: float) -> np.ndarray:
    """Keep a fraction of the grid points, those of least rank, of the networks of a mask.

    Args:
        inside: (networks,) bool.
        rank: (networks,) of each network's grid point.
        fraction: of the grid points; at least one is kept.

    Returns:
        (networks,) bool.
    """
    ranks = np.unique(rank[inside])
    return np.asarray(inside & (rank <= ranks[math.ceil(fraction * len(ranks)) - 1]))


def additive_predictions(
    ingredients: Ingredients, train: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """Predict the networks from the hyper-parameters, as the additive reference row does.

    Args:
        ingredients: with the hyper-parameters and the gaps.
        train: (cells, networks) bool.
        test: (cells, networks) bool.

    Returns:
        (networks,).
    """
    gaps, levels = ingredients.gaps, level_factor(train, ingredients.draws)
    standardised = standardised_columns(per_cell(ingredients.hyper_parameters, train), train)
    factor = np.concatenate([levels, added_factor(levels, standardised, train)], axis=2)
    return held_out(fitted(factor, train, gaps)[:, :, None], gaps, train, test)[:, 0]


def combination_table(
    ingredients: Ingredients, predictions: Mapping[str, np.ndarray], learners: Mapping[str, str]
) -> pd.DataFrame:
    """Return ``COMBINATION_COLUMNS`` of each combination, by falling mean R2."""
    everything = len(ingredients.families)
    # The indicators of the hyper-parameters, which come after the measures, do not count.
    counts = {
        name: int(np.sum(columns < everything))
        for name, columns in ingredients.selections().items()
    }
    counts[BEST_SINGLE] = everything
    gaps = ingredients.gaps
    rows = []
    for name, values in predictions.items():
        r2 = pooled_r2(values, gaps, ingredients.draws)
        rows.append(
            (
                name,
                learners[name],
                counts[name],
                r2.mean(),
                r2.std(ddof=1),
                np.abs(values - gaps).mean(),
                interval_width(values, gaps),
            )
        )
    table = pd.DataFrame(rows, columns=list(COMBINATION_COLUMNS))
    return table.sort_values("r2_mean", ascending=False, kind="stable", ignore_index=True)


def held_out_table(
    networks: Sequence[str], gaps: np.ndarray, predictions: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Return the mean prediction of each network while it was held out.

    Args:
        networks: their ids.
        gaps: (networks,).
        predictions: by name, (repeats, networks).

    Returns:
        ``HELD_OUT_COLUMNS``.
    """
    tables = [
        pd.DataFrame(
            {"name": name, "network": networks, "gap": gaps, "prediction": values.mean(axis=0)}
        )
        for name, values in predictions.items()
    ]
    columns = list(HELD_OUT_COLUMNS)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def over_repeats(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the quantiles between which ``COVERAGE`` of the repeats lie, along the first axis."""
    low, high = np.quantile(values, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2], axis=0)
    return low, high
