# The front door. Every recipe is a line or two; the work is done by snakemake, pytest and megalib.
PYTHON ?= python3
VENV ?= .venv
PROFILE ?= demo
CORES ?= all
GPUS ?= 1
WORKERS ?= 2
TORCH ?= $(shell cat $(VENV)/.torch 2>/dev/null)
BIN = $(VENV)/bin
SNAKEMAKE = $(BIN)/snakemake --cores $(CORES) --resources gpus=$(GPUS) --quiet rules
STAMP = $(VENV)/.megalib-$(shell cksum < requirements.lock | cut -d' ' -f1)

# The build of torch for the CPU alone needs none of NVIDIA's packages. An environment keeps its build.
$(if $(filter-out cpu,$(TORCH)),$(error TORCH can be cpu, or left away; it is '$(TORCH)'))
INSTALL = $(if $(TORCH),grep -Ev '^(cuda-|nvidia-|triton==)' requirements.lock | $(BIN)/uv pip install --torch-backend $(TORCH) -r -,$(BIN)/uv pip install -r requirements.lock)

.DEFAULT_GOAL := help
.PHONY: help env try book lions workshop plan unlock test links format lock clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## */\t/' | expand -t 12
	@echo "Variables: PROFILE, RAW, CORES, GPUS, WORKERS (of make test), PYTHON, VENV, TORCH, CONFIG (more of snakemake's --config)"

env: $(STAMP)  ## make .venv from requirements.lock (TORCH=cpu: with a torch without CUDA)
	@test '$(TORCH)' = "$$(cat $(VENV)/.torch 2>/dev/null)" || { echo "error: $(VENV) holds another build of torch: remove it, then make env TORCH=cpu"; exit 1; }

$(STAMP): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "megalib needs Python 3.11 or newer, $(PYTHON) is %d.%d: make PYTHON=python3.12 $(MAKECMDGOALS)" % sys.version_info[:2])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "$$(grep '^uv==' requirements.lock)"
	$(INSTALL) --python $(BIN)/python --no-deps --compile-bytecode -e .
	echo '$(TORCH)' >$(VENV)/.torch
	$(BIN)/python -m megalib.book.environment && touch $@

try: env  ## a first result within a minute: a few drawn animals, two methods, one page
	$(SNAKEMAKE) --config profile='$(PROFILE)' $(CONFIG) -- first_page
	@echo "Open $(or $(MEGALIB_RUNS),runs)/$(basename $(notdir $(PROFILE)))/try.html"

book: env  ## run the demo profile and build the book (PROFILE=lions: another profile)
	$(SNAKEMAKE) --config profile='$(PROFILE)' $(CONFIG)
	@echo "Open $(or $(MEGALIB_RUNS),runs)/$(basename $(notdir $(PROFILE)))/book/_build/html/index.html"

lions: env  ## run the lions profile, without a book (RAW=folder with LionData)
	$(SNAKEMAKE) --config profile=lions $(if $(RAW),raw='$(RAW)') $(CONFIG) -- results

workshop: env  ## run the lessons once, and write the learners' notebooks into workshop/
	$(SNAKEMAKE) --config profile='$(PROFILE)' $(CONFIG) -- w4_identify
	$(BIN)/python -m megalib.book.workshop '$(basename $(notdir $(PROFILE)))' workshop

plan: env  ## show what the paper profile would run
	$(SNAKEMAKE) --dry-run --config profile=paper $(CONFIG)

unlock: env  ## remove locks that dead processes left on a file system without locks of its own
	$(BIN)/python -m megalib.files.locks '$(PROFILE)'

test: env  ## lint, then every test, quick ones first, then the notebooks as in Jupyter
	$(BIN)/ruff check && $(BIN)/ruff format --check && $(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -n $(WORKERS)
	rm -rf runs/nbval && mkdir -p runs/nbval && if [ -d runs/demo ]; then cp -Rp runs/demo runs/nbval/; fi
	MEGALIB_RUNS="$(CURDIR)/runs/nbval" $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --nbval-lax notebooks/*.ipynb

links: env  ## check the book's links to other sites; needs a network
	$(BIN)/jupyter-book build 'runs/$(PROFILE)/book/source' --builder linkcheck --path-output 'runs/$(PROFILE)/links'

format: env  ## put code and notebooks in shape
	$(BIN)/ruff check --fix && $(BIN)/ruff format

lock: env  ## choose the versions anew
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header --group dev pyproject.toml --output-file requirements.lock

clean:  ## remove what the runs made, keep the environment
	rm -rf runs .snakemake
