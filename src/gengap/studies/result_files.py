"""The files that a run writes on request, besides the numbers of its outcome."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gengap.datasets import write_split
from gengap.files import writing
from gengap.names import STUDY_FILES
from gengap.networks import Network, write_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from gengap.datasets import Split

CONFIG, WEIGHTS, HISTORY, TRAIN = (
    "config.json",
    "weights.safetensors",
    "history.csv",
    "train.safetensors",
)


@dataclass(frozen=True)
class ResultFiles:
    """A run's folder of files, which has a folder of its own for each trained network.

    ================= ===========================================================================
    kind              files of a network
    ================= ===========================================================================
    ``weights``       ``config.json`` (its spec), ``weights.safetensors``, ``initial.safetensors``,
                      ``epoch_<k>.safetensors`` of checkpoints, ``history.csv`` (losses by epoch)
                      and ``train.safetensors`` (the data, with the labels trained on)
    ``spectra``       ``eigenvalues.npy``: all eigenvalues that were computed, descending
    ``eigenvectors``  ``eigenvectors.npy``: a column for each of them, float64
    ``alignments``    ``alignments.npy``: of each training input with each of them
    ``graphs``        ``graph_<k>.npy``: the functional graph (n, n) at epoch k, 1 - abs(r), float32
    ``diagrams``      ``diagrams_<k>.npz``: its bars by scale and dimension, such as ``epsilon_H1``;
                      ``summaries.csv``: life, midlife and other summaries by epoch and dimension
    ================= ===========================================================================

    The spec, the weights and the data are what ``gengap eigenvalues``, ``gengap alignment`` and
    ``gengap measure`` take; a graph is what ``gengap graph`` takes. Whatever else an experiment
    keeps is in its outcome.

    Attributes:
        folder: of the run.
        kinds: what was asked for, of :data:`gengap.names.STUDY_FILES`.
    """

    folder: Path
    kinds: Sequence[str] = STUDY_FILES

    def within(self, *names: str | int) -> ResultFiles:
        """Return the files of a part of the run, in folders of these names."""
        return ResultFiles(self.folder.joinpath(*map(str, names)), self.kinds)

    def write_array(self, kind: str, network: str, array: NDArray[Any]) -> None:
        """Write an array of a network, if its kind was asked for."""
        if kind in self.kinds:
            name = {"spectra": "eigenvalues"}.get(kind, kind)
            with writing(self.folder / network / f"{name}.npy") as part, part.open("wb") as file:
                np.save(file, array, allow_pickle=False)

    def write_graph(
        self,
        network: str,
        moment: str | int,
        graph: NDArray[np.float32],
        diagrams: Mapping[str, Sequence[NDArray[np.floating]]],
    ) -> None:
        """Write a functional graph and its diagrams, those of the two that were asked for.

        Args:
            network: whose graph it is.
            moment: of its training, such as the epoch.
            graph: (n, n) lengths.
            diagrams: by scale, per dimension, (bars, 2) births and deaths.
        """
        folder = self.folder / network
        if "graphs" in self.kinds:
            with writing(folder / f"graph_{moment}.npy") as part, part.open("wb") as file:
                np.save(file, graph, allow_pickle=False)
        if "diagrams" in self.kinds:
            arrays: dict[str, Any] = {
                f"{scale}_H{dimension}": bars
                for scale, dimensions in diagrams.items()
                for dimension, bars in enumerate(dimensions)
            }
            with writing(folder / f"diagrams_{moment}.npz") as part, part.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)

    def write_summaries(self, network: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write summaries of diagrams as a table, if diagrams were asked for."""
        if "diagrams" in self.kinds:
            with writing(self.folder / network / "summaries.csv") as part:
                pd.DataFrame(rows).to_csv(part, index=False)

    def write_network(
        self,
        name: str,
        network: Network,
        train: Split,
        *,
        history: Sequence[Mapping[str, Any]] = (),
        others: Mapping[str, Mapping[str, Tensor]] | None = None,
    ) -> None:
        """Write a network as it is, if weights were asked for.

        Args:
            name: of its folder.
            network: the spec and the weights.
            train: its training inputs with the labels trained on.
            history: one row per epoch; none writes no file.
            others: other weights of the same network, by the names of their files.

        Raises:
            ValueError: another network of the run has that name.
        """
        if "weights" not in self.kinds:
            return
        folder = self.folder / name
        if (folder / WEIGHTS).exists():
            raise ValueError(f"Two networks of one run are called {name!r}.")
        with writing(folder / CONFIG) as part:
            part.write_text(json.dumps(network.spec, indent=2) + "\n", encoding="utf-8")
        for other, weights in (others or {}).items():
            write_weights(dict(weights), folder / f"{other}.safetensors")
        if history:
            with writing(folder / HISTORY) as part:
                pd.DataFrame(history).to_csv(part, index=False)
        write_split(train, folder / TRAIN)
        write_weights(network, folder / WEIGHTS)
