# make demo   grades the reference submission that the repo ships
# make test   lint, types, tests
# make security  plants all threats of docs/security.md, and writes what came of them
# make mutants   every mistake that can be planted in the masters; the tests grade every third
# make planted   all misconceptions of the assignment that takes longest; the tests plant every third of them
# make fuzz   hostile inputs for everything that reads a stranger's, for MINUTES=10
# make bench  seconds per submission, beside the plain way
# make messages  sentences of the source into the catalogues of autograder/locale, which are compiled
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := ift6135_h25
MINUTES := 10
export OMP_NUM_THREADS := 1

.PHONY: setup test test-half test-rest lint types demo fuzz bench release messages clean security mutants planted

setup: $(READY)

# The environment has its own uv, so that nothing outside this folder changes.
$(READY): requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.txt -e .
	touch $@

# Two halves of about equal length, one for each of two cores.
HALF := tests/sandbox tests/threats tests/exports tests/intake tests/mutation tests/solutions \
    tests/checks/test_svhn_vae.py tests/newcomer tests/notebooks

test: lint types
	$(MAKE) --no-print-directory -j2 test-half test-rest

test-half: $(READY)
	$(BIN)/python -m pytest -q $(HALF)

test-rest: $(READY)
	$(BIN)/python -m pytest -q $(HALF:%=--ignore=%)

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(READY)
	$(BIN)/mypy

demo: $(READY)
	mkdir -p build
	cd solutions/$(DEMO) && ../../$(BIN)/python -m zipfile -c ../../build/reference.zip q1_vae.py q1_train_vae.py q[23]_*.py
	$(BIN)/genlab grade build/reference.zip -a $(DEMO) -o build/demo

security: $(READY)
	$(BIN)/python -m tests.threats

mutants: $(READY)
	set -e; for name in $(notdir $(patsubst %/,%,$(dir $(wildcard solutions/*/assignment.toml)))); do $(BIN)/python -m tests.mutation $$name; done

planted: $(READY)
	GENLAB_EVERY=1 $(BIN)/python -m pytest -q tests/checks/test_cmput328_f24_diffusion.py tests/checks/test_cmput328_f24_networks.py

fuzz: $(READY)
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

bench: $(READY)
	$(BIN)/python -m tests.benchmark

release: $(READY)
	$(BIN)/genlab release

messages: $(READY)
	$(BIN)/python -m autograder.messages

clean:
	rm -rf build $(VENV)
