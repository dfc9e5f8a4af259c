/* Honours Retry-After for everyone who shares this layer: one time, before which nothing is sent. It never sleeps; who
 * is refused learns how long to stay away. A request already on its way when the peer said "later" is not called back.
 */
#include "http/layer.h"

#include "base/clock.h"
#include "base/mem.h"

#include <pthread.h>

struct throttle {
    struct http_client client; /* first */
    struct http_client *next;
    int64_t default_ms;
    pthread_mutex_t lock;
    int64_t until_ms; /* monotonic, under the lock */
};

static int64_t remaining_ms(struct throttle *throttle)
{
    (void)pthread_mutex_lock(&throttle->lock);
    int64_t ms = throttle->until_ms - clock_mono_ms();
    (void)pthread_mutex_unlock(&throttle->lock);
    return ms;
}

static void stay_away(struct throttle *throttle, int64_t ms)
{
    int64_t until_ms = clock_mono_ms() + ms;

    (void)pthread_mutex_lock(&throttle->lock);
    if (until_ms > throttle->until_ms)
        throttle->until_ms = until_ms;
    (void)pthread_mutex_unlock(&throttle->lock);
}

static void learn(struct throttle *throttle, const struct http_response *response)
{
    if (response->status != 429 && response->status != 503)
        return;
    int64_t ms = http_response_retry_after_ms(response, clock_wall_ms());
    if (ms < 0 && response->status == 429)
        ms = throttle->default_ms;
    if (ms > 0)
        stay_away(throttle, ms);
}

static int perform(
    struct http_client *self, const struct http_request *request, struct http_response *response, struct err *err)
{
    struct throttle *throttle = (struct throttle *)self;
    int64_t ms = remaining_ms(throttle);

    if (ms > 0) {
        (void)err_set(err, ERR_THROTTLED, "not sent: the peer asked to wait, %lld ms are left", (long long)ms);
        if (err)
            err->retry_after_ms = ms;
        return -1;
    }
    int r = http_do(throttle->next, request, response, err);
    if (r == 0)
        learn(throttle, response);
    return r;
}

struct http_client *http_throttle_new(struct http_client *next, int64_t default_ms)
{
    struct throttle *throttle = xcalloc(1, sizeof(*throttle));

    throttle->client.perform = perform;
    throttle->next = next;
    throttle->default_ms = default_ms;
    (void)pthread_mutex_init(&throttle->lock, NULL);
    return &throttle->client;
}

struct http_client *http_throttle_free(struct http_client *layer)
{
    struct throttle *throttle = (struct throttle *)layer;

    if (!throttle)
        return NULL;
    (void)pthread_mutex_destroy(&throttle->lock);
    free(throttle);
    return NULL;
}
