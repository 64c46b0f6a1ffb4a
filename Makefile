# Everything a developer or a stranger does with this tree. `make` alone tells what there is.
.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z0-9-]*\):.*\#\#.*/\1/p' $(firstword $(MAKEFILE_LIST)))

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

help: ## tell what there is
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY) ## make .venv with all that is needed

$(READY): pyproject.toml exporter/pyproject.toml witness/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'logchain needs Python 3.11 or newer: make PYTHON=python3.13 ...'; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo 'cannot make a virtual environment; on Debian: apt install python3-venv'; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check -e exporter -e witness -e '.[dev]'
	@touch $@

demo: $(READY) ## collect this machine's own logs, verify them, tamper, and see it found
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python examples/demo.py

test: $(READY) ## run all tests
	$(BIN)/pytest -n auto

quick: check ## format, lint, types, and the tests that take seconds
	$(BIN)/pytest -n auto tests/test_imports.py tests/format

interop: $(READY) ## compare notes, proofs, cosignatures and the witness with Go's sumdb and PyPI's aics-witness (needs both)
	@command -v go >/dev/null && [ -d /usr/share/gocode/src/golang.org/x/mod ] || { echo 'make interop needs Go and its x/mod; on Debian: apt install golang-go golang-golang-x-mod-dev'; exit 1; }
	$(BIN)/python -m tests.interop.compare go
	python3.13 -m venv build/aics && build/aics/bin/pip install -q aics-tlog==0.2.1 aics-witness==0.1.0
	$(BIN)/python -m tests.interop.compare aics build/aics/bin/python

faults: $(READY) ## let every system call that changes a store fail, or be the last one (an hour; needs strace)
	@strace -o /dev/null true 2>/dev/null || { echo 'make faults needs strace, and the right to trace; on Debian: apt install strace'; exit 1; }
	LOGCHAIN_FAULTS=all $(BIN)/pytest -n auto tests/faults

crashes: $(READY) ## lose the power at 10,000 points of days in a LogVM, in one process (ten minutes of CPU; CRASHES=, CRASH_SEED=)
	CRASHES=$(or $(CRASHES),10000) $(BIN)/pytest -n 0 tests/faults/test_power_loss.py

storm: $(READY) ## a million lines each from the journal, a socket and a file, stored once and in order (minutes; root)
	STORM=1000000 $(BIN)/pytest -n 0 --durations=1 tests/end_to_end/test_storm.py

fuzz: $(READY) ## let a fuzzer loose on every parser, SECONDS (600) each, and keep what it learns
	set -e; for target in $$($(BIN)/python -m tests.fuzz.run); do \
		echo "$$target"; $(BIN)/python -m tests.fuzz.run "$$target" -max_total_time=$(or $(SECONDS),600) -verbosity=0 -print_final_stats=1; done

mutants: $(READY) ## change format/ and store/ in thousands of ways, and fail if their tests notice less than 90 % (hours)
	$(BIN)/pip install --quiet --disable-pip-version-check 'mutmut>=3.8'
	nice -n 10 $(BIN)/mutmut run
	$(BIN)/mutmut results
	$(BIN)/mutmut export-cicd-stats
	$(BIN)/python -m tests.mutation.share mutants/mutmut-cicd-stats.json
	$(MAKE) mutants-store

mutants-store: $(READY) ## only store/, FILES="logchain/store/opening.py …" or all of it; SAMPLE=25 of each file
	nice -n 10 $(BIN)/python -m tests.mutation $(SAMPLE:%=--sample %) $(or $(FILES),$(wildcard logchain/store/*.py))

check: $(READY) ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

coverage: $(READY) ## run all tests and say which lines and branches they miss
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n auto
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

bench: $(READY) ## one table: every peer beside us on LINES_TO_MEASURE (300000) lines; RECORD=yes puts it into docs/measured.md
	LINES_TO_MEASURE=$(or $(LINES_TO_MEASURE),300000) $(BIN)/python -m bench.table $(if $(RECORD),--record)

growth: $(READY) ## how time grows from 10,000 to MOST (10000000) records, fitted and drawn; RECORD=yes as with bench
	$(BIN)/python -m bench.growth --most $(or $(MOST),10000000) $(if $(RECORD),--record)

bench-door: $(READY) ## measure the acceptor: latency, lock-step, what connections cost
	$(BIN)/python -m bench.door

bench-slow-sync: $(READY) ## measure ten senders on a disk on which each sync takes 20 ms
	$(BIN)/python -m bench.slow_sync

bench-syslog: $(READY) ## measure rsyslog and syslog-ng with the snippets of examples/syslog
	$(BIN)/python -m bench.syslog

bench-status: $(READY) ## measure status, list and sessions on a store of ten million lines
	$(BIN)/python -m bench.status

bench-verify: $(READY) ## measure verify beside sha256sum and openssl, of text that was listed while open, and with two jobs
	$(BIN)/python -m bench.verify

bench-show: $(READY) ## measure show beside journalctl, lz4cat and grep on a million lines
	$(BIN)/python -m bench.show

bench-evidence: $(READY) ## measure export and verify FILE beside sha256sum and tar
	$(BIN)/python -m bench.evidence

bench-compression: $(READY) ## measure the tiers beside journald's files, gzip, xz, zstd; the compressor's memory
	$(BIN)/python -m bench.compression
	$(BIN)/python -m bench.compressor

load: $(READY) ## fifty qubes at once, for an hour of their time in SECONDS (60); a night: SECONDS=28800
	$(BIN)/python -m bench.load --seconds $(or $(SECONDS),60)

man: $(READY) ## write a manual page for each command to build/man
	$(BIN)/python packaging/man/generate.py build/man
	PYTHONPATH=qrexec-policy $(BIN)/python packaging/man/program.py build/man $(DAEMONS) $(EXPORTER) $(WITNESS) $(DOM0)

bench-exporter: $(READY) ## measure log-exporter beside journalctl and cat, and what it costs a quiet qube
	$(BIN)/python -m bench.exporter $(if $(LINES_TO_MEASURE),--lines $(LINES_TO_MEASURE))

screenshots: $(READY) ## make the pictures of docs/guides/gui.md
	$(BIN)/python -m tests.gui.screenshots docs/guides/gui

bench-gui: $(READY) ## measure the window on ten million lines (BENCH_DIR), and its list with a hundred thousand logs
	$(BIN)/python -m bench.gui

vectors: $(READY) ## make the test vectors anew
	$(BIN)/python tests/vectors/generate.py

# `make install-… DESTDIR=…` installs what is not Python: that is pybuild's, or pip's
SYSTEMD := usr/lib/systemd
UNITS := $(SYSTEMD)/system
MAN := usr/share/man/man1

# programs whose manual page is what their --help says, and the modules that have their `main`
DAEMONS := log-collector=logchain.collect.main log-compressor=logchain.compress.main
EXPORTER := log-exporter=log_exporter.main
WITNESS := logchain-witness=logchain_witness.main
DOM0 := logchain-dom0-setup=logchain_dom0_setup

install-logvm: ## the LogVM's units, service and settings, below DESTDIR
	$(call install-common,logchain)
	$(call install-switch,logchain)
	install -Dm 644 -t $(DESTDIR)/$(UNITS) packaging/systemd/log-collector.socket packaging/systemd/log-collector.service packaging/systemd/log-compressor.service
	install -Dm 644 -t $(DESTDIR)/etc/qubes/rpc-config qrexec-policy/rpc-config/logchain.Append
	install -Dm 644 -t $(DESTDIR)/usr/share/logchain/rpc-config qrexec-policy/rpc-config/qubes.Log
	install -Dm 644 -t $(DESTDIR)/usr/share/logchain packaging/systemd/witness.conf
	install -Dm 644 -t $(DESTDIR)/usr/share/applications packaging/desktop/logchain.desktop
	install -Dm 644 -t $(DESTDIR)/usr/share/icons/hicolor/scalable/apps logchain/gui/logchain.svg
	install -d $(DESTDIR)/etc/qubes-rpc
	ln -sf /run/logchain/append.sock $(DESTDIR)/etc/qubes-rpc/logchain.Append

install-man: ## manual pages and completions of logchain and its daemons, below DESTDIR (needs click, lz4, nacl)
	PYTHONPATH=. $(PYTHON) packaging/man/generate.py $(DESTDIR)/$(MAN)
	PYTHONPATH=. $(PYTHON) packaging/man/program.py $(DESTDIR)/$(MAN) $(DAEMONS)
	PYTHONPATH=. $(PYTHON) packaging/completion.py $(DESTDIR)

install-exporter-man: ## the exporter's manual page, below DESTDIR
	PYTHONPATH=exporter $(PYTHON) packaging/man/program.py $(DESTDIR)/$(MAN) $(EXPORTER)

install-dom0-man: ## the manual page of logchain-dom0-setup, below DESTDIR
	PYTHONPATH=qrexec-policy $(PYTHON) packaging/man/program.py $(DESTDIR)/$(MAN) $(DOM0)

install-exporter: ## the exporter's unit and settings, below DESTDIR
	$(call install-common,log-exporter)
	$(call install-switch,log-exporter)
	install -Dm 644 -t $(DESTDIR)/$(UNITS) packaging/systemd/log-exporter.service

install-witness: ## the witness's service and user, below DESTDIR
	$(call install-common,logchain-witness)
	install -Dm 755 -t $(DESTDIR)/etc/qubes-rpc witness/qubes/logchain.Witness
	install -Dm 644 -t $(DESTDIR)/etc/qubes/rpc-config qrexec-policy/rpc-config/logchain.Witness

install-witness-man: ## the manual page of logchain-witness, below DESTDIR
	PYTHONPATH=witness $(PYTHON) packaging/man/program.py $(DESTDIR)/$(MAN) $(WITNESS)

install-dom0: ## policy, its installer, salt and the exporter's settings for dom0, below DESTDIR
	install -Dm 644 -t $(DESTDIR)/usr/share/logchain qrexec-policy/30-logchain.policy qrexec-policy/31-logchain-witness.policy
	install -Dm 755 -t $(DESTDIR)/usr/share/logchain qrexec-policy/logchain_dom0_setup.py
	install -d $(DESTDIR)/usr/bin
	ln -sf ../share/logchain/logchain_dom0_setup.py $(DESTDIR)/usr/bin/logchain-dom0-setup
	install -Dm 644 packaging/systemd/dom0.conf $(DESTDIR)/$(UNITS)/log-exporter.service.d/dom0.conf
	install -Dm 644 examples/dom0/log-exporter.toml $(DESTDIR)/usr/share/logchain/dom0/log-exporter.toml
	install -Dm 644 -t $(DESTDIR)/usr/share/logchain/salt/logchain packaging/salt/logchain/*

# a user, its directory, and that the directory lasts in an AppVM
define install-common
	install -Dm 644 packaging/systemd/$(1).sysusers $(DESTDIR)/usr/lib/sysusers.d/$(1).conf
	install -Dm 644 packaging/systemd/$(1).tmpfiles $(DESTDIR)/usr/lib/tmpfiles.d/$(1).conf
	install -Dm 644 packaging/systemd/$(1).bind-dirs $(DESTDIR)/usr/lib/qubes-bind-dirs.d/30_$(1).conf
endef

# units that dom0 switches on, qube by qube
define install-switch
	install -Dm 644 packaging/systemd/$(1).preset $(DESTDIR)/$(SYSTEMD)/system-preset/75-$(1).preset
	install -Dm 755 packaging/systemd/$(1).post-install $(DESTDIR)/etc/qubes/post-install.d/30-$(1).sh
endef

packages: ## build the Debian and RPM packages in a Debian 13 root, with lintian and rpmlint (needs root, mmdebstrap)
	packaging/build dist

lab: ## install the packages in Debian 13 under a real systemd, and try everything there (needs root, systemd-nspawn)
	packaging/build dist
	LOGCHAIN_LAB=dist $(BIN)/pytest -n 0 -rs tests/lab

clean: ## remove what was made
	rm -rf $(VENV) build dist .coverage* htmlcov
