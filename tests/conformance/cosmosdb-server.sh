#!/usr/bin/env bash
# cosmosdb-server.sh BUILD_DIR: compares fake-azure's gateway with software that other people wrote.
#
# 1. The unmodified SDK (@azure/cosmos) lists and queries an account of fake-azure: it signs by itself, so both sides of the
#    signature are checked against a third.
# 2. The scan finds the same offenders in @vercel/cosmosdb-server, filled through the SDK, as in fake-azure.
#
# Needs node, npm and the registry; both packages go into a temporary folder. What cosmosdb-server cannot show: it checks no
# signature, throttles nothing, never splits a range (there is one), has no empty pages and no 1004.
set -euo pipefail

build=$(cd "${1:?usage: cosmosdb-server.sh BUILD_DIR}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
for tool in node npm curl; do
    command -v "$tool" >/dev/null || { echo "SKIPPED: $tool is not here" >&2; exit 77; }
done

work=$(mktemp -d)
pids=()
end() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap end EXIT

await() {
    for _ in $(seq 300); do [ -s "$1" ] && return 0; sleep 0.1; done
    echo "$1 did not appear" >&2
    return 1
}

npm install --prefix "$work" --silent --no-audit --no-fund @azure/cosmos@4 @vercel/cosmosdb-server@1

cat >"$work/seed.json" <<'JSON'
[{"name": "same", "subscription": "00000000-0000-0000-0000-000000000001", "resourceGroup": "rg", "location": "West Europe",
  "data": {"databases": [{"id": "shop", "containers": [
    {"id": "carts", "documents": 60, "ranges": 3, "documentsPerPage": 7, "ids": [
      {"text": "a", "repeat": 990}, {"text": "b", "repeat": 991}, {"text": "🔑", "repeat": 248}, {"text": "ü", "repeat": 495},
      {"text": "ü", "repeat": 496}, {"text": "c", "repeat": 1000, "count": 3}]},
    {"id": "none"}, {"id": "Ü +%", "ids": [{"text": "d", "repeat": 1023}]}]}, {"id": "empty"}]}}]
JSON
"$build/tests/fakes/fake-azure" --tls-dir "$work/tls" --ready-file "$work/azure" --accounts "$work/seed.json" >"$work/azure.log" 2>&1 &
pids+=($!)
await "$work/azure"
azure=$(cat "$work/azure")
export NODE_EXTRA_CA_CERTS=$work/tls/ca.pem

ask() { curl --silent --show-error --fail --cacert "$work/tls/ca.pem" "$@"; }
field() { node -e 'process.stdout.write(JSON.parse(require("fs").readFileSync(0))[process.argv[1]])' "$1"; }
account="$azure/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.DocumentDB/databaseAccounts/same"
token=$(ask "$azure/00000000-0000-0000-0000-00000000000a/oauth2/v2.0/token" \
    --data "client_id=x&client_secret=y&grant_type=client_credentials&scope=https://management.azure.com/.default" | field access_token)
key=$(ask --request POST --header "Authorization: Bearer $token" --data '' "$account/readonlykeys?api-version=2025-10-15" |
    field primaryReadonlyMasterKey)

node "$here/sdk.js" "$work" read "$azure/cosmos/same/" "$key"

node "$here/sdk.js" "$work" serve "$work/other" &
pids+=($!)
await "$work/other"
other=$(cat "$work/other")
node "$here/sdk.js" "$work" fill "$other" "$key" "$work/seed.json"

scan() { "$build/tests/conformance/scan-probe" "$1" "$key" "$work/tls/ca.pem" "$2" >"$work/found" && grep ^offender "$work/found" | sort; }
scan "$azure/cosmos/same/" 1000 >"$work/by-azure"
for size in 1 3 1000; do
    scan "$other" "$size" >"$work/by-other"
    diff -u "$work/by-azure" "$work/by-other"
done
[ "$(wc -l <"$work/by-azure")" = 7 ] || { echo "expected 7 offenders:" >&2; cat "$work/by-azure" >&2; exit 1; }
echo "the SDK reads fake-azure, and the scan finds the same 7 documents in both servers"
