"""Networks against their linearisations: Ortiz-Jimenez, Moosavi-Dezfooli and Frossard (2021).

"What can linearized neural networks actually say about generalization?", NeurIPS, arXiv:2106.06770.

The experiments compare a network with its linearisation at the initial weights, trained alike: on
the eigenfunctions of its tangent kernel (:mod:`.experiments.eigenfunction_tasks`), on classes of
images (:mod:`.experiments.class_tasks`), on data separable along its anisotropy directions
(:mod:`.experiments.directions`), and with the kernel of a trained network
(:mod:`.experiments.pretrained`). All of them evaluate on test data.
"""
