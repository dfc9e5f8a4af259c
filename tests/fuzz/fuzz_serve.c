/* Bytes of a stranger to the server of the probes and metrics: over a real socket, into the real libwebsockets. It
 * sends nothing that is no HTTP, the handler sees only what the header promises, and whoever comes next is served.
 *
 * The first line says where to pause: each of its bytes is a piece's length, in turn. The bytes follow. */
#include "fuzz.h"

#include "base/buf.h"
#include "base/str.h"
#include "serve/probes.h"
#include "serve/server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_BODY 1024
#define QUIET_MS 3
#define PATIENCE_MS 60000

static void handle(void *ctx, struct serve_exchange *x, const struct serve_request *r)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"};
    static const struct serve_probes probes = {0};
    bool known = false;
    char value[8];

    (void)ctx;
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        known |= str_eq(r->method, methods[i]);
    FUZZ_CHECK(known && r->path[0] == '/' && r->query && r->body_len <= MAX_BODY && r->body[r->body_len] == '\0');
    if (serve_query(x, "v", value, sizeof(value)))
        FUZZ_CHECK(strlen(value) < sizeof(value));
    const char *authorization = serve_request_header(x, "authorization");
    FUZZ_CHECK(!authorization || strlen(authorization) <= 16384);
    if (!serve_probes_handle(&probes, x, r))
        serve_reply_text(x, 200, "text/plain", "ok");
}

static int port(void)
{
    static struct serve_server *server; /* reachable to the end, so no leak */
    const struct serve_options options = {
        .address = "127.0.0.1", .max_body = MAX_BODY, .idle_timeout_s = 2, .handler = handle};
    struct err err = ERR_INIT;

    if (!server)
        FUZZ_CHECK(serve_start(&server, &options, &err) == 0);
    return serve_port(server);
}

static int dial(void)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port()), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct linger hard = {.l_onoff = 1}; /* or the ports of this machine run out */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    FUZZ_CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    return fd;
}

/* What comes until it is over, or nothing came for so long; false when it is not over. */
static bool hear(int fd, struct buf *ret, int quiet_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char bytes[4096];

    for (int r; (r = poll(&p, 1, quiet_ms)) != 0;) {
        if (r < 0) /* libFuzzer's alarm */
            continue;
        ssize_t n = read(fd, bytes, sizeof(bytes));
        if (n <= 0)
            return true;
        buf_add(ret, bytes, (size_t)n);
    }
    return false;
}

static void check_heard(const struct buf *heard)
{
    FUZZ_CHECK(heard->len == 0 || str_has_prefix(buf_str(heard), "HTTP/1."));
}

static void check_next(void)
{
    static const char request[] = "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    _cleanup_(buf_done) struct buf heard = BUF_INIT(1 << 20);
    int fd = dial();

    FUZZ_CHECK(write(fd, request, strlen(request)) == (ssize_t)strlen(request));
    FUZZ_CHECK(hear(fd, &heard, PATIENCE_MS));
    FUZZ_CHECK(str_has_prefix(buf_str(&heard), "HTTP/1.1 200 ")); /* the limit of connections is far away */
    (void)close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(buf_done) struct buf heard = BUF_INIT(1 << 20);
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;

    if (!end)
        return 0;
    size_t n_cuts = (size_t)(end - data), left = size - n_cuts - 1;
    const uint8_t *at = end + 1;
    int fd = dial();
    for (size_t i = 0, n; left > 0; i++, at += n, left -= n) {
        n = n_cuts ? (size_t)data[i % n_cuts] * 4 + 1 : left;
        n = n < left ? n : left;
        if (send(fd, at, n, MSG_NOSIGNAL) != (ssize_t)n)
            break;
        if (hear(fd, &heard, left > n ? 0 : QUIET_MS))
            break;
    }
    check_heard(&heard);
    (void)close(fd);
    check_next();
    return 0;
}
