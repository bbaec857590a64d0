# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# azpg.migrate: everything that a developer runs. `make help` lists it.
#
# All that is made lies below .cache/; `make clean` removes it.
# PYTHON=/path/to/python3.12 chooses the Python; PYTEST_ARGS="-k name" goes to pytest.
# An Ansible configuration of your own counts only if ANSIBLE_CONFIG names it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

ROOT := $(CURDIR)
CACHE := $(ROOT)/.cache

SYSTEM_PATH := $(subst $(CACHE)/venv/bin:,,$(PATH))

# The environment of every recipe: the project's programs first, and Ansible kept to the checkout.
export PATH := $(CACHE)/venv/bin:$(SYSTEM_PATH)
export PYTHONPATH := $(ROOT)
export PYTHONPYCACHEPREFIX := $(CACHE)/byte-code
export ANSIBLE_HOME := $(CACHE)/ansible
export ANSIBLE_COLLECTIONS_PATH := $(CACHE)/ansible/collections
export ANSIBLE_REMOTE_TMP := $(CACHE)/ansible/remote
export ANSIBLE_CONFIG ?= $(CACHE)/ansible/ansible.cfg

RUN := "$(CACHE)/venv/bin/python"
PARTS := $(RUN) -m tools.house.run_tests

.PHONY: help
help: ## list the targets
	@printf 'azpg.migrate: make <target>\n\n'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' "$(firstword $(MAKEFILE_LIST))" | \
		while IFS=$$'\t' read -r name text; do printf '  %-13s %s\n' "$$name" "$$text"; done

# Some machines have pythonX.Y on PATH that is a stub for a version that is not installed:
# a candidate counts only if it runs, is new enough and can make a venv.
.PHONY: setup
setup: ## make the project's environment in .cache (done by every other target)
	@export PATH="$(SYSTEM_PATH)"; \
	works='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'; \
	for python in $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.11 python3 python3.14); do \
		if "$$python" -c "$$works" >/dev/null 2>&1; then \
			exec "$$python" tools/house/environment.py; \
		fi; \
	done; \
	echo 'error: no Python 3.11 or newer with the venv module found$(if $(PYTHON), at $(PYTHON)).' \
		'Install python3 and python3-venv, or name one: make PYTHON=/path/to/python3.12' >&2; \
	exit 1

.PHONY: demo
demo: setup ## migrate a whole sample application between two real servers, from nothing
	@$(RUN) -m tools.demo

.PHONY: demo-azure
demo-azure: setup ## the same with provider azure: a simulator on loopback plays Azure and moves the data
	@PYTHONPATH="$(ROOT):$(CACHE)/ansible/collections" $(RUN) -m tools.demo --provider azure --directory .cache/demo-azure

.PHONY: demo-online
demo-online: setup ## the same in mode online: an application goes on writing until the cutover
	@$(RUN) -m tools.demo --mode online --directory .cache/demo-online

.PHONY: test
test: setup ## everything below, timed, with a summary
	@$(PARTS) lint sanity unit integration molecule

.PHONY: lint
lint: setup ## ruff, shellcheck, ansible-lint, documentation, changelog, licences, artefact, Galaxy's importer
	@$(PARTS) lint

.PHONY: format
format: setup ## rewrite the Python files the way lint wants them
	@ruff check --cache-dir "$(CACHE)/ruff" --fix-only --quiet .
	@ruff format --cache-dir "$(CACHE)/ruff" --quiet .

.PHONY: sanity
sanity: setup ## ansible-test sanity, no ignore entries
	@$(PARTS) sanity

.PHONY: unit
unit: setup ## unit tests
	@$(PARTS) unit

.PHONY: integration
integration: setup ## tests against real PostgreSQL servers
	@$(PARTS) integration

.PHONY: integration-long
integration-long: setup ## long: whole ways through playbooks that `make test` leaves out: examples, a small fleet, Azure online
	@$(PARTS) integration-long

.PHONY: molecule
molecule: setup ## the site playbook as a molecule scenario, with its idempotence step
	@$(PARTS) molecule

.PHONY: test-matrix
test-matrix: setup ## long: verification and checks from 10 to 18; writes docs/matrix.md
	@$(PARTS) test-matrix

.PHONY: fleet-azure
fleet-azure: setup ## long: 200 migrations of Azure's service on 20 targets through 4 runtime servers, on paper: FLEET="200 --play 40"
	@PYTHONPATH="$(ROOT):$(CACHE)/ansible/collections" $(RUN) -m tests.azure_fleet $(FLEET)

.PHONY: fleet
fleet: setup ## long: 50 migrations over 5 runtime hosts, and the page of all
	@$(PARTS) fleet

.PHONY: leftovers
leftovers: setup ## long: migrations that end in every way at random moments, and nothing is left: AZPG_LEFTOVERS=12 AZPG_EXAMPLES=400
	@$(PARTS) leftovers

.PHONY: test-azure-sdk
test-azure-sdk: setup ## long: provider azure with the version of Microsoft's library that azure.azcollection wants
	@$(PARTS) test-azure-sdk

.PHONY: test-az
test-az: setup ## long: Microsoft's own program az logs in to the simulator, and takes turns with the modules
	@$(PARTS) test-az

.PHONY: test-cores
test-cores: setup ## long: every ansible-core that this machine's Pythons allow; writes docs/cores.md
	@$(PARTS) test-cores

.PHONY: checks-scale
checks-scale: setup ## long: the checks of 100,000 tables, in 50 databases and in one schema
	@$(PARTS) checks-scale

.PHONY: test-page
test-page: setup ## long: the pages of checks, verification and timeline in headless Chromium
	@$(PARTS) test-page

.PHONY: bench
bench: setup ## the engine beside its peers: BENCH="--workloads bc --scale 0.2 --pairs 3 --results FILE"
	@PYTHONPATH="$(ROOT):$(CACHE)/ansible/collections" $(RUN) -m tests.benchmarks.engine $(BENCH)

.PHONY: faults
faults: setup ## long: whatever dies in a transfer, one more run proves it: FAULTS="--seed 7 --runs 50"; writes docs/faults.md
	@PYTHONPATH="$(ROOT):$(CACHE)/ansible/collections:$(ROOT)/tests/integration" $(RUN) -m tests.faults $(FAULTS)

.PHONY: azure-simulator
azure-simulator: setup ## Azure on loopback, by hand: SIMULATOR="--port 8443 --time-scale 0.1 --state FILE"; prints its environment
	@PYTHONPATH="$(ROOT):$(CACHE)/ansible/collections" $(RUN) -m tests.azure_simulator \
		--directory "$(CACHE)/azure-simulator" $(SIMULATOR)

.PHONY: faults-online
faults-online: setup ## long: online migrations under load, with faults at any moment: FAULTS="--seed 7 --runs 30"; writes docs/faults-online.md
	@PYTHONPATH="$(ROOT):$(CACHE)/ansible/collections:$(ROOT)/tests/integration" $(RUN) -m tests.faults.online $(FAULTS)

.PHONY: bench-online
bench-online: setup ## applying changes beside a subscription: BENCH="--workloads tisl --pairs 5 --results FILE", --pgcopydb, or --cutover
	@PYTHONPATH="$(ROOT):$(CACHE)/ansible/collections" $(RUN) -m tests.benchmarks.online $(BENCH)

.PHONY: bench-verify
bench-verify: setup ## verification beside COPY and pgcopydb: BENCH="--sets narrow small --pairs 3 --results FILE"
	@PYTHONPATH="$(ROOT):$(CACHE)/ansible/collections" $(RUN) -m tests.benchmarks.verification $(BENCH)

.PHONY: docs
docs: setup ## the documentation's site, in .cache/docs/html; warnings are errors
	@$(PARTS) docs

.PHONY: docs-commands
docs-commands: setup ## long: every command of the documentation, typed as it stands into a home of its own
	@$(PARTS) docs-commands

.PHONY: checks-page
checks-page: setup ## write docs/checks.md from the rules
	@PYTHONPATH="$(ROOT):$(CACHE)/ansible/collections" $(RUN) -m tools.house.checks_page

.PHONY: build
build: setup ## build the collection artefact into .cache/build
	@$(RUN) -m tools.house.check_artifact --keep

.PHONY: clean
clean: ## stop servers that were started from here, remove .cache and stray outputs
	@if [ -x "$(CACHE)/venv/bin/python" ] && [ -f tools/lab/cluster.py ]; then \
		$(RUN) -m tools.lab.cluster stop-all .cache || exit 1; \
	fi
	@rm -rf .cache .ansible .pytest_cache .ruff_cache tests/output
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
