#!/usr/bin/env bash
# deploy/policies on the server of $KUBECONFIG (a real one) with the kubectl in PATH: production demands approval, others are left alone.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly PRODUCTION=cosmoscmk-policy-production STAGING=cosmoscmk-policy-staging
readonly SENTENCE="namespace $PRODUCTION is production, where the encryption of an account waits for approval: set spec.approval to Manual"
FAILED=0 ANSWER=

verdict() { # NAME TRUE|FALSE
    if [ "$2" = true ]; then
        printf 'ok - %s\n' "$1"
    else
        FAILED=$((FAILED + 1))
        printf 'not ok - %s\n%s\n' "$1" "$ANSWER"
    fi
}

create() { # NAMESPACE MERGE_PATCH: the sample "orders" with the patch
    kubectl patch --local -f deploy/samples/periodic.yaml --type merge -p "$2" -o json | kubectl create --namespace "$1" -f - 2>&1
}

patch() { # NAMESPACE MERGE_PATCH [FLAGS...]
    local namespace=$1
    shift
    kubectl patch --namespace "$namespace" ccmk orders --type merge -p "$@" 2>&1
}

refused() { # NAME COMMAND...
    local name=$1 ok=false
    shift
    if ! ANSWER=$("$@") && [[ $ANSWER == *"$SENTENCE"* ]]; then ok=true; fi
    verdict "$name" "$ok"
}

allowed() { # NAME COMMAND...
    local name=$1 ok=false
    shift
    if ANSWER=$("$@"); then ok=true; fi
    verdict "$name" "$ok"
}

clean_up() {
    kubectl delete -f deploy/policies/require-approval.yaml --ignore-not-found >/dev/null 2>&1 || true
    for namespace in "$PRODUCTION" "$STAGING"; do
        kubectl delete --namespace "$namespace" ccmk --all >/dev/null 2>&1 || true
    done
}

# A policy counts a moment after it was created: the server compiles it first.
await_policy() {
    for _ in $(seq 100); do
        ANSWER=$(kubectl create --dry-run=server --namespace "$PRODUCTION" -f deploy/samples/periodic.yaml 2>&1) || return 0
        sleep 0.2
    done
    echo "policies.sh: the policy has no effect after 20 s" >&2
    return 1
}

kubectl apply -f crd/cosmoscmk.yaml >/dev/null
kubectl wait --for=condition=Established --timeout=30s crd/cosmoscmks.cosmoscmk.io >/dev/null
for namespace in "$PRODUCTION" "$STAGING"; do
    kubectl get namespace "$namespace" >/dev/null 2>&1 || kubectl create namespace "$namespace" >/dev/null
done
kubectl label --overwrite namespace "$PRODUCTION" environment=production >/dev/null
trap clean_up EXIT
kubectl apply -f deploy/policies/require-approval.yaml >/dev/null
await_policy

refused 'production: no approval is refused' create "$PRODUCTION" '{}'
refused 'production: approval Automatic is refused' create "$PRODUCTION" '{"spec":{"approval":"Automatic"}}'
allowed 'production: approval Manual is allowed' create "$PRODUCTION" '{"spec":{"approval":"Manual"}}'
refused 'production: an update to Automatic is refused' patch "$PRODUCTION" '{"spec":{"approval":"Automatic"}}'
refused 'production: an update that takes approval away is refused' patch "$PRODUCTION" '{"spec":{"approval":null}}'
allowed 'production: an approved plan is allowed' patch "$PRODUCTION" '{"spec":{"approvedPlan":"0123456789abcdef0123456789abcdef"}}'
allowed 'production: the controller writes status' patch "$PRODUCTION" '{"status":{"observedGeneration":2}}' --subresource=status
allowed 'production: deleting is allowed' kubectl delete --namespace "$PRODUCTION" ccmk orders
allowed 'elsewhere: no approval is allowed' create "$STAGING" '{}'
allowed 'elsewhere: approval Automatic is allowed' patch "$STAGING" '{"spec":{"approval":"Automatic","suspend":true}}'
kubectl label --overwrite namespace "$STAGING" environment=production >/dev/null
for _ in $(seq 50); do # the server sees the label through its own cache of namespaces
    ANSWER=$(patch "$STAGING" '{"spec":{"suspend":false}}' --dry-run=server) || break
    sleep 0.2
done
ok=false
[[ $ANSWER != *"namespace $STAGING is production"* ]] || ok=true
verdict 'a namespace that becomes production is held to it' "$ok"
kubectl label --overwrite namespace "$STAGING" environment=staging >/dev/null
[ "$FAILED" = 0 ]
