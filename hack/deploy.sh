#!/usr/bin/env bash
# Deploy everything to the cluster of .kube/config: Secrets that do not exist yet, the kind overlay with the tags of the
# images as they are now, the schema migration, then Airflow; wait until all of it is ready. Airflow comes by the
# official chart on kind, and by the plain manifests of k8s/airflow elsewhere; AIRFLOW_INSTALL=chart|manifests chooses.
source "$(dirname "$0")/lib.sh"
source "$REPO/hack/chart.sh"

BUILD=$REPO/.build/kind
IMAGES=$REPO/.build/images.env
OVERLAY=$REPO/k8s/overlays/kind
INSTALL=$(airflow_install)

random() { python3 -c 'import secrets; print(secrets.token_urlsafe(64))'; }
fernet_key() { python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'; }
credential() { sed -n "s/^$1=//p" "$OVERLAY/secrets.env"; }

# ensure_secret NAME KEY=VALUE...: make a Secret of Airflow's, unless it is there.
ensure_secret() {
    local name=$1
    shift
    kubectl -n airflow get secret "$name" >/dev/null 2>&1 ||
        kubectl -n airflow create secret generic "$name" "${@/#/--from-literal=}" >/dev/null
}

# Those that docs/production.md lists, and the database's. Made once per cluster, then kept.
ensure_airflow_secrets() {
    local password database=postgresql+psycopg2://airflow
    kubectl apply -f "$REPO/k8s/base/namespaces.yaml" >/dev/null
    password=$(kubectl -n airflow get secret airflow-database-secrets -o go-template='{{.data.POSTGRES_PASSWORD | base64decode}}' 2>/dev/null || random)
    ensure_secret airflow-database-secrets POSTGRES_USER=airflow POSTGRES_DB=airflow POSTGRES_PASSWORD="$password"
    ensure_secret airflow-metadata connection="$database:$password@airflow-database:5432/airflow"
    ensure_secret airflow-fernet-key fernet-key="$(fernet_key)"
    ensure_secret airflow-api-secret-key api-secret-key="$(random)"
    ensure_secret airflow-jwt-secret jwt-secret="$(random)"
    ensure_secret airflow-users passwords.json='{"airflow": "airflow"}'
    ensure_secret airflow-connections \
        AIRFLOW_CONN_R2_LOGS="{\"conn_type\":\"aws\",\"login\":\"$(credential R2_ACCESS_KEY_ID)\",\"password\":\"$(credential R2_SECRET_ACCESS_KEY)\",\"extra\":{\"endpoint_url\":\"http://r2.wakee:8333\",\"region_name\":\"auto\"}}" \
        AIRFLOW_CONN_SMTP_DEFAULT='{"conn_type":"smtp","host":"mail.wakee","port":1025,"extra":{"from_email":"airflow@wakee.example","disable_ssl":true,"disable_tls":true}}'
}

# A kustomization on top of the overlay that knows the images which hack/images.py loaded, and Airflow's settings.
write_kustomization() {
    [[ -s $IMAGES ]] || fail "no images yet: run 'make images'"
    mkdir -p "$BUILD"
    "$REPO/.venvs/dev/bin/python" "$REPO/hack/helm_values.py" values-kind.yaml >"$BUILD/airflow.env"
    {
        echo "apiVersion: kustomize.config.k8s.io/v1beta1"
        echo "kind: Kustomization"
        echo "generatorOptions: { disableNameSuffixHash: true }"
        if [[ $INSTALL == chart ]]; then
            echo "resources: [../../k8s/overlays/kind]"
        else
            echo "resources: [../../k8s/overlays/debian]"
        fi
        echo "images:"
        sed -E 's|^([a-z]+)=.*:(.*)|  - { name: localhost/wakee/\1, newTag: "\2" }|' "$IMAGES"
        echo "configMapGenerator:"
        echo "  - name: wakee-images"
        echo "    namespace: airflow"
        echo "    behavior: merge"
        echo "    literals:"
        awk -F= '{ print "      - WAKEE_" toupper($1) "_IMAGE=" $2 }' "$IMAGES"
        sed -nE 's|^sandbox=(.*)|      - WAKEE_XCOM_IMAGE=\1|p' "$IMAGES"
        [[ $INSTALL == chart ]] || plain_airflow
    } >"$BUILD/kustomization.yaml"
}

# Airflow's settings for the plain manifests; pods start again when they change.
plain_airflow() {
    echo "  - name: airflow-config"
    echo "    namespace: airflow"
    echo "    envs: [airflow.env]"
    echo "patches:"
    echo "  - target: { kind: Deployment, namespace: airflow }"
    echo "    patch: |"
    echo "      - op: add"
    echo "        path: /spec/template/metadata/annotations"
    echo "        value: { wakee.io/settings: \"$(cat "$BUILD/airflow.env" "$OVERLAY/airflow.env" "$IMAGES" | cksum | cut -d' ' -f1)\" }"
}

# wait_for NAMESPACE KIND/NAME...: with what went wrong when one does not become ready in time.
wait_for() {
    local namespace=$1 name
    shift
    for name in "$@"; do
        case $name in
            job/*) kubectl -n "$namespace" wait --for=condition=complete "$name" --timeout=180s >/dev/null ;;
            *) kubectl -n "$namespace" rollout status "$name" --timeout=180s >/dev/null ;;
        esac || {
            kubectl -n "$namespace" get pods >&2
            kubectl -n "$namespace" describe "$name" | tail -n 15 >&2
            kubectl -n "$namespace" logs "$name" --all-containers --tail=20 >&2 || true
            fail "$name in namespace $namespace did not become ready in 180 s"
        }
    done
}

# apply SELECTOR: the objects of one wave; the next needs them ready.
apply() { kubectl apply -k "$BUILD" --selector "$1" | { grep -v unchanged >&2 || true; }; }

deploy_data() {
    apply '!wakee.io/wave'
    wait_for wakee statefulset/neondb statefulset/r2
    wait_for airflow statefulset/airflow-database
    wait_for wakee deployment/{hub,mlflow,api,sourcing,mail,impostor,pushgateway}
}

# Jobs cannot be changed in place; a finished one of the same image need not run again.
migrate() {
    local job jobs=(wakee/wakee-db-upgrade)
    [[ $INSTALL == chart ]] || jobs+=(airflow/airflow-run-airflow-migrations)
    for job in "${jobs[@]}"; do
        kubectl diff -k "$BUILD" --selector wakee.io/wave=1 >/dev/null 2>&1 ||
            kubectl -n "${job%/*}" delete job "${job#*/}" --ignore-not-found >/dev/null
    done
    apply wakee.io/wave=1
    for job in "${jobs[@]}"; do wait_for "${job%/*}" "job/${job#*/}"; done
}

# An installation of the other kind has objects of the same names, which Helm does not take over.
remove_other_install() {
    if [[ $INSTALL == chart ]]; then
        [[ -z $(kubectl -n airflow get deployments -l wakee.io/wave=2 -o name) ]] || {
            say "removing Airflow as installed by the plain manifests; its database stays"
            kubectl delete -k "$REPO/k8s/airflow" --ignore-not-found >/dev/null
        }
    elif helm status airflow --namespace airflow >/dev/null 2>&1; then
        say "removing Airflow as installed by the chart; its database stays"
        helm uninstall airflow --namespace airflow --wait >/dev/null
    fi
}

deploy_airflow() {
    remove_other_install
    if [[ $INSTALL == chart ]]; then
        VALUES=$REPO/helm/values-kind.yaml CLUSTER='' "$REPO/hack/helm.sh" install
    else
        apply wakee.io/wave=2
        wait_for airflow deployment/airflow-{api-server,scheduler,dag-processor,triggerer}
    fi
    PYTHONPATH=$REPO/hack "$REPO/.venvs/dev/bin/python" -m ops ready
}

[[ $INSTALL != chart ]] || find_chart # before minutes of other work
ensure_airflow_secrets
write_kustomization
timed "sandbox and databases" deploy_data
timed "schema migration" migrate
timed "Airflow" deploy_airflow
python3 "$REPO/hack/images.py" --forget # nothing names the earlier ones any more
