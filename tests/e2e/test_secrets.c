/* A canary: neither the client secret nor a token is ever seen in what people read. The log is looked through after
 * every test of the suite (harness.c), at level debug; here it is made to say all it can, and status and events are
 * looked through as well. */
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "e2e/harness.h"

#include <string.h>

#define LOG_MAX (64 << 20)

static const char *const never[] = {CLIENT_SECRET, "eyJ", "Bearer", "client_secret"};

static void assert_clean(const char *where, const char *text)
{
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        if (strstr(text, never[i]))
            fail_msg("%s contains \"%s\": %s", where, never[i], text);
}

static void assert_all_clean(struct world *w)
{
    _cleanup_(freep) char *objects = kubectl(w, (const char *[]){"get", "ccmk", "-o", "yaml", NULL});
    _cleanup_(freep) char *events = kubectl(w, (const char *[]){"get", "events", "-o", "yaml", NULL});
    _cleanup_(buf_done) struct buf log = BUF_INIT(LOG_MAX);
    struct err err = ERR_INIT;

    assert_int_equal(file_read(w->controller_log, &log, &err), 0);
    assert_true(log.len > 0);
    assert_clean("the status", objects);
    assert_clean("an event", events);
    assert_clean("the log", buf_str(&log));
}

static void on_the_way_to_ready(struct world *w)
{
    azure_start(w, NULL);
    resource_create(w, "ledger", "demo-ledger", "\"defaultIdentity\":\"" IDENTITY "\"");
    controller_start(w, NULL);
    await_end(w, "ledger", "Encrypted");
    assert_all_clean(w);
}

/* A peer that sends back what it was sent, wherever it can. */
static void when_peers_echo_it(struct world *w)
{
    azure_start(w, NULL);
    azure_fault(w,
        "{\"match\":{\"pathContains\":\"oauth2\",\"count\":1},\"action\":{\"status\":401,\"body\":{\"error\":\"invalid_"
        "client\","
        "\"error_description\":\"AADSTS7000215: Invalid client secret provided: client_secret=" CLIENT_SECRET "\"}}}");
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, NULL);
    await_end(w, "orders", "Encrypted");
    assert_all_clean(w);
}

static void when_azure_refuses_the_token(struct world *w)
{
    azure_start(w, NULL);
    azure_fault(w,
        "{\"match\":{\"pathContains\":\"demo-orders\",\"count\":3},\"action\":{\"status\":401,\"headers\":{\"www-"
        "authenticate\":"
        "\"Bearer "
        "error=\\\"invalid_token\\\"\"},\"body\":{\"error\":{\"code\":\"InvalidAuthenticationToken\",\"message\":"
        "\"The access token is invalid.\"}}}}");
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, NULL);
    await_end(w, "orders", "Encrypted");
    assert_all_clean(w);
}

int main(void)
{
    static const struct scene scenes[] = {
        {"no secret shows on the way to Ready", on_the_way_to_ready},
        {"no secret shows when Entra sends it back in an error", when_peers_echo_it},
        {"no secret shows when Azure refuses the token", when_azure_refuses_the_token},
    };

    return run_scenes("secrets", scenes, ARRAY_LEN(scenes));
}
