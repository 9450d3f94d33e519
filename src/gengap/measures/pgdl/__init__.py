"""Measures of the PGDL competition (NeurIPS 2020): its best entries and its reference points.

Always Generalize, Interpex (and its two factors alone), manifold mixup, the augmented margin,
BrAIn, and the organisers' sharpness, Jacobian norm and VC-dimension. Each is defined as its authors
did, except where its docstring says otherwise; all are such that larger predicts a larger gap, and
all run on every network of the spec, on images and on vectors. Tokens cannot be augmented or mixed,
so measures that do either leave them out.
"""

from gengap.measures.pgdl.augmentation import always_generalize, negative_augmented_margin
from gengap.measures.pgdl.capacity import vc_dimension
from gengap.measures.pgdl.clustering import interpex
from gengap.measures.pgdl.mixup import manifold_mixup_error
from gengap.measures.pgdl.perturbation import jacobian_norm, sharpness
from gengap.measures.pgdl.smoothness import brain, label_variation

__all__ = [
    "always_generalize",
    "brain",
    "interpex",
    "jacobian_norm",
    "label_variation",
    "manifold_mixup_error",
    "negative_augmented_margin",
    "sharpness",
    "vc_dimension",
]
