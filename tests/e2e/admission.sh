#!/usr/bin/env bash
# What the API server makes of CosmosCMK manifests: each mistake is refused with the sentence meant for it, and nothing valid is refused.
#
# It runs against the server of $KUBECONFIG with the kubectl in PATH (a real server: a fake does not evaluate the rules), applies the CRD
# and the samples, and then tries one change per row of invalid.yaml and of the tables below. All tries are dry runs, so no row sees what
# another did. With SHOW_TEXTS=1 it also prints what people get to read.

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

# --- what is refused: the table is shared with the controller's own test ---

value_of() { # LINE: of a member "name: 'value'" of the table
    local value=${1#*: }
    value=${value#\'}
    value=${value%\'}
    printf '%s' "${value//\'\'/\'}"
}

refuses_what_is_invalid() {
    local line name='' on='' patch='' admission='' client='' rows=0
    while IFS= read -r line; do
        case $line in
        '- name: '*) name=$(value_of "$line") on='' patch='' admission='' client='' ;;
        '  on: '*) on=$(value_of "$line") ;;
        '  patch: '*) patch=$(value_of "$line") ;;
        '  admission: '*) admission=$(value_of "$line") ;;
        '  client: '*) client=$(value_of "$line") ;;
        '  controller: '* | '  unseen: '*) # the last member
            refused "$on" "$name" "$patch" "$admission" "$client"
            rows=$((rows + 1))
            ;;
        '' | '#'*) ;;
        *) printf 'admission.sh: invalid.yaml: cannot read "%s"\n' "$line" >&2; return 1 ;;
        esac
    done <"$ROOT/tests/e2e/invalid.yaml"
    shows 'the table of invalid manifests was read to its end' "$(grep -c '^- name: ' "$ROOT/tests/e2e/invalid.yaml")" echo "$rows"
}

# --- what is accepted ---

accepts_accounts() {
    accepted create 'segment words in other case' "$(account "/SUBSCRIPTIONS/${ACCOUNTS#/subscriptions/}/demo-orders")"
    accepted create 'an account name of 50 characters' "$(account "$ACCOUNTS/$(printf 'a%.0s' {1..50})")"
    accepted create 'a resource group with all the marks it may have' "$(account "${ACCOUNTS/demo/_My.Group-(1)}/demo-orders")"
}

accepts_keys() {
    accepted update 'another key' "$(key https://other-vault.vault.azure.net/keys/cosmos-2)"
    accepted create 'a managed HSM' "$(key https://demo-hsm.managedhsm.azure.net/keys/cosmos)"
    accepted create 'a vault in China' "$(key https://demo-vault.vault.azure.cn/keys/cosmos)"
    accepted create 'a vault in US government' "$(key https://demo-vault.vault.usgovcloudapi.net/keys/cosmos)"
    accepted create 'a host in capitals' "$(key https://DEMO-Vault.Vault.Azure.Net/keys/Cosmos)"
}

accepts_identities_and_vaults() {
    accepted create 'the first-party identity' "$(identity FirstPartyIdentity)"
    accepted create 'the system-assigned identity' "$(identity SystemAssignedIdentity)"
    accepted create 'a user-assigned identity' "$(identity "UserAssignedIdentity=$IDENTITIES/cosmos-cmk")"
    accepted create "a user-assigned identity as Azure's lists write it" \
        "$(identity "UserAssignedIdentity=${IDENTITIES/resourceGroups/resourcegroups}/cosmos-cmk")"
    accepted create 'the vault of the key, in other case' "$(vault "$VAULTS/Demo-Vault")"
}

accepts_choices() {
    accepted create 'manual approval, not approved yet' "$(spec '"approval":"Manual"')"
    accepted update 'an approved plan' "$(spec '"approval":"Manual","approvedPlan":"sha256:0123"')"
    accepted update 'suspended, observing, last' "$(spec '"suspend":true,"mode":"Observe","priority":-5')"
}

accepts_windows() {
    local night='{"days":["Sat","Sun"],"start":"01:00","duration":"4h"}'
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

READY=${STATUS/'"status":"False","reason":"Encrypting"'/'"status":"True","reason":"Encrypted"'}
readonly READY

not() { ! "$@"; }

ready_is_waited_for() { # STATUS: written, waited for, and then made the status of an older spec
    write_status "$(tr -d '\n' <<<"$1")" >/dev/null
    in_namespace wait --for=condition=Ready --timeout=5s cosmoscmk/orders
    in_namespace patch cosmoscmk orders --type merge -p '{"spec":{"drift":"Report"}}' >/dev/null
}

shows_what_people_need() {
    local json='jsonpath={.spec.mode} {.spec.suspend} {.spec.approval} {.spec.drift} {.spec.keyVaultAccess} {.spec.priority} {.spec.preflight}'
    shows 'defaults are filled in, and preflight.keyVault has none' \
        'Enforce false Automatic Correct Verify 0 {"documentIds":"Skip"}' in_namespace get cosmoscmk orders -o "$json"
    shows 'what nobody has looked at says so, and is not done for kstatus' -1 \
        in_namespace get cosmoscmk orders -o 'jsonpath={.status.observedGeneration}'
    shows 'the controller can write status' '"state":"Enqueued"' write_status "$(tr -d '\n' <<<"$STATUS")"
    shows 'the columns have the heading people look for' 'NAME     READY   REASON       OPERATION   STARTED' in_namespace get ccmk orders
    shows 'the columns have their values' 'orders   False   Encrypting   Enqueued' in_namespace get ccmk orders
    shows 'the wide columns have the message' 'Azure encrypts the data.' in_namespace get ccmk orders -o wide
    shows 'the wide columns have the key' 'https://demo-vault.vault.azure.net/keys/cosmos' in_namespace get ccmk orders -o wide
    shows 'it is in the category azure' cosmoscmk.cosmoscmk.io/ledger in_namespace get azure -o name
    shows 'a resource is found by its account' cosmoscmk.cosmoscmk.io/ledger \
        in_namespace get ccmk -o name --field-selector "spec.accountId=$ACCOUNTS/demo-ledger"
    shows 'kubectl wait understands the condition' 'condition met' \
        in_namespace wait --for=condition=Ready=False --timeout=5s cosmoscmk/orders
    shows 'kubectl wait takes the word of this generation' 'condition met' ready_is_waited_for "$READY"
    shows 'kubectl wait does not take the word of an older generation' 'timed out' \
        not in_namespace wait --for=condition=Ready --timeout=1s cosmoscmk/orders
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
    refuses_what_is_invalid
    accepts_accounts
    accepts_keys
    accepts_identities_and_vaults
    accepts_choices
    accepts_windows
    shows_what_people_need
    describes_every_field
    printf '%d passed, %d failed\n' "$PASSED" "$FAILED"
    [[ $FAILED -eq 0 ]]
}

main "$@"
