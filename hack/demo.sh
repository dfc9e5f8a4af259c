#!/usr/bin/env bash
# demo.sh: installs what it needs, builds, and shows the main job on fakes: three accounts, from kubectl apply to the end.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'TEXT'
usage: ./hack/demo.sh [--keep]

Runs cosmoscmk against a fake Azure and a fake Kubernetes API server on loopback, applies deploy/samples with kubectl, shows what happens
until every account has ended as it should, and cleans up. Needs no Azure subscription and no cluster.

  --keep   leave everything running at the end, and say how to play with it; Ctrl-C ends it

With KUBEBUILDER_ASSETS set (see hack/envtest.sh) it uses the real kube-apiserver and etcd found there.
TEXT
}

keep=
case ${1-} in
'') ;;
--keep) keep=1 ;;
--help | -h) usage; exit 0 ;;
*) usage >&2; exit 2 ;;
esac

readonly DEADLINE_S=50
bold=$(tput bold 2>/dev/null || true) dim=$(tput dim 2>/dev/null || true) plain=$(tput sgr0 2>/dev/null || true)
[ -t 1 ] || bold='' dim='' plain=''
say() { printf '%s%s%s\n' "$bold" "$*" "$plain"; }
fail() { printf 'demo.sh: %s\n' "$*" >&2; exit 1; }

# --- build ---

./hack/deps.sh build test
work=$(mktemp -d)
say "Building"
if ! { cmake --preset release && cmake --build --preset release --target cosmoscmk fake-azure fake-apiserver; } >"$work/build.log" 2>&1; then
    cat "$work/build.log" >&2
    fail "the build failed; its output is above"
fi
bin=$PWD/build/release
export PATH=${KUBEBUILDER_ASSETS:+$KUBEBUILDER_ASSETS:}$PATH

# --- start ---

pids=()
cleanup() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    [ ! -e "$work/api/etcd.pid" ] || ./tests/e2e/apiserver.sh stop "$work/api" || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

await_file() { # FILE LOG
    for _ in $(seq 100); do
        [ ! -s "$1" ] || return 0
        sleep 0.1
    done
    cat "$2" >&2
    fail "a program did not start; its log is above"
}

"$bin/tests/fakes/fake-azure" --tls-dir "$work/azure" --ready-file "$work/azure.url" --accounts tests/fakes/demo-accounts.json \
    --client-id 00000000-0000-0000-0000-00000000000b --client-secret demo-secret \
    >"$work/azure.log" 2>&1 &
pids+=($!)
if [ -n "${KUBEBUILDER_ASSETS-}" ]; then
    server="kube-apiserver $("$KUBEBUILDER_ASSETS/kube-apiserver" --version | sed 's/.* //')"
    ./tests/e2e/apiserver.sh start "$work/api"
    kubeconfig=$work/api/kubeconfig
else
    server=fake-apiserver
    kubeconfig=$work/kubeconfig
    "$bin/tests/fakes/fake-apiserver" --tls-dir "$work/api" --ready-file "$work/api.url" --kubeconfig-out "$kubeconfig" \
        >"$work/api.log" 2>&1 &
    pids+=($!)
    await_file "$work/api.url" "$work/api.log"
fi
await_file "$work/azure.url" "$work/azure.log"
azure=$(cat "$work/azure.url")
export KUBECONFIG=$kubeconfig

say "Started fake-azure at $azure and $server"
say "$ kubectl apply -f crd/cosmoscmk.yaml"
kubectl apply -f crd/cosmoscmk.yaml
kubectl wait --for=condition=Established crd/cosmoscmks.cosmoscmk.io --timeout=20s >/dev/null

AZURE_TENANT_ID=00000000-0000-0000-0000-00000000000a AZURE_CLIENT_ID=00000000-0000-0000-0000-00000000000b \
    AZURE_CLIENT_SECRET=demo-secret "$bin/controller/cosmoscmk" controller --arm-endpoint "$azure" --authority-host "$azure" \
    --azure-ca-file "$work/azure/ca.pem" --probe-address '' --poll-min 500ms --poll-max 2s --log-format json \
    2>"$work/controller.log" &
controller=$!
pids+=("$controller")

say "$ kubectl apply -f deploy/samples"
kubectl apply -f deploy/samples
echo

# --- watch ---

columns='{range .items[*]}{.metadata.name}{"\t"}{.status.conditions[?(@.type=="Ready")].status}{"\t"}{.status.conditions[?(@.type=="Ready")].reason}{"\t"}{.status.operation.type}{"\t"}{.status.operation.state}{"\t"}{.status.conditions[?(@.type=="Ready")].message}{"\n"}{end}'
declare -A shown=() ended=()
started=$SECONDS
wanted='orders=Encrypted ledger=Encrypted legacy=UnsupportedAccount'

say "What happens, as the status of the resources says it:"
while [ ${#ended[@]} -lt 3 ]; do
    kill -0 "$controller" 2>/dev/null || { cat "$work/controller.log" >&2; fail "the controller ended; its log is above"; }
    [ $((SECONDS - started)) -lt $DEADLINE_S ] || { kubectl get ccmk -o yaml >&2; fail "not done after $DEADLINE_S s; the resources are above"; }
    # A tab is white space to read, which would merge empty columns: another separator is not.
    while IFS='|' read -r name ready reason type state message; do
        [ -n "$reason" ] || continue
        now="$reason $type $state"
        if [ "${shown[$name]-}" != "$now" ]; then
            shown[$name]=$now
            printf '%3ds  %s%-7s%s %-20s %s%s%s\n' $((SECONDS - started)) "$bold" "$name" "$plain" "$reason" "$dim" "$message" "$plain"
        fi
        case "$reason $ready" in
        'Encrypted True' | 'UnsupportedAccount False') ended[$name]=$reason ;;
        esac
    done < <(kubectl get ccmk -o jsonpath="$columns" | tr '\t' '|')
    sleep 0.3
done

echo
say "$ kubectl get ccmk"
kubectl get ccmk

# --- verify: the ends, and what Azure saw ---

for want in $wanted; do
    [ "${ended[${want%=*}]-}" = "${want#*=}" ] || fail "${want%=*} ended as ${ended[${want%=*}]-nothing}, not as ${want#*=}"
done
patches() { curl -sS --cacert "$work/azure/ca.pem" "$azure/fake/requests?method=PATCH"; }
echo
say "The changes that Azure received, each one thing and once:"
patches | jq -r '.. | objects | select(.method? == "PATCH") | "  \(.path | split("/") | last)  \(.body | if type == "string" then . else tojson end)"'
count=$(patches | jq '[.. | objects | select(.method? == "PATCH")] | length')
[ "$count" = 4 ] || fail "Azure received $count changes instead of 4"

echo
say "All three accounts ended as they should."
if [ -z "$keep" ]; then
    echo "To play with it: ./hack/demo.sh --keep"
    exit 0
fi
cat <<TEXT

Everything goes on running. In another terminal:

  export KUBECONFIG=$kubeconfig
  kubectl get ccmk
  kubectl describe ccmk ledger
  kubectl patch ccmk orders --type merge -p '{"spec":{"keyVaultKeyUri":"https://demo-vault.vault.azure.net/keys/other"}}'
  tail -f $work/controller.log
  curl --cacert $work/azure/ca.pem $azure/fake/requests       # what Azure saw

Ctrl-C here ends it.
TEXT
sleep infinity &
pids+=($!)
wait "${pids[-1]}"
