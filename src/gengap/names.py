"""Names that the planning shares with the packages that compute; nothing here is imported.

Planning knows what a config may name without importing what computes it. Each registry of the
library is held equal to its names here by a test.
"""

FAMILIES = {
    "topology": "gengap.measures.topology",
    "baseline": "gengap.measures.baseline",
    "competition": "gengap.measures.pgdl",
    "curvature": "gengap.measures.curvature",
    "tangent": "gengap.measures.tangent",
    "functional_graph": "gengap.measures.functional_graph",
}
"""Families of measures that come with the library, and the module of each."""

STAGED_FAMILY = "topology"
"""The family whose work is staged in files (activations, diagrams), by rules of its own."""

PGDL_NETWORKS = {
    "task1_v4": 96,
    "task2_v1": 54,
    "task4": 96,
    "task5": 64,
    "task6": 96,
    "task7": 48,
    "task8": 64,
    "task9": 32,
}
"""How many networks each published task of PGDL has (Jiang et al. 2020, arXiv:2012.07976)."""

NETWORK_RECEIPT = "receipt.json"
"""The file in a network's folder that tells what the network was made from."""
