#!/usr/bin/env bash
# Deploy everything to the cluster of .kube/config: secrets that do not exist yet, the kind overlay with the
# tags of the images as they are now, the two migrations; then wait until all of it is ready.
source "$(dirname "$0")/lib.sh"

BUILD=$REPO/.build/kind

random() { python3 -c 'import secrets; print(secrets.token_urlsafe(64))'; }
fernet_key() { python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'; }

# Keys that Airflow's components share; made once per cluster, then kept.
ensure_airflow_secrets() {
    kubectl get namespace airflow >/dev/null 2>&1 || kubectl create namespace airflow >/dev/null
    if ! kubectl -n airflow get secret airflow-secrets >/dev/null 2>&1; then
        local password r2_key r2_secret
        password=$(random)
        r2_key=$(sed -n 's/^R2_ACCESS_KEY_ID=//p' "$REPO/k8s/overlays/kind/secrets.env")
        r2_secret=$(sed -n 's/^R2_SECRET_ACCESS_KEY=//p' "$REPO/k8s/overlays/kind/secrets.env")
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

# A kustomization on top of the kind overlay that knows the image tags of this checkout.
write_kustomization() {
    mkdir -p "$BUILD"
    local line name image drift=''
    {
        echo "apiVersion: kustomize.config.k8s.io/v1beta1"
        echo "kind: Kustomization"
        echo "resources: [../../k8s/overlays/kind]"
        echo "generatorOptions: { disableNameSuffixHash: false }"
        echo "images:"
        while IFS== read -r name image; do
            echo "  - { name: localhost/wakee/$name, newTag: ${image##*:} }"
        done < <(python3 "$REPO/hack/images.py" --tags)
        echo "configMapGenerator:"
        echo "  - name: wakee-images"
        echo "    namespace: airflow"
        echo "    literals:"
        while IFS== read -r name image; do
            echo "      - WAKEE_${name^^}_IMAGE=$image"
            [[ $name != drift ]] || drift=$image
        done < <(python3 "$REPO/hack/images.py" --tags)
        echo "      - WAKEE_XCOM_IMAGE=$drift"
    } >"$BUILD/kustomization.yaml"
}

# Jobs cannot be changed in place.
apply() {
    kubectl -n wakee delete job wakee-db-upgrade --ignore-not-found >/dev/null
    kubectl -n airflow delete job airflow-db-migrate --ignore-not-found >/dev/null
    kubectl apply -k "$BUILD" | grep -v unchanged >&2 || true
}

# wait_for KIND/NAME NAMESPACE: with what went wrong when it does not become ready in time.
wait_for() {
    case $1 in
        job/*) kubectl -n "$2" wait --for=condition=complete "$1" --timeout=300s >/dev/null ;;
        *) kubectl -n "$2" rollout status "$1" --timeout=300s >/dev/null ;;
    esac || {
        kubectl -n "$2" get pods >&2
        kubectl -n "$2" describe "$1" | tail -n 15 >&2
        kubectl -n "$2" logs "$1" --all-containers --tail=20 >&2 || true
        fail "$1 in namespace $2 did not become ready in 300 s"
    }
}

wait_for_all() {
    local name
    for name in neondb r2; do wait_for "statefulset/$name" wakee; done
    wait_for statefulset/airflow-database airflow
    wait_for job/wakee-db-upgrade wakee
    wait_for job/airflow-db-migrate airflow
    for name in api-server scheduler dag-processor triggerer; do wait_for "deployment/airflow-$name" airflow; done
}

ensure_airflow_secrets
write_kustomization
apply
timed "waiting for the sandbox and Airflow" wait_for_all
