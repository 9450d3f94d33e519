"""From activations to persistence diagrams and the numbers that summarise them.

``correlation_dissimilarity`` turns activations into a matrix, and ``persistence_diagrams`` turns
the matrix into diagrams; ``draw_diagrams`` does both for every draw of a network. ``vectorise``
turns the diagrams of one draw into named vectors (``COMPONENTS`` lists them), and ``summarise``
those of all draws into a table. For the functional graph of a network see ``functional_graph``
(graphs and their summaries), ``partitions`` (parts of large networks), ``betti`` (curves and
summaries), ``dipha`` (DIPHA's scale and files) and ``budget`` (what diagrams will cost). Finite
metric spaces have ``lifetime_sum``, ``magnitude``, ``persistent_homology_dimension`` and
``two_nn``; the weights of a layer have ``neural_persistence``. Only
correlations on a GPU (``gpu_named``) load torch.
"""

from __future__ import annotations

from gengap.topology.betti import betti_curve, in_density, summarise_bars
from gengap.topology.budget import Budget, affordable_diagrams
from gengap.topology.diagrams import persistence_diagrams
from gengap.topology.dipha import dipha_bars
from gengap.topology.dissimilarity import correlation_dissimilarity, gpu_named
from gengap.topology.draws import draw_diagrams
from gengap.topology.functional_graph import (
    discriminative_nodes,
    graph_summaries,
    per_sample_graph,
    sampled_summaries,
)
from gengap.topology.metric_spaces import (
    lifetime_sum,
    magnitude,
    persistent_homology_dimension,
    two_nn,
)
from gengap.topology.neural_persistence import neural_persistence
from gengap.topology.stability import bottleneck_between_draws, transport_between_draws
from gengap.topology.storage import (
    find_diagrams,
    read_diagrams,
    read_shard_of_diagrams,
    write_diagrams,
)
from gengap.topology.summaries import summarise
from gengap.topology.vectorisation import COMPONENTS, vectorise

__all__ = [
    "COMPONENTS",
    "Budget",
    "affordable_diagrams",
    "betti_curve",
    "bottleneck_between_draws",
    "correlation_dissimilarity",
    "dipha_bars",
    "discriminative_nodes",
    "draw_diagrams",
    "find_diagrams",
    "gpu_named",
    "graph_summaries",
    "in_density",
    "lifetime_sum",
    "magnitude",
    "neural_persistence",
    "per_sample_graph",
    "persistence_diagrams",
    "persistent_homology_dimension",
    "read_diagrams",
    "read_shard_of_diagrams",
    "sampled_summaries",
    "summarise",
    "summarise_bars",
    "transport_between_draws",
    "two_nn",
    "vectorise",
    "write_diagrams",
]
