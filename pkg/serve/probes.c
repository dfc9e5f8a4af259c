/* Answers probes from a list of checks. Keeps nothing between two requests and never runs a check on its own. */
#include "serve/probes.h"
#include "base/buf.h"
#include "base/str.h"

#include <string.h>

#define WHY_SIZE 256
#define ANSWER_MAX (64 * 1024)

/* A check's words must not look like another check's line. */
static void keep_one_line(char *s)
{
    for (; *s; s++) {
        if ((unsigned char)*s < 0x20)
            *s = ' ';
    }
}

/* How many failed; a line for each of those, or for each check, to lines. */
static size_t run(const struct serve_probe *probes, size_t n, bool verbose, struct buf *lines)
{
    size_t failed = 0;

    for (size_t i = 0; i < n; i++) {
        char why[WHY_SIZE] = "";

        if (probes[i].check(probes[i].ctx, why, sizeof(why)) < 0) {
            keep_one_line(why);
            buf_printf(lines, "[-]%s failed: %s\n", probes[i].name, why);
            failed++;
        } else if (verbose) {
            buf_printf(lines, "[+]%s ok\n", probes[i].name);
        }
    }
    return failed;
}

static void reply(struct serve_exchange *exchange, int status, const char *body, size_t len)
{
    static const struct serve_header headers[] = {
        {"content-type", "text/plain; charset=utf-8"},
        {"cache-control", "no-store"},
        {"x-content-type-options", "nosniff"},
    };

    serve_reply(exchange, status, headers, ARRAY_LEN(headers), body, len);
}

bool serve_probes_handle(
    const struct serve_probes *probes, struct serve_exchange *exchange, const struct serve_request *request)
{
    _cleanup_(buf_done) struct buf lines = BUF_INIT(ANSWER_MAX);
    bool live = str_eq(request->path, "/livez"), verbose;
    size_t failed;
    char unused[16];

    if (!live && !str_eq(request->path, "/readyz"))
        return false;
    if (!str_eq(request->method, "GET") && !str_eq(request->method, "HEAD")) {
        serve_reply(exchange, 405, &(struct serve_header){"allow", "GET, HEAD"}, 1, NULL, 0);
        return true;
    }
    verbose = serve_query(exchange, "verbose", unused, sizeof(unused));
    failed = live ? run(probes->live, probes->n_live, verbose, &lines)
                  : run(probes->ready, probes->n_ready, verbose, &lines);
    if (verbose)
        buf_printf(&lines, "%s check %s\n", request->path + 1, failed ? "failed" : "passed");
    else if (!failed)
        buf_puts(&lines, "ok");
    reply(exchange, failed ? 503 : 200, lines.data, lines.len);
    return true;
}
