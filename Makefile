# Everything a person does with wakee-airflow. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export KUBECONFIG := $(or $(CLUSTER),$(CURDIR)/.kube/config)
export PATH := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/wakee-airflow/tools:$(PATH)
OPS := PYTHONPATH=hack .venvs/dev/bin/python -m ops

##@ The two commands
demo: up ## Set up everything, then show the main job on real pods
	@$(OPS) demo
test: ## Set up and run every check and test
	@hack/test.sh lint unit dags manifests cluster

##@ Cluster
up: tools ## Cluster, images, sandbox and Airflow, ready to use
	@hack/up.sh
tools: ## uv, kubectl, helm and the development environment
	@hack/tools.sh && hack/venv.sh dev
cluster: ## A Kubernetes cluster: kind where Docker runs, else from Debian's packages (WAKEE_CLUSTER=kind|debian chooses)
	@hack/tools.sh && hack/cluster.sh up
cluster-down: ## Remove the cluster, of either kind; built images stay for the next one
	@hack/cluster.sh down
status: ## What runs
	@hack/cluster.sh status
images: ## Build the images that changed and load them into the cluster
	@hack/tools.sh && hack/cluster.sh prepare-build && python3 hack/images.py
deploy: ## Apply the manifests and wait until all is ready
	@hack/deploy.sh

##@ Work with it (on another cluster: CLUSTER=kubeconfig; AIRFLOW_URL, AIRFLOW_USER, AIRFLOW_PASSWORD in the environment)
seed: ## Draw faces and write annotations: SEED="--rows 600 --days 35 --drift-days 7 --drift-bias confusion=0.5"
	@test -z "$(CLUSTER)" || { echo "error: make seed writes to the local sandbox only: leave CLUSTER out" >&2; exit 1; }
	@hack/seed.sh $(or $(SEED),--rows 600 --days 35)
trigger: ## Start a DAG run and follow it: DAG=drift_detection_daily CONF='{"threshold": 0.2}'
	@$(OPS) trigger $(DAG) --conf '$(or $(CONF),{})'
pods: ## The stage pods
	@kubectl get pods -n wakee -L wakee.io/dag-id,wakee.io/task-id
logs: ## Airflow's log of one task of the newest run: DAG=... TASK=...
	@$(OPS) logs $(DAG) $(TASK)
doctor: ## Check what the pipelines need, and name the remedy of each failure
	@$(OPS) doctor
ui: ## Where the web pages are
	@$(OPS) ui

##@ Production (docs/production.md): CLUSTER=kubeconfig VALUES=helm/values-production.yaml CHART=... CHART_REPO=...
helm-install: tools ## Install or upgrade Airflow by the official chart
	@hack/helm.sh install
helm-diff: tools ## What helm-install would change
	@hack/helm.sh diff
helm-rollback: tools ## Back to the revision before, or REVISION=...
	@hack/helm.sh rollback
helm-uninstall: tools ## Remove Airflow; its database and Secrets stay
	@hack/helm.sh uninstall
sbom: tools ## reports/sbom: what is in each image, as CycloneDX
	@hack/sbom.sh
configuration: ## Write docs/configuration.md anew, from the settings classes
	@hack/venv.sh drift && .venvs/drift/bin/python hack/configuration_reference.py
audit: tools ## Known vulnerabilities of the locked requirements; for a schedule, needs the vulnerability service
	@hack/audit.sh

##@ Develop
test-unit: ## The quick tests
	@hack/test.sh unit dags manifests
test-cluster: ## The tests on real pods
	@hack/test.sh cluster
test-helm: ## Upgrades, rollbacks and removal of Airflow by its chart, in the middle of DAG runs: some ten minutes
	@hack/test.sh chart
test-debian: ## A short run on the cluster built from Debian's packages (root, Debian 12); removes the kind cluster first
	@hack/test.sh debian
test-cuda-image: ## The CUDA variant of the training image without a GPU; builds it, which downloads some 3 GB
	@hack/test.sh cuda-image
test-failures: ## Every failure mode on real pods, one after the other: an hour or so, not part of make test
	@hack/test.sh failures
bench: ## Every benchmark against what people would otherwise run; writes docs/benchmarks.md; takes two hours
	@hack/tools.sh && hack/bench.sh
bench-quick: ## The same with small sizes, in five minutes, without cluster and builds; prints only
	@hack/tools.sh && hack/bench.sh --quick
lint: ## Formatting, types, shell, Dockerfiles, YAML
	@hack/test.sh lint
fmt: ## Format the code
	@hack/venv.sh dev && .venvs/dev/bin/ruff format . && .venvs/dev/bin/ruff check --fix-only -q .
lock: ## Resolve every image's requirements again
	@hack/lock.sh
clean: cluster-down ## Remove the cluster, the environments and what was built; keep the caches
	@docker volume rm --force wakee-registry >/dev/null 2>&1 || true
	@rm -rf .venvs .build reports

help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  \033[36m%-15s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: $(shell grep -oE '^[a-z-]+:' $(MAKEFILE_LIST) | tr -d :)
