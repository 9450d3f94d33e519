"""The registry of datasets, and the four kinds of source from which samples come.

A dataset is a function under :func:`dataset`, which says its name, its kind and its number of
classes. The kind says what the function is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from gengap.datasets.official import official_folder, unpacked_folder
from gengap.datasets.samples import Samples
from gengap.datasets.sources import Source
from gengap.seeding import generator

TrainAndTest = tuple[Samples, Samples]
Function = TypeVar("Function")
Facts = ParamSpec("Facts")

# Number of samples drawn, from which the train and the test split are taken.
DRAWN_SAMPLES = 10_000


class Entry(Protocol):
    """What the registry knows of a dataset."""

    @property
    def classes(self) -> int:
        """Number of classes."""

    def samples(self, name: str, data_dir: str | Path | None, seed: int) -> Samples | TrainAndTest:
        """Train and test samples, or one pool from which both are to be taken.

        Args:
            name: the dataset's name.
            data_dir: the user's folder of official files, or None.
            seed: seed of the random choices.

        Returns:
            All samples, in their own order.
        """


@dataclass(frozen=True)
class Embedded:
    """A dataset that comes with a library: ``make()`` gives its samples."""

    make: Callable[[], Samples | TrainAndTest]
    classes: int

    def samples(self, name: str, data_dir: str | Path | None, seed: int) -> Samples | TrainAndTest:
        """Return the same samples whatever the folder and the seed."""
        return self.make()


@dataclass(frozen=True)
class Official:
    """A dataset in official files, which are downloaded: ``read(folder)`` gives its samples."""

    read: Callable[[Path], TrainAndTest]
    classes: int
    source: Source

    def samples(self, name: str, data_dir: str | Path | None, seed: int) -> TrainAndTest:
        """Return the samples in ``data_dir/name``, or else in the user's cache."""
        return self.read(official_folder(name, self.source, data_dir))


@dataclass(frozen=True)
class Unpacked:
    """A dataset in an archive that the user unpacks: ``read(folder)`` gives its samples."""

    read: Callable[[Path], TrainAndTest]
    classes: int
    archive: str

    def samples(self, name: str, data_dir: str | Path | None, seed: int) -> TrainAndTest:
        """Return the samples in ``data_dir/name``."""
        return self.read(unpacked_folder(name, self.archive, data_dir))


@dataclass(frozen=True)
class Drawn:
    """A synthetic dataset: ``draw(count, rng)`` gives ``count`` samples.

    Some also take a keyword ``noise``, the standard deviation of the noise on their points.
    """

    draw: Callable[..., Samples]
    classes: int

    def samples(self, name: str, data_dir: str | Path | None, seed: int) -> Samples:
        """Return a pool of samples that the name and the seed determine."""
        return self.draw(DRAWN_SAMPLES, generator(seed, "datasets", name, "points"))


DATASETS: dict[str, Entry] = {}
"""Every dataset by its name; ``gengap.datasets.catalogue`` fills it."""


def dataset(
    name: str,
    kind: Callable[Concatenate[Function, Facts], Entry],
    *args: Facts.args,
    **facts: Facts.kwargs,
) -> Callable[[Function], Function]:
    """Enter a function into the registry as a dataset.

    Args:
        name: the dataset's name; ``gengap.names.DATASETS`` lists it too.
        kind: ``Embedded``, ``Official``, ``Unpacked`` or ``Drawn``.
        args: arguments of the kind after the function.
        facts: keywords of the kind: ``classes``, and whatever else it takes.

    Returns:
        A decorator that leaves the function as it is.
    """

    def register(function: Function) -> Function:
        DATASETS[name] = kind(function, *args, **facts)
        return function

    return register
