"""Networks by their names in torchvision and timm."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gengap.errors import GengapError, MachineError
from gengap.networks import build

IMAGES = np.random.default_rng(0).standard_normal((3, 32, 32, 3)).astype(np.float32)


def torchvision_or_skip() -> ModuleType:
    """Import torchvision, also where its operators were compiled for another build of torch.

    The wheels of one release for CPU and CUDA have the same Python code. The operators, which only
    detectors use, load with the torch of the same build alone; without them the import fails at
    the first that is not declared.
    """
    try:
        import torchvision
    except ImportError as error:
        pytest.skip(f"torchvision is not installed ({error})")
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor a, Tensor b, float c) -> Tensor")
        import torchvision
    module: ModuleType = torchvision
    return module


@pytest.mark.parametrize(
    "name", ["resnet18", "mobilenet_v3_small", pytest.param("vit_b_32", marks=pytest.mark.slow)]
)
def test_networks_of_torchvision_compute_what_they_compute(name: str) -> None:
    torchvision = torchvision_or_skip()
    size = {"image_size": 32} if name == "vit_b_32" else {}
    spec = {"hub": f"torchvision:{name}", "keywords": {"num_classes": 7, **size}}
    network = build(spec, example=IMAGES)
    assert network.spec["layout"] == "channels_first"
    assert network.outputs == 7
    own = torchvision.models.get_model(name, num_classes=7, **size).eval()
    own.load_state_dict(network.state_dict())
    batch = torch.from_numpy(IMAGES)
    with torch.no_grad():
        torch.testing.assert_close(network(batch), own(batch.movedim(-1, 1)))
    assert build(network.spec).observed == network.observed


def test_layers_of_resnet18_are_read_behind_their_relus() -> None:
    torchvision_or_skip()
    network = build({"hub": "torchvision:resnet18"}, example=IMAGES)
    assert len(network.observed) == 21
    assert network.observed["conv1"] == "relu"
    assert network.observed["layer1.0.conv1"] == "layer1.0.relu"
    assert network.observed["layer1.0.conv2"] == "layer1.0.conv2"
    assert list(network.observed)[-1] == "fc"


def stub(monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]) -> None:
    """A package of networks that records its keywords."""

    def make(name: str, **keywords: Any) -> nn.Module:
        asked.update(name=name, **keywords)
        if "widht" in keywords:
            raise TypeError("unexpected keyword 'widht'")
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3600, 2))

    timm = SimpleNamespace(list_models=lambda: ["small_net"], create_model=make)
    monkeypatch.setitem(sys.modules, "timm", timm)


def test_weights_are_never_asked_for_by_ourselves(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    stub(monkeypatch, asked)
    network = build({"hub": "timm:small_net", "keywords": {"scale": 2}}, example=IMAGES)
    assert asked == {"name": "small_net", "scale": 2}
    assert network.observed == {"0": "1", "3": "3"}
    build({"hub": "timm:small_net", "keywords": {"pretrained": True}}, example=IMAGES)
    assert asked["pretrained"] is True


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"hub": "timm:smal_net"}, "timm has no network 'smal_net': did you mean small_net"),
        ({"hub": "timm:zzz"}, "timm has no network 'zzz'"),
        ({"hub": "small_net"}, "give torchvision:NAME or timm:NAME"),
        ({"hub": "other:net"}, "give torchvision:NAME or timm:NAME"),
        ({"hub": None}, "give torchvision:NAME or timm:NAME"),
        ({"hub": "timm:small_net", "keywords": {"widht": 1}}, "timm:small_net cannot be made"),
    ],
)
def test_unknown_networks_are_refused(
    monkeypatch: pytest.MonkeyPatch, spec: dict[str, Any], reason: str
) -> None:
    stub(monkeypatch, {})
    with pytest.raises(GengapError, match=reason):
        build(spec, example=IMAGES)


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(
        MachineError, match=r"need a package that cannot be imported .*install timm"
    ):
        build({"hub": "timm:small_net"}, example=IMAGES)
