"""How well will a trained network generalise, judged from its weights and training data alone?

The packages follow the order in which data flows through them; each imports only from packages
before it. All may import the modules of the ground floor: ``arguments``, ``bisection``,
``errors``, ``failures``, ``files``, ``limits``, ``names``, ``pgdl_layout``, ``planned_figures``,
``seeding`` and ``threads``, which import no package.

- ``planning``: what will be run, known before anything runs.
- ``datasets``: arrays of inputs and labels, each from a named source.
- ``networks``: PyTorch modules that are built from a declarative spec.
- ``training``: recipes, and the loop that trains one network.
- ``tasks``: folders of trained networks with their data, trained here or imported.
- ``activations``: activations of sampled neurons on sampled inputs.
- ``topology``: persistence diagrams of these activations, and their summaries.
- ``curvature``: eigenvalues and traces of the Hessian and of related operators.
- ``tangent``: empirical neural tangent kernels.
- ``measures``: families of numbers that may predict the generalisation gap.
- ``evaluation``: statistics of how well the measures predict the gap of a task's networks.
- ``prediction``: the gap of a network in hand from networks whose gaps are known, or a refusal.
- ``figures``: plots of a task's results.
- ``dashboard``: the results of a task in a browser.
- ``studies``: experiments that repeat published ones and judge their claims.
- ``cli``: the command ``gengap``.

``import gengap`` loads none of them: each is loaded when it is first named, as in
``gengap.networks``.
"""

import importlib
from typing import Any

_PACKAGES = (
    "planning", "datasets", "networks", "training", "tasks", "activations", "topology",
    "curvature", "tangent", "measures", "evaluation", "prediction", "figures", "dashboard",
    "studies", "cli",
)  # fmt: skip


__version__: str
"""The version of the Git tag; ``unknown`` where the package is run without being installed."""


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"gengap.{name}")
    if name == "__version__":
        from importlib import metadata

        try:
            return metadata.version("gengap")
        except metadata.PackageNotFoundError:
            return "unknown"
    raise AttributeError(f"module 'gengap' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PACKAGES})
