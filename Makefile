# The commands of the project; `make help` lists them.
PYTHON ?= python3.11
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
CYCLONEDX := 7.5.0
STARTED := $(shell date +%s)

.DEFAULT_GOAL := help
.PHONY: help install install-dev demo up test test-fast check fix messages sbom faults soak clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/.installed: requirements.txt
	@sh deploy/make_venv.sh "$(PYTHON)" "$(VENV)" requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt requirements.txt clients/python/pyproject.toml
	@sh deploy/make_venv.sh "$(PYTHON)" "$(VENV)" requirements-dev.txt
	@touch $@ $(VENV)/.installed

install: $(VENV)/.installed ## Make the environment in .venv

install-dev: $(VENV)/.installed-dev ## The same with the tools for development

demo: install ## A shop with live recommendations on this machine; PORT=8000, DATA=path of a real log
	@$(BIN)/python manage.py up --demo --port $(PORT) --started-at $(STARTED) $(if $(DATA),--data "$(DATA)") $(if $(FORMAT),--format $(FORMAT)) \
		$(foreach each,$(MAP),--map "$(each)") $(foreach each,$(EVENT),--event "$(each)")

up: install ## The same processes without the demo
	@$(BIN)/python manage.py up --port $(PORT) --started-at $(STARTED)

test: install-dev ## Everything that CI runs, services included; T=tests/features/feeds runs one path alone
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash tests/run.sh $(if $(T),path $(T))

test-fast: install-dev ## The tests that need no server, at most a second of CPU each
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash tests/run.sh fast

check: install-dev ## Lint, types, import contracts, words, dead names and templates alone
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash tests/run.sh check

fix: install-dev ## Format the code and mend what the linter can
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

messages: install-dev ## Bring the translations in step with the sources, and name what is not translated yet
	@$(BIN)/python -m tests.house.catalogue

sbom: install ## Every package of the environment with version and licence: var/sbom.json (CycloneDX)
	@$(PYTHON) -m venv var/sbom-tool && var/sbom-tool/bin/pip install --quiet --disable-pip-version-check cyclonedx-bom==$(CYCLONEDX)
	@var/sbom-tool/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --of JSON -o var/sbom.json $(BIN)/python
	@echo "var/sbom.json"

faults: install-dev ## One part after the other fails under load; QUICK=1, LOG=kafka, JSON=file, ONLY="redis log" (parts of names)
	@$(BIN)/python -m benchmarks faults $(if $(QUICK),--quick) $(if $(LOG),--log $(LOG)) $(if $(JSON),--json "$(JSON)") $(if $(ONLY),--only $(ONLY))

soak: install-dev ## Steady load for MINUTES=60: memory, handles, lag and disk must stay flat; JSON=file
	@$(BIN)/python -m benchmarks soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(JSON),--json "$(JSON)")

clean: ## Remove what the demo wrote (database, Redis, models); the environment stays
	rm -rf var
