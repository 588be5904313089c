# One command order for people and for CI. Needs GNU make and Python 3.11 with venv and pip; no root, no Docker.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
UV := env -u VIRTUAL_ENV -u UV_PROJECT_ENVIRONMENT .uv/bin/uv
RUN := .venv/bin/python -m
export PYTHONUTF8 := 1

.PHONY: help
help: ## Show this list
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 18

.PHONY: demo
demo: install ## Start the whole system with sample data, and say where to look (DETACH=1 returns, 'make stop' ends it)
	@$(RUN) ioc.cli demo $(if $(DETACH),--detach)

.PHONY: stop
stop: ## Stop what 'make demo' started
	@if [ -x .venv/bin/python ]; then $(RUN) ioc.cli down; else echo "nothing is installed, so nothing runs"; fi

.PHONY: test
test: install ## Run all tests in two processes (ARGS="…" goes to pytest)
	@$(RUN) pytest --numprocesses 2 --no-loadscope-reorder $(ARGS)

.PHONY: lint
lint: install ## Check style, types, the walls between the rooms, and SQL
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	@if [ -f .importlinter ]; then echo 'lint-imports'; .venv/bin/python -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'; fi
	@if [ -d dbt_project ]; then echo 'sqlfluff'; $(RUN) sqlfluff lint dbt_project --processes 2 --disable-progress-bar; fi

.PHONY: fmt
fmt: install ## Put the code into shape
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

.PHONY: bench
bench: install ## Run the benchmarks (NAME="…" picks some)
	@$(RUN) ioc.cli bench $(NAME)

.PHONY: mutations
mutations: install ## Plant faults in the alert code, one at a time: the tests must notice each (ARGS="…" picks some)
	@$(RUN) tests.mutations $(ARGS)

.PHONY: ci
ci: ## What CI runs: lint and tests on whatever machine this is
	@.ci/run

.PHONY: clean
clean: stop ## Stop the stack and remove everything that was installed or produced here
	rm -rf .venv .uv superset_assets/env/.venv .ioc .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf dbt_project/target dbt_project/logs
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: install
install: .uv/bin/uv ## Install both locked environments (every other command does this by itself)
	@echo "· platform environment (.venv)"
	@$(UV) sync --frozen --all-groups
	@echo "· Superset's environment (superset_assets/env/.venv)"
	@$(UV) sync --frozen --project superset_assets/env

.uv/bin/uv:
	@command -v "$(PYTHON)" >/dev/null || { echo "error: no '$(PYTHON)' on this machine: install Python 3.11 or 3.12, or say PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed, and '$(PYTHON)' is $$("$(PYTHON)" -V): say PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || { echo "error: this Python has no venv module: on Debian and Ubuntu install the package python3-venv" >&2; exit 1; }
	@echo "· uv, the installer (.uv)"
	@rm -rf .uv && "$(PYTHON)" -m venv .uv
	@.uv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.9,<1' || { rm -rf .uv; echo "error: pip could not install uv: is the package registry reachable (PIP_INDEX_URL, proxy)?" >&2; exit 1; }
