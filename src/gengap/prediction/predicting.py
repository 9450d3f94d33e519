"""Predicting the gaps of networks from a reference, or declining with the reasons."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gengap.datasets import Split
from gengap.evaluation.designs import level_like, levels
from gengap.limits import LEAST_REFERENCE
from gengap.measures.recipe import RECIPE_FILE, Recipe
from gengap.measures.subject import Subject
from gengap.names import DECLINED, FORCED, PREDICTED, PREDICTION_COLUMNS
from gengap.planning.families import families_code
from gengap.prediction.assessment import FAR
from gengap.prediction.data import digest_of_rows, row_digests
from gengap.prediction.distance import distance_p, squared_distances
from gengap.prediction.intervals import intervals_of
from gengap.prediction.predictors import CANDIDATES, KERNELS, predictions_from
from gengap.prediction.reference import Predictor, Reference, read_measures
from gengap.tasks import Task, load
from gengap.tasks.outcomes import default_loss
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
        test_accuracy: the test accuracy that the gap makes, with the training accuracy; None where
            the gap is of losses or errors.
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
class Newcomer:
    """A network to predict.

    Attributes:
        network: its name.
        measured: (measures,) as in the reference; NaN for those that it lacks.
        hyper_parameters: those that are known, by name.
        training: its training accuracy, loss or error; what the gap is of.
        draw: digest of its training inputs.
        doubts: reasons against a prediction.
        notes: what else is to be known.
    """

    network: str
    measured: np.ndarray
    hyper_parameters: Mapping[str, Any]
    training: float
    draw: str
    doubts: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Columns of a reference and of networks to predict, in one order.

    Attributes:
        values: (reference networks + networks, columns).
        measures: how many of the columns are measures; the others are hyper-parameters.
        predictor: what the columns predict.
        inside: (reference networks,) bool: those that predict. Where the networks to predict are of
            the reference, their own folds are left out.
        gaps: (reference networks,).
        fitted: predictions of all networks that were made before, by what was fitted.
    """

    values: np.ndarray
    measures: int
    predictor: Predictor
    inside: np.ndarray
    gaps: np.ndarray
    fitted: dict[tuple[bytes, int], np.ndarray] = field(default_factory=dict)

    def predictions(self, train: np.ndarray, candidate: int) -> np.ndarray:
        """Predict all networks by a candidate that is fitted to some of the reference.

        Args:
            train: (reference networks,) bool.
            candidate: its place in :data:`gengap.prediction.predictors.CANDIDATES`.

        Returns:
            (reference networks + networks,).
        """
        key = (train.tobytes(), candidate)
        if key not in self.fitted:
            learner = CANDIDATES[candidate][0]
            learners = [learner] if learner in KERNELS else []
            table = predictions_from(self.values, self.gaps, train, learners)
            self.fitted[key] = table[candidate]
        return self.fitted[key]


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
    interval. Its folds are draws of the training data, and it is wider where few draws leave open
    how much another one matters; or grid points, where the network was trained on a draw of the
    reference, or the reference has one draw. Unless ``hyper_parameters`` says that the network
    is of a kind that the reference has, it is the wider one of that and of the interval that
    networks with left-out hyper-parameters need.

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
    data = subject.train
    doubts, notes = doubts_of_data(data, reference)
    same_kind = (data.inputs.shape[1:], data.classes) == (
        reference.data.shape,
        reference.data.classes,
    )
    if not same_kind or reference.by_measures is None:
        return declined(network, [*doubts, *doubts_of_size(reference)])
    loss, training = outcomes_of(subject, reference)
    stated = (subject.loss,) if subject.loss else ()
    doubts += doubts_of_training(len(data.labels), stated, loss, training, reference)
    if families_code(reference.recipe.families) != reference.recipe.code:
        notes.append(
            "The code of the measures is not that of the reference, so their values may differ: "
            "run the workflow again."
        )
    newcomer = Newcomer(
        network,
        measured_values(subject, reference),
        hyper_parameters or {},
        training,
        digest_of_rows(row_digests(data.inputs)),
        tuple(doubts),
        tuple(notes),
    )
    return judged([newcomer], reference, force)[0]


def predict_task(folder: str | Path, reference: Reference, *, force: bool = False) -> pd.DataFrame:
    """Predict the networks of a task that is measured already, from its measures.

    Measures are read, none is computed. Neither test data nor test accuracies have a part in it.

    Args:
        folder: the task's folder, with ``measures.csv`` and ``recipe.json``.
        reference: networks whose gaps are known.
        force: predict in spite of reasons against it, where there is anything to predict from.

    Returns:
        One row a network, with the columns :data:`gengap.names.PREDICTION_COLUMNS`.
    """
    task = load(folder)
    recipe = Recipe.read(task.folder / RECIPE_FILE)
    doubts, notes = doubts_of_recipe(recipe, reference)
    pool = row_digests(task.train.inputs)
    measured = task_values(task, reference)
    of_draws: dict[str, tuple[list[str], list[str]]] = {}
    newcomers = []
    for name, entry in task.networks.items():
        rows = entry.rows()
        digests = pool if rows is None else pool[rows]
        draw = digest_of_rows(digests)
        if draw not in of_draws:
            of_draws[draw] = doubts_of_data(entry.train(task.train), reference)
        loss = entry.metrics.train_loss
        training = entry.metrics.training(reference.gap_of)
        newcomers.append(
            Newcomer(
                name,
                measured[name],
                entry.metrics.hyper_parameters,
                training,
                draw,
                (
                    *doubts,
                    *of_draws[draw][0],
                    *doubts_of_training(
                        len(digests),
                        recipe.losses,
                        math.nan if loss is None else loss,
                        training,
                        reference,
                    ),
                ),
                (*notes, *of_draws[draw][1]),
            )
        )
    predictions = judged(newcomers, reference, force)
    table = pd.DataFrame([one.row() for one in predictions], columns=list(PREDICTION_COLUMNS))
    numbers = ["gap", "low", "high", "test_accuracy", "distance_p"]
    return table.astype(dict.fromkeys(numbers, np.float64) | {"rank": "Int64"})


def judged(newcomers: Sequence[Newcomer], reference: Reference, force: bool) -> list[Prediction]:
    """Predict networks, or decline them.

    Args:
        newcomers: the networks.
        reference: networks whose gaps are known.
        force: predict in spite of reasons against it.

    Returns:
        The prediction of each, in their order. Ranks are given where there are several networks,
        to those that have all measures of the reference.
    """
    by_position: dict[int, Prediction] = {}
    centres: dict[int, float] = {}
    groups: dict[tuple[bytes, bytes, bool], list[int]] = {}
    for position, newcomer in enumerate(newcomers):
        has = np.isfinite(newcomer.measured)
        if reference.by_measures is None or not has.any():
            reasons = doubts_of_size(reference) or ["It has none of the reference's measures."]
            by_position[position] = declined(newcomer.network, [*newcomer.doubts, *reasons])
            continue
        own = own_folds(reference, newcomer.measured)
        key = (has.tobytes(), own.tobytes(), helps(reference, newcomer.hyper_parameters))
        groups.setdefault(key, []).append(position)
    for positions in groups.values():
        chosen = [newcomers[position] for position in positions]
        evidence = collected(reference, chosen)
        predictions = judged_group(chosen, reference, evidence, force)
        by_position |= dict(zip(positions, predictions, strict=True))
        complete = evidence.measures == len(reference.measures)
        if complete and evidence.predictor.assessment.beats_mean:
            everyone = evidence.predictions(evidence.inside, evidence.predictor.candidate)
            centres |= dict(zip(positions, everyone[len(reference.gaps) :], strict=True))
    if len(newcomers) > 1 and centres:
        ranks = pd.Series(centres).rank(method="min")
        for position, rank in zip(centres, ranks, strict=True):
            by_position[position] = replace(by_position[position], rank=int(rank))
    return [by_position[position] for position in range(len(newcomers))]


def judged_group(
    newcomers: Sequence[Newcomer], reference: Reference, evidence: Evidence, force: bool
) -> list[Prediction]:
    """Predict networks that have the same measures, or decline them.

    Args:
        newcomers: the networks.
        reference: networks whose gaps are known.
        evidence: the columns of both.
        force: predict in spite of reasons against it.

    Returns:
        The prediction of each.
    """
    has = np.isfinite(newcomers[0].measured)
    lacking = [name for name, there in zip(reference.measures, has, strict=True) if not there]
    assessment = evidence.predictor.assessment
    shared_doubts, shared_notes = [], []
    if not assessment.beats_mean:
        beside = f" without {_listed(lacking)}, which it lacks," if lacking else ""
        shared_doubts.append(
            f"No predictor{beside} beats the mean gap of the reference "
            f"(p = {assessment.p_mean:.2g})."
        )
    elif lacking:
        shared_notes.append(f"It lacks {_listed(lacking)}, so it is predicted without.")
    if not evidence.inside.all():
        shared_notes.append(
            "It is a network of the reference, and predicted from those of other folds."
        )
    distances = distances_of(reference, evidence)
    predictions = []
    for place, newcomer in enumerate(newcomers):
        doubts, notes = [*newcomer.doubts, *shared_doubts], [*newcomer.notes, *shared_notes]
        p = float(distances[place])
        if p < FAR:
            doubts.append(
                f"It is too far from the reference's networks in their measures (p = {p:.2g}, "
                f"below {FAR:g}): train a reference of networks of its kind."
            )
        known, new_level = familiar(reference, newcomer.hyper_parameters)
        if new_level:
            notes.append(f"The reference has no network with this {', '.join(new_level)}.")
        if doubts and not force:
            predictions.append(declined(newcomer.network, doubts, p))
            continue
        unknown = [name for name in map(str, reference.grid) if name not in known]
        gap, low, high = interval(reference, evidence, place, unknown, newcomer.draw)
        predictions.append(
            Prediction(
                network=newcomer.network,
                gap=gap,
                low=low,
                high=high,
                test_accuracy=(
                    min(max(newcomer.training - gap, 0.0), 1.0)
                    if reference.gap_of == "accuracy" and math.isfinite(newcomer.training)
                    else None
                ),
                distance_p=p,
                verdict=FORCED if doubts else PREDICTED,
                reason=" ".join([*doubts, *notes]),
            )
        )
    return predictions


def declined(network: str, doubts: Sequence[str], p: float | None = None) -> Prediction:
    """Return that there is no prediction, and why."""
    return Prediction(network, None, None, None, None, p, DECLINED, " ".join(doubts))


def doubts_of_size(reference: Reference) -> list[str]:
    """Say whether a reference has too few networks to predict anything."""
    if reference.by_measures is not None:
        return []
    return [
        f"The reference has {len(reference.gaps)} networks with a gap and measures, but needs at "
        f"least {LEAST_REFERENCE}: add networks to its grid, or replicates, or tasks."
    ]


def doubts_of_data(data: Split, reference: Reference) -> tuple[list[str], list[str]]:
    """Compare training data, and how they were drawn, with those of the reference.

    Args:
        data: what a network was trained on.
        reference: networks whose gaps are known.

    Returns:
        Reasons against a prediction, and what else is to be known.
    """
    difference = reference.data.difference(data)
    if difference:
        return [f"Its training data are not the reference's: {difference}."], []
    draws = len(reference.draw_digests)
    if digest_of_rows(row_digests(data.inputs)) in reference.draw_digests:
        if draws > 1:
            return [], []
        return [], [
            "The reference has one draw of the training data, on which this network was trained "
            "too; the interval says nothing of other draws."
        ]
    if draws == 1:
        return [
            "It was trained on another draw of the data, and the reference has 1 draw, so how much "
            "that matters is unknown: make a reference with 'resample: replicate' and three "
            "replicates or more."
        ], []
    if draws == 2:
        return [], [
            "The reference has two draws of the training data, so the interval is wide: add "
            "replicates."
        ]
    return [], []


def doubts_of_recipe(recipe: Recipe, reference: Reference) -> tuple[list[str], list[str]]:
    """Compare how a task was measured with how the reference was.

    Args:
        recipe: of the task.
        reference: networks whose gaps are known.

    Returns:
        Reasons against a prediction, and what else is to be known.
    """
    needed = sorted(set(reference.families))
    other = [
        key
        for key, differs in {
            "families": any(
                recipe.families.get(name, reference.recipe.families[name])
                != reference.recipe.families[name]
                for name in needed
            ),
            "activations": recipe.activations != reference.recipe.activations,
            "topology": recipe.topology != reference.recipe.topology,
        }.items()
        if differs
    ]
    if other:
        return [
            f"Its measures were computed with other settings than the reference's "
            f"({', '.join(other)}): compute them alike."
        ], []
    current = all(families_code(one.families) == one.code for one in (recipe, reference.recipe))
    same = (recipe.families, recipe.code) == (reference.recipe.families, reference.recipe.code)
    if current or same:
        return [], []
    return [], [
        "The code of the measures is not that of the reference, so their values may differ: run "
        "the workflow again."
    ]


def outcomes_of(subject: Subject, reference: Reference) -> tuple[float, float]:
    """Return the training loss of a network, and what the reference's gap is of.

    Args:
        subject: the network and its training data.
        reference: networks whose gaps are known.

    Returns:
        The loss, and the accuracy, loss or error.
    """
    data = subject.train
    name = subject.loss or default_loss(data)
    if data.has_numbers:
        loss = mean_loss(subject.network, data, name)
        error = root_mean_square_error(subject.network, data)
        return loss, error if reference.gap_of == "error" else loss
    loss, accuracy = loss_and_accuracy(subject.network, data, name)
    return loss, accuracy if reference.gap_of == "accuracy" else loss


def doubts_of_training(
    size: int, losses: Collection[str], loss: float, training: float, reference: Reference
) -> list[str]:
    """Compare how far a network was trained with the networks of the reference.

    Args:
        size: number of its training inputs.
        losses: what it may have been trained on; none where that is unknown.
        loss: its training loss; NaN where it is unknown.
        training: its training accuracy, loss or error; NaN where it is unknown.
        reference: networks whose gaps are known.

    Returns:
        Reasons against a prediction.
    """
    doubts = []
    sizes = reference.sizes
    if not sizes.min() / SIZE_FACTOR <= size <= sizes.max() * SIZE_FACTOR:
        doubts.append(
            f"It was trained on {size} inputs, the reference's networks on {_range(sizes)}."
        )
    stated = reference.recipe.losses
    if stated and losses and not set(losses) <= set(stated):
        named = " and ".join(f"'{name}'" for name in losses)
        doubts.append(
            f"It was trained on the loss {named}, the reference's networks on "
            f"{' and '.join(stated)}."
        )
    known = reference.losses[np.isfinite(reference.losses)]
    comparable = len(known) > 0 and math.isfinite(loss)
    if comparable and not known.min() / LOSS_FACTOR <= loss <= known.max() * LOSS_FACTOR:
        doubts.append(
            f"Its training loss is {loss:.3g}, that of the reference's networks {_range(known)}."
        )
    if reference.gap_of == "accuracy" and math.isfinite(training):
        low, high = reference.training.min(), reference.training.max()
        error = math.sqrt(max(low * (1 - low), 1 / size) / size)
        if not low - STANDARD_ERRORS * error <= training <= high + STANDARD_ERRORS * error:
            doubts.append(
                f"Its training accuracy is {training:.3g}, that of the reference's networks "
                f"{_range(reference.training)}."
            )
    return doubts


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


def task_values(task: Task, reference: Reference) -> dict[str, np.ndarray]:
    """Read the measures of a task's networks that the reference needs.

    Args:
        task: the measured task.
        reference: what is needed.

    Returns:
        (measures,) float64 by the network's id, NaN for those that it lacks.
    """
    table = read_measures(task)
    several = table.duplicated(["network", "measure"], keep=False)
    wide = table[~several].pivot(index="network", columns="measure", values="value")
    wide = wide.reindex(index=list(task.networks), columns=list(reference.measures))
    return {str(name): row for name, row in zip(wide.index, wide.to_numpy(float), strict=True)}


def own_folds(reference: Reference, measured: np.ndarray) -> np.ndarray:
    """Return the folds of the reference's networks whose measures are those of a network.

    There are none where networks of all folds, or of all but one, share its measures. Then these
    (its number of parameters alone, say) are too few to recognise it.
    """
    has = np.isfinite(measured)
    near = np.isclose(reference.values[:, has], measured[has], rtol=1e-6, atol=0.0)
    own = np.unique(reference.folds[near.all(axis=1)])
    return own if len(np.unique(reference.folds)) - len(own) > 1 else own[:0]


def helps(reference: Reference, hyper_parameters: Mapping[str, Any]) -> bool:
    """Tell whether a network's hyper-parameters are all known, and make the error smaller."""
    both, alone = reference.by_measures_and_hyper_parameters, reference.by_measures
    if both is None or alone is None or not set(reference.grid) <= set(hyper_parameters):
        return False
    if familiar(reference, hyper_parameters)[1]:
        return False
    return both.assessment.mean_squared_error < alone.assessment.mean_squared_error


def familiar(
    reference: Reference, hyper_parameters: Mapping[str, Any]
) -> tuple[list[str], list[str]]:
    """Tell which hyper-parameters of a network have levels that the reference has.

    Args:
        reference: the networks.
        hyper_parameters: those that are given.

    Returns:
        Names of those with a level of the reference, and of those with another one. Those that do
        not vary in the reference, and are not given, count as the reference's.
    """
    given = hyper_parameters
    known: list[str] = []
    new: list[str] = []
    for name in reference.grid.columns:
        distinct, _ = levels(reference.grid[name])
        if name not in given:
            if len(distinct) == 1:
                known.append(str(name))
            continue
        (new if level_like(distinct, given[name]) is None else known).append(str(name))
    return known, new


def collected(reference: Reference, newcomers: Sequence[Newcomer]) -> Evidence:
    """Collect the columns that the reference and networks have, and what they predict.

    Args:
        reference: networks whose gaps are known.
        newcomers: networks that have the same measures, and the same folds of the reference.

    Returns:
        The columns. Those of hyper-parameters are among them where they make the error smaller.
        What the columns predict is judged anew where some are lacking.

    Raises:
        ValueError: the reference has too few networks.
    """
    first = newcomers[0]
    has = np.isfinite(first.measured)
    values = np.vstack([reference.values, *(one.measured for one in newcomers)])[:, has]
    inside = ~np.isin(reference.folds, own_folds(reference, first.measured))
    predictor = reference.by_measures
    if helps(reference, first.hyper_parameters):
        given = [one.hyper_parameters for one in newcomers]
        values = np.hstack([values, reference.hyper_parameter_columns(given)])
        predictor = reference.by_measures_and_hyper_parameters
    if predictor is None:
        raise ValueError("too few networks")
    gaps = reference.gaps
    if not has.all():
        predictor = Predictor.of(
            values[: len(gaps)], gaps, reference.folds, reference.grid, reference.fold_draws
        )
    return Evidence(values, int(has.sum()), predictor, inside, gaps)


def distances_of(reference: Reference, evidence: Evidence) -> np.ndarray:
    """Return the p value of each network's distance from the reference's networks.

    Args:
        reference: networks whose gaps are known.
        evidence: the columns; hyper-parameters take no part.

    Returns:
        (networks,) (1 + networks as far from those of other folds) / (1 + networks).
    """
    values, inside = evidence.values[:, : evidence.measures], evidence.inside
    count = len(inside)
    own = squared_distances(values, inside)[count:]
    others = np.zeros(count)
    for fold in np.unique(reference.folds[inside]):
        test = inside & (reference.folds == fold)
        others[test] = squared_distances(values[:count], inside & ~test)[test]
    return distance_p(own, others[inside])


def interval(
    reference: Reference, evidence: Evidence, place: int, unknown: Sequence[str], draw: str
) -> tuple[float, float, float]:
    """Predict a network with an interval.

    Args:
        reference: networks whose gaps are known.
        evidence: the columns.
        place: the network's place among those to predict.
        unknown: hyper-parameters in which the network may differ from all of the reference.
        draw: digest of its training inputs.

    Returns:
        The gap, and the ends of the interval: the one for networks of the reference's kind, or the
        one from networks whose level of an unknown hyper-parameter was left out, if it is wider.
    """
    inside, predictor = evidence.inside, evidence.predictor
    row = len(inside) + place
    gap = float(evidence.predictions(inside, predictor.candidate)[row])
    known_draws = [reference.draw_digests[one] for one in np.unique(reference.draws[inside])]
    another = draw not in known_draws
    everyone = inside, inside, predictor.candidate
    low, high = _ends(reference, evidence, row, [everyone], another)
    shifted = [
        (shift.known & inside, shift.near & inside, shift.candidate)
        for shift in predictor.shifts
        if shift.hyper_parameter in unknown
    ]
    if sum(near.sum() for _, near, _ in shifted) >= LEAST_REFERENCE:
        other_low, other_high = _ends(reference, evidence, row, shifted, another)
        if other_high - other_low > high - low:
            low, high = other_low, other_high
    return gap, min(low, gap), max(high, gap)


def _ends(
    reference: Reference,
    evidence: Evidence,
    row: int,
    groups: Sequence[tuple[np.ndarray, np.ndarray, int]],
    another_draw: bool,
) -> tuple[float, float]:
    """Return the ends of the interval of a network, from networks that others predict.

    Args:
        reference: networks whose gaps are known.
        evidence: the columns.
        row: that of the network.
        groups: (networks,) bool of those to fit and of those to predict, and the candidate.
        another_draw: whether the network was trained on a draw of the data that is not among them.

    Returns:
        The ends.
    """
    # Two draws are no folds to choose a predictor by, but tell how draws differ.
    by_draw = another_draw and len(np.unique(reference.draws[evidence.inside])) > 1
    left_out = reference.folds
    if by_draw and reference.fold_draws is None:
        left_out = reference.draws
    elif not by_draw and reference.fold_draws is not None:
        # The draw is known, so its error is no part of what is to be covered.
        left_out = reference.point_folds
    centres, errors, draws = [], [], []
    for known, near, candidate in groups:
        for one in np.unique(left_out[near]):
            train, test = known & (left_out != one), near & (left_out == one)
            predictions = evidence.predictions(train, candidate)
            errors.append((evidence.gaps - predictions[: len(evidence.gaps)])[test])
            centres.append(np.full(int(test.sum()), predictions[row]))
            draws.append(reference.draws[test])
    everyone = evidence.predictions(evidence.inside, evidence.predictor.candidate)[[row]]
    low, high = intervals_of(
        np.concatenate(centres)[None],
        everyone,
        np.concatenate(errors),
        np.concatenate(draws) if by_draw else None,
    )
    return float(low[0]), float(high[0])


def _range(values: np.ndarray) -> str:
    low, high = f"{values.min():.3g}", f"{values.max():.3g}"
    return low if low == high else f"{low} to {high}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:LISTED])
    return shown if len(names) <= LISTED else f"{shown} and {len(names) - LISTED} more"
