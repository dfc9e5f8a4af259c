/* The listener, and what it answers.
 *
 * Its thread never waits: what is not known about a token is left to the thread in metrics_access.c, and the answer
 * comes later. A scrape that may is answered where it is decided, so a scrape never holds a lock of the other thread.
 */
#include "controller/metrics_server.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "controller/listen.h"
#include "controller/metrics_access.h"
#include "serve/metrics.h"
#include "serve/server.h"

#include <string.h>

#define PATH "/metrics"

struct metrics_server {
    struct app_metrics *metrics;
    struct serve_server *serve;
    struct metrics_access *access; /* NULL: everybody may */
};

static struct metrics_answer render(struct app_metrics *metrics)
{
    struct metrics_answer answer = {.status = 200, .body = BUF_INIT(METRICS_TEXT_MAX)};

    app_metrics_render(metrics, &answer.body);
    if (answer.body.overflow) {
        buf_clear(&answer.body);
        buf_puts(&answer.body, "the metrics are too large\n");
        answer.status = 500;
    }
    return answer;
}

/* Of any thread. */
static struct metrics_answer answer_of(void *ctx, enum metrics_decision decision)
{
    static const struct {
        int status;
        const char *text;
    } refusals[] = {
        [METRICS_NO_TOKEN] = {401, "a bearer token is needed\n"},
        [METRICS_UNKNOWN_TOKEN] = {401, "the API server does not know this token\n"},
        [METRICS_DENIED] = {403, "not allowed to get " PATH "\n"},
        [METRICS_CANNOT_ASK] = {500, "the API server refuses to say who may get " PATH "\n"},
        [METRICS_TRY_LATER] = {503, "the API server cannot be asked now\n"},
        [METRICS_TOO_MANY] = {503, "too many reviews are waiting\n"},
    };
    struct metrics_server *server = ctx;

    if (decision == METRICS_ALLOWED)
        return render(server->metrics);
    struct metrics_answer answer = {.status = refusals[decision].status, .body = BUF_INIT(256)};
    buf_puts(&answer.body, refusals[decision].text);
    return answer;
}

static void reply(struct serve_exchange *exchange, struct metrics_answer *answer)
{
    struct serve_header headers[2];
    size_t n = metrics_answer_headers(answer, headers);

    serve_reply(exchange, answer->status, headers, n, answer->body.data, answer->body.len);
    buf_done(&answer->body);
}

static void scrape(struct metrics_server *server, struct serve_exchange *exchange)
{
    enum metrics_decision decision = METRICS_ALLOWED;

    if (server->access && !metrics_access_decide(server->access, exchange, &decision))
        return; /* the answer comes later */
    struct metrics_answer answer = answer_of(server, decision);
    reply(exchange, &answer);
}

static void handle(void *ctx, struct serve_exchange *exchange, const struct serve_request *request)
{
    struct metrics_server *server = ctx;

    if (!str_eq(request->path, PATH))
        serve_reply_text(exchange, 404, "text/plain", "not found; there is " PATH "\n");
    else if (!str_eq(request->method, "GET") && !str_eq(request->method, "HEAD"))
        serve_reply(exchange, 405, &(struct serve_header){"allow", "GET, HEAD"}, 1, NULL, 0);
    else
        scrape(server, exchange);
}

static void on_certificate(void *ctx _unused_, const struct err *err)
{
    if (err)
        log_warn("the certificate of the metrics cannot be used; the one before stays", LOG_S("error", err->msg));
    else
        log_info("the metrics have a new certificate");
}

/* ---- starting ---- */

static int check(const struct metrics_server_options *o, struct err *err)
{
    if (!o->cert_file != !o->key_file)
        return err_set(err, ERR_INVALID, "--metrics-cert-file and --metrics-key-file go together");
    if (o->cert_file && o->insecure)
        return err_set(err, ERR_INVALID, "--metrics-insecure is plain HTTP, which has no certificate");
    return 0;
}

static int listen_there(struct metrics_server *server, const struct metrics_server_options *o, struct err *err)
{
    char host[LISTEN_HOST_SIZE];
    int port;

    if (listen_parse("--metrics-address", o->address, host, &port, err) < 0)
        return -1;
    const struct serve_options options = {.address = host,
        .port = port,
        .tls_cert_file = o->cert_file,
        .tls_key_file = o->key_file,
        .tls_self_signed = !o->insecure && !o->cert_file,
        .tls_changed = on_certificate,
        .max_body = 1024,
        .max_connections = 64,
        .max_deferred = METRICS_MAX_WAITING,
        .handler = handle,
        .ctx = server};
    if (serve_start(&server->serve, &options, err) < 0)
        return err_wrap(err, "--metrics-address %s", o->address);
    log_info("serving metrics", LOG_S("address", host), LOG_I("port", serve_port(server->serve)),
        LOG_S("tls", o->insecure    ? "none"
                     : o->cert_file ? o->cert_file
                                    : "self-signed"));
    return 0;
}

int metrics_server_start(struct metrics_server **ret, const struct metrics_server_options *options, struct err *err)
{
    if (str_empty(options->address))
        return 0;
    if (check(options, err) < 0)
        return -1;
    struct metrics_server *server = xcalloc(1, sizeof(*server));
    server->metrics = options->metrics;
    if (!options->insecure)
        server->access = metrics_access_start(options->kube, PATH, answer_of, server);
    if (listen_there(server, options, err) < 0) {
        metrics_server_stop(server);
        return -1;
    }
    *ret = server;
    return 0;
}

int metrics_server_port(const struct metrics_server *server)
{
    return serve_port(server->serve);
}

struct metrics_server *metrics_server_stop(struct metrics_server *server)
{
    if (!server)
        return NULL;
    metrics_access_end(server->access); /* who answers later ends before who is answered through */
    server->serve = serve_stop(server->serve);
    server->access = metrics_access_free(server->access);
    free(server);
    return NULL;
}
