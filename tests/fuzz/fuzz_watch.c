/* The watch decoder: a stream cut anywhere gives the same events and the same failure as in one piece.
 *
 * The first line says where to cut: each of its bytes is a piece's length, in turn. The stream follows. */
#include "fuzz.h"

#include "base/buf.h"
#include "kube/watch.h"

#define MAX_LINE 4096

static int note(void *ctx, const struct kube_watch_event *event, struct err *err)
{
    struct buf *seen = ctx;
    _cleanup_(freep) char *object = json_print(event->object);

    FUZZ_CHECK(event->resource_version && *event->resource_version);
    buf_printf(seen, "%d %s %s\n", event->type, event->resource_version, object);
    return strcmp(event->resource_version, "stop") == 0 ? err_set(err, ERR_CANCELLED, "enough") : 0;
}

static int feed(const char *stream, size_t len, const uint8_t *cuts, size_t n_cuts, struct buf *seen, struct err *err)
{
    _cleanup_(kube_watch_freep) struct kube_watch *watch = kube_watch_new(MAX_LINE);

    for (size_t i = 0; len > 0; i++) {
        size_t n = n_cuts ? (size_t)(cuts[i % n_cuts] % 61) + 1 : len;
        n = n < len ? n : len;
        if (kube_watch_feed(watch, stream, n, note, seen, err) < 0)
            return -1;
        stream += n;
        len -= n;
    }
    return kube_watch_end(watch, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(buf_done) struct buf whole = BUF_INIT(16 << 20), pieces = BUF_INIT(16 << 20);
    struct err whole_err = ERR_INIT, pieces_err = ERR_INIT;
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;

    if (!end)
        return 0;
    size_t n_cuts = (size_t)(end - data), len = size - n_cuts - 1;
    const char *stream = (const char *)end + 1;
    int r = feed(stream, len, NULL, 0, &whole, &whole_err);
    FUZZ_CHECK(r == feed(stream, len, data, n_cuts, &pieces, &pieces_err));
    FUZZ_CHECK(strcmp(buf_str(&whole), buf_str(&pieces)) == 0);
    FUZZ_CHECK(whole_err.kind == pieces_err.kind && strcmp(whole_err.msg, pieces_err.msg) == 0);
    FUZZ_CHECK(r == 0 || whole_err.kind != ERR_NONE);
    return 0;
}
