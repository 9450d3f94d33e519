"""Activations of a network's neurons or channels on its training inputs.

``sample`` and ``node_activations`` run the network and need torch, which is imported when one of
them is first used (PEP 562). Stages that only read the file of a sample do not load torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gengap.activations.drawing import choose_inputs, importance_probabilities
from gengap.activations.storage import Sample, read_sample, write_sample

if TYPE_CHECKING:
    from gengap.activations.nodes import NodeActivations, node_activations
    from gengap.activations.sampling import sample

__all__ = [
    "NodeActivations",
    "Sample",
    "choose_inputs",
    "importance_probabilities",
    "node_activations",
    "read_sample",
    "sample",
    "write_sample",
]


def __getattr__(name: str) -> Any:
    if name == "sample":
        from gengap.activations.sampling import sample

        return sample
    if name in ("NodeActivations", "node_activations"):
        from gengap.activations import nodes

        return getattr(nodes, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
