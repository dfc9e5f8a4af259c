#!/usr/bin/env bash
# What the API server makes of CosmosCMK manifests: each mistake is refused with the sentence meant for it, and nothing valid is refused.
#
# It runs against the server of $KUBECONFIG with the kubectl in PATH (a real server: a fake does not evaluate the rules), applies the CRD
# and the samples, and then tries one change per row of the tables below. All tries are dry runs, so no row sees what another did. With
# SHOW_TEXTS=1 it also prints what people get to read.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly ROOT
readonly NAMESPACE=cosmoscmk-admission
readonly SUBSCRIPTION=/subscriptions/00000000-0000-0000-0000-000000000001
readonly GROUP=$SUBSCRIPTION/resourceGroups/demo
readonly ACCOUNTS=$GROUP/providers/Microsoft.DocumentDB/databaseAccounts
readonly IDENTITIES=$GROUP/providers/Microsoft.ManagedIdentity/userAssignedIdentities
readonly VAULTS=$GROUP/providers/Microsoft.KeyVault/vaults

# --- machinery ---

PASSED=0 FAILED=0 ANSWER=

report() { # ok|not_ok NAME: ANSWER is shown when it is not ok
    if [[ $1 == ok ]]; then
        PASSED=$((PASSED + 1))
        printf 'ok %d - %s\n' $((PASSED + FAILED)) "$2"
    else
        FAILED=$((FAILED + 1))
        printf 'not ok %d - %s\n' $((PASSED + FAILED)) "$2"
        printf '%s\n' "$ANSWER" | sed 's/^/#   /'
    fi
}

in_namespace() { kubectl --namespace "$NAMESPACE" "$@"; }

attempt() { # create|update MERGE_PATCH: tries the sample "orders" with the patch, new or over the one that is there
    case $1 in
        create) kubectl patch --local -f "$ROOT/deploy/samples/periodic.yaml" --type merge -p "$2" -o json |
            sed 's/"name": "orders"/"name": "new"/' | in_namespace create --dry-run=server -o json -f - ;;
        update) in_namespace patch cosmoscmk orders --type merge -p "$2" --dry-run=server -o json ;;
    esac 2>&1
}

refused() { # create|update NAME MERGE_PATCH FRAGMENT [FRAGMENT_OF_AN_OLD_CLIENT]: kubectl before 1.25 checks required fields itself
    local verdict=not_ok
    if ! ANSWER=$(attempt "$1" "$3") && [[ $ANSWER == *"$4"* || $ANSWER == *"${5:-$4}"* ]]; then verdict=ok; fi
    report $verdict "$1 is refused: $2"
    [[ -z ${SHOW_TEXTS-} ]] || printf '%s\n' "$ANSWER" | sed 's/^/    /'
}

accepted() { # create|update NAME MERGE_PATCH
    local verdict=not_ok
    if ANSWER=$(attempt "$1" "$3"); then verdict=ok; fi
    report $verdict "$1 is accepted: $2"
}

shows() { # NAME FRAGMENT COMMAND...: the command succeeds and its output has the fragment
    local name=$1 fragment=$2 verdict=not_ok
    shift 2
    if ANSWER=$("$@" 2>&1) && [[ $ANSWER == *"$fragment"* ]]; then verdict=ok; fi
    report $verdict "$name"
}

prints_nothing() { # NAME COMMAND...
    local name=$1 verdict=not_ok
    shift
    if ANSWER=$("$@" 2>&1) && [[ -z $ANSWER ]]; then verdict=ok; fi
    report $verdict "$name"
}

spec() { printf '{"spec":{%s}}' "$1"; }
account() { spec "\"accountId\":\"$1\""; }
key() { spec "\"keyVaultKeyUri\":\"$1\""; }
identity() { spec "\"defaultIdentity\":\"$1\""; }
vault() { spec "\"keyVaultId\":\"$1\""; }
window() { spec "\"window\":{\"timeZone\":\"$1\",\"periods\":[$2]}"; }
period() { window Europe/Rome "{\"days\":[\"$1\"],\"start\":\"$2\",\"duration\":\"$3\"}"; }

# --- the tables ---

refuses_bad_accounts() {
    local shape='accountId must be the ARM id of a Cosmos DB account: /subscriptions/<guid>/resourceGroups/<group>/providers'
    local name='accountId must end in a Cosmos DB account name: 3 to 50 lower-case letters'
    refused create 'no spec' '{"spec":null}' 'spec: Required value' 'missing required field "spec"'
    refused create 'no accountId' "$(spec '"accountId":null')" 'spec.accountId: Required value' 'missing required field "accountId"'
    refused create 'a blank accountId' "$(account '')" "$shape"
    refused create 'an account name alone' "$(account demo-orders)" "$shape"
    refused create 'a subscription that is not a guid' "$(account "${ACCOUNTS/00000000-/prod-}/demo-orders")" "$shape"
    refused create 'another type of resource' "$(account "${ACCOUNTS/DocumentDB/Storage}/demo-orders")" "$shape"
    refused create 'no resource group' "$(account "$SUBSCRIPTION/providers/Microsoft.DocumentDB/databaseAccounts/demo")" "$shape"
    refused create 'a resource group that climbs up' "$(account "${ACCOUNTS/demo/..}/demo-orders")" "$shape"
    refused create 'a percent sign in the resource group' "$(account "${ACCOUNTS/demo/de%2Fmo}/demo-orders")" "$shape"
    refused create 'something after the account' "$(account "$ACCOUNTS/demo-orders/sqlDatabases/db")" "$shape"
    refused create 'a slash after the account' "$(account "$ACCOUNTS/demo-orders/")" "$shape"
    refused create 'a query after the account' "$(account "$ACCOUNTS/demo-orders?x=y")" "$name"
    refused create 'an account name with capitals' "$(account "$ACCOUNTS/Demo-Orders")" "$name"
    refused create 'an account name with two hyphens in a row' "$(account "$ACCOUNTS/demo--orders")" "$name"
    refused create 'an account name that ends in a hyphen' "$(account "$ACCOUNTS/demo-orders-")" "$name"
    refused create 'an account name of 2 characters' "$(account "$ACCOUNTS/ab")" "$name"
    refused create 'an account name of 51 characters' "$(account "$ACCOUNTS/$(printf 'a%.0s' {1..51})")" "$name"
    refused create 'an accountId that is too long' "$(account "$ACCOUNTS/$(printf 'a%.0s' {1..600})")" 'spec.accountId: Too long'
    refused update 'another account' "$(account "$ACCOUNTS/demo-other")" \
        'accountId cannot be changed: create a new CosmosCMK for the other account'
    refused update 'no accountId any more' "$(spec '"accountId":null')" 'spec.accountId: Required value'

    accepted create 'segment words in other case' "$(account "/SUBSCRIPTIONS/${ACCOUNTS#/subscriptions/}/demo-orders")"
    accepted create 'an account name of 50 characters' "$(account "$ACCOUNTS/$(printf 'a%.0s' {1..50})")"
    accepted create 'a resource group with all the marks it may have' "$(account "${ACCOUNTS/demo/_My.Group-(1)}/demo-orders")"
}

refuses_bad_keys() {
    local host='keyVaultKeyUri must name a host <vault>.vault.azure.net'
    local path='keyVaultKeyUri must have the path /keys/<key>'
    local version='keyVaultKeyUri must not contain a key version: remove what follows'
    local removed='keyVaultKeyUri cannot be removed: customer-managed keys cannot be disabled again on a Cosmos DB account'
    refused create 'no key' "$(spec '"keyVaultKeyUri":null')" 'keyVaultKeyUri is required: the key to encrypt the account with'
    refused create 'a blank key' "$(key '')" 'keyVaultKeyUri is required: the key to encrypt the account with'
    refused create 'a key version' "$(key https://demo-vault.vault.azure.net/keys/cosmos/0123456789abcdef0123456789abcdef)" "$version"
    refused create 'a slash at the end' "$(key https://demo-vault.vault.azure.net/keys/cosmos/)" 'keyVaultKeyUri must not end with a slash'
    refused create 'http' "$(key http://demo-vault.vault.azure.net/keys/cosmos)" 'keyVaultKeyUri must start with https://'
    refused create 'a foreign host' "$(key https://demo-vault.vault.example.com/keys/cosmos)" "$host"
    refused create 'a host that only begins like a vault' "$(key https://demo.vault.azure.net.example.com/keys/cosmos)" "$host"
    refused create 'a host that only ends like a vault' "$(key https://demovault.azure.net/keys/cosmos)" "$host"
    refused create 'a user before the host' "$(key https://demo.vault.azure.net@example.com/keys/cosmos)" "$host"
    refused create 'the suffix without a vault' "$(key https://vault.azure.net/keys/cosmos)" "$host"
    refused create 'a port' "$(key https://demo-vault.vault.azure.net:443/keys/cosmos)" "$host"
    refused create 'a secret instead of a key' "$(key https://demo-vault.vault.azure.net/secrets/cosmos)" "$path"
    refused create 'a vault without a key' "$(key https://demo-vault.vault.azure.net)" "$path"
    refused create 'a key name with an underscore' "$(key https://demo-vault.vault.azure.net/keys/cosmos_key)" "$path"
    refused create 'a query after the key' "$(key 'https://demo-vault.vault.azure.net/keys/cosmos?api-version=7.4')" "$path"
    refused create 'a key name of 128 characters' "$(key "https://demo-vault.vault.azure.net/keys/$(printf 'k%.0s' {1..128})")" "$path"
    refused update 'no key any more' "$(spec '"keyVaultKeyUri":null')" "$removed"
    refused update 'a blank key' "$(key '')" "$removed"
    refused update 'a key version' "$(key https://demo-vault.vault.azure.net/keys/cosmos/0123456789abcdef0123456789abcdef)" "$version"

    accepted update 'another key' "$(key https://other-vault.vault.azure.net/keys/cosmos-2)"
    accepted create 'a managed HSM' "$(key https://demo-hsm.managedhsm.azure.net/keys/cosmos)"
    accepted create 'a vault in China' "$(key https://demo-vault.vault.azure.cn/keys/cosmos)"
    accepted create 'a vault in US government' "$(key https://demo-vault.vault.usgovcloudapi.net/keys/cosmos)"
    accepted create 'a host in capitals' "$(key https://DEMO-Vault.Vault.Azure.Net/keys/Cosmos)"
}

refuses_bad_identities_and_vaults() {
    local identity='defaultIdentity must be FirstPartyIdentity, SystemAssignedIdentity or UserAssignedIdentity=/subscriptions/'
    local vault='keyVaultId must be the ARM id of a vault or managed HSM'
    refused create 'a blank identity' "$(identity '')" "$identity"
    refused create 'an unknown identity' "$(identity DelegatedSystemAssignedIdentity)" "$identity"
    refused create 'an identity in other case' "$(identity systemassignedidentity)" "$identity"
    refused create 'an identity without its type' "$(identity "$IDENTITIES/cosmos-cmk")" "$identity"
    refused create 'UserAssignedIdentity without an id' "$(identity UserAssignedIdentity)" "$identity"
    refused create 'an account as the identity' "$(identity "UserAssignedIdentity=$ACCOUNTS/demo-orders")" "$identity"
    refused create 'a federated client' \
        "$(identity "UserAssignedIdentity=$IDENTITIES/cosmos-cmk&FederatedClientId=00000000-0000-0000-0000-000000000009")" \
        'must not carry &FederatedClientId or any other parameter: a key in another tenant is not supported'
    refused create 'a blank vault' "$(vault '')" "$vault"
    refused create 'a vault by name' "$(vault demo-vault)" "$vault"
    refused create 'a key as the vault' "$(vault "$VAULTS/demo-vault/keys/cosmos")" "$vault"
    refused create 'two different vaults' "$(vault "$VAULTS/other-vault")" 'keyVaultId and keyVaultKeyUri name different vaults'

    accepted create 'the first-party identity' "$(identity FirstPartyIdentity)"
    accepted create 'the system-assigned identity' "$(identity SystemAssignedIdentity)"
    accepted create 'a user-assigned identity' "$(identity "UserAssignedIdentity=$IDENTITIES/cosmos-cmk")"
    accepted create "a user-assigned identity as Azure's lists write it" \
        "$(identity "UserAssignedIdentity=${IDENTITIES/resourceGroups/resourcegroups}/cosmos-cmk")"
    accepted create 'the vault of the key, in other case' "$(vault "$VAULTS/Demo-Vault")"
}

refuses_bad_choices() {
    refused create 'an unknown mode' "$(spec '"mode":"DryRun"')" 'supported values: "Enforce", "Observe"'
    refused create 'an unknown approval' "$(spec '"approval":"Maybe"')" 'supported values: "Automatic", "Manual"'
    refused create 'an unknown drift' "$(spec '"drift":"Ignore"')" 'supported values: "Correct", "Report"'
    refused create 'an unknown keyVaultAccess' "$(spec '"keyVaultAccess":"Force"')" 'supported values: "Verify", "Grant"'
    refused create 'an unknown preflight.keyVault' "$(spec '"preflight":{"keyVault":"Off"}')" 'supported values: "Enforce", "Warn", "Skip"'
    refused create 'an unknown preflight.documentIds' "$(spec '"preflight":{"documentIds":"Enforce"}')" 'supported values: "Scan", "Skip"'
    refused create 'suspend as a word' "$(spec '"suspend":"yes"')" 'spec.suspend'
    refused create 'a priority that is not whole' "$(spec '"priority":1.5')" 'spec.priority'
    refused create 'a field with a typing mistake' "$(spec '"keyVaultKeyURI":"x"')" 'unknown field'

    accepted create 'manual approval, not approved yet' "$(spec '"approval":"Manual"')"
    accepted update 'an approved plan' "$(spec '"approval":"Manual","approvedPlan":"sha256:0123"')"
    accepted update 'suspended, observing, last' "$(spec '"suspend":true,"mode":"Observe","priority":-5')"
}

refuses_bad_windows() {
    local zone='timeZone must be the IANA name of a time zone, such as Europe/Rome or UTC'
    local start='start must be a time of day from "00:00" to "23:59"'
    local duration='duration must be hours and minutes such as 4h, 90m or 1h30m, more than zero and at most 168h'
    local night='{"days":["Sat","Sun"],"start":"01:00","duration":"4h"}'
    refused create 'an offset as the time zone' "$(window +02:00 "$night")" "$zone"
    refused create 'a time zone that climbs up' "$(window ../etc/passwd "$night")" "$zone"
    refused create 'the time zone Local' "$(window Local "$night")" "$zone"
    refused create 'no time zone' "$(spec "\"window\":{\"periods\":[$night]}")" \
        'spec.window.timeZone: Required value' 'missing required field "timeZone"'
    refused create 'a window without periods' "$(window UTC '')" 'spec.window.periods'
    refused create 'a day in full' "$(period Saturday 01:00 4h)" 'spec.window.periods[0].days[0]'
    refused create 'a day twice' "$(window UTC '{"days":["Sat","Sat"],"start":"01:00","duration":"4h"}')" 'Duplicate value: "Sat"'
    refused create 'a start without minutes' "$(period Sat 1 4h)" "$start"
    refused create 'a start at 24:00' "$(period Sat 24:00 4h)" "$start"
    refused create 'a blank duration' "$(period Sat 01:00 '')" "$duration"
    refused create 'a duration without unit' "$(period Sat 01:00 4)" "$duration"
    refused create 'a duration in days' "$(period Sat 01:00 1d)" "$duration"
    refused create 'a duration of nothing' "$(period Sat 01:00 0h)" "$duration"
    refused create 'a duration over a week' "$(period Sat 01:00 169h)" "$duration"

    accepted create 'a window' "$(window Europe/Rome "$night")"
    accepted create 'a window with a long zone and a duration in hours and minutes' \
        "$(window America/Argentina/Buenos_Aires '{"days":["Mon"],"start":"23:59","duration":"1h30m"}')"
    accepted create 'a window of a whole week' "$(period Mon 00:00 168h)"
}

# --- what people see ---

write_status() { # JSON: as the controller does it, through the subresource
    local object=/apis/cosmoscmk.io/v1/namespaces/$NAMESPACE/cosmoscmks/orders
    kubectl get --raw "$object" | sed "s|}\$|,\"status\":$1}|" | kubectl replace --raw "$object/status" -f -
}

readonly STATUS='{"observedGeneration":1,"account":{"name":"demo-orders","location":"westus"},
    "operation":{"type":"EnableKey","state":"Enqueued","attempts":1,"startedAt":"2026-01-02T03:04:05Z"},
    "conditions":[{"type":"Ready","status":"False","reason":"Encrypting","message":"Azure encrypts the data.","observedGeneration":1,
    "lastTransitionTime":"2026-01-02T03:04:05Z"}]}'

shows_what_people_need() {
    local json='jsonpath={.spec.mode} {.spec.suspend} {.spec.approval} {.spec.drift} {.spec.keyVaultAccess} {.spec.priority} {.spec.preflight}'
    shows 'defaults are filled in, and preflight.keyVault has none' \
        'Enforce false Automatic Correct Verify 0 {"documentIds":"Skip"}' in_namespace get cosmoscmk orders -o "$json"
    shows 'the controller can write status' '"state":"Enqueued"' write_status "$(tr -d '\n' <<<"$STATUS")"
    shows 'the columns have the heading people look for' 'NAME     READY   REASON       OPERATION   STARTED' in_namespace get ccmk orders
    shows 'the columns have their values' 'orders   False   Encrypting   Enqueued' in_namespace get ccmk orders
    shows 'the wide columns have the key' 'https://demo-vault.vault.azure.net/keys/cosmos' in_namespace get ccmk orders -o wide
    shows 'it is in the category azure' cosmoscmk.cosmoscmk.io/ledger in_namespace get azure -o name
    shows 'a resource is found by its account' cosmoscmk.cosmoscmk.io/ledger \
        in_namespace get ccmk -o name --field-selector "spec.accountId=$ACCOUNTS/demo-ledger"
    shows 'kubectl wait understands the condition' 'condition met' \
        in_namespace wait --for=condition=Ready=False --timeout=5s cosmoscmk/orders
    shows 'kubectl explain is a manual' 'Cosmos DB uses the latest version' kubectl explain cosmoscmk.spec.keyVaultKeyUri
}

# Walks the schema; {{$n}} is the field's name, and CHECK decides what to print of the field $f.
schema_lacks() { # CHECK
    kubectl get crd cosmoscmks.cosmoscmk.io -o go-template="
        {{- define \"walk\"}}
            {{- range \$n, \$f := .properties}}{{if ne \$n \"metadata\"}}{{$1}}{{template \"walk\" \$f}}{{end}}{{end}}
            {{- with .items}}{{template \"walk\" .}}{{end}}
        {{- end}}
        {{- range .spec.versions}}{{template \"walk\" .schema.openAPIV3Schema}}{{end}}"
}

# shellcheck disable=SC2016 # $f and $n are the template's
describes_every_field() {
    prints_nothing 'every field has a description' schema_lacks 'if not $f.description}}{{$n}} {{end'
    prints_nothing 'every string has a bound' schema_lacks 'if and (eq $f.type "string") (not $f.maxLength)}}{{$n}} {{end'
    prints_nothing 'every list has a bound' schema_lacks 'if and (eq $f.type "array") (not $f.maxItems)}}{{$n}} {{end'
}

# --- main ---

prepare() {
    kubectl apply -f "$ROOT/crd/cosmoscmk.yaml" >/dev/null
    kubectl wait --for=condition=Established --timeout=30s crd/cosmoscmks.cosmoscmk.io >/dev/null
    kubectl get namespace "$NAMESPACE" >/dev/null 2>&1 || kubectl create namespace "$NAMESPACE" >/dev/null
    until kubectl explain cosmoscmk.spec >/dev/null 2>&1; do sleep 0.2; done
}

clean_up() { in_namespace delete cosmoscmk --all >/dev/null 2>&1 || true; }

main() {
    prepare
    trap clean_up EXIT
    shows 'the samples are accepted' 'cosmoscmk.cosmoscmk.io/legacy created' in_namespace apply -f "$ROOT/deploy/samples"
    refuses_bad_accounts
    refuses_bad_keys
    refuses_bad_identities_and_vaults
    refuses_bad_choices
    refuses_bad_windows
    shows_what_people_need
    describes_every_field
    printf '%d passed, %d failed\n' "$PASSED" "$FAILED"
    [[ $FAILED -eq 0 ]]
}

main "$@"
