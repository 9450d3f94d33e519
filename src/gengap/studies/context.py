"""Where a run of an experiment takes its randomness, its data and its device from."""

from __future__ import annotations

import hashlib
import inspect
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gengap import seeding
from gengap.datasets import NAMES, Dataset, load
from gengap.errors import GengapError
from gengap.files import read_npz, writing

if TYPE_CHECKING:
    import torch

    from gengap.studies.result_files import ResultFiles

DATASET_KEYS = tuple(
    name for name in inspect.signature(load).parameters if name not in ("data_dir", "seed")
)
"""What the settings of a dataset may name; the folder and the seed come from the context."""


STATE_IDENTITY = "identity"
"""The file in a run's unfinished state that says what the state belongs to."""


@dataclass(frozen=True)
class Context:
    """Where a run takes its randomness and its data from, and where it computes.

    Attributes:
        seed: of this run, from which every random choice is derived.
        data_dir: folder of official dataset files, or None for the cache of downloads.
        device: on which the networks are trained.
        resume_from: folder in which training and finished parts keep their state, so that an
            interrupted run goes on from there; None keeps no state. Whoever writes the outcome
            removes the folder.
        files: where the files that were asked for are written besides the outcome; None writes
            none.
    """

    seed: int
    data_dir: str | None
    device: torch.device
    resume_from: Path | None = None
    files: ResultFiles | None = None

    def seed_for(self, *purpose: str | int) -> int:
        """Return a seed of 63 bits for one purpose, such as ``seed_for("training")``."""
        return seeding.derive(self.seed, *purpose)

    def generator(self, *purpose: str | int) -> np.random.Generator:
        """Return a NumPy generator for one purpose, such as ``generator("moves", "top")``."""
        return seeding.generator(self.seed, *purpose)

    def torch_generator(self, *purpose: str | int) -> torch.Generator:
        """Return a torch generator on the CPU for one purpose."""
        return seeding.torch_generator(self.seed, *purpose)

    def kept(
        self, part: str, compute: Callable[[], Mapping[str, NDArray[Any]]]
    ) -> dict[str, NDArray[Any]]:
        """Return a part of a run: read where an interrupted run finished it, else computed.

        Args:
            part: its name, one among those of the run.
            compute: gives the part's arrays by name.

        Returns:
            The arrays. They are kept where ``resume_from`` is a folder.
        """
        if self.resume_from is None:
            return dict(compute())
        path = self.resume_from / f"{part}.npz"
        if not path.is_file():
            arrays: dict[str, Any] = dict(compute())
            with writing(path) as unfinished:
                np.savez(unfinished, **arrays)
        return read_npz(path, "remove it, and the run computes it again")

    def derived(self, *purpose: str | int) -> Context:
        """Return a context for a part of a run: a seed and a folder of unfinished state of its own.

        The parts of one purpose are one part.
        """
        files = self.files and self.files.within(*purpose)
        state = self.resume_from and self.resume_from / "_".join(map(str, purpose))
        return Context(self.seed_for(*purpose), self.data_dir, self.device, state, files)


def state_folder(outcome: Path, *identity: object) -> Path:
    """Return the folder in which a run keeps its unfinished state, beside its outcome.

    What is in the folder from a run of another identity, such as one with other settings, is
    removed first.

    Args:
        outcome: the file that the run writes at its end.
        identity: whatever the state depends on, as JSON can have it.

    Returns:
        The folder.
    """
    folder = outcome.with_suffix(".unfinished")
    text = json.dumps(identity, sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()
    path = folder / STATE_IDENTITY
    if not path.is_file() or path.read_text(encoding="utf-8") != digest:
        shutil.rmtree(folder, ignore_errors=True)
        with writing(path) as unfinished:
            unfinished.write_text(digest, encoding="utf-8")
    return folder


def load_dataset(
    context: Context, dataset: Mapping[str, Any], *, seed: int | None = None
) -> Dataset:
    """Load the data of a run, given keywords of :data:`DATASET_KEYS`, ``name`` among them.

    Its seed chooses the samples: None derives it from the run's seed for the purpose ``data``.

    Returns:
        A training and a test split.

    Raises:
        GengapError: no name, an unknown key, or what ``load`` refuses.
    """
    if "name" not in dataset:
        raise GengapError(f"The setting 'dataset' has no 'name': choose one of {', '.join(NAMES)}.")
    for key in dataset:
        if key not in DATASET_KEYS:
            raise GengapError(
                f"The setting 'dataset' has an unknown key '{key}': choose among "
                f"{', '.join(DATASET_KEYS)}."
            )
    chosen = context.seed_for("data") if seed is None else seed
    return load(**dataset, data_dir=context.data_dir, seed=chosen)
