#!/usr/bin/env bash
# Makes what in deploy/ is made of other files: the version in the manifests, the chart's copies, a namespace's Role, and install.yaml.
#
# Each fact has one source: the version CMakeLists.txt, the CRD crd/, the controller's rights deploy/base/role.yaml, alerts and dashboard
# deploy/components/monitoring. Everything is made in a copy first, so --check compares and a failure leaves the tree as it was.

set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'TEXT'
usage: hack/manifests.sh [--check]

Brings deploy/ up to date with its sources, or with --check fails when it is not, and says in what.

Needs a kubectl of 1.27 or later, whose kustomize knows components: that of $KUBEBUILDER_ASSETS (see hack/envtest.sh), or the one in
PATH. Without one it is skipped (77); where CI is set that is a failure.
TEXT
}

die() { printf 'manifests.sh: %s\n' "$*" >&2; exit 1; }

find_kubectl() {
    local candidate minor
    for candidate in ${KUBEBUILDER_ASSETS:+"$KUBEBUILDER_ASSETS/kubectl"} kubectl; do
        minor=$("$candidate" version --client 2>/dev/null | sed -nE 's/.*v1\.([0-9]+)\..*/\1/p' | head -n 1)
        [ "${minor:-0}" -lt 27 ] || { printf '%s\n' "$candidate"; return; }
    done
    echo 'SKIPPED: manifests need a kubectl of 1.27 or later; set KUBEBUILDER_ASSETS (see hack/envtest.sh)' >&2
    [ -z "${CI-}" ] || exit 1
    exit 77
}

replace() { # FILE SED_PROGRAM
    sed -E "$2" "$1" >"$1.new"
    mv "$1.new" "$1"
}

made_by() { printf '# Made from %s by hack/manifests.sh.\n' "$1"; }

generate() { # in the copy
    local version
    version=$(sed -nE 's/^project\(cosmoscmk VERSION ([0-9.]+) .*/\1/p' CMakeLists.txt)
    [ -n "$version" ] || die 'CMakeLists.txt names no version'
    replace deploy/base/kustomization.yaml "s/^( +newTag: ).*/\\1$version/"
    replace deploy/chart/Chart.yaml "s/^((version|appVersion): ).*/\\1$version/"

    cp crd/cosmoscmk.yaml deploy/chart/files/cosmoscmk.yaml
    cp deploy/components/monitoring/dashboard.json deploy/components/monitoring/alerts.yaml deploy/chart/files/
    {
        made_by deploy/base/role.yaml
        sed '/^#/d; s/ClusterRole/Role/' deploy/base/role.yaml
    } >deploy/components/namespaced/tenant/role.yaml
    {
        echo '# cosmoscmk: the whole installation in one file, the same as kubectl apply -k deploy/.'
        made_by deploy/kustomization.yaml
        "$kubectl" kustomize deploy
    } >deploy/install.yaml
}

check=
case ${1-} in
'') ;;
--check) check=1 ;;
-h | --help) usage; exit 0 ;;
*) usage >&2; exit 2 ;;
esac

kubectl=$(find_kubectl)
tree=$PWD
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -R CMakeLists.txt crd deploy "$copy"
cd "$copy"
generate
if [ -z "$check" ]; then
    cp -R deploy/. "$tree/deploy/"
    echo 'deploy/ is up to date'
elif diff -ru "$tree/deploy" deploy; then
    echo 'deploy/ is up to date'
else
    die 'deploy/ is not up to date with its sources (the differences are above): run hack/manifests.sh'
fi
