#!/usr/bin/env bash
# A certificate authority, and a certificate and kubeconfig for each component; made once per cluster.
source "$(dirname "$0")/config.sh"

DAYS=3650
mkdir -p "$PKI"
chmod 700 "$PKI"
cd "$PKI"
[[ ! -e complete ]] || exit 0

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }

# certificate NAME SUBJECT USAGE [ALTERNATIVE-NAMES]
certificate() {
    key "$1"
    openssl req -new -key "$1.key" -subj "$2" -out "$1.csr"
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days $DAYS -out "$1.crt" -extfile <(
        echo "extendedKeyUsage=$3"
        [[ -z ${4:-} ]] || echo "subjectAltName=$4"
    ) 2>/dev/null
}

# kubeconfig FILE NAME: lets the holder of certificate NAME talk to the API server.
kubeconfig() {
    local file=$1 name=$2
    rm -f "$file"
    KUBECONFIG=$file kubectl config set-cluster wakee --server="$API" --certificate-authority=ca.crt --embed-certs
    KUBECONFIG=$file kubectl config set-credentials "$name" --client-certificate="$name.crt" --client-key="$name.key" --embed-certs
    KUBECONFIG=$file kubectl config set-context wakee --cluster=wakee --user="$name"
    KUBECONFIG=$file kubectl config use-context wakee
}

key ca
openssl req -x509 -new -key ca.key -subj "/CN=wakee-ca" -days $DAYS -out ca.crt
key service-account
service=kubernetes.default.svc
certificate apiserver "/CN=kube-apiserver" serverAuth \
    "DNS:kubernetes,DNS:kubernetes.default,DNS:$service,DNS:$service.cluster.local,DNS:localhost,IP:$NODE_IP,IP:10.96.0.1,IP:127.0.0.1"
certificate kubelet "/O=system:nodes/CN=system:node:$NODE" serverAuth,clientAuth "DNS:$NODE,IP:$NODE_IP"
certificate admin "/O=system:masters/CN=admin" clientAuth
for component in kube-controller-manager kube-scheduler kube-proxy; do
    certificate $component "/CN=system:$component" clientAuth
done
for component in admin kubelet kube-controller-manager kube-scheduler kube-proxy; do
    kubeconfig $component.kubeconfig $component >/dev/null
done
touch complete
