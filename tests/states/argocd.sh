#!/usr/bin/env bash
# argocd.sh PUBLISHED_STATES: Argo CD's health check over every state that the controller can publish.
#
# The check is the file in Argo CD's own layout; the ConfigMap patch must hold the very same text, since that is what people apply.
set -euo pipefail
states_program=$(realpath "$1")
cd "$(dirname "$0")/../.."

readonly check=deploy/gitops/argocd/resource_customizations/cosmoscmk.io/CosmosCMK/health.lua
readonly configmap=deploy/gitops/argocd/argocd-cm.yaml

# The block scalar of the ConfigMap, without its indentation.
block() {
    awk '/^  resource\.customizations\.health\.cosmoscmk\.io_CosmosCMK: \|$/ { inside = 1; next } inside && !/^    |^$/ { exit } inside' "$configmap" |
        sed 's/^    //'
}
if ! diff -u "$check" <(block); then
    echo "argocd.sh: $configmap does not hold the text of $check" >&2
    exit 1
fi
states=$(mktemp)
trap 'rm -f "$states"' EXIT
"$states_program" >"$states"
lua5.1 tests/states/health.lua "$check" deploy/gitops/README.md <"$states"
