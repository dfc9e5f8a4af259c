#!/usr/bin/env bash
# rbac.sh BUILD: the controller does its work with the rights of deploy/ and nothing else, and needs every one of them.
#
# On a real API server that keeps an audit log, deploy/ is applied and the controller of BUILD is started with the Deployment's own arguments
# and a token of its ServiceAccount as its only credential. It takes the samples to their end on fake-azure; what is rare is provoked
# besides: a status that changes under a running request, an event that repeats, somebody who reads the metrics. Then the log is compared
# with the rules of all roles that are bound to the ServiceAccount in the manifests: no request was refused, none was allowed for another
# reason, and no rule stayed unused.

set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=tests/e2e/lib.sh
. ./lib.sh

need_assets 'the check of the rights'
build=$1
readonly SYSTEM=cosmoscmk-system ACCOUNT=cosmoscmk DEADLINE_S=90
readonly TENANT=00000000-0000-0000-0000-00000000000a CLIENT=00000000-0000-0000-0000-00000000000b
work=$(mktemp -d)
pids=()

clean_up() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    ./apiserver.sh stop "$work/api" || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

give_up() { # WHY [LOG]
    printf 'rbac.sh: %s\n' "$1" >&2
    [ -z "${2-}" ] || tail -n 30 "$2" >&2
    exit 1
}

await() { # WHAT COMMAND...
    local what=$1 deadline=$((SECONDS + DEADLINE_S))
    shift
    until "$@" >/dev/null 2>&1; do
        [ -z "${controller-}" ] || kill -0 "$controller" 2>/dev/null || give_up "the controller ended before: $what" "$work/controller.log"
        ((SECONDS < deadline)) || give_up "not after $DEADLINE_S s: $what" "$work/controller.log"
        sleep 0.2
    done
}

# --- the servers ---

start_apiserver() {
    cat >"$work/audit.yaml" <<YAML
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
  - level: Metadata
    users: ["system:serviceaccount:$SYSTEM:$ACCOUNT"]
  - level: None
YAML
    APISERVER_FLAGS="--feature-gates=WatchList=false --audit-policy-file=$work/audit.yaml --audit-log-path=$work/audit.log" ./apiserver.sh start "$work/api"
    export KUBECONFIG=$work/api/kubeconfig
}

start_azure() {
    "$build/tests/fakes/fake-azure" --tls-dir "$work/azure" --ready-file "$work/azure.url" --accounts "$ROOT/tests/fakes/demo-accounts.json" \
        --client-id $CLIENT --client-secret demo-secret >"$work/azure.log" 2>&1 &
    pids+=($!)
    await 'fake-azure listens' test -s "$work/azure.url"
    azure=$(cat "$work/azure.url")
}

inspect() { curl -sS --fail --cacert "$work/azure/ca.pem" "$azure$1" "${@:2}"; }

# --- the controller ---

write_kubeconfig() { # TOKEN: the server and nothing but the token; the namespace is what a pod would find in its own file
    kubectl config view --raw -o json | jq --arg token "$1" --arg namespace $SYSTEM \
        '.users = [{name: "controller", user: {token: $token}}] |
         .contexts = [{name: "test", context: {cluster: "test", user: "controller", namespace: $namespace}}]' >"$work/controller.kubeconfig"
}

free_port() {
    local port
    while :; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    printf '%s\n' "$port"
}

start_controller() { # with the Deployment's arguments, but for the addresses, which are this machine's
    local args
    metrics=127.0.0.1:$(free_port)
    write_kubeconfig "$(kubectl --namespace $SYSTEM create token $ACCOUNT)"
    mapfile -t args < <(kubectl --namespace $SYSTEM get deployment cosmoscmk -o json |
        jq -r '.spec.template.spec.containers[0].args[]' | sed "s/^\(--metrics-address=\).*/\1$metrics/; s/^\(--probe-address=\).*/\1/")
    env -u KUBECONFIG AZURE_TENANT_ID=$TENANT AZURE_CLIENT_ID=$CLIENT AZURE_CLIENT_SECRET=demo-secret \
        "$build/controller/cosmoscmk" "${args[@]}" --kubeconfig "$work/controller.kubeconfig" --arm-endpoint "$azure" \
        --authority-host "$azure" --azure-ca-file "$work/azure/ca.pem" --poll-min 500ms --poll-max 1s --recheck 1s \
        2>>"$work/controller.log" &
    controller=$!
    pids+=("$controller")
}

# --- the work ---

reason_is() { # NAME REASON
    [ "$(kubectl get ccmk "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].reason}')" = "$2" ]
}

patched() { # ACCOUNT
    inspect "/fake/requests?method=PATCH&pathContains=$1" | jq -e 'length > 0'
}

does_its_work() {
    # The answer to the first change is late, and the resource changes meanwhile: its status cannot be written, the operation is recorded
    # by itself.
    inspect /fake/faults --data \
        '{"match": {"method": "PATCH", "pathContains": "demo-orders", "count": 1}, "action": {"delayMs": 3000}}' >/dev/null
    kubectl apply -f "$ROOT/deploy/samples" >/dev/null
    await 'the first change is sent' patched demo-orders
    kubectl annotate ccmk orders meanwhile=changed >/dev/null
    await 'orders is encrypted' reason_is orders Encrypted
    await 'ledger is encrypted' reason_is ledger Encrypted
    await 'legacy is refused' reason_is legacy UnsupportedAccount
    report ok 'with the token of its ServiceAccount it takes the samples to their end'
}

repeats_events() { # the same thing happens again: a series of one event
    local round
    for round in 1 2 3; do
        kubectl patch ccmk legacy --type merge -p '{"spec":{"suspend":true}}' >/dev/null
        await "legacy is suspended ($round)" reason_is legacy Suspended
        kubectl patch ccmk legacy --type merge -p '{"spec":{"suspend":false}}' >/dev/null
        await "legacy goes on ($round)" reason_is legacy UnsupportedAccount
    done
}

scrape() { # NAME WANTED_STATUS CURL_FLAGS...: the certificate is the controller's own, made at its start
    local name=$1 want=$2 verdict=not_ok
    shift 2
    ANSWER=$(curl -sS --insecure -o "$work/metrics" -w '%{http_code}' "https://$metrics/metrics" "$@" 2>&1) || true
    [ "$ANSWER" != "$want" ] || verdict=ok
    report "$verdict" "$name"
}

answers_scrapers() {
    kubectl --namespace $SYSTEM create serviceaccount scraper >/dev/null
    kubectl --namespace $SYSTEM create serviceaccount stranger >/dev/null
    kubectl create clusterrolebinding scraper --clusterrole cosmoscmk-metrics-reader --serviceaccount $SYSTEM:scraper >/dev/null
    scrape 'who has the role cosmoscmk-metrics-reader reads the metrics' 200 \
        -H "Authorization: Bearer $(kubectl --namespace $SYSTEM create token scraper)"
    scrape 'another ServiceAccount does not' 403 -H "Authorization: Bearer $(kubectl --namespace $SYSTEM create token stranger)"
    scrape 'nobody without a token does' 401
}

stops() {
    local status=0 verdict=not_ok
    kill "$controller"
    wait "$controller" || status=$?
    controller='' ANSWER="exit status $status; $(tail -n 20 "$work/controller.log")"
    [ $status != 0 ] || verdict=ok
    report $verdict 'it ends when told to'
}

# --- the log ---

# Every rule of every role that the manifests bind to the ServiceAccount, an "apiGroup resource verb" a line.
granted() {
    kubectl kustomize "$ROOT/deploy" >"$work/deploy.yaml"
    objects "$work/deploy.yaml" | jq -r --arg name $ACCOUNT --arg namespace $SYSTEM '
        . as $all | .[] | select(.kind == "ClusterRoleBinding" or .kind == "RoleBinding")
        | select(any(.subjects[]; .kind == "ServiceAccount" and .name == $name and .namespace == $namespace)) | .roleRef as $ref
        | $all[] | select(.kind == $ref.kind and .metadata.name == $ref.name) | .rules[]
        | .apiGroups[] as $group | .resources[] as $resource | .verbs[] | "\($group) \($resource) \(.)"' | sort -u
}

requests() { # FILTER: on audit events that have been judged
    jq -r "select(.annotations[\"authorization.k8s.io/decision\"]) | $1" "$work/audit.log" | sort -u
}
# shellcheck disable=SC2016 # $verb is jq's
resource_requests() { # as granted() has them
    requests 'select(.objectRef.resource) | .verb as $verb | .objectRef
        | "\(.apiGroup // "") \([.resource, .subresource // empty] | join("/")) \($verb)"'
}

judge() {
    granted >"$work/granted"
    resource_requests >"$work/used"
    if [ ! -s "$work/granted" ] || [ ! -s "$work/used" ]; then
        give_up 'there are no roles, or no requests in the audit log' "$work/controller.log"
    fi
    prints_nothing 'no request was refused' requests \
        'select(.annotations["authorization.k8s.io/decision"] != "allow") | "\(.verb) \(.requestURI): \(.annotations["authorization.k8s.io/reason"])"'
    prints_nothing 'every request is one that the roles name' comm -13 "$work/granted" "$work/used"
    prints_nothing 'every verb that the roles name was used' comm -23 "$work/granted" "$work/used"
}

start_apiserver
kubectl apply -k "$ROOT/deploy" >/dev/null
kubectl wait --for=condition=Established --timeout=30s crd/cosmoscmks.cosmoscmk.io >/dev/null
start_azure
start_controller
does_its_work
repeats_events
answers_scrapers
stops
judge
verdict
