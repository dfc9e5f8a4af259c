/* The watch decoder. Only newly arrived bytes are searched for the end of a line; a line that arrives whole is decoded
 * where it lies, without a copy. Pure. */
#include "kube/watch.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/status.h"

#include <string.h>

#define DEFAULT_MAX_LINE (4 << 20)
#define KEEP (64 << 10) /* a buffer that one large object has blown up is given back */

struct kube_watch {
    struct buf line; /* the unfinished line */
};

struct kube_watch *kube_watch_new(size_t max_line)
{
    struct kube_watch *watch = xcalloc(1, sizeof(*watch));

    watch->line = BUF_INIT(max_line ? max_line : DEFAULT_MAX_LINE);
    return watch;
}

struct kube_watch *kube_watch_free(struct kube_watch *watch)
{
    if (!watch)
        return NULL;
    buf_done(&watch->line);
    free(watch);
    return NULL;
}

static int type_of(const char *name, enum kube_watch_type *ret)
{
    static const char *const names[] = {
        [KUBE_ADDED] = "ADDED",
        [KUBE_MODIFIED] = "MODIFIED",
        [KUBE_DELETED] = "DELETED",
        [KUBE_BOOKMARK] = "BOOKMARK",
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(name, names[i])) {
            *ret = (enum kube_watch_type)i;
            return 0;
        }
    return -1;
}

static bool is_blank(const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
            return false;
    return true;
}

static int decode(const char *line, size_t len,
    int (*on_event)(void *ctx, const struct kube_watch_event *event, struct err *err), void *ctx, struct err *err)
{
    _cleanup_(json_freep) cJSON *tree = NULL;
    struct kube_watch_event event;

    if (is_blank(line, len))
        return 0;
    if (json_parse(&tree, line, len, err) < 0)
        return err_wrap(err, "watch event");
    const char *type = json_string_at(tree, "type");
    event.object = json_member(tree, "object");
    if (!type || !cJSON_IsObject(event.object))
        return err_set(err, ERR_PROTOCOL, "watch event: no type or no object");
    if (str_eq(type, "ERROR"))
        return kube_status_fail(event.object, 0, err);
    if (type_of(type, &event.type) < 0)
        return err_set(err, ERR_PROTOCOL, "watch event: unknown type \"%.32s\"", type);
    event.resource_version = json_string_at(event.object, "metadata.resourceVersion");
    if (str_empty(event.resource_version))
        return err_set(err, ERR_PROTOCOL, "watch event: the object has no metadata.resourceVersion");
    const cJSON *mark = json_member(json_at(event.object, "metadata.annotations"), "k8s.io/initial-events-end");
    event.ends_initial = event.type == KUBE_BOOKMARK && cJSON_IsString(mark) && str_eq(mark->valuestring, "true");
    return on_event(ctx, &event, err);
}

static int too_long(const struct kube_watch *watch, struct err *err)
{
    return err_set(err, ERR_TOO_LARGE, "watch event: longer than the %zu bytes allowed", watch->line.max);
}

static int finish_line(struct kube_watch *watch, const char *bytes, size_t len,
    int (*on_event)(void *ctx, const struct kube_watch_event *event, struct err *err), void *ctx, struct err *err)
{
    if (len > watch->line.max - watch->line.len)
        return too_long(watch, err);
    if (watch->line.len == 0)
        return decode(bytes, len, on_event, ctx, err);
    buf_add(&watch->line, bytes, len);
    int r = decode(watch->line.data, watch->line.len, on_event, ctx, err);
    if (watch->line.cap > KEEP)
        buf_done(&watch->line);
    else
        buf_clear(&watch->line);
    return r;
}

int kube_watch_feed(struct kube_watch *watch, const char *bytes, size_t len,
    int (*on_event)(void *ctx, const struct kube_watch_event *event, struct err *err), void *ctx, struct err *err)
{
    while (len > 0) {
        const char *end = memchr(bytes, '\n', len);
        if (!end)
            break;
        size_t n = (size_t)(end - bytes);
        if (finish_line(watch, bytes, n, on_event, ctx, err) < 0)
            return -1;
        bytes += n + 1;
        len -= n + 1;
    }
    if (len > watch->line.max - watch->line.len)
        return too_long(watch, err);
    buf_add(&watch->line, bytes, len);
    return 0;
}

int kube_watch_end(const struct kube_watch *watch, struct err *err)
{
    if (is_blank(watch->line.len ? watch->line.data : "", watch->line.len))
        return 0;
    return err_set(err, ERR_UNAVAILABLE, "the watch was cut within an event");
}
