# Every target sets up what it needs: Python 3.11 or newer, make and the package registries are enough.
.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help setup up test unit lint postgres soak bench lock clean

help: ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

setup: $(READY) ## install everything into .venv from the lock file

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	$(BIN)/python -m compileall -q supervisor actors agents
	touch $(READY)

up: $(READY) ## run the fleet in the sandbox: no keys, no network
	$(BIN)/polyfleet up

test: lint ## lint, types and the whole test suite
	$(BIN)/pytest

unit: $(READY) ## the tests that need no Ray and no server
	$(BIN)/pytest tests/unit

lint: $(READY) ## ruff, mypy --strict and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

postgres: $(READY) ## the tests of whole fleets once more, their logs in PostgreSQL
	$(BIN)/pytest tests/integration --store postgresql

soak: $(READY) ## ten thousand random decisions on a venue where everything goes wrong
	SOAK_DECISIONS=10000 $(BIN)/pytest tests/contract/broker/test_soak.py -s --timeout 3600

bench: $(READY) ## print ratios measured side by side in one run
	$(BIN)/python -m tests.bench

lock: ## resolve the dependencies again
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--group dev pyproject.toml -o requirements.lock

clean: ## remove what setup and tests made
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache tests/node/node_modules
