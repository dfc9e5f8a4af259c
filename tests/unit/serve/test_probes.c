/* Probes as the kubelet and people see them. */
#include "rig.h"

#include "serve/probes.h"

static int well(void *ctx, char *why, size_t size)
{
    (void)ctx;
    (void)why;
    (void)size;
    return 0;
}

static int unwell(void *ctx, char *why, size_t size)
{
    (void)snprintf(why, size, "%s", (const char *)ctx);
    return -1;
}

static char long_reason[1001];

static const struct serve_probe live[] = {{"loop", well, NULL}};
static const struct serve_probe ready[] = {
    {"cache", well, NULL},
    {"lease", unwell, (char[]){"not renewed for 20s"}},
    {"azure", unwell, (char[]){"two\nlines"}},
};
static const struct serve_probe wordy[] = {{"long", unwell, long_reason}};

static void handle(void *ctx, struct serve_exchange *x, const struct serve_request *r)
{
    if (!serve_probes_handle(ctx, x, r))
        serve_reply_text(x, 404, "text/plain", "other");
}

static struct answer ask(const struct serve_probes *probes, const char *method, const char *path)
{
    struct rig rig = {0};
    struct err err = ERR_INIT;
    struct answer a;

    if (serve_start(&rig.server, &(struct serve_options){.handler = handle, .ctx = (void *)probes}, &err) < 0)
        fail_msg("%s", err.msg);
    a = rig_request(&rig, method, path, NULL, 0);
    serve_stop(rig.server);
    return a;
}

static void probes_say_ok_or_what_failed(void **state)
{
    static const struct serve_probes probes = {live, ARRAY_LEN(live), ready, ARRAY_LEN(ready)}, none = {0};
    static const struct {
        const char *name;
        const struct serve_probes *probes;
        const char *method, *path;
        long status;
        const char *body;
    } rows[] = {
        {"alive", &probes, "GET", "/livez", 200, "ok"},
        {"alive, in detail", &probes, "GET", "/livez?verbose", 200, "[+]loop ok\nlivez check passed\n"},
        {"not ready", &probes, "GET", "/readyz", 503,
            "[-]lease failed: not renewed for 20s\n[-]azure failed: two lines\n"},
        {"not ready, in detail", &probes, "GET", "/readyz?x=y&verbose=true", 503,
            "[+]cache ok\n[-]lease failed: not renewed for 20s\n[-]azure failed: two lines\nreadyz check failed\n"},
        {"no checks", &none, "GET", "/readyz", 200, "ok"},
        {"only asked for the status", &probes, "HEAD", "/readyz", 503, ""},
        {"not a question", &probes, "POST", "/livez", 405, ""},
        {"another path", &probes, "GET", "/livez/", 404, "other"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(answer_done) struct answer a = ask(rows[i].probes, rows[i].method, rows[i].path);

        if (a.status != rows[i].status || !str_eq(buf_str(&a.body), rows[i].body))
            fail_msg("%s: %ld %s", rows[i].name, a.status, buf_str(&a.body));
    }
}

static void a_long_reason_is_cut_and_stays_one_line(void **state)
{
    const struct serve_probes probes = {.ready = wordy, .n_ready = 1};
    struct answer a;

    (void)state;
    memset(long_reason, 'w', sizeof(long_reason) - 1);
    a = ask(&probes, "GET", "/readyz");
    assert_true(str_has_prefix(buf_str(&a.body), "[-]long failed: www"));
    assert_true(a.body.len < 300 && a.body.data[a.body.len - 1] == '\n');
    answer_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probes_say_ok_or_what_failed),
        cmocka_unit_test(a_long_reason_is_cut_and_stays_one_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
