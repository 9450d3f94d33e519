"""Parts of a network that is too large for one graph: partitions, and graphs of their parts.

Corneanu et al. (CVPR 2019) divide the nodes of VGG16 and look at each part by itself, at the graph
of the parts' mean activations, and at the graph of how unlike the parts' correlations are
distributed.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from gengap.arguments import whole_number
from gengap.errors import GengapError
from gengap.topology.arrays import activation_matrix, square_matrix
from gengap.topology.budget import Budget, check_matrix
from gengap.topology.dissimilarity import correlation_dissimilarity

Parts = list[NDArray[np.int64]]

STRONG_CORRELATION = 0.5
CORRELATION_BINS = 10
# Stands for an empty bin of a histogram, as in the published code.
EMPTY_BIN = 1e-5

DIVERGENCES = ("kl", "js")


def equal_chunks(layers: Sequence[int], size: int) -> Parts:
    """Divide each layer into chunks of consecutive nodes, of nearly equal size.

    Args:
        layers: number of nodes of each layer; nodes are numbered consecutively.
        size: approximate number of nodes per chunk; a smaller layer is one chunk.

    Returns:
        The nodes of each chunk.

    Raises:
        GengapError: ``size`` is below 1.
    """
    size = whole_number(size, "size", 1)
    return [
        chunk
        for layer in by_structure(layers)
        for chunk in np.array_split(layer, max(1, len(layer) // size))
    ]


def by_structure(layers: Sequence[int], together: int = 1) -> Parts:
    """Divide the nodes by layers, or by blocks of consecutive layers.

    Args:
        layers: number of nodes of each layer; nodes are numbered consecutively.
        together: layers in a block; the last block has what remains.

    Returns:
        The nodes of each block; empty blocks are left out.

    Raises:
        GengapError: ``together`` is below 1.
    """
    together = whole_number(together, "together", 1)
    ends = np.cumsum([0, *layers])
    marks = [*ends[:-1:together], ends[-1]]
    blocks = [np.arange(low, high) for low, high in itertools.pairwise(marks)]
    return [block for block in blocks if len(block)]


def communities(dissimilarity: npt.ArrayLike, rng: np.random.Generator) -> Parts:
    """Find communities of the graph that joins nodes with |r| > 0.5, by Louvain's method.

    The published code cuts the same graph with METIS into a given number of parts, as
    :func:`cut` does; communities choose their number by modularity. Nodes without neighbours form
    one part, the last.

    Args:
        dissimilarity: (n, n) 1 - |r|.
        rng: draws the order in which nodes are visited.

    Returns:
        Parts, each ascending, ordered by their first nodes; together all nodes.
    """
    import networkx  # slow to import, and only this partition needs it

    joined = _joined(dissimilarity)
    alone = np.flatnonzero(~joined.any(axis=1))
    graph = networkx.Graph()
    graph.add_edges_from(np.argwhere(np.triu(joined)).tolist())
    groups = (
        networkx.community.louvain_communities(graph, seed=int(rng.integers(2**32)))
        if len(graph)
        else []
    )
    parts = [np.array(sorted(part), dtype=np.int64) for part in groups]
    parts.sort(key=lambda part: int(part[0]))
    return [*parts, alone] if len(alone) else parts


def cut(dissimilarity: npt.ArrayLike, parts: int) -> Parts:
    """Cut the graph that joins nodes with |r| > 0.5 into a given number of parts.

    By recursive spectral bisection (Simon, "Partitioning of unstructured problems for parallel
    processing", 1991): nodes are ordered by the eigenvector of the second smallest eigenvalue of
    the graph's Laplacian, and divided there, so that few edges are cut. METIS, which the published
    code uses, bisects recursively too.

    Args:
        dissimilarity: (n, n) 1 - |r|.
        parts: their number, at most n.

    Returns:
        Parts whose sizes differ little, each ascending, ordered by their first nodes.

    Raises:
        GengapError: there are fewer nodes than parts.
    """
    joined = _joined(dissimilarity)
    parts = whole_number(parts, "parts", 1)
    if parts > len(joined):
        raise GengapError(
            f"{len(joined)} nodes are to be cut into {parts} parts: give at most as many as nodes."
        )
    return sorted(_bisected(joined, np.arange(len(joined)), parts), key=lambda part: int(part[0]))


def _bisected(joined: NDArray[np.bool_], nodes: NDArray[np.int64], parts: int) -> Parts:
    """Cut the graph of some nodes into so many parts."""
    from scipy.linalg import eigh

    if parts == 1:
        return [np.sort(nodes)]
    first = parts // 2
    within = joined[np.ix_(nodes, nodes)].astype(np.float64)
    degrees = within.sum(axis=1)
    # The constant vector, of eigenvalue 0, is moved above all others, whose least is then wanted.
    laplacian = np.diag(degrees) - within + (2 * degrees.max() + 1) / len(nodes)
    order = np.argsort(eigh(laplacian, subset_by_index=[0, 0])[1][:, 0], kind="stable")
    size = round(len(nodes) * first / parts)
    return [
        *_bisected(joined, nodes[order[:size]], first),
        *_bisected(joined, nodes[order[size:]], parts - first),
    ]


def _joined(dissimilarity: npt.ArrayLike) -> NDArray[np.bool_]:
    """Return which nodes are joined by |r| > 0.5, (n, n)."""
    joined = square_matrix(dissimilarity) < 1 - STRONG_CORRELATION
    np.fill_diagonal(joined, False)
    return joined


def partition_means(
    activations: npt.ArrayLike, parts: Parts, budget: Budget | None = None
) -> NDArray[np.float32]:
    """Build the functional graph of the parts' mean activations.

    Args:
        activations: (k, m), one row per node, one column per input.
        parts: p parts of the nodes.
        budget: see ``gengap.topology.budget``.

    Returns:
        (p, p) 1 - |r| of the means.

    Raises:
        OverBudgetError: the matrix costs more than the budget.
    """
    values = activation_matrix(activations)
    _check(parts, len(values))
    check_matrix(len(parts), values.shape[1], budget)
    means = np.stack([values[part].mean(axis=0, dtype=np.float64) for part in parts])
    return correlation_dissimilarity(means)


def partition_divergences(
    activations: npt.ArrayLike,
    parts: Parts,
    kind: str = "js",
    budget: Budget | None = None,
) -> NDArray[np.float64]:
    """Compute how unlike the distributions of |r| within any two parts are.

    Each part's distribution is a histogram of |r| over its pairs of nodes, in ten bins over [0, 1]
    (the published code chose the bins for each part anew, so that equal bins meant different
    correlations). ``js`` is the Jensen-Shannon divergence over log 2, in [0, 1]; ``kl`` is the mean
    of the Kullback-Leibler divergences of one from the other and back (which the published code
    calls js), divided by the largest of all.

    Args:
        activations: (k, m), one row per node, one column per input. Correlations are computed
            within parts only.
        parts: p parts of the nodes; those of a single node have no pair and are left out.
        kind: ``kl`` or ``js``.
        budget: budget of each part's correlations, see ``gengap.topology.budget``.

    Returns:
        (q, q) symmetric, in [0, 1], zero diagonal, for the q parts of two nodes or more.

    Raises:
        OverBudgetError: a part's correlations cost more than the budget.
        GengapError: an unknown kind, or fewer than two parts with pairs of nodes.
    """
    if kind not in DIVERGENCES:
        raise GengapError(f"Unknown divergence {kind!r}: choose {' or '.join(DIVERGENCES)}.")
    values = activation_matrix(activations)
    _check(parts, len(values))
    paired = [part for part in parts if len(part) > 1]
    if len(paired) < 2:
        raise GengapError(
            "Fewer than two parts have a pair of nodes, so there is nothing to compare: "
            "make fewer, larger parts."
        )
    for part in paired:
        check_matrix(len(part), values.shape[1], budget)
    p = np.stack([_density(values[part]) for part in paired])
    ratio = np.log(p[:, None] / p[None])
    if kind == "kl":
        one_way = (p[:, None] * ratio).sum(axis=-1)
        divergence = (one_way + one_way.T) / 2
        return _scaled(divergence / max(divergence.max(), np.finfo(float).tiny))
    middle = (p[:, None] + p[None]) / 2
    half = (p[:, None] * np.log(p[:, None] / middle)).sum(axis=-1)
    return _scaled((half + half.T) / (2 * np.log(2)))


def _scaled(divergence: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make a matrix exactly symmetric, with a zero diagonal and no negative rounding errors."""
    upper = np.triu(np.clip(divergence, 0, 1), 1)
    return upper + upper.T


def _density(activations: NDArray[np.floating]) -> NDArray[np.float64]:
    within = correlation_dissimilarity(activations)[np.triu_indices(len(activations), 1)]
    counts, _ = np.histogram(1 - within, bins=CORRELATION_BINS, range=(0, 1))
    shares = np.maximum(counts / counts.sum(), EMPTY_BIN)
    density: NDArray[np.float64] = shares / shares.sum()
    return density


def _check(parts: Parts, nodes: int) -> None:
    if not parts or any(len(part) == 0 for part in parts):
        raise GengapError("A partition has no parts, or an empty one: give each part a node.")
    if max(int(part.max()) for part in parts) >= nodes:
        raise GengapError(
            f"A partition names nodes beyond the {nodes} of the graph: "
            "divide the graph that it is used on."
        )
