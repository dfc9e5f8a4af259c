#!/usr/bin/env bash
# A real Kubernetes API server for tests: etcd and kube-apiserver on loopback, without nodes, controllers or a scheduler.
#
# All that belongs to a server is in one folder: data, certificates, ports, logs and pids. Starting again on the same folder brings back
# the same server at the same address with the same objects, so a test can restart it under a running controller. Nothing is printed but
# errors; when the server does not come up, the end of its log is.

set -euo pipefail

readonly READY_TIMEOUT_S=120
readonly STOP_TIMEOUT_S=15

usage() {
    cat <<'TEXT'
usage: tests/e2e/apiserver.sh start DIR [PORT]
       tests/e2e/apiserver.sh stop DIR

start  starts etcd and kube-apiserver, which are looked for in $KUBEBUILDER_ASSETS (see hack/envtest.sh), and waits until they are ready.
       Then DIR/kubeconfig is that of an administrator. PORT is the API server's; without it a free one is chosen, and kept for DIR.
stop   stops both. DIR stays and can be started again; removing it is up to you.

DIR also holds kube-apiserver.log, etcd.log, kube-apiserver.pid and etcd.pid. $APISERVER_FLAGS is added to kube-apiserver's flags.
TEXT
}

die() { printf 'apiserver.sh: %s\n' "$*" >&2; exit 1; }

# --- processes ---

program_of() { # PID: its name, cut to 15 characters on Linux
    if [[ -d /proc/self ]]; then cat "/proc/$1/comm"; else ps -o comm= -p "$1"; fi 2>/dev/null
}

running() { # NAME: whether the process of DIR/NAME.pid is there, and is that program (a pid may have been given to another since)
    local pid
    [[ -s $DIR/$1.pid ]] || return 1
    pid=$(<"$DIR/$1.pid")
    [[ $(program_of "$pid") == *"${1:0:15}"* ]]
}

launch() { # NAME FLAGS...
    local name=$1
    shift
    nohup "$KUBEBUILDER_ASSETS/$name" "$@" </dev/null >>"$DIR/$name.log" 2>&1 &
    printf '%s\n' $! >"$DIR/$name.pid"
}

terminate() { # NAME
    local pid deadline=$((SECONDS + STOP_TIMEOUT_S))
    if running "$1"; then
        pid=$(<"$DIR/$1.pid")
        kill "$pid" 2>/dev/null || true
        while running "$1" && ((SECONDS < deadline)); do sleep 0.1; done
        if running "$1"; then kill -KILL "$pid" 2>/dev/null || true; fi
    fi
    rm -f "$DIR/$1.pid"
}

# --- ports ---

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() { # [NOT...]: below the range from which the kernel gives out ports by itself
    local port
    while :; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        [[ " $* " != *" $port "* ]] && ! listening "$port" && break
    done
    printf '%s\n' "$port"
}

choose_ports() { # [PORT]: sets API_PORT, ETCD_PORT and ETCD_PEER_PORT
    if [[ -s $DIR/ports ]]; then
        read -r API_PORT ETCD_PORT ETCD_PEER_PORT <"$DIR/ports"
    else
        ETCD_PORT=$(free_port "${1-}")
        ETCD_PEER_PORT=$(free_port "${1-}" "$ETCD_PORT")
        API_PORT=${1:-$(free_port "$ETCD_PORT" "$ETCD_PEER_PORT")}
    fi
    API_PORT=${1:-$API_PORT}
    printf '%s %s %s\n' "$API_PORT" "$ETCD_PORT" "$ETCD_PEER_PORT" >"$DIR/ports"
}

# --- certificates ---

new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1" 2>/dev/null; }

new_certificate() { # NAME SUBJECT EXTENSIONS: signed by the CA
    new_key "$PKI/$1.key"
    openssl req -new -key "$PKI/$1.key" -subj "$2" -out "$PKI/$1.csr"
    openssl x509 -req -sha256 -days 30 -in "$PKI/$1.csr" -CA "$PKI/ca.crt" -CAkey "$PKI/ca.key" -CAcreateserial \
        -extfile <(printf '%s\n' "$3") -out "$PKI/$1.crt" 2>/dev/null
    rm "$PKI/$1.csr"
}

make_certificates() { # once for a folder; the marker file is written last
    [[ -e $PKI/complete ]] && return
    (
        umask 077
        mkdir -p "$PKI"
        new_key "$PKI/ca.key"
        openssl req -x509 -new -sha256 -days 30 -key "$PKI/ca.key" -subj /CN=test-ca -out "$PKI/ca.crt"
        new_certificate server /CN=kube-apiserver \
            'subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc'
        new_certificate admin /O=system:masters/CN=admin 'extendedKeyUsage=clientAuth'
        [[ -e $PKI/service-account.key ]] || new_key "$PKI/service-account.key" # tokens outlive a new authority
        : >"$PKI/complete"
    )
}

# --- kubeconfig ---

embedded() { base64 <"$1" | tr -d '\n'; }

write_kubeconfig() {
    (
        umask 077
        cat >"$DIR/kubeconfig.new" <<YAML
apiVersion: v1
kind: Config
current-context: test
contexts:
  - name: test
    context: {cluster: test, user: admin, namespace: default}
clusters:
  - name: test
    cluster:
      server: https://127.0.0.1:$API_PORT
      certificate-authority-data: $(embedded "$PKI/ca.crt")
users:
  - name: admin
    user:
      client-certificate-data: $(embedded "$PKI/admin.crt")
      client-key-data: $(embedded "$PKI/admin.key")
YAML
    )
    mv "$DIR/kubeconfig.new" "$DIR/kubeconfig"
}

# --- start and stop ---

start_etcd() {
    launch etcd \
        --name=test --data-dir="$DIR/etcd" --unsafe-no-fsync --log-level=warn \
        --listen-client-urls="http://127.0.0.1:$ETCD_PORT" --advertise-client-urls="http://127.0.0.1:$ETCD_PORT" \
        --listen-peer-urls="http://127.0.0.1:$ETCD_PEER_PORT" --initial-advertise-peer-urls="http://127.0.0.1:$ETCD_PEER_PORT" \
        --initial-cluster="test=http://127.0.0.1:$ETCD_PEER_PORT"
}

start_apiserver() {
    # shellcheck disable=SC2086 # the extra flags are words
    launch kube-apiserver \
        --etcd-servers="http://127.0.0.1:$ETCD_PORT" \
        --bind-address=127.0.0.1 --secure-port="$API_PORT" --advertise-address=127.0.0.1 --endpoint-reconciler-type=none \
        --tls-cert-file="$PKI/server.crt" --tls-private-key-file="$PKI/server.key" --client-ca-file="$PKI/ca.crt" \
        --service-account-issuer=https://kubernetes.default.svc --service-cluster-ip-range=10.0.0.0/24 \
        --service-account-key-file="$PKI/service-account.key" --service-account-signing-key-file="$PKI/service-account.key" \
        --authorization-mode=RBAC --disable-admission-plugins=ServiceAccount \
        ${APISERVER_FLAGS-}
}

give_up() { # NAME WHY
    printf 'apiserver.sh: %s %s; the end of %s:\n' "$1" "$2" "$DIR/$1.log" >&2
    tail -n 15 "$DIR/$1.log" >&2
    stop
    exit 1
}

wait_until_ready() {
    local deadline=$((SECONDS + READY_TIMEOUT_S))
    until "$KUBEBUILDER_ASSETS/kubectl" --kubeconfig "$DIR/kubeconfig" get --raw /readyz >/dev/null 2>&1; do
        running etcd || give_up etcd 'ended'
        running kube-apiserver || give_up kube-apiserver 'ended'
        ((SECONDS < deadline)) || give_up kube-apiserver "is not ready after $READY_TIMEOUT_S s"
        sleep 0.2
    done
}

start() { # [PORT]
    local program
    [[ -n ${KUBEBUILDER_ASSETS-} ]] || die "set KUBEBUILDER_ASSETS to a folder with kube-apiserver and etcd: export KUBEBUILDER_ASSETS=\$(hack/envtest.sh)"
    for program in kube-apiserver etcd kubectl; do
        [[ -x $KUBEBUILDER_ASSETS/$program ]] || die "there is no $program in $KUBEBUILDER_ASSETS (KUBEBUILDER_ASSETS)"
    done
    command -v openssl >/dev/null || die 'openssl is needed to make certificates'
    if running kube-apiserver; then die "already running on $DIR"; fi

    choose_ports "${1-}"
    make_certificates
    write_kubeconfig
    running etcd || start_etcd
    start_apiserver
    wait_until_ready
}

stop() {
    terminate kube-apiserver
    terminate etcd
}

main() {
    case ${1-} in
        start)
            [[ $# -ge 2 && $# -le 3 && ${3:-1} =~ ^[0-9]+$ ]] || { usage >&2; exit 2; }
            mkdir -p "$2"
            ;;
        stop)
            [[ $# -eq 2 ]] || { usage >&2; exit 2; }
            [[ -d $2 ]] || return 0
            ;;
        -h | --help) usage; return ;;
        *) usage >&2; exit 2 ;;
    esac
    DIR=$(cd "$2" && pwd)
    PKI=$DIR/pki
    "$1" "${@:3}"
}

main "$@"
