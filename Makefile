PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup run test test-servers test-browser check lint types arch bench migrate openapi lock clean

help: ## Show what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 16

$(VENV)/.run: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Portaria needs Python 3.11 or newer")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what Portaria needs into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	@echo "Installing what its tests need …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

setup: $(VENV)/.dev ## Make the environment, with everything for development

run: $(VENV)/.run ## Start everything on http://127.0.0.1:8000 with the example workspace
	@exec $(BIN)/portaria up --apply examples/workspace.yaml

test: $(VENV)/.dev ## Run the default tests: no server, no browser, no root
	@$(BIN)/python -m pytest -n 3 -m "not servers and not browser"

# What these ask the database, others ask it too: what they try lies before it, on a wire or in a text.
UNASKED := api/test_fuzz.py api/test_client.py intake/forms/test_services.py intake/forms/test_services_ads.py \
	intake/forms/test_door_services.py intake/forms/test_matrix.py intake/mailbox/test_tokens.py \
	intake/mailbox/test_watch.py intake/mailbox/test_watch_hostile.py

test-servers: $(VENV)/.dev ## Run the tests that need PostgreSQL, Redis, RabbitMQ and Dovecot, and the others on PostgreSQL
	@$(BIN)/python -m pytest -n 3 -m servers
	@PORTARIA_TEST_POSTGRES=$${PORTARIA_TEST_POSTGRES:-postgresql://postgres@127.0.0.1:5432/postgres} \
		$(BIN)/python -m pytest -n 3 --with-database -m "not servers and not browser and not faults" \
		$(addprefix --ignore tests/,$(UNASKED)) \
		tests/crm tests/intake tests/rules tests/worker tests/workspace tests/api \
		$(patsubst %,tests/console/test_%.py,crm lead leads reports segments sight)

test-browser: $(VENV)/.dev ## Run the tests that need Chromium
	@$(BIN)/python -m pytest -n 3 -m browser

check: lint types arch ## All that looks at the code without running it

lint: $(VENV)/.dev ## Look for mistakes and untidiness
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/.dev ## Check the types
	@$(BIN)/mypy

arch: $(VENV)/.dev ## Check that imports point the right way
	@$(BIN)/lint-imports

bench: $(VENV)/.dev ## Measure, beside the machine's own limits
	@$(BIN)/python -m bench

migrate: $(VENV)/.dev ## Make a migration of what the models have and the schema has not: make migrate m="add x"
	@$(BIN)/python -m boot.migrate "$(m)"

openapi: $(VENV)/.dev ## Write docs/openapi.json anew
	@$(BIN)/python -m api > docs/openapi.json

lock: ## Choose the newest versions anew: requirements*.txt
	@$(PYTHON) -m venv $(VENV)/lock && $(VENV)/lock/bin/pip install --quiet uv
	@$(VENV)/lock/bin/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml -o requirements.txt
	@$(VENV)/lock/bin/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt

clean: ## Remove the environment and the data of `make run`
	@rm -rf $(VENV) var
