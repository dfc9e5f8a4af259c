#!/usr/bin/env bash
# check-pure.sh BUILD_DIR: fails when a pure target references a clock, thread, socket, environment or curl symbol.
#
# Pure are: the domain (controller/cmk), and in pkg the parts that are told everything: JSON, YAML, the watch decoder, the
# core of the queue, URLs. They can then be driven through every state by a test in virtual time.
set -euo pipefail

build=${1:?usage: check-pure.sh BUILD_DIR}
impure='^(time|clock_[a-z_]+|gettimeofday|localtime(_r)?|mktime|nanosleep|usleep|sleep|poll|select|epoll_.*|pthread_.*|socket|connect|bind|accept|send|recv|open|openat|read|write|getenv|secure_getenv|rand|srand|random|getrandom|curl_.*|lws_.*|random_[a-z]+|log_write|env_get|file_read)$'
failed=0

check() { # check NAME FILE...
    local name=$1 bad
    shift
    [ -e "$1" ] || { echo "check-pure: $name: $1 is not built" >&2; failed=1; return; }
    bad=$(nm --undefined-only --format=posix "$@" 2>/dev/null | awk '{print $1}' | sed 's/@.*//' | sort -u | grep -E "$impure" || true)
    if [ -n "$bad" ]; then
        echo "check-pure: $name references: $(echo "$bad" | tr '\n' ' ')" >&2
        failed=1
    fi
}

objects() { # objects TARGET_DIR NAME...: object files of some sources of a folder
    local dir=$1
    shift
    for source in "$@"; do
        find "$build/$dir" -name "$source.c.o"
    done
}

check controller/cmk "$build/controller/cmk/libcontroller_cmk.a"
check pkg/json "$build/pkg/json/libpkg_json.a"
check pkg/yaml "$build/pkg/yaml/libpkg_yaml.a"
check pkg/http/url $(objects pkg/http url)
check pkg/kube/watch $(objects pkg/kube watch)
check pkg/queue/queue $(objects pkg/queue queue)
check pkg/base $(objects pkg/base str buf err map timefmt tz)
[ "$failed" = 0 ] && echo "pure targets are pure"
exit "$failed"
