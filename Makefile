# make demo   the whole workflow on simulated participants, from set-up to the reports
# make demo-full   the same with every analysis (report.sections: full)
# make demo-plan   sample sizes of a cohort study and a trial, as results/reports/plan.html
# make demo-train   trains an age model on simulated portraits and evaluates it (3 CPU minutes)
# make test   the whole test suite; what needs Chromium or SLURM is skipped where they are not installed
# make test-slurm   the workflow on a SLURM of this machine, from Debian's or Ubuntu's packages
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KEY := $(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
INSTALLED := $(VENV)/installed-$(KEY)
TRAINABLE := $(VENV)/trainable-$(KEY)
TESTABLE := $(VENV)/testable-$(KEY)
WORKERS = $(shell $(PYTHON) -c 'import os; print(min(4, os.cpu_count() + 1))') # one more than cores, because tests of SLURM wait
SLURM := slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge
ROOT := $(if $(filter 0,$(shell id -u)),,sudo)

.DEFAULT_GOAL := help
.PHONY: help demo demo-full demo-train demo-plan demo-sites test test-quick test-federated test-slurm bench-peers docs picture lint clean

help:
	@sed -n 's/^# //p' Makefile

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "faceage_bio needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Say which to use: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): $(BIN)/python
	@echo "Installing faceage_bio and what it needs into $(VENV) (about 3 GB to fetch, 3 to 5 minutes) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(TESTABLE): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,slurm]'
	$(BIN)/python -m pip check
	@touch $@

demo: $(INSTALLED)
	@$(BIN)/faceage-bio run --configfile config/config.yaml

demo-full: $(INSTALLED)
	@$(BIN)/faceage-bio run --configfile config/config.yaml --config 'report={sections: full}'

PLANS := results/plans
demo-plan: $(INSTALLED)
	@$(BIN)/faceage-bio plan study --hazard-ratio 1.15 --per 10 --sd 8 --median-survival 4 --accrual 3 --follow-up 2 --drop-out 0.03 --output $(PLANS)/study.tsv
	@$(BIN)/faceage-bio plan groups --difference 2 --sd 8 --output $(PLANS)/groups.tsv
	@$(BIN)/faceage-bio plan genes --fold-change 1.5 --depth 20 --cv 0.4 --output $(PLANS)/genes.tsv
	@$(BIN)/faceage-bio plan model --r-squared 0.1 --parameters 8 --event-rate 0.2 --mean-follow-up 3 --horizon 2 --output $(PLANS)/model.tsv
	@$(BIN)/faceage-bio plan trial --hazard-ratio 0.7 --median-survival 1.5 --r-squared 0.009 --output $(PLANS)/trial.tsv
	@$(BIN)/faceage-bio plan report $(PLANS)/study.tsv $(PLANS)/groups.tsv $(PLANS)/genes.tsv $(PLANS)/model.tsv $(PLANS)/trial.tsv --output results/reports/plan.html

# make demo-sites   the demo's cohorts as hospitals that share no rows: bundles, the multi-site report, one Cox model by rounds
demo-sites: demo
	@$(BIN)/python scripts/demo_sites.py

# make test-quick   without whole runs, browser, SLURM and what takes long by itself
test-quick: $(TESTABLE)
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile -m "not (workflow or browser or slurm or gpu or slow)"

$(TRAINABLE): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[train]'
	@touch $@

TRAINED := results/training
demo-train: export OMP_NUM_THREADS := 1
demo-train: $(TRAINABLE)
	@rm -rf $(TRAINED)
	@$(BIN)/faceage-bio make-demo-photos --output $(TRAINED)
	@$(BIN)/faceage-bio train prepare --config $(TRAINED)/train.yaml --output $(TRAINED)/prepared
	@$(BIN)/faceage-bio train fit --config $(TRAINED)/train.yaml --prepared $(TRAINED)/prepared --output $(TRAINED)/run
	@$(BIN)/faceage-bio fit-demo-model --output $(TRAINED)/incumbent
	@$(BIN)/faceage-bio train evaluate --run $(TRAINED)/run --prepared $(TRAINED)/prepared --incumbent $(TRAINED)/incumbent --followed $(TRAINED)/followed.tsv --cohort "simulated follow-up"

test: $(TESTABLE)
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

# make test-federated   sites over NVFlare's simulator, in an environment of its own
FEDERATED := .venv-federated
test-federated: $(FEDERATED)/installed
	$(FEDERATED)/bin/python -m pytest tests/federated

$(FEDERATED)/installed: $(TESTABLE)
	$(PYTHON) -m venv $(FEDERATED)
	$(FEDERATED)/bin/pip install --quiet --disable-pip-version-check nvflare==2.9.0
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > $$($(FEDERATED)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/faceage_bio.pth
	@touch $@

test-slurm: $(TESTABLE)
	@PATH="$$PATH:/usr/sbin" which munged slurmctld slurmd sbatch > /dev/null || { \
	    echo "Installing $(SLURM) ..."; \
	    $(ROOT) apt-get update -qq && \
	    $(ROOT) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(SLURM) > /dev/null; }
	$(BIN)/python -m pytest -m slurm

# make bench-peers   speed beside the study's own way; PHOTOS=folder takes photos of your own
PEERS := .venv-peers
bench-peers: $(TESTABLE) $(PEERS)/installed
	$(BIN)/python -m benchmarks.compare_peers --peers-python $(PEERS)/bin/python $(if $(PHOTOS),--folder $(PHOTOS))

$(PEERS)/installed: benchmarks/peers.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] > (3, 11) and "tensorflow-cpu 2.15.1 needs Python 3.9 to 3.11; say which: make bench-peers PYTHON=python3.11")'
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check -r benchmarks/peers.txt
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check --no-deps mtcnn==0.1.1
	@touch $@

# make docs   the pages under docs/ as a site that needs no network
docs: $(TESTABLE)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "Open $(CURDIR)/site/index.html in a browser."

# make picture   the picture of a report in README and docs, from the demo's page (needs Chromium)
picture: demo $(TESTABLE)
	$(BIN)/python docs/picture.py results/reports/index.html docs/report.webp

# make lint   style and types of the Python files, style of the Snakemake files
lint: $(TESTABLE)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

# make clean  remove the environment and the demo's results
clean:
	rm -rf $(VENV) $(PEERS) $(FEDERATED) results site .snakemake .pytest_cache
