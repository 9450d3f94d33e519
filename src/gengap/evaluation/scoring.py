"""Held-out predictions of every row of a leaderboard, alone and beside the hyper-parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gengap.evaluation.correlations import training_outcome
from gengap.evaluation.designs import REFERENCE, Design, Designs, hyper_parameter_design
from gengap.evaluation.folds import Folds
from gengap.evaluation.references import (
    REPLICATE_CEILING,
    constant_design,
    excess_of_products,
    has_replicates,
    pairwise_design,
    random_design,
    replicate_ceiling,
    replicate_noise_design,
)
from gengap.evaluation.regression import (
    TRANSFORMS,
    Basis,
    extended,
    least_training,
    mean_basis,
    pooled_r2,
    predict,
    predict_scalars,
    predict_vector,
    ridge_extended,
)

COVERAGE = 0.9
"""Of the interval for the gap of one new network."""


@dataclass(frozen=True)
class Row:
    """The held-out predictions of a measure, a reference or a combination of measures.

    Attributes:
        name: the measure, ``reference.<what>`` or ``combination.<what>``.
        family: the measure's family, or ``reference`` or ``combination``.
        kind: ``scalar``, ``vector``, ``reference`` or ``combination``.
        components: how many columns the gap is regressed on.
        predictions: (repeats, networks) of the row alone.
        eligible: whether it is a measure that can be ranked.
        underdetermined: whether its fit has more coefficients than the fewest training networks.
        transform: of a scalar, the one of ``TRANSFORMS`` that most cells use; else empty.
        increment_additive: R2 with the hyper-parameters, less theirs alone (the mean's, where there
            are no hyper-parameters); NaN where it is not defined.
        increment_pairwise: the same with the pairwise products of the hyper-parameters.
    """

    name: str
    family: str
    kind: str
    components: int
    predictions: np.ndarray
    eligible: bool = False
    underdetermined: bool = False
    transform: str = ""
    increment_additive: float = np.nan
    increment_pairwise: float = np.nan


def row_of(
    design: Design,
    predictions: np.ndarray,
    *,
    underdetermined: bool = False,
    transform: str = "",
    increments: Sequence[float] | np.ndarray = (np.nan, np.nan),
) -> Row:
    """Make the row of a measure or a reference; see :class:`Row` for the arguments."""
    return Row(
        design.name,
        design.family,
        design.kind,
        len(design.components),
        predictions,
        eligible=design.kind != REFERENCE and not underdetermined and not design.constant,
        underdetermined=underdetermined,
        transform=transform,
        increment_additive=float(increments[0]),
        increment_pairwise=float(increments[1]),
    )


@dataclass(frozen=True)
class Models:
    """What is known without a measure, and what measures are fitted beside.

    Attributes:
        gaps: (networks,).
        folds: the cells.
        bases: the constant; the hyper-parameters by least squares (the constant again where there
            are none); and the hyper-parameters with their products by ridge, if several vary. All
            but the constant are in :attr:`Folds.nested` only: measures are ranked
            by themselves, and these bases take most of the memory.
        known: mean R2 of each of them in its repeats.
        columns: number of columns of the additive model.
        least_training: training networks of the cell that has the fewest.
    """

    gaps: np.ndarray
    folds: Folds
    bases: tuple[Basis, ...]
    known: tuple[float, ...]
    columns: int
    least_training: int

    def increments(self, predictions: Sequence[np.ndarray]) -> np.ndarray:
        """Compute what rows add to the additive and to the pairwise model.

        Args:
            predictions: for each basis, (rows, repeats, networks) of each row beside it.

        Returns:
            (2, rows) differences of the mean R2; NaN for a model that does not exist.
        """
        gains = np.full((2, len(predictions[0])), np.nan)
        for index in range(1, len(self.bases)):
            r2 = pooled_r2(predictions[index], self.gaps, self.folds.draws)
            gains[index - 1] = r2.mean(axis=-1) - self.known[index]
        return gains


def score(designs: Designs, folds: Folds, rng: np.random.Generator) -> list[Row]:
    """Predict the gap from every measure and every reference, alone and beside others.

    Args:
        designs: the measures of a task.
        folds: the cells of the cross-validation, which all rows share.
        rng: draws the random references.

    Returns:
        The measures in their order, then the references.
    """
    gaps = designs.gaps
    constant, additive = constant_design(len(gaps)), hyper_parameter_design(designs.grid)
    pairwise = None if excess_of_products(designs) else pairwise_design(designs.grid)
    few = folds.nested
    bases = [mean_basis(folds), mean_basis(few)]
    models = [constant]
    if additive.components:
        bases[1] = extended(bases[1], additive, few)
        models.append(additive)
    if pairwise is not None:
        bases.append(ridge_extended(bases[1], pairwise, gaps, few))
        models.append(replace(pairwise, components=(*additive.components, *pairwise.components)))
    predictions = [predict(bases[0], gaps, folds)]
    predictions += [predict(basis, gaps, few) for basis in bases[1:]]
    beside = Models(
        gaps,
        folds,
        tuple(bases),
        tuple(float(pooled_r2(own, gaps, folds.draws).mean()) for own in predictions),
        len(additive.components),
        least_training(folds),
    )
    references = [training_outcome(designs), random_design(len(gaps), rng)]
    replicates = has_replicates(designs.points)
    if replicates:
        references.append(replicate_noise_design(designs, rng))
    regressed = [*designs.measures, *references]
    scalars = score_scalars([d for d in regressed if len(d.components) == 1], beside)
    rows = [scalars.get(design.name) or score_vector(design, beside) for design in regressed]
    rows += [row_of(design, own) for design, own in zip(models, predictions, strict=False)]
    if replicates:
        ceiling = Design(REPLICATE_CEILING, REFERENCE, (), np.zeros((len(gaps), 0)))
        rows.append(row_of(ceiling, np.tile(replicate_ceiling(designs), (folds.repeats, 1))))
    return rows


def own_folds(design: Design, folds: Folds) -> Folds:
    """Return the repeats in which a measure alone predicts the gap.

    Principal components are found anew in each cell, which costs more than all else together. So
    reduced designs have the first repeats only, as combinations have.
    """
    return folds.nested if design.reduced else folds


def score_scalars(designs: Sequence[Design], models: Models) -> dict[str, Row]:
    """Score designs of one component, all at once, and return the rows by name."""
    values = np.column_stack([design.values for design in designs])
    predictions, used = predict_scalars(values, models.gaps, models.folds, models.bases)
    gains = models.increments(predictions)
    return {
        design.name: row_of(
            design,
            predictions[0][index],
            transform=TRANSFORMS[int(used[index].argmax())],
            increments=gains[:, index],
        )
        for index, design in enumerate(designs)
    }


def score_vector(design: Design, models: Models) -> Row:
    """Score a design of several components; its increments are NaN where nothing is left to test.

    That is where the hyper-parameters and the measure together have more coefficients than the
    fewest training networks.

    Returns:
        The row.
    """
    folds = own_folds(design, models.folds)
    bases = [basis.first(folds.repeats) for basis in models.bases]
    predictions = predict_vector(design, models.gaps, folds, bases)
    gains = models.increments([own[None] for own in predictions])[:, 0]
    if design.underdetermined(models.least_training, models.columns):
        gains = np.full(2, np.nan)
    return row_of(
        design,
        predictions[0],
        underdetermined=design.underdetermined(models.least_training),
        increments=gains,
    )


def interval_width(predictions: np.ndarray, gaps: np.ndarray) -> float:
    """Compute the full width of a 90 % interval for the gap of one new network.

    In each repeat it is twice the ceil(.9 (n + 1))-th smallest of the n absolute held-out errors
    (Lei et al., "Distribution-free predictive inference for regression", JASA 113, 2018, section
    2.2), and the widths of the repeats are averaged.

    Args:
        predictions: (repeats, networks).
        gaps: (networks,).

    Returns:
        The width, in the unit of the gap; infinite for fewer than nine networks.
    """
    rank = int(np.ceil(COVERAGE * (len(gaps) + 1)))
    if rank > len(gaps):
        return float("inf")
    errors = np.sort(np.abs(predictions - gaps), axis=1)
    return float(2 * errors[:, rank - 1].mean())
