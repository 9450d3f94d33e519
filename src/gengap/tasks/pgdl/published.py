"""The tasks that the organisers of PGDL published, and the archives that hold them.

Source: Jiang et al., "NeurIPS 2020 Competition: Predicting Generalization in Deep Learning"
(arXiv 2012.07976), section 4 and table 1.
"""

from __future__ import annotations

from dataclasses import dataclass

from gengap.names import PGDL_NETWORKS

BASE_URL = "http://storage.googleapis.com/gresearch/pgdl/"


@dataclass(frozen=True)
class PublishedTask:
    """One task of the competition.

    Attributes:
        number: its number in the competition's report; there is no task 3.
        archive: name of the zip that holds it, under the base URL.
        networks: how many networks it has.
        dataset: what they were trained on.
    """

    number: int
    archive: str
    networks: int
    dataset: str


TASKS = {
    "task1_v4": PublishedTask(1, "public_data.zip", PGDL_NETWORKS["task1_v4"], "CIFAR-10"),
    "task2_v1": PublishedTask(2, "public_data.zip", PGDL_NETWORKS["task2_v1"], "SVHN"),
    "task4": PublishedTask(4, "phase_one_data.zip", PGDL_NETWORKS["task4"], "CINIC-10"),
    "task5": PublishedTask(
        5, "phase_one_data.zip", PGDL_NETWORKS["task5"], "CINIC-10, no batch normalisation"
    ),
    "task6": PublishedTask(6, "phase_two_data.zip", PGDL_NETWORKS["task6"], "Oxford Flowers"),
    "task7": PublishedTask(
        7, "phase_two_data.zip", PGDL_NETWORKS["task7"], "Oxford Pets, four channels"
    ),
    "task8": PublishedTask(8, "phase_two_data.zip", PGDL_NETWORKS["task8"], "Fashion-MNIST"),
    "task9": PublishedTask(9, "phase_two_data.zip", PGDL_NETWORKS["task9"], "CIFAR-10, augmented"),
}
"""Published tasks by the name of their folder."""

ETAGS = {
    "public_data.zip": "6a05d0b267f0ff22055ecc55b005f391",
    "phase_one_data.zip": "c73b5040403264a3993aaf174d9f28c4",
    "phase_two_data.zip": "282e02d46dd68bf571ceb347328d2b1d",
}
"""ETags that the server gave; another one is worth a warning, not a stop."""
