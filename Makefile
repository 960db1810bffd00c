# Six verbs for people. Each needs only Python 3.11+ and this folder; the first one builds .venv.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: up down test check bench bench-models bench-retrieval chaos replay docs

up: .venv/ready        ## the whole product on this machine; ONCE=1 checks one answer and stops
	@$(BIN)/everturn up $(if $(ONCE),--once)

down: .venv/ready      ## stop what `make up` started in another terminal
	@$(BIN)/everturn down

test: .venv/ready      ## every test
	$(BIN)/pytest

check: .venv/ready     ## style, types, import rules, house rules
	$(BIN)/ruff check && $(BIN)/ruff format --check && $(BIN)/mypy && $(BIN)/lint-imports && $(BIN)/pytest -q tests/test_house_rules.py

bench: .venv/ready     ## speed against peers; writes build/bench.json
	$(BIN)/python -m bench.run

bench-retrieval: .venv/ready  ## how well search finds what people judged relevant; DATA=folder of judged sets
	$(BIN)/python -m bench.retrieval $(DATA)

bench-models: .venv/ready  ## what router and ledger add to a model call, beside the plain SDK and other routers
	$(BIN)/python -m bench.models $(if $(CALLS),--calls $(CALLS))

chaos: .venv/ready     ## a hundred random kills; KILLS=n for another number
	$(BIN)/python -m tests.chaos.storm $(if $(KILLS),--kills $(KILLS))

replay: .venv/ready    ## recorded histories of every workflow
	$(BIN)/pytest -q tests/test_replay.py

docs: .venv/ready      ## everything a person can set, call or watch is written down
	$(BIN)/pytest -q tests/test_docs.py

# Built again whenever a lock changes. uv comes pinned by hash; where it cannot run, pip does the same, slower.
# The lock is complete; --no-deps because pip, unlike uv, believes what pyproject.toml corrects of a package's needs.
.venv/ready: requirements-dev.lock requirements-uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Everturn needs Python 3.11 or newer and $(PYTHON) is " + sys.version.split()[0] + ". Name another: make $(or $(firstword $(MAKECMDGOALS)),up) PYTHON=python3.12")'
	@test -x $(BIN)/python || { echo "Making .venv"; $(PYTHON) -m venv .venv; }
	@echo "Installing packages (once for each change of the locks)"
	@{ $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-uv.lock && $(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements-dev.lock; } \
		|| $(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@
