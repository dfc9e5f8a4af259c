/* libcurl's verdicts as kinds and sentences. A sentence names host and cause; it never holds a path, query, header or
 * body, and libcurl's own words are passed on only as printable text, because some of them quote the peer. */
#include "http/transfer.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

struct verdict {
    enum err_kind kind;
    const char *before; /* the sentence is "BEFORE HOST:PORT AFTER: cause" */
    const char *after;
};

static const struct verdict not_found = {ERR_UNAVAILABLE, "cannot find the address of", ""};
static const struct verdict no_proxy = {ERR_UNAVAILABLE, "cannot reach the proxy for", ""};
static const struct verdict no_connection = {ERR_UNAVAILABLE, "cannot connect to", ""};
static const struct verdict late = {ERR_TIMEOUT, "cannot connect in time to", ""};
static const struct verdict lost = {ERR_UNAVAILABLE, "the connection to", " was lost"};
static const struct verdict not_trusted = {ERR_TLS, "the certificate of", " is not trusted"};
static const struct verdict no_bundle = {ERR_TLS, "cannot load the certificates to trust for", ""};
static const struct verdict bad_identity = {ERR_TLS, "the client certificate for", " cannot be used"};
static const struct verdict no_handshake = {ERR_TLS, "the TLS handshake with", " failed"};
static const struct verdict not_http = {ERR_PROTOCOL, "the answer of", " is not understood"};
static const struct verdict long_line = {ERR_TOO_LARGE, "a header line from", " is too long"};
static const struct verdict bad_proxy = {ERR_INVALID, "the proxy cannot be used for", ""};
static const struct verdict failed = {ERR_INTERNAL, "the request to", " failed"};

static const struct verdict *by_code(CURLcode code)
{
    static const struct {
        CURLcode code;
        const struct verdict *verdict;
    } rows[] = {
        {CURLE_COULDNT_RESOLVE_HOST, &not_found}, {CURLE_COULDNT_RESOLVE_PROXY, &no_proxy}, {CURLE_PROXY, &no_proxy},
        {CURLE_COULDNT_CONNECT, &no_connection}, {CURLE_OPERATION_TIMEDOUT, &late}, {CURLE_GOT_NOTHING, &lost},
        {CURLE_SEND_ERROR, &lost}, {CURLE_RECV_ERROR, &lost}, {CURLE_PARTIAL_FILE, &lost}, {CURLE_HTTP2, &lost},
        {CURLE_HTTP2_STREAM, &lost}, {CURLE_PEER_FAILED_VERIFICATION, &not_trusted},
        {CURLE_SSL_ISSUER_ERROR, &not_trusted}, {CURLE_SSL_INVALIDCERTSTATUS, &not_trusted},
        {CURLE_SSL_CACERT_BADFILE, &no_bundle}, {CURLE_SSL_CERTPROBLEM, &bad_identity},
        {CURLE_SSL_CONNECT_ERROR, &no_handshake}, {CURLE_SSL_CIPHER, &no_handshake},
        {CURLE_WEIRD_SERVER_REPLY, &not_http}, {CURLE_UNSUPPORTED_PROTOCOL, &not_http},
        {CURLE_BAD_CONTENT_ENCODING, &not_http},
        {CURLE_OUT_OF_MEMORY, &long_line}, /* what libcurl calls a line over its cap; our memory never runs out */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].code == code)
            return rows[i].verdict;
    return &failed;
}

/* Some codes stand for more than one thing; only libcurl's words tell which. */
static const struct verdict *verdict_of(const struct transfer *t)
{
    const char *words = t->detail;

    /* Without OpenSSL's "error:..." it was the socket that failed, which is not a matter of trust and may heal. */
    if (t->code == CURLE_SSL_CONNECT_ERROR && (!strstr(words, "error:") || strstr(words, "unexpected eof")))
        return &lost;
    /* TLS 1.3 servers refuse a client certificate only after the handshake. */
    if (t->code == CURLE_RECV_ERROR && strstr(words, "SSL routines") && strstr(words, " alert "))
        return &no_handshake;
    if (t->request->proxy && (t->code == CURLE_URL_MALFORMAT || str_has_prefix(words, "Unsupported proxy")))
        return &bad_proxy;
    if (t->code == CURLE_RECV_ERROR && strstr(words, "chunked-encoding"))
        return &not_http;
    return by_code(t->code);
}

/* libcurl says only that it could not connect; the system said why. */
static bool system_cause(const struct transfer *t, char *ret, size_t size)
{
    long number = 0;

    if (t->code != CURLE_COULDNT_CONNECT || curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &number) != CURLE_OK ||
        number == 0)
        return false;
    char text[128];
    return str_copy(ret, size, strerror_r((int)number, text, sizeof(text)));
}

static void cause_of(const struct transfer *t, char *ret, size_t size)
{
    static const char prefix[] = "SSL certificate problem: ";
    /* A proxy that libcurl does not like is quoted with its user name and password. */
    bool may_tell = t->detail[0] && !strchr(t->detail, '@') && !strstr(t->detail, "://");
    const char *text = may_tell ? t->detail : curl_easy_strerror(t->code);

    if (system_cause(t, ret, size))
        return;
    if (str_has_prefix(text, prefix))
        text += strlen(prefix);
    size_t n = 0;
    for (; *text && n + 1 < size; text++)
        ret[n++] = (char)((unsigned char)*text < ' ' || (unsigned char)*text > '~' ? '?' : *text);
    while (n > 0 && strchr(" ?.", ret[n - 1]))
        n--;
    ret[n] = '\0';
}

static int libcurl_failure(const struct transfer *t, const char *peer, struct err *err)
{
    const struct verdict *v = verdict_of(t);
    char cause[CURL_ERROR_SIZE];

    cause_of(t, cause, sizeof(cause));
    return err_set(err, v->kind, "%s %s%s: %s", v->before, peer, v->after, cause);
}

static int own_failure(const struct transfer *t, const char *peer, struct err *err)
{
    switch (t->end) {
    case END_CANCELLED:
        return err_set(err, ERR_CANCELLED, "the request to %s was cancelled", peer);
    case END_SHUTDOWN:
        return err_set(err, ERR_CANCELLED, "the request to %s was cancelled: shutting down", peer);
    case END_TIMEOUT:
        return err_set(err, ERR_TIMEOUT, "no complete answer from %s within %lld ms", peer, (long long)t->timeout_ms);
    case END_IDLE:
        return err_set(
            err, ERR_TIMEOUT, "nothing came from %s for %lld ms", peer, (long long)t->request->idle_timeout_ms);
    case END_FORBIDDEN:
        return err_set(err, ERR_CANCELLED, "the request to %s was not sent: it was no longer permitted", peer);
    case END_REPEATED:
        return err_set(err, ERR_UNAVAILABLE,
            "lost the connection to %s before it answered; the request is not sent again because its outcome is "
            "unknown",
            peer);
    case END_CUT:
        return err_set(err, ERR_UNAVAILABLE, "the connection to %s was lost within the headers of its answer", peer);
    case END_HEADERS_TOO_LARGE:
        return err_set(err, ERR_TOO_LARGE, "the headers of the answer from %s are larger than the cap of %zu bytes",
            peer, t->response->headers.max);
    case END_BODY_TOO_LARGE:
        return err_set(err, ERR_TOO_LARGE, "the body of the answer from %s is larger than the cap of %zu bytes", peer,
            t->response->body.max);
    case END_LIBCURL:
        break;
    }
    return libcurl_failure(t, peer, err);
}

int transfer_result(const struct transfer *t, struct err *err)
{
    char peer[TRANSFER_PEER_SIZE];

    if (t->abandoned)
        return -1;
    if (t->end == END_LIBCURL && t->code == CURLE_OK)
        return 0;
    transfer_peer(&t->url, peer);
    (void)own_failure(t, peer, err);
    if (err)
        err->maybe_sent = t->handed_over;
    return -1;
}
