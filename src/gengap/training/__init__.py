"""Training: one trainer for all networks. Front doors: :func:`train`, :func:`evaluate`.

A :class:`Recipe` says how: loss, optimiser, schedule, stopping, augmentation, label corruption,
initialisation and seed. ``gengap.training.recipe`` alone imports no torch.
"""

from gengap.training.corruption import corrupt_labels
from gengap.training.losses import evaluate, loss_inputs, predictions, sample_losses
from gengap.training.recipe import Recipe
from gengap.training.trainer import TrainingResult, begin, train

__all__ = [
    "Recipe",
    "TrainingResult",
    "begin",
    "corrupt_labels",
    "evaluate",
    "loss_inputs",
    "predictions",
    "sample_losses",
    "train",
]
