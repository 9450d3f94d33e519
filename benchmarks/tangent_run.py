"""Compute one tangent kernel of LeNet in this process, for `benchmarks/tangent.py`.

    python benchmarks/tangent_run.py METHOD WEIGHTS.npz INPUTS.npy KERNEL.npy

METHOD is ``structured`` or ``jacobian`` (gengap), or ``nt-1`` or ``nt-3``, the implementations of
neural-tangents by Jacobian contraction and by structured derivatives. Its NTK-vector products, 2,
take minutes and gigabytes here. The script prints one line of JSON: CPU seconds of the second call,
so that compilation and loading do not count, and, in MB, the peak memory of the process and its
memory before the first call.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gengap.tangent.kernel import Method

BATCH = 500
"""Inputs in a batch of neural-tangents."""

Compute = Callable[[], Any]
"""Computes the kernel, an array or a :class:`gengap.tangent.Kernel`."""


def prepare_gengap(
    method: str, weights: dict[str, NDArray[np.float32]], inputs: NDArray[np.float32]
) -> Compute:
    """Build the network in gengap."""
    import torch

    from gengap.networks import build, set_weights
    from gengap.tangent import empirical_ntk

    torch.set_num_threads(1)
    spec = {"architecture": "lenet", "input_shape": inputs.shape[1:], "classes": 1}
    network = build(spec)
    set_weights(network, {k: torch.from_numpy(v) for k, v in weights.items()}, source="weights")
    return lambda: empirical_ntk(network, inputs, method=cast("Method", method))


def prepare_neural_tangents(
    method: str, weights: dict[str, NDArray[np.float32]], inputs: NDArray[np.float32]
) -> Compute:
    """Build the same network in JAX."""
    import jax
    import neural_tangents as nt

    values = [
        (weights[name].T if weights[name].ndim == 2 else weights[name].transpose(2, 3, 1, 0),
         weights[name.replace("weight", "bias")])
        for name in weights if name.endswith("weight")
    ]  # fmt: skip

    def pooled(images: Any) -> Any:
        total = jax.lax.reduce_window(images, 0.0, jax.lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        return total / 4

    def network(layers: list[tuple[Any, Any]], images: Any) -> Any:
        for kernel, bias in layers[:2]:
            images = jax.lax.conv_general_dilated(
                images, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            images = pooled(jax.nn.relu(images + bias))
        hidden = images.reshape(len(images), -1)
        for kernel, bias in layers[2:-1]:
            hidden = jax.nn.relu(hidden @ kernel + bias)
        return hidden @ layers[-1][0] + layers[-1][1]

    kernel = nt.batch(
        nt.empirical_ntk_fn(network, trace_axes=(-1,), vmap_axes=0, implementation=int(method[-1])),
        batch_size=BATCH,
        device_count=0,
    )
    return lambda: np.asarray(kernel(inputs, None, values))


def memory(field: str) -> float:
    """Return a field of Linux's account of this process in MB."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(field))


def main() -> None:
    """Compute one kernel twice, write it and print the costs."""
    method, weights_path, inputs_path, kernel_path = sys.argv[1:]
    weights, inputs = dict(np.load(weights_path)), np.load(inputs_path)
    prepare = prepare_neural_tangents if method.startswith("nt-") else prepare_gengap
    compute = prepare(method, weights, inputs)
    before = memory("VmRSS")
    compute()
    start = time.process_time()
    kernel = compute()
    seconds = time.process_time() - start
    np.save(kernel_path, kernel)
    print(json.dumps({"cpu_seconds": seconds, "peak": memory("VmHWM"), "before": before}))


if __name__ == "__main__":
    main()
