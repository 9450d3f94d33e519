"""Write studies/README.md and the table in README.md from the committed claims of all studies.

python scripts/claims_overview.py writes both from studies/claims/*.csv; with names of studies it
first takes what their runs wrote: results/<study>/claims.csv, claims.md and the plots in claims/.
"""

from __future__ import annotations

import argparse
import re
import shutil
from pathlib import Path

import pandas as pd

import checkout  # noqa: F401
from gengap.errors import GengapError
from gengap.files import writing
from gengap.studies.claims_page import STRIPS, counts, overview

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- claims -->", "<!-- end of claims -->"


def take(study: str, results: Path, studies: Path) -> None:
    """Copy table, page and plots of a study's claims from its results to the committed ones.

    Raises:
        GengapError: the study's claims were not written yet.
    """
    source, folder = results / study, studies / STRIPS
    if not (source / "claims.csv").is_file():
        raise GengapError(f"{source} has no claims.csv: run 'snakemake {study}' first.")
    folder.mkdir(exist_ok=True)
    for strip in folder.glob(f"{study}-*.svg"):
        strip.unlink()
    for strip in sorted((source / STRIPS).glob("*.svg")):
        shutil.copyfile(strip, folder / strip.name)
    shutil.copyfile(source / "claims.csv", folder / f"{study}.csv")
    shutil.copyfile(source / "claims.md", studies / f"{study}.claims.md")


def read_tables(studies: Path) -> dict[str, pd.DataFrame]:
    """Return the committed tables of claims by study."""
    return {path.stem: pd.read_csv(path) for path in sorted((studies / STRIPS).glob("*.csv"))}


def with_table(readme: str, table: str) -> str:
    """Return a text with another table between its two comments."""
    return re.sub(f"(?s){BEGIN}.*?{END}", lambda _: f"{BEGIN}\n{table}\n{END}", readme)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("studies", nargs="*", help="studies whose results are taken first")
    try:
        for study in parser.parse_args(arguments).studies:
            take(study, Path("results"), ROOT / "studies")
    except GengapError as error:
        raise SystemExit(str(error)) from None
    tables = read_tables(ROOT / "studies")
    with writing(ROOT / "studies" / "README.md") as part:
        part.write_text(overview(tables), encoding="utf-8")
    readme = ROOT / "README.md"
    text = with_table(readme.read_text(encoding="utf-8"), counts(tables))
    with writing(readme) as part:
        part.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
