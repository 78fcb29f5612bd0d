# Everything goes through one environment, .venv, made by pip from the locks. `make` alone lists the targets.
PYTHON ?= python3
ARGS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
MADE := .venv/made
RUNTIME := .venv/runtime-installed
DEV := .venv/dev-installed

# One more than there are cores: many tests wait for servers, meters and clocks.
WORKERS = $$($(BIN)/python -c 'import os; print((os.cpu_count() or 1) + 1)')

.DELETE_ON_ERROR:
.PHONY: help demo test lint format types contracts bench chaos docs docs-check wheel lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

demo: $(RUNTIME) ## start a demo community and stay up (ARGS="--once" does not stay)
	@$(BIN)/tallygate demo $(ARGS)

test: $(DEV) ## run all tests, installing the servers they need where that is allowed
	@sh tests/install-services
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile $(ARGS)

lint: $(DEV) ## check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(DEV) ## format the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

types: $(DEV) ## check types, strictly
	$(BIN)/mypy
	$(BIN)/mypy tests/support tests/conftest.py

contracts: $(DEV) ## check who imports whom
	PYTHONPATH=tests/support $(BIN)/lint-imports --no-cache

bench: $(DEV) ## measure (ARGS="polling spool" runs some of it)
	@sh tests/install-services
	@PYTHONPATH=.:tests/support $(BIN)/python tests/benchmarks/run.py $(ARGS)

chaos: $(DEV) ## kill gateway, broker, archive and bill runs, fill the disk, and count what is lost
	@sh tests/install-services
	@PYTHONPATH=.:tests/support $(BIN)/python tests/chaos/run.py $(ARGS)

docs: $(RUNTIME) ## write the generated documents
	$(BIN)/tallygate docs

docs-check: $(RUNTIME) ## fail where a generated document is stale
	$(BIN)/tallygate docs --check

wheel: $(RUNTIME) ## build the wheel that servers and gateways install, in dist/
	@rm -f dist/tallygate-*.whl
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .

# One resolution for every Python that is supported; the smaller locks take their versions from it.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock" pyproject.toml
lock: $(MADE) ## choose the versions of the dependencies anew
	$(PIP) install uv
	$(COMPILE) --upgrade --group build --group dev --output-file requirements-dev.txt
	$(COMPILE) --upgrade --constraints requirements-dev.txt --output-file requirements.txt
	$(COMPILE) --upgrade --constraints requirements-dev.txt --group build \
		--output-file requirements-build.txt

clean: ## remove what was made here: the environment, caches, builds
	rm -rf .venv .demo .services build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		.import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(MADE):
	@$(PYTHON) --version >/dev/null 2>&1 || { \
		echo "Python is missing: '$(PYTHON)' does not run. Install Python 3.11 or newer" \
			"(apt-get install python3 python3-venv), or name one: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Tallygate needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." \
			"Name a newer one: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "This Python cannot make an environment: apt-get install $$($(PYTHON) -c \
			'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" >&2; exit 1; }
	@echo "making .venv" >&2
	@$(PYTHON) -m venv .venv
	@touch $@

$(RUNTIME): requirements-build.txt pyproject.toml $(MADE)
	@echo "installing what Tallygate runs on" >&2
	@$(PIP) install --require-hashes -r requirements-build.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements-dev.txt $(RUNTIME)
	@echo "installing what its tests need" >&2
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@
