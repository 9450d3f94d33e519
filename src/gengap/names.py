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
"""Number of networks of each published task of PGDL (Jiang et al. 2020, arXiv:2012.07976).

The jobs of a task are planned before the first of its files is there.
"""

PGDL_ARCHIVES = {
    "task1_v4": "public_data.zip",
    "task2_v1": "public_data.zip",
    "task4": "phase_one_data.zip",
    "task5": "phase_one_data.zip",
    "task6": "phase_two_data.zip",
    "task7": "phase_two_data.zip",
    "task8": "phase_two_data.zip",
    "task9": "phase_two_data.zip",
}
"""Name of the archive that holds each published task of PGDL."""

NETWORK_RECEIPT = "receipt.json"
"""The file in a network's folder that tells what the network was made from."""
DATASET_KEYS = ("train_size", "test_size", "balanced", "classes", "groups", "transforms")
"""Keywords that ``gengap.datasets.load`` takes for every dataset, besides folder and seed."""

DATASETS: dict[str, tuple[str, ...]] = {
    "digits": (),
    "mnist": (),
    "fashion_mnist": (),
    "cifar10": (),
    "cifar100": (),
    "svhn": (),
    "tiny_imagenet": (),
    "iris": (),
    "gaussians": (),
    "two_spirals": (),
    "circles": (),
    "moons": (),
    "checkerboard": (),
    "intro1d": (),
    "gauss_mixture": (),
    "hierarchical": (),
    "checkerboard_linear": (),
    "checkerboard_noisy": (),
    "fake_images": (),
}
"""Datasets, and the keywords that each takes besides ``DATASET_KEYS``."""

TRANSFORMS: dict[str, tuple[str, ...]] = {
    "resize": ("size",),
    "grey": (),
    "colour": (),
    "normalise": (),
}
"""Transforms of a dataset's inputs, and the keywords that each requires."""

ENGINES = ("fast", "ripser", "gudhi")
"""Engines that compute persistence diagrams; ``auto`` stands for one of them."""
