# Thin on purpose: makes the environment, then calls what pyproject.toml defines.
PYTHON ?= python3
BIN := .venv/bin
NATIVE := nnlab/engine/native

.PHONY: run demo up test check bench dev clean

run: .venv/installed          ## the main job: dashboard, worker, a real sweep; serves until Ctrl-C
	@$(BIN)/nnlab demo

demo: .venv/installed         ## the same, but ends when the sweep has ended
	@$(BIN)/nnlab demo --exit

up: .venv/installed           ## serve without the demo
	@$(BIN)/nnlab up

test: .venv/installed-dev     ## all tests
	@PATH="$(CURDIR)/$(BIN):$$PATH" tests/run

check: .venv/installed-dev    ## lint, types, imports, migrations, tests, budgets
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/poe -q check

bench: .venv/installed-dev    ## the paired benchmarks
	@$(BIN)/poe -q bench

dev: .venv/installed-dev      ## serve with reload, for work on nnlab itself
	@$(BIN)/nnlab up --reload

# What was built of the native engine goes first: where a change does not compile, the old one must not stay.
.venv/installed: requirements.lock pyproject.toml $(wildcard $(NATIVE)/*.cpp $(NATIVE)/*.h) $(NATIVE)/flags.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing nnlab into .venv (once) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@rm -f $(NATIVE)/built/*.so
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.venv/installed-dev: requirements-dev.lock .venv/installed
	@echo "Installing the test tools into .venv (once) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

clean:
	rm -rf .venv build *.egg-info
