# make run: set up, then the main job. make test: set up, then the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: run test lint sanitize bench clean

run: $(INSTALLED)
	$(BIN)/fastdis run

# One process per core. Plain "pytest" runs tests in one process, and can run a single file.
test: $(INSTALLED)
	$(BIN)/python -m pytest -n logical --maxprocesses 8 --dist worksteal

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The kernels under AddressSanitizer and UndefinedBehaviorSanitizer; takes GCC and some minutes.
sanitize: $(INSTALLED)
	PYTHON=$(CURDIR)/$(BIN)/python tests/kernels/sanitize.sh

# All rows, scaling and memory, to benchmarks/RESULTS.md; "fastdis bench" is the short form.
bench: $(INSTALLED)
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m pip install --quiet -e '.[bench]'
	$(BIN)/python benchmarks/run.py

# torch first and by version: a plain "torch" would take a build with gigabytes of CUDA libraries.
$(INSTALLED): pyproject.toml setup.py constraints.txt $(wildcard csrc/*/*)
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch==2.13.0
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m pip install --quiet -e '.[audio,dev]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info fastdis/_kernels/*.so
