# `make demo` and `make test` create what they need; both again do only what is not done yet.
PYTHON ?= python3
VENV := .venv
# How long `make chaos` strikes runs.
MINUTES ?= 5
# What `make report` reports on: everything of the laptop scale, or `make report TARGET=demo` after `make demo`.
TARGET ?= all
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# What a user sets reaches the shell as it is: as a variable of the shell, not as a part of its commands.
override PYTHON := $(value PYTHON)
override TARGET := $(value TARGET)
override MINUTES := $(value MINUTES)
export PYTHON TARGET MINUTES
# The shell's own folder is quoted whatever its name. Snakemake fails where its cache, usually in HOME, cannot be written.
WITH := [ -n "$$XDG_CACHE_HOME" ] || [ -w "$$HOME" ] || export XDG_CACHE_HOME="$$PWD/.snakemake/cache"; \
  PATH="$$PWD/$(BIN):$$PATH" PYTHONPATH="$$PWD:$$PWD/workflow/plugins"

.PHONY: venv demo test lint docs bench chaos ui report paper clean

venv: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@"$$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: Python 3.11 or newer is needed; $$PYTHON is $$("$$PYTHON" --version). Set PYTHON=..."; exit 2; }
	"$$PYTHON" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev,docs]'
	@touch $@

demo: $(STAMP)
	@$(WITH) snakemake demo --logger brief
	@$(BIN)/python -m reproductions show laptop-demo

test: $(STAMP)
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m pytest --numprocesses logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# API pages, from docstrings; a warning is an error.
docs: $(STAMP)
	@$(WITH) python docs/api.py build/docs

bench: $(STAMP)
	@$(BIN)/python benchmarks/pbt_cost.py --out results/benchmarks/pbt_cost.json
	@$(BIN)/python benchmarks/growth.py --out results/benchmarks/growth.json
	@$(BIN)/python benchmarks/atari_speed.py --out results/benchmarks/atari_speed.json
	@$(BIN)/python benchmarks/dmlab_speed.py --out results/benchmarks/dmlab_speed.json
	@$(BIN)/python benchmarks/starcraft_speed.py --out results/benchmarks/starcraft_speed.json

# Runs of every engine are killed, paused, torn and flipped at random; prints what was tried and what failed.
chaos: $(STAMP)
	@$(BIN)/python tests/chaos/campaign.py --minutes "$$MINUTES"

ui: $(STAMP)
	@$(BIN)/python -m reproductions ui

report: $(STAMP)
	@$(WITH) snakemake "$$TARGET" --report results/report.html
	@echo "open results/report.html"

# The kept study as one HTML file: claims, verdicts, figures, costs, all from its tables.
paper: $(STAMP)
	@$(BIN)/python -m reproductions report laptop --out results/paper.html

clean:
	rm -rf build .snakemake .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
