# make demo | test | lint | types | weights | clean     Needs Python 3.11 or later; uv is used where it is found.
PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2

BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
PIP := $(if $(UV),$(UV) pip install --quiet --python $(BIN)/python,$(BIN)/python -m pip install --quiet --disable-pip-version-check)

.PHONY: demo test lint types weights clean

demo: $(VENV)/.installed  ## lift the embedded 2D clip with the shipped weights into out/demo
	$(BIN)/lift2to3 demo --out out/demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/pyright --pythonpath $(BIN)/python

# Train the shipped weights anew, from archives (or folders) of BVH; the same command resumes.
weights: $(VENV)/.installed-dev  ## make weights TRAIN=train.tar.xz VAL=val.tar.xz
	test -d runs/data || $(BIN)/python tools/prepare_mocap.py --source bvh --input train=$(TRAIN) val=$(VAL) --packed runs/data
	$(BIN)/python -m experiments.train pretrain-2d --data runs/data --run runs/g2d
	$(BIN)/python -m experiments.train finetune --data runs/data --pretrained runs/g2d/g2d.safetensors --run runs/gmv
	$(BIN)/python -m experiments.train regressor --data runs/data --run runs/regressor --loop.optimiser.steps 7250
	$(BIN)/python -m experiments.train foot --data runs/data --run runs/foot

clean:
	rm -rf $(VENV) out build *.egg-info .pytest_cache .ruff_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "lift2to3 needs Python 3.11 or later, found $$($(PYTHON) --version): make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The stamps keep a second `make` fast; a changed requirement installs again.
$(VENV)/.installed: setup.cfg pyproject.toml requirements.txt | $(BIN)/python
	$(PIP) --constraint requirements.txt --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) --constraint requirements.txt --editable '.[dev]'
	@touch $@
