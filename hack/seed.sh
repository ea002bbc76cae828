#!/usr/bin/env bash
# seed.sh [FLAGS of wakee-sandbox seed]: draw faces and write annotations into the sandbox, from a pod.
source "$(dirname "$0")/lib.sh"

image=$(sed -n 's/^sandbox=//p' "$REPO/.build/images.env")
arguments=$(printf '%s\n' "$@" | python3 -c 'import json, sys; print(json.dumps(["seed", *sys.stdin.read().split()]))')
pod=seed-$(date +%s)-$RANDOM

trap 'kubectl -n wakee delete pod "$pod" --wait=false --ignore-not-found >/dev/null' EXIT
kubectl apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata: { name: $pod, namespace: wakee, labels: { app.kubernetes.io/name: seed } }
spec:
  restartPolicy: Never
  serviceAccountName: wakee-stage
  automountServiceAccountToken: false
  securityContext:
    { runAsNonRoot: true, runAsUser: 10001, runAsGroup: 10001, fsGroup: 10001, seccompProfile: { type: RuntimeDefault } }
  containers:
    - name: seed
      image: $image
      imagePullPolicy: IfNotPresent
      args: $arguments
      envFrom: [{ configMapRef: { name: wakee-config } }, { secretRef: { name: wakee-secrets } }]
      securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: [ALL] } }
      resources: { requests: { cpu: 100m, memory: 256Mi }, limits: { memory: 2Gi } }
      volumeMounts: [{ name: tmp, mountPath: /tmp }]
  volumes: [{ name: tmp, emptyDir: {} }]
YAML
finished() { [[ $(kubectl -n wakee get pod "$pod" -o jsonpath='{.status.phase}') =~ Succeeded|Failed ]]; }
(wait_until "${SEED_SECONDS:-900}" "seeding (SEED_SECONDS says how long it may take)" "" finished) || {
    kubectl -n wakee describe pod "$pod" | tail -n 10 >&2
    kubectl -n wakee logs "$pod" --tail=20 >&2
    exit 1
}
kubectl -n wakee logs "$pod"
[[ $(kubectl -n wakee get pod "$pod" -o jsonpath='{.status.phase}') == Succeeded ]] || fail "seeding failed"
