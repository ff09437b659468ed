# make run      install into .venv, then the gateway in the foreground with etc/quickstart.toml
# make test     install with the test extras, then the whole suite
# make lint     ruff and mypy
# make docs     the pages of docs/ as a web site in build/docs, without a single warning
# make fuzz     hostile bytes for whatever reads them, for a minute (FUZZ_SECONDS=60)
# make soak     the long tests: crashes at every point, many times and at random; then 20 minutes
#               of fuzzing
# make clean    remove what the others have made (not var/, which holds mail)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RECIPE := setup.cfg pyproject.toml

FUZZ_SECONDS := 60

.PHONY: install run test lint docs fuzz soak clean

install: $(VENV)/installed

run: install
	exec $(BIN)/twistd -n --pidfile= mailgate --config etc/quickstart.toml

test: $(VENV)/installed-test
	$(BIN)/python -m twisted.trial -j2 tests

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --diff mailgate tests bench twisted
	$(BIN)/mypy

docs: $(VENV)/installed-docs
	$(BIN)/python -m sphinx -q -W --keep-going -d build/doctrees docs build/docs

fuzz: $(VENV)/installed-fuzz
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS)

soak: $(VENV)/installed-test
	MAILGATE_SOAK=1 $(BIN)/python -m twisted.trial tests.end_to_end.test_crash
	$(MAKE) fuzz FUZZ_SECONDS=1200

clean:
	rm -rf $(VENV) _trial_temp* build dist *.egg-info .mypy_cache .ruff_cache .hypothesis \
		.coverage* htmlcov twisted/plugins/dropin.cache

# A stamp is older than the recipe only when the recipe has changed, so that a second start needs
# no network.
$(VENV)/installed: $(RECIPE) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/installed-test: $(RECIPE) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@ $(VENV)/installed

$(VENV)/installed-dev: $(RECIPE) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,dev]'
	touch $@ $(VENV)/installed $(VENV)/installed-test

$(VENV)/installed-fuzz: $(RECIPE) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,fuzz]'
	touch $@ $(VENV)/installed $(VENV)/installed-test

$(VENV)/installed-docs: $(RECIPE) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch $@ $(VENV)/installed

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'mailgate needs Python 3.11 or newer: apt-get install python3 (or PYTHON=... make)' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo 'the module venv is missing: apt-get install python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
