#!/usr/bin/env bash
# What a real API server makes of the installation: Helm, kustomize and the one file can be applied, a second time changes nothing, the
# pods satisfy the "restricted" Pod Security Standard, and the roles give what they say and nothing else.
#
# Starts a server of its own. Nothing runs pods or collects garbage there, so Deployments stay as they are applied, and PodSecurity is asked
# with a bare Pod made of the Deployment's template.

set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=tests/e2e/lib.sh
. ./lib.sh

need_assets 'the installation'
HELM=$("$ROOT/hack/helm.sh")
work=$(mktemp -d)
trap './apiserver.sh stop "$work/api"; rm -rf "$work"' EXIT
APISERVER_FLAGS=--allow-privileged=true ./apiserver.sh start "$work/api" # so that it is left to PodSecurity to refuse that
export KUBECONFIG=$work/api/kubeconfig HELM_CACHE_HOME=$work/helm HELM_CONFIG_HOME=$work/helm HELM_DATA_HOME=$work/helm
readonly SYSTEM=cosmoscmk-system CHART=$ROOT/deploy/chart

# --- Helm: install, upgrade, uninstall ---

chart() { "$HELM" upgrade --install cosmoscmk "$CHART" --namespace $SYSTEM --create-namespace "$@"; }
crd_has() { kubectl get crd cosmoscmks.cosmoscmk.io -o "jsonpath={.spec.names.shortNames}"; }

helm_way() {
    shows 'helm installs it' 'STATUS: deployed' chart
    shows 'helm upgrades it' 'REVISION: 2' chart --set replicas=3
    cp -R "$CHART" "$work/older"
    sed -i 's/shortNames: \[ccmk\]/shortNames: [old]/' "$work/older/files/cosmoscmk.yaml"
    succeeds 'a chart with an older CRD is there' "$HELM" upgrade cosmoscmk "$work/older" --namespace $SYSTEM
    shows 'its CRD is the older one' '["old"]' crd_has
    succeeds 'the chart is upgraded' chart
    shows 'and the CRD with it, which crds/ of a chart would not be' '["ccmk"]' crd_has
    kubectl apply -f "$ROOT/deploy/samples" >/dev/null
    shows 'helm uninstalls it' 'These resources were kept' "$HELM" uninstall cosmoscmk --namespace $SYSTEM
    shows 'the CRD and every CosmosCMK stay' 'cosmoscmk.cosmoscmk.io/orders' kubectl get cosmoscmks -o name
    prints_nothing 'nothing else stays' kubectl get \
        deployments,services,serviceaccounts,roles,rolebindings,networkpolicies,poddisruptionbudgets,clusterroles,clusterrolebindings \
        -A -l app.kubernetes.io/name=cosmoscmk -o name
}

# --- applied twice ---

# By resourceVersion and not by kubectl's word: it calls a PodDisruptionBudget "configured" each time, because the patch strategy of its
# selector is to replace it, and the server then finds nothing to change.
versions() { kubectl get "$@" -o 'jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\n"}{end}'; }
changed() { # kubectl's ARGS: which objects an apply changes
    versions "$@" >"$work/before"
    kubectl apply "$@" >/dev/null
    versions "$@" >"$work/after"
    [ -s "$work/before" ] && diff "$work/before" "$work/after"
}

rendered_chart() { "$HELM" template cosmoscmk "$CHART" --namespace $SYSTEM --kube-version 1.33.0 >"$work/chart.yaml"; }

applied() { # WHAT kubectl's ARGS...
    local what=$1
    shift
    succeeds "$what is applied" kubectl apply "$@"
    prints_nothing "$what applied again changes nothing" changed "$@"
    succeeds "$what passes a server-side dry run" kubectl apply --server-side --force-conflicts --dry-run=server "$@"
}

kubectl_way() {
    applied 'deploy/' -k "$ROOT/deploy"
    prints_nothing 'install.yaml is the same' changed -f "$ROOT/deploy/install.yaml"
    applied 'the rendered chart' -f "$work/chart.yaml"
    succeeds 'deploy/ again' kubectl apply -k "$ROOT/deploy"
    applied 'the overlay workload-identity' -k "$ROOT/deploy/overlays/workload-identity"
}

# --- Pod Security ---

pod_of() { # PATCH: the Deployment's pod, changed by a jq filter
    kubectl --namespace $SYSTEM get deployment cosmoscmk -o json | jq '{apiVersion: "v1", kind: "Pod",
        metadata: ({name: "judged"} + (.spec.template.metadata | {labels, annotations})), spec: .spec.template.spec}'" | $1"
}
admit() { pod_of "$1" | kubectl --namespace $SYSTEM create --dry-run=server -f -; }

violates() { # NAME FRAGMENT JQ
    refused "Pod Security refuses $1" 'violates PodSecurity "restricted' admit "$3"
    [[ $ANSWER == *"$2"* ]] || report not_ok "Pod Security refuses $1 because of \"$2\""
}

pod_security() {
    shows 'the namespace enforces the restricted standard' restricted \
        kubectl get namespace $SYSTEM -o 'jsonpath={.metadata.labels.pod-security\.kubernetes\.io/enforce}'
    shows 'the pod is admitted' 'pod/judged created' admit .
    [[ $ANSWER != *Warning* ]] || report not_ok 'the pod is admitted without a warning'
    violates 'a privileged one' privileged '.spec.containers[0].securityContext.privileged = true | del(.spec.containers[0].securityContext.allowPrivilegeEscalation)'
    violates 'one that may become root' runAsNonRoot 'del(.spec.securityContext.runAsNonRoot)'
    violates 'one that is root' runAsUser=0 '.spec.securityContext.runAsUser = 0'
    violates 'one that may escalate' allowPrivilegeEscalation 'del(.spec.containers[0].securityContext.allowPrivilegeEscalation)'
    violates 'one that keeps capabilities' capabilities 'del(.spec.containers[0].securityContext.capabilities)'
    violates 'one without seccomp' seccompProfile 'del(.spec.securityContext.seccompProfile)'
    violates 'one on the host network' hostNetwork '.spec.hostNetwork = true'
}

# --- who may what ---

may() { # yes|no WHO ARGS...
    local want=$1 who=$2 verdict=not_ok
    shift 2
    ANSWER=$(kubectl auth can-i --as="$who" "$@" 2>&1) || true
    if [ "$(tail -n 1 <<<"$ANSWER")" = "$want" ]; then verdict=ok; fi
    report "$verdict" "$want: ${who##*:} may $*"
}

# The aggregation itself is a controller's work, and none runs here: the label is what that one looks for.
aggregated() { # STANDARD_ROLE
    kubectl get clusterrole -o name -l "$(kubectl get clusterrole "$1" -o json |
        jq -r '.aggregationRule.clusterRoleSelectors[0].matchLabels | to_entries[] | "\(.key)=\(.value)"')"
}

roles() {
    local controller=system:serviceaccount:$SYSTEM:cosmoscmk role
    may yes "$controller" watch cosmoscmks -A
    may yes "$controller" patch cosmoscmks --subresource=status -n payments
    may yes "$controller" create events.events.k8s.io -n payments
    may yes "$controller" patch leases.coordination.k8s.io/cosmoscmk -n $SYSTEM
    may yes "$controller" create tokenreviews.authentication.k8s.io
    may no "$controller" update cosmoscmks -n payments
    may no "$controller" delete cosmoscmks -n payments
    may no "$controller" get secrets -n $SYSTEM
    may no "$controller" create pods -n $SYSTEM
    may no "$controller" patch leases.coordination.k8s.io/other -n $SYSTEM
    may no "$controller" patch leases.coordination.k8s.io/cosmoscmk -n kube-system
    may no "$controller" get /metrics

    for role in admin editor viewer; do
        kubectl create rolebinding "$role" --namespace payments --clusterrole "cosmoscmk-$role" --user "$role" >/dev/null
    done
    may yes viewer watch cosmoscmks -n payments
    may no viewer create cosmoscmks -n payments
    may yes editor patch cosmoscmks -n payments
    may no editor patch cosmoscmks --subresource=status -n payments
    may no editor deletecollection cosmoscmks -n payments
    may yes admin deletecollection cosmoscmks -n payments
    may no admin patch cosmoscmks --subresource=status -n payments
    may no admin get cosmoscmks -n default
    shows 'who may view a namespace sees CosmosCMKs' cosmoscmk-viewer aggregated view
    shows 'who may edit a namespace edits them' cosmoscmk-editor aggregated edit
    shows 'who administers it administers them' cosmoscmk-admin aggregated admin
}

namespaced() {
    local controller=system:serviceaccount:$SYSTEM:cosmoscmk
    kubectl delete clusterrole,clusterrolebinding cosmoscmk >/dev/null
    applied 'the overlay namespaced' -k "$ROOT/deploy/overlays/namespaced"
    may yes "$controller" watch cosmoscmks -n payments
    may yes "$controller" patch cosmoscmks --subresource=status -n payments
    may no "$controller" watch cosmoscmks -n default
    may no "$controller" create events.events.k8s.io -n default
    may yes "$controller" create tokenreviews.authentication.k8s.io
}

rendered_chart
helm_way
kubectl create namespace payments >/dev/null
kubectl_way
pod_security
roles
namespaced
verdict
