SHELL := /bin/sh
# compiled modules make every start of a process seconds faster
unexport PYTHONDONTWRITEBYTECODE
PYTHON := .venv/bin/python
BOOTSTRAP := sh tools/bootstrap.sh
ARGS ?=
PYTEST := $(PYTHON) -m pytest
# one more than the smallest machine has cores, as much of a test is waiting; files that share a
# server stay with one worker, and the order is tests/conftest.py's: the longest first
WORKERS ?= -n 3 --dist loadgroup --no-loadscope-reorder

# a private network needs root, be it one's own user's in a user namespace
ROOT_OF_OWN = $$(test "$$(id -u)" = 0 || echo unshare --map-root-user)

# of `make bench`; scaling is left out, as it needs a network of its own (make test-scaling)
AREAS := models runtime recovery gateway retrieval preview

.DEFAULT_GOAL := help
.PHONY: help up status logs down clean ask trace token env preflight preview render-diff sweep check test test-stacks test-scaling test-gateway test-all bench docs format environment

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

environment:
	@$(BOOTSTRAP)

# what needs the built tools as well
up test test-stacks test-scaling test-gateway test-all: BOOTSTRAP += tools

up: environment ## start the platform on this machine and ask it a question (ARGS=--json)
	@$(PYTHON) -m local up $(ARGS)

status: environment ## what runs, how well, and where
	@$(PYTHON) -m local status $(ARGS)

logs: environment ## the log of a component or Pod: NAME=…, ARGS=-f
	@$(PYTHON) -m local logs $(NAME) $(ARGS)

down: environment ## stop everything; ARGS=--delete-state forgets the data too
	@$(PYTHON) -m local down $(ARGS)

clean: environment ## down, and remove state, environment and caches
	@$(PYTHON) -m local clean $(ARGS)

ask: environment ## ask an agent: Q="…"
	@$(PYTHON) -m local ask "$(Q)" $(ARGS)

trace: environment ## follow one request by its trace id: ID=…
	@$(PYTHON) -m local trace "$(ID)" $(ARGS)

token: environment ## a JWT for the local gateway (ARGS="--tenant demo")
	@$(PYTHON) -m local token $(ARGS)

env: environment ## shell lines for the plain CLI: eval "$$(make -s env)"
	@$(PYTHON) -m local env

preflight: environment ## ask AWS, read-only, what up would fail on: STACK=prod (ARGS=--json)
	@$(PYTHON) -m infra.preflight --stack "$(STACK)" $(ARGS)

preview: environment ## preview a stack without cloud or credentials: STACK=prod
	@$(PYTHON) -m local preview --stack "$(STACK)" $(ARGS)

sweep: environment ## what a destroyed stack left on AWS: STACK=dev (ARGS=--delete takes it away)
	@$(PYTHON) -m infra.teardown --stack "$(STACK)" $(ARGS)

render-diff: environment ## what a change does to the objects of charts: STACK=prod BASE=main
	@$(PYTHON) -m tools.render_charts --stack "$(STACK)" --base "$(or $(BASE),main)" $(ARGS)

check: environment ## lint, types, import directions, freshness of generated files
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy infra components inference agents agent_runtime local tools tests
	@.venv/bin/lint-imports
	@$(PYTHON) tools/check_generated.py

docs: environment ## write the generated pages and schemas again
	@$(PYTHON) tools/check_generated.py --write

format: environment ## format the code
	@$(PYTHON) -m ruff check --fix .
	@$(PYTHON) -m ruff format .

test: environment ## everything but the slow tier
	@$(PYTHON) -m local tools
	@$(PYTEST) $(WORKERS) -m "not slow" $(ARGS)

test-stacks: environment ## dev and prod, whole and split, from nothing to nothing on the real engine
	@$(PYTHON) -m local tools
	@$(PYTEST) tests/engine/test_stacks.py tests/engine/test_split_stacks.py tests/engine/test_split_preview.py -m slow $(ARGS)

test-scaling: environment ## the stack's pools, quotas and scalers under the real Karpenter and KEDA
	@$(PYTHON) -m local tools --scaling
	@$(ROOT_OF_OWN) $(PYTEST) tests/scaling $(ARGS)

test-gateway: environment ## the gateway's objects under the real kgateway and endpoint picker
	@$(PYTHON) -m local tools --gateway
	@$(ROOT_OF_OWN) $(PYTEST) tests/gateway $(ARGS)

test-all: environment ## every tier
	@$(PYTHON) -m local tools --scaling --gateway --charts
	@$(PYTEST) $(WORKERS) $(ARGS)

bench: environment ## every figure; AREA=models|runtime|recovery|gateway|retrieval|preview|scaling for one
	@if [ -z "$(AREA)" ]; then $(PYTHON) tools/bench.py $(ARGS); fi
	@for area in $(or $(AREA),$(AREAS)); do echo "$$area"; $(PYTHON) -m tools.bench_$$area || exit 1; done
