"""The tasks that the organisers of PGDL published, and the archives that hold them.

Source: Jiang et al., "NeurIPS 2020 Competition: Predicting Generalization in Deep Learning"
(arXiv 2012.07976), section 4 and table 1.
"""

from __future__ import annotations

from dataclasses import dataclass

from gengap.names import PGDL_ARCHIVES, PGDL_DATA, PGDL_NETWORKS

BASE_URL = "http://storage.googleapis.com/gresearch/pgdl/"


@dataclass(frozen=True)
class PublishedTask:
    """One task of the competition.

    Attributes:
        number: its number in the competition's report; there is no task 3.
        archive: name of the zip archive that holds it, under the base URL.
        networks: number of its networks.
        dataset: the data on which they were trained.
    """

    number: int
    archive: str
    networks: int
    dataset: str


TASKS = {
    name: PublishedTask(number, PGDL_ARCHIVES[name], PGDL_NETWORKS[name], data + more)
    for (name, data), number, more in zip(
        PGDL_DATA.items(),
        (1, 2, 4, 5, 6, 7, 8, 9),
        ("", "", "", ", no batch normalisation", "", ", four channels", "", ", augmented"),
        strict=True,
    )
}
"""Published tasks by the name of their folder."""

ETAGS = {
    "public_data.zip": "6a05d0b267f0ff22055ecc55b005f391",
    "phase_one_data.zip": "c73b5040403264a3993aaf174d9f28c4",
    "phase_two_data.zip": "282e02d46dd68bf571ceb347328d2b1d",
}
"""ETags that the server gave once. Another one causes a warning; it does not stop the download."""
