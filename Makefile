# Two commands: `make site` builds the website, `make test` runs every test.
# Both make what they need in .venv; a machine needs Python 3.11 or newer, pip, git and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NPM := .cache/npm
GRADER := .cache/problems
TUTORIALS := $(sort $(wildcard tutorials/[0-9]*.qmd))
PAGES := $(TUTORIALS) $(sort $(wildcard *.qmd) $(wildcard zoo/*.qmd))
NBVAL := $(BIN)/python -m pytest -p no:randomly --nbval --nbval-current-env \
	--nbval-sanitize-with tests/notebooks/sanitize.cfg tests/notebooks

.DEFAULT_GOAL := help
.PHONY: help site test test-site test-scale test-notebooks lint format bless lab serve explorer bench clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

$(VENV)/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else \
		f"Python 3.11 or newer is needed, this is {v.major}.{v.minor}: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,lint]'
	@touch $@

site: $(VENV)/ready explorer ## Execute every page and write the website to _site/
	@if command -v quarto >/dev/null; then \
		PATH="$(CURDIR)/$(BIN):$$PATH" QUARTO_PYTHON="$(CURDIR)/$(BIN)/python" quarto render; \
	else \
		$(BIN)/python -m sitebuild build --strict --salt-tree mlsysim; \
	fi
	@$(BIN)/python explorer/build.py --report

explorer: $(VENV)/ready ## Collect what the live pages serve, from npm, pip and this tree
	@$(BIN)/python explorer/build.py

test: $(VENV)/ready ## Run all tests: package, pages, notebooks
	$(BIN)/python -m pytest --doctest-modules tests mlsysim sitebuild explorer
	$(NBVAL)

$(VENV)/browser: pyproject.toml $(VENV)/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[browser]'
	@touch $@

$(NPM)/ready: tests/site/package.json tests/site/package-lock.json
	@mkdir -p $(NPM) && cp $^ $(NPM)/
	@if command -v npm >/dev/null; then \
		npm ci --prefix $(NPM) --ignore-scripts --no-audit --no-fund --loglevel error && touch $@; \
	else \
		echo "npm is missing: the tests of accessibility are skipped"; \
	fi

test-site: $(VENV)/browser $(NPM)/ready ## Read the website of _site/ in a browser, page by page
	@test -f _site/index.html || { echo "there is no website yet; run: make site"; exit 1; }
	SITE=_site $(BIN)/python -m pytest -p no:randomly tests/site

SCALE := .cache/scale

$(SCALE)/ready: pyproject.toml
	test -x $(SCALE)/bin/python || $(PYTHON) -m venv $(SCALE)
	$(SCALE)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[scale]' pytest
	@touch $@

test-scale: $(SCALE)/ready ## Sweep on a Dask cluster of two workers, in an environment of its own
	$(SCALE)/bin/python -m pytest tests/test_sweep_dask.py

test-notebooks: $(VENV)/ready ## Run the notebooks alone and compare every output
	$(NBVAL)

$(GRADER)/ready: pyproject.toml $(VENV)/ready
	test -x $(GRADER)/bin/python || $(BIN)/python -m venv $(GRADER)
	$(GRADER)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[problems]'
	@touch $@

problems: $(GRADER)/ready ## Make student and solution versions of the problem sets
	$(GRADER)/bin/python -m problems.build --assign --out build/problems

test-problems: $(GRADER)/ready ## Grade a blank, a right and a wrong submission of each problem set
	$(GRADER)/bin/python -m pytest tests/problems

lint: $(VENV)/ready ## Check style and types
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m mypy

format: $(VENV)/ready ## Format the code
	$(BIN)/python -m ruff format
	$(BIN)/python -m ruff check --fix

bless: $(VENV)/ready ## Rewrite the reference notebooks from today's pages; read the diff
	$(BIN)/python -m sitebuild bless $(TUTORIALS) --out tests/notebooks --salt-tree mlsysim

lab: $(VENV)/ready ## Open the tutorials as notebooks in JupyterLab
	$(BIN)/python -m sitebuild notebooks $(TUTORIALS) --out build/notebooks --salt-tree mlsysim
	$(BIN)/python -m jupyter lab build/notebooks

serve: ## Serve _site/ on this machine
	$(BIN)/python -m sitebuild serve

bench: $(VENV)/ready ## Print speed as ratios, alone and beside two other tools
	$(BIN)/python -m bench.speed
	$(BIN)/python -m bench.compare

clean: ## Remove what was built
	rm -rf _site explore/live/build build dist .cache .pytest_cache .ruff_cache .mypy_cache .hypothesis
