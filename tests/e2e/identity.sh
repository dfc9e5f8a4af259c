#!/usr/bin/env bash
# identity.sh ADMIN_KUBECONFIG OUT: applies deploy/ and makes a kubeconfig whose only credential is a token of the controller's ServiceAccount,
# so that the suite runs the controller with the rights that a cluster gives it.

set -euo pipefail
export KUBECONFIG=$1
out=$2
readonly SYSTEM=cosmoscmk-system ACCOUNT=cosmoscmk

kubectl apply -k "$(dirname "$0")/../../deploy" >/dev/null
token=$(kubectl -n $SYSTEM create token $ACCOUNT --duration=4h)
(
    umask 077
    kubectl config view --raw -o json | jq --arg token "$token" --arg namespace $SYSTEM \
        '.users = [{name: "controller", user: {token: $token}}] |
         .contexts = [{name: "test", context: {cluster: "test", user: "controller", namespace: $namespace}}]' >"$out"
)
