/* One debug line per request, when it is over. It knows the URL and shows its host only: paths name customers'
 * resources and queries may hold signatures. */
#include "http/layer.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/url.h"

struct log_layer {
    struct http_client client; /* first */
    struct http_client *next;
};

/* Counts streamed bytes on their way to the caller's own on_data. */
struct counter {
    const struct http_request *request;
    size_t bytes;
};

static int count(void *data, const char *bytes, size_t len, struct err *err)
{
    struct counter *counter = data;

    counter->bytes += len;
    return counter->request->on_data(counter->request->data, bytes, len, err);
}

static void write_line(const struct http_request *request, const struct http_response *response, size_t bytes,
    int64_t ms, const char *failure)
{
    struct http_url url;
    bool known = request->url && http_url_parse(request->url, &url, NULL) == 0;

    log_debug("http request", LOG_S("label", request->label),
        LOG_S("method", request->method ? request->method : "GET"), LOG_S("host", known ? url.host : ""),
        LOG_I("status", response->status), LOG_I("ms", ms), LOG_I("bytes", bytes), LOG_S("error", failure));
}

static int perform(
    struct http_client *self, const struct http_request *request, struct http_response *response, struct err *err)
{
    struct log_layer *layer = (struct log_layer *)self;
    struct err own = ERR_INIT, *e = err ? err : &own;
    struct counter counter = {.request = request};
    struct http_request counted = *request;

    if (!log_enabled(LOG_DEBUG))
        return http_do(layer->next, request, response, err);
    if (request->on_data) {
        counted.on_data = count;
        counted.data = &counter;
    }
    int64_t start_ms = clock_mono_ms();
    int r = http_do(layer->next, &counted, response, e);
    write_line(request, response, counter.bytes + response->body.len, clock_mono_ms() - start_ms,
        r < 0 ? err_kind_name(e->kind) : "");
    return r;
}

struct http_client *http_log_new(struct http_client *next)
{
    struct log_layer *layer = xcalloc(1, sizeof(*layer));

    layer->client.perform = perform;
    layer->next = next;
    return &layer->client;
}

struct http_client *http_log_free(struct http_client *layer)
{
    free(layer);
    return NULL;
}
