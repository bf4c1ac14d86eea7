# Every command that CONTRIBUTING.md names. Each one sets up what it needs first; a second set-up does nothing.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# The first of these that runs, is 3.11 or later and can make virtual environments (a pyenv shim may exist and not run).
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo "$$name"; break; }; done)

VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install -qq --progress-bar off --disable-pip-version-check --no-input --require-hashes
PYTHON_READY := $(VENV)/.ready
FRONT_END_READY := node_modules/.ready
UV_COMPILE := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-annotate --no-header

.PHONY: help setup chromium demo quick test check bench long long-hostile long-killed long-months long-upgrades pictures words lock format clean

help:
	@echo 'make setup | demo | quick | test | check | bench | long | pictures | words | format | lock | clean'

setup: $(PYTHON_READY) $(FRONT_END_READY)

# Made anew when a lock file changes, so that what it holds is what is locked and nothing more.
$(PYTHON_READY): requirements/dev.lock
	@test -n "$(PYTHON)" || { echo 'Callbook needs Python 3.11 or later with venv: install it, or name it with make PYTHON=…' >&2; exit 1; }
	@echo 'Installing Python packages into $(VENV)'
	@"$(PYTHON)" -m venv --clear $(VENV)
	@$(PIP_INSTALL) -r requirements/dev.lock
	@touch $@

# Node.js from a wheel only when the machine has no npm.
$(FRONT_END_READY): package-lock.json package.json .npmrc requirements/node.lock | $(PYTHON_READY)
	@echo 'Installing front-end files into node_modules'
	@command -v npm >/dev/null || test -x $(BIN)/npm || $(PIP_INSTALL) -r requirements/node.lock
	@PATH="$$PATH:$(CURDIR)/$(BIN)" npm ci --ignore-scripts --loglevel=error
	@touch $@

chromium: $(PYTHON_READY)
	@scripts/ensure_chromium.sh $(BIN)/python

demo: setup
	@exec $(BIN)/python -m app.demo

# Pure tests, and one of each promise on SQLite (tests/quick.py).
quick: setup
	@$(BIN)/python -m pytest --numprocesses=logical --maxprocesses=4 -m quick -k 'not postgresql'

# Warnings are errors here: see filterwarnings in pyproject.toml. A worker for each core, each with databases of its own.
test: setup chromium
	@$(BIN)/python -m pytest --numprocesses=logical --maxprocesses=4

check: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest tests/architecture

bench: setup
	@$(BIN)/python -m tests.bench

# What takes longer than a test may, in at most 90 minutes; each part runs alone too.
long: setup
	@$(BIN)/python -m tests.long

long-hostile: setup
	@$(BIN)/python -m tests.long hostile

long-killed: setup
	@$(BIN)/python -m tests.long killed

long-months: setup
	@$(BIN)/python -m tests.long months

long-upgrades: setup
	@$(BIN)/python -m tests.long upgrades

pictures: setup chromium
	@$(BIN)/python -m tests.pictures

# Every catalogue in app/locales, brought up to date with the texts in the code.
words: setup
	@$(BIN)/python -m scripts.words

format: $(PYTHON_READY)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# Newest versions within the bounds of requirements/*.in. The lock files hold versions and hashes and name no host.
lock: $(PYTHON_READY)
	@cd requirements && for name in runtime dev node; do \
		"$(CURDIR)"/$(UV_COMPILE) --upgrade $$name.in --output-file $$name.lock; done
	@PATH="$$PATH:$(CURDIR)/$(BIN)" npm update --package-lock-only --ignore-scripts --loglevel=error
	@$(BIN)/python scripts/drop_funding_links.py

clean:
	@rm -rf $(VENV) node_modules .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find app migrations scripts tests -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
