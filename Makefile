# Everything runs from .venv in this folder. A stamp file remembers what is installed there, so that only a changed
# setup.cfg, setup.py, pyproject.toml or C source makes a later run install (and need the network) again.

PYTHON ?= python3
PORT ?= 5000
override PORT := $(or $(PORT),5000)
ARGS ?=

bin := .venv/bin
preflight = $(if $(shell command -v $(PYTHON)),$(shell $(PYTHON) scripts/preflight.py $(1) 2>&1),$(PYTHON) is missing; install it: apt-get install python3 python3-venv)
require = $(if $(strip $(1)),$(error $(strip $(1))))
# The pool is built by a compiler: without one, or without a node for it, npm would try in vain at every run.
pool := $(and $(shell command -v litecoind),$(shell command -v g++),$(wildcard /usr/include/sodium.h),$(wildcard /usr/include/boost),pool)
npm_parts := $(if $(shell command -v npm),$(patsubst %,tests/%/node_modules/.installed,privacypass browser $(pool)))
tsc := tests/browser/node_modules/.bin/tsc

.PHONY: help demo test screenshots torture mutants wasm sanitize fuzz-kernels docs lint ready port-ready
.DELETE_ON_ERROR:

help:
	@echo "make demo [ONCE=1] [PORT=5000]  start the picture shop, mine and buy a picture from it"
	@echo "make test [ARGS='-k wallet']    run the test suite"
	@echo "make screenshots [ARGS='shop/*']  pictures of all that visitors see, into screenshots/; needs Chromium"
	@echo "make mutants [ARGS=fence]       break the safety lines one at a time; print which test notices"
	@echo "make torture [ARGS='--tenth']   kill, delay, double and reorder everything for an hour; goes on after Ctrl-C"
	@echo "make wasm [ARGS=--check]        rebuild the WebAssembly modules of the kernels; needs clang 14"
	@echo "make sanitize                   C tests and fuzz targets of the kernels under sanitizers; needs gcc and clang 14"
	@echo "make fuzz-kernels [ARGS='--seconds 600 scrypt']  fuzz the kernels for longer"
	@echo "make lint                       ruff, mypy, and TypeScript's checker for the page's JavaScript"
	@echo "make docs                       build the documentation into docs/_build/html"

demo: port-ready .venv/installed-demo
	@$(bin)/python -m demo_shop.walkthrough --port $(PORT) $(if $(filter-out 0,$(ONCE)),--once)

test: .venv/installed-test $(npm_parts)
	$(bin)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

screenshots: .venv/installed-test
	@$(bin)/python -m tests.browser_preview.shots screenshots $(ARGS)

mutants: .venv/installed-test
	$(bin)/python tests/mutants.py $(ARGS)

torture: .venv/installed-test
	@$(bin)/python tests/torture.py $(ARGS)

wasm: ready
	@$(PYTHON) scripts/wasm.py $(ARGS)

lint: .venv/installed-test $(filter tests/browser/%,$(npm_parts))
	$(bin)/ruff check
	$(bin)/ruff format --check
	$(bin)/mypy -p flask_ticketminer -p miner
	@if [ -x $(tsc) ]; then \
	  set -ex; $(tsc) -p tests/browser/tsconfig.page.json; $(tsc) -p tests/browser/tsconfig.worker.json; \
	else \
	  echo "JavaScript is not checked: that needs npm (apt-get install npm) and the network, once" >&2; \
	  [ "$$TICKETMINER_REQUIRE_ALL" != 1 ]; \
	fi

sanitize: .venv/installed-test
	@$(bin)/python -m scripts.sanitize $(ARGS)

fuzz-kernels: .venv/installed-test
	@$(bin)/python -m scripts.sanitize $(or $(ARGS),--seconds 60 fuzz)

docs: .venv/installed-docs
	$(bin)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

ready:
	@:$(call require,$(call preflight))

port-ready:
	@:$(call require,$(call preflight,$(PORT)))

.venv/installed-demo: extras :=
.venv/installed-test: extras := [attack]
.venv/installed-docs: extras := [docs]
.venv/installed-%: setup.cfg setup.py pyproject.toml $(wildcard miner/pow/csrc/*.[ch]) | ready
	@test -x $(bin)/pip || $(PYTHON) -m venv .venv
	@echo "installing into .venv; this needs the network, and happens again only when the requirements change"
	@PYTHONWARNINGS=ignore $(bin)/python -m pip install --quiet --disable-pip-version-check --editable ".$(extras)"
	@touch $@

# The pool's scrypt is silently another function without the first flag; Node's headers want the second.
tests/pool/node_modules/.installed: export CFLAGS := -fno-strict-aliasing
tests/pool/node_modules/.installed: export CXXFLAGS := -std=gnu++17 -fpermissive -w

# Without npm, or without the network, the tests that need these are skipped.
tests/%/node_modules/.installed: tests/%/package.json tests/%/package-lock.json
	@echo "installing packages of others into tests/$*; this needs the network, once"
	@if (cd tests/$* && npm ci --silent); then touch $@; else echo "npm could not install them; the tests that need them are skipped"; fi
