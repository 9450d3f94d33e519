"""The Hessian and the decision boundary: Sabanayagam, Behrens, Adomaityte and Dawid (2023).

"Unveiling the Hessian's connection to the decision boundary", arXiv:2306.07104.

The gradient of an input is aligned with the top eigenvectors of the training loss's Hessian:

- :mod:`.experiments.intro`: six points on a line, everything along x;
- :mod:`.experiments.boundary`: maps of the alignment over the plane of the inputs;
- :mod:`.experiments.complexity`: starts that lead to simple and to complex boundaries;
- :mod:`.experiments.simplicity`: a narrow simple boundary and a wide winding one;
- :mod:`.experiments.images`: the alignment of images;
- :mod:`.experiments.dynamics`: checkpoints during training.
"""
