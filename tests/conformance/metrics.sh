#!/usr/bin/env bash
# metrics.sh [BUILD_DIR]: what the controller exposes after an encryption is what promtool calls clean.
# Where promtool cannot be had (hack/promtool.sh) the test is skipped, and says so; with CI in the environment that is a failure.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$(cd "${1:-$root/build/asan-ubsan}" && pwd)
readonly TENANT=00000000-0000-0000-0000-00000000000a
readonly CLIENT=00000000-0000-0000-0000-00000000000b
readonly ACCOUNTS=/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/demo/providers/Microsoft.DocumentDB/databaseAccounts

work=$(mktemp -d)
pids=()
cleanup() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

die() { printf 'metrics: %s\n' "$*" >&2; exit 1; }

await() { # WHAT LOG COMMAND...
    local what=$1 log=$2
    shift 2
    for _ in $(seq 600); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.1
    done
    tail -n 20 "$log" >&2
    die "$what; the end of the log is above"
}

start() { # NAME COMMAND...
    local name=$1
    shift
    "$@" >"$work/$name.log" 2>&1 &
    pids+=($!)
}

api() { kubectl --kubeconfig "$work/kubeconfig" "$@"; }

port() { sed -n 's/.*"msg":"serving metrics".*"port":\([0-9]*\).*/\1/p' "$work/controller.log" | grep .; }

is_encrypted() {
    [ "$(api get ccmk orders -o 'jsonpath={.status.conditions[?(@.type=="Ready")].reason}')" = Encrypted ]
}

for program in controller/cosmoscmk tests/fakes/fake-azure tests/fakes/fake-apiserver; do
    [ -x "$build/$program" ] || die "there is no $build/$program; build first, or name the build folder"
done
"$root/hack/deps.sh" test
promtool=$("$root/hack/promtool.sh")
cat >"$work/accounts.json" <<JSON
{"accounts": [{"name": "demo-orders", "subscription": "00000000-0000-0000-0000-000000000001", "resourceGroup": "demo",
 "location": "West Europe", "backupPolicy": "Periodic"}]}
JSON
start azure "$build/tests/fakes/fake-azure" --tls-dir "$work/azure" --ready-file "$work/azure.url" --accounts "$work/accounts.json" \
    --tenant $TENANT --client-id $CLIENT --client-secret conformance-secret --encrypt-seconds 0.4 --enqueued-seconds 0.1
start api "$build/tests/fakes/fake-apiserver" --tls-dir "$work/api" --ready-file "$work/api.url" --kubeconfig-out "$work/kubeconfig"
await 'fake-azure did not start' "$work/azure.log" test -s "$work/azure.url"
await 'fake-apiserver did not start' "$work/api.log" test -s "$work/api.url"
api apply -f "$root/crd/cosmoscmk.yaml" >/dev/null
url=$(cat "$work/azure.url")
export AZURE_TENANT_ID=$TENANT AZURE_CLIENT_ID=$CLIENT AZURE_CLIENT_SECRET=conformance-secret
start controller "$build/controller/cosmoscmk" controller --kubeconfig "$work/kubeconfig" --arm-endpoint "$url" --authority-host "$url" \
    --azure-ca-file "$work/azure/ca.pem" --probe-address '' --poll-min 100ms --poll-max 300ms --log-format json \
    --metrics-address 127.0.0.1:0 --metrics-insecure
api apply -f - >/dev/null <<YAML
apiVersion: cosmoscmk.io/v1
kind: CosmosCMK
metadata: {name: orders}
spec:
  accountId: $ACCOUNTS/demo-orders
  keyVaultKeyUri: https://demo-vault.vault.azure.net/keys/cosmos
  preflight: {keyVault: Skip}
YAML
await 'the account was not encrypted' "$work/controller.log" is_encrypted
await 'no metrics are served' "$work/controller.log" port

curl -sSf --noproxy '*' "http://127.0.0.1:$(port)/metrics" -o "$work/metrics"
grep -q '^cosmoscmk_resources{phase="Ready",reason="Encrypted"} 1$' "$work/metrics" || die "the metrics do not show the encryption"
"$promtool" check metrics <"$work/metrics" || die "promtool complains; see above"
! printf 'not_counted{} 1\n# TYPE x counter\nx 1\n' | "$promtool" check metrics >/dev/null 2>&1 || die "promtool finds nothing wrong with what is wrong"
printf 'ok: %d families, %d series\n' "$(grep -c '^# TYPE' "$work/metrics")" "$(grep -vc '^#' "$work/metrics")"
