"""What a measure may need of a subject, and the sentence that is printed where it is missing.

The names of the needs are those of :data:`gengap.names.NEEDS`. Checks that run a network import
what they call by name, as families are imported. So tables of measures are gathered without torch,
and a change to the code of ``curvature`` makes no other family stale.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from gengap.measures.subject import Subject

IMAGE_RANK = 4


@dataclass(frozen=True)
class Need:
    """One need of a measure.

    Attributes:
        is_met: whether a subject has what is needed.
        sentence: the message if it has not, with ``{measure}`` in place of the measure's name.
    """

    is_met: Callable[[Subject], bool]
    sentence: str


def _has_class_outputs(subject: Subject) -> bool:
    """Whether there is one output per class, or one for two classes."""
    networks = importlib.import_module("gengap.networks")
    example = networks.tensor_of(subject.train.inputs[:1], networks.device_of(subject.network))
    shape = tuple(networks.logits(subject.network, example).shape)
    classes = subject.train.classes
    fits = len(shape) == 2 and (shape[1] >= classes or (*shape[1:], classes) == (1, 2))
    return classes >= 2 and fits


def _is_twice_differentiable(subject: Subject) -> bool:
    curvature = importlib.import_module("gengap.curvature")
    return bool(curvature.is_twice_differentiable(subject.network, subject.train))


NEEDS = {
    "initial": Need(
        lambda subject: subject.initial is not None,
        "The measure '{measure}' needs the initial weights of the network, which are not known: "
        "add them to the task, or do without this measure.",
    ),
    "classes": Need(
        _has_class_outputs,
        "The measure '{measure}' needs a network with one output for each of at least two classes "
        "(or one output for two): change the network's last layer, or do without this measure.",
    ),
    "images": Need(
        lambda subject: subject.train.inputs.ndim == IMAGE_RANK,
        "The measure '{measure}' needs images (n, height, width, channels) as training inputs: "
        "give the inputs that shape, or do without this measure.",
    ),
    "twice_differentiable": Need(
        _is_twice_differentiable,
        "The measure '{measure}' needs second derivatives in the weights, which a part of the "
        "network does not have: replace that part, or do without this measure.",
    ),
    "history": Need(
        lambda subject: subject.history is not None,
        "The measure '{measure}' needs the history of the training, which was not recorded: add it "
        "to the task, or do without this measure.",
    ),
    "snapshots": Need(
        lambda subject: bool(subject.snapshots),
        "The measure '{measure}' needs snapshots of the network from its training, and none was "
        "kept: add some to the task, or do without this measure.",
    ),
    "siblings": Need(
        lambda subject: bool(subject.siblings),
        "The measure '{measure}' needs networks that differ from this one in their seed alone, and "
        "there is none: add replicates to the task, or do without this measure.",
    ),
    "unlabelled": Need(
        lambda subject: subject.unlabelled is not None and len(subject.unlabelled) > 0,
        "The measure '{measure}' needs unlabelled inputs, and there are none: add some to the "
        "task, or do without this measure.",
    ),
    "diagrams": Need(
        lambda subject: subject.diagrams is not None,
        "The measure '{measure}' needs the persistence diagrams of the network, which were not "
        "computed: add the family 'topology', or do without this measure.",
    ),
}
"""Every need by its name."""
