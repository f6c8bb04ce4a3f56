# Narrowgate. Needs Python 3.11 or newer and pip; `make install` does the rest, in .venv.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help install demo serve test test-all test-slow lint bench lock

help: ## this page
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## */  make \1|/' | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

install: $(READY) ## make .venv with everything, from the hashed lock

$(READY): requirements.lock requirements-installer.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Narrowgate needs Python 3.11 or newer.")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-installer.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q broker clients
	@touch $@

demo: $(READY) ## the whole story, in separate processes on this machine
	$(BIN)/narrowgate demo

serve: $(READY) ## a broker for trying things out, in var/broker on port 8470
	sh deploy/trial-broker.sh $(BIN)/narrowgate var 8470

test: $(READY) ## the tests that need nothing but this machine (under 5 minutes on two cores)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not all_only"

test-all: $(READY) ## every test; a skipped test counts as a failure; CI may install packages for it
	NARROWGATE_NO_SKIPS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(READY) ## what make test leaves out of make test-all; a skipped test counts as a failure
	NARROWGATE_NO_SKIPS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "all_only"

lint: $(READY) ## formatting, style, types, and which part may import which
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(READY) ## the figures, as ratios measured in one run each
	$(BIN)/python -m benchmarks.masking
	$(BIN)/python -m benchmarks.at_size
	$(BIN)/python -m benchmarks.at_size --diff 10000000
	$(BIN)/python -m benchmarks.gate
	$(BIN)/python -m benchmarks.identifiers
	$(BIN)/python -m benchmarks.person
	$(BIN)/python -m benchmarks.audit
	$(BIN)/python -m benchmarks.exchange
	$(BIN)/python -m benchmarks.ladder
	$(BIN)/python -m benchmarks.postgresql
	$(BIN)/python -m benchmarks.log
	$(BIN)/python -m benchmarks.carry
	$(BIN)/python -m benchmarks.withdrawal

lock: $(READY) ## resolve the dependencies anew into the lock
	$(BIN)/uv pip compile --quiet --python-version 3.11 --all-extras --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --output-file requirements.lock
	printf 'uv\nsetuptools\n' | $(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		- --output-file requirements-installer.lock
