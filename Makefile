# `make run` and `make test` need nothing but Python 3.11 to 3.14; each creates .venv if needed.

PYTHON ?= python3
CORES ?= all
WORKERS ?= $(shell nproc)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES)
# A module stays on one worker, with what its tests share. A worker that dies ends the run, which
# could wait for it for ever.
PYTEST = $(BIN)/python -m pytest --numprocesses $(WORKERS) --maxprocesses 8 \
  --dist loadfile --no-loadscope-reorder --max-worker-restart 0

TASK ?= digits
PORT ?= 8051

.PHONY: run pgdl report dashboard measures-table claims-tables docs bench test test-slow test-all test-slurm coverage lint clean
.NOTPARALLEL:

run: $(VENV)/.run  ## the default run: digits, some three minutes on two cores
	$(SNAKEMAKE) --forcerun all  # prints the summary even if nothing is to be done

pgdl: $(VENV)/.pgdl  ## install TensorFlow, for tasks in PGDL's format and the study ballester2023

report: run  ## results/report.html: every figure with its caption, in one file
	$(SNAKEMAKE) --report results/report.html

dashboard: $(VENV)/.dashboard  ## show the results of one task in a browser (TASK=digits PORT=8051)
	$(BIN)/gengap dashboard results/$(TASK) --port $(PORT)

measures-table: $(VENV)/.run  ## docs/measures.md: every measure, from docstrings and a run of all of them
	$(SNAKEMAKE) results/digits/evaluation/correlations.csv --config families=all slow=True
	$(BIN)/python scripts/measures_table.py results/digits

claims-tables: $(VENV)/.run  ## studies/README.md: all claims; STUDIES="maddox2020" first takes what their runs wrote
	$(BIN)/python scripts/claims_overview.py $(STUDIES)

docs: $(VENV)/.docs  ## the documentation site, docs/build/index.html; it runs the examples: two to three minutes
	rm -rf docs/reference/generated  # pages of modules that are no longer listed
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs docs/build

bench: $(VENV)/.run  ## short benchmarks against the last tagged version, as ratios of CPU time
	$(BIN)/python benchmarks/compare.py

test: $(VENV)/.test  ## the tests that a change needs, a run of the workflow among them: some six minutes
	$(PYTEST) -m "not slow and not slurm"

# Most of these tests wait for processes that they start, for a browser or for a cluster.
test-slow: WORKERS := $(shell expr $(WORKERS) + 1)
test-slow: $(VENV)/.test-all  ## what `make test` leaves out
	$(PYTEST) -m "slow or slurm"

test-all: $(VENV)/.test-all test test-slow  ## every test

test-slurm: $(VENV)/.test  ## run the workflow on a SLURM cluster of one node; needs root, slurm-wlm, munge
	$(BIN)/python -m pytest -m slurm tests/slurm

coverage: $(VENV)/.test-all  ## which lines and branches of the library the tests reach
	$(PYTEST) -m "not slurm" --cov --cov-report=term:skip-covered

lint: $(VENV)/.test  ## check style, types, and the workflow with Snakemake's own linter
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint
	$(BIN)/hadolint Dockerfile

# An environment whose creation was interrupted has no working pip, and is created anew.
# torch is installed first and alone: pip takes a CPU build that is available only if the version is pinned.
$(VENV)/.run: pyproject.toml constraints.txt
	@$(BIN)/python -m pip --version 2>/dev/null || { \
	  $(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' || { \
	    echo "$(PYTHON) is not Python 3.11 to 3.14: name one that is, as in make run PYTHON=python3.12." >&2; \
	    exit 1; }; \
	  echo "creating $(VENV)"; $(PYTHON) -m venv --clear $(VENV); }
	$(PIP) torch
	$(PIP) --editable .[workflow]
	$(BIN)/python -c "from gengap.topology.engines.fast import warm; warm()"  # compiled once, then cached
	touch $@

$(VENV)/.pgdl: pyproject.toml constraints.txt $(VENV)/.run
	$(PIP) --editable .[pgdl]
	touch $@

$(VENV)/.dashboard: pyproject.toml constraints.txt $(VENV)/.run
	$(PIP) --editable .[dashboard]
	touch $@

$(VENV)/.docs: pyproject.toml constraints.txt $(VENV)/.run
	$(PIP) --editable .[docs]
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt $(VENV)/.run
	$(PIP) --editable .[test]
	touch $@

$(VENV)/.test-all: pyproject.toml constraints.txt $(VENV)/.test
	$(PIP) --editable .[test,pgdl]
	touch $@

clean:  ## remove results and the environment
	rm -rf $(VENV) .snakemake results/* docs/build docs/gallery docs/reference/generated
