# Everything a developer needs. The first target that needs it makes the virtual environment.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-long lint format types bench

.venv/.ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/pip install --quiet --editable . --group dev
	touch $@

demo: .venv/.ready
	$(BIN)/langfuse-router demo

test: .venv/.ready
	$(BIN)/pytest -n auto

# the property tests, a hundred times as long
test-long: .venv/.ready
	$(BIN)/pytest -n auto --hypothesis-profile=long tests/langfuse tests/test_ledger_model.py tests/test_reconcile_model.py tests/test_difference.py

# tables to compare within one run; nothing passes or fails
bench: .venv/.ready
	$(BIN)/python -m tests.benchmarks.matching
	$(BIN)/python -m tests.benchmarks.reload
	$(BIN)/python -m tests.benchmarks.intake
	$(BIN)/python -m tests.benchmarks.drain
	$(BIN)/python -m tests.benchmarks.million

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv/.ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: .venv/.ready
	$(BIN)/mypy
