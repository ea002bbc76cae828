#!/usr/bin/env bash
# Deploy everything to the cluster of .kube/config: secrets that do not exist yet, the kind overlay with the
# tags of the images as they are now, the two migrations; then wait until all of it is ready.
source "$(dirname "$0")/lib.sh"

BUILD=$REPO/.build/kind
IMAGES=$REPO/.build/images.env

random() { python3 -c 'import secrets; print(secrets.token_urlsafe(64))'; }
fernet_key() { python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'; }

# Keys that Airflow's components share; made once per cluster, then kept.
ensure_airflow_secrets() {
    kubectl apply -f "$REPO/k8s/base/namespaces.yaml" >/dev/null
    if ! kubectl -n airflow get secret airflow-secrets >/dev/null 2>&1; then
        local password r2_key r2_secret
        password=$(random)
        r2_key=$(sed -n 's/^R2_ACCESS_KEY_ID=//p' "$REPO/k8s/overlays/kind/secrets.env")
        r2_secret=$(sed -n 's/^R2_SECRET_ACCESS_KEY=//p' "$REPO/k8s/overlays/kind/secrets.env")
        kubectl -n airflow delete secret airflow-database-secrets --ignore-not-found >/dev/null
        kubectl -n airflow create secret generic airflow-database-secrets --from-literal=POSTGRES_USER=airflow \
            --from-literal=POSTGRES_DB=airflow --from-literal=POSTGRES_PASSWORD="$password" >/dev/null
        kubectl -n airflow create secret generic airflow-secrets \
            --from-literal=AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="postgresql+psycopg2://airflow:$password@airflow-database:5432/airflow" \
            --from-literal=AIRFLOW__API_AUTH__JWT_SECRET="$(random)" --from-literal=AIRFLOW__API__SECRET_KEY="$(random)" \
            --from-literal=AIRFLOW__CORE__FERNET_KEY="$(fernet_key)" --from-literal=passwords.json='{"airflow": "airflow"}' \
            --from-literal=AIRFLOW_CONN_R2_LOGS="{\"conn_type\":\"aws\",\"login\":\"$r2_key\",\"password\":\"$r2_secret\",\"extra\":{\"endpoint_url\":\"http://r2.wakee:8333\",\"region_name\":\"auto\"}}" \
            >/dev/null
    fi
}

# A kustomization on top of the kind overlay that knows the images which hack/images.py loaded.
write_kustomization() {
    [[ -s $IMAGES ]] || fail "no images yet: run 'make images'"
    mkdir -p "$BUILD"
    {
        echo "apiVersion: kustomize.config.k8s.io/v1beta1"
        echo "kind: Kustomization"
        echo "resources: [../../k8s/overlays/kind]"
        echo "images:"
        sed -E 's|^([a-z]+)=.*:(.*)|  - { name: localhost/wakee/\1, newTag: "\2" }|' "$IMAGES"
        echo "configMapGenerator:"
        echo "  - name: wakee-images"
        echo "    namespace: airflow"
        echo "    literals:"
        sed -E 's|^([a-z]+)=(.*)|      - WAKEE_\U\1\E_IMAGE=\2|' "$IMAGES"
        sed -nE 's|^sandbox=(.*)|      - WAKEE_XCOM_IMAGE=\1|p' "$IMAGES"
    } >"$BUILD/kustomization.yaml"
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
    local job
    for job in wakee/wakee-db-upgrade airflow/airflow-db-migrate; do
        kubectl diff -k "$BUILD" --selector wakee.io/wave=1 >/dev/null 2>&1 ||
            kubectl -n "${job%/*}" delete job "${job#*/}" --ignore-not-found >/dev/null
    done
    apply wakee.io/wave=1
    wait_for wakee job/wakee-db-upgrade
    wait_for airflow job/airflow-db-migrate
}

deploy_airflow() {
    apply wakee.io/wave=2
    wait_for airflow deployment/airflow-{api-server,scheduler,dag-processor,triggerer}
    PYTHONPATH=$REPO/hack "$REPO/.venvs/dev/bin/python" -m ops ready
}

ensure_airflow_secrets
write_kustomization
timed "sandbox and databases" deploy_data
timed "schema migrations" migrate
timed "Airflow" deploy_airflow
python3 "$REPO/hack/images.py" --forget # nothing names the earlier ones any more
