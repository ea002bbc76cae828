# An index of the command `wakee` (tools/README.md). `make help` lists the targets; `.venvs/dev/bin/wakee --help` says more.
# Variables of the command line (DAG=..., CLUSTER=...) reach it through the environment.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BOOTSTRAP := { command -v python3 >/dev/null || tools/install-python.sh; } && python3 tools/bootstrap.py
WAKEE := $(BOOTSTRAP) && .venvs/dev/bin/wakee

##@ The two commands
demo: up ## Set up everything, then show the main job on real pods
	@$(WAKEE) demo
test: ## Set up and run every check and test
	@$(WAKEE) test lint unit dags manifests cluster

##@ Cluster
up: ## Cluster, images, sandbox and Airflow, ready to use
	@$(WAKEE) up
tools: ## uv, kubectl, helm and the development environment
	@$(BOOTSTRAP)
cluster: ## A Kubernetes cluster: kind where Docker runs, else from Debian's packages (WAKEE_CLUSTER=kind|debian chooses; KIND_NODES=3: several nodes)
	@$(WAKEE) cluster up
cluster-down: ## Remove the cluster, of either kind; built images stay for the next one
	@$(WAKEE) cluster down
status: ## What runs
	@$(WAKEE) cluster status
images: ## Build the images that changed and load them into the cluster
	@$(WAKEE) images
deploy: ## Apply the manifests and wait until all is ready
	@$(WAKEE) deploy

##@ Work with it (on another cluster: CLUSTER=kubeconfig; AIRFLOW_URL, AIRFLOW_USER, AIRFLOW_PASSWORD in the environment)
seed: ## Draw faces and write annotations: SEED="--rows 600 --days 35 --drift-days 7 --drift-bias confusion=0.5"
	@$(WAKEE) seed
trigger: ## Start a DAG run and follow it: DAG=drift_detection_daily CONF='{"threshold": 0.2}'
	@$(WAKEE) trigger
pods: ## The stage pods
	@$(WAKEE) pods
logs: ## Airflow's log of one task of the newest run: DAG=... TASK=...
	@$(WAKEE) logs
doctor: ## Check what the pipelines need, and name the remedy of each failure
	@$(WAKEE) doctor
ui: ## Where the web pages are
	@$(WAKEE) ui

##@ Production (docs/production.md): FILE=environments/mine.yaml CLUSTER=kubeconfig CHART=... CHART_REPO=...
environment-check: tools ## Every fault of a settings file
	@$(WAKEE) environment check $(FILE)
environment-render: tools ## The Kubernetes objects and the Helm values of a settings file, without a cluster
	@$(WAKEE) environment render $(FILE)
environment-diff: ## What environment-apply would change in the cluster
	@$(WAKEE) environment diff $(FILE)
environment-apply: ## Install or upgrade an environment: Kubernetes objects, schema migration, Airflow
	@$(WAKEE) environment apply $(FILE)
helm-install: ## Install or upgrade Airflow by the official chart
	@$(WAKEE) helm install
helm-diff: ## What helm-install would change
	@$(WAKEE) helm diff
helm-rollback: ## Back to the revision before, or REVISION=...
	@$(WAKEE) helm rollback
helm-uninstall: ## Remove Airflow; its database and Secrets stay
	@$(WAKEE) helm uninstall
sbom: ## reports/sbom: what is in each image, as CycloneDX
	@$(WAKEE) sbom
configuration: ## Write docs/configuration.md anew, from the settings classes
	@$(WAKEE) configuration
audit: ## Known vulnerabilities of the locked requirements; for a schedule, needs the vulnerability service
	@$(WAKEE) audit

##@ Develop
test-unit: ## The quick tests
	@$(WAKEE) test unit dags manifests
test-cluster: ## The tests on real pods
	@$(WAKEE) test cluster
test-helm: ## Upgrades, rollbacks and removal of Airflow by its chart, in the middle of DAG runs: some ten minutes
	@$(WAKEE) test chart
test-staging: ## A staging environment beside the installation on kind: some five minutes
	@$(WAKEE) test staging
test-nodes: ## Nodes that are drained, lost, or have GPUs, on kind with three nodes: half an hour; replaces a smaller cluster
	@$(WAKEE) test nodes
test-debian: ## A short run on the cluster built from Debian's packages (root, Debian 12); removes the kind cluster first
	@$(WAKEE) test debian
test-cuda-image: ## The CUDA variant of the training image without a GPU; builds it, which downloads some 3 GB
	@$(WAKEE) test cuda-image
test-failures: ## Every failure mode on real pods, one after the other: an hour or so, not part of make test
	@$(WAKEE) test failures
bench: ## Every benchmark against what people would otherwise run; writes docs/benchmarks.md; takes two hours
	@$(WAKEE) bench
bench-quick: ## The same with small sizes, in five minutes, without cluster and builds; prints only
	@$(WAKEE) bench --quick
lint: ## Formatting, types, shell, Dockerfiles, YAML
	@$(WAKEE) test lint
fmt: ## Format the code
	@$(BOOTSTRAP) && .venvs/dev/bin/ruff format . && .venvs/dev/bin/ruff check --fix-only -q .
lock: ## Resolve every image's requirements again
	@$(WAKEE) lock
clean: ## Remove the cluster, the environments and what was built; keep the caches
	@$(WAKEE) cluster down --forget-images
	@rm -rf .venvs .build reports

help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  \033[36m%-15s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: $(shell grep -oE '^[a-z-]+:' $(MAKEFILE_LIST) | tr -d :)
