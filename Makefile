# Everything a developer needs. The first target that needs it makes the virtual environment.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-long lint format types bench bench-peers bench-peers-install package lint-deploy audit \
        image-check fuzz

.venv/.ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/pip install --quiet --editable . --group dev
	touch $@

demo: .venv/.ready
	$(BIN)/langfuse-router demo

test: .venv/.ready
	$(BIN)/pytest -n auto --dist worksteal

# what takes long, and the property tests, at much greater length
test-long: .venv/.ready
	$(BIN)/pytest -n auto --hypothesis-profile=long tests/langfuse tests/test_ledger_model.py tests/test_reconcile_model.py tests/test_difference.py
	$(BIN)/pytest -n auto -m long

# a table of one run, about a quarter of an hour; nothing passes or fails
bench: .venv/.ready
	$(BIN)/python -m tests.benchmarks

# the same work by BullMQ, webhook and Alertmanager, about ten minutes; who is not installed is left out
bench-peers: .venv/.ready
	-npm install --prefix tests/benchmarks/peers --silent --no-audit --no-fund --no-package-lock --ignore-scripts
	$(BIN)/python -m tests.benchmarks.peers

# what of it Debian has; Node comes with npm
bench-peers-install:
	apt-get install --no-install-recommends redis-server webhook prometheus-alertmanager curl

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv/.ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: .venv/.ready
	$(BIN)/mypy

# what only a release needs: builders, linters of images and manifests, auditors
.release/.ready: pyproject.toml
	$(PYTHON) -m venv .release
	.release/bin/pip install --quiet --upgrade "pip>=25.1"
	.release/bin/pip install --quiet --group release
	touch $@

# builds wheel and sdist, and uses the wheel in an environment that has nothing else
package: .venv/.ready .release/.ready
	rm -rf dist
	.release/bin/python -m build --outdir dist .
	$(BIN)/python -m tests.packaging.bare dist

lint-deploy: .release/.ready
	.release/bin/hadolint deploy/docker/Dockerfile
	.release/bin/kubernetes-validate --strict --quiet $(filter-out %/kustomization.yaml,$(wildcard deploy/kubernetes/*.yaml))
	.release/bin/check-jsonschema --builtin-schema vendor.compose-spec deploy/docker/compose.yaml

# the list of what a user installs as CycloneDX, and whether anything in it is known to be vulnerable; where nobody can be
# asked (a mirror that knows no advisories) it says so
audit: .venv/.ready .release/.ready
	rm -rf .audit
	$(PYTHON) -m venv --without-pip .audit
	.release/bin/pip --python .audit/bin/python install --quiet ".[postgres,apprise,otel]"
	mkdir -p dist
	.release/bin/cyclonedx-py environment --pyproject pyproject.toml --output-file dist/sbom.cdx.json .audit
	$(BIN)/python -m tests.packaging.audit .release/bin/pip-audit "$$(echo .audit/lib/python*/site-packages)"

# the Dockerfile carried out without Docker, and what comes of it run; wants root and Debian's mmdebstrap
image-check: .venv/.ready
	$(BIN)/python -m tests.packaging.image

# each target of tests/fuzz gets so many seconds; what they find interesting stays in .fuzz
SECONDS ?= 120
fuzz: .venv/.ready
	$(BIN)/pip install --quiet --group fuzz
	$(BIN)/python -m tests.fuzz $(SECONDS) $(TARGETS)
