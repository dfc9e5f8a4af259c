/* Scans one gateway on this machine with a key, for comparing servers: scan-probe ENDPOINT KEY CA_FILE [PAGE_SIZE].
 *
 * Prints each offender, sorted by whoever reads it, then a line of counts. */
#include "azure/scan.h"
#include "base/file.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

static void on_offender(void *ctx, const struct scan_offender *offender)
{
    (void)ctx;
    (void)printf("offender %s/%s %zu %s\n", offender->database, offender->container, offender->id_bytes, offender->id);
}

static void on_skipped(void *ctx, const char *database, const char *container, const struct err *why)
{
    (void)ctx;
    (void)printf("skipped %s/%s %s\n", database, container ? container : "", why->msg);
}

static int scan_with(struct gateway *gateway, const char *page_size, struct err *err)
{
    struct scan_options options = {
        .threads = 2, .patience_ms = 5000, .events = {.offender = on_offender, .skipped = on_skipped}};
    _cleanup_(scan_freep) struct scan *scan = NULL;
    struct scan_progress p;
    int64_t size = 0;

    if (page_size && str_to_i64(page_size, 1, 1000, &size))
        options.page_size = (int)size;
    if (scan_new(&scan, gateway, &options, err) < 0)
        return -1;
    int r = scan_run(scan, err);
    scan_look(scan, &p);
    (void)printf("databases %lld containers %lld ranges %lld documents %lld offenders %lld\n", (long long)p.databases,
        (long long)p.containers_done, (long long)p.ranges_done, (long long)p.documents, (long long)p.offenders);
    return r;
}

static int probe(char **argv, struct err *err)
{
    _cleanup_(http_engine_freep) struct http_engine *engine = NULL;
    _cleanup_(http_tls_unrefp) struct http_tls *tls = NULL;
    _cleanup_(secret_unrefp) struct secret *key = secret_new(argv[2], strlen(argv[2]));
    _cleanup_(gateway_freep) struct gateway *gateway = NULL;
    _cleanup_(buf_done) struct buf ca = BUF_INIT(65536);

    if (file_read(argv[3], &ca, err) < 0 ||
        http_tls_new(&tls, &(struct http_tls_options){.ca_pem = buf_str(&ca)}, err) < 0 ||
        http_engine_new(&engine, &(struct http_engine_options){.user_agent = "scan-probe"}, err) < 0)
        return -1;
    const struct gateway_options options = {.http = http_engine_client(engine),
        .endpoint = argv[1],
        .cosmos_suffix = "documents.azure.com",
        .loopback_host = "127.0.0.1",
        .key = key,
        .tls = tls};
    return gateway_new(&gateway, &options, err) < 0 ? -1 : scan_with(gateway, argv[4], err);
}

int main(int argc, char **argv)
{
    struct err err = ERR_INIT;

    if (argc < 4) {
        (void)fprintf(stderr, "usage: scan-probe ENDPOINT KEY CA_FILE [PAGE_SIZE]\n");
        return 2;
    }
    if (probe(argv, &err) == 0)
        return 0;
    (void)fprintf(stderr, "scan-probe: %s\n", err.msg);
    return 1;
}
