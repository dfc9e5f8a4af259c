/* Repeats what is safe to repeat: a GET that collects its answer in memory and met a fault that tends to pass. It holds
 * no state between calls. What was throttled is not repeated: when to come back is the peer's word, kept by the
 * throttle layer. */
#include "http/layer.h"

#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "http/cancel.h"

struct retry {
    struct http_client client; /* first */
    struct http_client *next;
    struct http_retry_options options;
};

static bool is_repeatable(const struct http_request *request)
{
    return (!request->method || str_eq(request->method, "GET")) && !request->body && !request->on_data &&
           !request->once;
}

static bool has_passing_fault(int r, const struct http_response *response, const struct err *err)
{
    size_t len;

    if (r < 0)
        return err->kind == ERR_UNAVAILABLE || err->kind == ERR_TIMEOUT;
    if (response->status == 503 && http_response_header_ref(response, "retry-after", &len))
        return false;
    return response->status == 502 || response->status == 503 || response->status == 504;
}

/* base doubled each time up to max, of which the second half is left to chance. */
static int64_t wait_ms(const struct http_retry_options *options, int attempt)
{
    int64_t ms = options->base_ms;

    for (int i = 1; i < attempt && ms < options->max_ms; i++)
        ms *= 2;
    if (ms > options->max_ms)
        ms = options->max_ms;
    return ms - (int64_t)random_below((uint64_t)ms / 2 + 1);
}

static int perform(
    struct http_client *self, const struct http_request *request, struct http_response *response, struct err *err)
{
    struct retry *retry = (struct retry *)self;
    struct err own = ERR_INIT, *e = err ? err : &own;
    int attempts = is_repeatable(request) ? retry->options.attempts : 1;

    for (int attempt = 1;; attempt++) {
        int r = http_do(retry->next, request, response, e);
        if (attempt >= attempts || !has_passing_fault(r, response, e))
            return r;
        if (http_cancel_wait(request->cancel, wait_ms(&retry->options, attempt)))
            return err_set(e, ERR_CANCELLED, "the request was cancelled while it waited to be repeated");
        http_response_done(response);
    }
}

struct http_client *http_retry_new(struct http_client *next, const struct http_retry_options *options)
{
    struct retry *retry = xcalloc(1, sizeof(*retry));

    retry->client.perform = perform;
    retry->next = next;
    retry->options = *options;
    return &retry->client;
}

struct http_client *http_retry_free(struct http_client *layer)
{
    free(layer);
    return NULL;
}
