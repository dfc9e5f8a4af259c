#!/usr/bin/env bash
# check-pure.sh BUILD_DIR: fails when a pure target references a clock, thread, socket, environment or curl symbol.
#
# Pure are: the domain (controller/cmk), and in pkg the parts that are told everything: JSON, YAML, the watch decoder, the
# core of the queue, URLs, resource ids. They can then be driven through every state by a test in virtual time.
set -euo pipefail

build=${1:?usage: check-pure.sh BUILD_DIR}
impure='^(time|clock_[a-z_]+|gettimeofday|localtime(_r)?|mktime|nanosleep|usleep|sleep|poll|select|epoll_.*|pthread_.*|socket|connect|bind|accept|send|recv|open|openat|read|write|getenv|secure_getenv|rand|srand|random|getrandom|curl_.*|lws_.*|random_[a-z]+|log_write|env_get|file_read)$'
failed=0

# check FOLDER [SOURCE...]: the object files of the folder's target, or of some of its sources.
check() {
    local folder=$1 bad objects=() names=(-name '*.c.o')
    shift
    for source in "$@"; do
        [ "${#names[@]}" -gt 2 ] || names=(-false)
        names+=(-o -name "$source.c.o")
    done
    mapfile -t objects < <(find "$build/$folder" \( "${names[@]}" \))
    if [ ${#objects[@]} -eq 0 ]; then
        echo "check-pure: $folder: nothing is built" >&2
        failed=1
        return
    fi
    bad=$(nm --undefined-only --format=posix "${objects[@]}" | awk '{print $1}' | sed 's/@.*//' | sort -u | grep -E "$impure" || true)
    if [ -n "$bad" ]; then
        echo "check-pure: $folder references: ${bad//$'\n'/ }" >&2
        failed=1
    fi
}

check controller/cmk
check pkg/json
check pkg/yaml
check pkg/http url
check pkg/kube watch elector event_core event_object
check pkg/queue queue
check pkg/azure arm_id arm_error limiter_core limiter_bucket
check pkg/base str buf err map timefmt tz tz_rule

[ "$failed" = 0 ] && echo "pure targets are pure"
exit "$failed"
