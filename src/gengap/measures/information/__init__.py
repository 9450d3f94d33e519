"""The family ``information``: criteria that estimate the gap itself, in the gap's own units.

Takeuchi's information criterion, the Laplace approximation of the evidence, and leave-one-out
estimates of the loss and of the accuracy. All see the loss that the network was trained on, at the
labels or numbers trained on, and put a Gaussian prior around 0 on the parameters that count
(``subject.parameters``). Wherever a matrix is inverted, it is damped by the prior's precision. That
precision maximises the Laplace evidence (MacKay 1992). Batch normalisation is folded into the
kernel before it, see :func:`gengap.networks.folded`. The second derivative of the loss is the
generalised Gauss-Newton matrix, which is the Fisher information for the cross-entropy and has no
negative eigenvalue; the hinge loss has none.
"""

from gengap.measures.information.leave_one_out import last_layer_criteria
from gengap.measures.information.whole_network import takeuchi_trace_ratio, whole_network_criteria

__all__ = ["last_layer_criteria", "takeuchi_trace_ratio", "whole_network_criteria"]
