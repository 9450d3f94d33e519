"""Networks that are left out of a zoo, predicted from the others with intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gengap.evaluation.designs import hyper_parameter_design, levels
from gengap.limits import LEAST_REFERENCE
from gengap.names import DECLINED
from gengap.prediction.assessment import point_folds
from gengap.prediction.intervals import intervals_of
from gengap.prediction.predicting import Newcomer, doubts_of_training, judged
from gengap.prediction.predictors import KERNELS, predictions_from
from gengap.prediction.reference import Measured, Reference
from gengap.seeding import generator

DRAWS_OF_SEED = 3
"""Draws of the training data that make one seed: as many as the default run has."""
DRAWS_OF_LARGE = 5
"""Draws of the training data of a large reference."""
PARTS = 4
"""Parts into which the networks of a seed are divided at random, each of which is left out."""
ARCHITECTURE = ("template", "depth", "width")
"""Hyper-parameters that make another architecture."""

NETWORK, DRAW, DRAW_OF_LARGE, ARCHITECTURES = (
    "network",
    "draw",
    "draw, large reference",
    "architecture",
)
"""What is left out."""
MEASURES, HYPER_PARAMETERS, TRAINING, CONSTANT = (
    "measures",
    "hyper-parameters",
    "training accuracy",
    "constant",
)
"""What predicts."""
COLUMNS = (
    "left_out", "level", "reference", "networks", "network", "draw", "gap", "predictor",
    "prediction", "low", "high", "distance_p", "declined",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Split:
    """Networks that predict, and networks that are predicted.

    Attributes:
        left_out: what is left out, such as :data:`NETWORK`.
        level: which part, draw or level it is.
        reference: number of the reference that the known networks are from.
        known: (networks,) bool.
        unknown: (networks,) bool.
    """

    left_out: str
    level: str
    reference: int
    known: np.ndarray
    unknown: np.ndarray


def splits(networks: Measured) -> Iterator[Split]:
    """Leave out parts of the networks, draws of the training data, and architectures.

    A seed is :data:`DRAWS_OF_SEED` draws, of which no two seeds share one. Its networks predict a
    part of themselves, the networks of all other draws, and those with a level of a
    hyper-parameter of :data:`ARCHITECTURE`. A large reference is :data:`DRAWS_OF_LARGE` draws in a
    row, beginning at each; its networks predict the other draws.

    Args:
        networks: of one task.

    Yields:
        Splits whose known networks are at least as many as a reference needs.
    """
    draws = len(networks.draw_digests)
    for seed in range(draws // DRAWS_OF_SEED):
        own = np.arange(seed * DRAWS_OF_SEED, (seed + 1) * DRAWS_OF_SEED)
        inside = np.isin(networks.draws, own)
        chosen = [*_parts(inside, seed), *_levels(networks, inside)]
        chosen.append((DRAW, "others", inside, ~inside))
        for left_out, level, known, unknown in chosen:
            if known.sum() >= LEAST_REFERENCE and unknown.any():
                yield Split(left_out, level, seed, known, unknown)
    if draws > DRAWS_OF_LARGE:
        for first in range(draws):
            own = (first + np.arange(DRAWS_OF_LARGE)) % draws
            inside = np.isin(networks.draws, own)
            yield Split(DRAW_OF_LARGE, "others", first, inside, ~inside)


def _parts(inside: np.ndarray, seed: int) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    order = generator(0, "studies", "prediction", seed).permutation(np.flatnonzero(inside))
    for part in range(PARTS):
        unknown = np.zeros_like(inside)
        unknown[order[part::PARTS]] = True
        yield NETWORK, str(part), inside & ~unknown, unknown


def _levels(
    networks: Measured, inside: np.ndarray
) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    for name in ARCHITECTURE:
        if name not in networks.grid:
            continue
        distinct, index = levels(networks.grid[name])
        for position, level in enumerate(distinct):
            if len(distinct) > 1:
                unknown = inside & (index == position)
                yield ARCHITECTURES, f"{name} {level}", inside & ~unknown, unknown


def left_out(networks: Measured) -> pd.DataFrame:
    """Predict networks that are left out, by their measures and by what is known without these.

    Args:
        networks: of one task.

    Returns:
        One row a split, network and predictor, with the columns :data:`COLUMNS`. ``networks`` is
        the number of known ones. Only :data:`MEASURES` decline; the others have no ``distance_p``.
    """
    tables = []
    for split in splits(networks):
        unknown = networks.part(split.unknown)
        shared = {
            "left_out": split.left_out,
            "level": split.level,
            "reference": split.reference,
            "networks": int(split.known.sum()),
            "network": list(unknown.networks),
            "draw": networks.draws[split.unknown],
            "gap": unknown.gaps,
        }
        predictions = {MEASURES: by_measures(networks, split), **by_columns(networks, split)}
        for predictor, table in predictions.items():
            tables.append(pd.DataFrame(shared | {"predictor": predictor}).join(table))
    return pd.concat(tables, ignore_index=True).reindex(columns=list(COLUMNS))


def by_measures(networks: Measured, split: Split) -> pd.DataFrame:
    """Predict the unknown networks as a reference of the known ones does.

    Args:
        networks: of one task.
        split: which are known.

    Returns:
        Columns prediction, low, high, distance_p and declined, one row an unknown network.
    """
    reference = Reference.of(networks.part(split.known))
    unknown = networks.part(split.unknown)
    newcomers = [
        Newcomer(
            network,
            unknown.values[row],
            dict(zip(map(str, unknown.grid), unknown.grid.loc[network], strict=True)),
            unknown.training[row],
            unknown.draw_digests[unknown.draws[row]],
            tuple(
                doubts_of_training(
                    unknown.sizes[row],
                    unknown.recipe.losses,
                    unknown.losses[row],
                    unknown.training[row],
                    reference,
                )
            ),
            (),
        )
        for row, network in enumerate(unknown.networks)
    ]
    predictions = judged(newcomers, reference, force=False)
    ends = [(one.gap, one.low, one.high, one.distance_p) for one in predictions]
    table = pd.DataFrame(ends, columns=["prediction", "low", "high", "distance_p"], dtype=float)
    return table.assign(declined=[one.verdict == DECLINED for one in predictions])


def by_columns(networks: Measured, split: Split) -> dict[str, pd.DataFrame]:
    """Predict the unknown networks without measures, by the same learners and intervals.

    Args:
        networks: of one task.
        split: which are known.

    Returns:
        Columns prediction, low, high and declined, by the name of the predictor.
    """
    rows = split.known | split.unknown
    part = networks.part(rows)
    known = split.known[rows]
    gaps, chance = part.gaps[known], generator(0, "studies", "prediction", "points")
    # As for measures: what the unknown networks do not share with the known ones is left out.
    by_draw = not np.isin(part.draws[~known], part.draws[known]).all()
    draws = part.draws[known] if by_draw else None
    folds = point_folds(part.grid[known], chance) if draws is None else draws
    columns = {
        HYPER_PARAMETERS: (hyper_parameter_design(part.grid).values, tuple(KERNELS)),
        TRAINING: (part.training[:, None], tuple(KERNELS)),
        CONSTANT: (part.training[:, None], ()),
    }
    tables = {}
    for name, (values, learners) in columns.items():
        everyone = predictions_from(values, part.gaps, known, learners)
        centres = np.zeros((len(everyone), int((~known).sum()), len(gaps)))
        errors = np.zeros((len(everyone), len(gaps)))
        for fold in np.unique(folds):
            test, train = folds == fold, known.copy()
            train[known] = ~test
            predictions = predictions_from(values, part.gaps, train, learners)
            errors[:, test] = gaps[test] - predictions[:, known][:, test]
            centres[:, :, test] = predictions[:, ~known, None]
        best = int(np.nanargmin(np.sum(errors**2, axis=1)))
        ends = intervals_of(centres[best], everyone[best, ~known], errors[best], draws)
        table = {"prediction": everyone[best, ~known], "low": ends[0], "high": ends[1]}
        tables[name] = pd.DataFrame(table).assign(declined=False)
    return tables
