#!/usr/bin/env bash
# Install a wheel or a source distribution in an empty environment, and use the command as a stranger would:
#   tests/smoke_test.sh dist/gengap-0.1.0-py3-none-any.whl
set -euo pipefail
distribution=$(realpath "$1")
constraints=$(realpath "$(dirname "$0")/../constraints.txt")
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv environment
environment/bin/pip install --quiet --constraint "$constraints" torch
environment/bin/pip install --quiet --constraint "$constraints" "$distribution"

cat > mynets.py <<'PYTHON'
import torch
from torch import nn


def small(width: int = 8) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64 * width, 10)
    )
PYTHON
environment/bin/python - <<'PYTHON'
import numpy as np
import torch
from sklearn.datasets import load_digits

from mynets import small

digits = load_digits()
np.savez("digits.npz", inputs=digits.images[:100, None], labels=digits.target[:100])
torch.save(small().state_dict(), "weights.pt")
PYTHON

environment/bin/gengap --version
environment/bin/gengap describe mynets.py:small --input-shape 8,8,1
environment/bin/gengap measure mynets.py:small weights.pt --data digits.npz \
    --data-keys '{"layout": "NCHW"}' --families baseline --output measures.csv
grep -q '^.*sum_of_squared_weights' measures.csv
environment/bin/python -c "from importlib.resources import files; assert list((files('gengap') / 'dashboard/assets').iterdir())"
