"""Corneanu, Madadi, Escalera and Martinez: the functional graph of a network while it trains.

"What does it mean to learn in deep networks? And, how does one detect adversarial attacks?" (CVPR
2019): Betti curves, early stopping, adversarial inputs; "Computing the testing error without a
testing set" (CVPR 2020): a law for the gap. Test data are read by these experiments where the
papers do: to measure accuracies, and to attack.
"""
