#!/usr/bin/env bash
# upheaval.sh BUILD [COUNT]: COUNT accounts (default 1,000) are encrypted while everything around the controller breaks, and in the end
# nothing shows of it: every resource is Ready, and Azure got as many changes as there are accounts.
#
# On a real API server, with the rights of deploy/ and a token file as its only credential. While the fleet is on its way: kube-apiserver
# and etcd are killed and come back; the server's certificate is renewed by another authority; the token is renewed and the old file is
# gone for a moment; the leader is killed and its standby takes over. What is compared is what does not depend on when something happened.

set -euo pipefail
build=$(cd "$1" && pwd)
cd "$(dirname "$0")"
# shellcheck source=tests/e2e/lib.sh
. ./lib.sh

need_assets 'the upheaval'
count=${2:-1000}
patience=$((300 + count / 10)) # s, for each stretch of the way
readonly count patience
readonly SYSTEM=cosmoscmk-system SUBSCRIPTIONS=100
readonly TENANT=00000000-0000-0000-0000-00000000000a CLIENT=00000000-0000-0000-0000-00000000000b
work=$(mktemp -d)
azure_pid=''

clean_up() {
    : >"$work/end"
    for pid in $(cat "$work"/controller-?.pid 2>/dev/null) $azure_pid; do kill "$pid" 2>/dev/null || true; done
    ./apiserver.sh stop "$work/api" || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

give_up() { # WHY [LOG]
    printf 'upheaval.sh: %s\n' "$1" >&2
    [ -z "${2-}" ] || tail -n 20 "$2" >&2
    exit 1
}

await() { # SECONDS WHAT COMMAND...
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || give_up "never: $what" "$work/controller-a.log"
        sleep 0.3
    done
}

# --- the servers ---

seed() {
    printf '{"accounts": [\n'
    "$build/tests/bench/bench-fleet" accounts fleet "$count" "$SUBSCRIPTIONS" 5 | sed '$ s/,$//'
    printf '],\n"resources": [\n'
    for i in $(seq 0 $((SUBSCRIPTIONS - 1))); do
        jq -c --arg subscription "$(printf '00000000-0000-4000-8000-%012x' "$i")" '.resources[] |
            select(.id | test("/vaults/demo-vault(/keys/cosmos)?$")) | .id |= sub("/subscriptions/[^/]*"; "/subscriptions/" + $subscription)' \
            "$ROOT/tests/fakes/demo-accounts.json"
    done | sed '$ ! s/$/,/'
    printf ']}\n'
}

start_azure() {
    seed >"$work/seed.json"
    "$build/tests/fakes/fake-azure" --tls-dir "$work/azure" --ready-file "$work/azure.url" --accounts "$work/seed.json" \
        --client-id $CLIENT --client-secret upheaval >"$work/azure.log" 2>&1 &
    azure_pid=$!
    await 60 'fake-azure listens' test -s "$work/azure.url"
    azure=$(cat "$work/azure.url")
}

patches() { curl -sS --fail --cacert "$work/azure/ca.pem" "$azure/fake/requests/summary?method=PATCH" | jq .count; }

renew_token() {
    kubectl -n $SYSTEM create token cosmoscmk --duration=2h >"$work/token.new"
    mv "$work/token.new" "$work/token"
}

# As in a pod: a file with the authority and one with the token.
write_kubeconfig() {
    cp "$work/api/pki/ca.crt" "$work/ca.crt"
    kubectl config view --raw -o json | jq --arg token "$work/token" --arg ca "$work/ca.crt" --arg namespace $SYSTEM '
        .users = [{name: "controller", user: {tokenFile: $token}}] |
        .clusters[0].cluster |= {server, "certificate-authority": $ca} |
        .contexts = [{name: "test", context: {cluster: "test", user: "controller", namespace: $namespace}}]' >"$work/controller.kubeconfig"
}

start_controller() { # NAME
    "$build/controller/cosmoscmk" controller --kubeconfig "$work/controller.kubeconfig" --log-format=json --leader-elect \
        --leader-elect-lease-duration=6s --leader-elect-renew-deadline=4s --leader-elect-retry-period=1s --probe-address= \
        --arm-endpoint "$azure" --authority-host "$azure" --azure-ca-file "$work/azure/ca.pem" --poll-min=1s --poll-max=$((3 + count / 500))s \
        >>"$work/controller-$1.log" 2>&1 &
    started=$!
    printf '%s\n' "$started" >"$work/controller-$1.pid"
}

# A lost lease ends the process, as it should; a pod would be started again.
keep_running() { # NAME
    while :; do
        start_controller "$1"
        wait "$started" 2>/dev/null || true
        [ ! -e "$work/end" ] || return 0
        sleep 0.5
    done
}

ready() { "$build/tests/bench/bench-fleet" count default | cut -d' ' -f2; }
at_least() { [ "$(ready)" -ge "$1" ]; }
sent_at_least() { [ "$(patches)" -ge "$1" ]; }

# --- what breaks ---

kill_server() { # NAME: of apiserver.sh
    kill -KILL "$(cat "$work/api/$1.pid")"
}

api_and_etcd_are_killed() {
    kill_server kube-apiserver
    kill_server etcd
    sleep 2
    rm -f "$work"/api/{kube-apiserver,etcd}.pid
    ./apiserver.sh start "$work/api"
}

# kubectl hears of the new authority by its kubeconfig, which is written anew; the controller finds it in its file.
the_authority_is_replaced() {
    ./apiserver.sh stop "$work/api"
    (cd "$work/api/pki" && rm -f ca.* server.* admin.* complete)
    ./apiserver.sh start "$work/api"
    sleep 2
    cp "$work/api/pki/ca.crt" "$work/ca.new"
    mv "$work/ca.new" "$work/ca.crt"
}

the_token_is_replaced() {
    rm "$work/token"
    sleep 2
    renew_token
}

holder() { kubectl -n $SYSTEM get lease cosmoscmk -o 'jsonpath={.spec.holderIdentity}'; }

# The identity holds the host's name and a number, but no pid: whichever process says that it leads.
the_leader_is_killed() {
    local log pid
    log=$(grep -l "\"msg\":\"leading\".*$(holder)" "$work"/controller-*.log | head -n 1)
    pid=$(cat "${log%.log}.pid")
    kill -KILL "$pid"
}

export AZURE_TENANT_ID=$TENANT AZURE_CLIENT_ID=$CLIENT AZURE_CLIENT_SECRET=upheaval
./apiserver.sh start "$work/api"
export KUBECONFIG=$work/api/kubeconfig
kubectl apply -k "$ROOT/deploy" >/dev/null
kubectl wait --for=condition=Established --timeout=60s crd/cosmoscmks.cosmoscmk.io >/dev/null
renew_token
write_kubeconfig
start_azure
keep_running a &
keep_running b &
"$build/tests/bench/bench-fleet" create default fleet "$count" "$SUBSCRIPTIONS" 8 0

await $patience 'a tenth of the changes is sent' sent_at_least $((count / 10))
succeeds 'kube-apiserver and etcd are killed and come back' api_and_etcd_are_killed
await $patience 'a quarter is Ready' at_least $((count / 4))
succeeds 'the server has a certificate of another authority' the_authority_is_replaced
await $patience 'half is Ready' at_least $((count / 2))
succeeds 'the token is renewed, and gone for a moment' the_token_is_replaced
await $patience 'two thirds are Ready' at_least $((count * 2 / 3))
succeeds 'the leader is killed' the_leader_is_killed
await $patience 'all are Ready' at_least "$count"
succeeds "$count accounts got $count changes" [ "$(patches)" = "$count" ]
as_they_should_be() { # every account has its key, by Azure's own word
    curl -sS --fail --cacert "$work/azure/ca.pem" "$azure/fake/accounts" |
        jq -e --argjson count "$count" '[.[] | select(.keyVaultKeyUri != null and .operation == null)] | length == $count'
}
succeeds 'every account has its key' as_they_should_be
printf '# took %d s\n' "$SECONDS"
verdict
