"""Summarise diagrams of many bars, as the library does and in the plain way.

    python benchmarks/summaries.py

There are 20 draws with 35,000 bars each, made up like those of correlations of rectified units with
many latent factors. The plain way evaluates every bar at every point and pixel, multiplies the
complex polynomial root by root, assigns all bars of H0 for the Wasserstein distance, and lists near
pairs for the bottleneck distance. The script prints CPU seconds of each part, on one thread, the
ratios, and by how much components differ: relative to the component itself and to the largest one.
It stops if a bottleneck distance differs at all. It takes more than ten CPU minutes.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from scipy.special import ndtr
from threadpoolctl import threadpool_limits

from gengap.topology import bottleneck, images, stability, summarise, vectorisation
from gengap.topology.transport import DIRECTIONS, LONGEST_BARS

DRAWS = 20
BARS_H0 = 3000
BARS_H1 = 32_000

# The plain bottleneck distance looks up so many near partners of a bar before it lists all.
NEAREST_PARTNERS = (8, 512)
BLOCK_BARS = 256

Bars = NDArray[np.float64]


def made_up_draw(rng: np.random.Generator) -> list[NDArray[np.float32]]:
    """Return diagrams (bars, 2) of H0 and H1, sorted by births and deaths.

    Births and lives have the quantiles of diagrams of 2200 rectified units with 60 latent factors
    and noise: births around 0.8, and a mean life a tenth of that.
    """
    deaths = np.append(np.sort(rng.normal(0.72, 0.035, BARS_H0 - 1).clip(0.05, 0.95)), np.inf)
    births = rng.normal(0.797, 0.026, BARS_H1)
    loops = np.stack([births, births + 1e-6 + 0.115 * rng.beta(1.05, 3.2, BARS_H1)], axis=1)
    components = np.stack([np.zeros(BARS_H0), deaths], axis=1)
    return [components.astype(np.float32), loops[np.lexsort(loops.T[::-1])].astype(np.float32)]


def complex_polynomial(bars: Bars, _dimension: int, _grid_end: float) -> Bars:
    """Multiply the factors of the complex polynomial one by one."""
    births, deaths = bars.T
    angle = np.hypot(births, deaths)
    roots = (deaths - births) / 2 * (np.sqrt(2) * np.exp(1j * (angle + np.pi / 4)))
    coefficients = np.zeros(vectorisation.POLYNOMIAL_COEFFICIENTS + 1, dtype=np.complex128)
    coefficients[0] = 1
    for root in roots:
        coefficients[1:] -= root * coefficients[:-1]
    return np.concatenate([coefficients[1:].real, coefficients[1:].imag])


def mass_per_pixel(centres: Bars, grid_end: float) -> Bars:
    """Return the mass (bars, pixels) of all Gaussians in all pixels."""
    edges = np.arange(images.PIXELS + 1) * (images.PIXEL_SIZE * grid_end)
    return np.diff(ndtr((edges - centres[:, None]) / (images.SPREAD * grid_end)), axis=1)


def persistence_image(bars: Bars, dimension: int, grid_end: float) -> Bars:
    """Integrate all bars over all pixels at once."""
    births, lives = bars[:, 0], bars[:, 1] - bars[:, 0]
    along_lives = mass_per_pixel(lives, grid_end)
    if dimension == 0:
        return lives @ along_lives
    return ((lives[:, None] * mass_per_pixel(births, grid_end)).T @ along_lives).ravel()


def tents(bars: Bars, grid_end: float) -> Bars:
    """Return the tents (bars, points) of all bars at all points."""
    count = images.LANDSCAPE_POINTS
    points = (np.arange(count) + 0.5) / count * grid_end
    values: Bars = np.maximum(np.minimum(points - bars[:, :1], bars[:, 1:] - points), 0)
    return values


def persistence_landscape(bars: Bars, _dimension: int, grid_end: float) -> Bars:
    """Select the highest tents among those of all bars."""
    layers = images.LANDSCAPE_LAYERS
    padded = np.concatenate([tents(bars, grid_end), np.zeros((layers, images.LANDSCAPE_POINTS))])
    return np.sort(np.partition(padded, -layers, axis=0)[-layers:], axis=0)[::-1].ravel()


def persistence_silhouette(bars: Bars, _dimension: int, grid_end: float) -> Bars:
    """Average the tents of all bars."""
    lives = bars[:, 1] - bars[:, 0]
    silhouette: Bars = lives @ tents(bars, grid_end) / lives.sum()
    return silhouette


def heat_kernel(bars: Bars, _dimension: int, grid_end: float) -> Bars:
    """Evaluate the heat of all bars at once."""
    pixels = images.PIXELS
    centres = (np.arange(pixels) + 0.5) * images.PIXEL_SIZE * grid_end
    deviation = images.SPREAD * grid_end
    births, deaths = (
        np.exp(-0.5 * ((centres - ends[:, None]) / deviation) ** 2) for ends in bars.T
    )
    heat = births.T @ deaths / (2 * np.pi * deviation**2)
    absorbed: Bars = (heat - heat.T)[np.triu_indices(pixels, 1)]
    return absorbed


def wasserstein(one: Bars, other: Bars) -> float:
    """Assign the longest bars, whatever their births."""
    one, other = (
        bars[np.argsort(bars[:, 0] - bars[:, 1], kind="stable")[:LONGEST_BARS]]
        for bars in (one, other)
    )
    alone = [(bars[:, 1] - bars[:, 0]) / np.sqrt(2) for bars in (one, other)]
    savings = np.maximum(alone[0][:, None] + alone[1] - cdist(one, other), 0)
    rows, columns = linear_sum_assignment(savings, maximize=True)
    return float(alone[0].sum() + alone[1].sum() - savings[rows, columns].sum())


def sliced_wasserstein(one: Bars, other: Bars) -> float:
    """Project onto all lines at once."""
    angles = np.linspace(-np.pi / 2, np.pi / 2, DIRECTIONS, endpoint=False)
    lines = np.stack([np.cos(angles), np.sin(angles)])
    middles = [np.repeat(bars.mean(axis=1, keepdims=True), 2, axis=1) for bars in (one, other)]
    first = np.sort(np.concatenate([one, middles[1]]) @ lines, axis=0)
    second = np.sort(np.concatenate([other, middles[0]]) @ lines, axis=0)
    return float(np.abs(first - second).sum() / DIRECTIONS)


class ListedPairs:
    """The bars of one diagram, matched with those of the other by lists of near pairs."""

    def __init__(self, bars: Bars, partners: Bars, halves: Bars) -> None:
        longest_first = np.argsort(-halves, kind="stable")
        self._bars, self._halves = bars[longest_first], halves[longest_first]
        self._partners, self._tree = partners, cKDTree(partners)

    def bound(self, known: float) -> float:
        """Return a lower bound of the distance."""
        for start in range(0, len(self._bars), BLOCK_BARS):
            block = slice(start, start + BLOCK_BARS)
            if self._halves[start] <= known:
                break
            nearest = self._tree.query(self._bars[block], p=np.inf)[0]
            known = max(known, float(np.minimum(self._halves[block], nearest).max()))
        return known

    def can_be_matched(self, limit: float) -> bool:
        """Return whether all long bars can be matched: first with few near partners, then more."""
        long = self._bars[self._halves > limit]
        within = np.nextafter(limit, np.inf)
        for known in NEAREST_PARTNERS:
            nearest = self._tree.query(
                long, k=np.arange(1, known + 1), p=np.inf, distance_upper_bound=within
            )
            distances, partners = np.asarray(nearest[0]), np.asarray(nearest[1])
            near = distances <= limit
            counts = near.sum(axis=1)
            if self._all_matched(counts, partners[near]):
                return True
            complete = counts < known
            if not self._all_matched(counts[complete], partners[complete][near[complete]]):
                return False
        lists = [np.flatnonzero(costs <= limit) for costs in self._costs_of(long)]
        return self._all_matched(np.array([len(near) for near in lists]), np.concatenate(lists))

    def costs(self, low: float, high: float) -> Bars:
        """Return the costs between the two of pairs with a long bar."""
        costs = self._costs_of(self._bars[self._halves >= high])
        return np.concatenate([of_bar[(of_bar > low) & (of_bar < high)] for of_bar in costs])

    def _costs_of(self, bars: Bars) -> Iterator[Bars]:
        for bar in bars:
            yield np.abs(bar - self._partners).max(axis=1)

    @staticmethod
    def _all_matched(counts: NDArray[np.integer], partners: NDArray[np.integer]) -> bool:
        if not counts.all():
            return False
        if len(counts) == 0:
            return True
        ends = np.append(0, np.cumsum(counts)).astype(np.int32)
        entries = np.ones(len(partners), np.int8), partners.astype(np.int32), ends
        graph = csr_array(entries, (len(counts), int(partners.max()) + 1))
        return bool((maximum_bipartite_matching(graph, perm_type="column") >= 0).all())


def bottleneck_by_lists(one: Bars, other: Bars) -> float:
    """Compute the bottleneck distance with lists of near pairs."""
    with mock.patch.object(bottleneck, "_Side", ListedPairs):
        return bottleneck.bottleneck_distance(one, other)


PLAIN: Mapping[str, Callable[..., Any]] = {
    "complex_polynomial": complex_polynomial,
    "persistence_image": persistence_image,
    "persistence_landscape": persistence_landscape,
    "persistence_silhouette": persistence_silhouette,
    "heat_kernel": heat_kernel,
    "bottleneck": bottleneck_by_lists,
    "wasserstein": wasserstein,
    "sliced_wasserstein": sliced_wasserstein,
}


def timed_summary(
    draws: list[list[NDArray[np.float32]]], replaced: Mapping[str, Callable[..., Any]]
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Summarise draws with some functions replaced, and return CPU seconds of each, and in all."""
    seconds: dict[str, float] = defaultdict(float)

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            start = time.process_time()
            result = function(*arguments)
            seconds[name] += time.process_time() - start
            return result

        return run

    with (
        mock.patch.dict(vectorisation._VECTORISATIONS) as vectorisations,
        mock.patch.dict(stability.BOTTLENECK) as bottlenecks,
        mock.patch.dict(stability.TRANSPORT) as transport,
    ):
        for functions in (vectorisations, bottlenecks, transport):
            for name, function in functions.items():
                functions[name] = timed(name, replaced.get(name, function))
        start = time.process_time()
        table = summarise(draws)
        seconds["all of it"] = time.process_time() - start
    return table, seconds


def main() -> None:
    """Print a table of both ways."""
    rng = np.random.default_rng(0)
    draws = [made_up_draw(rng) for _ in range(DRAWS)]
    # Load what is imported on the way.
    summarise([[bars[:500] for bars in draw] for draw in draws[:2]])
    with threadpool_limits(1):
        table, seconds = timed_summary(draws, {})
        plain, plain_seconds = timed_summary(draws, PLAIN)
    sizes = plain["value"].abs()
    plain["relative"] = (table["value"] - plain["value"]).abs() / sizes.where(sizes > 0, 1.0)
    plain["of largest"] = (table["value"] - plain["value"]).abs()
    by_part = plain.assign(size=sizes, part=plain["measure"].str.split(".").str[0]).groupby("part")
    rows = {}
    for name in (*PLAIN, "all of it"):
        row = {"plain": plain_seconds[name], "gengap": seconds[name]}
        row["ratio"] = row["plain"] / row["gengap"]
        if name in PLAIN:
            part = name if name in by_part.groups else f"{name}_between_draws"
            differing = by_part.get_group(part)
            row["difference"] = differing["relative"].max()
            row["of largest"] = (differing["of largest"].max()) / differing["size"].max()
        rows[name] = row
    if rows["bottleneck"]["difference"] > 0:
        raise SystemExit("The bottleneck distances differ.")
    print(pd.DataFrame.from_dict(rows, orient="index").to_string(float_format="{:.2g}".format))


if __name__ == "__main__":
    main()
