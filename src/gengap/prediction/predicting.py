"""Predicting the gap of one network from a reference, or declining with the reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gengap.evaluation.designs import levels
from gengap.limits import LEAST_REFERENCE
from gengap.measures.subject import Subject
from gengap.names import DECLINED, FORCED, PREDICTED
from gengap.planning.families import families_code
from gengap.prediction.assessment import DRAWS, FAR
from gengap.prediction.data import digest_of_rows, row_digests
from gengap.prediction.distance import distance_p, squared_distances
from gengap.prediction.intervals import LEVEL, cv_plus
from gengap.prediction.predictors import CANDIDATES, KERNELS, predictions_from
from gengap.prediction.reference import Predictor, Reference
from gengap.training import loss_and_accuracy, mean_loss, root_mean_square_error

LOSS_FACTOR = 2.0
"""A training loss may be beyond those of the reference by this factor."""
SIZE_FACTOR = 1.5
"""A number of training inputs may be beyond those of the reference by this factor."""
STANDARD_ERRORS = 3.0
"""A training accuracy may be beyond those of the reference by so many binomial errors."""
LISTED = 5
"""Most measures that a sentence names."""


@dataclass(frozen=True)
class Prediction:
    """What a reference says of a network.

    Attributes:
        network: its name.
        gap: the predicted gap; None where it is declined.
        low, high: ends of the interval of :data:`gengap.prediction.intervals.LEVEL`.
        test_accuracy: the test accuracy, loss or error that the gap makes, with the training one.
        distance_p: p value of the network's distance from those of the reference; None where it has
            none of their measures.
        verdict: ``predicted``, ``declined``, or ``forced``.
        reason: why it is declined, or what else is to be known; several sentences, or none.
        rank: its place among the networks that were predicted with it, from the smallest predicted
            gap (1) upwards; None for a network alone, and where measures are missing.
    """

    network: str
    gap: float | None
    low: float | None
    high: float | None
    test_accuracy: float | None
    distance_p: float | None
    verdict: str
    reason: str
    rank: int | None = None

    def row(self) -> dict[str, Any]:
        """Return the values by the names of the columns of ``predictions.csv``."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Evidence:
    """Columns of a reference and of the network in hand, in one order.

    Attributes:
        values: (networks + 1, columns), the network last.
        predictor: what the columns predict.
        inside: (networks,) bool: those that predict it; not its own fold where it is one of them.
    """

    values: np.ndarray
    predictor: Predictor
    inside: np.ndarray


def predict(
    subject: Subject,
    reference: Reference,
    *,
    network: str = "",
    hyper_parameters: Mapping[str, Any] | None = None,
    force: bool = False,
) -> Prediction:
    """Predict the gap of a network from its weights and its training data.

    The measures that the reference needs are computed as they were there. The interval is a CV+
    interval whose folds are draws of the training data, or else grid points. Unless
    ``hyper_parameters`` says that the network is of a kind that the reference has, it is the wider
    one of that and of the interval that networks with left-out hyper-parameters need.

    Args:
        subject: the network, its training data, and what else is known of it; its random generator
            is not used.
        reference: networks whose gaps are known.
        network: its name, for the result.
        hyper_parameters: those of the network, by name; they help to predict it.
        force: predict in spite of reasons against it, where there is anything to predict from.

    Returns:
        The prediction, or why there is none.
    """
    doubts: list[str] = []
    notes: list[str] = []
    difference = reference.data.difference(subject.train)
    if difference:
        doubts.append(f"Its training data are not the reference's: {difference}.")
        if subject.train.inputs.shape[1:] != reference.data.shape:
            return declined(network, doubts)
        if subject.train.classes != reference.data.classes:
            return declined(network, doubts)
    else:
        doubts += doubts_of_draw(subject, reference)
    training, outcomes = doubts_of_training(subject, reference)
    doubts += outcomes
    measured = measured_values(subject, reference)
    has = np.isfinite(measured)
    if not has.any():
        return declined(network, [*doubts, "It has none of the reference's measures."])
    known, new_level = familiar(reference, hyper_parameters)
    evidence = collected(reference, measured, hyper_parameters if known and not new_level else None)
    lacking = [name for name, there in zip(reference.measures, has, strict=True) if not there]
    if not evidence.predictor.assessment.beats_mean:
        beside = f" without {_listed(lacking)}, which it lacks," if lacking else ""
        doubts.append(
            f"No predictor{beside} beats the mean gap of the reference "
            f"(p = {evidence.predictor.assessment.p_mean:.2g})."
        )
    elif lacking:
        notes.append(f"It lacks {_listed(lacking)}, so it is predicted without.")
    if families_code(reference.recipe.families) != reference.recipe.code:
        notes.append(
            "The code of the measures is not that of the reference, so their values may differ: "
            "run the workflow again."
        )
    if not evidence.inside.all():
        notes.append("It is a network of the reference, and predicted from those of other folds.")
    p = distance(reference, evidence, int(has.sum()))
    if p < FAR:
        doubts.append(
            f"It is too far from the reference's networks in their measures (p = {p:.2g}): train "
            "networks of its kind for a reference."
        )
    if new_level:
        notes.append(f"The reference has no network with this {', '.join(new_level)}.")
    if doubts and not force:
        return declined(network, doubts, p)
    gap, low, high = interval(
        reference, evidence, [name for name in map(str, reference.grid) if name not in known]
    )
    return Prediction(
        network=network,
        gap=gap,
        low=low,
        high=high,
        test_accuracy=implied_test(training, gap, reference.gap_of),
        distance_p=p,
        verdict=FORCED if doubts else PREDICTED,
        reason=" ".join([*doubts, *notes]),
    )


def predict_task(folder: str | Path, reference: Reference, *, force: bool = False) -> pd.DataFrame:
    """Predict the networks of a task that is measured already, from its measures.

    Args:
        folder: the task's folder, with ``measures.csv`` and ``recipe.json``.
        reference: networks whose gaps are known.
        force: predict in spite of reasons against it, where there is anything to predict from.

    Returns:
        One row a network, with the columns :data:`gengap.names.PREDICTION_COLUMNS`.
    """
    raise NotImplementedError(folder, reference, force)


def declined(network: str, doubts: Sequence[str], p: float | None = None) -> Prediction:
    """Return that there is no prediction, and why."""
    return Prediction(network, None, None, None, None, p, DECLINED, " ".join(doubts))


def doubts_of_draw(subject: Subject, reference: Reference) -> list[str]:
    """Say whether the reference cannot know how much another draw of the data matters."""
    if reference.fold == DRAWS:
        return []
    own = digest_of_rows(row_digests(subject.train.inputs))
    if own in reference.draw_digests:
        return []
    draws = len(reference.draw_digests)
    return [
        f"It was trained on another draw of the data, and the reference has {draws} "
        f"{'draw' if draws == 1 else 'draws'}, too few to tell how much that matters: make one "
        "with 'resample: replicate' and three replicates or more."
    ]


def doubts_of_training(subject: Subject, reference: Reference) -> tuple[float, list[str]]:
    """Compare how far a network was trained with the networks of the reference.

    Args:
        subject: the network and its training data.
        reference: the networks.

    Returns:
        The training accuracy, loss or error that the gap is of, and sentences.
    """
    data, doubts = subject.train, []
    size, sizes = len(data.labels), reference.sizes
    if not sizes.min() / SIZE_FACTOR <= size <= sizes.max() * SIZE_FACTOR:
        doubts.append(
            f"It was trained on {size} inputs, the reference's networks on {_range(sizes)}."
        )
    stated = reference.recipe.losses
    if stated and subject.loss not in stated:
        doubts.append(
            f"It was trained on the loss '{subject.loss}', the reference's networks on "
            f"{' and '.join(stated)}."
        )
    values: dict[str, float] = {}
    if data.has_numbers:
        values["loss"] = mean_loss(subject.network, data, subject.loss)
        values["error"] = root_mean_square_error(subject.network, data)
    else:
        values["loss"], values["accuracy"] = loss_and_accuracy(subject.network, data, subject.loss)
    known = reference.losses[np.isfinite(reference.losses)]
    loss = values["loss"]
    if len(known) and not known.min() / LOSS_FACTOR <= loss <= known.max() * LOSS_FACTOR:
        doubts.append(
            f"Its training loss is {loss:.3g}, that of the reference's networks {_range(known)}."
        )
    outcome = values[reference.gap_of]
    if reference.gap_of == "accuracy":
        low, high = reference.training.min(), reference.training.max()
        error = math.sqrt(max(low * (1 - low), 1 / size) / size)
        if not low - STANDARD_ERRORS * error <= outcome <= high + STANDARD_ERRORS * error:
            doubts.append(
                f"Its training accuracy is {outcome:.3g}, that of the reference's networks "
                f"{_range(reference.training)}."
            )
    return outcome, doubts


def measured_values(subject: Subject, reference: Reference) -> np.ndarray:
    """Compute a network's measures as those of the reference were computed.

    Args:
        subject: the network and its training data.
        reference: whose recipe is followed, for the families that it needs.

    Returns:
        (measures,) float64, NaN for those that the network lacks.
    """
    wanted = list(zip(reference.families, reference.measures, strict=True))
    values = reference.recipe.scalars(subject, wanted)
    return np.array([values.get(key, math.nan) for key in wanted])


def familiar(
    reference: Reference, hyper_parameters: Mapping[str, Any] | None
) -> tuple[list[str], list[str]]:
    """Tell which hyper-parameters of a network have levels that the reference has.

    Args:
        reference: the networks.
        hyper_parameters: those that are given.

    Returns:
        Names of those with a level of the reference, and of those with another one. Those that do
        not vary in the reference, and are not given, count as the reference's.
    """
    given = hyper_parameters or {}
    known: list[str] = []
    new: list[str] = []
    for name in reference.grid.columns:
        distinct, _ = levels(reference.grid[name])
        if name not in given:
            if len(distinct) == 1:
                known.append(str(name))
            continue
        value = given[name]
        same = value in distinct or str(value) in [str(level) for level in distinct]
        (known if same else new).append(str(name))
    return known, new


def collected(
    reference: Reference, measured: np.ndarray, hyper_parameters: Mapping[str, Any] | None
) -> Evidence:
    """Collect the columns that the reference and the network have, and what they predict.

    Args:
        reference: the networks.
        measured: (measures,) of the network, NaN for those that it lacks.
        hyper_parameters: those of the network, if all are known.

    Returns:
        The columns. Those of hyper-parameters are among them where they make the error smaller.
        What the columns predict is judged anew where some are lacking.
    """
    has = np.isfinite(measured)
    values = np.vstack([reference.values, measured])[:, has]
    same = np.all(np.isclose(values[:-1], values[-1], rtol=1e-6, atol=0.0), axis=1)
    own = reference.folds[same]
    inside = ~np.isin(reference.folds, own)
    predictor, both = reference.by_measures, reference.by_measures_and_hyper_parameters
    if (
        both is not None
        and set(reference.grid) <= set(hyper_parameters or {})
        and both.assessment.mean_squared_error < predictor.assessment.mean_squared_error
    ):
        indicators = reference.hyper_parameter_columns(hyper_parameters)
        values, predictor = np.hstack([values, indicators]), both
    if not has.all():
        predictor = Predictor.of(
            values[:-1], reference.gaps, reference.folds, reference.grid, reference.fold
        )
    return Evidence(values, predictor, inside)


def distance(reference: Reference, evidence: Evidence, measures: int) -> float:
    """Return the p value of the network's distance from the reference's networks.

    Args:
        reference: the networks.
        evidence: the columns.
        measures: how many of them are measures; hyper-parameters take no part.

    Returns:
        (1 + networks as far from those of other folds) / (1 + networks).
    """
    values, inside = evidence.values[:, :measures], evidence.inside
    own = squared_distances(values, inside)[-1:]
    others = np.zeros(len(inside))
    for fold in np.unique(reference.folds[inside]):
        test = inside & (reference.folds == fold)
        others[test] = squared_distances(values, inside & ~test)[:-1][test]
    return float(distance_p(own, others[inside])[0])


def interval(
    reference: Reference, evidence: Evidence, unknown: Sequence[str]
) -> tuple[float, float, float]:
    """Predict the network with an interval.

    Args:
        reference: the networks.
        evidence: the columns.
        unknown: hyper-parameters in which the network may differ from all of the reference.

    Returns:
        The gap, and the ends of the interval: of CV+, or the wider one of that and of the interval
        from networks whose level of an unknown hyper-parameter was left out.
    """
    inside, predictor = evidence.inside, evidence.predictor
    everyone = inside, inside, predictor.candidate
    gap = float(_predictions(reference, evidence, inside, predictor.candidate)[-1])
    low, high = _cv_plus(reference, evidence, [everyone])
    shifted = [
        (shift.known & inside, shift.near & inside, shift.candidate)
        for shift in predictor.shifts
        if shift.hyper_parameter in unknown
    ]
    if sum(near.sum() for _, near, _ in shifted) >= LEAST_REFERENCE:
        other_low, other_high = _cv_plus(reference, evidence, shifted)
        if other_high - other_low > high - low:
            low, high = other_low, other_high
    return gap, min(low, gap), max(high, gap)


def _cv_plus(
    reference: Reference, evidence: Evidence, groups: Sequence[tuple[np.ndarray, np.ndarray, int]]
) -> tuple[float, float]:
    """Return the ends of a CV+ interval from networks that others predict, fold by fold.

    Args:
        reference: the networks.
        evidence: the columns.
        groups: (networks,) bool of those to fit and of those to predict, and the candidate.

    Returns:
        The ends.
    """
    centres, residuals = [], []
    for known, near, candidate in groups:
        for fold in np.unique(reference.folds[near]):
            train, test = known & (reference.folds != fold), near & (reference.folds == fold)
            predictions = _predictions(reference, evidence, train, candidate)
            residuals.append(np.abs(predictions[:-1] - reference.gaps)[test])
            centres.append(np.full(int(test.sum()), predictions[-1]))
    low, high = cv_plus(np.concatenate(centres)[None], np.concatenate(residuals), LEVEL)
    return float(low[0]), float(high[0])


def _predictions(
    reference: Reference, evidence: Evidence, train: np.ndarray, candidate: int
) -> np.ndarray:
    learner = CANDIDATES[candidate][0]
    learners = [learner] if learner in KERNELS else []
    return np.asarray(predictions_from(evidence.values, reference.gaps, train, learners)[candidate])


def implied_test(training: float, gap: float, gap_of: str) -> float:
    """Return the test accuracy, loss or error that a gap makes."""
    if gap_of == "accuracy":
        return min(max(training - gap, 0.0), 1.0)
    return max(training + gap, 0.0)


def _range(values: np.ndarray) -> str:
    low, high = f"{values.min():.3g}", f"{values.max():.3g}"
    return low if low == high else f"{low} to {high}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:LISTED])
    return shown if len(names) <= LISTED else f"{shown} and {len(names) - LISTED} more"
