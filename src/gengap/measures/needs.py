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
LEAST_CLASSES = 2


@dataclass(frozen=True)
class Need:
    """One need of a measure.

    Attributes:
        is_met: whether a subject has what is needed.
        sentence: the message if it has not, with ``{measure}`` in place of the measure's name.
        of_numbers: the message where the targets are numbers, if that is another one.
    """

    is_met: Callable[[Subject], bool]
    sentence: str
    of_numbers: str = ""

    def refusal(self, subject: Subject) -> str | None:
        """Return the message for a subject that lacks what is needed; None if it has it."""
        if self.is_met(subject):
            return None
        return (subject.train.has_numbers and self.of_numbers) or self.sentence


def _has_class_outputs(subject: Subject) -> bool:
    """Whether there is one output per class, or one for two classes."""
    classes = subject.train.classes
    if classes < LEAST_CLASSES:
        return False
    count = _outputs(subject)
    return count >= classes or (count, classes) == (1, LEAST_CLASSES)


def _has_fitting_outputs(subject: Subject) -> bool:
    """Whether the outputs are those of the classes, or one number."""
    return _outputs(subject) == 1 if subject.train.has_numbers else _has_class_outputs(subject)


def _outputs(subject: Subject) -> int:
    """Count the outputs for one input."""
    networks = importlib.import_module("gengap.networks")
    stating_inputs = importlib.import_module("gengap.networks.inference").stating_inputs
    _, example = next(networks.input_batches(subject.network, subject.train.inputs[:1], 1))
    with stating_inputs(subject.network, example):
        return int(networks.logits(subject.network, example).shape[1])


def _is_twice_differentiable(subject: Subject) -> bool:
    curvature = importlib.import_module("gengap.curvature")
    met = curvature.is_twice_differentiable(
        subject.network, subject.train, subject.loss, parameters=subject.parameters
    )
    return bool(met)


_CLASSES = (
    "The measure '{measure}' needs a network with one output for each of at least two classes "
    "(or one output for two): change the network's last layer, or do without this measure."
)

NEEDS = {
    "initial": Need(
        lambda subject: subject.initial is not None,
        "The measure '{measure}' needs the initial weights of the network, which are not known: "
        "add them to the task, or do without this measure.",
    ),
    "classes": Need(
        _has_class_outputs,
        _CLASSES,
        "The measure '{measure}' needs classes, and the targets of these data are numbers: do "
        "without this measure.",
    ),
    "fitting_outputs": Need(
        _has_fitting_outputs,
        _CLASSES,
        "The measure '{measure}' needs a network with one output, since each target is one number: "
        "change the network's last layer, or do without this measure.",
    ),
    "images": Need(
        lambda subject: subject.train.inputs.ndim == IMAGE_RANK,
        "The measure '{measure}' needs images (n, height, width, channels) as training inputs: "
        "give the inputs that shape, or do without this measure.",
    ),
    "float_inputs": Need(
        lambda subject: subject.train.kind != "tokens",
        "The measure '{measure}' changes or mixes inputs, which makes no sense for tokens: do "
        "without this measure.",
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
        "there is none: add replicates that see the same data, or do without this measure.",
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
