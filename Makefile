# Two commands: `make demo` and `make test`. Both make .venv first, if it is not there or pyproject.toml has changed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test test-all lint types notebooks benchmark models clean

demo: $(VENV)/.installed
	$(BIN)/bayesglmm fit models/salamander.toml

test: $(VENV)/.installed
	$(BIN)/python -m pytest -m "not slow"

test-all: $(VENV)/.installed
	$(BIN)/python -m pytest

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed
	$(BIN)/mypy

notebooks: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable ".[dev,notebooks]"
	cd case_studies && ../$(BIN)/jupytext --quiet --to notebook *.py && ../$(BIN)/jupyter execute --inplace *.ipynb

benchmark: $(VENV)/.installed
	$(BIN)/python benchmarks/salamander_whole.py

models: $(VENV)/.installed
	$(BIN)/python benchmarks/models.py

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null || { \
	  echo "bayesglmm needs Python 3.12 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1); name a newer one: make PYTHON=python3.13 $(MAKECMDGOALS)"; exit 1; }
	@echo "making $(VENV) (about a minute)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage htmlcov dist build
