"""The datasets, one module each, or one for a family of them.

To add one: write a module with a function under ``@dataset(name, kind, ...)``
(:mod:`gengap.datasets.registry`), import it here, and add the name to ``gengap.names.DATASETS``.
"""

from gengap.datasets.catalogue import (
    breast_cancer,
    cifar,
    digits,
    fake_images,
    intro1d,
    iris,
    mnist,
    stl10,
    svhn,
    synthetic,
    tiny_imagenet,
    wine,
)
from gengap.datasets.registry import DATASETS

__all__ = [
    "DATASETS",
    "breast_cancer",
    "cifar",
    "digits",
    "fake_images",
    "intro1d",
    "iris",
    "mnist",
    "stl10",
    "svhn",
    "synthetic",
    "tiny_imagenet",
    "wine",
]
