"""Persistence diagrams as vectors of fixed length.

The eleven summaries of Ballester et al. 2023 (arXiv:2203.12330) are computed as in their published
code; persistence images, landscapes, silhouettes, heat kernels and lifetime sums are added. "And
squared" ("and log") means that the squares of the numbers (log(1 + x)) follow the numbers; these
are squares of averages, not averages of squares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.topology.arrays import checked_bars
from gengap.topology.images import (
    GRID_END,
    check_grid,
    heat_kernel,
    persistence_image,
    persistence_landscape,
    persistence_silhouette,
)

Vector = NDArray[np.float64]
Vectorisation = Callable[[Vector, int, float], Vector]
"""Takes finite bars (bars, 2), the dimension of homology and the grid's largest value."""

LONGEST_LIVES = 10
POLYNOMIAL_COEFFICIENTS = 10
LIFETIME_POWERS = (0.5, 1.0, 2.0)


def vectorise(
    diagrams: Sequence[npt.ArrayLike], *, grid_end: float = GRID_END
) -> dict[str, Vector]:
    """Compute every vectorisation of one draw's diagrams, for each set of dimensions.

    Infinite bars are left out; a diagram without finite bars gives zeros.

    Args:
        diagrams: per dimension 0, 1, ... a (bars, 2) array of births and deaths.
        grid_end: persistence images cover births and lives, and landscapes filtration values, from
            0 to this; in the unit of the diagrams. The default suits dissimilarities 1 - |r|.
            Vectors can be compared if they have the same grid.

    Returns:
        float64 vectors by ``"<vectorisation>.<dimensions>"``: ``"persistent_entropy.H0"``,
        ``".H1"``, ``".H0H1"`` (the vectors of the dimensions, one after the other); their lengths
        are in ``COMPONENTS``. With H2 there are also ``".H2"``, ``".H0H2"`` and so on.

    Raises:
        GengapError: no diagram, or one that is not (bars, 2); a bar outside of the grid; or numbers
            too large for a vectorisation.
    """
    if len(diagrams) == 0:
        raise GengapError("There is no persistence diagram to vectorise: give at least H0.")
    bars = [_finite(diagram) for diagram in diagrams]
    check_grid(np.concatenate(bars), grid_end)
    subsets = [
        subset
        for size in range(1, len(bars) + 1)
        for subset in combinations(range(len(bars)), size)
    ]
    vectors: dict[str, Vector] = {}
    for name, vectorisation in _VECTORISATIONS.items():
        with np.errstate(over="ignore", invalid="ignore"):
            parts = [
                vectorisation(part, dimension, grid_end) for dimension, part in enumerate(bars)
            ]
        if not all(np.isfinite(part).all() for part in parts):
            raise GengapError(
                f"The vectorisation {name} of bars up to {np.concatenate(bars).max():g} exceeds "
                "all floating-point numbers: divide the dissimilarities by their largest value."
            )
        for subset in subsets:
            key = f"{name}.{''.join(f'H{dimension}' for dimension in subset)}"
            vectors[key] = np.concatenate([parts[dimension] for dimension in subset])
    return vectors


def _finite(diagram: npt.ArrayLike) -> Vector:
    bars = checked_bars(diagram)
    return bars[np.isfinite(bars[:, 1]) & (bars[:, 1] > bars[:, 0])]


def _mean(values: Vector) -> float:
    return float(values.mean()) if len(values) else 0.0


def _deviation(values: Vector) -> float:
    return float(values.std()) if len(values) else 0.0


def _with_squares(vector: Vector) -> Vector:
    return np.concatenate([vector, vector**2])


def _persistence_pooling(bars: Vector) -> Vector:
    """Return the longest lives, in descending order, padded with zeros."""
    lives = np.sort(bars[:, 1] - bars[:, 0])[::-1][:LONGEST_LIVES]
    return np.pad(lives, (0, LONGEST_LIVES - len(lives)))


def _lives_and_midlives(bars: Vector) -> Vector:
    return np.array([_mean(bars[:, 1] - bars[:, 0]), _mean((bars[:, 0] + bars[:, 1]) / 2)])


def _births_and_deaths(bars: Vector) -> Vector:
    return np.array([_mean(bars[:, 0]), _mean(bars[:, 1])])


def _births_and_deaths_log(bars: Vector) -> Vector:
    averages = _births_and_deaths(bars)
    return np.concatenate([averages, np.log1p(averages)])


def _lives_midlives_births_deaths_squared(bars: Vector) -> Vector:
    return np.concatenate(
        [_with_squares(_lives_and_midlives(bars)), _with_squares(_births_and_deaths(bars))]
    )


def _persistent_entropy(bars: Vector) -> Vector:
    """Entropy -sum p log p (natural logarithm) of the lives' fractions p of their sum."""
    lives = bars[:, 1] - bars[:, 0]
    shares = lives / lives.sum()
    return np.array([-(shares * np.log(shares)).sum() + 0.0])


def _deviations_and_averages(bars: Vector) -> Vector:
    """Standard deviations (of the population, not estimates) and averages of births and deaths."""
    deviations = [_deviation(bars[:, 0]), _deviation(bars[:, 1])]
    return np.concatenate([deviations, _births_and_deaths(bars)])


def _complex_polynomial(bars: Vector) -> Vector:
    """Coefficients of the monic polynomial with roots T(birth, death), highest degrees first.

    T(u, v) = (v - u)/2 * (cos a - sin a + i (cos a + sin a)), a = sqrt(u^2 + v^2): Di Fabio and
    Ferri 2015 (arXiv:1505.01335). The leading 1 is left out; real parts, then imaginary parts, of
    the next ten (zero where the degree is lower), as in giotto-tda's ``ComplexPolynomial``.
    Factors are multiplied two by two, then their products, and so on; lower degrees than the next
    ten never count.

    Returns:
        (20,) real parts, then imaginary parts.
    """
    births, deaths = bars[:, 0], bars[:, 1]
    angle = np.hypot(births, deaths)
    roots = (deaths - births) / 2 * (np.sqrt(2) * np.exp(1j * (angle + np.pi / 4)))
    # One factor in each column; that of the root 0 changes no coefficient.
    roots = np.append(roots, 0)
    factors = np.stack([np.ones(len(roots)), -roots])
    while factors.shape[1] > 1:
        if factors.shape[1] % 2:
            factors = np.concatenate([factors, np.eye(len(factors), 1)], axis=1)
        first, second = factors[:, ::2], factors[:, 1::2]
        highest = min(2 * len(first) - 1, POLYNOMIAL_COEFFICIENTS + 1)
        factors = np.zeros((highest, first.shape[1]), dtype=np.complex128)
        for shift, coefficients in enumerate(first):
            product = coefficients * second[: highest - shift]
            factors[shift : shift + len(product)] += product
    next_ten = np.zeros(POLYNOMIAL_COEFFICIENTS, dtype=np.complex128)
    next_ten[: len(factors) - 1] = factors[1:].ravel()
    return np.concatenate([next_ten.real, next_ten.imag])


def _lifetime_sums(bars: Vector) -> Vector:
    """Sums of powers of the lives; that of power 1 is the total persistence."""
    lives = bars[:, 1] - bars[:, 0]
    return np.array([(lives**power).sum() for power in LIFETIME_POWERS])


def _of_any_dimension(function: Callable[[Vector], Vector]) -> Vectorisation:
    return lambda bars, _dimension, _grid_end: function(bars)


def _on_grid(function: Callable[[Vector, float], Vector]) -> Vectorisation:
    return lambda bars, _dimension, grid_end: function(bars, grid_end)


_VECTORISATIONS: Mapping[str, Vectorisation] = {
    "persistence_pooling": _of_any_dimension(_persistence_pooling),
    "average_lives_and_midlives": _of_any_dimension(_lives_and_midlives),
    "average_lives_and_midlives_squared": _of_any_dimension(
        lambda bars: _with_squares(_lives_and_midlives(bars))
    ),
    "average_births_and_deaths": _of_any_dimension(_births_and_deaths),
    "average_births_and_deaths_squared": _of_any_dimension(
        lambda bars: _with_squares(_births_and_deaths(bars))
    ),
    "average_births_and_deaths_log": _of_any_dimension(_births_and_deaths_log),
    "lives_midlives_births_deaths_squared": _of_any_dimension(
        _lives_midlives_births_deaths_squared
    ),
    "persistent_entropy": _of_any_dimension(_persistent_entropy),
    "deviations_and_averages_of_births_and_deaths": _of_any_dimension(_deviations_and_averages),
    "deviations_and_averages_of_births_and_deaths_squared": _of_any_dimension(
        lambda bars: _with_squares(_deviations_and_averages(bars))
    ),
    "complex_polynomial": _of_any_dimension(_complex_polynomial),
    "persistence_image": persistence_image,
    "persistence_landscape": _on_grid(persistence_landscape),
    "persistence_silhouette": _on_grid(persistence_silhouette),
    "heat_kernel": _on_grid(heat_kernel),
    "lifetime_sums": _of_any_dimension(_lifetime_sums),
}

_NO_BARS = np.empty((0, 2))

COMPONENTS: Mapping[str, int] = {
    key: len(vector) for key, vector in vectorise([_NO_BARS, _NO_BARS]).items()
}
"""Number of components of every vectorisation of H0 and H1, in the order of ``vectorise``."""
