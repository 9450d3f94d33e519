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
