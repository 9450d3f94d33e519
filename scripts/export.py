"""Write a task in PGDL's format, and a receipt with every file's SHA-256."""

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.files import writing
from gengap.tasks import pgdl

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    receipt = Path(snakemake.output.receipt)
    out = receipt.parent
    # If the task was larger before, its further shards and networks must not stay.
    for part in ("input_data", "reference_data"):
        shutil.rmtree(out / part, ignore_errors=True)
    pgdl.export(Path(snakemake.input.task).parent, out)
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(out)}\n"
        for part in ("input_data", "reference_data")
        for path in sorted((out / part).rglob("*"))
        if path.is_file()
    ]
    with writing(receipt) as partial:
        partial.write_text("".join(lines))


jobs.run(snakemake, main)
