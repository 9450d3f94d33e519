"""Files of networks that were measured before: accuracies and rows of tables, without weights.

:mod:`gengap.planning.kept_networks` says which file belongs to which network.
"""

from __future__ import annotations

import csv
import io
import json
import lzma
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.files import writing
from gengap.tasks.folder import LABELS, Metrics
from gengap.tasks.pgdl import RECOMPUTED_FILE

COMPUTE_AGAIN = "delete it, and the network is measured again"
OWN = 2
"""The first columns of a table, its task and its network, which a kept row does not have."""


@dataclass(frozen=True)
class KeptNetwork:
    """A network of an imported task that was measured.

    Attributes:
        made_from: everything in the plan that its measures follow from.
        made_by: the version of the library and a digest of its code, for the reader alone.
        metrics: its accuracies and losses, as in ``metrics.json``.
        recomputed: its recomputed accuracies, as in ``recomputed.json``.
        tables: the rows of each family of measures, as CSV without the columns task and network;
            the persistence diagrams' summaries are the rows of ``topology``.
    """

    made_from: Mapping[str, Any]
    made_by: Mapping[str, str]
    metrics: Mapping[str, Any]
    recomputed: Mapping[str, Any]
    tables: Mapping[str, str]

    def write(self, path: str | Path) -> None:
        """Write as JSON, compressed by LZMA, which finds a dimension's values again in both."""
        content = json.dumps(asdict(self), indent=1).encode()
        with writing(path) as part:
            part.write_bytes(lzma.compress(content))

    @classmethod
    def read(cls, path: str | Path, made_from: Mapping[str, Any]) -> KeptNetwork:
        """Return what :meth:`write` wrote.

        Args:
            path: the file.
            made_from: what the measures of the network are to follow from.

        Raises:
            GengapError: the file is broken, or was made from something else.
        """
        try:
            kept = cls(**json.loads(lzma.decompress(Path(path).read_bytes())))
        except (OSError, lzma.LZMAError, ValueError, TypeError) as error:
            raise GengapError(
                f"{path} is no file of a measured network: {COMPUTE_AGAIN}."
            ) from error
        if kept.made_from != json.loads(json.dumps(made_from)):
            raise GengapError(
                f"{path} holds a network of other hyper-parameters, data or settings than its name "
                f"says: {COMPUTE_AGAIN}."
            )
        return kept

    def restore(self, folder: Path, train: Split) -> Metrics:
        """Write what a task's folder has of a network, without weights.

        Args:
            folder: ``networks/<id>`` of the task.
            train: the training data of the task.

        Returns:
            The network's metrics.
        """
        named = {**self.metrics, "source_id": folder.name}
        metrics = Metrics.from_mapping(named, folder / "metrics.json")
        metrics.write(folder / "metrics.json")
        with writing(folder / RECOMPUTED_FILE) as part:
            part.write_text(json.dumps({**self.recomputed, "id": folder.name}, indent=1) + "\n")
        with writing(folder / LABELS) as part, part.open("wb") as file:
            np.save(file, train.labels, allow_pickle=False)
        return metrics

    def table(self, family: str, task: str, network: str) -> io.StringIO:
        """Return the rows of a family as the CSV of a task's network.

        Args:
            family: name of the family.
            task: full name of the task.
            network: id of the network in it.

        Raises:
            GengapError: the file has no rows of the family.
        """
        if family not in self.tables:
            raise GengapError(f"A kept network has no rows of {family}: {COMPUTE_AGAIN}.")
        header, *rows = csv.reader(io.StringIO(self.tables[family]))
        return _text([["task", "network", *header], *([task, network, *row] for row in rows)])


def rows_by_network(path: str | Path) -> dict[str, str]:
    """Divide the table of a shard into those of its networks.

    Args:
        path: a tidy table, whose first columns are task and network.

    Returns:
        By network, its rows as CSV without these columns, value for value as they are written.
    """
    with Path(path).open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    networks = dict.fromkeys(row[OWN - 1] for row in rows)
    return {network: _text([header[OWN:], *_of(rows, network)]).getvalue() for network in networks}


def _of(rows: Iterable[list[str]], network: str) -> Iterator[list[str]]:
    return (row[OWN:] for row in rows if row[OWN - 1] == network)


def _text(rows: Iterable[list[str]]) -> io.StringIO:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    text.seek(0)
    return text
