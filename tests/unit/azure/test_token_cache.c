/* One token for many callers, in virtual time. Where a second caller has to arrive during a fetch, the fetch itself
 * brings it, so that no test depends on how threads are scheduled. */
#include "unit.h"

#include "azure/token_cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define MINUTE 60000

static atomic_llong now;
static atomic_int looks; /* how often a caller looked at the clock, which it does with the lock held before it waits */

static int64_t virtual_now(void)
{
    atomic_fetch_add(&looks, 1);
    return atomic_load(&now);
}

struct peer {
    struct token_cache *cache;
    atomic_int fetches;
    enum err_kind fails[8]; /* by fetch */
    int64_t lifetime_ms;
    void (*meanwhile)(struct peer *peer);
    /* a second caller */
    pthread_t thread;
    struct http_cancel *cancel;
    struct secret *other;
    struct err other_err;
    int other_result;
};

static int fetch(void *ctx, struct secret **ret, int64_t *ret_ms, struct http_cancel *cancel, struct err *err)
{
    struct peer *peer = ctx;
    int n = atomic_fetch_add(&peer->fetches, 1);
    void (*meanwhile)(struct peer *) = peer->meanwhile;
    char token[16];

    (void)cancel;
    peer->meanwhile = NULL;
    if (meanwhile)
        meanwhile(peer);
    if (peer->fails[n])
        return err_set(err, peer->fails[n], "fetch %d failed", n);
    (void)snprintf(token, sizeof(token), "token-%d", n);
    *ret = secret_new(token, strlen(token));
    *ret_ms = peer->lifetime_ms;
    return 0;
}

static void open_peer(struct peer *peer)
{
    atomic_store(&now, 1000000);
    *peer = (struct peer){.lifetime_ms = 60 * MINUTE, .other_err = ERR_INIT};
    const struct token_cache_options options = {.fetch = fetch, .ctx = peer, .now_ms = virtual_now};
    peer->cache = token_cache_new(&options);
}

static void close_peer(struct peer *peer)
{
    secret_unref(peer->other);
    (void)http_cancel_free(peer->cancel);
    (void)token_cache_free(peer->cache);
}

static void assert_token(struct peer *peer, const char *expected)
{
    _cleanup_(secret_unrefp) struct secret *token = NULL;
    struct err err = ERR_INIT;

    if (token_cache_get(peer->cache, &token, NULL, &err) < 0)
        fail_msg("%s", err.msg);
    assert_string_equal(secret_reveal(token), expected);
}

static void *second_caller(void *arg)
{
    struct peer *peer = arg;

    peer->other_result = token_cache_get(peer->cache, &peer->other, peer->cancel, &peer->other_err);
    return NULL;
}

static void second_caller_comes_and_goes(struct peer *peer)
{
    assert_int_equal(pthread_create(&peer->thread, NULL, second_caller, peer), 0);
    assert_int_equal(pthread_join(peer->thread, NULL), 0);
}

static void second_caller_waits(struct peer *peer)
{
    int before = atomic_load(&looks);

    assert_int_equal(pthread_create(&peer->thread, NULL, second_caller, peer), 0);
    while (atomic_load(&looks) == before)
        (void)sched_yield();
}

static void a_token_is_used_until_five_minutes_before_it_expires(void **state)
{
    _cleanup_(close_peer) struct peer peer;

    (void)state;
    open_peer(&peer);
    assert_token(&peer, "token-0");
    atomic_fetch_add(&now, 55 * MINUTE - 1);
    assert_token(&peer, "token-0");
    atomic_fetch_add(&now, 1);
    assert_token(&peer, "token-1");
    assert_int_equal(atomic_load(&peer.fetches), 2);
}

static void a_short_lived_token_is_refreshed_at_half_time(void **state)
{
    _cleanup_(close_peer) struct peer peer;

    (void)state;
    open_peer(&peer);
    peer.lifetime_ms = 4 * MINUTE;
    assert_token(&peer, "token-0");
    atomic_fetch_add(&now, 2 * MINUTE - 1);
    assert_token(&peer, "token-0");
    atomic_fetch_add(&now, 1);
    assert_token(&peer, "token-1");
}

static void others_use_the_old_token_while_one_refreshes(void **state)
{
    _cleanup_(close_peer) struct peer peer;

    (void)state;
    open_peer(&peer);
    assert_token(&peer, "token-0");
    atomic_fetch_add(&now, 56 * MINUTE);
    peer.meanwhile = second_caller_comes_and_goes;
    assert_token(&peer, "token-1");
    assert_int_equal(peer.other_result, 0);
    assert_string_equal(secret_reveal(peer.other), "token-0");
    assert_int_equal(atomic_load(&peer.fetches), 2);
}

static void a_refresh_that_fails_leaves_the_old_token_in_use(void **state)
{
    _cleanup_(close_peer) struct peer peer;
    _cleanup_(secret_unrefp) struct secret *token = NULL;
    struct err err = ERR_INIT;

    (void)state;
    open_peer(&peer);
    peer.fails[1] = peer.fails[2] = peer.fails[3] = ERR_UNAVAILABLE;
    assert_token(&peer, "token-0");
    atomic_fetch_add(&now, 55 * MINUTE);
    assert_token(&peer, "token-0");
    assert_token(&peer, "token-0");
    assert_int_equal(atomic_load(&peer.fetches), 2); /* not again at once */
    atomic_fetch_add(&now, 30000);
    assert_token(&peer, "token-0");
    assert_int_equal(atomic_load(&peer.fetches), 3);
    atomic_fetch_add(&now, 5 * MINUTE);
    assert_int_equal(token_cache_get(peer.cache, &token, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_UNAVAILABLE);
    assert_string_equal(err.msg, "fetch 3 failed");
    assert_token(&peer, "token-4");
}

static void who_waited_for_a_fetch_gets_its_token(void **state)
{
    _cleanup_(close_peer) struct peer peer;

    (void)state;
    open_peer(&peer);
    peer.meanwhile = second_caller_waits;
    assert_token(&peer, "token-0");
    assert_int_equal(pthread_join(peer.thread, NULL), 0);
    assert_int_equal(peer.other_result, 0);
    assert_string_equal(secret_reveal(peer.other), "token-0");
    assert_int_equal(atomic_load(&peer.fetches), 1);
}

static void who_waited_for_a_fetch_that_fails_shares_the_failure(void **state)
{
    _cleanup_(close_peer) struct peer peer;
    struct secret *token = NULL;
    struct err err = ERR_INIT;

    (void)state;
    open_peer(&peer);
    peer.fails[0] = ERR_UNAUTHORIZED;
    peer.meanwhile = second_caller_waits;
    assert_int_equal(token_cache_get(peer.cache, &token, NULL, &err), -1);
    assert_int_equal(pthread_join(peer.thread, NULL), 0);
    assert_int_equal(err.kind, ERR_UNAUTHORIZED);
    assert_int_equal(peer.other_result, -1);
    assert_string_equal(peer.other_err.msg, "fetch 0 failed");
    assert_int_equal(atomic_load(&peer.fetches), 1);
    assert_token(&peer, "token-1"); /* an old failure is not shared with who comes later */
}

static void who_waited_for_a_caller_that_was_stopped_fetches_itself(void **state)
{
    _cleanup_(close_peer) struct peer peer;
    struct secret *token = NULL;
    struct err err = ERR_INIT;

    (void)state;
    open_peer(&peer);
    peer.fails[0] = ERR_CANCELLED;
    peer.meanwhile = second_caller_waits;
    assert_int_equal(token_cache_get(peer.cache, &token, NULL, &err), -1);
    assert_int_equal(pthread_join(peer.thread, NULL), 0);
    assert_int_equal(err.kind, ERR_CANCELLED);
    assert_int_equal(peer.other_result, 0);
    assert_string_equal(secret_reveal(peer.other), "token-1");
}

static void waiting_ends_when_told_to_stop(void **state)
{
    _cleanup_(close_peer) struct peer peer;

    (void)state;
    open_peer(&peer);
    peer.cancel = http_cancel_new();
    http_cancel_trigger(peer.cancel);
    peer.meanwhile = second_caller_comes_and_goes;
    assert_token(&peer, "token-0");
    assert_int_equal(peer.other_result, -1);
    assert_int_equal(peer.other_err.kind, ERR_CANCELLED);
}

static void only_the_very_token_that_was_refused_is_dropped(void **state)
{
    _cleanup_(close_peer) struct peer peer;
    _cleanup_(secret_unrefp) struct secret *first = NULL;
    struct err err = ERR_INIT;

    (void)state;
    open_peer(&peer);
    assert_int_equal(token_cache_get(peer.cache, &first, NULL, &err), 0);
    token_cache_drop(peer.cache, first);
    assert_token(&peer, "token-1");
    token_cache_drop(peer.cache, first); /* a late answer to the old one */
    assert_token(&peer, "token-1");
    assert_string_equal(secret_reveal(first), "token-0"); /* still ours */
    assert_int_equal(atomic_load(&peer.fetches), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_used_until_five_minutes_before_it_expires),
        cmocka_unit_test(a_short_lived_token_is_refreshed_at_half_time),
        cmocka_unit_test(others_use_the_old_token_while_one_refreshes),
        cmocka_unit_test(a_refresh_that_fails_leaves_the_old_token_in_use),
        cmocka_unit_test(who_waited_for_a_fetch_gets_its_token),
        cmocka_unit_test(who_waited_for_a_fetch_that_fails_shares_the_failure),
        cmocka_unit_test(who_waited_for_a_caller_that_was_stopped_fetches_itself),
        cmocka_unit_test(waiting_ends_when_told_to_stop),
        cmocka_unit_test(only_the_very_token_that_was_refused_is_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
