#!/usr/bin/env bash
# soak.sh [MINUTES] [SEED]: two replicas and 200 accounts, and everything around them breaks at random for MINUTES (default 15).
#
# Optimized binaries, the fakes beside them. Every few seconds some of the fleet is changed (another key, another key by somebody else,
# suspended and resumed, asked to look again) and new faults are planted on both sides: errors, throttling, lost answers, cut and hanging
# connections, watches that end, leases that cannot be renewed, revoked tokens. In the first half replicas are killed and stand still for
# longer than their lease; in the second they only pause, so that one lives through it and can be looked at.
#
# In the end: every resource is Ready; Azure took exactly as many changes of each account as were asked for, none with anything but a key;
# nothing is written any more; memory and open files of whoever has lived longest are as they were. The same seed gives the same faults and
# edits in the same order; what meets what depends on the machine.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=${1:-15}
seed=${2:-$((SRANDOM % 1000000))}
[[ $minutes =~ ^[1-9][0-9]*$ && $seed =~ ^[0-9]+$ ]] || { echo "usage: hack/soak.sh [MINUTES] [SEED]" >&2; exit 2; }
RANDOM=$seed
readonly FLEET=200 SUBSCRIPTIONS=5 STEP_S=3 SETTLE_S=240 QUIET_S=30 WARM_UP_S=90
readonly TENANT=00000000-0000-0000-0000-00000000000a CLIENT=00000000-0000-0000-0000-00000000000b
readonly VAULT=https://demo-vault.vault.azure.net/keys

# What the leader remembers fills up in the first quarter of an hour: at most 512 series of events of about 1 KiB each, and what is in
# flight. Beyond that nothing may grow. In a quarter of an hour it makes some 25,000 requests: 40 lost bytes for each are more than this.
readonly MEMORY_KB=1024
# Connections come and go; what the leader keeps open is a few to each server.
readonly FILES=6

./hack/deps.sh build test
cmake --preset release >/dev/null
cmake --build --preset release --target cosmoscmk fake-azure fake-apiserver bench-fleet >/dev/null
work=$(mktemp -d)
cp build/release/controller/cosmoscmk build/release/tests/fakes/fake-azure build/release/tests/fakes/fake-apiserver \
    build/release/tests/bench/bench-fleet "$work"
servers=()

clean_up() {
    : >"$work/end"
    cat "$work"/replica-?.pid 2>/dev/null | while read -r pid; do
        kill -CONT "$pid" 2>/dev/null || true
        kill "$pid" 2>/dev/null || true
    done
    for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    [ -n "${failed-}" ] || rm -rf "$work"
}
trap clean_up EXIT
set -o errtrace
trap 'printf "soak.sh: line %d failed: %s\n" "$LINENO" "$BASH_COMMAND" >&2' ERR
trap 'exit 130' INT TERM

failures=0
fail() {
    printf 'FAILED: %s\n' "$*" >&2
    failures=$((failures + 1))
    failed=1
}
die() {
    fail "$@"
    printf 'everything is kept in %s\n' "$work" >&2
    exit 1
}
await() { # SECONDS WHAT COMMAND...
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        ((SECONDS < deadline)) || die "never: $what"
        sleep 0.5
    done
}

# --- the servers ---

seed_of_azure() {
    jq -n --argjson fleet $FLEET --argjson subscriptions $SUBSCRIPTIONS --arg tenant $TENANT --slurpfile demo tests/fakes/demo-accounts.json '
        def subscription: "00000000-0000-4000-8000-" + ("000000000000" + tostring)[-12:];
        {accounts: [range(1; $fleet + 1) | {name: ("fleet-" + ("000000" + tostring)[-6:]), subscription: (. % $subscriptions | subscription),
                resourceGroup: "bench", encryptSeconds: (. * 7 % 23 + 1)}],
         resources: [range($subscriptions) as $i | $demo[0].resources[] | select(.id | test("/vaults/demo-vault(/keys/cosmos)?$")) |
                (.id |= sub("/subscriptions/[^/]*"; "/subscriptions/" + ($i | subscription))),
                (select(.id | test("/keys/")) | .id |= (sub("/subscriptions/[^/]*"; "/subscriptions/" + ($i | subscription)) | sub("cosmos$"; "other")) |
                    .properties.keyUri |= (. // "" | sub("cosmos$"; "other")))]}'
}

start_servers() {
    seed_of_azure >"$work/seed.json"
    "$work/fake-azure" --parent-death --tls-dir "$work/azure" --ready-file "$work/azure.url" --accounts "$work/seed.json" \
        --tenant $TENANT --client-id $CLIENT --client-secret soak --token-seconds 60 >"$work/azure.log" 2>&1 &
    servers+=($!)
    "$work/fake-apiserver" --parent-death --tls-dir "$work/api" --ready-file "$work/api.url" --kubeconfig-out "$work/kubeconfig" \
        --watch-seconds 45 --history 500 >"$work/api.log" 2>&1 &
    servers+=($!)
    await 30 'the fakes listen' test -s "$work/azure.url" -a -s "$work/api.url"
    azure=$(cat "$work/azure.url") api=$(cat "$work/api.url")
    export KUBECONFIG=$work/kubeconfig
    kubectl apply -f crd/cosmoscmk.yaml >/dev/null
    kubectl wait --for=condition=Established --timeout=60s crd/cosmoscmks.cosmoscmk.io >/dev/null
}

on_azure() { curl -sS --fail --max-time 60 --cacert "$work/azure/ca.pem" "$azure$1" "${@:2}"; }
on_api() { curl -sS --fail --max-time 60 --cacert "$work/api/ca.pem" -H 'Authorization: Bearer soak' "$api$1" "${@:2}"; }
readonly RESOURCES=/apis/cosmoscmk.io/v1/namespaces/default/cosmoscmks

change() { # NAME MERGE-PATCH
    until on_api "$RESOURCES/$1" -X PATCH -H 'Content-Type: application/merge-patch+json' -d "$2" >/dev/null 2>&1; do sleep 0.2; done
}

# --- the replicas ---

export AZURE_TENANT_ID=$TENANT AZURE_CLIENT_ID=$CLIENT AZURE_CLIENT_SECRET=soak

# A lost lease ends the process, as it should; a pod would be started again.
keep_running() { # NAME
    local started
    while [ ! -e "$work/end" ]; do
        "$work/cosmoscmk" controller --kubeconfig "$work/kubeconfig" --log-format=json --leader-elect --leader-elect-lease-duration=6s \
            --leader-elect-renew-deadline=4s --leader-elect-retry-period=1s --leader-elect-namespace=default --probe-address= \
            --arm-endpoint "$azure" --authority-host "$azure" --azure-ca-file "$work/azure/ca.pem" --poll-min=1s --poll-max=3s \
            --settle=5s --resync=5s --recheck=5s --retry-min=1s --retry-max=5s --max-attempts=100 >>"$work/replica-$1.log" 2>&1 &
        started=$!
        printf '%s\n' "$started" >"$work/replica-$1.pid"
        wait "$started" 2>/dev/null || true
        sleep 0.3
    done
}

pid_of() { cat "$work/replica-$1.pid"; }

# Private memory that was written to (the rest is the file cache's), in KiB, and open files of both, with the time.
sample() {
    local name pid memory files
    for name in a b; do
        pid=$(pid_of $name)
        memory=$(awk '/^Private_Dirty/ { kb += $2 } END { print kb + 0 }' "/proc/$pid/smaps_rollup" 2>/dev/null) || continue
        files=$({ find "/proc/$pid/fd" -maxdepth 1 2>/dev/null || true; } | wc -l) # it complains of files that are closed meanwhile
        printf '%d %d %d %d\n' "$SECONDS" "$pid" "$memory" "$files" >>"$work/samples"
    done
}

# --- what breaks ---

pick() { # WORD...: one of them, in $picked
    picked=${!#}
    local n=$((RANDOM % $# + 1))
    picked=${!n}
}

azure_faults=(
    '{"match":{"method":"GET","pathContains":"databaseAccounts","count":9},"action":{"status":429,"retryAfter":1,"body":{"error":{"code":"TooManyRequests","message":"The request is being throttled"}}}}'
    '{"match":{"method":"GET","count":6},"action":{"status":500,"body":{"error":{"code":"InternalServerError","message":"An error has occurred"}}}}'
    '{"match":{"method":"GET","count":2},"action":{"cut":"before"}}'
    '{"match":{"method":"GET","count":2},"action":{"cut":"after"}}'
    '{"match":{"method":"GET","count":4},"action":{"delayMs":1500}}'
    '{"match":{"method":"GET","pathContains":"databaseAccounts"},"action":{"hold":true}}'
    '{"match":{"pathContains":"operationsStatus","count":8},"action":{"status":404,"body":{"error":{"code":"NotFound","message":"The operation was not found"}}}}'
    '{"match":{"pathContains":"oauth2","count":2},"action":{"status":503}}'
    '{"match":{"method":"PATCH","count":2},"action":{"status":504,"commit":true,"body":{"error":{"code":"GatewayTimeout","message":"The gateway did not receive a response"}}}}'
    '{"match":{"method":"PATCH","count":2},"action":{"cut":"after"}}'
    '{"match":{"method":"PATCH","count":2},"action":{"delayMs":2500}}'
    '{"match":{"method":"PATCH","count":2},"action":{"status":503}}'
    '{"match":{"method":"PATCH","count":2},"action":{"status":429,"retryAfter":2,"body":{"error":{"code":"TooManyRequests","message":"The request is being throttled"}}}}'
    '{"match":{"method":"PATCH"},"action":{"status":412,"body":{"code":"PreconditionFailed","message":"There is already an operation in progress which requires exclusive lock on this service. Please retry the operation after sometime."}}}'
)
api_faults=(
    '{"match":{"agentContains":"cosmoscmk/","method":"PATCH","pathContains":"/status","count":4},"action":{"status":500}}'
    '{"match":{"agentContains":"cosmoscmk/","method":"PATCH","pathContains":"/status","count":3},"action":{"status":503,"commit":true}}'
    '{"match":{"agentContains":"cosmoscmk/","method":"PATCH","pathContains":"/status","count":2},"action":{"cut":"after"}}'
    '{"match":{"agentContains":"cosmoscmk/","method":"PATCH","pathContains":"/status","count":2},"action":{"cut":"before"}}'
    '{"match":{"agentContains":"cosmoscmk/","method":"PATCH","pathContains":"/status","count":2},"action":{"status":429,"retryAfter":1}}'
    '{"match":{"agentContains":"cosmoscmk/","method":"PATCH","pathContains":"/status"},"action":{"delayMs":2000}}'
    '{"match":{"agentContains":"cosmoscmk/","method":"POST","pathContains":"/events","count":6},"action":{"status":403}}'
    '{"match":{"agentContains":"cosmoscmk/","method":"POST","pathContains":"/events"},"action":{"hold":true}}'
    '{"match":{"agentContains":"cosmoscmk/","pathContains":"/leases","count":2},"action":{"status":500}}'
    '{"match":{"agentContains":"cosmoscmk/","pathContains":"/leases"},"action":{"cut":"after"}}'
    '{"match":{"agentContains":"cosmoscmk/","queryContains":"watch=","count":2},"action":{"status":500}}'
    '{"match":{"agentContains":"cosmoscmk/","queryContains":"watch="},"action":{"cut":"before"}}'
)

plant() {
    on_azure /fake/faults -X DELETE
    on_api /fake/faults -X DELETE
    pick "${azure_faults[@]}"
    on_azure /fake/faults -d "$picked"
    pick "${api_faults[@]}"
    on_api /fake/faults -d "$picked"
    case $((RANDOM % 20)) in
    0) on_azure /fake/tokens/revoke -X POST ;;
    1) on_api /fake/drop-watches -X POST ;;
    2) on_api /fake/compact -X POST && on_api '/fake/drop-watches?gone=true' -X POST ;;
    esac
}

hurt_a_replica() { # 0: may die, 1: has to live
    local pid
    pick a b
    pid=$(pid_of "$picked")
    case $1$((RANDOM % 12)) in
    00 | 01)
        kill -KILL "$pid" 2>/dev/null || true
        kills=$((kills + 1))
        ;;
    02)
        kill -STOP "$pid" 2>/dev/null || true
        pauses=$((pauses + 1))
        sleep 8 # longer than the lease
        kill -CONT "$pid" 2>/dev/null || true
        ;;
    *[345])
        kill -STOP "$pid" 2>/dev/null || true
        pauses=$((pauses + 1))
        sleep 1 # it is the leader still when it wakes up
        kill -CONT "$pid" 2>/dev/null || true
        ;;
    esac
}

# --- the fleet: what was asked for and what Azure took ---

declare -A key asked took suspended

# To be called before fleet: whoever is Ready after that has nothing under way of what was counted before.
# Changes that Azure took since the last time, also those whose answer was lost. A fault leaves 4xx and 503 where it keeps a change away.
collect() {
    local name
    on_azure "/fake/requests?method=PATCH&since=$collected" >"$work/patches.json"
    jq -r '.[] | select(.status == 200 or .status == 504 or .status == 0) | .path | split("/")[-1]' "$work/patches.json" >"$work/took"
    jq -r '.[] | select(.body | test("^\\{\"properties\":\\{\"keyVaultKeyUri\":\"[^\"]*\"\\}\\}$") | not) | .body' "$work/patches.json" >>"$work/impure"
    while read -r name; do took[$name]=$((${took[$name]:-0} + 1)); done <"$work/took"
    collected=$(jq --argjson before "$collected" '[$before, .[].seq] | max' "$work/patches.json")
}

fleet() { on_api "$RESOURCES?limit=1000" >"$work/fleet.json"; }

# Ready for what its spec says now, one name a line.
ready() {
    jq -r '.items[] | select(.metadata.generation == .status.observedGeneration and .status.encryptedKeyUri == .spec.keyVaultKeyUri and
        any(.status.conditions[]?; .type == "Ready" and .status == "True")) | .metadata.name' "$work/fleet.json"
}

edit() { # NAME
    local name=$1 other=$VAULT/other
    [ "${key[$name]}" = "$VAULT/cosmos" ] || other=$VAULT/cosmos
    case $((RANDOM % 6)) in
    0 | 1 | 2)
        key[$name]=$other
        asked[$name]=$((asked[$name] + 1))
        change "$name" "{\"spec\":{\"keyVaultKeyUri\":\"$other\"}}"
        ;;
    3) # somebody else does it, and it is put back
        asked[$name]=$((asked[$name] + 1))
        on_azure "/fake/accounts/$name" -X PUT -d "{\"keyVaultKeyUri\":\"$other\"}" >/dev/null
        ;;
    4)
        suspended[$name]=1
        change "$name" '{"spec":{"suspend":true}}'
        ;;
    5) change "$name" "{\"metadata\":{\"annotations\":{\"cosmoscmk.io/reconcile-requested-at\":\"$SECONDS\"}}}" ;;
    esac
    edits=$((edits + 1))
}

# Only what is at rest, and has got what was asked for: so that the changes to come can be counted.
edit_some() {
    local name
    for name in "${!suspended[@]}"; do
        change "$name" '{"spec":{"suspend":false}}'
        unset "suspended[$name]"
    done
    collect
    fleet
    mapfile -t candidates < <(ready)
    for _ in 1 2 3 4 5 6; do
        [ ${#candidates[@]} -gt 0 ] || return 0
        name=${candidates[RANDOM % ${#candidates[@]}]}
        [ "${took[$name]:-0}" != "${asked[$name]}" ] || [ -n "${suspended[$name]-}" ] || edit "$name"
    done
}

# --- the run ---

start_servers
keep_running a &
keep_running b &
await 30 'the replicas start' test -s "$work/replica-a.pid" -a -s "$work/replica-b.pid"
"$work/bench-fleet" create default fleet $FLEET $SUBSCRIPTIONS 8 0
for i in $(seq 1 $FLEET); do
    name=$(printf 'fleet-%06d' "$i")
    key[$name]=$VAULT/cosmos asked[$name]=1
done
printf 'seed %d, %d minutes, %d accounts, 2 replicas\n' "$seed" "$minutes" $FLEET
collected=0 edits=0 kills=0 pauses=0 rounds=0 began=$SECONDS
: >"$work/impure"
half=$((began + minutes * 30)) finish=$((began + minutes * 60))
while ((SECONDS < finish)); do
    plant
    edit_some
    hurt_a_replica $((SECONDS >= half))
    sample
    rounds=$((rounds + 1))
    ((rounds % 20)) || printf '%4d s: %d edits, %d kills, %d pauses, private KiB %s\n' $((SECONDS - began)) $edits $kills $pauses \
        "$(tail -n 2 "$work/samples" | awk '{ printf "%s%s", sep, $3; sep = " and " }')"
    sleep $STEP_S
done

# --- the end ---

on_azure /fake/faults -X DELETE
on_api /fake/faults -X DELETE
for name in "${!suspended[@]}"; do change "$name" '{"spec":{"suspend":false}}'; done
settled() {
    collect
    fleet
    if [ "$(ready | wc -l)" != $FLEET ]; then
        ready | sort >"$work/ready"
        # What the others say, for whoever wonders.
        jq -r '.items[] | .metadata.name + " " + (.spec | tostring) + " " + ([.status.conditions[]? | select(.type == "Ready") | .reason, .message] | join(": "))' \
            "$work/fleet.json" | sort | join -v 1 - "$work/ready" >"$work/waiting"
        return 1
    fi
    for name in "${!asked[@]}"; do [ "${took[$name]:-0}" -ge "${asked[$name]}" ] || return 1; done
}
began_to_settle=$SECONDS
(while sleep 30 && [ ! -e "$work/settled" ] && [ ! -e "$work/end" ]; do
    printf 'waiting: %s\n' "$(head -n 2 "$work/waiting" | cut -c1-600)"
done) &
await $SETTLE_S 'all are Ready with what was asked for' settled
: >"$work/settled"
printf 'all are Ready %d s after the last fault\n' $((SECONDS - began_to_settle))

written() { # requests that change something besides leases
    { on_azure '/fake/requests/summary?method=PATCH' && on_api '/fake/requests/summary?method=PATCH&pathContains=cosmoscmks'; } | jq -s 'map(.count) | add'
}
before=$(written)
sleep $QUIET_S
sample
[ "$(written)" = "$before" ] || fail "$(($(written) - before)) writes in the steady state"

collect
total=0
for name in "${!asked[@]}"; do
    total=$((total + took[$name]))
    [ "${took[$name]}" = "${asked[$name]}" ] || fail "$name: ${asked[$name]} changes were asked for, ${took[$name]} taken"
done
[ ! -s "$work/impure" ] || fail "changes with more than the key: $(head -n 3 "$work/impure")"
on_azure /fake/accounts >"$work/accounts.json"
for name in "${!key[@]}"; do printf '%s %s\n' "$name" "${key[$name]}"; done | sort >"$work/wanted"
jq -r '.[] | "\(.name) \(.keyVaultKeyUri)"' "$work/accounts.json" | sort >"$work/got"
cmp -s "$work/wanted" "$work/got" || fail "accounts have other keys: $(diff "$work/wanted" "$work/got" | head -n 5)"
! grep -lE 'please report this|eyJ|"soak"' "$work"/replica-?.log || fail 'the log has what it should not have'

# Whoever is there in the end, the leader and its standby: the median of the first samples after the warm-up against that of the last ones.
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
look_at() { # PID
    local born n few memory_then memory_now files_then files_now
    awk -v pid="$1" '$2 == pid' "$work/samples" >"$work/life"
    born=$(head -n 1 "$work/life" | cut -d' ' -f1)
    awk -v from=$((born + WARM_UP_S)) '$1 >= from' "$work/life" >"$work/warm"
    n=$(wc -l <"$work/warm")
    ((n >= 12)) || return 0
    looked_at=$((looked_at + 1))
    few=$((n / 6 + 1))
    memory_then=$(head -n $few "$work/warm" | cut -d' ' -f3 | median) memory_now=$(tail -n $few "$work/warm" | cut -d' ' -f3 | median)
    files_then=$(head -n $few "$work/warm" | cut -d' ' -f4 | median) files_now=$(tail -n $few "$work/warm" | cut -d' ' -f4 | median)
    [ $((memory_now - memory_then)) -le $MEMORY_KB ] || fail "private memory grew from $memory_then to $memory_now KiB"
    [ $((files_now - files_then)) -le $FILES ] || fail "open files grew from $files_then to $files_now"
    printf 'one process lived %d s: private memory %d KiB after %d s, %d KiB in the end (allowed: %d more); open files %d, %d\n' \
        $(($(tail -n 1 "$work/life" | cut -d' ' -f1) - born)) "$memory_then" $WARM_UP_S "$memory_now" $MEMORY_KB "$files_then" "$files_now"
}
looked_at=0
for name in a b; do look_at "$(pid_of $name)"; done
((looked_at > 0)) || fail 'no replica has lived long enough to be looked at; run it for longer'
requests=$({ on_azure /fake/requests/summary && on_api /fake/requests/summary; } | jq -s 'map(.lastSeq) | add')
printf '%d edits, %d kills, %d pauses, %d fault rounds, %d requests; %d changes asked for and taken\n' $edits $kills $pauses $rounds "$requests" $total
if [ $failures != 0 ]; then
    printf 'soak.sh: %d failures with seed %d; everything is kept in %s\n' $failures "$seed" "$work" >&2
    exit 1
fi
echo passed
