#!/usr/bin/env bash
# azure_role.sh TRACE: the roles in deploy/azure hold the actions that the tests' requests to fake-azure need, and no others.
#
# TRACE has what the end-to-end suite and the document scan have asked, a line "METHOD PATH" for each request (fake_azure_trace.c). Azure names
# the action of a request by rule: the type of the resource it ends in, and read, write, delete or the posted word. What does not follow
# that rule has a row of its own.

set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=tests/e2e/lib.sh
. ./lib.sh

trace=$1
[ -s "$trace" ] || { echo "azure_role.sh: $trace has no requests: run e2e_fake and scan_fake_azure" >&2; exit 1; }

# The needs of a trace, an action a line. An identity in the body of a PATCH needs a second one, which Azure calls a linked permission.
needs() {
    awk '
    function types(path,    part, n, i, out) { # after the last /providers/: NAMESPACE/TYPE[/NAME/TYPE...]
        sub(/^.*\/providers\//, "", path)
        n = split(path, part, "/")
        out = part[1]
        for (i = 2; i <= n; i += 2) out = out "/" part[i]
        even = n % 2 # ends in a name
        return out
    }
    {
        if (tolower($2) ~ /^\/subscriptions\/[^\/]+\/resources$/) { print "Microsoft.Resources/subscriptions/resources/read"; next }
        if (tolower($2) ~ /\/eventtypes\/management\/values$/) { print "Microsoft.Insights/eventtypes/values/read"; next }
        if (tolower($2) ~ /\/locations\/[^\/]+\/operationsstatus\/[^\/]+$/) { print "Microsoft.DocumentDB/locations/operationsStatus/read"; next }
        if ($1 == "PUT" && tolower($2) ~ /\/accesspolicies\/add$/) { print "Microsoft.KeyVault/vaults/accessPolicies/write"; next }
        if ($2 !~ /\/providers\//) { print "unknown request: " $1 " " $2; next }
        type = types($2)
        if ($1 == "GET") print type "/read"
        else if (($1 == "PUT" || $1 == "PATCH") && even) print type "/write"
        else if ($1 == "DELETE" && even) print type "/delete"
        else if ($1 == "POST" && !even) print type "/action"
        else print "unknown request: " $1 " " $2
        if ($3 == "identities") print "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
    }' "$1" | sed 's|^microsoft\.insights/|Microsoft.Insights/|' | sort -u
}

roles=("$ROOT"/deploy/azure/role*.json)
needs "$trace" >"$trace.needed"
jq -r '.Actions[]' "${roles[@]}" | sort >"$trace.granted"
succeeds 'the roles are what az role definition create reads' jq -e -s 'all(.[]; (.Name | length > 0) and .IsCustom and (.Description | length > 0)
    and (.Actions | length > 0) and .NotActions == [] and .DataActions == [] and .NotDataActions == [] and (.AssignableScopes | length == 1))' \
    "${roles[@]}"
# shellcheck disable=SC2016 # $0 is awk's
prints_nothing 'no action is in two roles, and none has a wildcard' awk 'seen[$0]++ || /[*]/' "$trace.granted"
prints_nothing 'every request that was made has its action in a role' comm -23 "$trace.needed" "$trace.granted"
prints_nothing 'every action of the roles was needed by a request' comm -13 "$trace.needed" "$trace.granted"
verdict
