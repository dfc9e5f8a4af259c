#!/usr/bin/env bash
# admission.sh PROGRAM: runs it (admission.c) against a kube-apiserver of its own that knows the CRD. Without KUBEBUILDER_ASSETS: skipped
# (77), or failed where CI is set.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${KUBEBUILDER_ASSETS-}" ]; then
    echo "SKIPPED: the generated values need a real kube-apiserver; set KUBEBUILDER_ASSETS (see hack/envtest.sh)" >&2
    [ -z "${CI-}" ] || exit 1
    exit 77
fi
dir=$(mktemp -d)
trap 'e2e/apiserver.sh stop "$dir"; rm -rf "$dir"' EXIT
e2e/apiserver.sh start "$dir"
export KUBECONFIG=$dir/kubeconfig
kubectl=$KUBEBUILDER_ASSETS/kubectl
"$kubectl" apply -f ../crd/cosmoscmk.yaml >/dev/null
"$kubectl" wait --for=condition=Established --timeout=30s crd/cosmoscmks.cosmoscmk.io >/dev/null
until "$kubectl" get cosmoscmk >/dev/null 2>&1; do sleep 0.2; done
"$@"
