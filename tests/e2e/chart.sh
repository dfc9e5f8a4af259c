#!/usr/bin/env bash
# The Helm chart and the kustomize base are two ways to the same objects. Here the chart is rendered and compared with kustomize's output,
# object by object; its variants are rendered and looked at; and values that are wrong are refused with the schema's sentence.
#
# Nothing is applied, no server is asked (tests/e2e/deploy.sh does that).

set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=tests/e2e/lib.sh
. ./lib.sh

need_assets 'the comparison of chart and kustomize'
HELM=$("$ROOT/hack/helm.sh")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The oldest Kubernetes that the chart is for: helm assumes one of its own when there is no cluster to ask.
render() { "$HELM" template "${RELEASE:-cosmoscmk}" "$ROOT/deploy/chart" --namespace cosmoscmk-system --kube-version 1.33.0 "$@"; }

# What differs on purpose, and nothing else: Helm's own labels, the annotation that keeps the CRD, and the Namespace, which a chart leaves to
# helm install --create-namespace.
comparable() { # FILE
    objects "$1" | jq -S 'map(select(.kind != "Namespace")
        | del(.metadata.labels["helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/version"])
        | if .kind == "CustomResourceDefinition" then del(.metadata.annotations["helm.sh/resource-policy"]) else . end
        | if .metadata.annotations == {} then del(.metadata.annotations) else . end)
        | sort_by(.kind, .metadata.namespace, .metadata.name)'
}

same() { # NAME KUSTOMIZATION HELM_FLAGS...
    local name=$1 kustomization=$2
    shift 2
    if ! ANSWER=$({ kubectl kustomize "$ROOT/$kustomization" >"$work/kustomize.yaml" && render "$@" >"$work/helm.yaml"; } 2>&1); then
        report not_ok "$name"
        return
    fi
    comparable "$work/kustomize.yaml" >"$work/kustomize.json"
    comparable "$work/helm.yaml" >"$work/helm.json"
    [ "$(jq length "$work/helm.json")" -ge 15 ] || { ANSWER='suspiciously few objects' && report not_ok "$name" && return; }
    prints_nothing "$name" diff -u "$work/kustomize.json" "$work/helm.json"
}

renders() { # NAME JQ HELM_FLAGS...: the filter is true of the array of objects
    local name=$1 filter=$2
    shift 2
    if ANSWER=$({ render "$@" >"$work/variant.yaml"; } 2>&1) && objects "$work/variant.yaml" >"$work/variant.json" &&
        jq -e "def the(\$kind): map(select(.kind == \$kind)); def pod: the(\"Deployment\")[0].spec.template; $filter" "$work/variant.json" >/dev/null; then
        report ok "$name"
    else
        ANSWER+="not so: $filter"
        report not_ok "$name"
    fi
}

same 'with default values the chart is the kustomize base' deploy
same 'namespaces are the overlay namespaced' deploy/overlays/namespaced --set 'namespaces={payments}'
same 'workload identity is its overlay' deploy/overlays/workload-identity \
    --set workloadIdentity.enabled=true --set workloadIdentity.clientId=00000000-0000-0000-0000-000000000000
same 'monitoring is its overlay' deploy/overlays/monitoring --set monitoring.enabled=true

succeeds 'helm lint finds nothing' "$HELM" lint --strict --kube-version 1.33.0 "$ROOT/deploy/chart"
renders 'replicas, image, log level and further flags' \
    '.[0] and the("Deployment")[0].spec.replicas == 3 and (pod.spec.containers[0] | .image == "registry.example.com/cosmoscmk:1.2.3" and
        .args[-2:] == ["--log-level=debug", "--poll-max=5m"])' \
    --set replicas=3 --set image.repository=registry.example.com/cosmoscmk --set image.tag=1.2.3 --set logLevel=debug \
    --set 'args={--poll-max=5m}'
renders 'a digest takes the place of the tag' 'pod.spec.containers[0].image | endswith("/cosmoscmk@sha256:" + "0" * 64)' \
    --set image.repository=registry.example.com/cosmoscmk --set "image.digest=sha256:$(printf '0%.0s' {1..64})"
renders 'a Secret that is named must be there' \
    'pod.spec.containers[0].envFrom | map(select(.secretRef))[0].secretRef == {name: "azure-credentials"}' \
    --set azure.existingSecret=azure-credentials
renders 'variables that are no secret make a ConfigMap, and a change of them a new pod' \
    '(the("ConfigMap")[0].data == {"AZURE_TENANT_ID": "x"}) and (pod.metadata.annotations | has("checksum/azure"))' \
    --set azure.environment.AZURE_TENANT_ID=x
renders 'another cloud is a flag' 'pod.spec.containers[0].args | index("--cloud=china")' --set azure.cloud=china
renders 'each of several namespaces gets a Role and a flag, and there is no ClusterRole over CosmosCMKs' \
    '(the("Role") | map(.metadata.namespace) | sort == ["a", "b", "cosmoscmk-system"]) and
        (pod.spec.containers[0].args | contains(["--namespace=a", "--namespace=b"])) and
        (the("ClusterRole") | map(.metadata.name) | index("cosmoscmk") == null)' \
    --set 'namespaces={a,b}'
renders 'the user roles can be kept out of the standard ones' \
    'the("ClusterRole") | map(.metadata.labels | keys[] | select(contains("aggregate"))) == []' --set rbac.aggregate=false
renders 'the instance metadata service is reached only when asked for' \
    '[the("NetworkPolicy")[0].spec.egress[].to[]?.ipBlock.cidr] == ["169.254.169.254/32"]' --set networkPolicy.instanceMetadata=true
renders 'the CRD, the policy and the budget can be left out' \
    '(the("CustomResourceDefinition") + the("NetworkPolicy") + the("PodDisruptionBudget")) == []' \
    --set crd.install=false --set networkPolicy.enabled=false --set podDisruptionBudget.enabled=false
RELEASE=second renders 'two releases share no name, and the Lease keeps its own' \
    '(map(select(.kind != "CustomResourceDefinition") | .metadata.name | select(startswith("second-cosmoscmk") | not)) == []) and
        (the("Role")[0].rules[1].resourceNames == ["cosmoscmk"])'

bad() { # NAME FRAGMENT HELM_FLAGS...
    local name=$1 fragment=$2
    shift 2
    refused "refused: $name" "$fragment" render "$@"
}

bad 'a value that does not exist' "additional properties 'replcas' not allowed" --set replcas=3
bad 'a negative number of replicas' "at '/replicas': minimum: got -1, want 0" --set replicas=-1
bad 'replicas as a word' "at '/replicas': got string, want integer" --set-string replicas=two
bad 'a secret among the variables' "invalid propertyName 'AZURE_CLIENT_SECRET'" --set azure.environment.AZURE_CLIENT_SECRET=x
bad 'variables of others' "invalid propertyName 'LD_PRELOAD'" --set azure.environment.LD_PRELOAD=x
bad 'workload identity without a client id' "at '/workloadIdentity/clientId': '' does not match pattern" --set workloadIdentity.enabled=true
bad 'an unknown cloud' "at '/azure/cloud': value must be one of 'public', 'china', 'usgov'" --set azure.cloud=mars
bad 'a namespace that is no name' "at '/namespaces/0': 'a_b' does not match pattern" --set 'namespaces={a_b}'
bad 'a flag without dashes' "at '/args/0': 'poll' does not match pattern" --set 'args={poll}'
bad 'a digest that is none' "at '/image/digest': 'latest' does not match pattern" --set image.digest=latest
bad 'a scrape interval without a unit' "at '/monitoring/interval': '30' does not match pattern" --set-string monitoring.interval=30
bad 'an old Kubernetes' 'chart requires kubeVersion: >= 1.33.0-0' --kube-version 1.29.0

verdict
