/* Tells an observer of each request. Below retry and a limiter it sees what goes out, above them what was wanted. It
 * keeps nothing and changes nothing. */
#include "http/layer.h"

#include "base/clock.h"
#include "base/mem.h"

struct observe {
    struct http_client client; /* first */
    struct http_client *next;
    struct http_observer observer;
};

static int perform(
    struct http_client *self, const struct http_request *request, struct http_response *response, struct err *err)
{
    struct observe *layer = (struct observe *)self;
    struct err own = ERR_INIT, *e = err ? err : &own;

    if (!layer->observer.observed)
        return http_do(layer->next, request, response, err);
    int64_t start_ms = clock_mono_ms();
    int r = http_do(layer->next, request, response, e);
    const struct http_observation observation = {
        .request = request, .response = response, .err = r < 0 ? e : NULL, .ms = clock_mono_ms() - start_ms};
    layer->observer.observed(layer->observer.ctx, &observation);
    return r;
}

struct http_client *http_observe_new(struct http_client *next, const struct http_observer *observer)
{
    struct observe *layer = xcalloc(1, sizeof(*layer));

    *layer = (struct observe){.client = {.perform = perform}, .next = next, .observer = *observer};
    return &layer->client;
}

struct http_client *http_observe_free(struct http_client *layer)
{
    free(layer);
    return NULL;
}

void http_observe_set(struct http_client *layer, const struct http_observer *observer)
{
    ((struct observe *)layer)->observer = *observer;
}
