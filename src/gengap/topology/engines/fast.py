"""Vietoris-Rips persistence of a dense dissimilarity matrix up to H3, in little memory.

The edges are put into one strict order (value, then position in the matrix) and added one by
one. An edge whose end points have no common neighbour yet either joins two connected components
(a death in H0, as in Kruskal's algorithm) or closes a new loop (a birth in H1). For any other edge,
the triangles over one connected component of its *lune* (the common neighbours of its end points)
impose the same relation on the loops. So one triangle per component is enough: this is the reduced
Vietoris-Rips filtration of Koyama, Memoli, Robins and Turner ("Faster computation of degree-1
persistent homology using the reduced Vietoris-Rips filtration", arXiv:2307.16333, 2023). The first
of them says which loops the new edge is homologous to, its *annotation* (Busaryev, Cabello, Chen,
Dey and Wang, "Annotating simplices with a homology basis and its applications", SWAT 2012). Each
other one can kill the youngest loop of its relation. On the activations of trained networks few
loops are alive at a time and nearly all annotations are zero, so nearly every edge is settled by a
few words of bit sets.

H2 and H3 come from persistent cohomology, as in Ripser: the coboundaries of triangles (tetrahedra)
are reduced, the last one first, and those that kill a class one degree below are left out. All
simplices with the same last edge form a block of the filtration, as in Dory (Aggarwal and Periwal,
"Dory: Overcoming barriers to computing persistent homology", arXiv:2103.05608, 2021), and are
ordered by their other points. Then a triangle is in an apparent pair with a tetrahedron of its
block if the third point has a smaller neighbour in the lune of the last edge. So all the others
are found with bit sets, without a list of triangles: they are the smallest points of the
components of lunes and a few more. A column of the reduction is a sum of triangles. Each of them
waits in a heap for its next last edge of a tetrahedron. No coboundary is stored.

The diagrams are those of Ripser (Bauer, "Ripser: efficient computation of Vietoris-Rips
persistence barcodes", J. Appl. Comput. Topol. 5, 2021) on the same float32 values, bit for bit.
Besides the matrix, about 1.5 * n**2 bytes are in use (more if many edges are nearly tied). The
loops and the edges that are not homologous to zero need memory too: little on trained networks, and
4 * n**2 bytes on 5000 points of three latent factors. H2 and H3 take 6 * n**2 bytes more, or 12
bytes an edge and n**2 / 6 in a sparse graph, besides the sums of columns: some MB on trained
networks.

On matrices without any structure, where loops abound, time grows with about n**5 and memory with
n**3: uniform random dissimilarities take 0.03 CPU seconds at 300 points and 5 at 1000 (150 MB).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gengap.errors import GengapError, MachineError
from gengap.topology.engines.engine import Engine, Matrix, float32_matrix

if TYPE_CHECKING:
    from gengap.topology.engines.cohomology_kernels import Cohomology

Keys = npt.NDArray[np.uint32]
Diagram = npt.NDArray[np.float32]

# A non-negative float32 and its bit pattern read as an integer, its key, are in the same order.
INFINITE_KEY = 0x7F800000
# Edges are counted in buckets of neighbouring keys, and taken in windows of whole buckets.
BUCKET_SHIFT = 14
WINDOWS = 8
SMALLEST_WINDOW = 1 << 14
LARGEST_WINDOW = (1 << 32) - 1
# A closed chain of this many points runs every kernel, also those that enlarge arrays.
POINTS_TO_WARM = 24


def vietoris_rips(
    dissimilarity: npt.ArrayLike, threshold: float | None = None, max_dim: int = 1
) -> list[Diagram]:
    """Compute persistence diagrams over the field of two elements.

    Args:
        dissimilarity: (n, n) real, symmetric, non-negative, with zero diagonal; the triangle
            inequality need not hold and infinity means that the edge never enters. Other
            types than float32 are rounded to it once, as Ripser does, before the checks.
        threshold: edges longer than this (rounded to float32) never enter; None for no limit.
        max_dim: the highest dimension of homology, 1 to 3.

    Returns:
        For each dimension from 0 on, a float32 array (bars, 2) of births and deaths, sorted by
        (birth, death), in the unit of the dissimilarity, without bars of zero length. Bars that
        never end have death infinity.

    Raises:
        GengapError: the matrix is not square, real, symmetric and non-negative with zero
            diagonal, or holds NaN, or the threshold is NaN, or there are too many points for H2 or
            H3.
        MachineError: the compiled code cannot be kept, since the disk is full or not writable.
    """
    values = float32_matrix(dissimilarity)
    try:
        return _swept(values, threshold, max_dim)
    except OSError as error:
        raise MachineError(
            f"Numba cannot keep the compiled persistence engine ({error.strerror or error}): make "
            "room in its cache, or name another folder in the environment variable NUMBA_CACHE_DIR."
        ) from error


def warm(max_dim: int = 3) -> None:
    """Compile the engine, or load it from Numba's cache, by a run on a tiny matrix.

    Args:
        max_dim: the highest dimension of homology that will be computed.
    """
    steps = np.abs(np.subtract.outer(np.arange(POINTS_TO_WARM), np.arange(POINTS_TO_WARM)))
    chain = np.minimum(steps, POINTS_TO_WARM - steps)
    vietoris_rips(chain, max_dim=max_dim)
    if max_dim > 1:  # sparse graphs are held in another form
        vietoris_rips(chain, threshold=1, max_dim=max_dim)


def _swept(values: Matrix, threshold: float | None, max_dim: int) -> list[Diagram]:
    from gengap.topology.engines import fast_kernels as kernels

    n = len(values)
    keys = values.view(np.uint32)
    fault, row, column = kernels.examine(keys)
    if fault != kernels.SOUND:
        raise GengapError(_complaint(fault, values, row, column))
    farthest = np.empty(n, np.uint32)
    closeness = np.empty(n, np.float64)
    kernels.survey(values, farthest, closeness)
    # From the enclosing radius on, some point is joined to all others and the complex is a cone.
    # Its edges at or beyond that radius only end what is still alive.
    radius = int(farthest.min(initial=INFINITE_KEY))
    end, last = _limits(radius, threshold)
    # Points in the middle of the cloud come first: they are found soonest in a lune.
    points = np.argsort(closeness, kind="stable")
    rank = np.empty(n, np.uint64)
    rank[points] = np.arange(n, dtype=np.uint64)

    sweep = kernels.Sweep(n)
    windows = list(_windows(keys, end))
    cohomology = _cohomology(n, sum(count for _, _, count in windows), max_dim)
    room = 1 + max((count for _, _, count in windows), default=0)
    packed, pairs = np.empty(room, np.uint64), np.empty(room, np.uint64)
    for low, high, count in windows:
        kernels.gather(keys, rank, np.uint32(low), np.uint32(high), packed, pairs)
        edges = packed[:count]
        edges.sort()
        sweep.add(edges, pairs)
        if cohomology is not None:
            cohomology.add(edges, pairs)
    diagrams = [_h0(sweep.merges(), n, last), _h1(*sweep.loops(), last)]
    if cohomology is not None:
        triangles = sweep.killers()
        # Make room.
        del sweep, packed, pairs
        for bars in cohomology.bars(triangles, max_dim):
            births, deaths = (_edge_keys(keys, points[cohomology.ends(e)]) for e in bars.T)
            deaths[bars[:, 1] < 0] = last
            diagrams.append(_diagram(births, deaths))
    return diagrams


def _edge_keys(keys: Keys, ends: npt.NDArray[np.int64]) -> Keys:
    """Return the keys of edges (m, 2); minus zero is zero."""
    return keys[ends[:, 0], ends[:, 1]] & np.uint32(0x7FFFFFFF)


def _cohomology(n: int, edges: int, max_dim: int) -> Cohomology | None:
    """Return what computes H2 and higher, or None where nothing of that kind is asked for.

    Raises:
        GengapError: there are more points than can be numbered.
    """
    if max_dim < 2:
        return None
    from gengap.topology.engines.cohomology_kernels import Cohomology, most_points

    if n > most_points(max_dim):
        raise GengapError(
            f"The fast engine computes H{max_dim} of at most {most_points(max_dim)} points, not "
            f"{n}: lower max_dim or sample fewer neurons."
        )
    return Cohomology(n, edges)


def _complaint(fault: int, values: Matrix, row: int, column: int) -> str:
    from gengap.topology.engines import fast_kernels as kernels

    place = f"The dissimilarity of points {row} and {column} is {values[row, column]}"
    return {
        kernels.NOT_A_NUMBER: f"{place}: remove or impute missing values first.",
        kernels.NEGATIVE: f"{place}: pass non-negative dissimilarities.",
        kernels.NONZERO_DIAGONAL: f"{place}: set the diagonal to zero.",
        kernels.ASYMMETRIC: (
            f"{place} but that of points {column} and {row} is {values[column, row]}: "
            "symmetrise the matrix first."
        ),
    }[fault]


def _limits(radius: int, threshold: float | None) -> tuple[int, int]:
    """Return the key below which all edges to add lie, and the key at which remaining bars end."""
    if threshold is None:
        return radius, radius
    if np.isnan(threshold):
        raise GengapError("The threshold is NaN: pass a number, or None for no limit.")
    if threshold < 0:
        return 0, INFINITE_KEY
    with np.errstate(over="ignore"):
        key = int(np.float32(abs(threshold)).view(np.uint32))
    return (key + 1, INFINITE_KEY) if key < radius else (radius, radius)


def _windows(keys: Keys, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield ranges [low, high) of keys below ``end``, each with its number of edges.

    Sorting window by window bounds the memory: about 1/8 of all pairs are held at a time, more
    only where more are (almost) tied.

    Yields:
        low, high, number of edges.

    Raises:
        GengapError: more edges are tied than a window can hold.
    """
    from gengap.topology.engines import fast_kernels as kernels

    counts = np.zeros((max(end - 1, 0) >> BUCKET_SHIFT) + 1, np.int64)
    kernels.count(keys, np.uint32(end), np.uint32(BUCKET_SHIFT), counts)
    size = max(len(keys) * (len(keys) - 1) // 2 // WINDOWS, SMALLEST_WINDOW)
    size = min(size, LARGEST_WINDOW)
    if counts.max() > LARGEST_WINDOW:
        raise GengapError(
            f"More than {LARGEST_WINDOW} dissimilarities are (nearly) equal: sample fewer points."
        )
    low = held = 0
    for bucket in np.flatnonzero(counts):
        if held and held + counts[bucket] > size:
            high = int(bucket) << BUCKET_SHIFT
            yield low, high, held
            low, held = high, 0
        held += int(counts[bucket])
    if held:
        yield low, end, held


def _h0(merges: Keys, n: int, last: int) -> Diagram:
    """Return one bar per point; ``merges`` are the keys of deaths seen; others but one end last."""
    if n == 0:
        return np.empty((0, 2), np.float32)
    unmerged = np.full(n - len(merges), last, np.uint32)
    unmerged[-1] = INFINITE_KEY
    deaths = np.concatenate([merges, unmerged])
    return _diagram(np.zeros(n, np.uint32), deaths)


def _h1(births: Keys, deaths: Keys, last: int) -> Diagram:
    from gengap.topology.engines import fast_kernels as kernels

    return _diagram(births, np.where(deaths == kernels.ALIVE, np.uint32(last), deaths))


def _diagram(births: Keys, deaths: Keys) -> Diagram:
    proper = births < deaths
    births, deaths = births[proper], deaths[proper]
    order = np.lexsort((deaths, births))
    return np.stack([births[order], deaths[order]], axis=1).view(np.float32)


def _compute(matrix: Matrix, max_dim: int, threshold: float) -> Sequence[Diagram]:
    limit = None if math.isinf(threshold) else threshold
    return vietoris_rips(matrix, limit, max_dim)[: max_dim + 1]


FAST = Engine("fast", _compute)
