"""Receipts of trained or imported networks, by which each network is made only once.

A network's folder holds ``receipt.json``, written last: the digest of everything the network was
made from, and the SHA-256 of every file. A folder is left as it is if its receipt has the digest of
what is to be made, and its files are those of the receipt. The receipt of a shard lists the files
of its networks; the stages that read a network check them against it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gengap.errors import GengapError
from gengap.files import read_json, writing
from gengap.names import NETWORK_RECEIPT
from gengap.tasks.folder import (
    HISTORY,
    LABELS,
    MAKE_AGAIN,
    ROWS,
    Metrics,
    read_history,
    read_network,
    trained_on,
)

if TYPE_CHECKING:
    import pandas as pd

    from gengap.datasets import Split
    from gengap.networks import Network

log = logging.getLogger(__name__)

WEIGHTS = "weights.safetensors"
INITIAL = "weights_init.safetensors"


@dataclass(frozen=True)
class NetworkReceipt:
    """What a network's folder was made from, and what it holds.

    Attributes:
        identity: digest of the network's hyper-parameters and seed, by which a folder is found
            again after a grid has grown; the position of an imported network at its source.
        digest: digest of everything that the files depend on: identity, data, code and device; of
            an imported network also its files at the source.
        files: SHA-256 of each file, by its name.
    """

    identity: str
    digest: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class ShardReceipt:
    """The networks of a shard that were made.

    Attributes:
        folder: the task's folder.
        networks: the files of each network by its id: SHA-256 by name.
    """

    folder: Path
    networks: Mapping[str, Mapping[str, str]]

    def write(self, path: str | Path) -> None:
        """Write as JSON, to ``shards/<shard>.json`` of the task's folder."""
        with writing(path) as part:
            part.write_text(json.dumps({"networks": self.networks}, indent=1) + "\n")

    @classmethod
    def read(cls, path: str | Path) -> ShardReceipt:
        """Return the receipt that :meth:`write` wrote.

        Args:
            path: ``shards/<shard>.json`` of the task's folder.

        Raises:
            GengapError: the file is missing or holds something else.
        """
        content = read_json(path, MAKE_AGAIN)
        if set(content) != {"networks"} or not isinstance(content["networks"], dict):
            raise GengapError(f"{path} is no receipt of a shard: {MAKE_AGAIN}.")
        return cls(Path(path).parents[1], content["networks"])

    def network(self, network: str, weights: str = WEIGHTS) -> Network:
        """Return a network of the shard in eval mode.

        Args:
            network: its id.
            weights: which weights: the final ones, or the initial ones in :data:`INITIAL`.

        Raises:
            GengapError: the network failed, or a file is missing or has changed since it was made.
        """
        return read_network(self.file(network, "config.json"), self.file(network, weights))

    def initial(self, network: str) -> Network | None:
        """Return a network with its initial weights in eval mode; None where they are not known.

        Raises:
            GengapError: the network failed, or a file is missing or has changed since it was made.
        """
        if network in self.networks and INITIAL not in self.networks[network]:
            return None
        return self.network(network, INITIAL)

    def train(self, network: str, data: Split) -> Split:
        """Return what a network was trained on.

        Args:
            network: its id.
            data: the task's training data, or its pool.

        Returns:
            The network's rows, with the labels that it was trained on.

        Raises:
            GengapError: the network failed, or a file is missing or has changed since it was made.
        """
        labels = self.file(network, LABELS)
        rows = self.file(network, ROWS) if ROWS in self.networks[network] else None
        return trained_on(data, labels, rows)

    def history(self, network: str) -> pd.DataFrame | None:
        """Return the history of a network's training; None where it was not recorded.

        Args:
            network: its id.

        Returns:
            One row per epoch: epoch, train_loss, train_accuracy and learning_rate.

        Raises:
            GengapError: the network failed, or a file is missing or has changed since it was made.
        """
        if network in self.networks and HISTORY not in self.networks[network]:
            return None
        return read_history(self.file(network, HISTORY))

    def file(self, network: str, name: str) -> Path:
        """Return the path of a network's file after checking its content against the receipt.

        Args:
            network: the network's id.
            name: of the file.

        Raises:
            GengapError: the network failed, or the file is missing or has changed since it was
                made.
        """
        path = self.folder / "networks" / network / name
        if network not in self.networks:
            raise GengapError(
                f"Network {network} was not made: the reason is in the task's failed.csv, and in "
                "the list of failures beside the receipt of its shard."
            )
        stated = self.networks[network].get(name)
        if stated is None or not path.is_file() or sha256(path) != stated:
            raise GengapError(
                f"{path} is not the file that the network was made with: remove the folder "
                f"{path.parent} and the receipt of its shard, and run the workflow again."
            )
        return path


def read_metrics(receipts: Iterable[str | Path]) -> dict[str, Metrics]:
    """Return the metrics of all networks that were made, by their ids.

    Args:
        receipts: the receipts of all shards of a task.

    Raises:
        GengapError: a file is missing, or is not the one that its receipt lists.
    """
    return {
        network: Metrics.read(receipt.file(network, "metrics.json"))
        for receipt in map(ShardReceipt.read, receipts)
        for network in receipt.networks
    }


def digest_of(*words: str) -> str:
    """Return the SHA-256 of words, each with its length, so that no two lists share a digest."""
    return hashlib.sha256("".join(f"{len(word)}:{word}," for word in words).encode()).hexdigest()


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_network(
    folder: str | Path, identity: str, digest: str, make: Callable[[], object]
) -> Mapping[str, str]:
    """Make a network's folder, unless it already holds exactly this network.

    Args:
        folder: ``networks/<id>``.
        identity: see :class:`NetworkReceipt`.
        digest: digest of everything that the files depend on.
        make: writes the files into the folder; what it raises is passed on.

    Returns:
        SHA-256 of each file, by its name.
    """
    folder = Path(folder)
    kept = kept_files(folder, digest)
    if kept is not None:
        return kept
    # Another network's files must not stay under this one's name, whatever happens next.
    shutil.rmtree(folder, ignore_errors=True)
    make()
    receipt = NetworkReceipt(identity, digest, _files_of(folder))
    with writing(folder / NETWORK_RECEIPT) as part:
        part.write_text(json.dumps(asdict(receipt), indent=1) + "\n")
    return receipt.files


def kept_files(folder: Path, digest: str) -> Mapping[str, str] | None:
    """Return the files of a folder that already holds exactly this network; None otherwise.

    Args:
        folder: ``networks/<id>``.
        digest: digest of everything that the files depend on.

    Returns:
        SHA-256 of each file, by its name.
    """
    receipt = _read_receipt(folder)
    if receipt and receipt.digest == digest and _files_of(folder) == receipt.files:
        log.info("network %s is kept: it was made from the same inputs", folder.name)
        return receipt.files
    return None


def _files_of(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.iterdir() if path.name != NETWORK_RECEIPT)
    return {path.name: sha256(path) for path in paths if not path.name.startswith(".part-")}


def _read_receipt(folder: Path) -> NetworkReceipt | None:
    try:
        return NetworkReceipt(**json.loads((folder / NETWORK_RECEIPT).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        # Without a valid receipt the folder is made anew.
        return None
