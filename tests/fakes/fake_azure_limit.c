/* ARM's token buckets, one for reads and one for writes of a subscription (there is one principal here).
 *
 * The headers always tell what is left; refusing with 429 is a switch, because most tests are about something else. */
#include "base/mem.h"
#include "base/str.h"
#include "fakes/fake_azure.h"

#include <string.h>

struct bucket {
    double tokens;
    int64_t at_ms;
};

struct azure_bucket {
    struct bucket reads, writes;
};

void azure_limit_done(struct fake_azure *azure)
{
    map_foreach (entry, &azure->buckets)
        free(entry->value);
    map_done(&azure->buckets);
}

static struct azure_bucket *bucket_of(struct azure_request *r, const char *subscription)
{
    struct fake_azure *azure = r->azure;
    _cleanup_(freep) char *key = str_lower(xstrdup(subscription));
    struct azure_bucket *buckets = map_get(&azure->buckets, key);

    if (buckets)
        return buckets;
    buckets = xcalloc(1, sizeof(*buckets));
    buckets->reads = (struct bucket){(double)azure->reads_max, r->now_ms};
    buckets->writes = (struct bucket){(double)azure->writes_max, r->now_ms};
    (void)map_set(&azure->buckets, key, buckets);
    return buckets;
}

static bool take(struct bucket *bucket, int64_t now_ms, int64_t max, int64_t per_second)
{
    if (now_ms > bucket->at_ms)
        bucket->tokens += (double)(now_ms - bucket->at_ms) * (double)per_second / 1000;
    bucket->at_ms = now_ms;
    if (bucket->tokens > (double)max)
        bucket->tokens = (double)max;
    if (bucket->tokens < 1)
        return false;
    bucket->tokens -= 1;
    return true;
}

bool azure_limit(struct azure_request *r, const char *subscription, bool is_write)
{
    struct fake_azure *azure = r->azure;
    struct azure_bucket *buckets = bucket_of(r, subscription);
    struct bucket *bucket = is_write ? &buckets->writes : &buckets->reads;
    int64_t per_second = is_write ? azure->writes_per_second : azure->reads_per_second;
    bool taken = take(bucket, r->now_ms, is_write ? azure->writes_max : azure->reads_max, per_second);

    if (is_write) {
        fake_reply_header(r->reply, "x-ms-ratelimit-remaining-subscription-writes", "%lld", (long long)bucket->tokens);
        fake_reply_header(r->reply, "x-ms-ratelimit-remaining-subscription-global-writes", "2999");
    } else {
        fake_reply_header(r->reply, "x-ms-ratelimit-remaining-subscription-reads", "%lld", (long long)bucket->tokens);
        fake_reply_header(r->reply, "x-ms-ratelimit-remaining-subscription-global-reads", "3749");
    }
    if (taken || !azure->throttle)
        return true;
    int64_t wait_s = per_second > 0 ? 1 : 60;
    azure_front_door_error(r, 429, "SubscriptionRequestsThrottled",
        "Number of '%s' requests for subscription '%s' actor '%s' exceeded. Please try again after '%lld' seconds.",
        is_write ? "write" : "read", subscription, azure->client_id ? azure->client_id : "fake-azure",
        (long long)wait_s);
    fake_reply_header(r->reply, "retry-after", "%lld", (long long)wait_s);
    return false;
}
