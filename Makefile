# From a fresh clone to the report: `make report`. README.md says what comes out and how long it takes.

PYTHON ?=
APT ?= yes
CORES ?= $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
ARGS ?=
CONFIG ?=
RESULTS ?= results

.DEFAULT_GOAL := help
.NOTPARALLEL:

# Every process computes on one thread (the same bits on any number of cores), and parallelism comes from jobs.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
# Each job is a new process and would compile our modules again.
unexport PYTHONDONTWRITEBYTECODE

run_tool = python=$$(tools/find_python.sh '$(PYTHON)') && "$$python" tools/$(1)
# Rules and tests that call a program by its name find that of the environment.
in_venv = PATH="$(CURDIR)/.venv/bin:$$PATH"
# A second configuration is laid over config.yaml; --configfile takes all words up to the next option.
snakemake = $(in_venv) snakemake $(if $(CONFIG),--configfile $(CONFIG)) --cores $(CORES) --resources=gpu=1 $(ARGS)

pytest = python -m pytest --numprocesses $(CORES) --maxprocesses 8 --dist loadfile --no-loadscope-reorder

# All checks are run, and one that fails makes the whole fail.
CHECKS = 'ruff check .' 'ruff format --check .' mypy 'snakefmt --check Snakefile workflow' 'snakemake --lint'
run_checks = status=0; for check in $(CHECKS); do echo "$$check"; $(in_venv) $$check || status=1; done

.PHONY: help report report-html draft smoke test test-all test-cluster coverage check docs clean
.PHONY: environment test-environment latex latex-if-possible

help: ## print this list
	@awk -F ' *: *[^#]*## ' '/^[a-z-]+ *:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  PYTHON=...   the Python (3.11 to 3.13) that builds .venv; the first that fits if not given"
	@echo "  APT=no       leave the system's packages alone"
	@echo "  CONFIG=FILE  a configuration laid over config.yaml, with a results folder of its own"
	@echo "  RESULTS=...  the folder that make draft reads; results if not given"
	@echo "  CORES=N      jobs at a time; all cores if not given"
	@echo "  ARGS=...     more arguments, for Snakemake or, with make test, for pytest"

report: latex environment ## data to PDF: results/report/report.pdf, and everything in it; CONFIG=... for a variant
	@$(snakemake)

report-html: environment ## the same without LaTeX: figures, numbers and results/report/report.zip
	@$(snakemake) report_html manifest

draft: latex environment ## the PDF from whatever is in RESULTS, in seconds, without running a job
	@$(in_venv) nn-interpretability draft $(RESULTS)

smoke: latex environment ## the whole workflow, small, in results-smoke/
	@$(snakemake) --configfile=workflow/configs/smoke.yaml

test: latex-if-possible test-environment ## the tools' checks and all tests
	@$(run_checks); \
	$(in_venv) $(pytest) --durations=10 $(ARGS) || status=1; \
	exit $$status

test-all: latex-if-possible test-environment ## the same and the slow tests: kills, ten thousand bad inputs, mutants (twenty minutes more)
	@$(run_checks); \
	$(in_venv) NN_INTERPRETABILITY_TEST_ALL=1 $(pytest) --durations=20 -m 'slow or not slow' $(ARGS) || status=1; \
	exit $$status

coverage: latex-if-possible test-environment ## the tests once more, and which lines none of them runs: build/coverage/index.html
	@mkdir -p build/coverage
	@$(in_venv) $(pytest) --cov --cov-report=html --cov-report=term:skip-covered $(ARGS)

test-cluster: test-environment ## the workflow on a Slurm of one node, started for the tests and removed (root, Debian)
	@$(in_venv) python tools/slurm_cluster.py run python -m pytest tests/cluster --durations=10 $(ARGS)

check: test-environment ## ruff, mypy, snakefmt and snakemake --lint
	@$(run_checks); exit $$status

docs: test-environment ## write the tables of methods in docs/ anew (some minutes)
	@$(in_venv) python tools/docs.py

clean: ## remove caches and what smoke runs made; results/ and .venv stay
	rm -rf results-smoke build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests scripts tools benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# What the targets above are made of

environment:
	@$(call run_tool,environment.py)

test-environment:
	@$(call run_tool,environment.py --extra test)

latex:
	@$(call run_tool,latex.py --apt $(APT))

latex-if-possible:
	@$(call run_tool,latex.py --apt $(APT) --optional)
