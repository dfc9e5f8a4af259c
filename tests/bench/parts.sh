# shellcheck shell=bash
# The parts of hack/bench.sh, which sources this file. Each part_X starts what it measures, appends figures to $work/figures, and ends it.
#
# A figure is a name, who it is of (ours, peer, or both for what is neither's), and a number.

: "${work:?}" "${SAMPLES:?}" "${LIFE:?}" "${FLEET:?}" "${BIG:?}" "${STEADY_S:?}" "${RESYNC:?}" "${IDLE_S:?}" "${SETTLE_S:?}" "${WORKERS:?}"
bin=$PWD/build/release
peer='' ours_pid='' peer_pid='' azure_pid='' quick=${quick-}
export AZURE_TENANT_ID=00000000-0000-0000-0000-00000000000a AZURE_CLIENT_ID=00000000-0000-0000-0000-00000000000b AZURE_CLIENT_SECRET=bench

say() { printf '%5d s  %s\n' "$SECONDS" "$*" >&2; }
figure() { # NAME WHO NUMBER
    printf '{"name":"%s","who":"%s","value":%s}\n' "$1" "$2" "$3" >>"$work/figures"
}
controllers() { printf 'ours\n'; [ -z "$peer" ] || printf 'peer\n'; }
now_us() { local t=$EPOCHREALTIME; printf '%s\n' "${t/[.,]/}"; }

# --- processes; only those that were started here are ended ---

end() { # PID
    [ -n "$1" ] || return 0
    kill "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

clean_up() {
    end "$ours_pid"
    end "$peer_pid"
    [ ! -e "$work/api/etcd.pid" ] || ./tests/e2e/apiserver.sh stop "$work/api" || true
    end "$azure_pid"
    rm -rf "$work"
}

start() { # WHO NAMESPACE
    : >"$work/$1.log"
    if [ "$1" = ours ]; then
        "$bin/controller/cosmoscmk" controller --namespace "$2" --workers "$WORKERS" --resync "$RESYNC" --poll-min 5s \
            --probe-address 127.0.0.1:0 --arm-endpoint "$azure" --authority-host "$azure" --azure-ca-file "$work/azure/ca.pem" \
            "${ours_election[@]}" 2>"$work/ours.log" &
        ours_pid=$!
    else
        "$peer" --namespace "$2" --workers "$WORKERS" --resync "$RESYNC" --poll 5s --health-probe-bind-address 127.0.0.1:0 \
            --arm-endpoint "$azure" --authority-host "$azure/" --azure-ca-file "$work/azure/ca.pem" "${peer_election[@]}" \
            2>"$work/peer.log" &
        peer_pid=$!
    fi
}
pid_of() { if [ "$1" = ours ]; then printf '%s\n' "$ours_pid"; else printf '%s\n' "$peer_pid"; fi; }
stop() { # WHO
    end "$(pid_of "$1")"
    if [ "$1" = ours ]; then ours_pid=; else peer_pid=; fi
}
give_up() { # WHO WHY
    tail -n 5 "$work/$1.log" | cut -c 1-1000 >&2
    die "$1 $2; the end of its log is above"
}
must_run() { # WHO
    kill -0 "$(pid_of "$1")" 2>/dev/null || give_up "$1" "ended by itself"
}

# --- what the kernel says of a process ---

cpu_ms() { # WHO: user and system time of all its threads
    local stat fields
    stat=$(<"/proc/$(pid_of "$1")/stat")
    read -ra fields <<<"${stat##*) }"
    printf '%d\n' $(((fields[11] + fields[12]) * 1000 / $(getconf CLK_TCK)))
}
memory() { # WHO NAME: in KiB
    local pid
    must_run "$1"
    pid=$(pid_of "$1")
    while read -r name value; do figure "$2_$name" "$1" "$value"; done < <(awk '
        /^Rss:/ { print "rss", $2 } /^Pss:/ { print "pss", $2 } /^Private_/ { private += $2 } END { print "private", private }' \
        "/proc/$pid/smaps_rollup")
    figure "$2_peak" "$1" "$(awk '/^VmHWM:/ { print $2 }' "/proc/$pid/status")"
}

# --- what the servers say ---

azure_get() { curl -sS --fail --cacert "$work/azure/ca.pem" "$azure$1"; }
seen() { # FIELD QUERY: count, firstUs, lastUs or lastSeq of requests
    azure_get "/fake/requests/summary?$2" | jq ".$1"
}
await_seen() { # COUNT QUERY WHO SECONDS: until fake-azure has answered so many requests
    local deadline=$((SECONDS + $4)) n
    while n=$(seen count "$2"); [ "$n" -lt "$1" ]; do
        must_run "$3"
        [ $SECONDS -lt $deadline ] || give_up "$3" "has made $n of $1 requests ($2) after $4 s"
        sleep 0.3
    done
}
await_ready() { # COUNT NAMESPACE WHO SECONDS
    local deadline=$((SECONDS + $4)) all ready
    while read -r all ready < <("$bin/tests/bench/bench-fleet" count "$2"); [ "$ready" -lt "$1" ]; do
        must_run "$3"
        [ $SECONDS -lt $deadline ] || give_up "$3" "has $ready of $1 resources Ready ($all in all) after $4 s"
        sleep "$5"
    done
}
await_quiet() { # WHO: until it has used next to no processor time for three seconds
    local before after deadline=$((SECONDS + 900))
    after=$(cpu_ms "$1")
    while before=$after; sleep 3; must_run "$1"; after=$(cpu_ms "$1"); [ $((after - before)) -gt 90 ]; do
        [ $SECONDS -lt $deadline ] || give_up "$1" "does not come to rest"
    done
}
# A hundred accounts in each subscription where they are only looked at; at most one of those on their way to a key at the same time, so
# that Azure's request limits do not count.
subscriptions_of() { # PREFIX
    case $1 in
    steady-*) echo $(((FLEET + 99) / 100)) ;;
    big) echo $(((BIG + 99) / 100)) ;;
    *) echo "$SUBSCRIPTIONS" ;;
    esac
}
# Fleets that are only looked at have subscriptions of their own: whoever lists a subscription shall find what is its.
block_of() { # PREFIX
    case $1 in
    steady-ours) echo 1 ;;
    steady-peer) echo 2 ;;
    big) echo 3 ;;
    *) echo 0 ;;
    esac
}
create() { # NAMESPACE PREFIX COUNT JOBS PAUSE_MS
    "$bin/tests/bench/bench-fleet" create "$1" "$2" "$3" "$(subscriptions_of "$2"):$(block_of "$2")" "$4" "$5"
}
audit_lines() { wc -l <"$work/audit.log"; }

# --- the servers, and the programs ---

build_programs() {
    say "building"
    if ! { cmake --preset release && cmake --build --preset release --target cosmoscmk fake-azure bench-fleet; } >"$work/build.log" 2>&1; then
        cat "$work/build.log" >&2
        die "the build failed; its output is above"
    fi
    if ! command -v go >/dev/null; then
        printf 'bench.sh: THERE IS NO PEER IN THIS RUN: go is not installed\n' >&2
    elif ! (cd tests/bench/peer && CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$work/peer" .) >"$work/build.log" 2>&1; then
        cat "$work/build.log" >&2
        printf 'bench.sh: THERE IS NO PEER IN THIS RUN: it cannot be built here, see above\n' >&2
    else
        peer=$work/peer
    fi
    strip -o "$work/stripped" "$bin/controller/cosmoscmk"
    figure binary_bytes ours "$(stat -c %s "$work/stripped")"
    [ -z "$peer" ] || figure binary_bytes peer "$(stat -c %s "$peer")"
    # A start waits for the lease of the one before where that was not given back, which is not what is measured here.
    ours_election=(--leader-elect=false) peer_election=()
}

seed() {
    local who
    printf '{"accounts":['
    for who in ours peer; do
        "$bin/tests/bench/bench-fleet" accounts "latency-$who" "$SAMPLES" "$SUBSCRIPTIONS" 1
        "$bin/tests/bench/bench-fleet" accounts "life-$who" "$LIFE" "$SUBSCRIPTIONS" 3
        "$bin/tests/bench/bench-fleet" accounts "steady-$who" "$FLEET" "$(subscriptions_of "steady-$who"):$(block_of "steady-$who")" -1
    done
    "$bin/tests/bench/bench-fleet" accounts big "$BIG" "$(subscriptions_of big):$(block_of big)" -1 | sed '$ s/,$//'
    printf '],"resources":'
    # The vault and key of the demonstration, once in each subscription, with the names that fleet.c gives them.
    jq -c --argjson n "$SUBSCRIPTIONS" 'def hex: [recurse(if . < 16 then empty else . / 16 | floor end) % 16] | reverse
            | map("0123456789abcdef"[.:.+1]) | add;
        [.resources[] as $r | range($n) | ("000000000000" + hex)[-12:] as $suffix |
         $r | .id |= sub("/00000000-0000-0000-0000-000000000001/"; "/00000000-0000-4000-8000-\($suffix)/")]' tests/fakes/demo-accounts.json
    printf '}'
}

start_servers() {
    local who
    say "starting kube-apiserver, etcd and fake-azure"
    seed >"$work/seed.json"
    "$bin/tests/fakes/fake-azure" --tls-dir "$work/azure" --ready-file "$work/azure.url" --accounts "$work/seed.json" \
        --client-secret "$AZURE_CLIENT_SECRET" >"$work/azure.log" 2>&1 &
    azure_pid=$!
    cat >"$work/audit.yaml" <<'YAML'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: None, verbs: [get, list, watch]}
  - {level: None, namespaces: [big]}
  - {level: Metadata}
YAML
    KUBEBUILDER_ASSETS=${KUBEBUILDER_ASSETS:-$(./hack/envtest.sh)}
    export KUBEBUILDER_ASSETS
    APISERVER_FLAGS="--audit-log-path=$work/audit.log --audit-log-maxsize=4000 --audit-policy-file=$work/audit.yaml" \
        ./tests/e2e/apiserver.sh start "$work/api"
    export KUBECONFIG=$work/api/kubeconfig PATH=$KUBEBUILDER_ASSETS:$PATH
    kubectl apply -f crd/cosmoscmk.yaml >/dev/null
    kubectl wait --for=condition=Established crd/cosmoscmks.cosmoscmk.io --timeout=60s >/dev/null
    for who in ours peer; do
        for part in idle latency life steady; do kubectl create namespace "$part-$who" >/dev/null; done
    done
    kubectl create namespace big >/dev/null
    for _ in $(seq 300); do
        [ ! -s "$work/azure.url" ] || break
        sleep 0.1
    done
    azure=$(cat "$work/azure.url") || { cat "$work/azure.log" >&2; die "fake-azure did not start"; }
}

describe_run() {
    jq -n --arg date "$(date -u +%Y-%m-%d)" --arg commit "$(git rev-parse --short HEAD 2>/dev/null || echo none)" --arg quick "$quick" \
        --arg cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)" --argjson cores "$(nproc)" \
        --argjson memory "$(awk '/^MemTotal/ { print int($2 / 1048576 + 0.5) }' /proc/meminfo)" --arg kernel "$(uname -r)" \
        --arg system "$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)" --arg peer "$peer" \
        --arg apiserver "$("$KUBEBUILDER_ASSETS/kube-apiserver" --version | sed 's/.* //')" \
        --arg runtime "$(sed -n 's|.*sigs.k8s.io/controller-runtime \(v[^ ]*\).*|\1|p' tests/bench/peer/go.mod)" \
        --arg go "$(go env GOVERSION 2>/dev/null || true)" \
        --argjson fleet "$FLEET" --argjson big "$BIG" --argjson samples "$SAMPLES" --argjson life "$LIFE" --argjson steady "$STEADY_S" \
        --arg resync "$RESYNC" --argjson election 0 --argjson workers "$WORKERS" --argjson subscriptions "$SUBSCRIPTIONS" \
        '{date: $date, commit: $commit, quick: ($quick != ""), peer: ($peer != ""),
          machine: {$cpu, $cores, memoryGiB: $memory, $kernel, $system}, versions: {$apiserver, controllerRuntime: $runtime, $go},
          settings: {$fleet, $big, $samples, $life, steadySeconds: $steady, $resync, $workers, $subscriptions, leaderElection: ($election > 0)}}'
}

# --- parts ---

timed() { # NAME WHO COMMAND...: seconds that it takes
    local start name=$1 who=$2
    shift 2
    start=$(now_us)
    if ! "$@" >"$work/timed.log" 2>&1; then
        tail -n 40 "$work/timed.log" >&2
        die "failed: $*"
    fi
    figure "$name" "$who" "$(jq -n "($(now_us) - $start) / 1000000")"
}

build_ours() {
    CCACHE_DISABLE=1 cmake -G Ninja -S . -B "$work/build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCOSMOSCMK_TESTS=OFF &&
        CCACHE_DISABLE=1 cmake --build "$work/build" --target cosmoscmk
}
build_peer() { (cd tests/bench/peer && GOCACHE=$work/gocache CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$work/peer.again" .); }

part_build() {
    say "clean builds"
    timed build_s ours build_ours
    [ -z "$peer" ] || timed build_s peer build_peer
    rm -rf "$work/build" "$work/gocache"
}

part_test() {
    say "the fast tests"
    timed test_build_s ours cmake --build --preset release
    timed test_s ours ctest --test-dir "$bin" -LE 'slow|optimized' -j "$(nproc)"
}

part_image() {
    [ -x hack/image.sh ] || { printf 'bench.sh: NO IMAGE IN THIS RUN: there is no hack/image.sh\n' >&2; return 0; }
    say "the image"
    ./hack/image.sh --output "$work/image.tar" >"$work/image.log" 2>&1 || { cat "$work/image.log" >&2; die "hack/image.sh failed"; }
    figure image_bytes ours "$(stat -c %s "$work/image.tar")"
}

part_idle() {
    local who before
    say "idle, $IDLE_S s"
    for who in $(controllers); do start "$who" "idle-$who"; done
    sleep "$SETTLE_S"
    for who in $(controllers); do figure "idle_cpu_before_ms" "$who" "$(cpu_ms "$who")"; done
    before=$(now_us)
    sleep "$IDLE_S"
    for who in $(controllers); do
        figure idle_cpu_after_ms "$who" "$(cpu_ms "$who")"
        memory "$who" idle
        stop "$who"
    done
    figure idle_window_us both $(($(now_us) - before))
}

# One resource after the other, so that nothing queues: from the API server's answer to the create until the PATCH is at fake-azure.
part_latency() {
    local who lines seq agent
    say "apply to PATCH, $SAMPLES times"
    for who in $(controllers); do
        start "$who" "latency-$who"
        sleep "$SETTLE_S"
        lines=$(audit_lines) seq=$(seen lastSeq '')
        create "latency-$who" "latency-$who" "$SAMPLES" 1 200
        await_seen "$SAMPLES" "since=$seq&method=PATCH" "$who" 60
        azure_get "/fake/requests?since=$seq" >"$work/journal.json"
        tail -n "+$((lines + 1))" "$work/audit.log" | jq -cs . >"$work/audit.json"
        agent=cosmoscmk/
        [ "$who" = ours ] || agent=peer/
        jq -cn --arg who "$who" --arg agent "$agent" --slurpfile journal "$work/journal.json" --slurpfile audit "$work/audit.json" \
            -f tests/bench/latency.jq >>"$work/figures"
        stop "$who"
    done
}

# From kubectl apply of many at once until all are Ready, with an operation of 3 s and a look every 5 s at the most.
part_life() {
    local who before start
    say "$LIFE resources from created to Ready"
    for who in $(controllers); do
        start "$who" "life-$who"
        sleep "$SETTLE_S"
        before=$(cpu_ms "$who") start=$(now_us)
        create "life-$who" "life-$who" "$LIFE" 8 0
        await_ready "$LIFE" "life-$who" "$who" 600 2
        figure life_cpu_ms "$who" "$(jq -n "($(cpu_ms "$who") - $before) / $LIFE")"
        figure life_s "$who" "$(jq -n "($(now_us) - $start) / 1000000")"
        stop "$who"
    done
}

# How long the API server needs to list them, without any controller: the median of five.
list_ms() { # NAMESPACE
    local pki=$work/api/pki server times=()
    server=$(kubectl config view -o 'jsonpath={.clusters[0].cluster.server}')
    for _ in 1 2 3 4 5; do
        times+=("$(curl -sS --fail --cacert "$pki/ca.crt" --cert "$pki/admin.crt" --key "$pki/admin.key" -o /dev/null \
            -w '%{time_total}' "$server/apis/cosmoscmk.io/v1/namespaces/$1/cosmoscmks")")
    done
    printf '%s\n' "${times[@]}" | jq -s 'sort[2] * 1000'
}

# Until each account was read on its own, or each subscription listed.
await_looked_at() { # COUNT LISTS SINCE WHO SECONDS
    local deadline=$((SECONDS + $5)) own all
    while own=$(seen count "since=$3&method=GET&pathContains=databaseAccounts/") all=$(seen count "since=$3&method=GET&pathContains=databaseAccounts");
        [ "$own" -lt "$1" ] && [ $((all - own)) -lt "$2" ]; do
        must_run "$4"
        [ $SECONDS -lt $deadline ] || give_up "$4" "has read $own of $1 accounts, and made $((all - own)) lists, after $5 s"
        sleep 0.3
    done
}

# Resources whose status says Ready already, after a restart: until the account of the last one has been read.
cold_start() { # WHO NAMESPACE COUNT NAME
    local seq start
    figure "$4_list_ms" "$1" "$(list_ms "$2")"
    seq=$(seen lastSeq '')
    start=$(now_us)
    start "$1" "$2"
    await_looked_at "$3" "$(subscriptions_of "$2")" "$seq" "$1" 900
    figure "$4_cold_ms" "$1" "$(jq -n "($(seen lastUs "since=$seq&method=GET&pathContains=databaseAccounts") - $start) / 1000")"
    await_quiet "$1"
    figure "$4_cold_cpu_ms" "$1" "$(cpu_ms "$1")"
}

settle() { # WHO NAMESPACE COUNT: the first pass over each writes its status
    start "$1" "$2"
    sleep 5
    await_quiet "$1"
    await_ready "$3" "$2" "$1" 900 5
    stop "$1"
}

kube_writes() { # WHO RESOURCE FROM_LINE
    local agent=cosmoscmk/
    [ "$1" = ours ] || agent=peer/
    tail -n "+$(($3 + 1))" "$work/audit.log" | jq -c --arg agent "$agent" --arg resource "$2" \
        'select((.userAgent | startswith($agent)) and .objectRef.resource == $resource)' | wc -l
}

part_steady() {
    local who before lines seq method writes
    for who in $(controllers); do
        say "$FLEET resources for $who"
        create "steady-$who" "steady-$who" "$FLEET" 16 0
        settle "$who" "steady-$who" "$FLEET"
    done
    for who in $(controllers); do
        say "cold start of $who with $FLEET"
        cold_start "$who" "steady-$who" "$FLEET" steady
    done
    sleep "$SETTLE_S"
    say "steady, $STEADY_S s"
    lines=$(audit_lines) seq=$(seen lastSeq '') before=$(now_us)
    for who in $(controllers); do figure steady_cpu_before_ms "$who" "$(cpu_ms "$who")"; done
    sleep "$STEADY_S"
    for who in $(controllers); do figure steady_cpu_after_ms "$who" "$(cpu_ms "$who")"; done
    figure steady_window_us both $(($(now_us) - before))
    for who in $(controllers); do
        writes=0
        for method in PATCH PUT DELETE; do
            writes=$((writes + $(seen count "since=$seq&method=$method&pathContains=/steady-$who-")))
        done
        figure steady_azure_writes "$who" "$writes"
        figure steady_kube_writes "$who" "$(kube_writes "$who" cosmoscmks "$lines")"
        figure steady_lease_writes "$who" "$(kube_writes "$who" leases "$lines")"
        figure steady_passes "$who" "$(seen count "since=$seq&method=GET&pathContains=databaseAccounts/steady-$who-")"
        memory "$who" steady
        stop "$who"
    done
}

part_big() {
    local who
    say "$BIG resources"
    create big big "$BIG" 32 0
    for who in $(if [ -n "$big_alone" ]; then echo ours; else controllers; fi); do
        say "$BIG resources: $who writes each status once"
        settle "$who" big "$BIG"
        say "cold start of $who with $BIG"
        cold_start "$who" big "$BIG" big
        sleep "$SETTLE_S"
        memory "$who" big
        stop "$who"
    done
}
