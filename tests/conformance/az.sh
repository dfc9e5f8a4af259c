#!/usr/bin/env bash
# az.sh VARIANT: what the az CLI does with fake-azure. Run by run.sh, which starts the fake and says in AZURE_… where it is.
#
# The fake is registered as a cloud. Its authority looks like AD FS, because for any other az asks a public host first whether to trust it.
# az has a profile of its own here and never sees the user's.
set -euo pipefail

variant=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export AZURE_CONFIG_DIR=$AZURE_PROFILE REQUESTS_CA_BUNDLE=$AZURE_CA AZURE_CORE_COLLECT_TELEMETRY=no AZURE_CORE_NO_COLOR=yes
export AZURE_CORE_ONLY_SHOW_ERRORS=yes AZURE_CORE_OUTPUT=json NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
readonly KEY=https://conformance-vault.vault.azure.net/keys/cosmos
readonly GROUP=conformance
readonly PATH_OF_GROUP=/subscriptions/$AZURE_SUBSCRIPTION/resourceGroups/$GROUP/providers/Microsoft.DocumentDB/databaseAccounts
readonly DEFAULT_POLL_MS=30000 # az's own, when there is no Retry-After
failed=0

verdict() { # NAME WHY: WHY is "" when all is well
    if [ -z "$2" ]; then
        printf 'ok - az: %s\n' "$1"
    else
        printf 'not ok - az: %s: %s\n' "$1" "$(tr '\n' ' ' <<<"$2")"
        failed=1
    fi
}

cosmosdb() { "$AZ" cosmosdb "$@" >"$work/out" 2>"$work/err"; }

shows() { # NAME JQ_FILTER: the filter is true of what az printed last
    if [ -s "$work/out" ] && jq -e "$2" "$work/out" >/dev/null 2>&1; then
        verdict "$1" ''
    else
        verdict "$1" "$2 is not so; az said: $(head -c 2000 "$work/out")$(head -c 2000 "$work/err")"
    fi
}

refused() { # NAME TEXT ARGS...: the command fails, and the text is in what az says
    local name=$1 text=$2
    shift 2
    if cosmosdb "$@"; then
        verdict "$name" 'it succeeded'
    elif grep -qF "$text" "$work/err"; then
        verdict "$name" ''
    else
        verdict "$name" "expected \"$text\", az said: $(head -c 2000 "$work/err")"
    fi
}

read_journal() { # ACCOUNT: what was asked about it and about operations
    curl --silent --show-error --fail --cacert "$AZURE_CA" "$AZURE_URL/fake/requests" |
        jq --arg account "$1" '[.[] | select(.path | (endswith("/" + $account) or contains("/operationsStatus/") or contains("/operationResults/")))]' \
            >"$work/out"
    : >"$work/err"
}

log_in() {
    "$AZ" cloud register --name fake --endpoint-resource-manager "$AZURE_URL" --endpoint-management "$AZURE_URL" \
        --endpoint-active-directory "$AZURE_URL/adfs" --endpoint-active-directory-resource-id "$AZURE_URL" \
        --endpoint-active-directory-graph-resource-id "$AZURE_URL" --suffix-keyvault-dns .vault.azure.net
    "$AZ" cloud set --name fake
    # The tenant has to be a GUID here: az resolves any other below the authority, which has no tenants.
    if "$AZ" login --service-principal --username "$AZURE_CLIENT" --password "$AZURE_SECRET" --tenant "$AZURE_TENANT" \
        >"$work/out" 2>"$work/err"; then
        shows 'a service principal logs in and finds its subscription' "map(.id) == [\"$AZURE_SUBSCRIPTION\"]"
    else
        verdict 'a service principal logs in' "$(cat "$work/err")"
        exit 1
    fi
}

reads() {
    cosmosdb list || true
    shows 'all accounts of a subscription are listed' \
        'map(.name) | sort == ["conformance-az", "conformance-cassandra", "conformance-data", "conformance-failing", "conformance-sdk"]'
    cosmosdb list --resource-group conformance-data || true
    shows 'the accounts of a resource group are listed' 'map(.name) == ["conformance-data"]'
    cosmosdb show --resource-group "$GROUP" --name conformance-az || true
    shows 'an account without a key is shown' \
        '.keyVaultKeyUri == null and .provisioningState == "Succeeded" and .kind == "GlobalDocumentDB" and
         .defaultIdentity == "FirstPartyIdentity" and .backupPolicy.type == "Periodic" and (.locations | length) == 1'
    cosmosdb show --resource-group "$GROUP" --name conformance-cassandra || true
    shows 'capabilities are shown' '.capabilities == [{"name": "EnableCassandra"}]'
    refused 'an account that does not exist is said not to' '(ResourceNotFound) The Resource' \
        show --resource-group "$GROUP" --name conformance-absent
}

is_refused() {
    refused 'the Cassandra account is refused, with code and message' '(BadRequest)' \
        update --resource-group "$GROUP" --name conformance-cassandra --key-uri "$KEY"
    refused 'a key with a version is refused, with the text of Azure' \
        '(BadRequest) Please provide KeyVault Key Uri without version. We will use latest version of the key' \
        update --resource-group "$GROUP" --name conformance-az --key-uri "$KEY/0123456789abcdef0123456789abcdef"
    [ "$variant" = other ] || return 0 # without Retry-After az waits half a minute to find out
    refused 'an operation that fails shows its own code and message' \
        '(InternalServerError) Unexpected error on document scan for CMK Migration.' \
        update --resource-group "$GROUP" --name conformance-failing --key-uri "$KEY"
}

sets_the_key() {
    local least=$DEFAULT_POLL_MS
    [ "$variant" != other ] || least=1000
    curl --silent --fail --cacert "$AZURE_CA" --request DELETE "$AZURE_URL/fake/requests" >/dev/null
    cosmosdb update --resource-group "$GROUP" --name conformance-az --key-uri "$KEY" || true
    shows 'update --key-uri ends with the key set' ".keyVaultKeyUri == \"$KEY\" and .provisioningState == \"Succeeded\""
    cosmosdb show --resource-group "$GROUP" --name conformance-az || true
    shows 'and so it stays' ".keyVaultKeyUri == \"$KEY\" and .provisioningState == \"Succeeded\""

    read_journal conformance-az
    shows 'there was one PATCH, with the key, apiProperties that say nothing, and nothing else' \
        "map(select(.method == \"PATCH\")) | length == 1 and .[0].status == 200 and .[0].path == \"$PATH_OF_GROUP/conformance-az\" and
         (.[0].body | fromjson | .properties.apiProperties |= map_values(values)) ==
         {properties: {keyVaultKeyUri: \"$KEY\", apiProperties: {}}}"
    shows 'the account was read before, the operation after it, then the account' \
        'map(if .method == "PATCH" then "patch" elif (.path | contains("/operationsStatus/")) then "poll" else "get" end) |
         join(" ") | test("^(get )+patch( poll){2,}( get)+$")'
    shows 'the URL of the operation came back unchanged' 'all(.status == 200)'
    shows "polls were $((least / 1000)) s apart" \
        "map(select(.path | contains(\"/operationsStatus/\")) | .time) | [.[1:], .[:-1]] | transpose | map(.[0] - .[1]) | all(. >= $least - 50)"
    shows 'all went by one api-version' '[.[].query | capture("api-version=(?<v>[^&]*)").v] | unique | length == 1'
    jq -r '"# az asked with \(.[0].query | split("&")[0]) for \(map(select(.method == "PATCH"))[0].body)"' "$work/out"
}

log_in
reads
is_refused
sets_the_key
exit "$failed"
