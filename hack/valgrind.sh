#!/usr/bin/env bash
# valgrind.sh [BUILD]: one controller under valgrind's memcheck, from its start over whole encryptions to a clean stop.
#
# The three samples reach their ends, one of them in three steps; then another key, a resource that is invalid, one that is deleted during its
# operation, answers that are lost, a watch that ends with 410, scrapes of the metrics with and without the right to. An error of memory, or a
# block that nobody can reach any more, fails the run. BUILD (default: preset release, built first) has to be one without sanitizers.
set -euo pipefail
cd "$(dirname "$0")/.."

./hack/deps.sh build test valgrind
if [ -n "${1-}" ]; then
    build=$(cd "$1" && pwd)
else
    build=$PWD/build/release
    cmake --preset release >/dev/null
    cmake --build --preset release --target cosmoscmk fake-azure fake-apiserver >/dev/null
fi
readonly WAIT_S=240 BROKEN=99
work=$(mktemp -d)
pids=()
clean_up() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

die() {
    printf 'valgrind.sh: %s\n' "$*" >&2
    tail -n 15 "$work/controller.log" >&2 || true
    cat "$work"/valgrind.* >&2 || true
    exit 1
}
await() { # WHAT COMMAND...
    local deadline=$((SECONDS + WAIT_S)) what=$1
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || die "never: $what"
        sleep 0.3
    done
}

# --- the servers ---

"$build/tests/fakes/fake-azure" --parent-death --tls-dir "$work/azure" --ready-file "$work/azure.url" \
    --accounts tests/fakes/demo-accounts.json --client-id 00000000-0000-0000-0000-00000000000b --client-secret valgrind >"$work/azure.log" 2>&1 &
pids+=($!)
"$build/tests/fakes/fake-apiserver" --parent-death --tls-dir "$work/api" --ready-file "$work/api.url" \
    --kubeconfig-out "$work/kubeconfig" >"$work/api.log" 2>&1 &
pids+=($!)
await 'the fakes listen' test -s "$work/azure.url" -a -s "$work/api.url"
azure=$(cat "$work/azure.url") api=$(cat "$work/api.url")
export KUBECONFIG=$work/kubeconfig
on_azure() { curl -sS --fail --cacert "$work/azure/ca.pem" "$azure$1" "${@:2}"; }
on_api() { curl -sS --fail --cacert "$work/api/ca.pem" "$api$1" "${@:2}"; }
kubectl apply -f crd/cosmoscmk.yaml >/dev/null
kubectl wait --for=condition=Established --timeout=60s crd/cosmoscmks.cosmoscmk.io >/dev/null

# --- the controller ---

export AZURE_TENANT_ID=00000000-0000-0000-0000-00000000000a AZURE_CLIENT_ID=00000000-0000-0000-0000-00000000000b AZURE_CLIENT_SECRET=valgrind
valgrind --leak-check=full --show-leak-kinds=definite,indirect --errors-for-leak-kinds=definite --error-exitcode=$BROKEN --track-fds=no \
    --num-callers=25 --fair-sched=yes --log-file="$work/valgrind.log" \
    "$build/controller/cosmoscmk" controller --kubeconfig "$KUBECONFIG" --namespace default --arm-endpoint "$azure" --authority-host "$azure" \
    --azure-ca-file "$work/azure/ca.pem" --probe-address '' --metrics-address 127.0.0.1:0 --leader-elect-namespace default \
    --leader-elect-lease-duration 300s --leader-elect-renew-deadline 240s --poll-min 500ms --poll-max 1s --settle 2s --resync 2s --recheck 2s --retry-min 200ms --retry-max 1s --log-level debug --log-format json \
    >"$work/controller.log" 2>&1 &
controller=$!
pids+=("$controller")

reason() { # NAME
    kubectl get ccmk "$1" -o json | jq -r 'select(.metadata.generation == .status.observedGeneration) | .status.conditions[] | select(.type == "Ready").reason'
}
is() { [ "$(reason "$1")" = "$2" ]; }

on_azure /fake/faults -d '[
    {"match": {"method": "PATCH", "nth": 2}, "action": {"status": 504, "commit": true}},
    {"match": {"method": "GET", "pathContains": "databaseAccounts", "nth": 4, "count": 2}, "action": {"cut": "after"}},
    {"match": {"pathContains": "operationsStatus", "nth": 3}, "action": {"status": 429, "retryAfter": 1}}]'
on_api /fake/faults -d '{"match": {"method": "PATCH", "pathContains": "/status", "nth": 5}, "action": {"status": 409}}'
kubectl apply -f deploy/samples >/dev/null
await 'orders is encrypted' is orders Encrypted
await 'ledger is encrypted' is ledger Encrypted
await 'legacy is refused' is legacy UnsupportedAccount

# An invalid resource, a key change, and one that goes during its operation.
sed 's|^  accountId:.*|  accountId: demo-orders|; s|^  name:.*|  name: invalid|' deploy/samples/periodic.yaml | kubectl apply -f - >/dev/null
await 'the invalid resource is refused' is invalid InvalidSpec
on_api /fake/compact -X POST
on_api '/fake/drop-watches?gone=true' -X POST
kubectl patch ccmk orders --type merge -p '{"spec": {"keyVaultKeyUri": "https://demo-vault.vault.azure.net/keys/other"}}' >/dev/null
jq -c '.resources[] | select(.id | test("/keys/cosmos$")) | .id |= sub("cosmos$"; "other") | .properties.keyUri |= (. // "" | sub("cosmos$"; "other"))' \
    tests/fakes/demo-accounts.json | while read -r key; do on_azure /fake/resources -X PUT -d "$key"; done
await 'orders has another key on its way' sh -c "curl -sS --cacert '$work/azure/ca.pem' '$azure/fake/accounts/demo-orders' | grep -q keys/other"
kubectl delete ccmk orders >/dev/null

# --- metrics ---

port=$(jq -r 'select(.msg == "serving metrics").port' "$work/controller.log")
scrape() { # TOKEN: prints the status
    curl -sS -k --max-time 60 -o "$work/metrics" -w '%{http_code}' -H "Authorization: Bearer $1" "https://127.0.0.1:$port/metrics"
}
apply() { kubectl create "$@" --dry-run=client -o json | kubectl apply -f - >/dev/null; }
apply serviceaccount scraper
apply clusterrole metrics --verb=get --non-resource-url=/metrics
apply clusterrolebinding metrics --clusterrole=metrics --serviceaccount=default:scraper
token=$(on_api /api/v1/namespaces/default/serviceaccounts/scraper/token -H 'Content-Type: application/json' \
    -d '{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}' | jq -r .status.token)
[ "$(scrape nobody)" = 401 ] || die 'metrics for nobody'
[ "$(scrape "$token")" = 200 ] || die 'no metrics for the scraper'
grep -q '^cosmoscmk_' "$work/metrics" || die 'the metrics are not there'

# --- the end ---

kill -TERM "$controller"
status=0
wait "$controller" || status=$?
grep -E 'ERROR SUMMARY|in use at exit|definitely lost|suppressed:' "$work/valgrind.log" | sed 's/^==[0-9]*== *//'
[ "$status" != $BROKEN ] || die 'valgrind has found something'
[ "$status" = 0 ] || die "the controller ended with $status"
# A run under valgrind that valgrind did not see is none.
grep -q 'ERROR SUMMARY: 0 errors' "$work/valgrind.log" || die 'no summary of valgrind'
[ "$(on_azure '/fake/requests?method=PATCH' | jq '[.[] | select(.status == 200 or .status == 504)] | length')" = 5 ] || die 'not five changes'
printf 'passed after %d s\n' "$SECONDS"
