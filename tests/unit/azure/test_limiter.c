/* The limiter against buckets that behave as ARM's, in virtual time. */
#include "unit.h"

#include "azure/limiter_core.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"

#include <stdio.h>
#include <string.h>

#define SUBSCRIPTION "0f8fad5b-d9cb-469f-a165-70867728950e"
#define HOST "https://management.azure.com"
#define GROUP HOST "/subscriptions/" SUBSCRIPTION "/resourceGroups/shop/providers/"
#define ACCOUNT(name) GROUP "Microsoft.DocumentDB/databaseAccounts/" name "?api-version=2025-10-15"
#define POLL                                                                                                           \
    HOST "/subscriptions/" SUBSCRIPTION "/providers/Microsoft.DocumentDB/locations/westus/operationsStatus/1f?t=1"

/* ---- the other side ---- */

/* Real token buckets; or, when it has a script, what the script says. */
struct arm {
    struct http_client client; /* first */
    int64_t now;
    double level[LIMITER_KINDS], cap[LIMITER_KINDS], per_s[LIMITER_KINDS];
    int64_t at[LIMITER_KINDS];
    bool silent; /* no headers */
    const char *retry_after;
    size_t requests, throttled;
    int status;          /* instead of what the bucket says */
    const char *headers; /* with that status */
    enum err_kind fails;
    bool maybe_sent;
};

static int64_t now_of(void *ctx)
{
    return ((struct arm *)ctx)->now;
}

static int64_t wall_of(void *ctx)
{
    return 1772884800000LL + ((struct arm *)ctx)->now; /* Sat, 07 Mar 2026 12:00:00 GMT */
}

static bool take(struct arm *arm, enum limiter_kind k)
{
    arm->level[k] += (double)(arm->now - arm->at[k]) * arm->per_s[k] / 1000;
    arm->at[k] = arm->now;
    if (arm->level[k] > arm->cap[k])
        arm->level[k] = arm->cap[k];
    if (arm->level[k] < 1)
        return false;
    arm->level[k] -= 1;
    return true;
}

static int arm_perform(
    struct http_client *self, const struct http_request *request, struct http_response *response, struct err *err)
{
    struct arm *arm = (struct arm *)self;
    enum limiter_kind k = str_eq(request->method, "GET")      ? LIMITER_READS
                          : str_eq(request->method, "DELETE") ? LIMITER_DELETES
                                                              : LIMITER_WRITES;

    arm->requests++;
    if (arm->fails) {
        (void)err_set(err, arm->fails, "no answer");
        err->maybe_sent = arm->maybe_sent;
        return -1;
    }
    response->status = arm->status ? arm->status : take(arm, k) ? 200 : 429;
    arm->throttled += response->status == 429;
    if (arm->status)
        buf_puts(&response->headers, arm->headers ? arm->headers : "");
    else if (response->status == 200 && !arm->silent)
        buf_printf(&response->headers, "x-ms-ratelimit-remaining-subscription-%s: %d\n", limiter_kind_name(k),
            (int)arm->level[k]);
    else if (response->status == 429 && arm->retry_after)
        buf_printf(&response->headers, "retry-after: %s\n", arm->retry_after);
    return 0;
}

struct rig {
    struct arm arm;
    struct http_client *limiter;
    struct err err; /* of the last call */
};

static void limits(struct arm *arm, double burst, double per_s)
{
    for (int k = 0; k < LIMITER_KINDS; k++) {
        arm->cap[k] = burst;
        arm->per_s[k] = per_s;
        if (arm->level[k] > burst)
            arm->level[k] = burst;
    }
}

static void rig_init(struct rig *rig)
{
    *rig = (struct rig){.arm = {.client = {.perform = arm_perform}, .level = {250, 250, 250}, .retry_after = "5"}};
    limits(&rig->arm, 250, 25);
    const struct limiter_clock clock = {.mono_ms = now_of, .wall_ms = wall_of, .ctx = &rig->arm};
    rig->limiter = limiter_new(&rig->arm.client, &clock);
}

static void rig_done(struct rig *rig)
{
    rig->limiter = limiter_free(rig->limiter);
}

/* The status, or -1. */
static int call(struct rig *rig, const char *method, const char *url)
{
    const struct http_request request = {.method = method, .url = url};
    struct http_response response;

    rig->err = ERR_INIT;
    int r = http_do(rig->limiter, &request, &response, &rig->err);
    int status = r < 0 ? -1 : response.status;
    http_response_done(&response);
    return status;
}

static int read_account(struct rig *rig, int n)
{
    _cleanup_(freep) char *url = xasprintf(ACCOUNT("a%d"), n);

    return call(rig, "GET", url);
}

/* Reads of ever new accounts until one is refused; how many were sent. */
static int drain(struct rig *rig)
{
    static int n = 100000;
    int sent = 0;

    while (read_account(rig, n++) == 200)
        sent++;
    return sent;
}

static double per_second(struct rig *rig, enum limiter_kind kind)
{
    struct limiter_view view;

    assert_true(limiter_view(rig->limiter, SUBSCRIPTION, kind, &view));
    return view.per_second;
}

/* ---- what a request is ---- */

static void a_request_is_known_by_its_method_and_url(void **state)
{
    static const struct {
        const char *method, *url, *subscription;
        enum limiter_kind kind;
        enum limiter_lane lane;
    } table[] = {
        {"GET", ACCOUNT("orders"), SUBSCRIPTION, LIMITER_READS, LIMITER_PLAIN},
        {NULL, ACCOUNT("orders"), SUBSCRIPTION, LIMITER_READS, LIMITER_PLAIN},
        {"PATCH", ACCOUNT("orders"), SUBSCRIPTION, LIMITER_WRITES, LIMITER_PLAIN},
        {"POST", ACCOUNT("orders"), SUBSCRIPTION, LIMITER_WRITES, LIMITER_PLAIN},
        {"DELETE", ACCOUNT("orders"), SUBSCRIPTION, LIMITER_DELETES, LIMITER_PLAIN},
        {"GET", POLL, SUBSCRIPTION, LIMITER_READS, LIMITER_URGENT},
        {"GET", HOST "/SUBSCRIPTIONS/0F8FAD5B-D9CB-469F-A165-70867728950E?x", SUBSCRIPTION, LIMITER_READS,
            LIMITER_PLAIN},
        {"GET", HOST "/subscriptions/x?to=/operationsStatus/1", "x", LIMITER_READS, LIMITER_PLAIN},
        {"GET", HOST "/metadata/endpoints?api-version=1", "", LIMITER_READS, LIMITER_PLAIN},
        {"GET", HOST "?to=/subscriptions/x", "", LIMITER_READS, LIMITER_PLAIN},
        {"GET", HOST, "", LIMITER_READS, LIMITER_PLAIN},
        {"GET", "", "", LIMITER_READS, LIMITER_PLAIN},
        {"GET", HOST "/subscriptions/", "", LIMITER_READS, LIMITER_PLAIN},
    };
    struct limiter_request request;
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        limiter_classify(table[i].method, table[i].url, NULL, &request);
        assert_string_equal(request.subscription, table[i].subscription);
        assert_int_equal(request.kind, table[i].kind);
        assert_int_equal(request.lane, table[i].lane);
    }
}

static void what_is_below_an_account_is_asked_by_the_account(void **state)
{
    struct limiter_request account, below, other;
    (void)state;

    limiter_classify("GET", ACCOUNT("orders"), NULL, &account);
    limiter_classify("GET", GROUP "Microsoft.DocumentDB/databaseAccounts/ORDERS/providers/x/metrics?y", NULL, &below);
    limiter_classify("GET", ACCOUNT("orders2"), NULL, &other);
    assert_true(account.key == below.key);
    assert_true(account.key != other.key);
}

/* ---- pacing ---- */

static void the_documented_burst_goes_and_the_rest_is_refused(void **state)
{
    _cleanup_(rig_done) struct rig rig;
    (void)state;

    rig_init(&rig);
    int sent = drain(&rig);
    assert_in_range(sent, 110, 250); /* the share of the urgent lane, and a pass, stay */
    assert_int_equal(rig.err.kind, ERR_THROTTLED);
    assert_string_equal(rig.err.code, LIMITER_CODE);
    assert_false(rig.err.maybe_sent);
    assert_in_range(rig.err.retry_after_ms, 1, 200);
    assert_int_equal(rig.arm.throttled, 0);
    assert_int_equal(rig.arm.requests, sent);
}

static void each_who_waits_has_a_turn_of_its_own_in_the_order_of_coming(void **state)
{
    _cleanup_(rig_done) struct rig rig;
    int64_t turns[100];
    (void)state;

    rig_init(&rig);
    (void)drain(&rig);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(read_account(&rig, i), -1);
        turns[i] = rig.arm.now + rig.err.retry_after_ms;
        if (i > 0)
            assert_in_range(turns[i] - turns[i - 1], 30, 60); /* 25 in a second */
    }
    int64_t again = turns[50];
    assert_int_equal(read_account(&rig, 50), -1);
    assert_int_equal(rig.arm.now + rig.err.retry_after_ms, again); /* asking again costs nothing and brings nothing */
    for (int i = 0; i < 100; i++) {
        rig.arm.now = turns[i];
        assert_int_equal(read_account(&rig, i), 200);
        assert_int_equal(read_account(&rig, 1000 + i), -1); /* who comes later waits, however often it asks */
    }
    assert_int_equal(rig.arm.throttled, 0);
}

static void polls_and_changes_go_while_reads_wait(void **state)
{
    _cleanup_(rig_done) struct rig rig;
    int polls = 0;
    (void)state;

    rig_init(&rig);
    (void)drain(&rig);
    while (call(&rig, "GET", POLL) == 200)
        polls++;
    assert_in_range(polls, 50, 100);
    assert_int_equal(call(&rig, "PATCH", ACCOUNT("orders")), 200);
    assert_int_equal(call(&rig, "DELETE", ACCOUNT("orders")), 200);
    assert_int_equal(rig.arm.throttled, 0);
}

static void a_turn_is_good_for_the_whole_pass(void **state)
{
    _cleanup_(rig_done) struct rig rig;
    (void)state;

    rig_init(&rig);
    assert_int_equal(read_account(&rig, 1), 200);
    (void)drain(&rig);
    assert_int_equal(read_account(&rig, 1), 200); /* right before its change */
    assert_int_equal(read_account(&rig, 2), -1);
    for (int i = 0; i < 2 * LIMITER_FOLLOW_MAX && read_account(&rig, 1) == 200; i++)
        assert_true(i < LIMITER_FOLLOW_MAX);
    assert_int_equal(rig.err.kind, ERR_THROTTLED);
}

/* Polls without end against reads without end, both from callers that come when they are told to. */
static void neither_lane_starves_the_other(void **state)
{
    enum { CALLERS = 200 };
    int64_t due[2][CALLERS] = {0};
    size_t served[2] = {0}, least = 1000;
    size_t each[2][CALLERS] = {{0}};
    _cleanup_(rig_done) struct rig rig;
    (void)state;

    rig_init(&rig);
    for (; rig.arm.now < 120000; rig.arm.now += 10)
        for (int lane = 0; lane < 2; lane++)
            for (int i = 0; i < CALLERS; i++) {
                if (due[lane][i] > rig.arm.now)
                    continue;
                _cleanup_(freep) char *url =
                    lane ? xasprintf(HOST "/subscriptions/" SUBSCRIPTION "/operationsStatus/%d", i)
                         : xasprintf(ACCOUNT("b%d"), i);
                int status = call(&rig, "GET", url);
                due[lane][i] = rig.arm.now + (status == 200 ? 10001 : rig.err.retry_after_ms);
                served[lane] += status == 200;
                each[lane][i] += status == 200;
            }
    for (int lane = 0; lane < 2; lane++)
        for (int i = 0; i < CALLERS; i++)
            least = each[lane][i] < least ? each[lane][i] : least;
    assert_int_equal(rig.arm.throttled, 0);
    assert_in_range(served[0], 600, 3000);
    assert_in_range(served[1], 1000, 3000);
    assert_in_range(served[0] + served[1], 2900, 3250); /* nothing is wasted: 250 + 120 s * 25 */
    assert_in_range(least, 2, 12);
}

/* ---- learning ---- */

static void run(struct rig *rig, int64_t ms, int n)
{
    int64_t *due = xcalloc((size_t)n, sizeof(*due));

    for (int64_t end = rig->arm.now + ms; rig->arm.now < end; rig->arm.now += 5)
        for (int i = 0; i < n; i++)
            if (due[i] <= rig->arm.now) {
                int status = read_account(rig, 500 + i);
                due[i] = rig->arm.now + (status == 200 ? 12000 : status == 429 ? 5000 : rig->err.retry_after_ms);
            }
    free(due);
}

static void a_lower_limit_is_learnt_from_the_counts_and_a_higher_one_again(void **state)
{
    _cleanup_(rig_done) struct rig rig;
    (void)state;

    rig_init(&rig);
    run(&rig, 60000, 600);
    assert_int_equal(rig.arm.throttled, 0);
    limits(&rig.arm, 125, 12.5);
    run(&rig, 120000, 600);
    print_message("429s after halving: %zu\n", rig.arm.throttled);
    assert_in_range(rig.arm.throttled, 0, 3);
    size_t then = rig.arm.throttled;
    assert_true(per_second(&rig, LIMITER_READS) < 15);
    run(&rig, 60000, 600);
    assert_int_equal(rig.arm.throttled, then);
    limits(&rig.arm, 250, 25);
    size_t before = rig.arm.requests;
    run(&rig, 120000, 600);
    assert_true(per_second(&rig, LIMITER_READS) > 20);
    assert_in_range(rig.arm.requests - before, 2500, 3300);
    assert_int_equal(rig.arm.throttled, then);
}

/* No counts: only 429s tell. */
static void without_counts_a_429_makes_it_slower(void **state)
{
    _cleanup_(rig_done) struct rig rig;
    (void)state;

    rig_init(&rig);
    rig.arm.silent = true;
    limits(&rig.arm, 100, 10);
    run(&rig, 200000, 600);
    assert_in_range(rig.arm.throttled, 1, 20);
    assert_true(per_second(&rig, LIMITER_READS) < 14);
}

static void a_bigger_bucket_than_documented_is_used(void **state)
{
    _cleanup_(rig_done) struct rig rig;
    (void)state;

    rig_init(&rig);
    limits(&rig.arm, 1000, 100);
    rig.arm.level[LIMITER_READS] = 1000;
    assert_in_range(drain(&rig), 500, 1000);
    assert_int_equal(rig.arm.throttled, 0);
}

/* What others have used up is no small bucket: it fills again, and is used. */
static void a_bucket_found_nearly_empty_is_used_when_it_has_refilled(void **state)
{
    (void)state;

    for (int left = 0; left < 12; left++) {
        _cleanup_(rig_done) struct rig rig;
        rig_init(&rig);
        _cleanup_(freep) char *line = xasprintf("x-ms-ratelimit-remaining-subscription-reads: %d\n", left);
        rig.arm.status = 200;
        rig.arm.headers = line;
        assert_int_equal(read_account(&rig, 1), 200);
        rig.arm.now += 60000;
        for (int turns = 0; read_account(&rig, 2) != 200; turns++) {
            assert_true(turns < 10);
            rig.arm.now += rig.err.retry_after_ms;
        }
    }
}

static void the_global_count_binds_as_well(void **state)
{
    _cleanup_(rig_done) struct rig rig;
    (void)state;

    rig_init(&rig);
    rig.arm.status = 200;
    rig.arm.headers = "x-ms-ratelimit-remaining-subscription-reads: 200\n"
                      "x-ms-ratelimit-remaining-subscription-global-reads: 2\n";
    assert_int_equal(read_account(&rig, 1), 200);
    assert_int_equal(read_account(&rig, 2), -1);
    assert_int_equal(call(&rig, "PATCH", ACCOUNT("orders")), 200);
}

static void counts_that_make_no_sense_change_nothing(void **state)
{
    static const char *const values[] = {"-5", "many", "99999999999999999999", "", "1e3", "12; q=1"};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        _cleanup_(rig_done) struct rig rig;
        rig_init(&rig);
        _cleanup_(freep) char *line = xasprintf("x-ms-ratelimit-remaining-subscription-reads: %s\n", values[i]);
        rig.arm.status = 200;
        rig.arm.headers = line;
        assert_in_range(drain(&rig), 110, 250);
    }
}

/* ---- Retry-After ---- */

static void what_azure_asks_to_wait_is_waited_by_the_whole_bucket(void **state)
{
    static const struct {
        int status;
        const char *headers;
        int64_t from, to; /* of the wait; 0: none */
    } table[] = {
        {429, "retry-after: 17\n", 17000, 19000},
        {429, NULL, 10000, 12000},
        {429, "retry-after: 0\n", 1000, 3000},
        {429, "retry-after: soon\n", 10000, 12000},
        {429, "retry-after: -5\n", 10000, 12000},
        {429, "retry-after: 86400\n", 600000, 600000}, /* an hour, in looks of ten minutes */
        {429, "retry-after: Sat, 07 Mar 2026 12:00:30 GMT\n", 30000, 32000},
        {429, "retry-after: Sat, 07 Mar 2026 11:00:00 GMT\n", 1000, 3000},
        {503, "retry-after: 17\n", 17000, 19000},
        {503, NULL, 0, 0},
        {500, "retry-after: 17\n", 0, 0},
        {404, "retry-after: 17\n", 0, 0},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(rig_done) struct rig rig;
        rig_init(&rig);
        rig.arm.status = table[i].status;
        rig.arm.headers = table[i].headers;
        assert_int_equal(read_account(&rig, 1), table[i].status);
        rig.arm.status = 0;
        size_t requests = rig.arm.requests;
        if (!table[i].to) {
            assert_int_equal(read_account(&rig, 2), 200);
            continue;
        }
        assert_int_equal(read_account(&rig, 2), -1);
        assert_in_range(rig.err.retry_after_ms, table[i].from, table[i].to);
        assert_int_equal(call(&rig, "GET", POLL), -1);
        assert_int_equal(rig.arm.requests, requests);
        assert_int_equal(call(&rig, "PATCH", ACCOUNT("orders")), 200); /* another bucket */
    }
}

static void a_429_keeps_the_order_of_those_who_wait(void **state)
{
    _cleanup_(rig_done) struct rig rig;
    int64_t first, second;
    (void)state;

    rig_init(&rig);
    (void)drain(&rig);
    assert_int_equal(read_account(&rig, 1), -1);
    first = rig.err.retry_after_ms;
    assert_int_equal(read_account(&rig, 2), -1);
    rig.arm.now += first;
    rig.arm.status = 429;
    rig.arm.headers = "retry-after: 20\n";
    assert_int_equal(read_account(&rig, 1), 429);
    rig.arm.status = 0;
    assert_int_equal(read_account(&rig, 3), -1);
    int64_t third = rig.err.retry_after_ms;
    assert_int_equal(read_account(&rig, 2), -1);
    second = rig.err.retry_after_ms;
    assert_int_equal(read_account(&rig, 1), -1);
    first = rig.err.retry_after_ms;
    assert_int_equal(first, 20000);
    assert_true(first <= second && second < third);
}

static void a_429_from_behind_arm_teaches_nothing_about_the_bucket(void **state)
{
    _cleanup_(rig_done) struct rig rig;
    (void)state;

    rig_init(&rig);
    rig.arm.status = 429;
    rig.arm.headers = "retry-after: 3\nx-ms-ratelimit-remaining-subscription-reads: 240\n";
    assert_int_equal(read_account(&rig, 1), 429);
    assert_true(per_second(&rig, LIMITER_READS) > 24);
    rig.arm.status = 0;
    rig.arm.now += 3000;
    assert_in_range(drain(&rig), 130, 250);
}

/* ---- the rest ---- */

static void a_request_that_never_left_costs_nothing(void **state)
{
    _cleanup_(rig_done) struct rig rig;
    (void)state;

    rig_init(&rig);
    rig.arm.fails = ERR_UNAUTHORIZED;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(read_account(&rig, 5000 + i), -1);
        assert_int_equal(rig.err.kind, ERR_UNAUTHORIZED);
    }
    rig.arm.fails = ERR_TIMEOUT;
    rig.arm.maybe_sent = true;
    size_t before = rig.arm.requests;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(read_account(&rig, 9000 + i), -1);
    assert_in_range(rig.arm.requests - before, 110, 250);
}

/* Who is asked for and who refused is told by the count: here it is all of the tenant that has asked too much. */
static void a_429_for_all_lowers_the_count_for_all(void **state)
{
    _cleanup_(rig_done) struct rig rig;
    (void)state;

    rig_init(&rig);
    rig.arm.status = 429;
    rig.arm.headers = "x-ms-ratelimit-remaining-subscription-reads: 100\n"
                      "x-ms-ratelimit-remaining-subscription-global-reads: 0\n";
    assert_int_equal(read_account(&rig, 1), 429);
    rig.arm.status = 0;
    rig.arm.now += 10000;                                     /* what a 429 without Retry-After asks for */
    assert_in_range(per_second(&rig, LIMITER_READS), 24, 26); /* the local rate is what it was */
    assert_int_equal(read_account(&rig, 1), 200);
}

static void who_comes_back_long_after_its_turn_queues_anew(void **state)
{
    _cleanup_(rig_done) struct rig rig;
    (void)state;

    rig_init(&rig);
    (void)drain(&rig);
    assert_int_equal(read_account(&rig, 1), -1);
    rig.arm.now += LIMITER_EXPIRE_MS / 2;
    assert_int_equal(read_account(&rig, 1), 200); /* late, and its turn is kept */
    (void)drain(&rig);
    assert_int_equal(read_account(&rig, 2), -1);
    rig.arm.now += rig.err.retry_after_ms + LIMITER_EXPIRE_MS + 1;
    assert_int_equal(read_account(&rig, 2), 200);
}

static void subscriptions_do_not_share_and_are_not_remembered_without_end(void **state)
{
    _cleanup_(rig_done) struct rig rig;
    struct limiter_stats stats;
    (void)state;

    rig_init(&rig);
    rig.arm.status = 200;
    (void)drain(&rig);
    for (int i = 0; i < 2000; i++) {
        _cleanup_(freep) char *url = xasprintf(HOST "/subscriptions/s%d/resourceGroups/x", i);
        assert_int_equal(call(&rig, "GET", url), 200);
        rig.arm.now += 50;
    }
    limiter_stats(rig.limiter, &stats);
    assert_true(stats.subscriptions <= LIMITER_MAX_SUBSCRIPTIONS + 1);
    assert_true(stats.sent[LIMITER_READS] > 2000);
    assert_int_equal(stats.refused[LIMITER_READS], 1);
    assert_int_equal(stats.throttled[LIMITER_READS], 0);
}

static void callers_are_not_remembered_without_end(void **state)
{
    _cleanup_(rig_done) struct rig rig;
    struct limiter_stats stats;
    (void)state;

    rig_init(&rig);
    for (int i = 0; i < LIMITER_MAX_CALLERS + 1000; i++)
        (void)read_account(&rig, i);
    limiter_stats(rig.limiter, &stats);
    assert_true(stats.waiting <= LIMITER_MAX_CALLERS);
    assert_in_range(rig.err.retry_after_ms, 599999, 600000);
    for (int i = 0; i < 400; i++) { /* nobody comes to its turn */
        rig.arm.now += 10000;
        (void)read_account(&rig, 1);
    }
    limiter_stats(rig.limiter, &stats);
    assert_true(stats.waiting < 10);
    assert_true(drain(&rig) > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_known_by_its_method_and_url),
        cmocka_unit_test(what_is_below_an_account_is_asked_by_the_account),
        cmocka_unit_test(the_documented_burst_goes_and_the_rest_is_refused),
        cmocka_unit_test(each_who_waits_has_a_turn_of_its_own_in_the_order_of_coming),
        cmocka_unit_test(polls_and_changes_go_while_reads_wait),
        cmocka_unit_test(a_turn_is_good_for_the_whole_pass),
        cmocka_unit_test(neither_lane_starves_the_other),
        cmocka_unit_test(a_lower_limit_is_learnt_from_the_counts_and_a_higher_one_again),
        cmocka_unit_test(without_counts_a_429_makes_it_slower),
        cmocka_unit_test(a_bigger_bucket_than_documented_is_used),
        cmocka_unit_test(a_bucket_found_nearly_empty_is_used_when_it_has_refilled),
        cmocka_unit_test(the_global_count_binds_as_well),
        cmocka_unit_test(counts_that_make_no_sense_change_nothing),
        cmocka_unit_test(what_azure_asks_to_wait_is_waited_by_the_whole_bucket),
        cmocka_unit_test(a_429_keeps_the_order_of_those_who_wait),
        cmocka_unit_test(a_429_from_behind_arm_teaches_nothing_about_the_bucket),
        cmocka_unit_test(a_request_that_never_left_costs_nothing),
        cmocka_unit_test(a_429_for_all_lowers_the_count_for_all),
        cmocka_unit_test(who_comes_back_long_after_its_turn_queues_anew),
        cmocka_unit_test(subscriptions_do_not_share_and_are_not_remembered_without_end),
        cmocka_unit_test(callers_are_not_remembered_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
