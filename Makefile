# labctl. Two commands are enough: make demo, make test.

PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/sh

.PHONY: demo test quick check docs test-kernel bench picture web-picture faults fuzz sanitize soak labs lessons challenges class-cost sixty wheels bytecode clean

# Install into .venv and run the main job: as root with real namespaces, as anybody else without any right.
demo: .venv/installed bytecode
	$(BIN)/labctl up topologies/two-site.yaml
	$(BIN)/labctl verify -l two-site; code=$$?; $(BIN)/labctl down two-site; exit $$code

# The whole test suite. As root it tests both modes, as anybody else the rootless one.
# A worker that has nothing left takes tests from another: the long ones stand together. There are three for each CPU,
# since a test waits for more than half of its time. Tests of labs fork programs from the worker, and a fork costs with
# the memory of the worker: they are collected without the others.
FORKING := tests/diagnosis tests/e2e tests/hosts tests/learn/classroom tests/pytest_plugin
PYTEST = $(BIN)/python -m pytest -n $$(($$(nproc) * 3)) --dist worksteal
test: .venv/installed-dev bytecode
	$(PYTEST) $(FORKING); code=$$?; $(PYTEST) $(FORKING:%=--ignore=%) && exit $$code

# For while one works: no lab but a shipped one that goes up and down (tests/e2e/test_story.py), no engine that runs, and
# few examples of each property.
quick: .venv/installed-dev bytecode
	$(BIN)/python -m pytest -q -n auto --dist worksteal --hypothesis-profile=quick \
		tests/checks tests/lab tests/plan tests/process tests/topology \
		$(patsubst %,tests/engine/test_%.py,counters forward impairer impairment packet) \
		$(filter-out tests/test_wheels.py,$(wildcard tests/test_*.py)) tests/e2e/test_story.py

# The main job under a stock Debian kernel, in QEMU; installs packages (Debian, as root). See tests/kernel.sh.
test-kernel: .venv/installed-dev bytecode
	sh tests/kernel.sh

# What a reviewer would say first.
check: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# What the pages take from the code: the man page from the commands, the keys of a file from its model.
docs: .venv/installed-dev
	$(BIN)/python -m docs.manpage
	$(BIN)/python -m docs.keys

# The engine against its peers, in one run; build/bench.json and build/bench.svg. Needs root, iperf3 and socat.
bench: .venv/installed-dev bytecode
	$(BIN)/python -m benchmarks

# The pictures of the README and of the pages, of sessions that it runs. They show rootless labs, to root as well: in a
# user namespace in which root has an ordinary user id.
picture: .venv/installed-dev bytecode
	unshare --user --map-user=1000 --map-group=1000 $(BIN)/python -m docs.pictures docs

# The picture of the live page, as Chromium shows it. No two are alike, so it is made when the page has changed.
web-picture: .venv/installed-dev bytecode
	unshare --user --map-user=1000 --map-group=1000 $(BIN)/python -m docs.web_picture docs/web.png

# A minute of both ways at once through loss and reordering.
soak: .venv/installed-dev
	SOAK_SECONDS=60 $(BIN)/python -m pytest -q tests/engine/test_soak.py

# Every fault of every lab that ships as a challenge, with three seeds, in both modes; takes an hour.
challenges: .venv/installed-dev bytecode
	CHALLENGES=3 $(BIN)/python -m pytest -q -n $$(($$(nproc) * 2)) tests/learn/test_faults.py

# Every lesson that ships, gone through in tmux by one who types what it says; takes ten minutes.
lessons: .venv/installed-dev bytecode
	LESSONS=all $(BIN)/python -m pytest -q -n $$(nproc) tests/e2e/test_lesson_in_tmux.py

# Thirty labs of one run of pytest, in both modes.
labs: .venv/installed-dev bytecode
	LABS=30 LABS_WORKERS=4 $(BIN)/python -m pytest -s -q tests/pytest_plugin/test_many.py

# Thirty people with a lab each on this machine: memory, CPU, and what they wait for. Needs root.
class-cost: .venv/installed-dev bytecode
	$(BIN)/python -m benchmarks.class_cost

# Sixty students over four hosts, by Ansible and ssh; takes four minutes. Needs root and sshd.
sixty: .venv/installed-dev bytecode
	$(BIN)/python -m tests.hosts.sixty

# Every fault and every pair of faults, in both modes: how well `verify` explains each.
faults: .venv/installed-dev bytecode
	$(BIN)/python -m tests.diagnosis
	$(BIN)/python -m tests.diagnosis --list held_out

# A million hostile datagrams against the engine, and its two cores side by side.
fuzz: .venv/installed-dev
	$(BIN)/python -m tests.engine.fuzz
	$(BIN)/python -m tests.engine.fuzz_core
	$(BIN)/python -m tests.engine.cable.fuzz

# The engine's core in C under AddressSanitizer and UndefinedBehaviorSanitizer; needs cc, and uses clang's libFuzzer if
# it is there (Debian: clang libclang-rt-dev). SANITIZE_SECONDS=600 has that go on for longer.
sanitize: .venv/installed-dev
	$(BIN)/python -m tests.engine.sanitize $(or $(SANITIZE_SECONDS),20)

# Wheels with the core compiled, in dist/, the same bytes each time; needs a compiler for each kind of machine (Debian:
# gcc-x86-64-linux-gnu, gcc-aarch64-linux-gnu, libc6-dev-arm64-cross). tests/test_wheels.py holds what their tag says.
wheels: .venv/installed-dev
	rm -rf dist
	for machine in x86_64 aarch64; do \
		CC=$$machine-linux-gnu-gcc _PYTHON_HOST_PLATFORM=manylinux_2_17_$$machine $(BIN)/python -m hatchling build -t wheel && \
		ls dist/*-manylinux_2_17_$$machine.whl || exit 1; \
	done

# Where PYTHONDONTWRITEBYTECODE is set, every command would else compile labctl anew.
bytecode: .venv/bin/python
	$(BIN)/python -m compileall -q labctl

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "labctl needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml hatch_build.py labctl/engine/core/common_way.c | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/installed-dev: pyproject.toml hatch_build.py labctl/engine/core/common_way.c | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@ .venv/installed

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
