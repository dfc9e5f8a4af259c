#!/usr/bin/env bash
# conditions.sh PUBLISHED_STATES: crd/README.md names every condition that the controller can publish, with every reason that it can have,
# and no reason that it cannot. Those of Ready, Reconciling and Stalled are generated there; the rows of the others are written by people.
set -euo pipefail
states_program=$(realpath "$1")
cd "$(dirname "$0")/../.."

table() { sed -n '/^### Conditions/,/^### Reasons/p' crd/README.md; }

documented() { # TYPE: the reasons in its row, a cell of nothing but reasons
    table | sed -n "s/^| \`$1\` | [^|]* | \([^|]*\) |.*/\1/p" | grep -oE '[A-Za-z]+' | sort
}

states=$(mktemp)
trap 'rm -f "$states"' EXIT
"$states_program" >"$states"
pairs=$(jq -r '.object.status.conditions // [] | .[] | "\(.type) \(.reason)"' "$states" | sort -u)
failed=0
while read -r type; do
    table | grep "^| \`$type\` |" >/dev/null || { echo "crd/README.md has no condition $type" >&2; failed=1; }
    case $type in
    Ready | Reconciling | Stalled) continue ;;
    esac
    if ! diff <(documented "$type") <(sed -n "s/^$type //p" <<<"$pairs"); then
        echo "crd/README.md and the controller differ on the reasons of $type (< documented, > published)" >&2
        failed=1
    fi
done < <(cut -d ' ' -f 1 <<<"$pairs" | sort -u)
[ -n "$pairs" ] && exit "$failed"
