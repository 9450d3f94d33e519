"""Put this checkout's library first on the path, whatever environment a job runs in.

Snakemake puts the folder of a script on the path, so every script begins with ``import checkout``.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
