# Needs Python 3.11 or newer and make; the rest goes into .venv.
PYTHON ?= python3
WORKERS ?= 2
BIN := .venv/bin

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DELETE_ON_ERROR:
.PHONY: help demo test test-docs test-page lint docs clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST)

demo: .venv/.installed ## Run the main experiment on the embedded synthetic corpus, offline
	$(BIN)/python -m lightning_emorec fit --config configs/demo.yaml

# One thread and one process a worker: more would fight over the cores. A file's tests share a worker, and files are taken in
# the order of their names, so that those of tests/cli, the longest, come first.
PYTEST := OMP_NUM_THREADS=1 LOKY_MAX_CPU_COUNT=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test: lint ## Lint, check types and run the tests, but for those of the next two
	$(PYTEST) --ignore tests/docs --ignore tests/app

test-docs: .venv/.installed ## Run the commands of the documentation and the notebook
	$(PYTEST) tests/docs

test-page: .venv/.installed ## Drive the page of `app` with a browser
	$(PYTEST) tests/app

lint: .venv/.installed ## Lint and check types only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Nothing is downloaded. Warnings, broken links and missing anchors among them, are errors.
docs: .venv/.installed ## Build the documentation into site/
	NO_MKDOCS_2_WARNING=1 OMP_NUM_THREADS=1 $(BIN)/mkdocs build --strict

clean: ## Remove the environment and the tools' caches; runs, data and the audio cache stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache build dist site *.egg-info
	find . -type d -name __pycache__ -prune -exec rm -rf {} +

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "expected Python 3.11 or newer as $(PYTHON); found $$($(PYTHON) --version 2>/dev/null || echo none);" \
			"run make with PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Installing into .venv: about 5 GB, most of it PyTorch."
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -c constraints.txt -e '.[dev]'
	@touch $@
