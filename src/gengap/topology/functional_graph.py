"""The functional graph of a network: its nodes' activations as a dissimilarity.

Corneanu et al. (CVPR 2019, CVPR 2020): nodes are neurons, or channels by their spatial means. The
distance of two nodes is d = 1 - |r|, with r the correlation of their activations over the inputs
(``correlation_dissimilarity``). Activations come as arrays, from ``gengap.activations``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from gengap.arguments import number_from_zero, whole_number
from gengap.errors import GengapError
from gengap.topology.arrays import activation_matrix, real_array, square_matrix
from gengap.topology.betti import summarise_bars
from gengap.topology.budget import Budget, check_matrix
from gengap.topology.dipha import EPS_MAX, SHORTEST, dipha_bars
from gengap.topology.dissimilarity import correlation_dissimilarity

if TYPE_CHECKING:
    import pandas as pd

DISCRIMINATIVE_SHARE = 0.1
# Shrinkage of the covariance in the discriminant analysis, as in the published code.
SHRINKAGE = 0.001
CONFIDENCE = 0.95


def per_sample_graph(values: npt.ArrayLike, join: str = "unlike") -> NDArray[np.float32]:
    """Build the graph of one input from |a_i - a_j| of the nodes' activations, in [0, 1].

    The published code joins the nodes that differ *most* first (``unlike``: d = 1 - |a_i - a_j|).
    With |a_i - a_j| itself as the length (``alike``) the nodes are points on a line, whose
    Vietoris-Rips complexes have no homology above dimension 0.

    Args:
        values: (k,) activations of one input.
        join: ``unlike`` or ``alike``.

    Returns:
        (k, k) symmetric, in [0, 1], zero diagonal. Where all activations are equal, differences
        count as 0.

    Raises:
        GengapError: not a vector of at least two finite values, or an unknown ``join``.
    """
    flat = real_array(values, "The activation of one input").astype(np.float64, copy=False)
    if flat.ndim != 1 or len(flat) < 2 or not np.isfinite(flat).all():
        raise GengapError(
            f"Activations of one input have shape {flat.shape} or are not finite: "
            "give a vector of two or more finite numbers."
        )
    if join not in ("unlike", "alike"):
        raise GengapError(f"Unknown join {join!r}: choose unlike or alike.")
    span = flat.max() - flat.min()
    differences = np.abs(np.subtract.outer(flat, flat)) / (span or 1.0)
    graph = differences if join == "alike" else 1 - differences
    np.fill_diagonal(graph, 0)
    return graph.astype(np.float32)


def discriminative_nodes(
    activations: npt.ArrayLike,
    right: NDArray[np.bool_],
    share: float = DISCRIMINATIVE_SHARE,
) -> NDArray[np.int64]:
    """Find the nodes that tell right from wrong predictions, by a linear discriminant.

    Args:
        activations: (k, m), one row per node, one column per input.
        right: (m,) whether the network's prediction of each input is right.
        share: the fraction of the nodes to select, at least two: those with the largest absolute
            coefficients.

    Returns:
        Nodes, ascending.

    Raises:
        GengapError: predictions are all right or all wrong, or ``share`` is not in (0, 1].
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    values = activation_matrix(activations)
    count = kept_nodes(len(values), share)
    right = np.asarray(right, dtype=bool)
    if right.all() or not right.any():
        raise GengapError(
            f"All predictions are {'right' if right.all() else 'wrong'}, so no nodes tell right "
            "from wrong: give inputs of both kinds, or use all nodes."
        )
    analysis = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=SHRINKAGE)
    analysis.fit(values.astype(np.float64, copy=False).T, right)
    strength = np.abs(analysis.coef_[0])
    return np.sort(np.argsort(-strength, kind="stable")[:count]).astype(np.int64)


def kept_nodes(nodes: int, share: float) -> int:
    """Return how many nodes ``discriminative_nodes`` selects.

    Args:
        nodes: number of all nodes.
        share: the fraction to select.

    Returns:
        The number, at least two.

    Raises:
        GengapError: ``share`` is not in (0, 1].
    """
    if not 0 < number_from_zero(share, "share") <= 1:
        raise GengapError(f"share is {share}: give the fraction of the nodes to select, in (0, 1].")
    return max(2, round(share * nodes))


def graph_summaries(
    activations: npt.ArrayLike,
    max_dim: int = 2,
    eps_max: float = EPS_MAX,
    shortest: float = SHORTEST,
    budget: Budget | None = None,
) -> dict[str, float]:
    """Summarise the functional graph's diagrams on DIPHA's scale, with counts per node.

    Args:
        activations: (k, m), one row per node, one column per input.
        max_dim: the highest dimension of homology, 0 to 3.
        eps_max: largest epsilon, as for ``dipha_bars``.
        shortest: bars whose life, in epsilon, is shorter are dropped.
        budget: 300 CPU seconds and 4 GiB by default.

    Returns:
        Values by ``"life.H0"``, ``"midlife.H0"``, ..., for each dimension.

    Raises:
        OverBudgetError: the matrix of correlations or the diagrams cost more than the budget.
    """
    values = activation_matrix(activations)
    check_matrix(len(values), values.shape[1], budget)
    graph = correlation_dissimilarity(values)
    return summarise_graph(graph, max_dim, eps_max, shortest, budget)


def summarise_graph(
    dissimilarity: npt.ArrayLike,
    max_dim: int = 2,
    eps_max: float = EPS_MAX,
    shortest: float = SHORTEST,
    budget: Budget | None = None,
) -> dict[str, float]:
    """Summarise a graph (k, k) of whichever dissimilarity as :func:`graph_summaries` does."""
    matrix = square_matrix(dissimilarity)
    return summarise_diagrams(dipha_bars(matrix, max_dim, eps_max, shortest, budget), len(matrix))


def summarise_diagrams(diagrams: Sequence[npt.ArrayLike], nodes: int = 1) -> dict[str, float]:
    """Summarise the diagrams H0, H1, ... of one graph as :func:`graph_summaries` does.

    Args:
        diagrams: per dimension, (bars, 2) births and deaths.
        nodes: 1, or the number of the graph's nodes.

    Returns:
        Values by ``"life.H0"``, ``"midlife.H0"``, ..., for each dimension.
    """
    return {
        f"{name}.H{dimension}": value
        for dimension, bars in enumerate(diagrams)
        for name, value in summarise_bars(bars, nodes).items()
    }


def sampled_summaries(
    activations: npt.ArrayLike,
    nodes: int,
    draws: int,
    rng: np.random.Generator,
    max_dim: int = 2,
    eps_max: float = EPS_MAX,
    shortest: float = SHORTEST,
    budget: Budget | None = None,
) -> pd.DataFrame:
    """Average ``graph_summaries`` over random samples of nodes, for large networks.

    Args:
        activations: (k, m), one row per node, one column per input.
        nodes: number of nodes in each sample, drawn without replacement; at most k.
        draws: number of independent samples, at least 2.
        rng: draws the nodes.
        max_dim: the highest dimension of homology, 0 to 3.
        eps_max: largest epsilon, as for ``dipha_bars``.
        shortest: bars whose life, in epsilon, is shorter are dropped.
        budget: 300 CPU seconds and 4 GiB for each sample by default.

    Returns:
        Columns measure, value (mean over draws), low, high: Student's t interval at 95% for the
        mean over all possible draws. (Percentiles of a bootstrap of so few draws are too
        narrow: those of five cover the mean in about 84 of 100 cases.)

    Raises:
        GengapError: more nodes are asked for than there are, or fewer than two draws.
    """
    # Imported here, so that computing diagrams alone does not load them.
    import pandas as pd
    from scipy import stats

    values = activation_matrix(activations)
    nodes = whole_number(nodes, "nodes", 2)
    if nodes > len(values):
        raise GengapError(
            f"nodes is {nodes}, but the network has {len(values)}: sample 2 to {len(values)}."
        )
    draws = whole_number(draws, "draws", 2)
    rows = [
        graph_summaries(
            values[np.sort(rng.choice(len(values), nodes, replace=False))],
            max_dim,
            eps_max,
            shortest,
            budget,
        )
        for _ in range(draws)
    ]
    table = pd.DataFrame(rows)
    per_draw = table.to_numpy()
    means = per_draw.mean(axis=0)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, draws - 1) * stats.sem(per_draw, axis=0)
    return pd.DataFrame(
        {"measure": table.columns, "value": means, "low": means - half, "high": means + half}
    )
