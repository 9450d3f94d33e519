"""What carries over to a task that was not seen: the gaps of each task predicted from the others.

Two things may carry over. The *level*: how large the gap of a new network is, knowing nothing of
its task's gaps. And the *order*: which of the networks of a new task have larger gaps, and by how
much, once the mean of its gaps is known. Each is predicted by a fit of its own:

- Level: gap = a + b x, fitted to the networks of the other tasks, with x the measure. A heavily
  skewed measure is transformed (:func:`gengap.evaluation.regression.transformed`).
- Order: gap less the mean gap of its task = b z, with z the normal score of the measure's rank
  among the networks of its own task. So neither a task's scale of the measure nor an increasing map
  of it matters. The sign of b is that of the other tasks: where it does not carry over, tau is
  negative.

Each task counts as much as any other, however many networks it has.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from gengap.errors import GengapError
from gengap.evaluation.combination import ALL as EVERY_MEASURE
from gengap.evaluation.correlations import ALL, training_outcome
from gengap.evaluation.designs import COMBINATION, MEAN, REFERENCE, Designs, natural_key
from gengap.evaluation.environments import normal_scores
from gengap.evaluation.rank_statistics import CONFIDENCE, point_weights, quantiles, weighted
from gengap.evaluation.regression import CONSTANT_TOLERANCE, PENALTIES, transformed
from gengap.seeding import generator

SCALAR = "scalar"
ACROSS_COLUMNS = (
    "measure", "family", "kind", "gap_of", "task", "networks", "level_error", "centred_error",
    "kendall", "kendall_low", "kendall_high",
)  # fmt: skip


def across_tasks(tasks: Mapping[str, Designs], *, resamples: int, seed: int) -> pd.DataFrame:
    """Predict the gaps of each task from those of the other tasks.

    Rows are the mean alone (the other tasks' mean gap), the training accuracy (or loss, or error),
    a ridge regression on all scalar measures that every task has, and each of these measures. The
    ridge penalty has the least leave-one-out error on the networks of the other tasks. Only tasks
    whose gaps are of the same thing are compared with each other.

    Args:
        tasks: the measures of each task, by its name.
        resamples: bootstrap samples of the grid points of a task.
        seed: seed of them.

    Returns:
        measure, family, kind (reference, combination or scalar), gap_of, task (the one that is held
        out; "all" for the mean over tasks), networks, level_error (mean absolute error of the
        predicted gap), centred_error (the same with the task's mean gap known), kendall (tau-b of
        predicted and measured order), kendall_low and kendall_high (its 95 % percentile interval
        over the grid points of the task that is held out, given the fit and the tasks). References
        come first, then the ridge regression, then the measures by rising centred_error of "all".
        There is nothing but the header where no two tasks have gaps of the same thing.

    Raises:
        GengapError: a task has no network that can be compared.
    """
    alike: dict[str, dict[str, Designs]] = {}
    for name in sorted(tasks, key=natural_key):
        if not tasks[name].networks:
            raise GengapError(
                f"Task {name} has no network with a gap and measures of every family, so it cannot "
                "be compared with other tasks: take it out of the config."
            )
        alike.setdefault(tasks[name].gap_of, {})[name] = tasks[name]
    tables = [
        table_of(group, resamples=resamples, seed=seed)
        for group in alike.values()
        if len(group) > 1
    ]
    if not tables:
        return pd.DataFrame(columns=list(ACROSS_COLUMNS))
    return pd.concat(tables, ignore_index=True)


def table_of(tasks: Mapping[str, Designs], *, resamples: int, seed: int) -> pd.DataFrame:
    """Make the table of tasks whose gaps are of the same thing (see :func:`across_tasks`)."""
    scalars = [
        {design.name: design for design in designs.measures if design.kind == SCALAR}
        for designs in tasks.values()
    ]
    shared = [name for name in scalars[0] if all(name in of_task for of_task in scalars)]
    outcome = training_outcome(next(iter(tasks.values()))).name
    names = [MEAN, outcome, *([EVERY_MEASURE] if shared else []), *shared]
    values = [
        np.column_stack([designs.training, *(own[name].values[:, 0] for name in shared)])
        for own, designs in zip(scalars, tasks.values(), strict=True)
    ]
    errors, taus = held_out_errors(tasks, values, resamples=resamples, seed=seed)
    tail = (1 - CONFIDENCE) / 2
    families = {name: scalars[0][name].family for name in shared} | {EVERY_MEASURE: COMBINATION}
    parts = []
    for task, designs in [(ALL, None), *tasks.items()]:
        # The mean over all tasks, or the one task.
        chosen = slice(None) if designs is None else [list(tasks).index(task)]
        statistics = taus[chosen].mean(axis=0)
        levels = np.tile([tail, 1 - tail], (len(names), 1))
        ends = quantiles(statistics[1:], levels)
        ends[np.isnan(statistics[0])] = np.nan
        level_error, centred_error = errors[chosen].mean(axis=0)
        networks = [len(tasks[name].networks) for name in tasks]
        parts.append(
            pd.DataFrame(
                {
                    "measure": names,
                    "family": [families.get(name, REFERENCE) for name in names],
                    "kind": [kind_of(name, shared) for name in names],
                    "gap_of": next(iter(tasks.values())).gap_of,
                    "task": task,
                    "networks": sum(networks) if designs is None else len(designs.networks),
                    "level_error": level_error,
                    "centred_error": centred_error,
                    "kendall": statistics[0],
                    "kendall_low": ends[:, 0],
                    "kendall_high": ends[:, 1],
                },
                columns=list(ACROSS_COLUMNS),
            )
        )
    overall = parts[0]
    first = len(names) - len(shared)
    order = [*range(first), *(first + np.argsort(overall["centred_error"][first:], kind="stable"))]
    return pd.concat([part.iloc[[row]] for row in order for part in parts], ignore_index=True)


def kind_of(name: str, shared: list[str]) -> str:
    """Return the kind of a row."""
    if name in shared:
        return SCALAR
    return COMBINATION if name == EVERY_MEASURE else REFERENCE


def held_out_errors(
    tasks: Mapping[str, Designs], values: list[np.ndarray], *, resamples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Hold out each task, fit the others, and compare predictions with gaps.

    Args:
        tasks: by name.
        values: (networks, scalars) of each task; the first scalar is no measure.
        resamples: bootstrap samples.
        seed: seed of them.

    Returns:
        (tasks, 2, predictors): the mean absolute errors of level and order; and (tasks, 1 +
        resamples, predictors): tau-b of all networks and of each resample.
    """
    task_of = np.repeat(np.arange(len(values)), [len(own) for own in values])
    gaps = np.concatenate([designs.gaps for designs in tasks.values()])
    means = np.array([designs.gaps.mean() for designs in tasks.values()])
    centred = gaps - means[task_of]
    pooled = np.vstack(values)
    scores = np.vstack([np.apply_along_axis(normal_scores, 0, own) for own in values])
    weights_of_task = 1 / np.bincount(task_of)
    errors, taus = [], []
    for index, (name, designs) in enumerate(tasks.items()):
        held_out = task_of == index
        weights = np.where(held_out, 0.0, weights_of_task[task_of])
        columns, _ = transformed(pooled, ~held_out[None])
        level = predictions(columns[0], gaps, weights)[held_out]
        order = predictions(scores, centred, weights)[held_out]
        errors.append(
            [
                np.abs(level - gaps[held_out, None]).mean(axis=0),
                np.abs(order - centred[held_out, None]).mean(axis=0),
            ]
        )
        rng = generator(seed, "evaluation", "across_tasks", name)
        samples = np.vstack(
            [np.ones((1, len(order))), point_weights(designs.points, resamples, rng)]
        )
        taus.append(weighted(order.T, designs.gaps, samples)[:, :, 0])
    return np.array(errors), np.array(taus)


def predictions(columns: np.ndarray, gaps: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Fit the mean, each column, and all columns but the first; predict every network.

    Args:
        columns: (networks, columns); the first is no measure.
        gaps: (networks,) what is fitted.
        weights: (networks,) of the squared errors; 0 for networks that are not fitted.

    Returns:
        (networks, predictors): the mean, the first column, ridge regression on the others if there
        are any, and each of these.
    """
    from sklearn.linear_model import RidgeCV

    weights = weights / weights.sum()
    mean = weights @ gaps
    centred = columns - weights @ columns
    square = weights @ centred**2
    varies = square > (CONSTANT_TOLERANCE * np.abs(columns).max(axis=0)) ** 2
    scale = np.sqrt(np.where(varies, square, 1.0))
    standardised = np.where(varies, centred / scale, 0.0)
    slopes = (weights * (gaps - mean)) @ standardised
    single = mean + standardised * slopes
    parts = [np.full((len(gaps), 1), mean), single[:, :1], single[:, 1:]]
    if columns.shape[1] > 1:
        fitted = weights > 0
        size = int(fitted.sum())
        ridge = RidgeCV(alphas=PENALTIES * size)
        ridge.fit(standardised[fitted, 1:], gaps[fitted], sample_weight=size * weights[fitted])
        parts.insert(2, ridge.predict(standardised[:, 1:])[:, None])
    return np.hstack(parts)
