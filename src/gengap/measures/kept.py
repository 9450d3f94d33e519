"""Subjects of small networks, which a job reads once for all families of measures."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gengap.limits import KEPT_NETWORK_BYTES
from gengap.measures.subject import Subject
from gengap.networks import AdoptedNetwork


class KeptSubjects:
    """What is read of networks, kept as long as there is room for it.

    To read a small network takes as long as several of its measures. A subject has copies of the
    networks that are kept, so that no family sees what another one left. Adopted networks are read
    each time, since a user's own module need not be one that can be copied.
    """

    def __init__(
        self,
        read: Callable[[str, np.random.Generator], Subject],
        room: int = KEPT_NETWORK_BYTES,
    ) -> None:
        """Keep nothing yet.

        Args:
            read: reads what is known of a network, by its id, and gives it a random generator; what
                it raises is passed on.
            room: most bytes of the networks that are kept.
        """
        self._read, self._room = read, room
        self._kept: dict[str, Subject] = {}

    def subject(self, network: str, rng: np.random.Generator) -> Subject:
        """Return what is known of a network.

        Args:
            network: its id.
            rng: the source of all randomness of its measures.

        Returns:
            A subject with networks and a history of its own.
        """
        kept = self._kept.get(network)
        if kept is None:
            kept = self._read(network, rng)
            size = _bytes_of(kept)
            if size > self._room or any(isinstance(one, AdoptedNetwork) for one in kept.networks):
                return kept
            self._kept[network] = kept
            self._room -= size
        return replace(
            kept,
            rng=rng,
            network=copy.deepcopy(kept.network),
            initial=copy.deepcopy(kept.initial),
            history=None if kept.history is None else kept.history.copy(),
        )


def _bytes_of(subject: Subject) -> int:
    tensors = (tensor for one in subject.networks for tensor in one.state_dict().values())
    return sum(tensor.nbytes for tensor in tensors)
