"""
The Hessian's spectrum and the effective dimension
==================================================

The Hessian of the training loss has a few large eigenvalues and a bulk near zero. The effective
dimensionality (MacKay 1992) counts the directions of weight space that the data determine. Both
come from products of the Hessian with vectors, so the matrix is never built.
"""

# %%
# A trained network of some 2000 weights.

import matplotlib.pyplot as plt
import numpy as np
import torch

import gengap
from gengap import curvature

torch.set_num_threads(1)
data = gengap.datasets.load("digits", train_size=200, test_size=500)
network = gengap.networks.build(gengap.networks.dense((8, 8, 1), 10, width=24, depth=1))
recipe = gengap.training.Recipe(optimiser="adam", learning_rate=0.003, batch_size=32, epochs=40)
gengap.training.train(network, data.train, recipe)
print(gengap.networks.parameter_count(network), "parameters")

# %%
# ``hessian`` returns an operator, which is also a SciPy ``LinearOperator``.

hessian = curvature.hessian(network, "cross_entropy", data.train)
largest = hessian.eigsh(12).values
print(np.round(np.sort(largest)[::-1], 3))

# %%
# This network is small enough to compute all eigenvalues. For large ones, ``spectral_density``
# estimates the histogram, and ``trace`` the sum.

eigenvalues = hessian.spectrum()
figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
axes.hist(eigenvalues, bins=120, color="#1f5a8a")
axes.set(yscale="log", xlabel="eigenvalue", ylabel="number")
figure.show()

# %%
# The effective dimensionality is the sum of :math:`\lambda / (\lambda + \alpha)` over the positive
# eigenvalues. It falls from the number of parameters towards zero as the prior's precision alpha
# grows.

alphas = np.logspace(-5, 1, 40)
dimensions = curvature.sweep(eigenvalues, alphas)
figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
axes.semilogx(alphas, dimensions.values, color="#1f5a8a")
axes.set(xlabel="alpha", ylabel="effective dimensionality")
figure.show()
