#!/usr/bin/env bash
# The alerts fire when they should and not else, the dashboard's queries are queries, both know only metrics that the controller has, and the
# objects are what the Prometheus operator's own CRDs accept.

set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=tests/e2e/lib.sh
. ./lib.sh

readonly OPERATOR=github.com/prometheus-operator/prometheus-operator@v0.85.0
need_assets 'the check of the monitoring'
PROMTOOL=$("$ROOT/hack/promtool.sh")
work=$(mktemp -d)
trap './apiserver.sh stop "$work/api"; rm -rf "$work"' EXIT

kubectl kustomize "$ROOT/deploy/overlays/monitoring" >"$work/overlay.yaml"
kubectl patch --local --type merge -p '{}' -f "$ROOT/deploy/components/monitoring/alerts.yaml" -o json | jq .spec >"$work/rules.yaml"
jq '{groups: [{name: "dashboard", rules: [.panels[] | .title as $title | .targets[] | {record: "dashboard:query", expr:
    (.expr | gsub("\\$__rate_interval"; "5m")), labels: {panel: "\($title) \(.refId)"}}]}]}' \
    "$ROOT/deploy/components/monitoring/dashboard.json" >"$work/dashboard.yaml"

succeeds 'the alerts are rules' "$PROMTOOL" check rules "$work/rules.yaml"
succeeds "the dashboard's queries are queries" "$PROMTOOL" check rules "$work/dashboard.yaml"
cp alerts.yaml "$work/test.yaml"
printf 'rule_files: [rules.yaml]\n' >>"$work/test.yaml"
succeeds 'the alerts fire when they should, and not else' "$PROMTOOL" test rules "$work/test.yaml"

untested() { # alerts that no test expects to fire
    jq -r '.groups[].rules[].alert' "$work/rules.yaml" | while read -r alert; do
        grep -q "alertname=\"$alert\"" alerts.yaml || printf '%s\n' "$alert"
    done
}
prints_nothing 'every alert has a test in which it fires' untested

# A histogram's series have suffixes that its name has not.
unknown_metrics() {
    jq -r '.groups[].rules[].expr' "$work/rules.yaml" "$work/dashboard.yaml" |
        grep -oE '\b(cosmoscmk|controller_runtime|workqueue|rest_client|leader_election|process)_[a-z_]+' | sed -E 's/_(bucket|sum|count)$//' |
        sort -u | while read -r metric; do grep -qrF "\"$metric\"" "$ROOT/controller" || printf '%s\n' "$metric"; done
}
prints_nothing 'every metric in them is one of the controller' unknown_metrics

accepted_by_the_operator() {
    local crds
    ./apiserver.sh start "$work/api"
    export KUBECONFIG=$work/api/kubeconfig
    crds=$(cd "$work" && go mod download -json "$OPERATOR" | jq -r .Dir)/example/prometheus-operator-crd
    kubectl create -f "$crds/monitoring.coreos.com_servicemonitors.yaml" -f "$crds/monitoring.coreos.com_prometheusrules.yaml"
    kubectl wait --for=condition=Established --timeout=30s crd/servicemonitors.monitoring.coreos.com crd/prometheusrules.monitoring.coreos.com
    kubectl create namespace cosmoscmk-system
    until kubectl get servicemonitors,prometheusrules -A >/dev/null 2>&1; do sleep 0.2; done
    kubectl apply --validate=strict -f "$work/overlay.yaml"
}
if command -v go >/dev/null; then
    shows "the Prometheus operator's CRDs accept the objects" 'prometheusrule.monitoring.coreos.com/cosmoscmk created' accepted_by_the_operator
else
    echo "SKIPPED: the Prometheus operator's CRDs come with its Go module, and there is no Go" >&2
    [ -z "${CI-}" ] || exit 1
fi
verdict
