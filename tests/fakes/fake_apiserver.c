/* fake-apiserver: serves over HTTPS what the controller and an unmodified kubectl need of a Kubernetes API server, from
 * memory, on loopback, and misbehaves on request. For tests and demonstrations.
 *
 * What it does not do: run CEL rules, server-side apply, conversion, admission, authorization, garbage collection. A
 * difference in anything else from a real API server is a bug here. */
#include "fakes/fake_apiserver.h"

#include "base/clock.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define TICK_MS 50
#define MAX_BODY (16u << 20)
#define MAX_QUEUE ((size_t)1 << 30) /* a watch that begins with 100,000 objects is written in one go */

static const char about[] =
    "fake-apiserver: a Kubernetes API server for tests and demonstrations, on loopback, over HTTPS.";

static const char more[] =
    "Served: discovery, OpenAPI, customresourcedefinitions and what they define, namespaces (default, kube-system and\n"
    "those you create), leases, events (core and events.k8s.io), configmaps, secrets, serviceaccounts with "
    "TokenRequest;\n"
    "get, list in pages, watch with bookmarks, create, put, merge and JSON patch, the status subresource, delete, "
    "tables,\n"
    "dry run, field validation. CRD schemas are applied except x-kubernetes-validations (CEL) and allOf, anyOf, oneOf, "
    "not.\n"
    "No server-side apply (415), no conversion between versions.\n"
    "\n"
    "Of its own, besides the inspection API below:\n"
    "  POST   /fake/compact               forgets history: older resourceVersions and continue tokens get 410\n"
    "  POST   /fake/drop-watches          ends all watches;  ?gone=true sends 410 in the stream first\n"
    "\n";

struct options {
    struct fake_process process;
    const char *kubeconfig;
    int64_t bookmark_ms;
    int64_t watch_ms;
    int64_t history;
    const char *token;
    bool gone_as_http;
    bool no_watch_list;
};

static int parse_options(struct options *o, int argc, char **argv, struct err *err)
{
    _cleanup_(buf_done) struct buf help = BUF_INIT(65536);
    const struct fake_option table[] = {
        FAKE_PROCESS_OPTIONS(&o->process),
        {"kubeconfig-out", "FILE", FAKE_STRING, &o->kubeconfig, "write a kubeconfig for this server"},
        {"token", "TOKEN", FAKE_STRING, &o->token, "demand this bearer token; by default anything is accepted"},
        {"bookmark-seconds", "S", FAKE_SECONDS, &o->bookmark_ms, "time between bookmarks of a watch (60)"},
        {"watch-seconds", "S", FAKE_SECONDS, &o->watch_ms,
            "end watches after this time, if the client did not ask for less"},
        {"history", "N", FAKE_INT, &o->history, "changes that are remembered for watches and paged lists (20000)"},
        {"no-watch-list", NULL, FAKE_FLAG, &o->no_watch_list,
            "refuse watches with sendInitialEvents, as a server without WatchList does"},
        {"gone-as-http", NULL, FAKE_FLAG, &o->gone_as_http,
            "answer a watch from too far back with HTTP 410, not in the stream"},
    };
    buf_puts(&help, more);
    buf_puts(&help, fake_core_help);
    return fake_options_parse(table, ARRAY_LEN(table), about, buf_str(&help), argc, argv, err);
}

static void *tick(void *ctx)
{
    struct api *api = ctx;
    bool stopping = false;
    while (!stopping) {
        clock_sleep_ms(TICK_MS);
        (void)pthread_mutex_lock(&api->lock);
        api_watch_tick(api);
        stopping = api->stopping;
        (void)pthread_mutex_unlock(&api->lock);
    }
    return NULL;
}

static void api_init(struct api *api, const struct options *o)
{
    static const char *const namespaces[] = {"default", "kube-system", "kube-public", "kube-node-lease"};
    *api = (struct api){.core = fake_core_new(),
        .store = store_new((size_t)o->history),
        .bookmark_ms = o->bookmark_ms,
        .watch_ms = o->watch_ms,
        .token = o->token,
        .gone_as_http = o->gone_as_http,
        .no_watch_list = o->no_watch_list};
    (void)pthread_mutex_init(&api->lock, NULL);
    registry_add_builtin(&api->registry);
    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++)
        api_create_namespace(api, namespaces[i]);
}

static void api_done(struct api *api)
{
    registry_done(&api->registry);
    (void)store_free(api->store);
    (void)fake_core_free(api->core);
    (void)pthread_mutex_destroy(&api->lock);
}

static int announce(const struct options *o, int port, struct err *err)
{
    char url[128], ca[600];
    bool v6 = strchr(o->process.address, ':') != NULL;
    (void)snprintf(url, sizeof(url), "https://%s%s%s:%d", v6 ? "[" : "", o->process.address, v6 ? "]" : "", port);
    (void)snprintf(ca, sizeof(ca), "%s/ca.pem", o->process.tls_dir);
    if (o->kubeconfig && api_write_kubeconfig(o->kubeconfig, url, ca, o->token, err) < 0)
        return -1;
    return fake_process_ready(&o->process, url, err);
}

static void stop_watches(struct api *api, pthread_t ticker)
{
    (void)pthread_mutex_lock(&api->lock);
    api->stopping = true;
    (void)pthread_mutex_unlock(&api->lock);
    (void)pthread_join(ticker, NULL);
    (void)pthread_mutex_lock(&api->lock);
    api_watch_drop(api, NULL, false);
    (void)pthread_mutex_unlock(&api->lock);
}

static int serve(struct options *o, struct err *err)
{
    _cleanup_(httpd_stopp) struct httpd_server *server = NULL;
    struct api api;
    pthread_t ticker;
    if (fake_process_start(&o->process, err) < 0)
        return -1;
    api_init(&api, o);
    const struct httpd_options options = {.address = o->process.address,
        .port = (int)o->process.port,
        .tls_cert_file = o->process.cert_file,
        .tls_key_file = o->process.key_file,
        .max_body = MAX_BODY,
        .max_queue = MAX_QUEUE,
        .handler = api_handle,
        .ctx = &api};
    int result = httpd_start(&server, &options, err);
    if (result == 0 && pthread_create(&ticker, NULL, tick, &api) != 0)
        result = err_set(err, ERR_INTERNAL, "cannot start a thread");
    else if (result == 0) {
        result = announce(o, httpd_port(server), err);
        if (result == 0)
            fake_core_wait(api.core);
        stop_watches(&api, ticker);
    }
    fake_core_shut(api.core);
    server = httpd_stop(server);
    api_done(&api);
    return result;
}

int main(int argc, char **argv)
{
    struct err err = ERR_INIT;
    struct options o = {.process = FAKE_PROCESS_INIT, .bookmark_ms = 60000, .history = 20000};
    int parsed = parse_options(&o, argc, argv, &err);
    if (parsed == 0 && serve(&o, &err) == 0)
        return 0;
    if (parsed > 0)
        return 0;
    (void)fprintf(stderr, "fake-apiserver: %s\n", err.msg);
    return 1;
}
