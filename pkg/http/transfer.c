/* From a struct http_request to a configured libcurl handle.
 *
 * Everything that libcurl would do on its own account is switched off here: redirects, signals, cookies, .netrc,
 * proxies of the environment, other protocols, content decoding, "Expect: 100-continue". The URL given to libcurl is
 * built from the parts that http/url.h has checked, and the path is sent from the caller's text byte for byte.
 *
 * Why a request could be sent twice, and why it is not: libcurl silently starts again when a kept connection closes
 * before the first byte of the answer, and when an HTTP/2 stream is refused. A once request asks for a fresh
 * connection, which takes away the first reason except when other requests joined the new HTTP/2 connection meanwhile
 * (libcurl then counts it as reused). So on_ready(), which libcurl calls each time before it sends, is the guarantee:
 * it refuses the second time. */
#include "http/transfer.h"

#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "http/limits.h"
#include "http/tls.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define KEEPALIVE_IDLE_S 30L
#define KEEPALIVE_INTERVAL_S 15L
#define AUTHORITY_SIZE TRANSFER_PEER_SIZE

/* Remembers the first option that libcurl refuses, so that the calls read as a list. */
#define SET(t, option, value)                                                                                          \
    do {                                                                                                               \
        CURLcode code_ = curl_easy_setopt((t)->easy, option, value);                                                   \
        if ((t)->code == CURLE_OK)                                                                                     \
            (t)->code = code_;                                                                                         \
    } while (0)

/* A child process must not inherit a connection. */
static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)ctx;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int on_ready(void *ctx, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
    struct transfer *t = ctx;

    (void)remote_ip;
    (void)local_ip;
    (void)remote_port;
    (void)local_port;
    if (t->handed_over && t->request->once) {
        t->end = END_REPEATED;
        return CURL_PREREQFUNC_ABORT;
    }
    if (t->request->permit && !t->request->permit(t->request->permit_ctx)) {
        t->end = END_FORBIDDEN;
        return CURL_PREREQFUNC_ABORT;
    }
    t->handed_over = true;
    return CURL_PREREQFUNC_OK;
}

static bool is_token(const char *s)
{
    if (str_empty(s))
        return false;
    for (; *s; s++)
        if (!ascii_isalnum(*s) && !strchr("!#$%&'*+-.^_`|~", *s))
            return false;
    return true;
}

static bool is_header_value(const char *s)
{
    for (; s && *s; s++)
        if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f)
            return false;
    return s != NULL;
}

/* How the body is framed is the library's business: a caller's word on it could smuggle a second request. */
static bool is_reserved(const char *name)
{
    static const char *const reserved[] = {"Content-Length", "Transfer-Encoding", "Expect", "Connection", "Host"};

    for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
        if (str_eq_nocase(name, reserved[i]))
            return true;
    return false;
}

static int check_headers(const struct http_request *request, struct err *err)
{
    for (size_t i = 0; i < HTTP_MAX_REQUEST_HEADERS && request->headers[i].name; i++) {
        const struct http_header *h = &request->headers[i];
        if (!is_token(h->name))
            return err_set(err, ERR_INVALID, "request header %zu has no valid name", i + 1);
        if (is_reserved(h->name))
            return err_set(err, ERR_INVALID, "request header \"%s\" cannot be set by a caller", h->name);
        if (!is_header_value(h->value))
            return err_set(err, ERR_INVALID, "the value of request header \"%s\" holds a control byte", h->name);
    }
    return 0;
}

static int check_request(const struct http_request *request, struct http_url *url, struct err *err)
{
    if (request->method && !is_token(request->method))
        return err_set(err, ERR_INVALID, "the HTTP method is not a word");
    if (!request->url)
        return err_set(err, ERR_INVALID, "the request has no URL");
    if (http_url_parse(request->url, url, err) < 0)
        return -1;
    if (url->has_userinfo)
        return err_set(
            err, ERR_INVALID, "the URL for %s holds a user name; credentials are never sent that way", url->host);
    return check_headers(request, err);
}

/* host or [v6], with the port when there is one. */
static void authority(const char *host, int port, char ret[static AUTHORITY_SIZE])
{
    int n = snprintf(ret, AUTHORITY_SIZE, strchr(host, ':') ? "[%s]" : "%s", host);

    if (port && n > 0 && n < AUTHORITY_SIZE)
        (void)snprintf(ret + n, AUTHORITY_SIZE - (size_t)n, ":%d", port);
}

void transfer_peer(const struct http_url *url, char ret[static TRANSFER_PEER_SIZE])
{
    authority(url->host, url->port, ret);
}

static void add_header(struct transfer *t, const char *line)
{
    struct curl_slist *grown = curl_slist_append(t->headers, line);

    if (grown)
        t->headers = grown;
    else if (t->code == CURLE_OK)
        t->code = CURLE_OUT_OF_MEMORY;
}

static bool is_tls(const struct transfer *t)
{
    return str_eq(t->url.scheme, "https");
}

/* The name to verify is the host of libcurl's URL, which makes it SNI too; where to connect, and the Host header, stay
 * those of the caller's URL. */
static void set_server_name(struct transfer *t, const char *server_name)
{
    char name[AUTHORITY_SIZE], host[AUTHORITY_SIZE];

    authority(server_name, t->url.port, name);
    authority(t->url.host, t->url.port, host);
    _cleanup_(freep) char *connect_to = xasprintf("%s:%s", name, host);
    t->connect_to = curl_slist_append(NULL, connect_to);
    SET(t, CURLOPT_CONNECT_TO, t->connect_to);

    authority(t->url.host, t->url.port == 443 ? 0 : t->url.port, host);
    _cleanup_(freep) char *line = xasprintf("Host: %s", host);
    add_header(t, line);
}

static void set_url(struct transfer *t)
{
    const struct http_tls *tls = is_tls(t) ? t->request->tls : NULL;
    const char *host = tls && tls->server_name ? tls->server_name : t->url.host;
    char peer[AUTHORITY_SIZE];

    authority(host, t->url.port, peer);
    _cleanup_(freep) char *base = xasprintf("%s://%s", t->url.scheme, peer);
    size_t len = strcspn(t->url.path, "#");
    /* A proxy for plain http wants the whole URL in the request line. */
    bool absolute = t->request->proxy && !is_tls(t);
    _cleanup_(freep) char *target =
        xasprintf("%s%s%.*s", absolute ? base : "", t->url.path[0] == '/' ? "" : "/", (int)len, t->url.path);

    SET(t, CURLOPT_URL, base);
    SET(t, CURLOPT_REQUEST_TARGET, target);
    if (tls && tls->server_name)
        set_server_name(t, tls->server_name);
}

static void set_method_and_body(struct transfer *t)
{
    const struct http_request *request = t->request;
    const char *method = request->method ? request->method : "GET";
    bool expects_body = str_eq(method, "POST") || str_eq(method, "PUT") || str_eq(method, "PATCH");

    if (str_eq(method, "HEAD")) {
        SET(t, CURLOPT_NOBODY, 1L);
        return;
    }
    if (request->body || expects_body) {
        SET(t, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(request->body ? request->body_len : 0));
        SET(t, CURLOPT_POSTFIELDS, request->body ? request->body : "");
    }
    SET(t, CURLOPT_CUSTOMREQUEST, method);
}

static void set_headers(struct transfer *t)
{
    bool has_type = false;

    for (size_t i = 0; i < HTTP_MAX_REQUEST_HEADERS && t->request->headers[i].name; i++) {
        const struct http_header *h = &t->request->headers[i];
        /* A final semicolon is libcurl's way to write an empty value. */
        char *line = xasprintf(*h->value ? "%s: %s" : "%s;", h->name, h->value);
        add_header(t, line);
        secret_wipe(line, strlen(line));
        free(line);
        has_type |= str_eq_nocase(h->name, "Content-Type");
    }
    if (!has_type)
        add_header(t, "Content-Type:"); /* none, instead of libcurl's form encoding */
    add_header(t, "Expect:");
    SET(t, CURLOPT_HTTPHEADER, t->headers);
    SET(t, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE); /* none of them to a proxy */
}

static struct curl_blob blob(char *pem)
{
    return (struct curl_blob){.data = pem, .len = strlen(pem), .flags = CURL_BLOB_NOCOPY};
}

static void set_tls(struct transfer *t)
{
    const struct http_tls *tls = t->request->tls;

    SET(t, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(t, CURLOPT_SSL_VERIFYPEER, 1L);
    SET(t, CURLOPT_SSL_VERIFYHOST, 2L);
    if (tls && tls->ca_pem) {
        struct curl_blob ca = blob(tls->ca_pem);
        SET(t, CURLOPT_CAINFO_BLOB, &ca);
        SET(t, CURLOPT_CAINFO, NULL); /* the system's are built into libcurl */
        SET(t, CURLOPT_CAPATH, NULL);
    }
    if (tls && tls->client_cert_pem) {
        struct curl_blob cert = blob(tls->client_cert_pem), key = blob(tls->client_key_pem);
        SET(t, CURLOPT_SSLCERT_BLOB, &cert);
        SET(t, CURLOPT_SSLCERTTYPE, "PEM");
        SET(t, CURLOPT_SSLKEY_BLOB, &key);
        SET(t, CURLOPT_SSLKEYTYPE, "PEM");
    }
}

static void set_connection(struct transfer *t)
{
    const struct http_request *request = t->request;
    int64_t connect_ms =
        request->connect_timeout_ms > 0 ? request->connect_timeout_ms : HTTP_DEFAULT_CONNECT_TIMEOUT_MS;

    SET(t, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    SET(t, CURLOPT_TCP_KEEPALIVE, 1L);
    SET(t, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    SET(t, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    SET(t, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(t, CURLOPT_PREREQFUNCTION, on_ready);
    SET(t, CURLOPT_PREREQDATA, t);
    /* Without TLS there is no HTTP/2 here, and libcurl must not wait to find out. */
    SET(t, CURLOPT_HTTP_VERSION, is_tls(t) ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
    /* Wait for a connection that is being opened and share it, instead of opening one per request. */
    SET(t, CURLOPT_PIPEWAIT, is_tls(t) && !request->once ? 1L : 0L);
    SET(t, CURLOPT_FRESH_CONNECT, request->once ? 1L : 0L);
    SET(t, CURLOPT_FORBID_REUSE, request->once ? 1L : 0L);
    SET(t, CURLOPT_PROXY, request->proxy ? request->proxy : "");
    SET(t, CURLOPT_NOPROXY, "");
    SET(t, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

static void set_manners(struct transfer *t, const char *user_agent)
{
    SET(t, CURLOPT_PRIVATE, t);
    SET(t, CURLOPT_ERRORBUFFER, t->detail);
    SET(t, CURLOPT_NOSIGNAL, 1L);
    /* Or the end of a transfer waits, and with it every other one, until the system's resolver has given up. */
    SET(t, CURLOPT_QUICK_EXIT, 1L);
    SET(t, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(t, CURLOPT_FOLLOWLOCATION, 0L);
    SET(t, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(t, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(t, CURLOPT_HTTP09_ALLOWED, 0L);
    SET(t, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    SET(t, CURLOPT_USERAGENT, user_agent);
    SET(t, CURLOPT_HEADERFUNCTION, transfer_on_header);
    SET(t, CURLOPT_HEADERDATA, t);
    SET(t, CURLOPT_WRITEFUNCTION, transfer_on_body);
    SET(t, CURLOPT_WRITEDATA, t);
}

static void set_limits(struct transfer *t)
{
    const struct http_request *request = t->request;
    size_t max_body = request->max_body ? request->max_body : HTTP_DEFAULT_MAX_BODY;

    t->timeout_ms = request->timeout_ms == 0 ? HTTP_DEFAULT_TIMEOUT_MS : request->timeout_ms;
    t->response->body.max = max_body;
    /* One piece as libcurl hands it over must fit, or an empty buffer could never be filled. */
    t->stream = BUF_INIT(max_body > CURL_MAX_WRITE_SIZE ? max_body : CURL_MAX_WRITE_SIZE);
}

int transfer_open(struct transfer *t, const struct http_request *request, struct http_response *response,
    const char *user_agent, struct err *err)
{
    *t = (struct transfer){.request = request, .response = response};
    if (check_request(request, &t->url, err) < 0)
        return -1;
    (void)pthread_cond_init(&t->changed, NULL);
    t->easy = curl_easy_init();
    if (t->easy) {
        set_limits(t);
        set_manners(t, user_agent);
        set_url(t);
        set_method_and_body(t);
        set_headers(t);
        set_tls(t);
        set_connection(t);
    }
    if (t->easy && t->code == CURLE_OK)
        return 0;
    (void)err_set(err, ERR_INTERNAL, "libcurl cannot prepare a request: %s", curl_easy_strerror(t->code));
    transfer_close(t);
    return -1;
}

void transfer_close(struct transfer *t)
{
    curl_easy_cleanup(t->easy);
    for (struct curl_slist *h = t->headers; h; h = h->next)
        secret_wipe(h->data, strlen(h->data)); /* a token, perhaps */
    curl_slist_free_all(t->headers);
    curl_slist_free_all(t->connect_to);
    buf_done(&t->stream);
    (void)pthread_cond_destroy(&t->changed);
}
