# make help says what there is. On a fresh machine it needs Python 3.11 or later and a package registry, nothing else.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help report test test-all lab bench lock lint types samples api clean

VENV := .venv
BIN := $(VENV)/bin
REPORTS ?= journey_overview
PYTEST ?= -n auto

# Compiled Python is kept, whatever the caller's shell says: starts are three to four times quicker.
unexport PYTHONDONTWRITEBYTECODE

# One stamp per set of extras; a larger set stamps the smaller ones too. A set-up that was cut short leaves no stamp
# and is begun again.
SETUP := pyproject.toml constraints.txt tools/setup.sh
STAMP := $(VENV)/.set-up
$(STAMP)-report: $(SETUP)
	@sh tools/setup.sh "" $@
$(STAMP)-test: $(SETUP)
	@sh tools/setup.sh dev,excel,sql,sentiment $@ $(STAMP)-report
$(STAMP)-test-all: $(SETUP)
	@sh tools/setup.sh dev,excel,sql,sentiment,oracles $@ $(STAMP)-test $(STAMP)-report
$(STAMP)-lab: $(SETUP)
	@sh tools/setup.sh lab $@ $(STAMP)-report
$(STAMP)-bench: $(SETUP)
	@sh tools/setup.sh bench $@ $(STAMP)-report

help: ## What can be made
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

report: $(STAMP)-report ## Run the standard report on data/samples and say where its page is
	@for report in $(REPORTS); do \
	  $(BIN)/journeykit report run $$report || exit $$?; \
	  echo; echo "The page: file://$(CURDIR)/reports/$$report/latest/report.html"; \
	done

test: $(STAMP)-test ## Run the tests
	@$(BIN)/python -m pytest -q $(PYTEST)

test-all: $(STAMP)-test-all ## The slow tests too, and the comparisons with other packages
	@$(BIN)/python -m pytest -q $(PYTEST) -m ""

lab: $(STAMP)-lab ## Open JupyterLab on notebooks/explore
	@$(BIN)/jupyter lab --notebook-dir=notebooks/explore

bench: $(STAMP)-bench ## Compare speed with other packages, answers first
	@$(BIN)/python -m benchmarks.run

lint: $(STAMP)-test ## Style, of code and notebooks
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP)-test ## Types
	@$(BIN)/mypy

samples: $(STAMP)-test ## Write reports/sample from the sample data
	@$(BIN)/python tools/sample_reports.py

api: $(STAMP)-test ## Write docs/api from the docstrings
	@$(BIN)/python tools/api_pages.py

# Python 3.11 and later on every system, all extras. Pip and uv both read it.
lock: $(STAMP)-test ## Choose the versions in constraints.txt anew
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --upgrade --no-annotate --strip-extras \
	  --default-index https://pypi.org/simple --no-config --custom-compile-command "make lock" pyproject.toml -o constraints.txt
	@echo "constraints.txt: $$(grep -c == constraints.txt) packages"

clean: ## Remove what make made, but the reports
	rm -rf $(VENV) build dist htmlcov .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
