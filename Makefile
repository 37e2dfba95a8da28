# `make help` lists the targets. Everything runs in .venv, which the first target that needs it builds.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help install up test client docs diagrams screenshots check-consistency check-economy drill fuzz mutants bench capacity lint audit lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

install: .venv/.installed ## build .venv from requirements.lock

# uv itself is in the lock, so that a sync does not remove it; pip only brings the first copy.
.venv/.installed: requirements.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/pip install --quiet --disable-pip-version-check "$$(grep -oE '^uv==[^ ]+' requirements.lock)"
	@$(BIN)/uv pip sync --quiet --require-hashes --compile-bytecode requirements.lock
	@touch $@

up: install ## start PostgreSQL, Redis, the API and the worker; Ctrl-C stops them
	@exec $(BIN)/python -m bcraftd.embedded.up

test: install ## run the whole test suite against real servers of its own (ARGS=tests/test_x.py for a part)
	@$(BIN)/python -m pytest $(if $(ARGS),$(ARGS),-n 2 --dist loadfile)

# The document does not depend on any server.
client: install ## write clients/python/bcraftd_client again from the OpenAPI document
	@$(BIN)/python clients/python/generate.py

SECONDS := 60
check-consistency: install ## look for stale reads under kills and failures (SECONDS=3600 SEED=7 OFF=fence)
	@$(BIN)/python -m tests.consistency --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(if $(OFF),--off $(OFF))

OPERATIONS := 100000
check-economy: install ## play, kill PostgreSQL and workers, and count every coin and item (OPERATIONS=100000 SEED=7)
	@$(BIN)/python -m tests.economy --operations $(OPERATIONS) $(if $(SEED),--seed $(SEED))

drill: install ## break Redis, its network and PostgreSQL under load, and print what was seen (needs root, pgbouncer, haproxy; OFF=fence,drop)
	@$(BIN)/python -m tests.drill $(if $(OFF),--off $(OFF))

CASES := 100000
fuzz: install ## bad values in every place of every call, by the trap table and schemathesis (CASES=100000 SEED=7)
	@$(BIN)/python -m tests.fuzz --cases $(CASES) $(if $(SEED),--seed $(SEED))

mutants: install ## mutation testing of the rules and the economy's services (ONLY=market.services, SURVIVORS=1)
	@$(BIN)/python -m tests.mutants $(ONLY) $(if $(SURVIVORS),--survivors)

# The baselines' frameworks have an environment of their own beside ours: nothing of the project needs them.
.venv-bench/.installed: .venv/.installed bench/requirements.lock
	@test -x .venv-bench/bin/python || $(PYTHON) -m venv --without-pip .venv-bench
	@$(BIN)/uv pip sync --quiet --require-hashes --compile-bytecode --python .venv-bench/bin/python \
		requirements.lock bench/requirements.lock
	@touch $@

capacity: .venv-bench/.installed ## measure how the API scales with processes and workers (QUICK=1 takes two minutes)
	@.venv-bench/bin/python -m bench.scaling $(if $(QUICK),--quick)

bench: .venv-bench/.installed ## measure ourselves against other designs (QUICK=1 takes 2 minutes; ONLY=read,mix)
	@.venv-bench/bin/python -m bench $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

# The type checker's Django plugin reads the settings, and connects to nothing.
LINT_ENV := BCRAFTD_ENV_FILES=off DATABASE_URL=postgres://nobody@127.0.0.1/nothing REDIS_URL=redis://127.0.0.1/0 \
	SECRET_KEY=for-the-type-checker-only-0123456789abcdef JWT_SIGNING_KEY=for-the-type-checker-too-fedcba9876543210

lint: install ## ruff, mypy, import-linter, bandit, and whether the version before can run beside the migrations
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(LINT_ENV) $(BIN)/mypy .
	@$(BIN)/lint-imports
	@$(BIN)/bandit --quiet --recursive --configfile pyproject.toml bcraftd accounts inventory market environment leaderboard
	@$(LINT_ENV) $(BIN)/python -m tests.beside

audit: install ## look for known vulnerabilities in the locked packages; skipped, and said so, without a network
	@$(BIN)/python -m tests.dependency_audit

lock: install ## write the locks again from pyproject.toml and bench/requirements.in (PACKAGE=name upgrades one)
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 \
		--group dev $(if $(PACKAGE),--upgrade-package $(PACKAGE)) pyproject.toml --output-file requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 \
		-c requirements.lock pyproject.toml --output-file requirements-runtime.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 \
		$(if $(PACKAGE),--upgrade-package $(PACKAGE)) -c requirements.lock bench/requirements.in \
		--output-file bench/requirements.lock

docs: install ## build the docs as a site into .bcraftd/site (SERVE=1 shows it on the loopback)
	@NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs $(if $(SERVE),serve,build --quiet)

diagrams: install ## draw the docs' sequence diagrams again (needs chromium and npm)
	@$(BIN)/python docs/site/diagrams.py

screenshots: install ## let bots play beside `make up` and take the pictures of docs/pictures (needs chromium; PORT as there)
	@$(BIN)/python docs/site/screenshots.py

clean: ## remove the servers' data, the environment and every cache (stop `make up` first)
	@rm -rf .bcraftd .venv .venv-bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
