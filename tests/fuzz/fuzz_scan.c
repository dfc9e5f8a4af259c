/* What the Cosmos DB gateway answers while an account is searched for long document ids: the search ends, tells only of
 * ids that are too long, and can go on from where it was. Input: answers as in fuzz_script.h. */
#include "fuzz_script.h"

#include "azure/scan.h"

#define ENDPOINT "https://orders.documents.azure.com"
#define TOKEN "canary.token-1"

struct scene {
    _Atomic int64_t now;
    int64_t offenders;
};

static int64_t now_ms(void *ctx)
{
    struct scene *s = ctx;

    return s->now;
}

static bool wait_ms(void *ctx, int64_t ms)
{
    struct scene *s = ctx;

    FUZZ_CHECK(ms >= 0 && ms <= 3600000);
    s->now += ms + 1;
    return false;
}

static void offender(void *ctx, const struct scan_offender *o)
{
    struct scene *s = ctx;

    FUZZ_CHECK(o->id_bytes > SCAN_MAX_ID_BYTES && strlen(o->id) < SCAN_ID_TEXT_SIZE && fuzz_is_one_line(o->id));
    FUZZ_CHECK(*o->database && *o->container && utf8_valid(o->id, strlen(o->id)));
    s->offenders++;
}

static void skipped(void *ctx, const char *database, const char *container, const struct err *why)
{
    (void)ctx;
    (void)container;
    FUZZ_CHECK(*database && *why->msg);
}

static int token(void *ctx, struct secret **ret, struct http_cancel *cancel, struct err *err)
{
    (void)ctx;
    (void)cancel;
    (void)err;
    *ret = secret_new(TOKEN, strlen(TOKEN));
    return 0;
}

static void check_position(struct gateway *gateway, const char *position)
{
    _cleanup_(scan_freep) struct scan *again = NULL;
    const struct scan_options options = {.position = position};
    struct err err = ERR_INIT;

    FUZZ_CHECK(fuzz_is_one_line(position));
    FUZZ_CHECK(scan_new(&again, gateway, &options, &err) == 0);
}

static void run(struct gateway *gateway)
{
    struct scene scene = {.now = 1000};
    const struct scan_clock clock = {.now_ms = now_ms, .wait = wait_ms, .ctx = &scene};
    const struct scan_options options = {
        .threads = 1, .clock = &clock, .events = {.offender = offender, .skipped = skipped, .ctx = &scene}};
    _cleanup_(scan_freep) struct scan *scan = NULL;
    struct scan_progress progress;
    struct err err = ERR_INIT;

    FUZZ_CHECK(scan_new(&scan, gateway, &options, &err) == 0);
    int r = scan_run(scan, &err);
    scan_look(scan, &progress);
    _cleanup_(freep) char *position = scan_position(scan);
    if (r < 0)
        FUZZ_CHECK(err.kind != ERR_NONE && *err.msg);
    else
        FUZZ_CHECK(progress.listed && progress.containers_done == progress.containers);
    FUZZ_CHECK(progress.offenders == scene.offenders && progress.documents >= progress.offenders);
    check_position(gateway, position);
}

/* A refusal may repeat what it was sent. */
static void check_refusal(struct gateway *gateway)
{
    static const struct gateway_question question = {.what = GATEWAY_DATABASES};
    struct gateway_page page;
    struct err err = ERR_INIT;

    if (gateway_ask(gateway, &question, &page, &err) < 0)
        FUZZ_CHECK(err.kind != ERR_NONE && *err.msg && !err.maybe_sent && !strstr(err.msg, TOKEN));
    gateway_page_done(&page);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_script script = fuzz_script_from(data, size, ENDPOINT "/dbs");
    const struct http_token_source source = {.token = token};
    const struct gateway_options options = {
        .http = &script.client, .endpoint = ENDPOINT "/", .cosmos_suffix = "documents.azure.com", .token = &source};
    _cleanup_(gateway_freep) struct gateway *gateway = NULL;
    struct err err = ERR_INIT;

    FUZZ_CHECK(gateway_new(&gateway, &options, &err) == 0);
    const struct fuzz_lines all = script.left;
    check_refusal(gateway);
    script.left = all;
    run(gateway);
    return 0;
}
