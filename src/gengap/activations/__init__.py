"""From a network and its training inputs to the activations of sampled neurons.

``sample`` runs the network and needs torch, which is imported when ``sample`` is first asked for
(PEP 562): stages that only read a sample's file do not pay for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gengap.activations.drawing import choose_inputs, importance_probabilities
from gengap.activations.storage import Sample, read_sample, write_sample

if TYPE_CHECKING:
    from gengap.activations.sampling import sample

__all__ = [
    "Sample",
    "choose_inputs",
    "importance_probabilities",
    "read_sample",
    "sample",
    "write_sample",
]


def __getattr__(name: str) -> Any:
    if name == "sample":
        from gengap.activations.sampling import sample

        return sample
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
